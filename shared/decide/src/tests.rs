//! Properties of decision tables.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn decision(item: usize, effect: ItemEffect, rule: &str) -> ItemDecision {
    ItemDecision {
        item: format!("item-{item}"),
        effect,
        rule: rule.to_owned(),
        legal_basis: "1911-2021-art-2-1".to_owned(),
        article: "Art. 2(1)".to_owned(),
        obligations: Vec::new(),
    }
}

/// One of a few lists of obligations, of which some cannot be kept together.
fn obliged(n: usize) -> Vec<Obligation> {
    let all: [&[Obligation]; 5] = [
        &[],
        &[Obligation::MaxAge(60)],
        &[Obligation::MaxAge(90), Obligation::NoOnwardTransfer],
        &[Obligation::Mask(MaskForm::LastFour), Obligation::ValidUntil(7)],
        &[Obligation::Mask(MaskForm::Province)],
    ];
    all[n % all.len()].to_vec()
}

fn answer(visible: bool, allowed: &[bool], rule: &str) -> TableAnswer {
    let effect =
        |allowed| if visible && allowed { ItemEffect::Allowed } else { ItemEffect::Withheld };
    TableAnswer {
        visible,
        items: allowed
            .iter()
            .enumerate()
            .map(|(item, a)| {
                let decided = decision(item, effect(*a), rule);
                let allowed = decided.effect == ItemEffect::Allowed;
                // Otherwise from row to row and from item to item.
                let obligations = if allowed { obliged(item + rule.len()) } else { Vec::new() };
                ItemDecision { obligations, ..decided }
            })
            .collect(),
    }
}

prop_compose! {
    fn tables()(facts in 0_usize..5, items in 0_usize..6, count in 1_u32..5)(
        answers in prop::collection::vec((prop::bool::weighted(0.8), prop::collection::vec(any::<bool>(), items)), count as usize),
        rows in prop::collection::vec(0..count, 1 << facts),
        facts in Just(facts),
    ) -> DecisionTable {
        let names = (0..facts).map(|fact| format!("fact-{fact}")).collect();
        let answers = answers.iter().enumerate().map(|(n, (v, a))| answer(*v, a, &"rule".repeat(n + 1))).collect();
        DecisionTable::new(names, rows, answers).unwrap()
    }
}

fn known() -> impl Strategy<Value = Fact> {
    prop_oneof![Just(Fact::True), Just(Fact::False), Just(Fact::Unknown)]
}

fn look(facts: &[Fact]) -> impl Fn(&str) -> Fact {
    move |name| facts[name.strip_prefix("fact-").unwrap().parse::<usize>().unwrap()]
}

/// The same, of whom nobody may be asked about a consent.
fn look_but(facts: &[Fact]) -> impl Fn(&str) -> Fact {
    move |name| {
        assert_ne!(name, CONSENT);
        look(facts)(name)
    }
}

fn allowed(answer: &TableAnswer) -> Vec<bool> {
    answer.items.iter().map(|item| item.effect == ItemEffect::Allowed).collect()
}

