//! Persons who are taken for one, and told apart again.

use contract::contribution::v1::{RecordMerge, RecordSplit, life_event::Event as Life};
use rand::Rng as _;
use tests::events::{life, party};

use super::{
    PERSONS, Round, Running, Sent, kept,
    oracle::{Annulled, Person},
    submit,
};

const SURVIVING: &str = "life_event.merge.surviving_person";
const DUPLICATES: (&str, &str) = ("duplicate-record-handling", "Z06.DEMO.CANCUOC");

/// That a record was merged into another one.
#[derive(Clone)]
pub(super) struct Merge {
    one: usize,
    into: usize,
    pub(super) key: String,
    place: usize,
}

impl<R: Running> Round<R> {
    /// To whose record somebody's number led, after everything before the place `known`.
    pub(super) fn root(&self, who: usize, known: usize) -> usize {
        let counts = |merge: &&Merge| {
            merge.one == who && merge.place < known && self.persons[who].counts(&merge.key, known)
        };
        self.merges.iter().find(counts).map_or(who, |merge| self.root(merge.into, known))
    }

    /// The person to whom somebody's number led, with what was said of everybody who was taken for it.
    pub(super) fn person(&self, who: usize, known: usize) -> Person {
        let root = self.root(who, known);
        let mut whole = self.persons[root].clone();
        for other in (0..PERSONS).filter(|other| *other != root) {
            if self.root(other, known) == root {
                let Person { born, said, spouses, annulled } = self.persons[other].clone();
                whole.born = whole.born.max(born);
                whole.said.extend(said);
                whole.spouses.extend(spouses);
                whole.annulled.extend(annulled);
            }
        }
        whole
    }

    /// To which record everybody leads.
    pub(super) fn led(&self) -> Vec<usize> {
        (0..PERSONS).map(|who| self.root(who, usize::MAX)).collect()
    }

    /// The person as it is now.
    pub(super) fn now(&self, who: usize) -> Person {
        self.person(who, usize::MAX)
    }

    /// The records that look otherwise once something is said of persons, by where they led before.
    pub(super) fn records(&self, who: &[usize], before: &[usize]) -> Vec<usize> {
        let mut records = Vec::new();
        for (who, before) in who.iter().zip(before) {
            for record in [*before, self.root(*who, usize::MAX)] {
                if !records.contains(&record) {
                    records.push(record);
                }
            }
        }
        records
    }

