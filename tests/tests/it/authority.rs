//! Which source wins: by rules that are data, explained, and folded anew when they change (I5).

use contract::{
    contribution::v1::{SubmitContributionRequest, submit_contribution_request::Event},
    identity::v1::{
        ExplainValueAnswer, ExplainValueRequest, GetPersonRequest, LookupOutcome, ValueStanding,
    },
    r#type::v1::{
        AccessBasis, Claims, CodedValue, Identifier, IdentifierKind, SubjectRef, item_outcome,
        item_value,
    },
};
use lienthong::client::{Answered, Client, Refused};
use model::{PartialDate, PersonalNumber, Sex, Value};
use store::Engine;
use tests::{
    databases::{Listener, connect, following, route},
    events::{about, birth, correction, date, ground, name, residence},
    on_both_engines,
    whole::{LOADED_US, Prepared, Whole, full_name},
};

use crate::exchange::{progress, until};

on_both_engines!(
    i5_a_change_of_rules_is_a_recomputation_with_its_own_events,
    every_value_is_explained_by_the_rule_that_made_it,
    i2_only_whoever_is_granted_it_is_told_what_else_was_said,
    i7_hidden_and_absent_persons_are_explained_alike,
    a_source_is_told_when_another_one_has_authority,
    of_two_processes_with_other_rules_the_newer_has_its_way,
);

pub(crate) const NAME: &str = "Lê Giả Định Bình Minh";
pub(crate) const BORN: (i32, i32, i32) = (1990, 5, 6);

pub(crate) fn number() -> PersonalNumber {
    PersonalNumber::compose(998, Sex::Male, 1990, 7).unwrap()
}

fn sex(code: &str) -> Value {
    Value::Coded(model::CodedValue {
        code_system: "sex".into(),
        code_system_version: "1".into(),
        code: code.into(),
        display: None,
    })
}

/// Everything, with one person more: civil status says male since birth, citizen identification female since 2010, and
/// citizen identification says where the person lives.
pub(crate) async fn with_two_sources(engine: Engine, rules: Option<&str>) -> Prepared {
    let mut prepared = Prepared::new(engine).await;
    if let Some(rules) = rules {
        let file = prepared.folder().join("authority.toml");
        std::fs::write(&file, rules).unwrap();
        prepared.settings.identity.authority_file = file.display().to_string();
    }
    let day = |year| PartialDate::new(year, 5, 6).unwrap();
    let said = |item: &str, value, source: &str, year| {
        (item.to_owned(), value, source.to_owned(), Some(day(year)))
    };
    let address = Value::Address(model::Address {
        text: "Số 1 phố Giả Định".into(),
        ..model::Address::default()
    });
    // Her mother was entered by name, and later with the number of somebody who is protected.
    let mother = |number: Option<PersonalNumber>| {
        Value::Relation(model::Relation {
            kind: model::RelationKind::Mother,
            name: model::Name::new("Trần Giả Định Thu Hà").unwrap().into(),
            identifier: number.map(model::Identifier::PersonalNumber),
            date_of_birth: None,
            nationality: None,
        })
    };
    let protected = prepared.person(true).number.clone();
    let person = identity::Newcomer {
        person_id: "p-two-sources".to_owned(),
        number: number(),
        old_number: None,
        protected: false,
        said: vec![
            said(
                "birth_full_name",
                Value::Name(model::Name::new(NAME).unwrap().into()),
                "civil-status",
                1990,
            ),
            said("date_of_birth", Value::Date(day(1990)), "civil-status", 1990),
            said("sex", sex("1"), "civil-status", 1990),
            said("sex", sex("2"), "citizen-id", 2010),
            said("permanent_residence", address, "citizen-id", 2010),
            said("family_relations", mother(None), "civil-status", 1990),
            said("family_relations", mother(Some(protected)), "civil-status", 2000),
        ],
    };
    let register = identity::Service::register(&prepared.settings.identity).await.unwrap();
    register.load(vec![person], "two-sources", LOADED_US).await.unwrap();
    register.close().await;
    prepared
}

pub(crate) fn who() -> (SubjectRef, Claims) {
    about(number().as_str(), NAME, BORN)
}

pub(crate) fn obtaining() -> AccessBasis {
    let basis = ground("civil-status-correction", "Z01.DEMO.HOTICH");
    AccessBasis { legal_basis: "1911-2021-art-2-1".to_owned(), ..basis }
}

fn question((subject, claims): (SubjectRef, Claims), item: &str) -> ExplainValueRequest {
    ExplainValueRequest {
        subject: Some(subject),
        claims: Some(claims),
        item: item.to_owned(),
        basis: Some(obtaining()),
        request_id: "r-1".to_owned(),
        min_version: 0,
    }
}

