//! Where sources disagree: a conflict with an owner and a day, decided once, and told to both sides (Decision
//! 1911/QD-TTg, Art. 2(2)).

mod couple;
mod decided;
mod merged;
mod outcomes;

use contract::{
    contribution::v1::{
        Conflict, ConflictDecision, ConflictOutcome, ConflictRole, ConflictState,
        ContributionOutcome, ContributionReceipt, Evidence, GetConflictAnswer, GetConflictRequest,
        HandOverConflictRequest, ListConflictsRequest, ListOutcomesRequest, OutcomeConflict,
        SubmitContributionRequest, contribution_outcome::Outcome,
        submit_contribution_request::Event,
    },
    r#type::v1::{Address, item_value},
};
use lienthong::client::{Client, Refused};
use store::Engine;
use tests::{
    events::{birth, code, date, ground, residence},
    on_both_engines,
    whole::{Prepared, Whole},
};

on_both_engines!(
    a_source_that_says_otherwise_opens_a_conflict_for_whose_word_is_held,
    it_does_not_matter_who_spoke_first,
    nobody_lets_a_conflict_lie,
    a_conflict_ends_when_the_sources_agree,
    i7_of_a_protected_person_no_conflict_is_told,
    i2_whoever_does_not_own_a_conflict_does_not_read_it,
);

const ITEM: &str = "permanent_residence";
const CHILD: &str = "Trần Giả Định Bảo An";
const HERE: &str = "Số 1 phố Giả Định";
pub(super) const THERE: &str = "Số 2 phố Giả Định";
const DAY: i64 = 86_400;

/// Of where somebody lives citizen identification has the last word, and both contribute it.
const RULES: &str = "version = 3\nseveral = [\"contact_points\", \"household_members\", \"id_document_validity\"]\n\
    [[rule]]\nitem = \"permanent_residence\"\nsources = [\"citizen-id\"]\nbasis = \"Law A\"\n";

/// What is agreed beside the demonstration's agreements.
const AGREED: &str = r#"
[[agency]]
code = "Z08.DEMO.DANCU"
vi = "Cơ quan giả định quản lý Cơ sở dữ liệu quốc gia về dân cư"
en = "Fictional office of the population register"

[[connection]]
id = "demo-register"
agency = "Z08.DEMO.DANCU"
system = "dan-cu"
database = "npd"
state = "ACTIVE"
legal_basis = "decree-70-2024-art-7-2"
assessed_until = "2099-01-01"

[[agreement]]
id = "demo-2026-register"
connection = "demo-register"
valid_from = "2026-01-01"
valid_to = "2099-01-01"

[[agreement.grant]]
action = "contribute"
procedure = "conflict-resolution"
legal_basis = "1911-2021-art-2-2"
items = ["permanent_residence"]

[[agreement]]
id = "demo-2026-citizen-id-residence"
connection = "demo-citizen-id"
valid_from = "2026-01-01"
valid_to = "2099-01-01"

[[agreement.grant]]
action = "contribute"
procedure = "permanent-residence-registration"
legal_basis = "1911-2021-art-2-2"
items = ["permanent_residence", "residence_file_number"]

[[agreement.grant]]
action = "contribute"
procedure = "conflict-resolution"
legal_basis = "1911-2021-art-2-2"
items = ["permanent_residence"]
"#;

/// Everything, where two sources say where somebody lives.
pub(super) async fn start(engine: Engine) -> Whole {
    let mut prepared = Prepared::new(engine).await;
    let rules = prepared.folder().join("authority.toml");
    std::fs::write(&rules, RULES).unwrap();
    prepared.settings.identity.authority_file = rules.display().to_string();
    let registry = &prepared.settings.policy.registry_file;
    let agreed = std::fs::read_to_string(registry).unwrap() + AGREED;
    std::fs::write(registry, agreed).unwrap();
    prepared.start().await
}

/// A child, its number, and who it is.
async fn child(whole: &Whole) -> String {
    let born = birth("b-1", CHILD);
    let client = whole.client("civil-status");
    client.submit_contribution(&born).await.unwrap().unwrap().answer.personal_number
}

