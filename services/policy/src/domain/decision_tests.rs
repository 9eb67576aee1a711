//! What the shipped data cannot show: grounds that end, and data with faults.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use time::macros::{date, datetime};

use super::*;
use crate::domain::{agreement::Terms, registry::Registry, request::By};
use model::EventKind as Event;

const ITEM: &str = "birth_full_name";

/// The shipped data with one text changed in one file.
fn changed(file: usize, from: &str, to: &str) -> Result<Profile, Error> {
    let text = SHIPPED[file].replace(from, to);
    assert_ne!(text, SHIPPED[file], "nothing changed");
    let mut files = SHIPPED;
    files[file] = &text;
    Profile::read(LegalProfile::Law2023, files, &RULES)
}

/// The shipped data with one text changed in the rules of one clause.
fn ruled(clause: &str, from: &str, to: &str) -> Result<Profile, Error> {
    let place = RULES.iter().position(|file| file.clause == clause).unwrap();
    let text = RULES[place].text.replace(from, to);
    assert_ne!(text, RULES[place].text, "nothing changed");
    let mut rules = RULES;
    rules[place].text = &text;
    Profile::read(LegalProfile::Law2023, SHIPPED, &rules)
}

fn load(profile: LegalProfile) -> Profile {
    Profile::load(profile).unwrap()
}

fn request() -> Request {
    Request {
        caller: ("G24".to_owned(), "health-insurance".to_owned()),
        act: Act::Obtain,
        event: None,
        procedure: "child-health-insurance-card".to_owned(),
        legal_basis: "1911-2021-art-2-1".to_owned(),
        direction: false,
        by: Some(By { acting_unit: "G24.1".to_owned(), ..By::default() }),
        items: vec![ITEM.to_owned()],
    }
}

fn standing() -> Standing {
    let registry = Registry::parse(include_str!("../../testdata/registry.toml")).unwrap();
    Standing {
        admission: None,
        registry: String::new(),
        number: 1,
        rules: Default::default(),
        connection: registry.connections.into_iter().find(|c| c.id == "conn-social-insurance"),
        granted: vec![granted("a", &[ITEM])],
        signing: Vec::new(),
    }
}

fn granted(agreement: &str, items: &[&str]) -> Granted {
    Granted {
        agreement: agreement.to_owned(),
        valid_from: date!(2020 - 01 - 01),
        valid_to: date!(2030 - 01 - 01),
        terms: Terms::default(),
        items: items.iter().map(|item| ((*item).to_owned(), Vec::new())).collect(),
    }
}

fn decide(profile: &Profile, standing: &Standing, now: OffsetDateTime) -> Decision {
    profile.decide(&request(), standing, now, Duration::hours(1))
}

/// The ground of a forbid that applies ends at midnight, and the table with it; on the day after
/// the forbid still stands and ends nothing any more.
#[test]
fn a_table_ends_with_the_ground_of_a_rule() {
    let row = "id = \"1911-2021-art-1-2\"";
    let ends = format!("{row}\neffective_to = \"2026-11-25\"");
    let profile = changed(2, row, &ends).unwrap();
    let before = decide(&profile, &standing(), datetime!(2026-11-24 16:59:30 UTC));
    assert!(before.outcome.is_ok());
    assert_eq!(before.valid_until, datetime!(2026-11-24 17:00 UTC));
    let after = decide(&profile, &standing(), datetime!(2026-11-24 17:00 UTC));
    assert!(after.outcome.is_ok_and(|table| !table.resolve(|_| Fact::True).visible));
    assert_eq!(after.valid_until, datetime!(2026-11-24 18:00 UTC));
}

/// So it ends with what the connection, the items and the request stand on, and then nothing is
/// allowed.
#[test]
fn i2_a_table_ends_with_each_ground_that_it_needs() {
    for (ground, rule) in [
        ("decree-70-2024-art-7-2", "connection-basis-ended"),
        ("law-26-2023-art-9", "legal-profile-not-in-force"),
        ("1911-2021-art-2-1", "basis-not-in-force"),
    ] {
        let row = format!("id = \"{ground}\"");
        let profile = changed(2, &row, &format!("{row}\neffective_to = \"2026-11-25\"")).unwrap();
        let before = decide(&profile, &standing(), datetime!(2026-11-24 16:59:30 UTC));
        assert!(before.outcome.is_ok(), "{ground}");
        assert_eq!(before.valid_until, datetime!(2026-11-24 17:00 UTC), "{ground}");
        let after = decide(&profile, &standing(), datetime!(2026-11-24 17:00 UTC));
        assert_eq!(after.outcome.unwrap_err().rule, rule);
    }
}