proptest! {
    /// What is not known of the subject obliges to no less, and what cannot be kept together is not given.
    #[test]
    fn i2_forgetting_a_fact_obliges_to_no_less(table in tables(), facts in prop::collection::vec(known(), 5), gone in 0_usize..5) {
        let before = table.resolve(look(&facts));
        let mut fewer = facts;
        fewer[gone] = Fact::Unknown;
        let after = table.resolve(look(&fewer));
        for (before, after) in before.items.iter().zip(&after.items) {
            prop_assert!(obligation::together(&after.obligations, &[]).is_some());
            if after.effect == ItemEffect::Allowed {
                let both = obligation::together(&before.obligations, &after.obligations);
                prop_assert_eq!(both.as_ref(), Some(&after.obligations));
            } else {
                prop_assert!(after.obligations.is_empty());
            }
        }
    }

    #[test]
    fn i2_forgetting_a_fact_never_widens(table in tables(), facts in prop::collection::vec(known(), 5), gone in 0_usize..5) {
        let before = table.resolve(look(&facts));
        let mut fewer = facts;
        fewer[gone] = Fact::Unknown;
        let after = table.resolve(look(&fewer));
        prop_assert!(before.visible || !after.visible);
        for (before, after) in allowed(&before).iter().zip(allowed(&after)) {
            prop_assert!(*before || !after);
        }
    }

    #[test]
    fn i2_unknown_is_exactly_the_and_of_its_rows(table in tables(), facts in prop::collection::vec(known(), 5)) {
        let got = table.resolve(look(&facts));
        let rows = (0..table.rows().len()).filter(|row| {
            (0..table.facts().len()).all(|bit| match facts[bit] {
                Fact::True => row >> bit & 1 == 1,
                Fact::False => row >> bit & 1 == 0,
                Fact::Unknown => true,
            })
        });
        let rows: Vec<_> = rows.map(|row| &table.answers()[table.rows()[row] as usize]).collect();
        prop_assert_eq!(got.visible, rows.iter().all(|row| row.visible));
        for item in 0..got.items.len() {
            let all = rows.iter().all(|row| row.items[item].effect == ItemEffect::Allowed);
            let obliges: Vec<_> = rows.iter().flat_map(|row| row.items[item].obligations.clone()).collect();
            let obliges = obligation::together(&obliges, &[]);
            let got = &got.items[item];
            prop_assert_eq!(got.effect == ItemEffect::Allowed, all && obliges.is_some());
            if obliges.is_none() && got.rule == OBLIGATIONS_DIFFER {
                continue;
            }
            if all {
                prop_assert_eq!(Some(&got.obligations), obliges.as_ref());
            }
            // The reason given is the reason of a row that came to the same decision.
            let same = |row: &&TableAnswer| {
                let row = &row.items[item];
                (row.effect, &row.rule, &row.article) == (got.effect, &got.rule, &got.article)
            };
            prop_assert!(rows.iter().any(same));
        }
    }

    #[test]
    fn i3_every_item_has_exactly_one_outcome(table in tables(), facts in prop::collection::vec(known(), 5)) {
        let got = table.resolve(look(&facts));
        let want: Vec<_> = table.answers()[0].items.iter().map(|item| item.item.clone()).collect();
        prop_assert_eq!(got.items.iter().map(|item| item.item.clone()).collect::<Vec<_>>(), want);
    }

    #[test]
    fn i7_a_hidden_person_has_no_allowed_item(table in tables(), facts in prop::collection::vec(known(), 5)) {
        let got = table.resolve(look(&facts));
        prop_assert!(got.visible || !got.allows_anything());
    }

    /// Whoever knows of a fact needs no column of it, and is left no answer of another row.
    #[test]
    fn a_table_that_knows_a_fact_says_the_same_without_it(
        table in tables(), facts in prop::collection::vec(known(), 5), fact in 0_usize..5, holds in any::<bool>(),
    ) {
        let name = format!("fact-{fact}");
        let knows = table.knowing(&name, holds);
        prop_assert!(!knows.facts().contains(&name));
        prop_assert!(DecisionTable::new(knows.facts().to_vec(), knows.rows().to_vec(), knows.answers().to_vec()).is_ok());
        let mut facts = facts;
        facts[fact] = holds.into();
        prop_assert_eq!(knows.resolve(look(&facts)), table.resolve(look(&facts)));
        prop_assert_eq!(knows.allows_anything(), table.allows_anything_where(&name, holds));
        let column = table.facts().contains(&name);
        let same = table.knowing(&name, true) == table.knowing(&name, false);
        prop_assert_eq!(table.ignores(&name), column && same);
        prop_assert!((0..knows.answers().len()).all(|at| knows.rows().iter().any(|row| *row as usize == at)));
    }

    /// A consent opens what it covers and nothing else; to none it opens as much as if there were none, or hides.
    #[test]
    fn i3_a_consent_counts_for_the_items_that_it_covers(
        table in tables(), facts in prop::collection::vec(known(), 5), column in 0_usize..5, covered in prop::collection::vec(any::<bool>(), 6),
    ) {
        let names = table.facts().iter().map(|name| {
            if *name == format!("fact-{column}") { CONSENT.to_owned() } else { name.clone() }
        });
        let table = DecisionTable::new(names.collect(), table.rows().to_vec(), table.answers().to_vec()).unwrap();
        let with = |consent: Fact| table.resolve(|name| if name == CONSENT { consent } else { look(&facts)(name) });
        let (given, none) = (with(Fact::True), with(Fact::False));
        let place = |item: &str| item.strip_prefix("item-").unwrap().parse::<usize>().unwrap();
        let got = table.consented(look_but(&facts), |item| covered[place(item)]);
        prop_assert_eq!(got.visible, given.visible);
        prop_assert!(got.visible || !got.allows_anything());
        for (at, item) in got.items.iter().enumerate() {
            let expected = if covered[at] || !given.visible { &given.items[at] } else { &none.items[at] };
            prop_assert_eq!(item, expected);
        }
    }

    /// Whoever wants all or nothing is shown whom it may have all of, and nobody else; the table is whole.
    #[test]
    fn i7_of_whom_not_all_is_allowed_nothing_is(table in tables(), facts in prop::collection::vec(known(), 5)) {
        let mut whole = table.clone();
        whole.hide_in_part();
        prop_assert!(DecisionTable::new(whole.facts().to_vec(), whole.rows().to_vec(), whole.answers().to_vec()).is_ok());
        for (before, after) in table.answers().iter().zip(whole.answers()) {
            let all = allowed(before).iter().all(|allowed| *allowed);
            prop_assert_eq!(after.visible, before.visible && all);
            let same = after.visible && before == after;
            prop_assert!(same || !(after.visible || after.allows_anything()));
        }
        prop_assert!(table.resolve(look(&facts)).visible || !whole.resolve(look(&facts)).visible);
    }

    #[test]
    fn known_facts_pick_their_row(table in tables(), row in 0_usize..32) {
        let row = row % table.rows().len();
        let facts: Vec<Fact> = (0..5).map(|bit| Fact::from(row >> bit & 1 == 1)).collect();
        prop_assert_eq!(&table.resolve(look(&facts)), &table.answers()[table.rows()[row] as usize]);
    }
}

