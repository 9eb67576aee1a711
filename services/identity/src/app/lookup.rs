//! Looking a person up: decide, read, resolve. What comes out is not released yet: the gate records it
//! first.

use decide::{CONSENT, DecisionTable};
use model::{
    Assertion, AuthorityInForce, Claims, GoldenRecord, PartialDate, Standing, explain, fold,
};
use server::Deadline;
use time::OffsetDateTime;
use wire::{
    policy::{ClaimsRule, Decision},
    subject::Named,
};

use super::{App, Budget, Question, comparisons_of, misses_of};
use crate::{
    domain::{
        apply::is_replaced,
        consent::Cited,
        lookup::{
            Ending, Finding, Under, copy_ends, find, names_others, relative, relatives,
            sees_protected, without,
        },
        never_one::never_one,
    },
    store::as_of::{Folded, Then},
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
    /// The moment that is asked about, if it is not now.
    pub(crate) as_of: Option<AsOf>,
    /// The consent that is named, where one counts for what is asked.
    pub(crate) consent: Option<Cited>,
}

/// A moment of the register's two clocks.
#[derive(Clone)]
pub(crate) struct AsOf {
    /// What was known then, microseconds since 1970; none for all that is known.
    pub(crate) known_at_us: Option<i64>,
    /// What was true on this day; none for what is current.
    pub(crate) valid_on: Option<PartialDate>,
}

/// A moment of microseconds since 1970; none beyond all dates.
fn moment_us(at_us: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_us) * 1_000).ok()
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
    /// Whether a person who is shown was named by a number that another has replaced.
    pub(crate) number_replaced: bool,
    /// The token of the present epoch of a person who is shown, where one of an epoch before named it.
    pub(crate) token: Option<String>,
    /// The person of the record of today, whatever moment was asked about, also where the answer hides it.
    pub(crate) person_id: Option<String>,
    /// The person whose number or token was named, also where the answer hides it.
    pub(crate) named: Option<String>,
    /// Whether a person who is shown was named by a record that is merged into its own.
    pub(crate) record_merged: bool,
    /// A digest of the number that was named, where nobody bears it.
    pub(crate) missed: Option<[u8; 32]>,
    /// Up to when the answer knows, microseconds since 1970, where another moment was asked for.
    pub(crate) known_at_us: Option<i64>,
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
    /// The search gave no such cursor.
    UnknownCursor,
    /// The register did not answer.
    Away,
}

impl NoAnswer {
    /// The register did not answer; the log says what could not be done.
    pub(super) fn away(error: &crate::Error, what: &'static str) -> Self {
        tracing::error!(kind = super::kind(error), what, "the register did not answer");
        Self::Away
    }
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
        let consented = lookup.consent.is_some() && table.allows_anything();
        if !consented && !table.allows_anything_where(CONSENT, false) {
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
            consent: lookup.consent.as_ref().map(|cited| cited.reference.clone()),
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
        let now_us = self.clock.now_us();
        let consent = read.consent.as_ref().filter(|consent| {
            let of =
                |record: &GoldenRecord, cited| consent.counts(cited, &record.person_id, now_us);
            read.record.as_ref().zip(lookup.consent.as_ref()).is_some_and(|(r, cited)| of(r, cited))
        });
        let under = Under { table, consent, today: self.clock.today() };
        let finding = find(read.record.as_ref(), claims, year_suffices, &under);
        // A consent that opens nothing here says nothing of itself, not by the end of the answer either.
        let opens = |record| under.is_opened(record);
        let consent_ends_us = consent
            .filter(|_| read.record.as_ref().is_some_and(opens))
            .map(|consent| consent.terms.ends_us);
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
        let number_replaced = match &lookup.subject {
            Named::Number(subject) => shown.is_some_and(|record| is_replaced(record, subject)),
            Named::Token(_) => false,
        };
        let person_id = read.record.as_ref().map(|record| record.person_id.clone());
        let missed = match &lookup.subject {
            Named::Number(subject) if read.record.is_none() => Some(self.missed(subject.digits())),
            Named::Number(_) | Named::Token(_) => None,
        };
        let mut token = None;
        if let (Some(record), true) = (shown, read.by_earlier_token) {
            token = Some(self.present_token(deadline, &record.person_id, decision).await?);
        }
        let named = read.named.as_deref();
        let record_merged = shown.is_some_and(|record| named != Some(&record.person_id));
        let mut explained = None;
        if let (Some(record), Some(item)) = (shown, &lookup.explain) {
            let person_id = record.person_id.clone();
            let (record, found) = self.explain(deadline, &person_id, item, table).await?;
            (read.record, explained) = (Some(record), Some(found));
        }
        let mut known_at_us = None;
        if let (Some(record), Some(as_of), Ending::Shown) =
            (&mut read.record, &lookup.as_of, finding.ending)
        {
            let named = read.named.clone().unwrap_or_else(|| record.person_id.clone());
            let (then, known) =
                self.then(deadline, (record, &named), as_of, lookup.relations, table).await?;
            (*record, known_at_us) = (then, Some(known));
        }
        let at = self.clock.now();
        let row = finding.row.as_ref().filter(|_| finding.ending == Ending::Shown);
        // Of nobody who is not shown it is told whether there is a consent (I7).
        let consented_until = consent_ends_us.filter(|_| row.is_some()).and_then(moment_us);
        let usual = at + self.answer_valid;
        let valid_until = copy_ends(row, at, consented_until.map_or(usual, |end| usual.min(end)));
        Ok(Looked {
            finding,
            record: read.record,
            explained,
            number_replaced,
            token,
            person_id,
            named: read.named,
            record_merged,
            missed,
            known_at_us,
            at,
            valid_until,
        })
    }

