//! Connections are admitted, suspended and ended by officers of the operator (Decision 1911/QD-TTg, Art. 1(1), 3(1)(b), 3(4)(a)
//! to (c)), through the gRPC interface.
//!
//! | module | about |
//! |---|---|
//! | `bad_input` | what is refused, and that it is recorded |
//! | `beside` | the registry file beside what officers admit |
//! | `lapse` | what lapses by itself |
//! | `log_away` | moves while the access log is away |
//! | `officers` | who may do what, and when two are needed |

mod bad_input;
mod beside;
mod lapse;
mod log_away;
mod officers;

use contract::{
    identity::v1::GetPersonRequest,
    policy::v1::{
        Activation, Admission, AdmissionDocument, AdmissionObstacle, AdmissionState,
        AgreementContent, AgreementReference, AgreementRole, CheckedPart, ConditionCheck,
        ConformanceReport, ConnectionApplication, ConnectionEnd, FindingSeverity, FindingState,
        GetAdmissionAnswer, GetAdmissionRequest, ListAdmissionsRequest, MoveConnectionAnswer,
        MoveConnectionRequest, RequestedItem, Resumption, SecurityAssessment, SecurityFinding,
        Suspension, move_connection_request::Move,
    },
    r#type::v1::{Claims, PartialDate},
};
use lienthong::{
    client::{Answered, Client, Refused},
    demo,
};
use store::Engine;
use tests::{
    agreements::{self, PROVIDER, Signer},
    on_both_engines,
    people::by_number,
    whole::{Prepared, Whole, born, full_name},
};

use super::{answered, refused, why};

on_both_engines!(
    a_database_is_admitted_answered_suspended_and_answered_again,
    i2_nothing_is_asked_before_it_is_admitted,
    everything_that_is_missing_is_named_at_once,
    i4_the_same_request_is_one_move_with_one_receipt,
    a_move_that_is_not_recorded_yet_is_recorded_later,
    readiness_names_who_owes_what,
    admissions_are_listed_page_by_page,
);

/// The connection of these tests, and its caller.
pub(super) const ID: &str = "conn-national-portal";
pub(super) const AGENCY: &str = "Z08.TEST.CONG";
pub(super) const SYSTEM: &str = "cong-quoc-gia";
const AGREEMENT: &str = "agr-national-portal";
/// The unit that acts.
pub(super) const UNIT: &str = "Z08.TEST.CONG";

/// Everything running, with officers, and the caller's agreement in the registry as soon as there is a connection.
pub(super) struct Office {
    pub(super) whole: Whole,
    requests: std::cell::Cell<u32>,
    agreements: std::cell::Cell<u32>,
}

impl Office {
    pub(super) async fn open(engine: Engine) -> Self {
        Self::of(Prepared::new(engine).await.start().await)
    }

    fn of(whole: Whole) -> Self {
        let (requests, agreements) = Default::default();
        Self { whole, requests, agreements }
    }

    /// An officer at work.
    pub(super) fn officer(&self, id: &str) -> Client {
        self.whole.client_with(&self.whole.issue(id, &format!("/operator/{id}")))
    }

    /// The system that is to be connected.
    pub(super) fn caller(&self) -> Client {
        let path = format!("/agency/{AGENCY}/system/{SYSTEM}");
        self.whole.client_with(&self.whole.issue("cong", &path))
    }

    /// A lookup that its agreement covers.
    pub(super) fn lookup(&self) -> GetPersonRequest {
        let person = self.whole.person(false);
        let born = born(person);
        let date =
            PartialDate { year: born.year(), month: born.month().into(), day: born.day().into() };
        let (full_name, date_of_birth) = (full_name(person).to_owned(), Some(date));
        GetPersonRequest {
            subject: by_number(person.number.as_str()),
            claims: Some(Claims { full_name, date_of_birth }),
            items: vec!["birth_full_name".to_owned()],
            basis: Some(demo::basis("child-health-insurance-card", "1911-2021-art-2-1", AGENCY)),
            request_id: "request-1".to_owned(),
            ..GetPersonRequest::default()
        }
    }