    /// Why two persons, of whom one is merged into the other now, cannot be one; `led` is to which record everybody led before.
    pub(super) fn cannot_be_one(
        &self,
        one: &Person,
        into: &Person,
        roots: [usize; 2],
        led: &[usize],
    ) -> Vec<&'static str> {
        let order = self.order(self.turned);
        let mut reasons = Vec::new();
        if one.is_dead(order) != into.is_dead(order) {
            reasons.push("PERSON_DECEASED");
        }
        let names = |person: &Person, other: usize| {
            person.married_to().iter().any(|(place, _)| led[*place] == other)
        };
        if names(one, roots[1]) || names(into, roots[0]) {
            reasons.push("PERSONS_RELATED");
        }
        reasons
    }

    /// By what somebody is merged into another record, if so.
    fn merged(&self, who: usize) -> Option<&Merge> {
        let mut of = self.merges.iter().filter(|merge| merge.one == who);
        of.find(|merge| self.persons[who].counts(&merge.key, usize::MAX))
    }

    /// To how many somebody was married who may be alive: of its record as it is, and as it was before that was merged into
    /// another one.
    pub(super) fn spouses_before(&self, who: usize) -> (usize, usize) {
        let whole = self.living_spouses(who);
        let alone = self.merged(who).map(|merge| self.living_spouses_then(who, merge.place));
        (whole, alone.unwrap_or(whole))
    }

    /// Why an annulment cannot make records one again, that were those of `persons` and led to `roots`, as all did to `led`.
    pub(super) fn cannot_be_again(
        &self,
        persons: &[Person],
        roots: &[usize],
        led: &[usize],
    ) -> Vec<&'static str> {
        let times = |who: usize| {
            let counts = |merge: &&Merge| {
                merge.one == who && self.persons[who].counts(&merge.key, usize::MAX)
            };
            self.merges.iter().filter(counts).count()
        };
        // Round and round: as often as there are persons.
        let ends = |mut at: usize| {
            for _ in 0..=PERSONS {
                let counts = |merge: &&Merge| {
                    merge.one == at && self.persons[at].counts(&merge.key, usize::MAX)
                };
                match self.merges.iter().find(counts) {
                    Some(merge) => at = merge.into,
                    None => return true,
                }
            }
            false
        };
        if (0..PERSONS).any(|who| times(who) > 1 || !ends(who)) {
            return vec!["ALREADY_MERGED"];
        }
        let mut reasons = Vec::new();
        for (person, root) in persons.iter().zip(roots) {
            let now = self.root(*root, usize::MAX);
            if now == *root {
                continue;
            }
            if let Some(place) = roots.iter().position(|other| *other == now) {
                reasons.extend(self.cannot_be_one(person, &persons[place], [*root, now], led));
            }
        }
        reasons
    }

    /// Somebody is found to be the same as somebody else, mostly one who is not merged yet.
    pub(super) async fn merges(&mut self, who: usize) {
        let other = (who + self.random.random_range(1..PERSONS)) % PERSONS;
        let key = format!("m-{}", self.sent.len());
        let merge = Life::Merge(RecordMerge {
            surviving_person: Some(party(self.claims(other))),
            decision_number: "QD-1".to_owned(),
        });
        let request = life(&key, DUPLICATES, self.claims(who), (2026, 1, 1), merge);
        let key = request.idempotency_key.clone();
        let roots = [who, other].map(|who| self.root(who, usize::MAX));
        let mut expected: Vec<(String, String)> = Vec::new();
        let mut refuse = |reason: &str, at: &str| expected.push((reason.into(), at.into()));
        if roots[0] == roots[1] {
            refuse("PERSON_REPEATED", SURVIVING);
        } else {
            for (person, root, at) in [(who, roots[0], ""), (other, roots[1], SURVIVING)] {
                if person != root {
                    refuse("ALREADY_MERGED", at);
                }
            }
        }
        let (one, into) = (self.now(who), self.now(other));
        if expected.is_empty() {
            for reason in self.cannot_be_one(&one, &into, roots, &self.led()) {
                let at = if reason == "PERSONS_RELATED" { "family_relations" } else { "" };
                expected.push((reason.into(), at.into()));
            }
        }
        let spouses = self.living_spouses(other);
        self.merges.push(Merge { one: who, into: other, key, place: self.said });
        if expected.is_empty() {
            let after = self.living_spouses(other);
            if after > 1 && after > spouses {
                expected.push(("ALREADY_MARRIED".into(), "family_relations".into()));
            }
        }
        let came = submit(&self.whole.contributes("citizen-id"), &request).await;
        match &came {
            Ok(answered) => {
                assert!(expected.is_empty(), "{who} was merged into {other}: {expected:?}");
                let answer = answered.answer.clone();
                self.taken(&[who, other], &[who, other], &answer);
            }
            Err(refused) => {
                assert_eq!(refused.unmet, expected, "{who} into {other}: {one:?} {into:?}");
                self.merges.pop();
            }
        }
        self.sent_of(vec![who, other], request, came);
        self.compare(who, None, None).await;
    }

    /// Somebody who was taken for somebody else is told apart, or nobody is.
    pub(super) async fn splits(&mut self, who: usize) {
        let merged = |who: &usize| self.root(*who, usize::MAX) != *who;
        let merged: Vec<usize> = (0..PERSONS).filter(merged).collect();
        let other = match merged.as_slice() {
            [] => (who + 1) % PERSONS,
            all => all[self.random.random_range(0..all.len())],
        };
        let root = self.root(other, usize::MAX);
        let who = if self.random.random_bool(0.8) { root } else { who };
        if who == other {
            return;
        }
        let key = format!("m-{}", self.sent.len());
        let split = Life::Split(RecordSplit {
            restored_subject: Some(self.claims(other).0),
            decision_number: "QD-2".to_owned(),
        });
        let request = life(&key, DUPLICATES, self.claims(who), (2026, 1, 1), split);
        let by = request.idempotency_key.clone();
        let merge = self.merged(other).cloned();
        let merge = merge.filter(|_| self.root(who, usize::MAX) == root);
        let came = submit(&self.whole.contributes("citizen-id"), &request).await;
        let mut both = vec![who];
        if let Some(Merge { one, into, key, place }) = merge {
            both = vec![one, into];
            let before = both.iter().map(|who| self.root(*who, usize::MAX)).collect::<Vec<_>>();
            let alone = self.living_spouses_then(one, place);
            let spouses = self.living_spouses(into);
            for who in &both {
                let annulled = Annulled { key: key.clone(), by: by.clone(), place: self.said };
                self.persons[*who].annulled.push(annulled);
            }
            let married = |after: usize, before: usize| after > 1 && after > before;
            let bigamy = married(self.living_spouses(one), alone)
                || married(self.living_spouses(into), spouses);
            match &came {
                Ok(answered) => {
                    assert!(!bigamy, "{one} and {into} are told apart");
                    let (records, answer) = (self.records(&both, &before), answered.answer.clone());
                    self.taken(&both, &records, &answer);
                }
                Err(refused) => {
                    assert!(bigamy, "{one} and {into}: {refused:?}");
                    assert_eq!(
                        refused.unmet,
                        [("ALREADY_MARRIED".into(), "family_relations".into())]
                    );
                    for who in &both {
                        self.persons[*who].annulled.pop();
                    }
                }
            }
        } else {
            let refused = came.as_ref().err().unwrap();
            assert_eq!(refused.unmet, [("NOT_MERGED".into(), String::new())]);
        }
        self.sent_of(both.clone(), request, came);
        for who in both {
            self.compare(who, None, None).await;
        }
    }

    fn sent_of(
        &mut self,
        who: Vec<usize>,
        request: contract::contribution::v1::SubmitContributionRequest,
        came: super::Came,
    ) {
        let (items, client) = (vec!["personal_id_number".to_owned()], "citizen-id");
        self.sent.push(Sent { who, items, client, request, came: kept(came) });
    }
}
