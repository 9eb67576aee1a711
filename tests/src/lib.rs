//! The harness of the end-to-end tests: every service on a database of its own, over mutual TLS, on ports
//! of the system's choosing, with a clock that the test turns and with seeded persons.
//!
//! | module | job |
//! |---|---|
//! | `agreements` | agreements, drafted and signed |
//! | `databases` | databases that are connected: reference ones, and bad ones |
//! | `events` | events to submit: births, deaths, moves, corrections |
//! | `interop` | gRPC's own test service on our server core |
//! | `people` | synthetic persons, and lookups of them |
//! | `ports` | ports that have to be known beforehand |
//! | `processes` | real processes, to be killed and started again |
//! | `raw` | a call as bytes over HTTP/2, where a gRPC client would get in the way |
//! | `relay` | the road between two services: open, cut, or stalled |
//! | `web` | a request over HTTP/1.1 and mutual TLS |
//! | `whole` | every service in one process, with contributions |
//! | `world` | the services, their databases, their callers |
//!
//! A test that cannot have what it needs fails; it never skips itself. Nothing here sleeps: a test waits for
//! an event, and [`within`] ends one that hangs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

pub mod agreements;
pub mod databases;
pub mod events;
pub mod interop;
pub mod people;
pub mod ports;
pub mod processes;
pub mod raw;
pub mod relay;
pub mod web;
pub mod whole;
pub mod world;

use std::time::Duration;

use store::{Migration, Sql, Store};

pub use people::{Person, ask, basis};
pub use world::{Options, World};

/// Only a hang lasts this long.
const CEILING: Duration = Duration::from_secs(60);

/// Ends a test that hangs.
///
/// # Panics
/// When `work` has not ended after a minute.
pub async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(CEILING, work).await.expect("the test hangs")
}

/// Changes a service's database while the service is stopped; says how many rows each change concerned.
///
/// # Panics
/// When the database refuses.
pub async fn behind_its_back(
    url: &str,
    migrations: &'static [Migration],
    changes: &'static [&'static str],
) -> Vec<u64> {
    let store = Store::open(url, migrations).await.unwrap();
    let changed = store.write("change behind its back", move |tx| {
        Box::pin(async move {
            let mut concerned = Vec::new();
            for sql in changes {
                concerned.push(tx.execute(&Sql::same(sql), Vec::new()).await?);
            }
            Ok::<_, store::Error>(concerned)
        })
    });
    let concerned = changed.await.unwrap();
    store.close().await;
    concerned
}

/// One test per engine of each named `async fn(Engine)`.
#[macro_export]
macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::within(super::$name(store::Engine::Sqlite)).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::within(super::$name(store::Engine::Postgres)).await;
            })+
        }
    };
}