fn lives(source: &str, key: &str, number: &str, text: &str) -> SubmitContributionRequest {
    let who = tests::events::about(number, CHILD, (2026, 3, 1));
    let mut request = residence(key, who, text);
    let Some(Event::Residence(moved)) = &mut request.event else { panic!() };
    let commune = if text == HERE { "00001" } else { "00004" };
    moved.address = Some(Address {
        text: text.to_owned(),
        province_code: "01".to_owned(),
        commune_code: commune.to_owned(),
        units_version: "2025".to_owned(),
        ..Address::default()
    });
    let unit = if source == "citizen-id" { "Z06.DEMO.CANCUOC" } else { "Z05.DEMO.CUTRU" };
    SubmitContributionRequest {
        basis: Some(ground("permanent-residence-registration", unit)),
        ..request
    }
}

async fn says(
    whole: &Whole,
    source: &str,
    key: &str,
    number: &str,
    text: &str,
) -> ContributionReceipt {
    let request = lives(source, key, number, text);
    let answered = whole.client(source).submit_contribution(&request).await.unwrap();
    answered.unwrap_or_else(|error| panic!("{error}")).answer
}

/// A conflict between the two: citizen identification says here, residence says there.
pub(super) async fn disputed(whole: &Whole) -> (String, Conflict) {
    let number = child(whole).await;
    says(whole, "citizen-id", "m-1", &number, HERE).await;
    says(whole, "residence", "m-2", &number, THERE).await;
    let mut conflicts = owned(&whole.client("citizen-id")).await;
    assert_eq!(conflicts.len(), 1);
    (number, conflicts.remove(0))
}

async fn listed(client: &Client, role: ConflictRole) -> Vec<Conflict> {
    let request = ListConflictsRequest {
        role: role.into(),
        page_token: String::new(),
        page_size: 0,
        request_id: "r-1".to_owned(),
    };
    client.list_conflicts(&request).await.unwrap().unwrap().answer.conflicts
}

async fn owned(client: &Client) -> Vec<Conflict> {
    listed(client, ConflictRole::Owner).await
}

async fn read(client: &Client, id: &str, unit: &str) -> Result<GetConflictAnswer, Refused> {
    let request = GetConflictRequest {
        conflict_id: id.to_owned(),
        item: ITEM.to_owned(),
        basis: Some(ground("conflict-resolution", unit)),
        request_id: "r-1".to_owned(),
    };
    Ok(client.get_conflict(&request).await.unwrap()?.answer)
}

async fn hand_over(client: &Client, id: &str, message: &str) -> Result<Conflict, Refused> {
    let request = HandOverConflictRequest {
        conflict_id: id.to_owned(),
        message: message.to_owned(),
        request_id: "r-1".to_owned(),
    };
    Ok(client.hand_over_conflict(&request).await.unwrap()?.answer.conflict.unwrap())
}

pub(super) fn decision(key: &str, id: &str, outcome: ConflictOutcome) -> SubmitContributionRequest {
    let decision = ConflictDecision {
        conflict_id: id.to_owned(),
        item: ITEM.to_owned(),
        outcome: outcome.into(),
        decision_number: "QD-7".to_owned(),
        decision_date: date(2026, 6, 1),
        reason: "by the residence file".to_owned(),
    };
    let evidence = Evidence {
        kind: code("evidence-kind", "1", "declaration"),
        digest: vec![7; 32],
        number: String::new(),
    };
    SubmitContributionRequest {
        idempotency_key: format!("key:{key}"),
        basis: Some(ground("conflict-resolution", "Z06.DEMO.CANCUOC")),
        event: Some(Event::ConflictDecision(decision)),
        request_id: "r-1".to_owned(),
        evidence: vec![evidence],
        ..SubmitContributionRequest::default()
    }
}

async fn outcomes(client: &Client, cursor: &str) -> (Vec<ContributionOutcome>, String) {
    let request = ListOutcomesRequest {
        cursor: cursor.to_owned(),
        page_size: 0,
        request_id: "r-1".to_owned(),
    };
    let answer = client.list_outcomes(&request).await.unwrap().unwrap().answer;
    assert!(answer.end_reached);
    (answer.outcomes, answer.next_cursor)
}

