//! Looking a person up: decide, read, resolve. What comes out is not released yet: the gate records it
//! first.

use decide::DecisionTable;
use model::{Assertion, AuthorityInForce, Claims, GoldenRecord, Standing, explain};
use server::Deadline;
use time::OffsetDateTime;
use wire::{
    policy::{ClaimsRule, Decision},
    subject::Named,
};

use super::{App, Budget, Question, comparisons_of, misses_of};
use crate::domain::lookup::{
    Ending, Finding, find, names_others, relative, sees_protected, without,
};

/// A checked lookup.
pub(crate) struct Lookup {
    /// Who is asked about.
    pub(crate) subject: Named,
    /// What the caller knows of the person.
    pub(crate) claims: Option<Claims>,
    /// The version that must have been seen; 0 for any.
    pub(crate) min_version: u64,
    /// Claimed values that will be compared.
    pub(crate) comparisons: u32,
    /// Whether relations to other persons are asked for.
    pub(crate) relations: bool,
    /// The item of which everything that was said is asked for, if any.
    pub(crate) explain: Option<String>,
}

/// Everything that was said of an item.
pub(crate) struct Explained {
    /// What was said, what is current first, with how it stands.
    pub(crate) said: Vec<(Assertion, Standing)>,
    /// The rules by which it stands so.
    pub(crate) rules: AuthorityInForce,
}

/// What a lookup found.
pub(crate) struct Looked {
    /// How it ended.
    pub(crate) finding: Finding,
    /// The person found, also where the answer hides it.
    pub(crate) record: Option<GoldenRecord>,
    /// What was said of the item in question, of a person who is shown.
    pub(crate) explained: Option<Explained>,
    /// When the register answered.
    pub(crate) at: OffsetDateTime,
    /// Until when a stored copy may be used.
    pub(crate) valid_until: OffsetDateTime,
}

/// Why a lookup has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// The procedure demands claims and there are none.
    ClaimsMissing,
    /// The rules allow none of the items, whoever the person is.
    NothingAllowed,
    /// Too many lookups that matched nobody.
    BudgetSpent {
        /// When the next window begins.
        retry_after_seconds: u64,
    },
    /// The register has not yet seen the version asked for.
    Behind,
    /// The register did not answer.
    Away,
}

impl App {
    /// Reads the person under a decision that allows something.
    pub(crate) async fn look_up(
        &self,
        deadline: Deadline,
        lookup: &Lookup,
        decision: &Decision,
        table: &DecisionTable,
    ) -> Result<Looked, NoAnswer> {
        if !table.allows_anything() {
            return Err(NoAnswer::NothingAllowed);
        }
        let ClaimsRule { waived, year_suffices } = decision.claims;
        // Whoever has a token was told of the person by the register itself.
        let told = matches!(lookup.subject, Named::Token(_));
        if !waived && !told && lookup.claims.is_none() {
            return Err(NoAnswer::ClaimsMissing);
        }
        let window_start_ms = self.window_start_ms();
        let question = Question {
            subject: lookup.subject.clone(),
            connection: decision.connection.clone(),
            window_start_ms,
            min_version: lookup.min_version,
            relations: lookup.relations,
            until: deadline.at(),
        };
        let mut read = self.reads.ask(question).await.flatten().ok_or(NoAnswer::Away)?;
        if lookup.min_version > 0 && read.version < lookup.min_version {
            return Err(NoAnswer::Behind);
        }
        let comparisons = read.comparisons + i64::from(lookup.comparisons);
        if read.misses >= i64::from(self.budget.misses_max)
            || comparisons > i64::from(self.budget.comparisons_max)
        {
            return Err(self.budget_spent());
        }
        // Claims that are given are held against the record even where they are waived.
        let claims = lookup.claims.as_ref();
        let finding = find(read.record.as_ref(), claims, year_suffices, table, self.clock.today());
        // Absent, otherwise claimed and hidden persons cost the same (I7); a lookup that found its person
        // costs nothing, a comparison always does.
        let misses = u32::from(finding.ending != Ending::Shown);
        let Budget { misses_max, comparisons_max, .. } = self.budget;
        for (budget, amount, max) in [
            (misses_of(&decision.connection, &lookup.subject), misses, misses_max),
            (comparisons_of(&decision.connection), lookup.comparisons, comparisons_max),
        ] {
            if amount == 0 {
                continue;
            }
            let spent = self.charge(window_start_ms, budget, amount).await.ok_or(NoAnswer::Away)?;
            // What was read is past: others may have spent the rest at the same time.
            if spent > i64::from(max) {
                return Err(self.budget_spent());
            }
        }
        if let Some(record) = &mut read.record
            && !sees_protected(table)
        {
            without(record, &read.hidden);
        }
        let shown = read.record.as_ref().filter(|_| finding.ending == Ending::Shown);
        let explained = match (shown, &lookup.explain) {
            (Some(record), Some(item)) => {
                Some(self.explain(deadline, &record.person_id, item, table).await?)
            }
            _ => None,
        };
        let at = self.clock.now();
        Ok(Looked {
            finding,
            record: read.record,
            explained,
            at,
            valid_until: at + self.answer_valid,
        })
    }

    /// Everything that was said of an item of somebody who is shown; nothing of relations to hidden persons (I7).
    async fn explain(
        &self,
        deadline: Deadline,
        person_id: &str,
        item: &str,
        table: &DecisionTable,
    ) -> Result<Explained, NoAnswer> {
        let store = self.store.until(deadline.at());
        let away = |error: crate::Error| {
            tracing::error!(kind = super::kind(&error), "what was said could not be read");
            NoAnswer::Away
        };
        let mut said = store.assertions(&[person_id]).await.map_err(away)?;
        if names_others(item) && !sees_protected(table) {
            let named: Vec<&str> = said.iter().filter_map(|said| relative(&said.value)).collect();
            let hidden = store.hidden(&named).await.map_err(away)?;
            said.retain(|said| !relative(&said.value).is_some_and(|n| hidden.contains(n)));
        }
        let rules = store.rules(self.clock.today());
        let stands = explain(person_id, item, &said, &rules);
        let said = stands.into_iter().map(|(said, standing)| (said.clone(), standing)).collect();
        Ok(Explained { said, rules })
    }

    fn budget_spent(&self) -> NoAnswer {
        NoAnswer::BudgetSpent { retry_after_seconds: self.seconds_to_next_window() }
    }
}
