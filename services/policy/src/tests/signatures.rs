//! Agreements that demand signed requests: who is told so, and who is given nothing because it would not look, on both engines.

use contract::policy::v1::{GetConnectionRequest, GetConnectionResponse};

use super::*;

const AGREEING: &str = "Decision 1911/QD-TTg, Art. 3(4)(b)";
const CALLER: &str = "spiffe://lienthong.test/agency/G24/system/health-insurance";

/// Demands that requests are signed, wherever items are obtained. Such agreements are signed, and those of these tests are not, so it
/// is written behind the service's back.
pub(super) async fn demand(service: &Service) {
    let sql = "INSERT INTO agreement_terms \
               (agreement, action, procedure, legal_basis, valid_from, valid_to, terms) \
               SELECT DISTINCT agreement, action, procedure, legal_basis, '2026-01-01', '2099-01-01', \
                      '{\"direction\":\"\",\"units\":[],\"keys\":[],\"signed_requests\":true}' \
               FROM agreement_grant WHERE action = 'obtain'";
    volumes::write(service, sql.to_owned()).await;
}

async fn connection(service: &Service, checks_signatures: bool) -> GetConnectionResponse {
    let request = GetConnectionRequest { caller: CALLER.to_owned(), checks_signatures };
    let contribution = "spiffe://lienthong.test/service/contribution";
    let mut request = Request::new(request);
    request.extensions_mut().insert(Caller::parse(contribution, "lienthong.test").unwrap());
    request.extensions_mut().insert(Deadline::after(Duration::from_secs(60)));
    let mut client = PolicyServiceClient::new(service.internal(Routes::default()));
    client.get_connection(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn i2_whoever_does_not_say_that_it_looks_at_signatures_is_denied_what_demands_them() {
    for engine in ENGINES {
        let (_database, service) = service(engine).await;
        let unlooking = DecideRequest { checks_signatures: false, ..covered() };
        // What demands none is decided alike.
        for asked in [covered(), unlooking.clone()] {
            let decided = ask(&service, asked).await.unwrap();
            assert!(matches!(decided.decision, Some(Decision::Table(_))), "{decided:?}");
            assert!(!decided.signed_requests);
        }
        for checks in [true, false] {
            let found = connection(&service, checks).await;
            assert!(found.denial.is_none() && !found.signed_requests);
        }
        demand(&service).await;
        let decided = ask(&service, covered()).await.unwrap();
        assert!(matches!(decided.decision, Some(Decision::Table(_))), "{decided:?}");
        assert!(decided.signed_requests);
        let reason = ErrorReason::SignatureRequired;
        denied(&service, unlooking, reason, "signature-not-checked", AGREEING).await;
        let found = connection(&service, true).await;
        assert!(found.denial.is_none() && found.signed_requests);
        let denial = connection(&service, false).await.denial.unwrap();
        assert_eq!((denial.reason(), &*denial.rule), (reason, "signature-not-checked"));
        service.close().await;
    }
}

/// An agreement that has not begun or has ended demands nothing.
#[tokio::test]
async fn a_connection_is_demanded_of_while_the_agreement_is_in_force() {
    for engine in ENGINES {
        let (database, service) = service(engine).await;
        demand(&service).await;
        assert!(connection(&service, true).await.signed_requests);
        volumes::write(&service, "UPDATE agreement SET valid_to = '2026-11-24'".to_owned()).await;
        assert!(!connection(&service, true).await.signed_requests);
        service.close().await;
        drop(database);
    }
}
