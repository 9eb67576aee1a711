//! Tables against plain Cedar, asked once for each item: random requests of the shipped rules, and random rules. What is drawn is of
//! the right types, because what is not is refused before anything is decided. A failure names the seed that draws it again.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet};

use decide::{Fact, MaskForm, Obligation};
use time::{Date, macros::date};

use super::{
    catalogue::{Catalogue, LegalProfile},
    decision::{RULES, SHIPPED},
    item_set::ItemSet,
    rules::{Act, FACTS, Question, Rule, RuleFile, Rules, plain::Plain},
    table::Builder,
};

/// Requests that are drawn, and sets of rules.
fn scale() -> (u64, u64) {
    let full = std::env::var("LIENTHONG_TEST_SCALE").as_deref() == Ok("full");
    if full { (100_000, 2_000) } else { (2_000, 60) }
}

/// Numbers that follow from a seed (SplitMix64).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n).unwrap()).unwrap()
    }

    /// Once in `n`.
    pub(super) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(super) fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

pub(super) fn catalogue(profile: LegalProfile) -> Catalogue {
    Catalogue::parse(profile, SHIPPED[0], SHIPPED[1], SHIPPED[2]).unwrap()
}

const ACTS: [Act; 6] =
    [Act::Obtain, Act::Obtain, Act::Contribute, Act::Follow, Act::Household, Act::RecordConsents];
const DATABASES: [&str; 4] = ["social-insurance", "civil-status", "investigation", "of-nowhere"];
const OWN: [&str; 2] = ["circular-46-2022-art-12", "decree-137-2015-art-8-3"];
const BASES: [&str; 5] = [
    "1911-2021-art-2-1",
    "1911-2021-art-2-2",
    "1911-2021-art-2-3",
    "1911-2021-art-2-4",
    "1911-2021-art-1-1",
];
const DAYS: [Date; 4] =
    [date!(2026 - 11 - 24), date!(2026 - 11 - 24), date!(2024 - 06 - 30), date!(2021 - 11 - 14)];

/// What is asked, with the agreement and the subject.
#[derive(Debug)]
struct Drawn {
    database: &'static str,
    act: Act,
    procedure: (String, String),
    basis: &'static str,
    direction: bool,
    items: Vec<String>,
    granted: ItemSet,
    obliges: BTreeMap<String, Vec<Obligation>>,
    day: Date,
    facts: [Fact; FACTS.len()],
}

impl Drawn {
    fn draw(dice: &mut Dice, catalogue: &Catalogue) -> Self {
        let mut items: Vec<String> = Vec::new();
        let most = *dice.of(&[1, 3, catalogue.items().len()]);
        for item in catalogue.items() {
            if dice.below(catalogue.items().len()) < most {
                items.insert(dice.below(items.len() + 1), item.id.clone());
            }
        }
        if items.is_empty() || dice.once_in(8) {
            items.push("shoe_size".to_owned());
        }
        let (mut granted, mut obliges) = (Vec::new(), BTreeMap::new());
        for (place, item) in catalogue.items().iter().enumerate() {
            if !dice.once_in(6) {
                granted.push(place);
            }
            let words = [
                vec![],
                vec![],
                vec![Obligation::MaxAge(90)],
                vec![Obligation::Mask(MaskForm::LastFour)],
            ];
            obliges.insert(item.id.clone(), dice.of(&words).clone());
        }
        let (mut procedure, mut basis) = (dice.of(catalogue.procedures()), *dice.of(&BASES));
        if dice.once_in(4) {
            // What citizens see of themselves is of one procedure, on grounds of its own.
            procedure = catalogue.procedure("own-record").unwrap();
            basis = *dice.of(&OWN);
        }
        let known = [Fact::True, Fact::False, Fact::Unknown];
        Self {
            database: *dice.of(&DATABASES),
            act: *dice.of(&ACTS),
            procedure: (procedure.id.clone(), procedure.purpose.clone()),
            basis,
            direction: dice.once_in(2),
            items,
            granted: granted.into_iter().collect(),
            obliges,
            day: *dice.of(&DAYS),
            facts: FACTS.map(|_| *dice.of(&known)),
        }
    }

    fn question(&self) -> Question<'_> {
        Question {
            database: self.database,
            act: self.act.in_rules(),
            procedure: &self.procedure.0,
            purpose: &self.procedure.1,
            basis: self.basis,
            direction: self.direction,
        }
    }
}

/// What was compared.
#[derive(Debug, Default)]
struct Seen {
    requests: u64,
    items: usize,
    allowed: usize,
    /// Items whose deciding rules were compared as a whole, not only the one that is named.
    deciding: usize,
    rules: BTreeSet<String>,
}