    /// Who signs for the provider: an officer, and not the one who proposes.
    pub(super) fn provider(&self) -> Signer {
        Signer(self.whole.issue("second-registrar", "/operator/second-registrar"))
    }

    /// Who signs for the agency of the connection.
    pub(super) fn consumer(&self) -> Signer {
        let path = format!("/agency/{AGENCY}/system/{SYSTEM}");
        Signer(self.whole.issue("cong", &path))
    }

    /// An agreement for the connection's lookup, which takes the place of the one before, from today on.
    fn agreement(&self, valid_to: &str) -> AgreementContent {
        let (before, number) = (self.agreements.get(), self.agreements.get() + 1);
        self.agreements.set(number);
        let id = |number: u32| format!("{AGREEMENT}-{number}");
        let parties = vec![
            self.provider().party(AgreementRole::Provider, PROVIDER, &[]),
            self.consumer().party(AgreementRole::Consumer, AGENCY, &[UNIT]),
        ];
        let today = self.whole.hands.clock().today().to_string();
        let term = [if before == 0 { "2026-01-01" } else { &today }, valid_to];
        let content = agreements::content(
            &id(number),
            ID,
            term,
            parties,
            vec![agreements::grant(&["birth_full_name"])],
        );
        let renews = if before == 0 { String::new() } else { id(before) };
        AgreementContent { renews, ..content }
    }

    /// Both sides agree, in the place of what they agreed before.
    async fn agree_until(&self, valid_to: &str) {
        let content = self.agreement(valid_to);
        let (provider, consumer) = (self.provider(), self.consumer());
        agreements::agree(&self.officer("operator"), &content, &[&consumer, &provider]).await;
        self.whole.all_told().await;
    }

    /// A move on the version that there is.
    async fn request(&self, step: Move) -> MoveConnectionRequest {
        let version = match self.get("auditor").await {
            Ok(answered) => answered.answer.admission.unwrap().version,
            Err(_) => 0,
        };
        self.requests.set(self.requests.get() + 1);
        MoveConnectionRequest {
            request_id: format!("req-{}", self.requests.get()),
            connection: ID.to_owned(),
            expected_version: version,
            document: Some(document()),
            reason: "theo hồ sơ".to_owned(),
            r#move: Some(step),
        }
    }

    async fn get(&self, officer: &str) -> Result<Answered<GetAdmissionAnswer>, Refused> {
        let request = GetAdmissionRequest { connection: ID.to_owned() };
        self.officer(officer).get_admission(&request).await.unwrap()
    }

    async fn try_move(
        &self,
        officer: &str,
        step: Move,
    ) -> Result<Answered<MoveConnectionAnswer>, Refused> {
        let request = self.request(step).await;
        let answered = self.officer(officer).move_connection(&request).await.unwrap();
        self.whole.all_told().await;
        answered
    }

    /// A move that must be made; its receipt is checked.
    async fn moves(&self, officer: &str, step: Move) -> Admission {
        let answered = match self.try_move(officer, step).await {
            Ok(answered) => answered,
            Err(refused) => panic!("{refused} {:?}", refused.unmet),
        };
        answered.verify(&self.whole.log).unwrap();
        answered.answer.admission.unwrap()
    }

    /// A move that must be refused.
    async fn is_refused(&self, officer: &str, step: Move) -> Refused {
        match self.try_move(officer, step).await {
            Ok(_) => panic!("the move was made"),
            Err(refused) => refused,
        }
    }

    /// Everything up to the opening, which is left out.
    async fn prepared(&self) {
        self.moves("operator", Move::Apply(application())).await;
        self.agree_until("2027-06-01").await;
        self.moves("operator", Move::Check(check())).await;
        self.moves("operator", agree()).await;
        self.moves("operator", Move::Conform(conformance())).await;
        let ready = self.moves("assessor", Move::Assess(assessment("2027-01-01"))).await;
        assert_eq!(ready.state(), AdmissionState::Assessed);
    }

    /// The whole admission.
    pub(super) async fn admitted(&self) {
        self.prepared().await;
        self.moves("second-registrar", Move::Activate(Activation {})).await;
    }

