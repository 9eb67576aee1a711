//! The policy service: who may obtain or contribute which items, on which ground.
//!
//! So far its pure part: the data files (items, legal basis, procedures), the statutory rules in Cedar
//! with the item masks they give, and the decision table that follows from them. The registry of
//! agencies and agreements, and the service that answers `Decide` from it, come next.

pub mod domain;

/// Why the policy data cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A data file does not hold what it must.
    #[error("{file}: {why}")]
    Data {
        /// Which kind of data.
        file: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl Error {
    pub(crate) fn data(file: &'static str, why: impl std::fmt::Display) -> Self {
        Self::Data { file, why: why.to_string() }
    }
}
