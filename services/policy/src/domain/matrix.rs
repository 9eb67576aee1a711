//! The decision matrix: every combination of a small world, decided by the engine and by an oracle that shares nothing with it. And
//! the table of who may see what in the README, from the same engine.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod oracle;
mod seen;

use decide::{CONSENT, Fact, ItemEffect, TableAnswer};
use model::EventKind;
use time::{
    Date, Duration, format_description::StaticFormatDescription, macros::format_description,
};

use super::{
    basis::start_of,
    catalogue::LegalProfile,
    decision::{Decision, Profile, Refusal},
    registry::{Connection, Granted, Standing, State, obligations},
    request::Request,
    rules::Act,
};
use oracle::{Asked, Line, Link, Plan, Said};

const DAY: StaticFormatDescription = format_description!("[year]-[month]-[day]");
/// Before the Decision, under it with the law of 2014, on the day of the law of 2023, and today.
const DAYS: [&str; 4] = ["2021-11-14", "2024-06-30", "2024-07-01", "2026-11-24"];
const ACTS: [Act; 12] = [
    Act::Obtain,
    Act::Contribute,
    Act::Follow,
    Act::Explain,
    Act::RecordConsents,
    Act::Resolve,
    Act::Search,
    Act::Relations,
    Act::InverseRelations,
    Act::Household,
    Act::RotateTokens,
    Act::Accesses,
];
const EVENTS: [&str; 4] = ["", "birth", "death", "annulment"];
/// One that says nothing special, one for births, one that follows, one for investigations, one of citizens themselves, and none.
const PROCEDURES: [&str; 6] = [
    "child-health-insurance-card",
    "birth-registration",
    "database-upkeep",
    "investigation-identification",
    "own-record",
    "mind-reading",
];
const BASES: [&str; 9] = [
    "1911-2021-art-2-1",
    "1911-2021-art-2-2",
    "1911-2021-art-2-3",
    "1911-2021-art-2-4",
    "circular-46-2022-art-12",
    "decree-137-2015-art-8-3",
    "decree-137-2015-art-7-2",
    "law-26-2023-art-9",
    "of-nowhere",
];
/// The items of both laws, one of each kind first, and one of neither.
const ITEMS: [&str; 27] = [
    "birth_full_name",
    "contact_points",
    "religion",
    "permanent_residence",
    "temporary_residence",
    "shoe_size",
    "personal_id_number",
    "blood_type",
    "other_information",
    "other_names",
    "date_of_birth",
    "sex",
    "place_of_birth",
    "birth_registration_place",
    "native_place",
    "ethnic_group",
    "nationality",
    "old_id_number_9",
    "id_document_validity",
    "family_relations",
    "current_residence",
    "temporary_absence",
    "residence_file_number",
    "marital_status",
    "relation_to_household_head",
    "household_members",
    "death_or_missing_date",
];
/// What is asked about: everything, and one thing that is nothing or may be withheld.
const WANTED: [&[&str]; 3] = [&ITEMS, &["shoe_size", "religion"], &["contact_points"]];

