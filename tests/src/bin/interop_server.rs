//! Serves gRPC's own test service on our server core until SIGTERM: `interop_server FOLDER`. Certificates of a CA of
//! its own go into the folder; one line of JSON on stdout says where it listens and where they are.

use std::{io::Write as _, path::Path};

use anyhow::{Context as _, Result};
use lienthong::{
    pki::Pki,
    process,
    settings::{self, Settings as _},
};
use server::{Config, Routes, Server, runtime::Clock};
use tests::interop::{EchoMetadata, Interop, METHODS, pb::test_service_server::TestServiceServer};

const TRUST_DOMAIN: &str = "lienthong.test";

#[tokio::main]
async fn main() -> Result<()> {
    let folder = std::env::args().nth(1).context("usage: interop_server FOLDER")?;
    let ended = process::ended()?;
    let pki = Pki::open(Path::new(&folder), Clock::system())?;
    let own = pki.issue("interop", &format!("spiffe://{TRUST_DOMAIN}/service/interop"))?;
    let caller =
        pki.issue("caller", &format!("spiffe://{TRUST_DOMAIN}/agency/Z90/system/cases"))?;
    let config = Config {
        listen: "127.0.0.1:0".to_owned(),
        trust_domain: TRUST_DOMAIN.to_owned(),
        certificate: own.certificate,
        key: own.key,
        ca: own.ca,
        lame_duck_seconds: 0,
        ..settings::Audit::load(None)?.server
    };
    let service = EchoMetadata(TestServiceServer::new(Interop));
    let server = Server::bind_with(config, METHODS).await?;
    let running = server.start(Routes::default().add_service(service)).await;
    let said = serde_json::json!({
        "endpoint": running.address().to_string(),
        "server_name": "localhost",
        "ca": caller.ca,
        "certificate": caller.certificate,
        "key": caller.key,
    });
    writeln!(std::io::stdout(), "{said}")?;
    ended.await;
    running.stop().await;
    Ok(())
}