    /// Started again, with something changed in policy's database behind its back.
    pub(super) async fn changed(self, changes: &'static [&'static str]) -> Self {
        let Self { whole, requests, agreements } = self;
        Self { whole: whole.changed("policy", changes).await, requests, agreements }
    }

    /// Started again.
    pub(super) async fn restarted(self) -> Self {
        let Self { whole, requests, agreements } = self;
        Self { whole: whole.restarted(&[]).await, requests, agreements }
    }

    pub(super) async fn close(self) {
        self.whole.all.stop().await;
    }
}

fn document() -> AdmissionDocument {
    AdmissionDocument {
        number: "12/QĐ-TEST".to_owned(),
        issuer: "Cơ quan mẫu".to_owned(),
        day: "2026-11-20".to_owned(),
    }
}

fn application() -> ConnectionApplication {
    let item = |item: &str| RequestedItem { item: item.to_owned(), count: 1_000 };
    ConnectionApplication {
        agency: AGENCY.to_owned(),
        agency_vi: "Cơ quan mẫu".to_owned(),
        agency_en: "Example agency".to_owned(),
        system: SYSTEM.to_owned(),
        system_name: "Cổng mẫu".to_owned(),
        database: "national-portal".to_owned(),
        purpose: "Giải quyết thủ tục hành chính".to_owned(),
        use_plan: "Điền sẵn biểu mẫu".to_owned(),
        items: vec![item("birth_full_name"), item("date_of_birth")],
        service: "037".to_owned(),
        service_name: "Tra cứu thông tin công dân".to_owned(),
        frequency: "hằng ngày".to_owned(),
        other: String::new(),
        legal_basis: "decree-70-2024-art-7-2".to_owned(),
    }
}

fn part(part: &str) -> CheckedPart {
    CheckedPart { part: part.to_owned(), passed: true, finding: String::new() }
}

fn check() -> ConditionCheck {
    let parts = ["hardening", "penetration", "source-code", "hardware", "regulations"];
    ConditionCheck {
        infrastructure: Some(part("")),
        standards: Some(part("")),
        security_level: 3,
        parts: parts.map(part).to_vec(),
    }
}

fn agree() -> Move {
    Move::Agree(AgreementReference { agreement: format!("{AGREEMENT}-1") })
}

fn conformance() -> ConformanceReport {
    ConformanceReport {
        digest: vec![7; 32],
        target: "cong-quoc-gia.test:443".to_owned(),
        kit_version: "0.1.0".to_owned(),
        roles: vec!["sink".to_owned()],
    }
}

fn assessment(next_day: &str) -> SecurityAssessment {
    SecurityAssessment {
        assessor: "Đơn vị kiểm tra mẫu".to_owned(),
        day: "2026-11-20".to_owned(),
        findings: vec![finding(FindingSeverity::Low, FindingState::Open)],
        next_day: next_day.to_owned(),
    }
}

fn finding(severity: FindingSeverity, state: FindingState) -> SecurityFinding {
    SecurityFinding {
        id: "F-1".to_owned(),
        title: "cổng mở không cần thiết".to_owned(),
        severity: severity.into(),
        state: state.into(),
    }
}

fn suspend(cause: &str) -> Move {
    Move::Suspend(Suspension { cause: cause.to_owned(), remedy: "khắc phục".to_owned() })
}

fn end(cause: &str) -> ConnectionEnd {
    ConnectionEnd { cause: cause.to_owned() }
}

/// What is missing, by name.
fn missing(refused: &Refused) -> Vec<&str> {
    assert_eq!(why(refused), ("FailedPrecondition", "MOVE_NOT_POSSIBLE"), "{refused:?}");
    assert!(refused.get("record_index").is_some());
    refused.unmet.iter().map(|(reason, _)| reason.as_str()).collect()
}