/// What a source was told of conflicts: the key of its contribution, where it stands, and who has to act.
async fn told(client: &Client) -> Vec<(String, ConflictState, String)> {
    let conflict = |one: ContributionOutcome| {
        let Some(Outcome::Conflict(turn)) = one.outcome else { return None };
        let state = OutcomeConflict::state(&turn);
        Some((one.idempotency_key, state, turn.owner))
    };
    outcomes(client, "").await.0.into_iter().filter_map(conflict).collect()
}

/// The address that the register holds.
async fn held(whole: &Whole) -> &'static str {
    let sql =
        "SELECT COUNT(*) FROM person WHERE record LIKE '%Bảo An%' AND record LIKE '%Số 1 phố%'";
    if whole.count("identity", sql).await == 1 { HERE } else { THERE }
}

async fn a_source_that_says_otherwise_opens_a_conflict_for_whose_word_is_held(engine: Engine) {
    let whole = start(engine).await;
    let (_, conflict) = disputed(&whole).await;
    assert_eq!((conflict.item.as_str(), conflict.owner.as_str()), (ITEM, "citizen-id"));
    assert_eq!(conflict.state(), ConflictState::Open);
    let (due, opened) = (conflict.due_time.unwrap(), conflict.opened_time.unwrap());
    assert_eq!(due.seconds - opened.seconds, 10 * DAY);
    let (disagreeing, side) = (conflict.disagreeing.unwrap(), conflict.held.unwrap());
    assert_eq!(disagreeing.database, "residence");
    // The key is its source's own.
    assert_eq!(
        (disagreeing.idempotency_key.as_str(), side.idempotency_key.as_str()),
        ("", "key:m-1")
    );
    // What was held stays, and both hear of it.
    assert_eq!(held(&whole).await, HERE);
    let residence = whole.client("residence");
    let open = |key: &str| (key.to_owned(), ConflictState::Open, "citizen-id".to_owned());
    assert_eq!(told(&residence).await, [open("key:m-2")]);
    assert_eq!(told(&whole.client("citizen-id")).await, [open("key:m-1")]);
    assert!(owned(&residence).await.is_empty());
    assert_eq!(listed(&residence, ConflictRole::Side).await.len(), 1);
    assert!(listed(&whole.client("medical"), ConflictRole::Side).await.is_empty());
    // Whoever decides reads both values and the evidence, under a record about the person.
    let before = whole.records().await;
    let citizen = whole.client("citizen-id");
    let both = read(&citizen, &conflict.conflict_id, "Z06.DEMO.CANCUOC").await.unwrap();
    assert_eq!(whole.records().await, before + 2, "the register's and contribution's");
    let text = |side: Option<contract::contribution::v1::ConflictEvidence>| {
        let Some(item_value::Value::Address(address)) = side?.value?.value else { return None };
        Some(address.text)
    };
    assert_eq!(text(both.disagreeing).as_deref(), Some(THERE));
    assert_eq!(text(both.held).as_deref(), Some(HERE));
    whole.persons().await;
    whole.all.stop().await;
}

async fn it_does_not_matter_who_spoke_first(engine: Engine) {
    let whole = start(engine).await;
    let number = child(&whole).await;
    says(&whole, "residence", "m-1", &number, THERE).await;
    assert!(told(&whole.client("residence")).await.is_empty(), "nobody says otherwise");
    says(&whole, "citizen-id", "m-2", &number, HERE).await;
    let conflicts = owned(&whole.client("citizen-id")).await;
    assert_eq!(conflicts[0].disagreeing.as_ref().unwrap().database, "residence");
    // The source hears that its data differ.
    assert_eq!(told(&whole.client("residence")).await.len(), 1);
    // The same once more is no other conflict.
    says(&whole, "citizen-id", "m-3", &number, HERE).await;
    assert_eq!(owned(&whole.client("citizen-id")).await.len(), 1);
    whole.all.stop().await;
}

