//! A warrant's whole way: policy decides and signs, the exchange presents, a database that knows policy's published keys and nothing
//! else answers or refuses. Each on SQLite and PostgreSQL.

use std::{path::PathBuf, time::Duration};

use contract::{
    database::v1::{
        GetRecordRequest, GetRecordResponse, RecordOutcome, StreamRecordsRequest,
        lookup_service_client::LookupServiceClient,
    },
    policy::v1::{
        GetWarrantKeysRequest, IssueWarrantRequest, RecordedIntent, SubjectFact, Warrant,
        issue_warrant_response::Outcome, warrant_key_service_client::WarrantKeyServiceClient,
        warrant_service_client::WarrantServiceClient,
    },
    r#type::v1::{AccessBasis, ErrorReason, SubjectRef, subject_ref::Subject},
};
use model::{Name, PersonalNumber, Said, Value};
use reference_database::{Config, METHODS, Newcomer, Service};
use server::{
    Channel, Routes, Running, Server,
    channel::{self, Peer},
    config::Secret,
    runtime::Entropy,
    tls,
};
use store::{
    Engine,
    testing::{ENGINES, TestDatabase},
};
use tempfile::TempDir;
use tests::world::{TRUST_DOMAIN, World};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

const NUMBER: &str = "990190000001";
const NAME: &str = "Nguyễn Giả Định An";
const OPENING: [u8; 32] = [9; 32];
const GROUND: &str = "1911-2021-art-2-3";
const PROCEDURE: &str = "child-health-insurance-card";
const EXCHANGE: &str = "spiffe://lienthong.test/service/exchange";
/// Two databases that are connected, and what social insurance may ask them.
const SHARING: &str = r#"
[[agency]]
code = "Z02.TEST"
vi = "Cơ quan hộ tịch (kiểm thử)"
en = "civil-status agency (test)"

[[connection]]
id = "conn-civil-status"
agency = "Z02.TEST"
system = "civil-status"
database = "civil-status"
state = "ACTIVE"
legal_basis = "decree-70-2024-art-7-2"
assessed_until = "2099-01-01"

[[connection]]
id = "conn-residence"
agency = "Z02.TEST"
system = "residence"
database = "residence"
state = "ACTIVE"
legal_basis = "decree-70-2024-art-7-2"
assessed_until = "2099-01-01"

[[agreement]]
id = "agr-sharing"
connection = "conn-insurance"
valid_from = "2026-01-01"
valid_to = "2099-01-01"

[[agreement.grant]]
action = "obtain"
procedure = "child-health-insurance-card"
legal_basis = "1911-2021-art-2-3"
items = ["birth_full_name", "date_of_birth"]
"#;

/// A world in which warrants are issued, and the exchange's certificate.
struct House {
    world: World,
    folder: TempDir,
    exchange: tls::Files,
}

/// A database that runs, and its store.
struct Asked {
    service: Service,
    running: Running,
    keys: PathBuf,
    config: Config,
    files: tls::Files,
    identity: String,
    _store: TestDatabase,
}

impl House {
    async fn new(engine: Engine) -> Self {
        let mut world = World::new(engine).await;
        let agreement = "[[agreement]]\nid = \"agr-insurance\"";
        world.change(agreement, &format!("{SHARING}\n{agreement}")).await;
        world.sign_warrants(&[1]).await;
        let exchange = world.issue("exchange", EXCHANGE);
        Self { world, folder: tempfile::tempdir().unwrap(), exchange }
    }

    fn policy(&self) -> Channel {
        let peer = Peer::direct(self.world.policy_address().to_string(), "policy");
        channel::to_service(&peer, TRUST_DOMAIN, &self.exchange).unwrap()
    }

    /// What policy publishes now, into a database's file.
    async fn publish(&self, keys: &std::path::Path) {
        let mut client = WarrantKeyServiceClient::new(self.policy());
        let published = client.get_warrant_keys(timed(GetWarrantKeysRequest {})).await.unwrap();
        std::fs::write(keys, published.into_inner().jwks).unwrap();
    }