async fn a_database_is_admitted_answered_suspended_and_answered_again(engine: Engine) {
    let office = Office::open(engine).await;
    let (caller, lookup) = (office.caller(), office.lookup());
    office.admitted().await;
    answered(&caller, &lookup).await.verify(&office.whole.log).unwrap();
    // Whoever finds that it is urgent does it alone.
    let urgent = office.request(suspend("violation")).await;
    let urgent = MoveConnectionRequest { expected_version: 0, ..urgent };
    let stopped = office.officer("operator").move_connection(&urgent).await.unwrap().unwrap();
    stopped.verify(&office.whole.log).unwrap();
    let stopped = stopped.answer.admission.unwrap();
    assert_eq!(stopped.state(), AdmissionState::Suspended);
    assert_eq!(stopped.article, "Decree 47/2020/ND-CP, Art. 43(5)");
    // To the end of the next day in Viet Nam.
    let due = stopped.deadline.unwrap();
    assert_eq!(due.id, "notify-violation");
    assert_eq!(due.due_time.unwrap().seconds, 1_795_626_000);
    office.whole.hands.step(time::Duration::seconds(61));
    let denied = refused(&caller, &lookup).await;
    assert_eq!(why(&denied), ("PermissionDenied", "CONNECTION_NOT_ACTIVE"));
    assert_eq!(denied.get("rule"), Some("connection-suspended"));
    office.moves("second-registrar", Move::Resume(Resumption {})).await;
    answered(&caller, &lookup).await;
    // Ending takes two.
    office.moves("operator", Move::ProposeEnd(end("no-need"))).await;
    answered(&caller, &lookup).await;
    let ended = office.moves("second-registrar", Move::End(end("no-need"))).await;
    assert_eq!(ended.state(), AdmissionState::Ended);
    office.whole.hands.step(time::Duration::seconds(61));
    assert_eq!(refused(&caller, &lookup).await.get("rule"), Some("connection-revoked"));
    // Everything is there, in order, each with its record.
    let history = office.get("auditor").await.unwrap();
    history.verify(&office.whole.log).unwrap();
    let moves = history.answer.moves;
    let versions: Vec<_> = moves.iter().map(|made| made.version).collect();
    assert_eq!(versions, (1..=10).collect::<Vec<_>>());
    let mut records: Vec<_> = moves.iter().map(|made| made.record_index.unwrap()).collect();
    records.dedup();
    assert_eq!(records.len(), 10);
    assert!(records.is_sorted());
    assert!(moves[5].made_by.ends_with("/operator/second-registrar"), "{}", moves[5].made_by);
    assert_eq!(moves[4].role, "security-assessor");
    assert_eq!(moves[0].request.as_ref().unwrap().document, Some(document()));
    assert_eq!(moves[0].deadline.as_ref().unwrap().id, "answer-application");
    // It can be applied for anew, and nothing of before counts.
    let again = office.moves("operator", Move::Apply(application())).await;
    assert_eq!(again.state(), AdmissionState::Applied);
    office.close().await;
}

async fn i2_nothing_is_asked_before_it_is_admitted(engine: Engine) {
    let office = Office::open(engine).await;
    let (caller, lookup) = (office.caller(), office.lookup());
    let rule = async || {
        office.whole.hands.step(time::Duration::seconds(61));
        let denied = refused(&caller, &lookup).await;
        assert_eq!(why(&denied), ("PermissionDenied", "CONNECTION_NOT_ACTIVE"));
        denied.get("rule").unwrap().to_owned()
    };
    assert_eq!(rule().await, "no-connection");
    office.moves("operator", Move::Apply(application())).await;
    assert_eq!(rule().await, "connection-not-admitted");
    office.agree_until("2027-06-01").await;
    // Conditions are met in any order; the state says how far without a gap.
    let state = async |officer, step| office.moves(officer, step).await.state();
    let assessed = Move::Assess(assessment("2027-01-01"));
    assert_eq!(state("assessor", assessed).await, AdmissionState::Applied);
    assert_eq!(rule().await, "connection-not-admitted");
    let conformant = Move::Conform(conformance());
    assert_eq!(state("operator", conformant).await, AdmissionState::Applied);
    assert_eq!(state("operator", agree()).await, AdmissionState::Applied);
    assert_eq!(rule().await, "connection-not-admitted");
    assert_eq!(state("assessor", Move::Check(check())).await, AdmissionState::Assessed);
    assert_eq!(rule().await, "connection-not-admitted");
    let open = Move::Activate(Activation {});
    assert_eq!(state("second-registrar", open).await, AdmissionState::Active);
    answered(&caller, &lookup).await;
    office.close().await;
}