/// Compares what was drawn: the table, item by item, and every rule that decides.
fn compare(drawn: &Drawn, catalogue: &Catalogue, rules: &Rules, seen: &mut Seen, seed: u64) {
    let ask = drawn.question();
    let builder = Builder {
        catalogue,
        rules,
        ask: &ask,
        items: &drawn.items,
        granted: &drawn.granted,
        obligations: &|item| drawn.obliges.get(item).map_or(&[], Vec::as_slice),
        day: drawn.day,
        act: drawn.act,
        now: crate::domain::basis::start_of(drawn.day),
    };
    let plain = Plain::new(&builder);
    let table = builder.build().unwrap();
    if let Err(difference) = plain.compare_for(Some(&table), drawn.facts) {
        panic!("seed {seed}: {difference}\n{drawn:?}");
    }
    let answer = table.resolve(|name| {
        FACTS.iter().position(|fact| *fact == name).map_or(Fact::Unknown, |at| drawn.facts[at])
    });
    seen.requests += 1;
    seen.items += answer.items.len();
    let allowed = |item: &&decide::ItemDecision| item.effect == decide::ItemEffect::Allowed;
    seen.allowed += answer.items.iter().filter(allowed).count();
    let holding: Vec<&str> = FACTS
        .iter()
        .zip(drawn.facts)
        .filter(|(_, fact)| *fact == Fact::True)
        .map(|(f, _)| *f)
        .collect();
    // A rule that fails fails the whole row; Cedar tells it of the items that it is about.
    let Some(deciding) = builder.deciding(&holding) else { return };
    for (item, rules) in drawn.items.iter().zip(deciding) {
        if catalogue.place(item).is_some() {
            let said = plain.item(item, &holding).unwrap();
            let ids: BTreeSet<String> = rules.iter().map(|rule| rule.id.clone()).collect();
            assert_eq!(ids, said.rules, "seed {seed}: {item} {drawn:?}");
            assert_eq!(rules.first().is_some_and(|rule| !rule.forbids), said.allowed);
            seen.deciding += 1;
            seen.rules.extend(ids);
        }
    }
}

/// Random requests of what is shipped, under both laws: no difference, and no rule that none of them met.
#[test]
fn i2_a_table_says_what_cedar_says_of_each_item() {
    let (requests, _) = scale();
    for profile in LegalProfile::ALL {
        let catalogue = catalogue(profile);
        let rules = Rules::load(&RULES, SHIPPED[3], &catalogue).unwrap();
        let mut seen = Seen::default();
        for seed in 0..requests / 2 {
            let drawn = Drawn::draw(&mut Dice(seed), &catalogue);
            compare(&drawn, &catalogue, &rules, &mut seen, seed);
        }
        println!(
            "tables against Cedar, law of {}: {} requests, {} items, {} allowed, {} with all rules",
            profile.name(),
            seen.requests,
            seen.items,
            seen.allowed,
            seen.deciding
        );
        assert!(seen.allowed > 0 && seen.allowed < seen.items);
        let acts = [Act::Obtain, Act::Contribute];
        let decides = |rule: &&Rule| !rule.items.is_empty() && acts.iter().any(|a| rule.about(*a));
        let deciding = rules.iter().filter(decides).map(|rule| rule.id.clone());
        assert_eq!(seen.rules, deciding.collect());
    }
}

/// A condition on what rules may speak of; a few of them fail when they are evaluated.
fn condition(dice: &mut Dice, depth: usize) -> String {
    if depth > 0 && dice.once_in(2) {
        let (left, right) = (condition(dice, depth - 1), condition(dice, depth - 1));
        return match dice.below(4) {
            0 => format!("!({left})"),
            1 => format!("({left} || {right})"),
            2 => format!("(if {left} then {right} else !({right}))"),
            _ => format!("({left} && {right})"),
        };
    }
    match dice.below(24) {
        0 => format!(
            "context.procedure == \"{}\"",
            dice.of(&["burial-allowance", "birth-registration"])
        ),
        1 => format!(
            "[\"{}\", \"investigation\"].contains(context.purpose)",
            dice.of(&["civil-status", "residence"])
        ),
        2 => "context.basis like \"1911-2021-art-2-*\"".to_owned(),
        3 => format!("principal == Database::\"{}\"", dice.of(&DATABASES)),
        4 if dice.once_in(6) => "9223372036854775807 + 1 > 0".to_owned(),
        4 => "context.basis != \"1911-2021-art-1-1\"".to_owned(),
        5..=8 => format!("context.basis == \"{}\"", dice.of(&BASES)),
        9..=11 => format!(
            "context.purpose == \"{}\"",
            dice.of(&["civil-status", "investigation", "social-insurance"])
        ),
        12..=14 => "context.consent".to_owned(),
        15..=17 => "context.direction".to_owned(),
        // A consent is none of the subject's facts to them.
        _ => format!("context.subject.{}", dice.of(&FACTS[1..])),
    }
}