#[test]
fn the_withholding_rule_speaks_for_an_unknown_fact() {
    let answers =
        vec![answer(true, &[true, true], "permit"), answer(true, &[true, false], "forbid")];
    let table = DecisionTable::new(vec!["protected".to_owned()], vec![0, 1], answers).unwrap();
    let got = table.resolve(|_| Fact::Unknown);
    assert_eq!(allowed(&got), [true, false]);
    assert_eq!(got.items[0].rule, "permit");
    assert_eq!(got.items[1].rule, "forbid");
}

#[test]
fn tables_that_are_not_whole_are_refused() {
    let names = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>();
    let yes = || answer(true, &[true], "permit");
    let new = DecisionTable::new;
    assert_eq!(new(names(9), vec![0; 512], vec![yes()]), Err(Error::TooManyFacts(9)));
    assert_eq!(
        new(vec!["a".to_owned(); 2], vec![0; 4], vec![yes()]),
        Err(Error::RepeatedFact("a".to_owned()))
    );
    assert_eq!(
        new(names(1), vec![0], vec![yes()]),
        Err(Error::WrongRowCount { facts: 1, expected: 2, rows: 1 })
    );
    assert_eq!(
        new(names(1), vec![0, 1], vec![yes()]),
        Err(Error::NoSuchAnswer { row: 1, answer: 1 })
    );
    assert_eq!(new(vec![], vec![0], vec![]), Err(Error::NoSuchAnswer { row: 0, answer: 0 }));
    let two = answer(true, &[true, true], "permit");
    assert_eq!(new(names(1), vec![0, 1], vec![yes(), two]), Err(Error::OtherItems(1)));
    let mut twice = yes();
    twice.items.push(twice.items[0].clone());
    assert_eq!(new(vec![], vec![0], vec![twice]), Err(Error::RepeatedItem("item-0".to_owned())));
    let mut unknown = yes();
    unknown.items[0].effect = ItemEffect::UnknownItem;
    assert_eq!(
        new(names(1), vec![0, 1], vec![yes(), unknown]),
        Err(Error::CatalogueDiffers("item-0".to_owned()))
    );
    let mut hidden = yes();
    hidden.visible = false;
    assert_eq!(new(vec![], vec![0], vec![hidden]), Err(Error::HiddenButAllowed(0)));
    // What is not allowed obliges nobody, and nobody can give a value in two forms.
    let two = [MaskForm::Province, MaskForm::LastFour].map(Obligation::Mask).to_vec();
    for (effect, obligations) in [
        (ItemEffect::Withheld, vec![Obligation::MaxAge(60)]),
        (ItemEffect::UnknownItem, vec![Obligation::MaxAge(60)]),
        (ItemEffect::Allowed, two),
    ] {
        let mut obliging = yes();
        let item = &mut obliging.items[0];
        (item.effect, item.obligations) = (effect, obligations);
        let refused = new(vec![], vec![0], vec![obliging]);
        assert_eq!(refused, Err(Error::Obliges("item-0".to_owned())));
    }
}

#[test]
fn whoever_gives_no_forms_withholds_what_only_a_form_is_allowed_of() {
    let mut one = answer(true, &[true, true, true], "permit");
    one.items[1].obligations = vec![Obligation::MaxAge(60)];
    one.items[2].obligations = vec![Obligation::MaxAge(60), Obligation::Mask(MaskForm::Province)];
    one.items[0].obligations.clear();
    let mut table = DecisionTable::new(vec![], vec![0], vec![one]).unwrap();
    table.withhold_masked();
    let got = table.resolve(|_| Fact::Unknown);
    assert_eq!(allowed(&got), [true, true, false]);
    assert_eq!(got.items[1].obligations, [Obligation::MaxAge(60)]);
    assert_eq!((&*got.items[2].rule, got.items[2].obligations.len()), (MASKED, 0));
}
