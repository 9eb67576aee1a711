//! End-to-end tests over mutual TLS, on SQLite and on PostgreSQL. `README.md` says what each proves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod accesses;
mod admission;
mod agreements;
mod as_of;
mod authority;
mod bad_days;
mod bad_input;
mod budget;
mod bulk;
mod canary;
mod change_feed;
mod conflict;
mod consents;
mod contribution;
mod decisions;
mod exchange;
mod faulty_disk;
mod feed;
mod finding;
mod follow;
mod hidden;
mod kill;
mod load;
mod lookup;
mod model;
mod obligations;
mod quality;
mod receipt;
mod relations;
mod report;
mod revisions;
mod rule_sets;
mod serving;
mod signed;
mod telemetry;
mod tidy;
mod tokens;
mod usage;
mod verify;
mod volumes;
mod warrant;

use contract::identity::v1::{GetPersonAnswer, GetPersonRequest};
use lienthong::client::{Answered, Client, Refused};

/// The answer to a lookup that must be answered.
async fn answered(client: &Client, request: &GetPersonRequest) -> Answered<GetPersonAnswer> {
    client.get_person(request).await.unwrap().unwrap_or_else(|refused| panic!("{refused}"))
}

/// The refusal of a lookup that must be refused.
async fn refused(client: &Client, request: &GetPersonRequest) -> Refused {
    match client.get_person(request).await.unwrap() {
        Ok(_) => panic!("the lookup was answered"),
        Err(refused) => refused,
    }
}

/// Code and reason of a refusal, which has words in both languages.
fn why(refused: &Refused) -> (&str, &str) {
    assert!(!refused.message.is_empty() && !refused.vi.is_empty(), "{refused:?}");
    (&refused.code, &refused.reason)
}
