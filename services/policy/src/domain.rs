//! The pure part: what the law and the operator's data say. No I/O; time is an argument.

pub(crate) mod admission;
pub mod basis;
pub mod calendar;
pub mod catalogue;
pub(crate) mod decision;
pub mod officers;
pub mod registry;
pub(crate) mod request;
pub mod rules;
pub mod table;
