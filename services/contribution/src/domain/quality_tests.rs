#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use model::{Address, Claims, CodedValue, EventKind, Name, Relation, Saying};
use proptest::prelude::*;
use time::{OffsetDateTime, macros::datetime};
use wire::event::Further;

use super::*;

const DAY_US: i64 = 86_400_000_000;

fn date(year: i32, month: u8, day: u8) -> PartialDate {
    PartialDate::new(year, month, day).unwrap()
}

fn us(at: OffsetDateTime) -> i64 {
    at.unix_timestamp() * 1_000_000
}

fn number(sex: Sex, year: i32) -> PersonalNumber {
    PersonalNumber::compose(990, sex, year, 7).unwrap()
}

fn claims() -> Claims {
    Claims {
        full_name: Name::new("Trần Giả Định").unwrap(), date_of_birth: date(1990, 0, 0)
    }
}

fn sex(code: &str) -> Value {
    let (code_system, code_system_version) = ("sex".to_owned(), "1".to_owned());
    Value::Coded(CodedValue { code_system, code_system_version, code: code.into(), display: None })
}

/// What is said of a woman born in 1990.
fn saying(said: Vec<Said>, corrects: bool) -> Application {
    let subject = Subject::Personal(number(Sex::Female, 1990));
    Application {
        source: "civil-status".to_owned(),
        connection: "c".to_owned(),
        target: Target::Known { subject, claims: claims(), corrects },
        entry: String::new(),
        said,
        further: Vec::new(),
        event: Some(EventKind::Correction),
        evidence: Vec::new(),
        expected_version: 0,
    }
}

fn counts(application: &Application, issued: &str, at_us: i64, item: &str) -> Counts {
    contributed(application, issued, at_us, 15)[item].counts()
}

#[test]
fn a_month_is_one_of_viet_nam() {
    assert_eq!(month_of(us(datetime!(2026-02-28 16:59:59 UTC))), "2026-02");
    assert_eq!(month_of(us(datetime!(2026-02-28 17:00:00 UTC))), "2026-03");
    for month in ["2026-01", "1999-12"] {
        assert!(is_month(month), "{month}");
    }
    for text in ["", "2026", "2026-1", "2026-13", "2026-00", "26-01", "2026-01-01", "2026-+1"] {
        assert!(!is_month(text), "{text}");
    }
}

#[test]
fn whole_values_and_delays_are_counted_one_by_one() {
    let received = us(datetime!(2026-03-31 05:00 UTC));
    let lives = |commune: Option<&str>, from| {
        let commune_code = commune.map(str::to_owned);
        let value = Value::Address(Address { commune_code, ..Address::default() });
        Said::holds("permanent_residence", value, from)
    };
    for (days, timely, bucket) in [
        (0, 1, 0),
        (1, 1, 0),
        (2, 1, 1),
        (7, 1, 1),
        (8, 1, 2),
        (15, 1, 2),
        (16, 0, 3),
        (30, 0, 3),
        (31, 0, 4),
        (60, 0, 4),
        (61, 0, 5),
    ] {
        let from = PartialDate::try_from(day_in_viet_nam(received - days * DAY_US)).unwrap();
        let said = saying(vec![lives(Some("00001"), Some(from))], false);
        let found = counts(&said, "", received, "permanent_residence");
        let Counts { within_1, within_7, within_15, within_30, within_60, later, .. } = found;
        let mut buckets = [0; 6];
        buckets[bucket] = 1;
        assert_eq!([within_1, within_7, within_15, within_30, within_60, later], buckets, "{days}");
        assert_eq!((found.said, found.whole, found.dated, found.timely), (1, 1, 1, timely));
    }
    // Without its day nobody knows how late it is; nor where none is said.
    for from in [Some(date(2026, 3, 0)), Some(date(2026, 0, 0)), None] {
        let found =
            counts(&saying(vec![lives(None, from)], false), "", received, "permanent_residence");
        assert_eq!((found.said, found.whole, found.dated), (1, 0, 0));
    }
    // A correction is about an earlier day, and says that something was wrong.
    let corrected = saying(vec![lives(Some("00001"), Some(date(2026, 3, 30)))], true);
    let found = counts(&corrected, "", received, "permanent_residence");
    assert_eq!((found.dated, found.corrections, found.inaccurate), (0, 1, 1));
    // What ends is no value.
    let mut ends = lives(None, None);
    ends.says = Saying::Ends;
    assert!(contributed(&saying(vec![ends], false), "", received, 15).is_empty());
}

