//! Who saw me, over HTTP: a portal is told what a call lists, on the same conditions and no others, and what it is told is recorded
//! first.

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::{
    audit::v1::Receipt,
    identity::v1::{AccessEnding, LookupStreamOpening, LookupStreamQuery, PersonAccess},
    r#type::v1::PartialDate,
};
use prost::Message as _;
use serde_json::Value;
use store::Engine;
use tests::{
    Options, Person, World, ask, basis, on_both_engines, people,
    web::{self, Got, encoded},
};
use time::{Duration, format_description::well_known::Rfc3339};
use tlog::Evidence;

use crate::{
    accesses::{NOBODYS, accesses, consented, details, listed, to_the_portal},
    answered,
    consents::given,
};

on_both_engines!(
    a_portal_is_told_what_a_call_lists_and_what_proves_it,
    a_portal_has_what_it_asks_for_of_what_is_told,
    an_access_of_an_investigation_is_counted_and_not_shown,
    what_was_asked_in_bulk_is_shown_when_it_is_asked_for,
    i1_what_is_not_recorded_is_not_told,
    i2_on_the_conditions_of_the_call_and_no_others,
    i7_a_protected_person_and_an_absent_one_have_the_same_answer,
    i8_what_is_faulty_is_named_and_not_repeated,
    more_than_the_log_gives_at_once_is_counted_whole_and_a_window_of_it_told,
);

const LISTED: &str = "GET /v3/findUsage?userCode=VN";
/// The headers that a record commits to, in their order.
const HEADERS: [&str; 6] = [
    "X-Road-UserId",
    "X-Road-Id",
    "X-Road-Issue",
    "X-Road-PDU-Consent-Reference",
    "Lienthong-Full-Name",
    "Lienthong-Date-Of-Birth",
];

/// A portal that asks about one person.
pub(crate) struct Portal<'a> {
    world: &'a World,
    address: SocketAddr,
    pub(crate) headers: Vec<(&'static str, String)>,
    line: String,
}

impl<'a> Portal<'a> {
    pub(crate) async fn of(world: &'a World, person: &Person, reference: &str) -> Self {
        let address = world.tell_usage().await;
        let PartialDate { year, month, day } = person.claims().date_of_birth.unwrap();
        let values = [
            format!("VN{}", person.number()),
            "usage-1".to_owned(),
            "HS-7".to_owned(),
            reference.to_owned(),
            encoded(person.name()),
            format!("{year:04}-{month:02}-{day:02}"),
        ];
        let headers = HEADERS.into_iter().zip(values).filter(|(_, value)| !value.is_empty());
        let line = format!("{LISTED}{}", person.number());
        Self { world, address, headers: headers.collect(), line }
    }

    pub(crate) async fn asks_as(&self, caller: &str, more: &str) -> Got {
        let line = format!("{}{more}", self.line);
        web::ask(self.address, &self.world.files(caller), &line, &self.headers).await.unwrap()
    }

    pub(crate) async fn asks(&self, more: &str) -> Got {
        self.asks_as("portal", more).await
    }

    /// What must be told.
    async fn told(&self, more: &str) -> Value {
        let got = self.asks(more).await;
        assert_eq!(got.status, 200, "{}", String::from_utf8_lossy(&got.body));
        got.json()
    }

    /// Asks whether it works until it says so, or that it does not.
    async fn beats(&self, expect: &str) {
        let files = self.world.files("portal");
        loop {
            let beat = web::ask(self.address, &files, "GET /v3/heartbeat", &[]).await.unwrap();
            assert_eq!(beat.status, 200);
            if beat.json()["status"] == expect {
                return;
            }
        }
    }

    /// The bytes to which the record of a request commits, as the README says.
    fn recorded(&self, more: &str) -> String {
        let headers = self.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
        format!("{}{more}\n{}", self.line, headers.collect::<String>())
    }
}

/// The indexes of what is shown, the newest first.
fn indexes(told: &Value) -> Vec<u64> {
    let lists = ["dataRequests", "dataResponses", "dataProcessings", "internalProcessings"];
    let all = lists.iter().flat_map(|list| told[list].as_array().unwrap());
    all.map(|one| one["lienthong"]["index"].as_u64().unwrap()).collect()
}