async fn everything_that_is_missing_is_named_at_once(engine: Engine) {
    let office = Office::open(engine).await;
    office.moves("operator", Move::Apply(application())).await;
    let open = || Move::Activate(Activation {});
    let refused = office.is_refused("second-registrar", open()).await;
    let nothing = ["NOT_CHECKED", "NOT_AGREED", "NOT_CONFORMANT", "NOT_ASSESSED"];
    assert_eq!(missing(&refused), nothing);
    let failed =
        |id: &str| CheckedPart { passed: false, finding: "chưa đạt".to_owned(), ..part(id) };
    let mut bad = check();
    (bad.infrastructure, bad.standards, bad.security_level) =
        (Some(failed("")), Some(failed("")), 2);
    bad.parts[1] = failed("penetration");
    office.moves("operator", Move::Check(bad)).await;
    let grave = SecurityAssessment {
        findings: vec![finding(FindingSeverity::Critical, FindingState::Open)],
        ..assessment("2026-11-24")
    };
    office.moves("assessor", Move::Assess(grave)).await;
    let refused = office.is_refused("second-registrar", open()).await;
    let all = [
        "INFRASTRUCTURE",
        "STANDARDS",
        "SECURITY_LEVEL",
        "CHECKLIST",
        "NOT_AGREED",
        "NOT_CONFORMANT",
        "ASSESSMENT_LAPSED",
        "FINDING_OPEN",
    ];
    assert_eq!(missing(&refused), all);
    let subjects: Vec<_> = refused.unmet.iter().map(|(_, subject)| subject.as_str()).collect();
    assert_eq!((subjects[3], subjects[7]), ("penetration", "F-1"));
    // An agreement that is not there is none.
    let refused = office.is_refused("operator", agree()).await;
    assert_eq!(missing(&refused), ["AGREEMENT_NOT_IN_FORCE"]);
    // What is refused changes nothing, and the admission itself says what is missing.
    let admission = office.get("auditor").await.unwrap().answer.admission.unwrap();
    assert_eq!(admission.version, 3);
    let named: Vec<_> = admission.obstacles.iter().map(|one| one.obstacle()).collect();
    assert_eq!(named.len(), all.len() + 1);
    assert_eq!(named.last(), Some(&AdmissionObstacle::NotOpened));
    let owed: Vec<_> = admission.obstacles.iter().map(|one| one.owed_by.as_str()).collect();
    assert_eq!((owed[0], owed[6], owed[8]), ("owner", "operator", "operator"));
    office.close().await;
}

async fn i4_the_same_request_is_one_move_with_one_receipt(engine: Engine) {
    let office = Office::open(engine).await;
    let request = office.request(Move::Apply(application())).await;
    let operator = office.officer("operator");
    let first = operator.move_connection(&request).await.unwrap().unwrap();
    office.moves("operator", Move::Check(check())).await;
    let records = office.whole.records().await;
    let again = operator.move_connection(&request).await.unwrap().unwrap();
    assert_eq!((&again.answer_bytes, &again.receipt), (&first.answer_bytes, &first.receipt));
    again.verify(&office.whole.log).unwrap();
    assert_eq!(office.whole.records().await, records, "nothing more is recorded");
    assert_eq!(office.get("auditor").await.unwrap().answer.moves.len(), 2);
    // Other bytes, or another officer, under the same id are an error that names the first.
    let other = MoveConnectionRequest { reason: "khác".to_owned(), ..request.clone() };
    let second = office.officer("second-registrar");
    for (client, request) in [(&operator, &other), (&second, &request)] {
        let refused = client.move_connection(request).await.unwrap().err().unwrap();
        assert_eq!(why(&refused), ("AlreadyExists", "KEY_REUSED"));
        let digest = hex::encode(tlog::digest(&first.request));
        assert_eq!(refused.get("first_digest"), Some(digest.as_str()));
    }
    // Whoever did not see that it was moved is told.
    let late = MoveConnectionRequest { request_id: "late".to_owned(), ..request };
    let refused = operator.move_connection(&late).await.unwrap().err().unwrap();
    assert_eq!(why(&refused), ("Aborted", "CONNECTION_CHANGED"));
    assert_eq!(refused.get("version"), Some("2"));
    office.close().await;
}

