//! Decisions that are compared with plain Cedar while the service runs.

use contract::policy::v1::WatchRevisionsRequest;

use super::*;
use crate::domain::decision::Profile;

/// A service that compares each decision; plain Cedar does not know of `forgotten`.
async fn comparing(engine: Engine, forgotten: &str) -> (TestDatabase, Service) {
    let database = TestDatabase::new(engine).await;
    let config = Config { compare_every: 1, ..config(&database, NOW) };
    let own = server::config::load::<Process>(&[server::config::DEFAULTS], None).unwrap().server;
    let profile = Profile::load(config.legal_profile).unwrap().at_odds(forgotten);
    let (clock, entropy) = (Clock::fixed(NOW), Entropy::seeded(1));
    let service = Service::with(profile, signer(), &config, &own, clock, entropy).await.unwrap();
    service.apply_registry(&sample()).await.unwrap();
    (database, service)
}

/// Waits until nothing is compared any more.
async fn compared(service: &Service) {
    let idle = async {
        while !service.app.sample.idle() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), idle).await.unwrap();
}

#[tokio::test]
async fn i2_decisions_that_are_what_the_rules_say_go_on() {
    for engine in ENGINES {
        let (_database, service) = comparing(engine, "no-such-rule").await;
        // One that something is allowed of, one that nothing is, and one that is denied before any rule is asked.
        let burial = request("G24", "health-insurance", "burial-allowance", &["religion"]);
        let nobody = request("G99", "nobody", "burial-allowance", &["religion"]);
        for request in [covered(), burial, nobody] {
            decide(&service, request).await;
            compared(&service).await;
            assert!(service.app.sample.trusted(), "{engine:?}");
        }
        assert!(matches!(decide(&service, covered()).await.decision, Some(Decision::Table(_))));
    }
}

/// A difference is an outage and no denial, and what callers keep is used no longer.
#[tokio::test]
async fn i9_after_a_table_that_is_not_what_the_rules_say_nothing_is_decided() {
    for engine in ENGINES {
        // Without the permit plain Cedar allows nothing; without the forbid it shows a protected person.
        for forgotten in ["shared-for-assigned-tasks", "protected-person-hidden"] {
            let (_database, service) = comparing(engine, forgotten).await;
            // It may have been compared before it is answered.
            let _ = ask(&service, covered()).await;
            compared(&service).await;
            for _ in 0..2 {
                let refused = ask(&service, covered()).await.unwrap_err();
                assert_eq!(refused.code(), Code::Unavailable, "{engine:?} {forgotten}");
                let details = refused.get_details_error_info().unwrap();
                assert_eq!(details.reason, "POLICY_UNAVAILABLE");
            }
            // Whoever keeps decisions hears nothing any more.
            let mut request = Request::new(WatchRevisionsRequest::default());
            let identity = "spiffe://lienthong.test/service/identity";
            request.extensions_mut().insert(Caller::parse(identity, "lienthong.test").unwrap());
            request.extensions_mut().insert(Deadline::after(Duration::from_secs(60)));
            let mut client = PolicyServiceClient::new(service.internal(Routes::default()));
            let mut told = client.watch_revisions(request).await.unwrap().into_inner();
            let silence = crate::looks::LOOK * 4;
            assert!(tokio::time::timeout(silence, told.message()).await.is_err(), "{engine:?}");
        }
    }
}
