//! The pure part: what the law and the operator's data say. No I/O; time is an argument.

pub(crate) mod admission;
pub(crate) mod agreement;
pub mod basis;
pub mod calendar;
pub mod catalogue;
pub(crate) mod decision;
pub mod item_set;
pub mod officers;
pub mod registry;
pub(crate) mod request;
pub(crate) mod revision;
pub mod rules;
pub mod table;
pub(crate) mod warrant;
