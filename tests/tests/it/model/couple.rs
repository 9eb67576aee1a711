//! Two persons in one contribution: they marry, or are divorced.

use std::collections::BTreeSet;

use contract::{
    contribution::v1::{
        Divorce, Marriage, SubmitContributionRequest, divorce, life_event::Event as Life, marriage,
    },
    identity::v1::GetPersonRequest,
    r#type::v1::{AccessBasis, RelationKind, item_outcome, item_value},
};
use rand::Rng as _;
use tests::events::{ground, life, party};

use super::{
    PERSONS, Round, Running, Sent,
    drawn::day,
    kept,
    oracle::{Day, Person, Said},
    submit,
};

/// Where the second person stands in a marriage.
const MARRIED: &str = "life_event.marriage.registered_spouse";
const DIVORCED: &str = "life_event.divorce.registered_spouse";

/// What is sent of two persons.
pub(super) struct Couple {
    pub(super) from: Day,
    pub(super) items: Vec<String>,
    pub(super) request: SubmitContributionRequest,
    /// The reasons for which the oracle refuses it, with where each is said.
    pub(super) expected: Vec<(String, String)>,
}

impl<R: Running> Round<R> {
    /// Somebody marries somebody, or is divorced, mostly from whom it is married to.
    pub(super) async fn weds(&mut self, who: usize) {
        let (wedding, other) = self.couple(who, 0.6, 0.2);
        let Couple { from, items, request, expected } = self.weds_whom(who, other, wedding);
        let roots = [who, other].map(|who| self.root(who, usize::MAX));
        let came = submit(&self.whole.contributes("civil-status"), &request).await;
        match &came {
            Ok(answered) => {
                assert!(expected.is_empty(), "{who} and {other} on {from:?}: {expected:?}");
                self.says_of_both(who, other, wedding, from, &request.idempotency_key);
                let answer = answered.answer.clone();
                self.taken(&[who, other], &roots, &answer);
            }
            Err(refused) => assert_eq!(refused.unmet, expected, "{who} and {other} on {from:?}"),
        }
        let client = "civil-status";
        self.sent.push(Sent { who: vec![who, other], items, client, request, came: kept(came) });
        for who in [who, other] {
            self.compare(who, None, None).await;
            self.compare_spouses(who).await;
        }
    }

    /// Whether somebody marries, and the other of the two: when it is divorced, and now and then when it marries, whom it is
    /// married to.
    pub(super) fn couple(&mut self, who: usize, weddings: f64, again: f64) -> (bool, usize) {
        let wedding = self.random.random_bool(weddings);
        let spouse = self.now(who).married_to().first().map(|(place, _)| *place);
        let other = match spouse {
            Some(place) if !wedding || self.random.random_bool(again) => place,
            _ => (who + self.random.random_range(1..PERSONS)) % PERSONS,
        };
        (wedding, other)
    }

    /// Two persons marry, or are divorced, on a day that is drawn.
    pub(super) fn weds_whom(&mut self, who: usize, other: usize, wedding: bool) -> Couple {
        let born = self.now(who).born;
        let from = day(&mut self.random, born.0 + 18, 2025, false);
        let key = format!("m-{}", self.sent.len());
        let (about, spouse) = (self.claims(who), party(self.claims(other)));
        let (procedure, event) = if wedding {
            let spouse = Some(marriage::Spouse::RegisteredSpouse(spouse));
            ("marriage-registration", Life::Marriage(Marriage { spouse }))
        } else {
            let spouse = Some(divorce::Spouse::RegisteredSpouse(spouse));
            ("divorce-entry", Life::Divorce(Divorce { spouse }))
        };
        let request = life(&key, (procedure, "Z01.DEMO.HOTICH"), about, from, event);
        let mut expected = self.refuses(who, other, wedding, from, "");
        let place = if wedding { MARRIED } else { DIVORCED };
        if self.root(who, usize::MAX) == self.root(other, usize::MAX) {
            expected.push(("PERSON_REPEATED".to_owned(), place.to_owned()));
        } else {
            expected.extend(self.refuses(other, who, wedding, from, place));
        }
        let items = ["marital_status", "family_relations"].map(str::to_owned).to_vec();
        Couple { from, items, request, expected }
    }

    pub(super) fn says_of_both(
        &mut self,
        who: usize,
        other: usize,
        wedding: bool,
        from: Day,
        key: &str,
    ) {
        for (one, spouse) in [(who, other), (other, who)] {
            let said = |item, value: String, ends| Said {
                item,
                value,
                source: "civil-status",
                from,
                ends,
                missing: false,
                place: self.said,
                key: key.to_owned(),
            };
            let name = self.claims(spouse).1.full_name;
            let now = format!("{name}/{spouse}");
            let held = self.marriages(one, spouse);
            let mut held: Vec<String> = held.into_iter().map(|held| held.value).collect();
            // Whoever is spoken of under another name than before is held once.
            let other_name = |held: &String| held.split('/').next() != Some(&name);
            held.retain(|held| !wedding || other_name(held));
            // That it ended is said also where it is not held: what was before may be heard of later.
            if !wedding && held.is_empty() {
                held.push(now.clone());
            }
            let person = &mut self.persons[one];
            person.said.push(said("marital_status", if wedding { "2" } else { "3" }.into(), false));
            person.spouses.extend(held.into_iter().map(|held| said("spouse", held, true)));
            if wedding {
                person.spouses.push(said("spouse", now, false));
            }
        }
    }