/// What permits under a ground that ended permits no longer.
#[test]
fn i2_a_permit_ends_with_its_ground() {
    let (stands, ended) = ("@basis(\"1911-2021-art-2-1\")", "@basis(\"law-59-2014-art-9-1\")");
    let mut rules = RULES;
    let place = rules.iter().position(|file| file.clause == "1911-2021-art-2-1").unwrap();
    let text = rules[place].text.replace(stands, ended);
    rules[place] = RuleFile { clause: "law-59-2014-art-9-1", text: &text };
    let profile = Profile::read(LegalProfile::Law2023, SHIPPED, &rules).unwrap();
    let decision = decide(&profile, &standing(), datetime!(2026-11-24 05:00 UTC));
    let denial = decision.outcome.unwrap_err();
    assert_eq!(denial.rule, "no-rule-permits");
    assert_eq!(denial.article, "Decision 1911/QD-TTg, Art. 2(1)");
}

/// A rule holds on the days that it says, and a table ends where one begins or ends.
#[test]
fn i2_a_table_ends_where_a_rule_begins_or_ends() {
    let (from, midnight) = ("2021-11-15/..", datetime!(2026-11-24 17:00 UTC));
    let (before, noon) = (datetime!(2026-11-24 16:59:30 UTC), datetime!(2026-11-25 05:00 UTC));
    let hidden =
        |decision: &Decision| !decision.outcome.as_ref().unwrap().resolve(|_| Fact::True).visible;
    for (validity, at_first) in [("2021-11-15/2026-11-25", true), ("2026-11-25/..", false)] {
        let profile = ruled("1911-2021-art-1-2", from, validity).unwrap();
        let first = decide(&profile, &standing(), before);
        assert_eq!((hidden(&first), first.valid_until), (at_first, midnight), "{validity}");
        let then = decide(&profile, &standing(), midnight);
        assert_eq!(hidden(&then), !at_first, "{validity}");
        assert_eq!(then.valid_until, datetime!(2026-11-24 18:00 UTC), "{validity}");
    }
    let ends = ruled("1911-2021-art-2-1", from, "2021-11-15/2026-11-25").unwrap();
    assert_eq!(decide(&ends, &standing(), before).valid_until, midnight);
    let denial = decide(&ends, &standing(), noon).outcome.unwrap_err();
    assert_eq!(denial.rule, "no-rule-permits");
}

/// The first of the shipped rules that permit to obtain, which obliges to this and is about these.
fn obliging(obligation: &str, scope: &str) -> Profile {
    let clause = "1911-2021-art-2-1";
    let place = RULES.iter().position(|file| file.clause == clause).unwrap();
    let none = "@obligation(\"none\")";
    let text = RULES[place].text.replacen(none, &format!("@obligation(\"{obligation}\")"), 1);
    let all = "Action::\"obtain\", resource)";
    assert!(text.contains(all));
    let text = text.replace(all, &format!("Action::\"obtain\", {scope})"));
    let mut rules = RULES;
    rules[place].text = &text;
    Profile::read(LegalProfile::Law2023, SHIPPED, &rules).unwrap()
}

/// What was decided of the only item, of somebody of whom nothing is true; or the rule of the denial.
fn only(decision: Decision) -> Result<decide::ItemDecision, String> {
    let table = decision.outcome.map_err(|denial| denial.rule)?;
    Ok(table.resolve(|_| Fact::False).items.into_iter().next().unwrap())
}

/// What the agreement obliges to comes with what the rule does; where both cannot be kept the item is withheld.
#[test]
fn an_item_comes_with_the_obligations_of_rule_and_agreement() {
    use decide::{MaskForm, Obligation};
    let now = datetime!(2026-11-24 05:00 UTC);
    let mut standing = standing();
    let obliges = |obligation: &str| obliging(obligation, "resource");
    let first = |profile: &Profile, standing: &Standing| only(decide(profile, standing, now));
    standing.granted[0].items[0].1 = vec![Obligation::NoOnwardTransfer, Obligation::MaxAge(90)];
    let item = first(&obliges("max-age=60"), &standing).unwrap();
    assert_eq!(item.obligations, [Obligation::MaxAge(60), Obligation::NoOnwardTransfer]);
    let lives = "permanent_residence";
    standing.granted[0].items =
        vec![(lives.to_owned(), vec![Obligation::Mask(MaskForm::LastFour)])];
    let there = format!("resource == Item::\"{lives}\"");
    let asked = Request { items: vec![lives.to_owned()], ..request() };
    let masked = obliging("mask=province", &there);
    let decision = masked.decide(&asked, &standing, now, Duration::hours(1));
    assert_eq!(only(decision).unwrap_err(), "obligations-differ");
}