    /// The token of the present epoch, where the caller named somebody who is shown by one of an epoch before.
    async fn present_token(
        &self,
        deadline: Deadline,
        person_id: &str,
        decision: &Decision,
    ) -> Result<String, NoAnswer> {
        let store = self.store.until(deadline.at());
        let tokens = self.tokens(&store, &decision.connection, &[person_id]).await;
        let mut tokens =
            tokens.map_err(|error| NoAnswer::away(&error, "a token could not be issued"))?;
        tokens.remove(person_id).ok_or(NoAnswer::Away)
    }

    /// The record at another moment of somebody who is shown, as what the person was named by led to it then, and up to when
    /// that knows. Who may be named is a question of today (I7).
    async fn then(
        &self,
        deadline: Deadline,
        (record, named): (&GoldenRecord, &str),
        as_of: &AsOf,
        relations: bool,
        table: &DecisionTable,
    ) -> Result<(GoldenRecord, i64), NoAnswer> {
        let store = self.store.until(deadline.at());
        let away = |error: crate::Error| NoAnswer::away(&error, "what was known could not be read");
        let known = as_of.known_at_us.unwrap_or(i64::MAX);
        let seen = store.then(named, known, sees_protected(table)).await.map_err(away)?;
        let Then { known_at_us, said, rules, person_id } = seen;
        let said = model::as_of(&said, known_at_us, as_of.valid_on);
        let mut then = fold(&person_id, record.protected, &said, &rules);
        if relations && !sees_protected(table) {
            let named: Vec<&str> = relatives(&then).collect();
            let hidden = store.hidden(&named).await.map_err(away)?;
            without(&mut then, &hidden);
        }
        Ok((then, known_at_us))
    }

    /// Everything that was said of an item of somebody who is shown, and the record that was folded of it. Of a value that
    /// may not be named nothing is said, nor of what lost to it; nor what came of having been taken for one with somebody
    /// hidden (I7).
    async fn explain(
        &self,
        deadline: Deadline,
        person_id: &str,
        item: &str,
        table: &DecisionTable,
    ) -> Result<(GoldenRecord, Explained), NoAnswer> {
        let store = self.store.until(deadline.at());
        let away = |error: crate::Error| NoAnswer::away(&error, "what was said could not be read");
        let Folded { record, mut said, rules } = store.folded(person_id).await.map_err(away)?;
        if !sees_protected(table) {
            let hidden = store.hidden_persons(&said).await.map_err(away)?;
            said = never_one(said, &hidden);
        }
        let mut groups = explain(person_id, item, &said, &rules);
        if names_others(item) && !sees_protected(table) {
            let named: Vec<&str> = said.iter().filter_map(|said| relative(&said.value)).collect();
            let hidden = store.hidden(&named).await.map_err(away)?;
            let names =
                |said: &Assertion| relative(&said.value).is_some_and(|n| hidden.contains(n));
            groups.retain(|group| !group.iter().any(|(said, _)| names(said)));
        }
        let mut said: Vec<(Assertion, Standing)> =
            groups.concat().into_iter().map(|(said, standing)| (said.clone(), standing)).collect();
        // Stable: what is current, then the others.
        said.sort_by_key(|(_, standing)| *standing != Standing::Current);
        Ok((record, Explained { said, rules }))
    }

    pub(super) fn budget_spent(&self) -> NoAnswer {
        NoAnswer::BudgetSpent { retry_after_seconds: self.seconds_to_next_window() }
    }
}