#[test]
fn a_number_that_says_otherwise_is_counted() {
    let born = |year| Value::Date(date(year, 5, 6));
    let differs = |item: &str, value: Value, issued: &str| {
        counts(&saying(vec![Said::holds(item, value, None)], false), issued, 0, item).number_differs
    };
    assert_eq!((differs("sex", sex("2"), ""), differs("sex", sex("1"), "")), (0, 1));
    assert_eq!(differs("sex", sex("0"), ""), 0, "it says neither");
    assert_eq!(differs("date_of_birth", born(1990), ""), 0);
    assert_eq!(differs("date_of_birth", born(1991), ""), 1);
    assert_eq!(differs("marital_status", sex("1"), ""), 0);
    // A number that is set anew says what is said.
    let anew = number(Sex::Male, 1990);
    assert_eq!(differs("sex", sex("1"), anew.as_str()), 0);
    let relative = |kind, born: Option<PartialDate>| {
        let identifier = Some(Identifier::PersonalNumber(number(Sex::Female, 1960)));
        let name = Name::new("Trần Giả Định").unwrap().into();
        let relation = Relation { kind, name, identifier, date_of_birth: born, nationality: None };
        differs("family_relations", Value::Relation(relation), "")
    };
    assert_eq!(relative(RelationKind::Mother, Some(date(1960, 0, 0))), 0);
    assert_eq!(relative(RelationKind::Mother, Some(date(1961, 0, 0))), 1);
    assert_eq!(relative(RelationKind::Father, None), 1);
    assert_eq!(relative(RelationKind::Spouse, None), 0);
}

#[test]
fn what_is_said_of_several_persons_is_held_against_the_number_of_each() {
    let man = Subject::Personal(number(Sex::Male, 1988));
    let said = vec![Said::holds("sex", sex("1"), None)];
    let further = Further { place: "left[0]".to_owned(), subject: man, claims: claims(), said };
    let both = Application {
        further: vec![further],
        ..saying(vec![Said::holds("sex", sex("1"), None)], false)
    };
    let found = counts(&both, "", 0, "sex");
    assert_eq!((found.said, found.number_differs), (2, 1));
}

#[test]
fn a_rejection_counts_for_the_items_that_it_is_about() {
    let both = saying(
        vec![Said::holds("sex", sex("1"), None), Said::holds("ethnic_group", sex("1"), None)],
        false,
    );
    let reason = |item: &str, reason: &str| {
        vec![Rejection { item: item.to_owned(), reason: reason.to_owned() }]
    };
    for (item, expected) in
        [("sex", 1), ("life_event.household.left[2].sex", 1), ("", 0), ("sexes", 0)]
    {
        let found = rejected(&both, &reason(item, "OTHER_SOURCE"));
        assert_eq!(found["sex"].rejected_for_it, expected, "{item}");
        assert_eq!((found["sex"].rejected, found["ethnic_group"].rejected), (1, 1));
        assert_eq!(found["ethnic_group"].rejected_for_it, 0);
    }
    assert!(rejected(&both, &reason("", "WITHDRAWN")).is_empty());
}

/// Whatever becomes of a contribution of some values.
fn became() -> impl Strategy<Value = Contributed> {
    let states = prop_oneof![
        Just(None),
        Just(Some(State::Open)),
        Just(Some(State::Asked)),
        Just(Some(State::Accepted)),
        Just(Some(State::Rejected)),
        Just(Some(State::Overtaken)),
    ];
    let value = (any::<bool>(), proptest::option::of(0_i64..90));
    (proptest::collection::vec(value, 0..4), any::<(bool, bool, bool)>(), states).prop_map(
        |(values, (corrects, set_aside, annulled), conflict)| {
            let received = us(datetime!(2026-06-30 05:00 UTC));
            let one = |(whole, days): (bool, Option<i64>)| {
                let day = |days| {
                    PartialDate::try_from(day_in_viet_nam(received - days * DAY_US)).unwrap()
                };
                let commune_code = whole.then(|| "00001".to_owned());
                let value = Value::Address(Address { commune_code, ..Address::default() });
                Said::holds("permanent_residence", value, days.map(day))
            };
            let said = saying(values.into_iter().map(one).collect(), corrects);
            let said = contributed(&said, "", received, 15).remove("permanent_residence");
            Contributed { conflict, set_aside, annulled, ..said.unwrap_or_default() }
        },
    )
}

proptest! {
    #[test]
    fn a_part_is_never_more_than_all(all in proptest::collection::vec(became(), 0..6)) {
        let mut sums = Counts::default();
        for one in &all {
            sums.add(&one.counts());
        }
        let Figures { consistency, completeness, accuracy, timeliness } = Figures::of(&sums);
        for Share { part, all } in [consistency, completeness, accuracy, timeliness] {
            prop_assert!(part <= all);
        }
        let said = u64::try_from(sums.said).unwrap();
        for share in [consistency, completeness, accuracy] {
            prop_assert_eq!(share.all, said);
        }
        let Counts { within_1, within_7, within_15, within_30, within_60, later, .. } = sums;
        prop_assert_eq!(within_1 + within_7 + within_15 + within_30 + within_60 + later, sums.dated);
        prop_assert_eq!(sums.timely, within_1 + within_7 + within_15);
        for part in [sums.annulled, sums.set_aside, sums.corrections] {
            prop_assert!(part <= sums.inaccurate);
        }
    }
}