/// A process that ends between a move and its record leaves the record to the next look; whoever asks again gets the one receipt.
async fn a_move_that_is_not_recorded_yet_is_recorded_later(engine: Engine) {
    let office = Office::open(engine).await;
    let request = office.request(Move::Apply(application())).await;
    let first = office.officer("operator").move_connection(&request).await.unwrap().unwrap();
    let office = office.changed(&["UPDATE admission_move SET answer = NULL, receipt = NULL"]).await;
    let unrecorded = "SELECT COUNT(*) FROM admission_move WHERE receipt IS NULL";
    assert_eq!(office.whole.count("policy", unrecorded).await, 1);
    // Somebody may still be answered: it is left alone for a minute.
    office.whole.all.policy().look().await.unwrap();
    assert_eq!(office.whole.count("policy", unrecorded).await, 1);
    office.whole.hands.step(time::Duration::minutes(2));
    let records = office.whole.records().await;
    office.whole.all.policy().look().await.unwrap();
    assert_eq!(office.whole.count("policy", unrecorded).await, 0);
    assert_eq!(office.whole.records().await, records + 1);
    let again = office.officer("operator").move_connection(&request).await.unwrap().unwrap();
    assert_eq!(again.answer_bytes, first.answer_bytes);
    assert_eq!(again.receipt.index, records);
    again.verify(&office.whole.log).unwrap();
    office.close().await;
}

async fn readiness_names_who_owes_what(engine: Engine) {
    let office = Office::open(engine).await;
    let ready = async |database: &str| {
        let answered = office.officer("auditor").list_readiness().await.unwrap().unwrap();
        answered.verify(&office.whole.log).unwrap();
        let mut all = answered.answer.databases.into_iter();
        all.find(|one| one.database == database).unwrap()
    };
    // Of the registry file.
    let civil_status = ready("civil-status").await;
    assert!(civil_status.connected && civil_status.obstacles.is_empty());
    assert_eq!(civil_status.connections, ["demo-civil-status"]);
    let portal = ready("national-portal").await;
    assert!(!portal.connected && portal.connections.is_empty());
    let (what, owed) = (portal.obstacles[0].obstacle(), portal.obstacles[0].owed_by.as_str());
    assert_eq!((what, owed), (AdmissionObstacle::NotApplied, "owner"));
    assert_eq!((portal.since_day.as_str(), portal.due_day.as_str()), ("2021-11-15", "2026-12-31"));
    office.prepared().await;
    let portal = ready("national-portal").await;
    assert_eq!(portal.connections, [ID]);
    assert_eq!(portal.since_day, "2026-11-24");
    let (what, owed) = (portal.obstacles[0].obstacle(), portal.obstacles[0].owed_by.as_str());
    assert_eq!((what, owed), (AdmissionObstacle::NotOpened, "operator"));
    office.moves("second-registrar", Move::Activate(Activation {})).await;
    assert!(ready("national-portal").await.connected);
    office.close().await;
}

async fn admissions_are_listed_page_by_page(engine: Engine) {
    let office = Office::open(engine).await;
    for number in 0..5 {
        let form = ConnectionApplication { system: format!("he-thong-{number}"), ..application() };
        let request = MoveConnectionRequest {
            request_id: format!("apply-{number}"),
            connection: format!("conn-{number}"),
            expected_version: 0,
            ..office.request(Move::Apply(form)).await
        };
        office.officer("operator").move_connection(&request).await.unwrap().unwrap();
    }
    let (mut page_token, mut seen) = (String::new(), Vec::new());
    loop {
        let request = ListAdmissionsRequest { page_size: 2, page_token };
        let page = office.officer("auditor").list_admissions(&request).await.unwrap().unwrap();
        page.verify(&office.whole.log).unwrap();
        assert!(page.answer.admissions.len() <= 2);
        seen.extend(page.answer.admissions.into_iter().map(|admission| admission.connection));
        page_token = page.answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["conn-0", "conn-1", "conn-2", "conn-3", "conn-4"]);
    office.close().await;
}