async fn explained(client: &Client, request: &ExplainValueRequest) -> Answered<ExplainValueAnswer> {
    client.explain_value(request).await.unwrap().unwrap_or_else(|refused| panic!("{refused}"))
}

async fn unexplained(client: &Client, request: &ExplainValueRequest) -> Refused {
    match client.explain_value(request).await.unwrap() {
        Ok(_) => panic!("it was explained"),
        Err(refused) => refused,
    }
}

/// Who said it, and how it stands.
fn standings(answer: &ExplainValueAnswer) -> Vec<(String, ValueStanding)> {
    let source = |value: &contract::identity::v1::ExplainedValue| {
        value.held.as_ref().unwrap().provenance.as_ref().unwrap().source.clone()
    };
    answer.values.iter().map(|value| (source(value), value.standing())).collect()
}

/// The person's sex, as civil status obtains it, with version and tag of the record.
pub(crate) async fn sex_of(whole: &Whole) -> (String, u64, String) {
    let (subject, claims) = who();
    let request = GetPersonRequest {
        subject: Some(subject),
        claims: Some(claims),
        items: vec!["sex".to_owned()],
        basis: Some(obtaining()),
        request_id: "r-1".to_owned(),
        min_version: 0,
        as_of: None,
    };
    let answer = whole.client("civil-status").get_person(&request).await.unwrap().unwrap().answer;
    let Some(item_outcome::Outcome::Value(held)) = &answer.items[0].outcome else { panic!() };
    let Some(item_value::Value::Coded(CodedValue { code, .. })) =
        &held.values[0].value.as_ref().unwrap().value
    else {
        panic!()
    };
    (code.clone(), answer.version, answer.etag)
}

/// From 1 December 2026 on citizen identification says who is who.
pub(crate) const TURN: &str = r#"
version = 3
several = ["contact_points", "household_members", "id_document_validity"]

[[rule]]
item = "sex"
sources = ["civil-status"]
effective_to = "2026-12-01"
basis = "Law A"

[[rule]]
item = "sex"
sources = ["citizen-id"]
effective_from = "2026-12-01"
basis = "Law B"
"#;

async fn i5_a_change_of_rules_is_a_recomputation_with_its_own_events(engine: Engine) {
    let mut prepared = with_two_sources(engine, Some(TURN)).await;
    let listener = Listener::default();
    let bystander = Listener::default();
    let mut running = Vec::new();
    let mut routes = Vec::new();
    for (name, unit, system, items, listener) in [
        ("social-insurance", "Z02.DEMO.BHXH", "bhyt", &["sex"][..], &listener),
        (
            "residence",
            "Z05.DEMO.CUTRU",
            "cu-tru",
            &["birth_full_name", "date_of_birth"],
            &bystander,
        ),
    ] {
        let started = listener.start(&prepared, name).await;
        let id = format!("spiffe://lienthong.test/agency/{unit}/system/{system}");
        let endpoint = started.address().to_string();
        routes.push(route(name, &id, &endpoint, "\"sink\"") + &following(unit, items));
        running.push(started);
    }
    connect(&mut prepared, &routes);
    let whole = prepared.start().await;
    until(async || progress(&whole, "social-insurance").await.followed).await;
    let begun = until(async || progress(&whole, "residence").await.followed).await;
    let (code, version, etag) = sex_of(&whole).await;
    assert_eq!(code, "1");
    // A file of other rules had everybody folded anew, and nobody looks otherwise.
    until(async || (whole.all.identity().refold().await.unwrap().persons == 0).then_some(())).await;
    let sql = "SELECT COUNT(*) FROM change WHERE version > 301";
    assert_eq!(whole.count("identity", sql).await, 0);

    whole.hands.step(time::Duration::days(7));
    let done = whole.all.identity().refold().await.unwrap();
    assert_eq!((done.persons, done.changed), (whole.persons().await, 1));
    let (after, later, other) = sex_of(&whole).await;
    assert_eq!(after, "2");
    assert!(later > version && other != etag);
    // The event names the item that looks otherwise now, and is of the register's version.
    let sql =
        "SELECT COUNT(*) FROM change WHERE person_id = 'p-two-sources' AND items = '[\"sex\"]'";
    assert_eq!(whole.count("identity", sql).await, 1);
    // Who follows the item hears of it; who does not hears nothing, and its cursor goes on.
    let heard = until(async || listener.changed().pop()).await.1;
    assert_eq!((heard.items, heard.version), (vec!["sex".to_owned()], later));
    until(async || (progress(&whole, "residence").await.followed? != begun).then_some(())).await;
    assert!(bystander.changed().is_empty());
    assert_eq!(listener.changed().len(), 1);
    // Once is enough, and nothing was said anew.
    assert_eq!(whole.all.identity().refold().await.unwrap().persons, 0);
    let said = "SELECT COUNT(*) FROM assertion WHERE person_id = 'p-two-sources'";
    assert_eq!(whole.count("identity", said).await, 7);
    whole.all.stop().await;
}

