//! The pure part: what the law and the operator's data say. No I/O; time is an argument.

pub(crate) mod admission;
pub(crate) mod agreement;
pub mod basis;
pub mod calendar;
pub mod catalogue;
pub(crate) mod decision;
pub(crate) mod explain;
#[cfg(test)]
mod figures;
pub(crate) mod flips;
#[cfg(test)]
mod forbids;
pub mod item_set;
#[cfg(test)]
mod matrix;
pub mod officers;
pub(crate) mod permissions;
pub mod registry;
pub(crate) mod request;
pub(crate) mod revision;
pub(crate) mod rule_set;
pub mod rules;
#[cfg(test)]
mod sweep;
pub mod table;
pub(crate) mod volume;
pub(crate) mod warrant;
