//! Adds to persons of the register what a source says: of all of one contribution, or of none.

use std::collections::BTreeSet;

use model::{
    Assertion, AuthorityInForce, Claims, EventKind, GoldenRecord, Identifier, PersonalNumber,
    Relation, Said, Says, Standing, Subject, Value as ItemValue, explain, fold,
};
use store::Sql;

use super::{ApplyError, Told, Work, birth::draw, rejected};
use crate::{
    domain::{
        apply::{
            Asked, Bearer, Bearers, Disputes, Known, Outcome, Reason, Rejection, asserted,
            check_known, found, may_live, number_due, numbers_named, spouses,
        },
        feed::ChangeKind,
        lookup::Ending,
    },
    store::{
        enter::{Entered, Turn, amend},
        field, record,
    },
};

pub(in crate::store) const BEARER: Sql = Sql {
    sqlite: "SELECT i.person_id, p.record FROM identifier i JOIN person n ON n.person_id = i.person_id \
             JOIN person p ON p.person_id = COALESCE(n.merged_into, n.person_id) \
             WHERE i.state = 'active' AND i.value = ?",
    postgres: "SELECT i.person_id, p.record FROM identifier i \
               CROSS JOIN LATERAL (SELECT person_id, merged_into FROM person WHERE person_id = i.person_id OFFSET 0) n \
               CROSS JOIN LATERAL (SELECT record FROM person \
               WHERE person_id = COALESCE(n.merged_into, n.person_id) OFFSET 0) p \
               WHERE i.state = 'active' AND i.value = $1",
};

pub(in crate::store) const BEARERS: Sql = Sql {
    sqlite: "SELECT i.value, p.person_id, p.protected FROM identifier i JOIN person n ON n.person_id = i.person_id \
             JOIN person p ON p.person_id = COALESCE(n.merged_into, n.person_id) \
             WHERE i.state = 'active' AND i.value IN (SELECT value FROM json_each(?))",
    postgres: "SELECT asked.value, p.person_id, p.protected FROM jsonb_array_elements_text($1::text::jsonb) asked (value) \
               CROSS JOIN LATERAL (SELECT person_id FROM identifier \
               WHERE value = asked.value AND state = 'active' OFFSET 0) i \
               CROSS JOIN LATERAL (SELECT person_id, merged_into FROM person WHERE person_id = i.person_id OFFSET 0) n \
               CROSS JOIN LATERAL (SELECT person_id, protected FROM person \
               WHERE person_id = COALESCE(n.merged_into, n.person_id) OFFSET 0) p",
};

/// A person as a contribution names it, with what it says of the person.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) subject: &'a Subject,
    pub(super) claims: &'a Claims,
    pub(super) said: &'a [Said],
}

/// A person of the register of whom something can be said.
struct Checked {
    /// Whose number named it: what is said is said of that one, whose record may be merged into another's.
    named: String,
    known: Known,
    /// What is to be asserted.
    new: Vec<(Said, ItemValue, Says)>,
}

/// What a person is held as after all that was said, with the number that was set anew for that, if one was.
pub(super) struct Renewed {
    pub(super) folded: GoldenRecord,
    pub(super) set: Option<(PersonalNumber, Assertion)>,
}

/// What is wrong with a contribution about persons of the register.
#[derive(Default)]
struct Wrong {
    reasons: Vec<Rejection>,
    /// How the first of those who were not found was not.
    ending: Option<Ending>,
    /// The person that the record is about.
    person_id: Option<String>,
}