const fn link(state: &'static str, admission: &'static str, ground: &'static str) -> Link<'static> {
    Link { state, admission, ground, assessed_until: "2027-07-01" }
}

const DECREE: &str = "decree-137-2015-art-7-2";
const LINKS: [Option<&Link<'static>>; 11] = [
    None,
    Some(&link("ACTIVE", "", DECREE)),
    Some(&link("ACTIVE", "ACTIVE", "decree-70-2024-art-7-2")),
    Some(&link("ACTIVE", "", "1911-2021-art-1-1")),
    Some(&Link { state: "ACTIVE", admission: "", ground: DECREE, assessed_until: "2024-07-01" }),
    Some(&link("SUSPENDED", "", DECREE)),
    Some(&link("SUSPENDED", "SUSPENDED", DECREE)),
    Some(&link("REVOKED", "", DECREE)),
    Some(&link("REVOKED", "CONFORMANT", DECREE)),
    Some(&link("REVOKED", "EXPIRED", DECREE)),
    Some(&link("REVOKED", "ENDED", DECREE)),
];
const SOME: [&str; 3] = ["birth_full_name", "religion", "permanent_residence"];

const fn plan(id: &'static str, items: &'static [&'static str]) -> Plan<'static> {
    Plan { id, from: "2020-01-01", to: "2030-01-01", items, obliges: "" }
}

/// None; one of yesterday beside one of tomorrow; some items; some items, on a condition, beside all of them.
const PLANS: [&[Plan<'static>]; 4] = [
    &[],
    &[
        Plan { to: "2021-11-14", ..plan("ended", &ITEMS) },
        Plan { from: "2026-11-25", ..plan("next", &ITEMS) },
    ],
    &[plan("some", &SOME), plan("as-many", &SOME)],
    &[
        plan("some", &SOME),
        Plan { obliges: "max-age=60,no-onward-transfer", ..plan("all", &ITEMS) },
    ],
];

/// Every act, or one of each way in which acts differ: the rules treat all but one alike.
fn acts() -> &'static [Act] {
    let full = std::env::var("LIENTHONG_TEST_SCALE").as_deref() == Ok("full");
    if full { &ACTS } else { &ACTS[..5] }
}

fn day(text: &str) -> Date {
    Date::parse(text, DAY).unwrap()
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn standing(link: Option<&Link<'_>>, plans: &[Plan<'_>]) -> Standing {
    let granted = plans.iter().map(|plan| {
        let words: Vec<&str> = plan.obliges.split(',').filter(|word| !word.is_empty()).collect();
        let obliges = obligations(&words).unwrap();
        Granted {
            agreement: plan.id.to_owned(),
            valid_from: day(plan.from),
            valid_to: day(plan.to),
            terms: crate::domain::agreement::Terms::default(),
            items: plan.items.iter().map(|item| ((*item).to_owned(), obliges.clone())).collect(),
        }
    });
    Standing {
        registry: String::new(),
        number: 1,
        rules: Default::default(),
        connection: link.map(|link| Connection {
            id: "c".to_owned(),
            agency: "G24".to_owned(),
            system: "s".to_owned(),
            database: "social-insurance".to_owned(),
            state: State::of(link.state),
            legal_basis: link.ground.to_owned(),
            assessed_until: day(link.assessed_until),
        }),
        admission: link.map(|link| link.admission.to_owned()).filter(|name| !name.is_empty()),
        granted: granted.collect(),
        signing: Vec::new(),
    }
}

/// What the engine said of one row, in the oracle's words.
fn row(answer: &TableAnswer) -> (bool, Vec<Line<'_>>) {
    let line = |item: &decide::ItemDecision| {
        let effect = match item.effect {
            ItemEffect::Allowed => "Allowed",
            ItemEffect::Withheld => "Withheld",
            ItemEffect::UnknownItem => "UnknownItem",
        };
        let words: Vec<String> = item.obligations.iter().map(ToString::to_string).collect();
        (effect, words.join(","))
    };
    let all = answer.items.iter().map(|item| {
        let (effect, words) = line(item);
        (effect, item.rule.as_str(), item.article.as_str(), words)
    });
    (answer.visible, all.collect())
}

/// Both rows at once, where it is not known which counts: what both allow, and why else.
fn unknown<'a>([one, other]: [&(bool, Vec<Line<'a>>); 2]) -> (bool, Vec<Line<'a>>) {
    let ((first, open), (second, closed)) = (one, other);
    let both =
        |(a, b): (&Line<'a>, &Line<'a>)| if a.0 == "Allowed" { b.clone() } else { a.clone() };
    (*first && *second, open.iter().zip(closed).map(both).collect())
}

/// Counts of what was compared.
#[derive(Debug, Default)]
struct Seen {
    combinations: usize,
    denied: usize,
    tables: usize,
    items: usize,
    allowed: usize,
}