fn receipt(got: &Got) -> Receipt {
    let receipt = STANDARD.decode(got.header("lienthong-receipt").unwrap()).unwrap();
    Receipt::decode(receipt.as_slice()).unwrap()
}

async fn a_portal_is_told_what_a_call_lists_and_what_proves_it(engine: Engine) {
    let world = World::new(engine).await;
    let person = world.plain().clone();
    let insurance = world.client("insurance");
    answered(&insurance, &ask(&person, &["sex", "religion"])).await;
    let mut wrong = ask(&person, &["sex"]);
    wrong.claims.as_mut().unwrap().full_name = "Không Phải Tên Đó".to_owned();
    answered(&insurance, &wrong).await;
    let reference = consented(&world, &person).await;
    let client = world.client("portal");
    let call = listed(&client, &accesses(&person, &reference)).await.answer;

    let portal = Portal::of(&world, &person, &reference).await;
    let got = portal.asks("").await;
    let told = got.json();
    assert_eq!(got.status, 200, "{told}");
    assert_eq!(got.header("content-type"), Some("application/json"));
    assert_eq!(got.header("cache-control"), Some("no-store"));
    // What the call listed, and before it the call.
    let expect: Vec<u64> = call.accesses.iter().map(|access| details(access).index).collect();
    let seen = indexes(&told);
    assert_eq!(seen[1..], expect);
    assert_eq!((&told["totalUsages"], &told["returnedUsages"]), (&4.into(), &4.into()));
    assert_eq!(told["lienthong"]["outcome"], "MATCH");
    assert_eq!(
        (&told["lienthong"]["complete"], &told["lienthong"]["counts"][0]),
        (&true.into(), &4.into())
    );
    for (shown, access) in told["dataResponses"].as_array().unwrap()[1..].iter().zip(&call.accesses)
    {
        same(shown, access);
    }
    // In words of people where there are such, and what the interface demands of each.
    let first = &told["dataResponses"][3];
    assert_eq!(first["purpose"], policy_name("child-health-insurance-card"));
    assert!(first["legalBasis"].as_str().unwrap().contains("1911"), "{first}");
    assert_eq!(first["initiatorOrg"]["systemName"], "health-insurance");
    assert_ne!(first["initiatorOrg"]["name"], "Z24.TEST", "{first}");
    assert_eq!(first["lienthong"]["agency"], "Z24.TEST");
    assert!(first["target"]["type"] == "GOV" && first["target"]["name"].is_string(), "{first}");
    assert_eq!(first["queryId"], seen[3].to_string());
    // Each stands in the log.
    for shown in told["dataResponses"].as_array().unwrap() {
        stands(&world, &told, shown);
    }
    // And so does the answer, byte for byte as it was sent, before it was.
    let receipt = receipt(&got);
    let request = portal.recorded("").into_bytes();
    let proof = tlog::hashes(&receipt.proof).unwrap();
    let evidence = |answer| Evidence {
        request: &request,
        answer,
        leaf: &receipt.leaf,
        index: receipt.index,
        proof: &proof,
        checkpoint: &receipt.checkpoint,
        opening: &receipt.opening,
    };
    let verified = tlog::verify_receipt(&evidence(&got.body), &world.log).unwrap();
    assert_eq!(verified.method, "/v3/findUsage");
    assert_eq!(verified.caller, "spiffe://lienthong.test/agency/Z99.TEST/system/portal");
    tlog::verify_receipt(&evidence(&got.body[1..]), &world.log).unwrap_err();

    // To be told is an access, too, on both ways.
    let again = portal.told("").await;
    assert_eq!(indexes(&again)[0], receipt.index);
    let own = &again["dataResponses"][0];
    assert_eq!(own["purpose"], "Công dân tra cứu thông tin của chính mình");
    assert_eq!(own["legalBasis"], "Circular 46/2022/TT-BCA, Art. 12");
    assert!(own["lienthong"]["items"].as_array().unwrap().iter().all(|i| i["disclosed"] == false));
    let call = listed(&client, &accesses(&person, &reference)).await.answer;
    let access = &call.accesses[1];
    assert_eq!(details(access).index, receipt.index);
    assert_eq!((details(access).method.as_str(), access.number), ("/v3/findUsage", 5));
    world.stop().await;
}

