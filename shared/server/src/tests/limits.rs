//! More calls than there are places.

use super::{
    connection::{DECIDE, raw},
    mesh::ask,
    person::{GET_PERSON, Persons, agency, single},
    *,
};
use crate::{
    caller::{Methods, OpenTo, Priority},
    health::LIVENESS,
};

const APPEND: &str = "/lienthong.audit.v1.AuditService/Append";
/// A server with a method of each priority.
const METHODS: Methods = Methods::new(&[
    (DECIDE, Priority::Bulk, &[OpenTo::Everyone]),
    (GET_PERSON, Priority::Ordinary, &[OpenTo::Everyone]),
    (APPEND, Priority::Administration, &[OpenTo::Service("identity")]),
]);

#[tokio::test]
async fn a_caller_over_its_share_is_told_when_to_come_again_and_others_are_served() {
    let pki = Pki::new();
    let (entered, release) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let few = |config: Config| Config { calls_per_caller_max: 1, calls_max: 1, ..config };
    let server = start_with(&pki, Answers::When(Arc::clone(&release)), entered.clone(), few).await;
    let ours = channel(&server, "policy", &pki.service("identity"));
    let first = tokio::spawn(decide(ours.clone(), None));
    within(entered.notified()).await;
    let refused = decide(ours.clone(), None).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::Unavailable, "OVERLOADED".to_owned()));
    let after = refused.get_error_details().retry_info().unwrap().retry_delay.unwrap();
    assert_eq!(after, Duration::from_secs(1));
    assert_eq!(refused.metadata().get("grpc-retry-pushback-ms").unwrap(), "1000");
    // Busy is not dead: whoever asks about health needs no place.
    let liveness = HealthCheckRequest { service: LIVENESS.to_owned() };
    within(HealthClient::new(ours.clone()).check(liveness)).await.unwrap();
    release.notify_one();
    within(first).await.unwrap().unwrap();
    // The place is free again.
    release.notify_one();
    decide(ours, None).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_call_that_is_given_up_keeps_its_place_for_a_while() {
    let pki = Pki::new();
    let entered = Arc::<Notify>::default();
    let few = |config: Config| Config { calls_per_caller_max: 1, calls_max: 1, ..config };
    let server = start_with(&pki, Answers::Never, Arc::clone(&entered), few).await;
    let ours = channel(&server, "policy", &pki.service("identity"));
    // Connected already, so that what follows is quicker than the while.
    within(HealthClient::new(ours.clone()).check(HealthCheckRequest::default())).await.unwrap();
    let mut client = raw(&server, &pki.service("identity")).await;
    let open = within(client.call()).await.unwrap();
    within(entered.notified()).await;
    drop(open);
    within(entered.notified()).await;
    let refused = decide(ours.clone(), Some("900m")).await.unwrap_err();
    assert_eq!(reason(&refused).1, "OVERLOADED");
    // Then there is room again: a call gets as far as its deadline.
    let room = async {
        while reason(&decide(ours.clone(), Some("900m")).await.unwrap_err()).1 == "OVERLOADED" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within(room).await;
    server.stop().await;
}

#[tokio::test]
async fn ordinary_calls_come_before_bulk_and_administration_before_both() {
    let pki = Pki::new();
    let entered = Arc::<Notify>::default();
    let policy = Policy { answers: Answers::Never, entered: Arc::clone(&entered) };
    let reached = Arc::clone(&entered);
    let persons = Persons::new(move |_unread| {
        reached.notify_one();
        std::future::pending()
    });
    let config = Config { calls_max: 8, calls_per_caller_max: 8, ..config(&pki, 3_000) };
    let routes = Routes::new(PolicyServiceServer::new(policy)).add_service(persons);
    let server = Server::bind_with(config, METHODS).await.unwrap().start(routes).await;
    // Nothing is repeated.
    let (theirs, ours) = (agency(&pki), pki.service("identity"));
    let (theirs, ours) = (single(&server, &theirs), single(&server, &ours));
    let overloaded = (Code::Unavailable, "OVERLOADED".to_owned(), String::new());
    let mut open = tokio::task::JoinSet::new();
    // A half of the places, and seven eighths; nobody gets one more, whoever it is.
    for (method, places) in [(DECIDE, 4), (GET_PERSON, 3)] {
        for _ in 0..places {
            let theirs = theirs.clone();
            open.spawn(async move { ask(&theirs, method, &[]).await });
            tokio::select! {
                () = within(entered.notified()) => {}
                refused = open.join_next() => panic!("{method}: {refused:?}"),
            }
        }
        assert_eq!(ask(&theirs, method, &[]).await, overloaded, "{method}");
        assert_eq!(ask(&ours, method, &[]).await, overloaded, "{method}");
    }
    assert_eq!(ask(&ours, DECIDE, &[]).await, overloaded);
    // It gets as far as that nobody serves it here.
    let (_, taken, _) = ask(&ours, APPEND, &[]).await;
    assert_eq!(taken, "UNKNOWN_METHOD");
    server.stop().await;
}
