//! The pure part: what the law and the operator's data say. No I/O; time is an argument.

pub(crate) mod basis;
pub(crate) mod catalogue;
pub(crate) mod registry;
pub(crate) mod rules;
pub(crate) mod table;