/// What is shown is what the call says of the access.
fn same(shown: &Value, access: &PersonAccess) {
    let (ours, details) = (&shown["lienthong"], details(access));
    assert_eq!(ours["number"], access.number);
    assert_eq!(ours["method"], details.method);
    assert_eq!(ours["procedure"], details.procedure);
    assert_eq!(ours["actingUnit"], details.acting_unit);
    assert_eq!(ours["leaf"], STANDARD.encode(&details.leaf));
    let given = matches!(details.ending(), AccessEnding::Answered);
    assert_eq!(ours["ending"], if given { "ANSWERED" } else { "NOTHING_GIVEN" });
    let items = ours["items"].as_array().unwrap();
    assert_eq!(items.len(), details.items.len());
    for (shown, item) in items.iter().zip(&details.items) {
        assert_eq!(
            (&shown["item"], &shown["disclosed"]),
            (&item.item.clone().into(), &item.disclosed.into())
        );
    }
    let time = details.record_time.unwrap();
    let shown = time::OffsetDateTime::parse(shown["logTime"].as_str().unwrap(), &Rfc3339).unwrap();
    assert_eq!(shown.unix_timestamp(), time.seconds);
}

/// The proof of what is shown leads to a checkpoint of the answer.
fn stands(world: &World, told: &Value, shown: &Value) {
    let ours = &shown["lienthong"];
    let place = usize::try_from(ours["checkpoint"].as_u64().unwrap()).unwrap();
    let checkpoint = told["lienthong"]["checkpoints"][place].as_str().unwrap();
    let signed = world.log.verify(checkpoint).unwrap();
    let decoded = |text: &Value| STANDARD.decode(text.as_str().unwrap()).unwrap();
    let proof: Vec<Vec<u8>> = ours["proof"].as_array().unwrap().iter().map(decoded).collect();
    let proof = tlog::hashes(&proof).unwrap();
    let hash = tlog::leaf_hash(&decoded(&ours["leaf"]));
    let index = ours["index"].as_u64().unwrap();
    tlog::verify_inclusion(index, signed.size, &hash, &proof, &signed.root).unwrap();
}

fn policy_name(id: &str) -> String {
    let table: toml::Table = policy::PROCEDURES.parse().unwrap();
    let mut all = table["procedure"].as_array().unwrap().iter();
    let found = all.find(|one| one["id"].as_str() == Some(id)).unwrap();
    found["vi"].as_str().unwrap().to_owned()
}

async fn a_portal_has_what_it_asks_for_of_what_is_told(engine: Engine) {
    let world = World::new(engine).await;
    let person = world.plain().clone();
    let insurance = world.client("insurance");
    let mut at = Vec::new();
    for _ in 0..5 {
        world.hands.step(Duration::minutes(1));
        let index = answered(&insurance, &ask(&person, &["sex"])).await.receipt.index;
        at.push((index, tests::world::NOW + Duration::minutes(1 + at.len() as i64)));
    }
    let reference = consented(&world, &person).await;
    let portal = Portal::of(&world, &person, &reference).await;
    let moment = |place: usize| encoded(&at[place].1.format(&Rfc3339).unwrap());

    // From the second to the fourth, both of them with it, and then parts of these.
    let period = format!("&periodStart={}&periodEnd={}", moment(1), moment(3));
    let told = portal.told(&period).await;
    assert_eq!(indexes(&told), [at[3].0, at[2].0, at[1].0]);
    assert_eq!((&told["totalUsages"], &told["lienthong"]["counts"]), (&3.into(), &Value::Null));
    let numbers = told["dataResponses"].as_array().unwrap().iter();
    let numbers = numbers.map(|one| one["lienthong"]["number"].as_u64().unwrap());
    assert_eq!(numbers.collect::<Vec<_>>(), [4, 3, 2], "as they are without a period");
    let told = portal.told(&format!("{period}&limit=1&offset=1")).await;
    assert_eq!(indexes(&told), [at[2].0]);
    assert_eq!((&told["totalUsages"], &told["returnedUsages"]), (&3.into(), &1.into()));
    let told = portal.told(&format!("{period}&offset=3&limit=10000")).await;
    assert_eq!((&told["totalUsages"], &told["returnedUsages"]), (&3.into(), &0.into()));
    let before = encoded(&(tests::world::NOW - Duration::days(1)).format(&Rfc3339).unwrap());
    let told = portal.told(&format!("&periodEnd={before}")).await;
    assert_eq!((indexes(&told), &told["lienthong"]["outcome"]), (vec![], &"MATCH".into()));

    // By type and by part of the register; nobody contributed.
    for (more, expect) in [
        ("&processingType=DATA_RESPONSE", 3),
        ("&processingType=DATA_PROCESSING&processingType=DATA_REQUEST", 0),
        ("&logSourceSystems=identity&logSourceSystems=x", 3),
        ("&logSourceSystems=contribution", 0),
    ] {
        let told = portal.told(&format!("{period}{more}")).await;
        assert_eq!(told["totalUsages"], expect, "{more}");
    }
    world.stop().await;
}