/// Whoever is permitted an item by several rules stands on the one that obliges to least.
#[test]
fn of_several_rules_the_one_that_obliges_to_least_is_stood_on() {
    use decide::Obligation;
    let now = datetime!(2026-11-24 05:00 UTC);
    let more = |rules: &[(&str, &str)]| {
        let place = RULES.iter().position(|file| file.clause == "1911-2021-art-2-1").unwrap();
        let mut text =
            RULES[place].text.replacen("@obligation(\"none\")", "@obligation(\"max-age=60\")", 1);
        for (id, obligation) in rules {
            text += &format!(
                "@id(\"{id}\") @basis(\"1911-2021-art-2-1\") @validity(\"2021-11-15/..\") \
                 @obligation(\"{obligation}\") @vi(\"a\") @en(\"a\") \
                 permit (principal, action == Action::\"obtain\", resource);\n"
            );
        }
        let mut all = RULES;
        all[place].text = &text;
        let profile = Profile::read(LegalProfile::Law2023, SHIPPED, &all).unwrap();
        only(decide(&profile, &standing(), now)).unwrap()
    };
    // `shared-for-assigned-tasks` obliges to a minute.
    let of = |rules: &[(&str, &str)]| more(rules).rule;
    assert_eq!(of(&[("a", "max-age=30")]), "shared-for-assigned-tasks");
    assert_eq!(of(&[("a", "max-age=60")]), "a");
    assert_eq!(of(&[("z", "max-age=60")]), "shared-for-assigned-tasks");
    assert_eq!(of(&[("z", "max-age=90"), ("a", "no-onward-transfer")]), "z");
    assert_eq!(of(&[("a", "valid-until=1795500000")]), "a");
    // Up to a moment that has come nothing is permitted any more.
    assert_eq!(of(&[("a", "valid-until=1795496400")]), "shared-for-assigned-tasks");
    assert_eq!(more(&[("a", "none")]).obligations, []);
    assert_eq!(more(&[]).obligations, [Obligation::MaxAge(60)]);
}

/// Up to a moment means up to it: the table ends there, and then the item is withheld.
#[test]
fn i2_what_is_given_up_to_a_moment_is_not_given_afterwards() {
    use decide::Obligation;
    let profile = load(LegalProfile::Law2023);
    let mut standing = standing();
    let end = datetime!(2026-11-24 05:10 UTC);
    standing.granted[0].items[0].1 = vec![Obligation::ValidUntil(end.unix_timestamp())];
    let before = decide(&profile, &standing, end - Duration::milliseconds(300));
    assert_eq!(before.valid_until, end);
    assert_eq!(only(before).unwrap().obligations, standing.granted[0].items[0].1);
    for since in [Duration::ZERO, Duration::milliseconds(300), Duration::days(1)] {
        let after = decide(&profile, &standing, end + since);
        assert_eq!(only(after).unwrap_err(), "obligations-ended");
    }
}

/// Conditions are told with what is obtained, and with nothing else: so nothing else is given on any. Of whoever is given
/// nothing they ask nothing.
#[test]
fn i2_what_would_be_given_on_conditions_is_withheld_where_nobody_is_told_of_them() {
    use decide::Obligation;
    let now = datetime!(2026-11-24 05:00 UTC);
    let (of_rule, of_agreement) = (obliging("max-age=60", "resource"), load(LegalProfile::Law2023));
    let mut obliged = standing();
    obliged.granted[0].items[0].1 = vec![Obligation::NoOnwardTransfer];
    for (profile, standing) in [(&of_rule, &standing()), (&of_agreement, &obliged)] {
        let of = |act: Act| {
            let procedure =
                if act == Act::Follow { "database-upkeep" } else { "portal-form-prefill" };
            let asked = Request { act, procedure: procedure.to_owned(), ..request() };
            only(profile.decide(&asked, standing, now, Duration::hours(1)))
        };
        assert_eq!(of(Act::Obtain).unwrap().obligations.len(), 1);
        assert_eq!(of(Act::RotateTokens).unwrap().obligations, []);
        for act in [
            Act::Follow,
            Act::Explain,
            Act::Resolve,
            Act::Search,
            Act::Relations,
            Act::InverseRelations,
            Act::Household,
        ] {
            assert_eq!(of(act).unwrap_err(), "obligations-untold", "{act:?}");
        }
    }
}