async fn nobody_lets_a_conflict_lie(engine: Engine) {
    let whole = start(engine).await;
    let (_, conflict) = disputed(&whole).await;
    let id = &conflict.conflict_id;
    let (citizen, residence) = (whole.client("citizen-id"), whole.client("residence"));
    let refused = hand_over(&residence, id, "?").await.unwrap_err();
    assert_eq!((refused.code.as_str(), refused.reason.as_str()), ("NotFound", "UNKNOWN_CONFLICT"));
    let asked = hand_over(&citizen, id, "which file?").await.unwrap();
    assert_eq!((asked.state(), asked.owner.as_str()), (ConflictState::Asked, "residence"));
    assert_eq!(asked.message, "which file?");
    // The same again is the same.
    assert_eq!(hand_over(&citizen, id, "which file?").await.unwrap(), asked);
    let back = hand_over(&residence, id, "file 7").await.unwrap();
    assert_eq!((back.state(), back.owner.as_str()), (ConflictState::Open, "citizen-id"));
    // Whoever lets the day pass loses it to the register.
    let contribution = whole.all.contribution();
    assert_eq!(contribution.lapse_conflicts().await.unwrap(), (1, 0));
    whole.hands.step(time::Duration::days(11));
    assert_eq!(contribution.lapse_conflicts().await.unwrap(), (1, 0), "it has a new day");
    assert!(owned(&citizen).await.is_empty());
    let states: Vec<_> = told(&residence).await.into_iter().map(|told| (told.1, told.2)).collect();
    let turn = |state, owner: &str| (state, owner.to_owned());
    assert_eq!(
        states,
        [
            turn(ConflictState::Open, "citizen-id"),
            turn(ConflictState::Asked, "residence"),
            turn(ConflictState::Open, "citizen-id"),
            turn(ConflictState::Open, "npd"),
        ]
    );
    let register = whole.client_with(&whole.issue("npd", "/agency/Z08.DEMO.DANCU/system/dan-cu"));
    assert_eq!(owned(&register).await.len(), 1);
    // Nobody is above: it stays there, and is counted.
    whole.hands.step(time::Duration::days(11));
    assert_eq!(contribution.lapse_conflicts().await.unwrap(), (1, 1));
    let decided = SubmitContributionRequest {
        basis: Some(ground("conflict-resolution", "Z08.DEMO.DANCU")),
        ..decision("d-1", id, ConflictOutcome::Accepted)
    };
    // The register asks the source, too. Its former owner decides no more.
    let asked = hand_over(&register, id, "what does the book say?").await.unwrap();
    assert_eq!((asked.state(), asked.owner.as_str()), (ConflictState::Asked, "residence"));
    let late = citizen.submit_contribution(&decision("d-0", id, ConflictOutcome::Rejected)).await;
    assert_eq!(late.unwrap().err().unwrap().unmet[0].0, "NOTHING_TO_DECIDE");
    register.submit_contribution(&decided).await.unwrap().unwrap();
    assert_eq!(held(&whole).await, THERE);
    assert_eq!(contribution.lapse_conflicts().await.unwrap(), (0, 0));
    whole.all.stop().await;
}

async fn a_conflict_ends_when_the_sources_agree(engine: Engine) {
    let whole = start(engine).await;
    let (number, conflict) = disputed(&whole).await;
    // The one that was wrong says so.
    says(&whole, "residence", "m-3", &number, HERE).await;
    assert!(owned(&whole.client("citizen-id")).await.is_empty());
    let last = told(&whole.client("residence")).await.pop().unwrap();
    assert_eq!((last.0.as_str(), last.1), ("key:m-2", ConflictState::Overtaken));
    assert!(last.2.is_empty());
    let late = decision("d-1", &conflict.conflict_id, ConflictOutcome::Accepted);
    let citizen = whole.client("citizen-id");
    let late = citizen.submit_contribution(&late);
    assert_eq!(late.await.unwrap().err().unwrap().unmet[0].0, "NOTHING_TO_DECIDE");
    // And is wrong once more: another conflict, of another contribution.
    says(&whole, "residence", "m-4", &number, THERE).await;
    let again = owned(&whole.client("citizen-id")).await;
    assert_eq!(again.len(), 1);
    assert_ne!(again[0].conflict_id, conflict.conflict_id);
    whole.persons().await;
    whole.all.stop().await;
}

