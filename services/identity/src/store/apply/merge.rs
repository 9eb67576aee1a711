//! Makes two records one, and two of one (I5): nothing is moved or copied, only said.

use model::{
    Claims, EventKind, GoldenRecord, Said, Saying, Says, Subject, Value as ItemValue, gone_by,
    item::RELATIVES,
    merge::{MERGED_FROM, MERGED_INTO, merged_by},
};

use super::{ApplyError, Told, Work, annul::refused, rejected, touched::Touched};
use crate::domain::{
    apply::{Outcome, Reason, Rejection, are_related, found, numbers_named},
    feed::ChangeKind,
};

/// A person of the register, as it was named.
struct Named {
    /// Whose number it was.
    named: String,
    /// The record to which it leads.
    held: GoldenRecord,
}

impl Work<'_> {
    /// The record of the person is merged into that of the one further person: said of both, of each in a version of its own.
    pub(super) async fn merge(
        &self,
        subject: &Subject,
        claims: &Claims,
    ) -> Result<Outcome, ApplyError> {
        let Some(other) = self.application.further.first() else {
            return Ok(rejected(Reason::PersonNotFound));
        };
        let (one, other) =
            match self.both((subject, claims), (&other.subject, &other.claims)).await? {
                Ok(both) => both,
                Err(outcome) => return Ok(outcome),
            };
        let said = |person: &str, item: &str, other: &str| {
            let (item, valid_from, says) = (item.to_owned(), None, Saying::Holds);
            let said = Said { item, value: None, valid_from, says };
            self.assertion(person, said, ItemValue::Text(other.to_owned()), Says::Holds, 0)
        };
        let (one_id, other_id) = (&one.held.person_id, &other.held.person_id);
        let new = vec![said(one_id, MERGED_INTO, other_id), said(other_id, MERGED_FROM, one_id)];
        let persons = vec![one_id.clone(), other_id.clone()];
        let before = self.said_of(&persons).await?;
        let mut touched = Touched::of(self, before, new);
        let reasons = self.cannot_be_one(&touched).await?;
        if !reasons.is_empty() {
            return Ok(refused(one_id, reasons));
        }
        let Some(amended) = self.amended(&mut touched).await? else {
            return Ok(rejected(Reason::NumbersSpent));
        };
        if amended.iter().any(|one| one.married) {
            let reason = Rejection::of(RELATIVES, Reason::AlreadyMarried);
            return Ok(refused(one_id, vec![reason]));
        }
        if self.application.dry_run {
            return Ok(self.applied(None, Vec::new(), Told::default(), 0));
        }
        let versions = touched.versions();
        let told = Told { disputes: touched.disputes(&amended, &self.rules), ..Told::default() };
        let number = self.write(amended, &touched, ChangeKind::Changed).await?;
        self.keep_entry().await?;
        Ok(self.applied(number, persons, told, versions))
    }

    /// That a record which was merged into the person's is that of another person: the merge counts as never said, and each
    /// has what was said of its own number.
    pub(super) async fn split(
        &self,
        subject: &Subject,
        claims: &Claims,
        restored: &Subject,
    ) -> Result<Outcome, ApplyError> {
        let Named { held, .. } = match self.named(0, subject, claims).await? {
            Ok(named) => named,
            Err(outcome) => return Ok(outcome),
        };
        let mut reasons = Vec::new();
        if ![0, held.version].contains(&self.application.expected_version) {
            reasons.push(Rejection::of("", Reason::VersionChanged));
        }
        // Whose number that is, if it is not the person's, the source is not told.
        let other = self.bearer(restored.digits()).await?;
        let other = other.filter(|(named, leads_to)| {
            *named != held.person_id && leads_to.person_id == held.person_id
        });
        let all = self.said_of(&[&held.person_id]).await?;
        let merge = other.and_then(|(named, _)| merged_by(&named, &all));
        let merge = merge.map(|said| said.provenance.contribution_id.clone());
        if merge.is_none() {
            reasons.push(Rejection::of("", Reason::NotMerged));
        }
        let Some(merge) = merge.filter(|_| reasons.is_empty()) else {
            return Ok(refused(&held.person_id, reasons));
        };
        let persons = self.persons_of(&merge).await?;
        let outcome = self.undo(&merge, persons, all).await?;
        if let (Outcome::Applied { .. }, false) = (&outcome, self.application.dry_run) {
            self.keep_entry().await?;
        }
        Ok(outcome)
    }

    /// Why records of which one is merged into the other now cannot be one person's. Who is dead and who lives are two, until
    /// the death is registered of both or annulled: nobody dies by a merge.
    pub(super) async fn cannot_be_one(
        &self,
        touched: &Touched,
    ) -> Result<Vec<Rejection>, ApplyError> {
        if touched.is_tangled() {
            return Ok(vec![Rejection::of("", Reason::AlreadyMerged)]);
        }
        let mut reasons = Vec::new();
        for (one, other) in touched.merged_now() {
            let (one, other) = (self.record(one).await?, self.record(other).await?);
            let dead = |record: &GoldenRecord| {
                let gone = gone_by(&record.person_id, &touched.before, &self.rules);
                gone == Some(EventKind::Death)
            };
            if dead(&one) != dead(&other) {
                reasons.push(Rejection::of("", Reason::PersonDeceased));
            }
            let named = numbers_named(&one, &[]).chain(numbers_named(&other, &[]));
            let bearers = self.bearers(named).await?;
            if are_related(&one, &other, &bearers) {
                reasons.push(Rejection::of(RELATIVES, Reason::PersonsRelated));
            }
        }
        Ok(reasons)
    }

    /// The two of whom it is said that they are one; otherwise what is wrong with either.
    async fn both(
        &self,
        (subject, claims): (&Subject, &Claims),
        (other_subject, other_claims): (&Subject, &Claims),
    ) -> Result<Result<(Named, Named), Outcome>, ApplyError> {
        let one = self.named(0, subject, claims).await?;
        let other = self.named(1, other_subject, other_claims).await?;
        let (one, other) = match (one, other) {
            (Ok(one), Ok(other)) => (one, other),
            (Err(first), Err(second)) => return Ok(Err(joined(first, second))),
            (Err(outcome), Ok(_)) | (Ok(_), Err(outcome)) => return Ok(Err(outcome)),
        };
        let mut reasons = Vec::new();
        let of = |person, reason| Rejection { person, ..Rejection::of("", reason) };
        if ![0, one.held.version].contains(&self.application.expected_version) {
            reasons.push(of(0, Reason::VersionChanged));
        }
        if one.held.person_id == other.held.person_id {
            reasons.push(of(1, Reason::PersonRepeated));
        } else {
            for (place, person) in [(0, &one), (1, &other)] {
                // Whose record is merged into another one has none that could be merged.
                if person.named != person.held.person_id {
                    reasons.push(of(place, Reason::AlreadyMerged));
                }
            }
        }
        if reasons.is_empty() {
            Ok(Ok((one, other)))
        } else {
            Ok(Err(refused(&one.held.person_id, reasons)))
        }
    }

    async fn named(
        &self,
        person: u32,
        subject: &Subject,
        claims: &Claims,
    ) -> Result<Result<Named, Outcome>, ApplyError> {
        let (named, held) = self.bearer(subject.digits()).await?.unzip();
        Ok(match (named, found(held, claims)) {
            (Some(named), Ok(held)) => Ok(Named { named, held }),
            (_, Ok(_)) => Err(rejected(Reason::PersonNotFound)),
            (_, Err((ending, person_id))) => {
                let missing = Rejection { person, ..Rejection::of("", Reason::PersonNotFound) };
                Err(Outcome::Rejected { reasons: vec![missing], ending: Some(ending), person_id })
            }
        })
    }
}

/// Two persons who were not found: the record is about the first.
fn joined(first: Outcome, second: Outcome) -> Outcome {
    match (first, second) {
        (
            Outcome::Rejected { mut reasons, ending, person_id },
            Outcome::Rejected { reasons: more, .. },
        ) => {
            reasons.extend(more);
            Outcome::Rejected { reasons, ending, person_id }
        }
        (first, _) => first,
    }
}
