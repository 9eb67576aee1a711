#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use model::{Claims, CodedValue, Name, PartialDate, PersonalNumber, Said, Sex, Subject, Value};
use proptest::prelude::*;

use super::{super::Figures, *};

const ITEM: &str = "sex";

/// What is known between batches, as the database keeps it.
#[derive(Default)]
struct Kept {
    values: BTreeMap<Unit, Held>,
    annulments: BTreeMap<String, (bool, u64)>,
    sums: BTreeMap<Place, Counts>,
}

impl Kept {
    fn count(&mut self, all: &[Decided], here: &[&Decided], conflicts: &[(&str, State)]) {
        let ids = Batch::spoken_of(all);
        let is_of =
            |(id, _): &Unit, held: &Held| ids.contains(id) || ids.contains(&held.set_aside_by);
        let was = self.values.iter().filter(|(unit, held)| is_of(unit, held));
        let unit = |id: &str| (id.to_owned(), ITEM.to_owned());
        let mut batch = Batch {
            was: was.map(|(unit, held)| (unit.clone(), held.clone())).collect(),
            conflicts: conflicts
                .iter()
                .map(|(id, s)| (unit(id), [(format!("c-{id}"), *s)].into()))
                .collect(),
            annulments: self.annulments.clone(),
            here: here.iter().map(|one| one.id.clone()).collect(),
            ..Batch::default()
        };
        for one in all {
            batch.count(one, 15);
        }
        for (place, counts) in batch.added() {
            self.sums.entry(place).or_default().add(&counts);
        }
        self.values.extend(batch.changed().map(|(unit, held)| (unit.clone(), held.clone())));
        self.annulments = batch.annulments;
    }

    /// Of all values, whatever their source.
    fn all(&self) -> Counts {
        let mut all = Counts::default();
        for counts in self.sums.values() {
            all.add(counts);
        }
        all
    }
}

fn application(source: &str, target: Target, said: Vec<Said>) -> Application {
    Application {
        source: source.to_owned(),
        connection: source.to_owned(),
        target,
        entry: String::new(),
        said,
        further: Vec::new(),
        event: None,
        evidence: Vec::new(),
        expected_version: 0,
    }
}

fn decided(id: &str, application: Application, version: u64) -> Decided {
    let (disagree, agree) = (BTreeSet::new(), BTreeSet::new());
    let (number, outranked) = (String::new(), Vec::new());
    let outcome = Outcome::Applied { version, number, known_at_us: 0, outranked, disagree, agree };
    Decided { id: id.to_owned(), application, received_at_us: 0, outcome, annuls: None }
}

fn says(id: &str, source: &str, version: u64) -> Decided {
    let number = PersonalNumber::compose(990, Sex::Female, 1990, 7).unwrap();
    let claims = Claims {
        full_name: Name::new("Trần Giả Định").unwrap(),
        date_of_birth: PartialDate::new(1990, 0, 0).unwrap(),
    };
    let target = Target::Known { subject: Subject::Personal(number), claims, corrects: false };
    let value = Value::Coded(CodedValue {
        code_system: ITEM.to_owned(),
        code_system_version: "1".to_owned(),
        code: "2".to_owned(),
        display: None,
    });
    decided(id, application(source, target, vec![Said::holds(ITEM, value, None)]), version)
}

fn annuls(id: &str, what: &str, annulled: bool, version: u64) -> Decided {
    let target = Target::Earlier { key: what.to_owned(), items: vec![ITEM.to_owned()] };
    let annuls = Some((what.to_owned(), annulled));
    Decided { annuls, ..decided(id, application("a", target, Vec::new()), version) }
}

/// Low says otherwise than high.
fn about() -> BTreeSet<Disagreement> {
    BTreeSet::from([Disagreement {
        person_id: "p".to_owned(),
        item: ITEM.to_owned(),
        contribution_id: "low".to_owned(),
        source: "low".to_owned(),
        against_contribution_id: "high".to_owned(),
        against_source: "high".to_owned(),
    }])
}

fn disputed(mut one: Decided) -> Decided {
    if let Outcome::Applied { disagree, .. } = &mut one.outcome {
        *disagree = about();
    }
    one
}

fn decides(id: &str, accepted: bool, version: u64) -> Decided {
    let target = Target::Decided {
        conflict: "c-low".to_owned(),
        item: ITEM.to_owned(),
        accepted,
        reason: String::new(),
    };
    let mut one = decided(id, application("high", target, Vec::new()), version);
    if let Outcome::Applied { agree, .. } = &mut one.outcome {
        *agree = about();
    }
    one
}

