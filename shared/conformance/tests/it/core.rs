//! The kit against the same database on the server core that our services stand on.

use std::sync::Arc;

use conformance::{Plan, Status, Verdict, report::page};
use contract::database::v1::DatabaseEnvironment;
use serde::Deserialize;
use server::{
    Config, Server,
    caller::{Method, Methods, OpenTo, Priority},
};

use crate::{
    database::{Database, Running},
    kit::{looked_at, plan},
    pki::Pki,
};

const KIT: &[OpenTo] = &[OpenTo::Service("conformance")];
const METHODS: &[Method] = &[
    (
        "/lienthong.database.v1.DatabaseService/DescribeDatabase",
        Priority::Ordinary,
        &[OpenTo::Everyone],
    ),
    ("/lienthong.database.v1.SourceService/ListChanges", Priority::Ordinary, KIT),
    ("/lienthong.database.v1.SourceService/StreamChanges", Priority::Ordinary, KIT),
    ("/lienthong.database.v1.LookupService/GetRecord", Priority::Ordinary, KIT),
    ("/lienthong.database.v1.LookupService/VerifyRecord", Priority::Ordinary, KIT),
    ("/lienthong.database.v1.LookupService/StreamRecords", Priority::Ordinary, KIT),
    ("/lienthong.database.v1.SinkService/DeliverEvents", Priority::Ordinary, KIT),
];
const SERVICES: [&str; 4] = [
    "lienthong.database.v1.DatabaseService",
    "lienthong.database.v1.SourceService",
    "lienthong.database.v1.LookupService",
    "lienthong.database.v1.SinkService",
];

#[derive(Deserialize)]
struct Settings {
    server: Config,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_on_our_server_core_keeps_the_contract() {
    let pki = Pki::new();
    let settings: Settings = server::config::load(&[server::config::DEFAULTS], None).unwrap();
    let own = pki.pem("database");
    let config = Config {
        listen: "127.0.0.1:0".into(),
        trust_domain: "lienthong.test".into(),
        certificate: own.certificate,
        key: own.key,
        ca: pki.ca(),
        ..settings.server
    };
    let server = Server::bind_with(config, Methods::new(METHODS)).await.unwrap();
    server.health().serves(&SERVICES, || async { true });
    let database =
        Arc::new(Database::new(None, DatabaseEnvironment::Synthetic, pki.warrant_keys()));
    let running = server.start(database.routes()).await;
    // Of the other one only the plan is taken.
    let other = Running::start(&pki, None).await;
    let looked = Plan {
        target: running.address().to_string(),
        restart: None,
        change: Some(database.committing()),
        ..plan(&pki, &other)
    };
    let report = looked_at(looked).await;
    let text = page(&report, "");
    // Nothing restarts this one.
    let expected = |rule: &str| match rule {
        "SRC-9" | "SNK-7" | "LKP-52" => Status::NotTried,
        _ => Status::Passed,
    };
    for case in &report.cases {
        assert_eq!(case.status, expected(case.rule), "{}: {text}", case.rule);
    }
    assert_eq!(report.verdict, Verdict::Incomplete);
    running.stop().await;
}
