//! The worker, with a register that answers everything alike.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ::store::{
    Sql, Store,
    testing::{ENGINES, TestDatabase},
};
use contract::r#type::v1::ErrorReason;
use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use server::{
    Channel,
    channel::{self, Peer, Transport},
    error::refuse,
    runtime::{Clock, Entropy},
    tls::Files,
};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use wire::event::Target;

use crate::{
    app::{App, Repeated},
    client::RegisterClient,
    domain::{Application, Outcome},
    store::{MIGRATIONS, Submission, Submissions},
};

/// More than the worker looks at together.
const DAMAGED: i64 = 101;

/// A register that refuses whatever it is sent, for good, and how often it was asked.
async fn register() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(AtomicUsize::new(0));
    let asking = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let asked = Arc::clone(&asking);
            let answer = service_fn(move |_| {
                asked.fetch_add(1, Ordering::Relaxed);
                let refused = refuse(ErrorReason::InvalidRequest);
                std::future::ready(Ok::<_, Infallible>(refused.into_http::<tonic::body::Body>()))
            });
            let connection = http2::Builder::new(TokioExecutor::new());
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), answer));
        }
    });
    (address, asked)
}

/// As through a proxy, so that there need be no certificate but one that can be read.
fn channel_to(endpoint: String, folder: &std::path::Path) -> Channel {
    let own = rcgen::generate_simple_self_signed(["own".to_owned()]).unwrap();
    let file = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let certificate = file("own.crt", own.cert.pem());
    let key = file("own.key", own.signing_key.serialize_pem());
    let (crl, revoked_identities) = Default::default();
    let files = Files { ca: certificate.clone(), certificate, key, crl, revoked_identities };
    let peer = Peer { endpoint, service: "identity".to_owned(), transport: Transport::Mesh };
    channel::to_service(&peer, "lienthong.test", &files).unwrap()
}

async fn receive(submissions: &Submissions, key: &str, received_at_us: i64) {
    let application = Application {
        source: "source".to_owned(),
        connection: "connection".to_owned(),
        target: Target::New { prefix: "990".to_owned() },
        entry: String::new(),
        said: Vec::new(),
        further: Vec::new(),
        event: None,
        evidence: Vec::new(),
        expected_version: 0,
    };
    let new = Submission {
        contribution_id: format!("id of {key}"),
        digest: [0; 32],
        application,
        received_at_us,
        outcome: None,
        kept: None,
    };
    let received = submissions.receive("connection".to_owned(), key.to_owned(), new);
    received.await.unwrap();
}

/// Makes of all that is there what no version of this program has written.
async fn damage(store: &Store) {
    let damage = Sql::same("UPDATE submission SET application = 'no application'");
    let damaged: Result<u64, crate::Error> = store
        .write("damage", move |tx| {
            Box::pin(async move { Ok(tx.execute(&damage, Vec::new()).await?) })
        })
        .await;
    assert_eq!(damaged.unwrap(), u64::try_from(DAMAGED).unwrap());
}

#[tokio::test]
async fn a_page_of_damaged_submissions_does_not_keep_the_one_after_it_from_being_decided() {
    for engine in ENGINES {
        let (database, folder) = (TestDatabase::new(engine).await, tempfile::tempdir().unwrap());
        let store = Store::open(database.url(), MIGRATIONS).await.unwrap();
        let submissions = Submissions::new(store.clone());
        for at_us in 1..=DAMAGED {
            receive(&submissions, &format!("damaged {at_us}"), at_us).await;
        }
        damage(&store).await;
        receive(&submissions, "good", DAMAGED + 1).await;
        let (address, asked) = register().await;
        let register = RegisterClient::new(channel_to(address, folder.path())).unwrap();
        let later = Clock::fixed(OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1));
        let app = App::new(submissions.clone(), register, later, Entropy::seeded(1), 1, 15);

        let repeated = app.repeat_unfinished(Duration::ZERO).await.unwrap();
        assert_eq!(repeated, Repeated { finished: 1, left: 0 }, "{engine:?}");
        assert_eq!(asked.load(Ordering::Relaxed), 1, "{engine:?}");
        let good = submissions.by_key("connection", "good").await.unwrap().unwrap();
        assert!(matches!(good.outcome, Some(Outcome::Rejected(_))), "{engine:?}");
    }
}
