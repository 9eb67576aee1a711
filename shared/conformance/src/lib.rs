//! The conformance kit: it drives a database over the network and says, rule by rule, whether it keeps the contract
//! `lienthong.database.v1`. It knows nothing of the database but its address, and changes nothing in it but what its
//! events say.
//!
//! | module | job |
//! |---|---|
//! | `cases` | one case for each rule of the contract |
//! | `descriptors` | the contract as the kit knows it, and as the database says it |
//! | `fixtures` | what the kit must be told of the database's records |
//! | `found` | what a case finds |
//! | `items` | the types of the items of our catalogue |
//! | `kit` | what every case needs |
//! | `plan` | what is to be looked at |
//! | `report` | the result, for persons and for programs |
//! | `rules` | the rules in Vietnamese |
//! | `run` | one run, case after case |
//! | `sign` | the signature of a report |
//! | `warrants` | the warrants of the kit |
//! | `wire` | the kit's own client |

mod cases;
mod descriptors;
mod fixtures;
mod found;
mod items;
mod kit;
mod plan;
pub mod report;
mod rules;
mod run;
pub mod sign;
mod warrants;
mod wire;

pub use cases::ids;
pub use descriptors::contract_digest;
pub use fixtures::Fixtures;
pub use found::{Finding, Missing, Words};
pub use plan::{Act, Pem, Plan, Role, Seed};
pub use report::{CaseReport, Report, Status, Verdict};
pub use run::{Event, run};
pub use warrants::WarrantKey;

/// Why nothing was looked at.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The database's records are not said to be synthetic. There is no way round it.
    #[error(
        "cơ sở dữ liệu không khai báo môi trường SYNTHETIC nên bộ kiểm thử không chạy, và không có \
         cách nào bỏ qua / the database does not say that its environment is SYNTHETIC (it says \
         {0}): the kit does not run, and nothing overrides that"
    )]
    NotSynthetic(String),
    /// The database did not describe itself.
    #[error("không đọc được mô tả của cơ sở dữ liệu / the database did not describe itself: {0}")]
    NoDescription(String),
    /// It was asked wrongly.
    #[error("{0}")]
    Usage(String),
    /// A file cannot be used.
    #[error("không dùng được tệp `{path}` / cannot use the file `{path}`: {why}")]
    File {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
}

impl Refusal {
    pub(crate) fn file(path: &str, why: &impl std::fmt::Display) -> Self {
        Self::File { path: path.to_owned(), why: why.to_string() }
    }
}
