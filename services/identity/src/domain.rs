//! The pure part: no I/O, no async; time is an argument.

pub(crate) mod apart;
pub(crate) mod apply;
pub(crate) mod consent;
pub(crate) mod feed;
pub(crate) mod find;
pub(crate) mod history;
pub(crate) mod listed;
pub(crate) mod lookup;
mod mask;
pub(crate) mod never_one;
pub(crate) mod relations;