    /// Starts a database that knows one person.
    async fn database(&self, profile: &str, engine: Engine) -> Asked {
        let store = TestDatabase::new(engine).await;
        let keys = self.folder.path().join(format!("{profile}.json"));
        self.publish(&keys).await;
        let config = Config {
            profile: profile.to_owned(),
            database: Secret::new(store.url()),
            allow: vec![EXCHANGE.to_owned(), format!("{EXCHANGE}-2")],
            retention_days: 30,
            warrant_issuer: format!("spiffe://{TRUST_DOMAIN}/service/policy"),
            warrant_keys_file: keys.to_str().unwrap().to_owned(),
        };
        let identity = format!("spiffe://{TRUST_DOMAIN}/agency/Z02.TEST/system/{profile}");
        let files = self.world.issue(profile, &identity);
        let (service, running) = self.open(&config, &files).await;
        let name = Value::Name(Name::new(NAME).unwrap().into());
        let newcomer = Newcomer {
            record_id: "r-1".into(),
            number: PersonalNumber::parse(NUMBER).unwrap(),
            said: vec![Said::holds("birth_full_name", name, None)],
        };
        service.load(vec![newcomer]).await.unwrap();
        Asked { service, running, keys, config, files, identity, _store: store }
    }

    async fn open(&self, config: &Config, files: &tls::Files) -> (Service, Running) {
        #[derive(serde::Deserialize)]
        struct Defaults {
            server: server::Config,
        }
        let defaults: Defaults = server::config::load(&[server::config::DEFAULTS], None).unwrap();
        let own = server::Config {
            listen: "127.0.0.1:0".into(),
            trust_domain: TRUST_DOMAIN.into(),
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            ca: files.ca.clone(),
            lame_duck_seconds: 0,
            ..defaults.server
        };
        let server = Server::bind_with(own, METHODS).await.unwrap();
        let clock = self.world.hands.clock();
        let service = Service::open(config, clock, Entropy::seeded(7)).await.unwrap();
        let running = server.start(service.public(Routes::default())).await;
        (service, running)
    }

    fn holder(&self) -> Vec<u8> {
        let pem = std::fs::read(&self.exchange.certificate).unwrap();
        let der = rustls_pem(&pem);
        warrant::thumbprint(&der).to_vec()
    }

    async fn warrant(&self, database: &str) -> Warrant {
        self.issue(database).await.unwrap_or_else(|rule| panic!("denied by {rule}"))
    }

    /// A warrant, or the rule that denies it.
    async fn issue(&self, database: &str) -> Result<Warrant, String> {
        let fact = |fact: &str| SubjectFact { fact: fact.into(), holds: false };
        let wanted = IssueWarrantRequest {
            caller: format!("spiffe://{TRUST_DOMAIN}/agency/Z24.TEST/system/health-insurance"),
            basis: Some(basis()),
            items: vec!["birth_full_name".into()],
            database: database.into(),
            holder: self.holder(),
            subject_commitment: warrant::commitment(&OPENING, NUMBER).to_vec(),
            facts: ["deceased", "minor", "protected"].map(fact).into(),
            intent: Some(RecordedIntent { index: 7, leaf_hash: vec![5; 32] }),
        };
        let mut client = WarrantServiceClient::new(self.policy());
        let issued = client.issue_warrant(timed(wanted)).await.unwrap().into_inner();
        match issued.outcome.unwrap() {
            Outcome::Warrant(warrant) => Ok(warrant),
            Outcome::Denial(denial) => {
                let used_up = denial.reason() == ErrorReason::VolumeUsedUp;
                assert_eq!(denial.period_end.is_some(), used_up, "{denial:?}");
                Err(denial.rule)
            }
        }
    }

    async fn stop(self, databases: Vec<Asked>) {
        for database in databases {
            database.running.stop().await;
            database.service.close().await;
        }
        self.world.stop().await;
    }
}

impl Asked {
    /// A connection as somebody.
    fn client(&self, files: &tls::Files) -> LookupServiceClient<Channel> {
        let address = self.running.address().to_string();
        let channel = channel::to_database(&address, &self.identity, TRUST_DOMAIN, files);
        LookupServiceClient::new(channel.unwrap())
    }

    async fn ask(&self, house: &House, warrant: &[u8]) -> Result<GetRecordResponse, Status> {
        let mut client = self.client(&house.exchange);
        Ok(client.get_record(timed(question(warrant))).await?.into_inner())
    }

    /// That a question is refused, and for what.
    async fn refused(&self, house: &House, warrant: &[u8]) -> String {
        fault(self.ask(house, warrant).await.unwrap_err())
    }
}

fn fault(status: Status) -> String {
    assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!(info.reason, "WARRANT_REFUSED");
    info.metadata["fault"].clone()
}

fn rustls_pem(pem: &[u8]) -> Vec<u8> {
    use rustls_pki_types::{CertificateDer, pem::PemObject as _};
    CertificateDer::from_pem_slice(pem).unwrap().to_vec()
}

fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(Duration::from_secs(60));
    request
}

fn basis() -> AccessBasis {
    AccessBasis {
        procedure: PROCEDURE.into(),
        legal_basis: GROUND.into(),
        case_reference: "HS-1".into(),
        acting_unit: "Z24.TEST".into(),
        officer: "cb-7".into(),
        ..AccessBasis::default()
    }
}

fn question(warrant: &[u8]) -> GetRecordRequest {
    GetRecordRequest {
        subject: Some(SubjectRef { subject: Some(Subject::PersonalNumber(NUMBER.into())) }),
        claims: None,
        items: vec!["birth_full_name".into()],
        basis: Some(basis()),
        request_id: "q-1".into(),
        warrant: warrant.to_vec(),
        warrant_opening: OPENING.to_vec(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_answers_by_a_warrant_once_and_no_other_database_does() {
    for engine in ENGINES {
        let house = House::new(engine).await;
        let civil = house.database("civil-status", engine).await;
        let residence = house.database("residence", engine).await;
        let warrant = house.warrant("civil-status").await;
        // Replayed at another database, before and after it was used.
        assert_eq!(residence.refused(&house, &warrant.token).await, "audience");
        let answer = civil.ask(&house, &warrant.token).await.unwrap();
        assert_eq!(answer.outcome(), RecordOutcome::Match);
        assert_eq!(answer.items.len(), 1);
        assert_eq!(residence.refused(&house, &warrant.token).await, "audience");
        assert_eq!(civil.refused(&house, &warrant.token).await, "replayed");
        assert_eq!(civil.refused(&house, b"").await, "missing");
        // Whoever else has it, with a good certificate of an identity that is let in, is not its holder.
        let warrant = house.warrant("civil-status").await;
        let thief = house.world.issue("exchange-2", &format!("{EXCHANGE}-2"));
        let stolen = civil.client(&thief).get_record(timed(question(&warrant.token))).await;
        assert_eq!(fault(stolen.unwrap_err()), "holder");
        // Nor is another certificate of the same identity.
        let renewed = house.world.issue("exchange-renewed", EXCHANGE);
        let renewed = civil.client(&renewed).get_record(timed(question(&warrant.token))).await;
        assert_eq!(fault(renewed.unwrap_err()), "holder");
        civil.ask(&house, &warrant.token).await.unwrap();
        house.stop(vec![civil, residence]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_come_at_once_with_one_warrant_one_is_answered_also_after_a_restart() {
    for engine in ENGINES {
        let house = House::new(engine).await;
        let civil = house.database("civil-status", engine).await;
        let warrant = house.warrant("civil-status").await;
        let many = (0..16).map(|_| civil.ask(&house, &warrant.token));
        let answers = futures::future::join_all(many).await;
        let refused: Vec<_> = answers.into_iter().filter_map(Result::err).map(fault).collect();
        assert_eq!(refused, ["replayed"; 15]);
        // Of a stream that is refused no warrant is used up.
        let (one, two) = (house.warrant("civil-status").await, house.warrant("civil-status").await);
        let queries = [&one, &two, &warrant].map(|warrant| question(&warrant.token)).into();
        let mut client = civil.client(&house.exchange);
        let stream = client.stream_records(timed(StreamRecordsRequest { queries })).await;
        assert_eq!(fault(stream.unwrap_err()), "replayed");
        civil.ask(&house, &one.token).await.unwrap();
        civil.running.stop().await;
        civil.service.close().await;
        let (service, running) = house.open(&civil.config, &civil.files).await;
        let civil = Asked { service, running, ..civil };
        for used in [&warrant, &one] {
            assert_eq!(civil.refused(&house, &used.token).await, "replayed");
        }
        civil.ask(&house, &two.token).await.unwrap();
        house.stop(vec![civil]).await;
    }
}

/// Policy itself counts: what becomes of a warrant nobody tells it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_warrant_is_one_of_the_volume() {
    for engine in ENGINES {
        let mut house = House::new(engine).await;
        house.world.limit(2).await;
        for _ in 0..2 {
            house.warrant("civil-status").await;
        }
        // One that is denied for another reason counts nothing.
        assert!(house.issue("nobody").await.is_err());
        let denied = house.issue("civil-status").await.err();
        assert_eq!(denied.as_deref(), Some("volume-used-up"));
        assert_eq!(house.world.leased("obtain").await, 2);
        house.world.hands.step(time::Duration::DAY);
        house.warrant("civil-status").await;
        house.stop(Vec::new()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_rotated_in_the_middle_and_policy_is_restarted() {
    for engine in ENGINES {
        let mut house = House::new(engine).await;
        let civil = house.database("civil-status", engine).await;
        let before = house.warrant("civil-status").await;
        // Policy is started anew, with the same key: what it signed holds.
        house.world.sign_warrants(&[1]).await;
        let same_key = house.warrant("civil-status").await;
        civil.ask(&house, &same_key.token).await.unwrap();
        // A key that was not published before it signs: refused until the database has it, and then known without a restart.
        house.world.sign_warrants(&[2, 1]).await;
        let sudden = house.warrant("civil-status").await;
        assert_eq!(civil.refused(&house, &sudden.token).await, "unknown-key");
        house.world.hands.step(time::Duration::seconds(1));
        house.publish(&civil.keys).await;
        civil.ask(&house, &sudden.token).await.unwrap();
        // What the old key signed is good as long as that is published.
        civil.ask(&house, &before.token).await.unwrap();
        // A file that is none now leaves the keys as they were.
        house.world.hands.step(time::Duration::seconds(1));
        std::fs::write(&civil.keys, "no keys").unwrap();
        house.world.sign_warrants(&[3, 2]).await;
        let third = house.warrant("civil-status").await;
        assert_eq!(civil.refused(&house, &third.token).await, "unknown-key");
        // A second later, because a file is not read for each warrant of an unknown key.
        house.world.hands.step(time::Duration::seconds(1));
        house.publish(&civil.keys).await;
        civil.ask(&house, &third.token).await.unwrap();
        // A key that is taken out is good for a minute, and no longer.
        let withdrawn = house.warrant("civil-status").await;
        house.world.sign_warrants(&[4]).await;
        house.publish(&civil.keys).await;
        house.world.hands.step(time::Duration::seconds(60));
        assert_eq!(civil.refused(&house, &withdrawn.token).await, "unknown-key");
        house.stop(vec![civil]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_may_differ_by_seconds_and_whoever_is_suspended_gets_no_further_warrant() {
    for engine in ENGINES {
        let mut house = House::new(engine).await;
        let civil = house.database("civil-status", engine).await;
        let (first, second) =
            (house.warrant("civil-status").await, house.warrant("civil-status").await);
        // The database's clock is that of the world, which goes on: up to 64 s after it was signed.
        house.world.hands.step(time::Duration::seconds(64));
        civil.ask(&house, &first.token).await.unwrap();
        house.world.hands.step(time::Duration::seconds(1));
        assert_eq!(civil.refused(&house, &second.token).await, "expired");
        // Set back, it refuses what is to begin only then; five seconds are nothing.
        let third = house.warrant("civil-status").await;
        house.world.hands.step(time::Duration::seconds(-6));
        assert_eq!(civil.refused(&house, &third.token).await, "not-yet");
        house.world.hands.step(time::Duration::seconds(1));
        civil.ask(&house, &third.token).await.unwrap();
        // Whoever is suspended gets no further one, as the asking side and as the asked.
        let asked = "id = \"conn-civil-status\"\nagency = \"Z02.TEST\"\nsystem = \"civil-status\"\ndatabase = \
                     \"civil-status\"\nstate = \"ACTIVE\"";
        house.world.change(asked, &asked.replace("ACTIVE", "SUSPENDED")).await;
        assert_eq!(house.issue("civil-status").await, Err("connection-suspended".into()));
        house.issue("residence").await.unwrap();
        house.stop(vec![civil]).await;
    }
}

/// I7: a refusal is the same whoever the person is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i7_a_bad_warrant_says_nothing_of_the_person() {
    for engine in ENGINES {
        let house = House::new(engine).await;
        let civil = house.database("civil-status", engine).await;
        let warrant = house.warrant("residence").await;
        let mut told = Vec::new();
        for number in [NUMBER, "990190000002"] {
            let mut question = question(&warrant.token);
            let subject = Some(Subject::PersonalNumber(number.to_owned()));
            question.subject = Some(SubjectRef { subject });
            let mut client = civil.client(&house.exchange);
            let status = client.get_record(timed(question)).await.unwrap_err();
            told.push((status.message().to_owned(), status.details().to_vec()));
            assert_eq!(fault(status), "audience");
        }
        assert_eq!(told[0], told[1]);
        house.stop(vec![civil]).await;
    }
}