async fn every_value_is_explained_by_the_rule_that_made_it(engine: Engine) {
    let whole = with_two_sources(engine, Some(TURN)).await.start().await;
    let client = whole.client("civil-status");
    let before = whole.records().await;
    let found = explained(&client, &question(who(), "sex")).await;
    assert_eq!(whole.records().await, before + 1);
    found.verify(&whole.log).unwrap();
    let answer = &found.answer;
    assert_eq!(answer.outcome(), LookupOutcome::Match);
    assert_eq!(
        standings(answer),
        [
            ("civil-status".to_owned(), ValueStanding::Current),
            ("citizen-id".to_owned(), ValueStanding::Outranked)
        ]
    );
    let rule = answer.rule.as_ref().unwrap();
    assert_eq!(
        (rule.sources.as_slice(), rule.basis.as_str()),
        (&["civil-status".to_owned()][..], "Law A")
    );
    assert_eq!(answer.authority, "3/");
    // Of what no rule speaks all are equal.
    let name = explained(&client, &question(who(), "birth_full_name")).await.answer;
    assert!(name.rule.is_none());
    assert_eq!(standings(&name), [("civil-status".to_owned(), ValueStanding::Current)]);
    whole.hands.step(time::Duration::days(7));
    // The day has brought other rules, and nobody was folded by them yet: what is explained is what is given.
    let before = explained(&client, &question(who(), "sex")).await.answer;
    assert_eq!((standings(&before), before.authority.as_str()), (standings(answer), "3/"));
    assert_eq!(sex_of(&whole).await.0, "1");
    whole.all.identity().refold().await.unwrap();
    let answer = explained(&client, &question(who(), "sex")).await.answer;
    assert_eq!(
        standings(&answer),
        [
            ("citizen-id".to_owned(), ValueStanding::Current),
            ("civil-status".to_owned(), ValueStanding::Outranked)
        ]
    );
    assert_eq!(
        (answer.rule.unwrap().basis.as_str(), answer.authority.as_str()),
        ("Law B", "3/2026-12-01")
    );
    whole.all.stop().await;
}

async fn i2_only_whoever_is_granted_it_is_told_what_else_was_said(engine: Engine) {
    let whole = with_two_sources(engine, None).await.start().await;
    let client = whole.client("civil-status");
    let other = ExplainValueRequest {
        basis: Some(AccessBasis {
            procedure: "child-health-insurance-card".to_owned(),
            legal_basis: "1911-2021-art-2-1".to_owned(),
            ..ground("", "Z02.DEMO.BHXH")
        }),
        ..question(who(), "sex")
    };
    let insurance = whole.client("social-insurance");
    for (client, request, reason, recorded) in [
        // It may obtain the item, and no more.
        (&insurance, other, "NO_AGREEMENT", 1),
        (&client, question(who(), "ethnic_group"), "NOTHING_ALLOWED", 1),
        (&client, question(who(), "*"), "INVALID_REQUEST", 0),
        (&client, question(who(), ""), "INVALID_REQUEST", 0),
        (&client, ExplainValueRequest::default(), "INVALID_REQUEST", 0),
    ] {
        let before = whole.records().await;
        assert_eq!(unexplained(client, &request).await.reason, reason);
        assert_eq!(whole.records().await, before + recorded, "{reason}");
    }
    let faults = unexplained(&client, &ExplainValueRequest::default()).await.fields;
    let fields: Vec<&str> = faults.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["subject", "item", "basis", "request_id"]);
    whole.all.stop().await;
}