async fn more_than_the_log_gives_at_once_is_counted_whole_and_a_window_of_it_told(engine: Engine) {
    const LOOKUPS: usize = 203;
    let world = World::new(engine).await;
    let person = world.plain().clone();
    let insurance = world.client("insurance");
    let mut at = Vec::new();
    for _ in 0..LOOKUPS {
        at.push(answered(&insurance, &ask(&person, &["sex"])).await.receipt.index);
    }
    let reference = consented(&world, &person).await;
    let portal = Portal::of(&world, &person, &reference).await;
    let first = portal.told("&limit=10000").await;
    // The consent is an access, too.
    let total = first["totalUsages"].as_u64().unwrap();
    assert_eq!((&first["lienthong"]["complete"], total), (&true.into(), LOOKUPS as u64 + 1));
    assert_eq!(first["returnedUsages"], total);
    // The oldest ones, and the answer before is one more now.
    let told = portal.told(&format!("&offset={}&limit=2", total - 1)).await;
    assert_eq!((&told["totalUsages"], &told["returnedUsages"]), (&(total + 1).into(), &2.into()));
    assert_eq!(indexes(&told), [at[1], at[0]]);
    for shown in told["dataResponses"].as_array().unwrap() {
        stands(&world, &told, shown);
    }
    world.stop().await;
}

async fn an_access_of_an_investigation_is_counted_and_not_shown(engine: Engine) {
    let world = World::new(engine).await;
    let person = world.plain().clone();
    answered(&world.client("insurance"), &ask(&person, &["sex"])).await;
    world.hands.step(Duration::minutes(2));
    let mut request = ask(&person, &["birth_full_name"]);
    request.basis = Some(basis("investigation-identification"));
    answered(&world.client("police"), &request).await;
    world.hands.step(Duration::minutes(2));
    let reference = consented(&world, &person).await;
    let portal = Portal::of(&world, &person, &reference).await;
    let got = portal.asks("").await;
    let told = got.json();
    assert_eq!((&told["totalUsages"], &told["lienthong"]["sealed"]), (&2.into(), &1.into()));
    assert_eq!(told["lienthong"]["counts"][0], 3);
    let text = String::from_utf8(got.body).unwrap();
    assert!(!text.contains("investigation") && text.contains("health-insurance"), "{text}");
    // When it was cannot be found by asking about one time after the other.
    let mut bodies = Vec::new();
    for from in [1, 2, 3] {
        let moment = |seconds| {
            let at = tests::world::NOW + Duration::minutes(from) + Duration::seconds(seconds);
            encoded(&at.format(&Rfc3339).unwrap())
        };
        let period = format!("&periodStart={}&periodEnd={}", moment(-20), moment(20));
        let mut told = portal.told(&period).await;
        let ours = told["lienthong"].as_object_mut().unwrap();
        for of_its_own in ["answerTime", "decisionId", "checkpoints"] {
            assert!(ours.remove(of_its_own).is_some());
        }
        bodies.push(told);
    }
    assert_eq!(bodies[0]["totalUsages"], 0);
    assert_eq!((&bodies[0], &bodies[1]), (&bodies[1], &bodies[2]));
    world.stop().await;
}