/// All of them in an order, in batches of a size; the sums do not depend on either, and are what the values say by themselves.
fn counted(all: &[Decided], order: &[usize], size: usize, conflicts: &[(&str, State)]) -> Kept {
    let mut kept = Kept::default();
    let here: Vec<&Decided> = all.iter().collect();
    let turns: Vec<Decided> = order.iter().map(|turn| all[*turn].clone()).collect();
    for batch in turns.chunks(size) {
        kept.count(batch, &here, conflicts);
    }
    let mut sums = BTreeMap::new();
    for ((_, item), held) in &kept.values {
        let Contributed { source, month, .. } = held.value.clone();
        let place = Place { source, month, item: item.clone() };
        let sum: &mut Counts = sums.entry(place).or_default();
        sum.add(&held.value.counts());
    }
    sums.retain(|_, counts| *counts != Counts::default());
    kept.sums.retain(|_, counts| *counts != Counts::default());
    assert_eq!(kept.sums, sums);
    for sum in sums.values() {
        let Figures { consistency, completeness, accuracy, timeliness } = Figures::of(sum);
        for share in [consistency, completeness, accuracy, timeliness] {
            assert!(share.part <= share.all);
        }
    }
    kept
}

/// A conflict that is decided, the decision annulled and counted again; and a contribution that is annulled, and counted again.
fn story(accepted: bool) -> Vec<Decided> {
    vec![
        says("high", "high", 1),
        disputed(says("low", "low", 2)),
        decides("d", accepted, 3),
        annuls("a-1", "d", true, 4),
        annuls("a-2", "d", false, 5),
        says("other", "low", 6),
        annuls("a-3", "other", true, 7),
        annuls("a-4", "other", false, 8),
        annuls("a-5", "other", true, 9),
    ]
}

#[test]
fn what_a_decision_sets_aside_was_not_accurate_until_it_is_annulled() {
    for (accepted, state, wrong) in
        [(true, State::Accepted, "high"), (false, State::Rejected, "low")]
    {
        let story = story(accepted);
        let place = |source: &str| Place {
            source: source.to_owned(),
            month: "1970-01".to_owned(),
            item: ITEM.to_owned(),
        };
        let kept = counted(&story[..3], &[0, 1, 2], 1, &[("low", state)]);
        assert_eq!(kept.sums[&place(wrong)].set_aside, 1);
        assert_eq!((kept.all().set_aside, kept.all().inaccurate), (1, 1));
        let low = kept.sums[&place("low")];
        assert_eq!(low.disputed, 1);
        assert_eq!(
            (low.decided_for, low.decided_against),
            (i64::from(accepted), i64::from(!accepted))
        );
        let kept = counted(&story[..4], &[0, 1, 2, 3], 2, &[("low", State::Open)]);
        assert_eq!((kept.all().set_aside, kept.all().inaccurate), (0, 0));
        let low = kept.sums[&place("low")];
        assert_eq!((low.disputed, low.decided_for, low.decided_against), (1, 0, 0));
        let kept = counted(&story[..5], &[0, 1, 2, 3, 4], 5, &[("low", state)]);
        assert_eq!(kept.sums[&place(wrong)].set_aside, 1);
    }
}

#[test]
fn what_was_not_contributed_here_has_no_figures() {
    let mut kept = Kept::default();
    let low = disputed(says("low", "low", 2));
    let decision = decides("d", true, 3);
    kept.count(&[low.clone(), decision.clone()], &[&low, &decision], &[("low", State::Accepted)]);
    assert_eq!(kept.sums.len(), 1, "nobody knows what the other said");
    assert!(kept.values.keys().all(|(id, _)| id == "low"));
}

proptest! {
    #[test]
    fn i5_the_order_in_which_they_are_counted_does_not_matter(
        accepted in any::<bool>(),
        order in Just((0..9).collect::<Vec<usize>>()).prop_shuffle(),
        size in 1_usize..10,
    ) {
        let story = story(accepted);
        let state = if accepted { State::Accepted } else { State::Rejected };
        let in_order: Vec<usize> = (0..9).collect();
        let expected = counted(&story, &in_order, 1, &[("low", state)]);
        let found = counted(&story, &order, size, &[("low", state)]);
        prop_assert_eq!(&found.sums, &expected.sums);
        prop_assert_eq!(&found.values, &expected.values);
        let all = found.all();
        prop_assert_eq!((all.said, all.annulled, all.set_aside, all.inaccurate), (3, 1, 1, 2));
    }
}