async fn i7_hidden_and_absent_persons_are_explained_alike(engine: Engine) {
    let whole = with_two_sources(engine, None).await.start().await;
    let client = whole.client("civil-status");
    let protected = whole.person(true);
    let born = tests::whole::born(protected);
    let born = (born.year(), i32::from(born.month()), i32::from(born.day()));
    let nobody = PersonalNumber::compose(990, Sex::Female, 1990, 7).unwrap();
    let mut seen = Vec::new();
    for number in [&protected.number, &nobody] {
        let asked = question(about(number.as_str(), full_name(protected), born), "sex");
        let before = whole.records().await;
        let mut call = explained(&client, &asked).await;
        assert_eq!(whole.records().await, before + 1);
        let sizes = (call.answer_bytes.len(), call.receipt.leaf.len());
        (call.answer.decision_id, call.answer.answer_time) = (String::new(), None);
        call.answer.valid_until = None;
        seen.push((call.answer, sizes));
    }
    assert_eq!(seen[0].0.outcome(), LookupOutcome::NoMatch);
    assert!(seen[0] == seen[1]);
    // What was said of her before her number was is not told either: GetPerson knows of no mother.
    let mother = explained(&client, &question(who(), "family_relations")).await.answer;
    assert!(mother.values.is_empty() && mother.outcome() == LookupOutcome::Match);
    // A mother who is protected is not among what was said, and no more is one who is not there.
    for (entry, mother) in [("b-1", &protected.number), ("b-2", &nobody)] {
        let mut request = birth(entry, "Trần Giả Định Bảo An");
        let Some(Event::Birth(born)) = &mut request.event else { panic!() };
        born.parents.truncate(1);
        born.parents[0].name = name(full_name(protected));
        born.parents[0].identifier = Some(Identifier {
            kind: IdentifierKind::PersonalNumber.into(),
            value: mother.as_str().to_owned(),
        });
        let child = client.submit_contribution(&request).await.unwrap().unwrap().answer;
        let who = about(&child.personal_number, "Trần Giả Định Bảo An", (2026, 3, 1));
        let answer = explained(&client, &question(who, "family_relations")).await.answer;
        assert_eq!(answer.outcome(), LookupOutcome::Match);
        assert!(answer.values.is_empty(), "{entry}");
    }
    whole.all.stop().await;
}

/// As in a roll-out that is taken back and made again: whoever was folded by the older rules meanwhile is folded by the
/// newer ones in the end.
async fn of_two_processes_with_other_rules_the_newer_has_its_way(engine: Engine) {
    let prepared = with_two_sources(engine, Some(TURN)).await;
    let file = prepared.settings.identity.authority_file.clone();
    let whole = prepared.start().await;
    let of_others = "SELECT COUNT(*) FROM person WHERE authority <> '3/'";
    until(async || (whole.count("identity", of_others).await == 0).then_some(())).await;
    let whole = whole.under_rules("").await;
    let value = item_value::Value::Name(name("Lê Giả Định Bình An").unwrap());
    let renamed = correction("c-1", who(), "birth_full_name", value, date(2000, 5, 6));
    whole.client("civil-status").submit_contribution(&renamed).await.unwrap().unwrap();
    assert_eq!(whole.count("identity", of_others).await, 1);
    // The older ones fold nobody back.
    assert!(matches!(
        whole.all.identity().refold().await,
        Err(identity::Error::OlderRules { newer, .. }) if newer == "3/"
    ));
    let whole = whole.under_rules(&file).await;
    until(async || (whole.count("identity", of_others).await == 0).then_some(())).await;
    assert_eq!(whole.persons().await, 301);
    // Other rules under an id that is taken do not start.
    std::fs::write(&file, TURN.replace("civil-status", "medical")).unwrap();
    let settings = whole.settings().clone();
    whole.all.stop().await;
    let error =
        lienthong::process::All::start(settings, lienthong::process::Runtime::system()).await;
    let error = format!("{:#}", error.err().expect("it does not start"));
    assert!(error.contains("raise their `version`"), "{error}");
}

/// Of where somebody lives, citizen identification has the last word here: what residence says is kept and does not show.
async fn a_source_is_told_when_another_one_has_authority(engine: Engine) {
    let rules = "version = 3\nseveral = [\"contact_points\", \"household_members\", \"id_document_validity\"]\n[[rule]]\nitem = \"permanent_residence\"\nsources = [\"citizen-id\"]\n\
                 basis = \"Law A\"\n";
    let whole = with_two_sources(engine, Some(rules)).await.start().await;
    let client = whole.client("residence");
    let moved = residence("m-1", who(), "Số 2 phố Giả Định");
    // It can know before it contributes.
    let check = SubmitContributionRequest { validate_only: true, ..moved.clone() };
    let checked = client.submit_contribution(&check).await.unwrap().unwrap().answer;
    assert_eq!(checked.outranked_items, ["permanent_residence"]);
    let receipt = client.submit_contribution(&moved).await.unwrap().unwrap().answer;
    assert_eq!(receipt.outranked_items, ["permanent_residence"]);
    // The same bytes, the same answer.
    let again = client.submit_contribution(&moved).await.unwrap().unwrap().answer;
    assert_eq!(again, receipt);
    let sql = "SELECT COUNT(*) FROM person WHERE person_id = 'p-two-sources' AND record LIKE '%Số 1 phố%' \
               AND record NOT LIKE '%Số 2 phố%'";
    assert_eq!(whole.count("identity", sql).await, 1);
    assert_eq!(whole.persons().await, 301);
    // Of what no other source speaks, nothing is outranked.
    let told = "SELECT COUNT(*) FROM change WHERE person_id = 'p-two-sources' AND items LIKE '%permanent_residence%'";
    assert_eq!(whole.count("identity", told).await, 1, "the population's, and no other");
    whole.all.stop().await;
}