async fn what_was_asked_in_bulk_is_shown_when_it_is_asked_for(engine: Engine) {
    let world = World::new(engine).await;
    let person = world.plain().clone();
    let opening = LookupStreamOpening {
        items: vec!["sex".to_owned()],
        basis: Some(basis("child-health-insurance-card")),
        request_id: "bulk-1".to_owned(),
        as_of: None,
    };
    let stream = world.client("insurance").lookup_stream(opening).await.unwrap();
    let (asking, mut answers) = stream.unwrap_or_else(|refused| panic!("{refused}"));
    let (subject, claims) = (people::by_number(person.number()), Some(person.claims()));
    asking
        .ask(LookupStreamQuery { correlation_id: 1, subject, claims, min_version: 0 })
        .await
        .unwrap();
    answers.next().await.unwrap().unwrap().unwrap();
    let reference = consented(&world, &person).await;
    let portal = Portal::of(&world, &person, &reference).await;
    let told = portal.told("").await;
    assert_eq!((&told["totalUsages"], &told["lienthong"]["bulkLeftOut"]), (&1.into(), &1.into()));
    let told = portal.told("&includeBulkProcessing=true").await;
    assert_eq!((&told["totalUsages"], &told["lienthong"]["bulkLeftOut"]), (&3.into(), &0.into()));
    let bulk =
        told["dataResponses"].as_array().unwrap().iter().map(|one| one["bulkProcessing"].as_bool());
    assert_eq!(bulk.collect::<Vec<_>>(), [Some(false), Some(false), Some(true)]);
    world.stop().await;
}

async fn i1_what_is_not_recorded_is_not_told(engine: Engine) {
    let options = Options { readiness: true, ..Options::default() };
    let mut world = World::with(engine, options).await;
    let person = world.plain().clone();
    let reference = consented(&world, &person).await;
    world.stop_audit().await;
    let portal = Portal::of(&world, &person, &reference).await;
    let got = portal.asks("").await;
    assert_eq!(got.status, 503);
    assert_eq!(got.header("retry-after"), Some("1"));
    portal.beats("FAIL").await;
    let headers = portal.headers.clone();
    world.start_audit().await;
    let portal = Portal { headers, ..Portal::of(&world, &person, &reference).await };
    let records = world.records().await;
    assert_eq!(portal.asks("").await.status, 200);
    assert_eq!(world.records().await, records + 1);
    portal.beats("OK").await;
    world.stop().await;
}

async fn i2_on_the_conditions_of_the_call_and_no_others(engine: Engine) {
    let world = World::new(engine).await;
    let person = world.plain().clone();
    let check = |got: Got, status: u16, code: &str| {
        let body = got.json();
        assert_eq!((got.status, &body["code"]), (status, &code.into()), "{body}");
        assert!(body["message"].as_str().unwrap().contains(" / "), "{body}");
    };
    // Without a consent: refused, and that is recorded.
    let portal = Portal::of(&world, &person, "").await;
    let records = world.records().await;
    check(portal.asks("").await, 403, "NOTHING_ALLOWED");
    assert_eq!(world.records().await, records + 1);
    // With one to something else, and with none that there is: as if there was nobody.
    let mut other = to_the_portal(&person);
    other.items = vec!["sex".to_owned()];
    let other = given(&world.client("portal"), &other).await.answer.consent.unwrap().reference;
    for reference in [other.as_str(), "DY-1"] {
        let told = Portal::of(&world, &person, reference).await.told("").await;
        assert_eq!((&told["totalUsages"], indexes(&told)), (&0.into(), vec![]));
        let ours = &told["lienthong"];
        assert!(
            ours["counts"].as_array().unwrap().is_empty()
                && ours["checkpoints"].as_array().unwrap().is_empty()
        );
    }
    // Whose agreement does not say so, who has none, and who is no system of an agency.
    let portal = Portal::of(&world, &person, &other).await;
    check(portal.asks_as("insurance", "").await, 403, "NO_AGREEMENT");
    check(portal.asks_as("suspended", "").await, 403, "CONNECTION_NOT_ACTIVE");
    let operator = world.issue("operator", "spiffe://lienthong.test/operator/7");
    let got = web::ask(portal.address, &operator, &portal.line, &portal.headers).await.unwrap();
    check(got, 403, "METHOD_NOT_ALLOWED");
    // Claims are demanded as of a call.
    let mut portal = Portal::of(&world, &person, "DY-1").await;
    portal.headers.retain(|(name, _)| !name.starts_with("Lienthong"));
    let got = portal.asks("").await;
    let message = got.json()["message"].as_str().unwrap().to_owned();
    check(got, 400, "INVALID_REQUEST");
    assert!(message.contains("full_name") && message.contains("date_of_birth"), "{message}");
    // Nobody who is no caller has an answer.
    let files = world.issue("nobody", "spiffe://lienthong.other/agency/Z99.TEST/system/portal");
    let got = web::ask(portal.address, &files, &portal.line, &portal.headers).await.unwrap();
    check(got, 403, "METHOD_NOT_ALLOWED");
    world.stop().await;
}