/// A rule of the vocabulary, with whatever scope there may be.
fn written(dice: &mut Dice, id: usize, basis: &str, catalogue: &Catalogue) -> String {
    let item = &dice.of(catalogue.items()).id;
    let group = &dice.of(catalogue.items()).groups[0];
    let items = [
        "resource".to_owned(),
        "resource is Item".to_owned(),
        format!("resource == Item::\"{item}\""),
        format!("resource in ItemGroup::\"{group}\""),
        format!("resource is Item in ItemGroup::\"{group}\""),
    ];
    let items = dice.of(&items);
    let (action, resource) = match dice.below(8) {
        0 => ("action == Action::\"learn_existence\"", "resource"),
        1 => ("action == Action::\"learn_existence\"", "resource is Register"),
        2 => ("action", "resource"),
        3 => ("action in [Action::\"obtain\", Action::\"contribute\"]", items.as_str()),
        4 => ("action == Action::\"contribute\"", items.as_str()),
        _ => ("action == Action::\"obtain\"", items.as_str()),
    };
    let principal = if dice.once_in(6) {
        format!("principal == Database::\"{}\"", dice.of(&DATABASES))
    } else {
        "principal".to_owned()
    };
    let forbids = dice.once_in(3);
    // Few oblige: one that obliges who obtains nothing is refused, and its set with it.
    let (effect, obligation) = match (forbids, dice.below(24)) {
        (true, _) => ("forbid", "none"),
        (false, 0) => ("permit", "max-age=60"),
        (false, 1) => ("permit", "no-onward-transfer"),
        (false, _) => ("permit", "none"),
    };
    let validity =
        *dice.of(&["2021-11-15/..", "2021-11-15/..", "2021-11-15/2024-01-01", "2026-11-25/.."]);
    let mut conditions = String::new();
    for word in ["when", "unless"] {
        if dice.once_in(2) {
            conditions += &format!(" {word} {{ {} }}", condition(dice, 2));
        }
    }
    format!(
        "@id(\"r{id:02}\") @basis(\"{basis}\") @validity(\"{validity}\") @obligation(\"{obligation}\") @vi(\"a\") \
         @en(\"a\")\n{effect} ({principal}, {action}, {resource}){conditions};\n"
    )
}

/// Random rules: whatever is loaded is decided as Cedar does.
#[test]
fn i2_tables_of_any_rules_say_what_cedar_says() {
    let (_, sets) = scale();
    let catalogue = catalogue(LegalProfile::Law2023);
    let (mut seen, mut loaded, mut failing) = (Seen::default(), 0, 0);
    for seed in 0..sets {
        let mut dice = Dice(seed);
        // One of the grounds ended: permits on it say nothing, forbids do.
        let clauses = ["1911-2021-art-1-2", "law-59-2014-art-9-1"];
        let count = 1 + dice.below(12);
        let texts: Vec<String> = (0..2)
            .map(|file| {
                // Not in the order of their names.
                let ids = (0..count).map(|n| n * 7 % 12 * 2 + file).collect::<BTreeSet<_>>();
                ids.into_iter()
                    .rev()
                    .map(|id| written(&mut dice, id, clauses[file], &catalogue))
                    .collect()
            })
            .collect();
        let files: Vec<_> =
            clauses.iter().zip(&texts).map(|(clause, text)| RuleFile { clause, text }).collect();
        // Cedar's validator refuses what can never hold.
        let Ok(rules) = Rules::load(&files, SHIPPED[3], &catalogue) else { continue };
        loaded += 1;
        for _ in 0..20 {
            let drawn = Drawn::draw(&mut dice, &catalogue);
            failing += usize::from(rules.satisfied(&drawn.question(), &[]).is_none());
            compare(&drawn, &catalogue, &rules, &mut seen, seed);
        }
    }
    println!(
        "tables of random rules against Cedar: {loaded} of {sets} sets, {} requests ({failing} with a rule that fails), \
         {} items, {} allowed, {} with all rules",
        seen.requests, seen.items, seen.allowed, seen.deciding
    );
    assert!(loaded * 2 > sets, "{loaded} of {sets}");
    assert!(failing > 0 && seen.allowed > 0 && seen.allowed < seen.items);
}