impl Seen {
    fn same(&mut self, asked: &Asked<'_>, decision: &Decision, facts: usize) {
        self.combinations += 1;
        let expected = asked.answer();
        let table = match (&decision.outcome, &expected) {
            (Err(denial), Said::Denied(reason, rule, article)) => {
                let refusal = match denial.refusal {
                    Refusal::ConnectionNotActive => "ConnectionNotActive",
                    Refusal::BasisNotInForce => "BasisNotInForce",
                    Refusal::NoAgreement => "NoAgreement",
                    Refusal::NothingAllowed => "NothingAllowed",
                    Refusal::VolumeUsedUp => "VolumeUsedUp",
                    Refusal::SignatureRequired => "SignatureRequired",
                };
                let said = (refusal, &*denial.rule, &*denial.article);
                assert_eq!(said, (*reason, *rule, *article), "{asked:?}");
                self.denied += 1;
                return;
            }
            (Ok(table), Said::Decided(agreement, _)) => {
                assert_eq!(decision.agreement, *agreement, "{asked:?}");
                table
            }
            (outcome, expected) => panic!("{asked:?}: {outcome:?}, expected {expected:?}"),
        };
        let Said::Decided(_, rows) = &expected else { return };
        self.tables += 1;
        let known = [Fact::False, Fact::True, Fact::Unknown];
        let [none, given] = rows;
        for (at, protected) in known.into_iter().enumerate() {
            let of = |rows: &[(bool, Vec<Line<'static>>); 2]| {
                if at < 2 { rows[at].clone() } else { unknown([&rows[0], &rows[1]]) }
            };
            let (without, with) = (of(none), of(given));
            // What no rule reads changes nothing, whatever it is.
            let others = [known[facts % 3], known[facts / 3 % 3]];
            let fact = |name: &str| match name {
                "protected" => protected,
                "minor" => others[0],
                _ => others[1],
            };
            for (consent, expected) in [(Fact::False, &without), (Fact::True, &with)] {
                let answer =
                    table.resolve(|name| if name == CONSENT { consent } else { fact(name) });
                let (visible, lines) = row(&answer);
                assert_eq!((visible, &lines), (expected.0, &expected.1), "{protected:?} {asked:?}");
                self.items += lines.len();
                self.allowed += lines.iter().filter(|(effect, ..)| *effect == "Allowed").count();
            }
            // A consent to some of the items, and to others none.
            let covers = |item: &str| item.len() % 2 == facts % 2;
            let answer = table.consented(fact, covers);
            let (visible, lines) = row(&answer);
            assert_eq!(visible, with.0, "{protected:?} {asked:?}");
            for (at, line) in lines.iter().enumerate() {
                let open = covers(asked.items[at]) || !visible;
                let expected = if open { &with.1[at] } else { &without.1[at] };
                assert_eq!(line, expected, "{protected:?} {asked:?}");
            }
        }
    }

    fn and(mut self, other: &Self) -> Self {
        self.combinations += other.combinations;
        self.denied += other.denied;
        self.tables += other.tables;
        self.items += other.items;
        self.allowed += other.allowed;
        self
    }
}

/// Every combination of what is asked, of one caller on one day.
fn compare(profile: &Profile, name: &str, today: &str, link: Option<&Link<'_>>) -> Seen {
    let (mut seen, mut facts) = (Seen::default(), 0);
    let now = start_of(day(today));
    for plans in PLANS {
        let standing = standing(link, plans);
        for act in acts().iter().copied() {
            let events = if act == Act::Contribute { &EVENTS[..] } else { &EVENTS[..1] };
            for (procedure, basis) in PROCEDURES.iter().flat_map(|p| BASES.map(|b| (*p, b))) {
                for (event, items) in events.iter().flat_map(|e| WANTED.map(|w| (*e, w))) {
                    for direction in [false, true] {
                        facts += 1;
                        let asked = Asked {
                            profile: name,
                            day: today,
                            link,
                            act: act.name(),
                            event,
                            procedure,
                            basis,
                            direction,
                            plans,
                            items,
                        };
                        let request = Request {
                            caller: ("G24".to_owned(), "s".to_owned()),
                            act,
                            event: EventKind::of(event),
                            procedure: procedure.to_owned(),
                            legal_basis: basis.to_owned(),
                            direction,
                            by: None,
                            items: strings(items),
                        };
                        let decision = profile.decide(&request, &standing, now, Duration::hours(1));
                        seen.same(&asked, &decision, facts);
                    }
                }
            }
        }
    }
    seen
}

/// No difference between the engine and the oracle, over every combination of the small world (I2, I3, I7).
#[test]
fn i2_the_engine_says_what_the_law_and_the_readme_say() {
    let all = std::thread::scope(|scope| {
        let one = |legal: LegalProfile| {
            let profile = Profile::load(legal).unwrap();
            let mut all = Seen::default();
            for (today, link) in DAYS.iter().flat_map(|day| LINKS.map(|link| (day, link))) {
                all = all.and(&compare(&profile, legal.name(), today, link));
            }
            all
        };
        let both = LegalProfile::ALL.map(|legal| scope.spawn(move || one(legal)));
        both.into_iter().fold(Seen::default(), |all, one| all.and(&one.join().unwrap()))
    });
    println!("decision matrix: {all:?}");
    let asked =
        (acts().len() - 1 + EVENTS.len()) * PROCEDURES.len() * BASES.len() * WANTED.len() * 2;
    assert_eq!(all.combinations, 2 * DAYS.len() * LINKS.len() * PLANS.len() * asked);
    assert_eq!(all.denied + all.tables, all.combinations);
    assert!(all.allowed > 0 && all.allowed < all.items);
}
