//! Copies of one contribution, sent at once to two processes that have one database.
//!
//! What would fail it: a copy that is answered otherwise, or never; a second person, number, application or record. What it
//! does not control: in which order the copies come. A process that has enough to do refuses more (I13), and is asked again.

use std::time::Duration;

use contract::contribution::v1::SubmitContributionRequest;
use lienthong::client::{Answered, Client};
use store::{Engine, Sql, Store};
use tests::{
    events::birth,
    processes::{Fleet, PAIR, Shape},
};
use tokio::task::JoinSet;

use crate::kill::{Acknowledged, log_holds};

/// A thousand, or ten thousand in the full scale (`./tests/run --scale full copies`).
fn copies() -> usize {
    if std::env::var("LIENTHONG_TEST_SCALE").as_deref() == Ok("full") { 10_000 } else { 1_000 }
}

/// Sends it until it is answered; says how often it was refused before.
async fn answered(client: Client, request: SubmitContributionRequest) -> (Acknowledged, u32) {
    let mut refusals = 0;
    loop {
        match client.submit_contribution(&request).await.unwrap() {
            Ok(Answered { answer_bytes: answer, answer: told, receipt, .. }) => {
                let number = told.personal_number;
                return (Acknowledged { request, answer, receipt, number }, refusals);
            }
            Err(refused) => {
                let busy = ["Unavailable", "ResourceExhausted", "DeadlineExceeded"];
                assert!(busy.contains(&refused.code.as_str()), "{refused:?}");
                refusals += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i4_copies_at_once_to_two_processes_are_one_contribution_on_postgres() {
    let mut fleet = Fleet::start(Shape::Pair, Engine::Postgres).await;
    assert!(PAIR.iter().all(|name| fleet.id(name).is_some()));
    let clients = fleet.contributors("civil-status", "Z01.DEMO.HOTICH", "ho-tich");
    assert_eq!(clients.len(), PAIR.len());
    let request = birth("copied", "Trần Giả Định Bảo An");
    let mut sent = JoinSet::new();
    for client in clients.iter().cycle().take(copies()) {
        sent.spawn(answered(client.clone(), request.clone()));
    }
    let (mut first, mut refusals): (Option<Acknowledged>, u32) = (None, 0);
    while let Some(one) = tests::within(sent.join_next()).await {
        let (one, refused) = one.unwrap();
        refusals += refused;
        let first = first.get_or_insert_with(|| one.clone());
        assert!(one.answer == first.answer && one.receipt == first.receipt, "answered otherwise");
    }
    println!("{} copies, {refusals} refusals before they were answered", copies());
    fleet = tokio::task::spawn_blocking(move || {
        fleet.terminate();
        fleet
    })
    .await
    .unwrap();
    let once = [
        ("contribution", contribution::migrations(), "SELECT COUNT(*) FROM submission"),
        ("contribution", contribution::migrations(), "SELECT COUNT(*) FROM outcome"),
        ("identity", identity::migrations(), "SELECT COUNT(*) FROM application"),
        ("identity", identity::migrations(), "SELECT COUNT(*) FROM person"),
        ("identity", identity::migrations(), "SELECT COUNT(*) FROM identifier"),
    ];
    for (service, migrations, sql) in once {
        let store = Store::open(fleet.database(service), migrations).await.unwrap();
        let rows = store.read(&Sql::same(sql), vec![]).await.unwrap();
        assert_eq!(rows[0].try_get_by::<i64, _>(0).unwrap(), 1, "{sql}");
        store.close().await;
    }
    log_holds(&fleet, &[first.unwrap()]).await;
}
