//! `lienthong migrate`: the schema of a service's database, brought up to date before the service starts,
//! or only looked at.

use std::{io::Write, path::Path};

use anyhow::{Context as _, Result};
use lienthong::settings::{self, Settings as _};
use serde_json::{Value, json};
use server::config::Secret;
use store::{Migration, Store};

use super::{
    ServiceArguments, ServiceName,
    output::{Ending, Format, Output, print},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    service: ServiceArguments,
    /// Changes nothing; ends with 1 where a schema is not the one that this program needs.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    output: Output,
}

/// One service's database.
struct Database {
    service: &'static str,
    url: Secret,
    migrations: &'static [Migration],
}

impl Database {
    fn new(service: &'static str, url: &Secret, migrations: &'static [Migration]) -> Self {
        Self { service, url: url.clone(), migrations }
    }

    fn needs(&self) -> u32 {
        self.migrations.iter().map(|migration| migration.version).max().unwrap_or(0)
    }

    /// The version it has, and after that the one it was brought to.
    async fn migrate(&self, check: bool) -> Result<(u32, u32)> {
        let url = self.url.reveal();
        let found = Store::schema_version(url).await?;
        if !check {
            // Also where nothing is to be done: it refuses a schema that is newer than the program.
            Store::open(url, self.migrations).await?.close().await;
        } else if found == self.needs() {
            // As many steps may be those of another service.
            Store::open_read_only(url, self.migrations).await?.close().await;
        }
        Ok((found, if check { found } else { self.needs() }))
    }
}

pub(crate) async fn run(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let format = arguments.output.format;
    let mut results = Vec::new();
    let mut good = true;
    for database in databases(arguments.service.service, arguments.service.config.as_deref())? {
        let done = database.migrate(arguments.check).await;
        let done = done.with_context(|| format!("the database of {}", database.service));
        good &= done.as_ref().is_ok_and(|(_, now)| *now == database.needs());
        match format {
            Format::Text => writeln!(out, "{:<13} {}", database.service, words(&database, &done))?,
            Format::Json => results.push(object(&database, &done)),
        }
    }
    if format == Format::Json {
        print(&json!({ "current": good, "databases": results }), out)?;
    }
    if good { Ok(()) } else { Err(Ending::Failed.into()) }
}

fn words(database: &Database, done: &Result<(u32, u32)>) -> String {
    let needs = database.needs();
    match done {
        Err(error) => format!("{:#}", error),
        Ok((found, now)) if found != now => format!("version {found} -> {now}"),
        Ok((_, now)) if *now == needs => format!("version {now}, as it must be"),
        Ok((_, now)) if *now > needs => format!("version {now}, newer than this program ({needs})"),
        Ok((_, now)) => format!("version {now}, needs {needs}"),
    }
}

fn object(database: &Database, done: &Result<(u32, u32)>) -> Value {
    let (service, needs) = (database.service, database.needs());
    match done {
        Ok((from, to)) => json!({ "service": service, "from": from, "to": to, "needs": needs }),
        Err(error) => json!({ "service": service, "needs": needs, "error": format!("{error:#}") }),
    }
}

/// The databases of a service, or of all.
fn databases(service: ServiceName, file: Option<&Path>) -> Result<Vec<Database>> {
    let audit = |url: &Secret| Database::new("audit", url, audit::migrations());
    let policy = |url: &Secret| Database::new("policy", url, policy::migrations());
    let identity = |url: &Secret| Database::new("identity", url, identity::migrations());
    let contribution =
        |url: &Secret| Database::new("contribution", url, contribution::migrations());
    let exchange = |url: &Secret| Database::new("exchange", url, exchange::migrations());
    Ok(match service {
        ServiceName::Audit => vec![audit(&settings::Audit::load(file)?.audit.database)],
        ServiceName::Policy => vec![policy(&settings::Policy::load(file)?.policy.database)],
        ServiceName::Identity => vec![identity(&settings::Identity::load(file)?.identity.database)],
        ServiceName::Contribution => {
            vec![contribution(&settings::Contribution::load(file)?.contribution.database)]
        }
        ServiceName::Exchange => {
            vec![exchange(&settings::Exchange::load(file)?.exchange.database)]
        }
        ServiceName::All => {
            let all = settings::All::load(file)?;
            // Where no database is connected it has none.
            let connected = !all.exchange.routes_file.is_empty();
            let mut databases = vec![
                audit(&all.audit.database),
                policy(&all.policy.database),
                identity(&all.identity.database),
                contribution(&all.contribution.database),
            ];
            databases.extend(connected.then(|| exchange(&all.exchange.database)));
            databases
        }
    })
}