    /// By which marriages somebody is married to somebody.
    fn marriages(&self, who: usize, other: usize) -> Vec<Said> {
        let other = self.root(other, usize::MAX);
        let person = self.now(who);
        let all = person.married_to().into_iter();
        let same = all.filter(|(place, _)| self.root(*place, usize::MAX) == other);
        same.map(|(_, said)| said.clone()).collect()
    }

    /// To how many who may be alive somebody is married.
    pub(super) fn living_spouses(&self, who: usize) -> usize {
        self.living(&self.now(who))
    }

    /// To how many of those who may be alive today somebody was married after everything before the place `known`.
    pub(super) fn living_spouses_then(&self, who: usize, known: usize) -> usize {
        let person = self.person(who, known);
        let said = |said: &Said| said.place < known;
        let spouses = person.spouses.iter().filter(|one| said(one)).cloned().collect();
        let annulled = person.annulled.iter().filter(|one| one.place < known).cloned().collect();
        self.living(&Person { spouses, annulled, ..person.clone() })
    }

    fn living(&self, person: &Person) -> usize {
        let order = self.order(self.turned);
        let lives = |place: &usize| !self.now(*place).is_dead(order);
        let married = person.married_to().into_iter().map(|(place, _)| place).filter(lives);
        // Who is one by now is one spouse, whatever its name was.
        married.map(|place| self.root(place, usize::MAX)).collect::<BTreeSet<_>>().len()
    }

    /// Why it is not taken of one of the two, with where that is said.
    pub(super) fn refuses(
        &self,
        who: usize,
        other: usize,
        wedding: bool,
        from: Day,
        place: &str,
    ) -> Vec<(String, String)> {
        let person = self.now(who);
        let order = self.order(self.turned);
        let mut reasons = Vec::new();
        let mut refuse = |reason: &str, item: &str| {
            let between = if place.is_empty() || item.is_empty() { "" } else { "." };
            reasons.push((reason.to_owned(), format!("{place}{between}{item}")));
        };
        if person.is_dead(order) {
            refuse("PERSON_DECEASED", "");
        }
        let lives = |(spouse, _): &(usize, &Said)| {
            let same = self.root(*spouse, usize::MAX) == self.root(other, usize::MAX);
            !same && !self.now(*spouse).is_dead(order)
        };
        if wedding && person.married_to().iter().any(lives) {
            refuse("ALREADY_MARRIED", "family_relations");
        }
        let unborn = person.is_unborn(from);
        if unborn {
            refuse("DATE_OUT_OF_RANGE", "marital_status");
        }
        let held = self.marriages(who, other);
        let ends_early = !held.is_empty() && (unborn || held.iter().any(|said| said.from > from));
        if (wedding && unborn) || (!wedding && ends_early) {
            refuse("DATE_OUT_OF_RANGE", "family_relations");
        }
        reasons
    }

    /// Asks the register whom somebody is married to.
    pub(super) async fn compare_spouses(&self, who: usize) {
        let (subject, claims) = self.claims(who);
        let request = GetPersonRequest {
            subject: Some(subject),
            claims: Some(claims),
            items: vec!["family_relations".to_owned()],
            basis: Some(AccessBasis {
                legal_basis: "1911-2021-art-2-1".to_owned(),
                ..ground("civil-status-correction", "Z01.DEMO.HOTICH")
            }),
            request_id: "r-1".to_owned(),
            min_version: 0,
            as_of: None,
        };
        let answer = crate::answered(&self.whole.looks("civil-status"), &request).await.answer;
        let mut told: Vec<String> = Vec::new();
        if let item_outcome::Outcome::Value(held) = answer.items[0].outcome.as_ref().unwrap() {
            for held in &held.values {
                let value = held.value.as_ref().unwrap().value.as_ref().unwrap();
                let item_value::Value::Relation(relation) = value else { panic!() };
                assert_eq!(relation.kind(), RelationKind::Spouse);
                told.push(relation.identifier.as_ref().unwrap().value.clone());
            }
        }
        let person = self.now(who);
        let married_to = person.married_to();
        let number = |(place, _): &(usize, &Said)| self.numbers[*place].as_str().to_owned();
        let mut expected: Vec<_> = married_to.iter().map(number).collect();
        told.sort();
        expected.sort();
        assert_eq!(told, expected, "{person:?}");
    }
}
