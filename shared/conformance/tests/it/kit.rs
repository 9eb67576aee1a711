//! A run of the kit against a test's database.

use std::time::Duration;

use conformance::{Fixtures, Plan, Report, Seed, run};
use server::runtime::Clock;

use crate::{database::Running, pki::Pki};

/// As long as a fault is waited for; what is right comes at once, but on a busy machine.
const PATIENCE: Duration = Duration::from_secs(4);

pub fn plan(pki: &Pki, database: &Running) -> Plan {
    let example = include_str!("../../examples/fixtures.toml");
    let more = "\n[[lookup.known.held]]\nitem = \"date_of_birth\"\n\n[[lookup.known.held]]\nitem = \
                \"nationality\"\n";
    Plan {
        target: database.address.clone(),
        server_name: None,
        ca: pki.ca(),
        identity: pki.pem("kit"),
        stranger: Some(pki.pem("stranger")),
        roles: Vec::new(),
        only: Vec::new(),
        fixtures: Fixtures::parse(&format!("{example}{more}")).unwrap(),
        warrants: Some(pki.warrants.clone()),
        seed: Seed::Fresh(1911),
        restart: Some(database.restart()),
        change: Some(database.commit()),
        patience: PATIENCE,
        clock: Clock::system(),
    }
}

pub async fn looked_at(plan: Plan) -> Report {
    run(plan, std::future::pending(), |_| {}).await.unwrap()
}