#[test]
fn i2_a_connection_whose_ground_ended_without_a_successor_is_denied() {
    let next = "replaced_by = \"decree-70-2024-art-7-2\"\n";
    let profile = changed(2, next, "").unwrap();
    let mut standing = standing();
    standing.connection.as_mut().unwrap().legal_basis = CONNECTING.to_owned();
    let decision = decide(&profile, &standing, datetime!(2026-11-24 05:00 UTC));
    let denial = decision.outcome.unwrap_err();
    assert_eq!(denial.rule, "connection-basis-ended");
    assert_eq!(denial.article, "Decree 137/2015/ND-CP, Art. 7(2)");
}

/// Whoever asks cannot choose, by the items that it names or by which agreement has the lower id, the one that demands nothing.
#[test]
fn i2_any_agreement_that_serves_a_request_can_demand_that_it_is_signed() {
    let profile = load(LegalProfile::Law2023);
    let now = datetime!(2026-11-24 05:00 UTC);
    let demanding = |agreement: &str, items: &[&str]| Granted {
        terms: Terms { signed_requests: true, ..Terms::default() },
        ..granted(agreement, items)
    };
    let over = Granted { valid_to: date!(2026 - 11 - 24), ..demanding("c", &[ITEM]) };
    let elsewhere = Granted {
        terms: Terms {
            units: ["G99".to_owned()].into(),
            signed_requests: true,
            ..Terms::default()
        },
        ..granted("c", &[ITEM])
    };
    for (all, signed) in [
        (vec![granted("a", &[ITEM])], false),
        (vec![granted("a", &[ITEM]), demanding("b", &[ITEM])], true),
        (vec![demanding("a", &[ITEM]), granted("b", &[ITEM])], true),
        // The other one grants more, and is applied.
        (vec![demanding("a", &["sex"]), granted("b", &[ITEM])], true),
        (vec![granted("a", &[ITEM]), over], false),
        (vec![granted("a", &[ITEM]), elsewhere], false),
    ] {
        let decision = decide(&profile, &Standing { granted: all, ..standing() }, now);
        assert!(decision.outcome.is_ok());
        assert_eq!(decision.signed_requests, signed);
    }
}

#[test]
fn of_several_agreements_the_one_that_grants_most_is_applied_and_never_two() {
    let profile = load(LegalProfile::Law2023);
    let mut standing = standing();
    standing.granted = vec![granted("a", &["sex"]), granted("b", &[ITEM]), granted("c", &[ITEM])];
    let decision = decide(&profile, &standing, datetime!(2026-11-24 05:00 UTC));
    assert_eq!(decision.agreement, "b");
}

/// Of every procedure and every kind of event; whatever the agreement grants.
#[test]
fn i2_a_contribution_is_denied_unless_the_procedure_names_its_event() {
    const NAMED: [(&str, &[Event]); 19] = [
        ("birth-registration", &[Event::Birth]),
        ("death-registration", &[Event::Death]),
        ("civil-status-correction", &[Event::Correction]),
        ("marriage-registration", &[Event::Marriage]),
        ("divorce-entry", &[Event::Divorce, Event::End]),
        ("missing-declaration-entry", &[Event::Missing, Event::Found]),
        ("parent-recognition", &[Event::Recognition]),
        ("adoption-registration", &[Event::Adoption, Event::End]),
        ("civil-status-change", &[Event::CivilStatusChange]),
        ("permanent-residence-registration", &[Event::Residence]),
        ("permanent-residence-deregistration", &[Event::Residence, Event::End]),
        ("temporary-residence-registration", &[Event::Residence, Event::End]),
        ("temporary-absence-declaration", &[Event::Absence, Event::End]),
        ("household-change", &[Event::Household]),
        ("identity-document-issue", &[Event::DocumentIssue, Event::DocumentWithdrawal]),
        ("duplicate-record-handling", &[Event::Merge, Event::Split]),
        ("blood-type-update", &[Event::BloodTest, Event::End]),
        ("contact-update", &[Event::ContactChange, Event::End]),
        ("conflict-resolution", &[Event::ConflictDecision]),
    ];
    let profile = load(LegalProfile::Law2023);
    let mut suited = 0;
    for procedure in profile.catalogue.procedures() {
        for event in Event::ALL.map(Some).into_iter().chain([None]) {
            let contribute = Request {
                act: Act::Contribute,
                event,
                procedure: procedure.id.clone(),
                legal_basis: PROVIDING.to_owned(),
                ..request()
            };
            let (now, longest) = (datetime!(2026-11-24 05:00 UTC), Duration::hours(1));
            let outcome = profile.decide(&contribute, &standing(), now, longest).outcome;
            let what = format!("{} {event:?}", procedure.id);
            let id = procedure.id.as_str();
            // Whatever can be contributed can be annulled.
            let named = match event {
                Some(Event::Annulment) => NAMED.iter().any(|(named, _)| *named == id),
                Some(event) => {
                    NAMED.iter().any(|(named, all)| *named == id && all.contains(&event))
                }
                None => false,
            };
            suited += usize::from(named);
            if named {
                assert!(outcome.is_ok(), "{what}");
                continue;
            }
            let denial = outcome.unwrap_err();
            assert!(matches!(denial.refusal, Refusal::NoAgreement), "{what}");
            assert_eq!(denial.rule, "event-not-of-procedure", "{what}");
            assert_eq!(denial.article, "Decision 1911/QD-TTg, Art. 2(2)", "{what}");
        }
    }
    let all: usize = NAMED.iter().map(|(_, events)| events.len()).sum();
    assert_eq!(suited, all + NAMED.len());
}