async fn i7_of_a_protected_person_no_conflict_is_told(engine: Engine) {
    let whole = start(engine).await;
    let (_, conflict) = disputed(&whole).await;
    const PROTECT: &str = "UPDATE person SET protected = TRUE, \
                   record = REPLACE(record, '\"protected\":false', '\"protected\":true') \
                   WHERE record LIKE '%Bảo An%'";
    let whole = whole.changed("identity", &[PROTECT]).await;
    let (citizen, residence) = (whole.client("citizen-id"), whole.client("residence"));
    for (client, role) in [(&citizen, ConflictRole::Owner), (&residence, ConflictRole::Side)] {
        // Neither that there is one, nor its place.
        let request = ListConflictsRequest {
            role: role.into(),
            page_size: 1,
            request_id: "r-1".to_owned(),
            ..ListConflictsRequest::default()
        };
        let page = client.list_conflicts(&request).await.unwrap().unwrap().answer;
        assert_eq!((page.conflicts, page.next_page_token), (Vec::new(), String::new()));
    }
    let absent = "0".repeat(32);
    let mut seen = Vec::new();
    for id in [&conflict.conflict_id, &absent] {
        let mut records = vec![whole.records().await];
        let mut refused = read(&citizen, id, "Z06.DEMO.CANCUOC").await.unwrap_err();
        records.push(whole.records().await);
        let handed = hand_over(&citizen, id, "?").await.unwrap_err();
        records.push(whole.records().await);
        assert_eq!(handed.reason, "UNKNOWN_CONFLICT");
        let decided = decision(&format!("d-{}", seen.len()), id, ConflictOutcome::Accepted);
        let decided = citizen.submit_contribution(&decided).await.unwrap().err().unwrap();
        records.push(whole.records().await);
        refused.metadata.retain(|(key, _)| key != "record_index");
        let recorded: Vec<_> = records.windows(2).map(|two| two[1] - two[0]).collect();
        seen.push((refused, decided.unmet, decided.code, recorded));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].1[0].0, "NOTHING_TO_DECIDE");
    // It goes to the register when its day passes, and nobody is told.
    let before = [told(&citizen).await, told(&residence).await];
    whole.hands.step(time::Duration::days(11));
    whole.all.contribution().lapse_conflicts().await.unwrap();
    let moved = "SELECT COUNT(*) FROM conflict WHERE owner = 'npd'";
    assert_eq!(whole.count("contribution", moved).await, 1);
    assert_eq!([told(&citizen).await, told(&residence).await], before);
    whole.all.stop().await;
}

async fn i2_whoever_does_not_own_a_conflict_does_not_read_it(engine: Engine) {
    let whole = start(engine).await;
    let (_, conflict) = disputed(&whole).await;
    let (id, records) = (&conflict.conflict_id, whole.records().await);
    let refused = read(&whole.client("residence"), id, "Z05.DEMO.CUTRU").await.unwrap_err();
    assert_eq!(refused.reason, "NO_AGREEMENT");
    let civil = read(&whole.client("civil-status"), id, "Z01.DEMO.HOTICH").await.unwrap_err();
    assert_eq!(civil.reason, "NOTHING_ALLOWED");
    let former = whole.client_with(&whole.issue("former", "/agency/Z04.DEMO.CU/system/cu"));
    let request = ListConflictsRequest {
        role: ConflictRole::Owner.into(),
        request_id: "r-1".to_owned(),
        ..ListConflictsRequest::default()
    };
    let refused = former.list_conflicts(&request).await.unwrap().err().unwrap();
    assert_eq!(refused.reason, "CONNECTION_NOT_ACTIVE");
    assert_eq!(whole.records().await, records + 3, "each refusal is recorded");
    let citizen = whole.client("citizen-id");
    let faulty = ListConflictsRequest { page_size: 101, ..ListConflictsRequest::default() };
    let faulty = citizen.list_conflicts(&faulty);
    let faulty = faulty.await.unwrap().err().unwrap();
    let fields: Vec<&str> = faulty.fields.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["role", "request_id", "page_size"]);
    let token = ListConflictsRequest { page_token: "7/x".to_owned(), ..request };
    let unknown = citizen.list_conflicts(&token).await.unwrap().err().unwrap();
    assert_eq!(unknown.reason, "UNKNOWN_CURSOR");
    let nothing =
        citizen.get_conflict(&GetConflictRequest::default()).await.unwrap().err().unwrap();
    let fields: Vec<&str> = nothing.fields.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["conflict_id", "item", "request_id", "basis"]);
    whole.all.stop().await;
}