impl Work<'_> {
    /// Adds to the person of the contribution, and to the further ones, what the source says of each. The records are folded
    /// anew from everything that was ever said (I5). Whose sex or year of birth is another now gets another number; the one
    /// before leads to the person for ever (Decree 70/2024/ND-CP, Art. 11).
    pub(super) async fn amend(
        &self,
        first: About<'_>,
        corrects: bool,
    ) -> Result<Outcome, ApplyError> {
        let mut persons = vec![first];
        for further in &self.application.further {
            let (subject, claims, said) = (&further.subject, &further.claims, &further.said);
            persons.push(About { subject, claims, said });
        }
        let checked = match self.checked(&persons, corrects).await? {
            Ok(checked) => checked,
            Err(Wrong { reasons, ending, person_id }) => {
                return Ok(Outcome::Rejected { reasons, ending, person_id });
            }
        };
        let (mut entered, mut ids, mut outranked) = (Vec::new(), Vec::new(), BTreeSet::new());
        let (mut number, mut disputes) = (None, Disputes::default());
        for (place, Checked { named, known, new: said }) in checked.into_iter().enumerate() {
            let Known { held, mut all, .. } = known;
            let version = self.version_of(entered.len());
            let one = |(said, value, says)| self.assertion(&named, said, value, says, version);
            let mut new: Vec<Assertion> = said.into_iter().map(one).collect();
            if place > 0 && new.is_empty() {
                continue;
            }
            let was = all.clone();
            all.extend(new.iter().cloned());
            outranked.extend(self.outranked(&held.person_id, &new, &all));
            let Some(Renewed { folded, set }) = self.renewed(&held, &mut all, version).await?
            else {
                return Ok(rejected(Reason::NumbersSpent));
            };
            let items = new.iter().map(|said| said.item.as_str()).collect();
            disputes.add(&held, &items, (&was, &all), &self.rules);
            let mut numbers = Vec::new();
            if let Some((set, assertion)) = set {
                numbers.push(Identifier::PersonalNumber(set.clone()));
                new.push(assertion);
                number = Some(set);
            }
            let kind = ChangeKind::of(corrects && place == 0, new.iter().map(|said| said.says));
            let person = Entered::amended(&held, folded, new, version, &self.rules).of_kind(kind);
            entered.push(person.with_numbers(numbers));
            ids.push(named);
        }
        let told = Told { outranked: outranked.into_iter().collect(), disputes };
        if self.application.dry_run {
            return Ok(self.applied(None, Vec::new(), told, 0));
        }
        let last = self.version_of(ids.len().saturating_sub(1));
        amend(self.tx, &entered, Turn { version: last, ..self.turn }).await?;
        self.keep_entry().await?;
        let versions = entered.len();
        Ok(self.applied(number, ids, told, versions))
    }

    /// What somebody who was held as `held` is held as after everything that was said. Where that makes another number due, one
    /// is set, and that it is said is added; none where no number is left. In a dry run none is drawn.
    pub(super) async fn renewed(
        &self,
        held: &GoldenRecord,
        all: &mut Vec<Assertion>,
        version: u64,
    ) -> Result<Option<Renewed>, ApplyError> {
        let fold = |all: &[Assertion]| fold(&held.person_id, held.protected, all, &self.rules);
        let folded = fold(all);
        let due = number_due(held, &folded).filter(|_| !self.application.dry_run);
        let Some(parts) = due else { return Ok(Some(Renewed { folded, set: None })) };
        let Some(number) = draw(self.tx, &parts, &self.entropy).await? else { return Ok(None) };
        let identifier = Identifier::PersonalNumber(number.clone());
        let assertion = self.numbered(&held.person_id, identifier, version);
        all.push(assertion.clone());
        Ok(Some(Renewed { folded: fold(all), set: Some((number, assertion)) }))
    }

    /// All the persons, where nothing is wrong with any; otherwise all that is wrong.
    async fn checked(
        &self,
        persons: &[About<'_>],
        corrects: bool,
    ) -> Result<Result<Vec<Checked>, Wrong>, ApplyError> {
        let (mut all, mut wrong) = (Vec::<Checked>::new(), Wrong::default());
        let source = self.application.source.as_str();
        for (place, person) in persons.iter().enumerate() {
            let (named, held) = self.bearer(person.subject.digits()).await?.unzip();
            let held = match found(held, person.claims) {
                Ok(held) => held,
                Err((ending, person_id)) => {
                    wrong.reasons.push(of(place, Rejection::of("", Reason::PersonNotFound)));
                    if wrong.ending.is_none() {
                        wrong.ending = Some(ending);
                        wrong.person_id = person_id;
                    }
                    continue;
                }
            };
            if all.iter().any(|other| other.known.held.person_id == held.person_id) {
                wrong.reasons.push(of(place, Rejection::of("", Reason::PersonRepeated)));
                continue;
            }
            let named = named.unwrap_or_else(|| held.person_id.clone());
            let said = self.said_of(&[&held.person_id]).await?;
            let now = fold(&held.person_id, held.protected, &said, &self.rules);
            let bearers = self.bearers(numbers_named(&now, person.said)).await?;
            let known = Known::new((held, said, now), bearers, source);
            let asked = Asked {
                source,
                event: self.application.event,
                said: person.said,
                corrects: corrects && place == 0,
                expected_version: if place == 0 { self.application.expected_version } else { 0 },
                married: self.is_married(&known, person.said).await?,
            };
            let reasons = check_known(&asked, &known, &self.rules, self.today);
            wrong.reasons.extend(reasons.into_iter().map(|reason| of(place, reason)));
            let new = asserted(&asked, &known, &self.rules);
            all.push(Checked { named, known, new });
        }
        if wrong.reasons.is_empty() {
            return Ok(Ok(all));
        }
        if wrong.ending.is_none() {
            wrong.person_id = all.first().map(|first| first.known.held.person_id.clone());
        }
        Ok(Err(wrong))
    }

    /// Whether somebody who marries has another spouse, who may be alive.
    async fn is_married(&self, known: &Known, said: &[Said]) -> Result<bool, ApplyError> {
        if self.application.event != Some(EventKind::Marriage) {
            return Ok(false);
        }
        let Known { told, bearers, .. } = known;
        Ok(self.living(&spouses(told, said, bearers), bearers).await? > 0)
    }

    /// How many spouses may be alive; one who is held under two names is one.
    pub(super) async fn living(
        &self,
        spouses: &[&Relation],
        bearers: &Bearers,
    ) -> Result<usize, ApplyError> {
        let (mut living, mut seen) = (0, BTreeSet::new());
        for spouse in spouses {
            let number = spouse.identifier.as_ref().map(Identifier::as_str);
            let bearer = number.and_then(|number| bearers.0.get(number));
            if bearer.is_some_and(|bearer| !seen.insert(bearer.person_id.as_str())) {
                continue;
            }
            let all = match bearer {
                Some(bearer) => self.said_of(&[&bearer.person_id]).await?,
                None => Vec::new(),
            };
            let bearer = bearer.map(|bearer| (bearer.person_id.as_str(), all.as_slice()));
            living += usize::from(may_live(bearer, &self.rules));
        }
        Ok(living)
    }

    /// Who bears these numbers.
    pub(super) async fn bearers(
        &self,
        numbers: impl Iterator<Item = &str>,
    ) -> Result<Bearers, ApplyError> {
        let numbers: BTreeSet<&str> = numbers.collect();
        let mut bearers = Bearers::default();
        if numbers.is_empty() {
            return Ok(bearers);
        }
        let numbers = store::Value::from(serde_json::to_string(&numbers)?);
        for row in self.tx.query(&BEARERS, vec![numbers]).await? {
            let bearer = Bearer { person_id: field(&row, 1)?, protected: field(&row, 2)? };
            bearers.0.insert(field(&row, 0)?, bearer);
        }
        Ok(bearers)
    }

    /// Who bears a number: to whom it was given, and the record to which that leads.
    pub(super) async fn bearer(
        &self,
        number: &str,
    ) -> Result<Option<(String, GoldenRecord)>, ApplyError> {
        let rows = self.tx.query(&BEARER, vec![number.into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some((field(row, 0)?, record(&field::<String>(row, 1)?)?)))
    }

    /// The items of which what is said now is not what is held, because a source with more authority says it.
    fn outranked(&self, person_id: &str, new: &[Assertion], all: &[Assertion]) -> Vec<String> {
        let rules: &AuthorityInForce = &self.rules;
        let items: BTreeSet<&str> = new.iter().map(|said| said.item.as_str()).collect();
        let lost = |item: &&str| {
            explain(person_id, item, all, rules)
                .into_iter()
                .flatten()
                .any(|(said, standing)| standing == Standing::Outranked && new.contains(said))
        };
        items.into_iter().filter(lost).map(str::to_owned).collect()
    }
}

/// A reason that concerns the person in that place of the contribution.
fn of(place: usize, rejection: Rejection) -> Rejection {
    Rejection { person: u32::try_from(place).unwrap_or(u32::MAX), ..rejection }
}