/// Whoever follows is told of what it might obtain, and of nothing under a procedure for single cases.
#[test]
fn i2_following_is_denied_unless_the_procedure_is_for_it() {
    let profile = load(LegalProfile::Law2023);
    let (now, longest) = (datetime!(2026-11-24 05:00 UTC), Duration::hours(1));
    let mut suited = 0;
    for procedure in profile.catalogue.procedures() {
        let follow = Request { act: Act::Follow, procedure: procedure.id.clone(), ..request() };
        let outcome = profile.decide(&follow, &standing(), now, longest).outcome;
        if procedure.follows {
            suited += 1;
            let obtain = Request { act: Act::Obtain, ..follow };
            let obtained = profile.decide(&obtain, &standing(), now, longest).outcome;
            assert_eq!(outcome.unwrap(), obtained.unwrap(), "{}", procedure.id);
            continue;
        }
        let denial = outcome.unwrap_err();
        assert!(matches!(denial.refusal, Refusal::NoAgreement), "{}", procedure.id);
        assert_eq!(denial.rule, "procedure-follows-nobody", "{}", procedure.id);
    }
    assert_eq!(suited, 1);
}

#[test]
fn i9_data_with_faults_are_refused() {
    for (file, from, to) in [
        (0, "id = \"sex\"", "id = \"birth_full_name\""),
        (0, "code_list = \"sex\"\n", ""),
        (0, "law_2014 = \"g\"", "law_2014 = \"f\""),
        (0, "law_2014 = \"g\"", "law_2014 = \"e\""),
        (0, "\"e\", \"g\"", "\"e\", \"e\", \"g\""),
        (0, "\"law-59-2014-art-9-1\"", "\"law-of-nowhere\""),
        (0, "\"law-26-2023-art-9\"", "\"law-of-nowhere\""),
        (1, "id = \"death-registration\"", "id = \"birth-registration\""),
        (1, "claims = \"waived\"", "claims = \"perhaps\""),
        (1, "events = [\"birth\", ", "events = [\"wedding\", "),
        (1, "events = [\"birth\", ", "events = [\"BIRTH\", "),
        (1, "events = [\"birth\", \"annulment\"]\n", ""),
        (2, "id = \"1911-2021-art-3-4-b\"", "id = \"other\""),
        (2, "id = \"1911-2021-art-2-2\"", "id = \"other\""),
        (2, "effective_from = \"2021-11-15\"", "effective_from = \"2021-11-31\""),
    ] {
        assert!(changed(file, from, to).is_err(), "{to}");
    }
    let (from, to) = ("ItemGroup::\"contact\"", "ItemGroup::\"contcat\"");
    assert!(ruled("1911-2021-art-1-2", from, to).is_err());
}

#[test]
fn every_file_and_the_profile_are_in_the_revision() {
    let profile = LegalProfile::Law2023;
    let shipped = load(profile).revision("r");
    assert_eq!(shipped.len(), REVISION_LEN);
    for file in 0..SHIPPED.len() {
        let text = format!("{}\n", SHIPPED[file]);
        let mut files = SHIPPED;
        files[file] = &text;
        let read = Profile::read(profile, files, &RULES).unwrap();
        assert_ne!(read.revision("r"), shipped, "file {file}");
    }
    for file in 0..RULES.len() {
        let text = format!("{}\n", RULES[file].text);
        let mut rules = RULES;
        rules[file].text = &text;
        let read = Profile::read(profile, SHIPPED, &rules).unwrap();
        assert_ne!(read.revision("r"), shipped, "rules {file}");
    }
    assert_ne!(load(profile).revision("s"), shipped);
    assert_ne!(load(LegalProfile::Law2014).revision("r"), shipped);
}