async fn i7_a_protected_person_and_an_absent_one_have_the_same_answer(engine: Engine) {
    let world = World::new(engine).await;
    let reference = consented(&world, world.plain()).await;
    let protected = world.person(|p| p.0.protected && p.has_whole_date()).clone();
    let hidden = Portal::of(&world, &protected, &reference).await;
    let mut absent = Portal::of(&world, &protected, &reference).await;
    absent.line = format!("{LISTED}{NOBODYS}");
    absent.headers[0].1 = format!("VN{NOBODYS}");
    let mut wrong = Portal::of(&world, world.plain(), &reference).await;
    wrong.headers[4].1 = encoded("Không Phải Tên Đó");
    let mut answers = Vec::new();
    for portal in [hidden, absent, wrong] {
        let (records, statements) = (world.records().await, world.statements());
        let got = portal.asks("").await;
        let length = got.body.len();
        let mut told = got.json();
        let ours = told["lienthong"].as_object_mut().unwrap();
        for of_its_own in ["answerTime", "decisionId"] {
            assert!(ours.remove(of_its_own).is_some());
        }
        let appended = world.records().await - records;
        let names: Vec<String> = got.headers.iter().map(|(name, _)| name.clone()).collect();
        let leaf = receipt(&got).leaf.len();
        answers.push((
            got.status,
            names,
            told,
            length,
            leaf,
            world.statements() - statements,
            appended,
        ));
    }
    assert_eq!(answers[0].2["lienthong"]["outcome"], "NO_MATCH");
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    world.stop().await;
}

async fn i8_what_is_faulty_is_named_and_not_repeated(engine: Engine) {
    let world = World::new(engine).await;
    let person = world.plain().clone();
    let portal = Portal::of(&world, &person, "DY-1").await;
    let records = world.records().await;
    let got = portal
        .asks("&limit=0&offset=x&periodStart=y&includeBulkProcessing=z&processingType=q&990204000001=1")
        .await;
    assert_eq!(got.status, 400);
    let body = got.json();
    let fields: Vec<&str> = body["lienthong"]["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["field"].as_str().unwrap())
        .collect();
    for field in
        ["limit", "offset", "periodStart", "includeBulkProcessing", "processingType", "query"]
    {
        assert!(fields.contains(&field), "{field} of {fields:?}");
        assert!(body["message"].as_str().unwrap().contains(field));
    }
    let text = String::from_utf8(got.body).unwrap();
    assert!(!text.contains("990204") && !text.contains(person.number()), "{text}");

    // Nobody asks for somebody else.
    let mut another = Portal::of(&world, &person, "DY-1").await;
    another.headers[0].1 = format!("VN{NOBODYS}");
    let got = another.asks("").await;
    let body = got.json();
    assert_eq!(
        (got.status, &body["lienthong"]["fields"][0]["field"]),
        (400, &"X-Road-UserId".into())
    );
    let message = body["message"].as_str().unwrap();
    assert!(message.contains("người đại diện") && message.contains("represented"), "{message}");
    // Nothing that is said of a person is missing, or of another form.
    let files = world.files("portal");
    let nothing = web::ask(portal.address, &files, "GET /v3/findUsage?userCode=1", &[]).await;
    let body = nothing.unwrap().json();
    let message = body["message"].as_str().unwrap();
    for field in ["userCode", "X-Road-UserId"] {
        assert!(message.contains(field), "{field} of {message}");
    }
    for (line, status) in [
        ("POST /v3/disclose", 404),
        ("GET /v3/disclose", 404),
        ("GET /v3/findUsage/x", 404),
        ("POST /v3/findUsage", 405),
        ("DELETE /v3/heartbeat", 405),
    ] {
        let got = web::ask(portal.address, &files, line, &[]).await.unwrap();
        assert_eq!(got.status, status, "{line}");
        assert!(got.json()["message"].is_string());
        assert_eq!(got.header("allow"), (status == 405).then_some("GET"), "{line}");
    }
    assert_eq!(world.records().await, records, "nobody was asked about");
    world.stop().await;
}
