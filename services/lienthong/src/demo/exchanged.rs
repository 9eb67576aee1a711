//! The part of the tour that goes by way of the exchange service.

use std::{io::Write, time::Duration};

use anyhow::{Context as _, Result, bail};
use contract::{contribution::v1::submit_contribution_request::Event, database::v1::change};
use exchange::Progress;
use model::PersonalNumber;

use super::{Demo, shown::shown_held, tour::birth_registration};
use crate::databases::Database;

/// How long a birth may take by way of the exchange, and how often it is looked for.
const EXCHANGED_MAX: Duration = Duration::from_secs(60);
const EXCHANGED_EVERY: Duration = Duration::from_millis(20);

/// The database that lists a birth, and the one that hears of it.
const SOURCE: &str = "civil-status";
const FOLLOWER: &str = "residence";

impl Demo {
    pub(super) async fn exchanged(&self, out: &mut impl Write) -> Result<()> {
        writeln!(
            out,
            "\n2. The civil-status database lists another birth; it is fetched, and its number goes back."
        )?;
        let database = self.database(SOURCE)?;
        let exchange = self.process.exchange().context("no exchange")?;
        // Whoever follows hears of what changes from then on.
        within(async || {
            let route = route(&exchange.progress().await?, FOLLOWER)?;
            Ok(route.followed)
        })
        .await
        .context("the residence database does not follow")?;
        let entry = self.runtime.entropy.id();
        let request = birth_registration(&entry, self.runtime.clock.today());
        let Some(Event::Birth(birth)) = request.event else { bail!("it is a birth") };
        let change = database.service().register(change::Event::Birth(birth)).await?;
        let number = within(async || Ok(database.service().number(&change).await?)).await;
        let number = number.context("no number came back")?;
        let route = route(&exchange.progress().await?, SOURCE)?;
        writeln!(out, "   change               {change}")?;
        writeln!(out, "   personal number      {}", number.as_str())?;
        writeln!(out, "   changes so far       {}", route.changes)?;
        writeln!(out, "   dead letters         {}", exchange.dead_letters().await?.len())?;
        self.followed(out, &number).await
    }

    /// The database that follows has heard of the child, by its token, and has looked it up without a number or claims.
    async fn followed(&self, out: &mut impl Write, number: &PersonalNumber) -> Result<()> {
        let residence = self.database(FOLLOWER)?;
        let known = within(async || Ok(residence.service().person(number).await?)).await;
        let known = known.context("the residence database does not know the child")?;
        writeln!(
            out,
            "   Residence hears that somebody has changed, and looks the child up by its token:"
        )?;
        for (item, held) in &known.items {
            let values: Vec<String> = held.iter().map(shown_held).collect();
            writeln!(out, "   {item:<20} {}", values.join("; "))?;
        }
        Ok(())
    }

    fn database(&self, name: &str) -> Result<&Database> {
        let database = self.databases.iter().find(|database| database.profile() == name);
        database.with_context(|| format!("no database `{name}`"))
    }
}

/// What `look` finds, as soon as it does.
async fn within<T>(look: impl AsyncFn() -> Result<Option<T>>) -> Result<T> {
    let found = tokio::time::timeout(EXCHANGED_MAX, async {
        loop {
            if let Some(found) = look().await? {
                return Ok::<_, anyhow::Error>(found);
            }
            tokio::time::sleep(EXCHANGED_EVERY).await;
        }
    });
    found.await.context("it did not come in time")?
}

/// How far a database was read and told.
fn route(progress: &[Progress], database: &str) -> Result<Progress> {
    let route = progress.iter().find(|route| route.database == database);
    route.cloned().with_context(|| format!("no route to `{database}`"))
}
