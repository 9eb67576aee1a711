//! What a proxy is told, on both engines.

use std::collections::HashMap;

use tonic_types::ErrorDetails;

use super::*;
use crate::api::ext_authz::envoy::{
    AttributeContext, CheckRequest, CheckResponse,
    attribute_context::{HttpRequest, Peer, Request as Asking},
    authorization_client::AuthorizationClient,
    check_response::HttpResponse,
};

const METHOD: &str = "/vn.example.LandRegister/GetPlot";
const INSURANCE: &str = "spiffe://lienthong.test/agency/G24/system/health-insurance";
const GROUND: [(&str, &str); 2] = [
    ("x-lienthong-procedure", "child-health-insurance-card"),
    ("x-lienthong-legal-basis", "1911-2021-art-2-1"),
];

async fn guarding(database: &TestDatabase, paths: &[&str]) -> Result<Service, Error> {
    let config = Config {
        authz_paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        authz_services: vec!["exchange".into()],
        ..config(database, NOW)
    };
    let service = start(&config, NOW).await?;
    service.apply_registry(&sample()).await?;
    Ok(service)
}

async fn check(
    service: &Service,
    principal: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<CheckResponse, Status> {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let http = HttpRequest {
        method: "POST".into(),
        headers: headers.collect::<HashMap<_, _>>(),
        path: path.into(),
    };
    let attributes = AttributeContext {
        source: Some(Peer { principal: principal.into() }),
        request: Some(Asking { http: Some(http) }),
    };
    let mut request = Request::new(CheckRequest { attributes: Some(attributes) });
    let proxy = Caller::parse("spiffe://lienthong.test/service/proxy", "lienthong.test").unwrap();
    request.extensions_mut().insert(proxy);
    request.extensions_mut().insert(Deadline::after(Duration::from_secs(60)));
    let mut client = AuthorizationClient::new(service.internal(Routes::default()));
    Ok(client.check(request).await?.into_inner())
}

/// The decision under which a request passes; or the reason, as header and as details say it.
fn told(response: CheckResponse) -> Result<String, String> {
    use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
    let code = Code::from(response.status.unwrap().code);
    match response.http_response.unwrap() {
        HttpResponse::OkResponse(ok) => {
            assert_eq!(code, Code::Ok);
            Ok(ok.headers[0].header.clone().unwrap().value)
        }
        HttpResponse::DeniedResponse(denied) => {
            assert_eq!((code, denied.status.unwrap().code), (Code::PermissionDenied, 403));
            let value = |place: usize| denied.headers[place].header.clone().unwrap().value;
            let details = BASE64_STANDARD_NO_PAD.decode(value(1)).unwrap();
            let status = Status::with_details(code, "", details.into());
            let details: ErrorDetails = status.get_error_details();
            let info = details.error_info().unwrap();
            assert_eq!((info.domain.as_str(), &info.reason), ("lienthong.gov.vn", &value(0)));
            Err(value(0))
        }
    }
}

async fn ask(
    service: &Service,
    principal: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<String, String> {
    told(check(service, principal, path, headers).await.unwrap())
}

#[tokio::test]
async fn a_system_with_a_connection_passes_and_nobody_else() {
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        let service = guarding(&database, &["/vn.example."]).await.unwrap();
        let decision = ask(&service, INSURANCE, METHOD, &[]).await.unwrap();
        assert_eq!(decision.len(), 32);
        assert_ne!(ask(&service, INSURANCE, METHOD, &GROUND).await.unwrap(), decision);
        let own = |name: &str| format!("spiffe://lienthong.test/service/{name}");
        assert_eq!(ask(&service, &own("exchange"), METHOD, &[]).await, Ok(String::new()));
        for (principal, reason) in [
            ("spiffe://lienthong.test/agency/H99/system/portal", "CONNECTION_NOT_ACTIVE"),
            ("spiffe://lienthong.test/agency/G01/system/residence", "CONNECTION_NOT_ACTIVE"),
            ("spiffe://lienthong.test/agency/G24/system/other", "CONNECTION_NOT_ACTIVE"),
            ("spiffe://elsewhere.test/agency/G24/system/health-insurance", "UNKNOWN_IDENTITY"),
            ("spiffe://lienthong.test/operator/7", "METHOD_NOT_ALLOWED"),
            (own("identity").as_str(), "METHOD_NOT_ALLOWED"),
            ("", "UNKNOWN_IDENTITY"),
        ] {
            let told = ask(&service, principal, METHOD, &[]).await;
            assert_eq!(told, Err(reason.to_owned()), "{principal}");
        }
        // A suspension counts from the next question on.
        let mut registry = sample();
        registry.connections[0].state = State::Suspended;
        service.apply_registry(&registry).await.unwrap();
        let told = ask(&service, INSURANCE, METHOD, &[]).await;
        assert_eq!(told, Err("CONNECTION_NOT_ACTIVE".into()));
    }
}

#[tokio::test]
async fn i2_only_a_method_as_it_is_written_passes() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let service = guarding(&database, &["/vn.example."]).await.unwrap();
    for path in [
        "",
        "/",
        "/vn.example.LandRegister",
        "/vn.other.LandRegister/GetPlot",
        "/vn.example.LandRegister/GetPlot/",
        "/vn.example.LandRegister/GetPlot?x=1",
        "/vn.example.LandRegister//GetPlot",
        "//vn.example.LandRegister/GetPlot",
        "/vn.example.x/../vn.other.LandRegister/GetPlot",
        "/vn.example.%2e%2e/GetPlot",
        "/vn.example../GetPlot",
    ] {
        let told = ask(&service, INSURANCE, path, &[]).await;
        assert_eq!(told, Err("METHOD_NOT_ALLOWED".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn i2_a_ground_that_is_named_must_allow_something() {
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        let service = guarding(&database, &["/vn.example."]).await.unwrap();
        let [procedure, basis] = GROUND;
        let items = |items| ("x-lienthong-items", items);
        ask(&service, INSURANCE, METHOD, &[procedure, basis, items("sex, date_of_birth")])
            .await
            .unwrap();
        for (headers, reason) in [
            (vec![procedure], "INVALID_REQUEST"),
            (vec![basis], "INVALID_REQUEST"),
            (vec![procedure, basis, items("")], "INVALID_REQUEST"),
            (vec![procedure, basis, items("*")], "INVALID_REQUEST"),
            (vec![procedure, basis, items("sex,sex")], "INVALID_REQUEST"),
            (vec![procedure, basis, items("shoe_size")], "NOTHING_ALLOWED"),
            (vec![procedure, (basis.0, "law-of-nowhere")], "BASIS_NOT_IN_FORCE"),
            (vec![(procedure.0, "nothing"), basis], "NO_AGREEMENT"),
        ] {
            let told = ask(&service, INSURANCE, METHOD, &headers).await;
            assert_eq!(told, Err(reason.to_owned()), "{headers:?}");
        }
    }
}

#[tokio::test]
async fn i9_what_cannot_be_decided_is_an_error_and_no_denial() {
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        let service = guarding(&database, &["/vn.example."]).await.unwrap();
        service.clone().close().await;
        for headers in [&[][..], &GROUND[..]] {
            let error = check(&service, INSURANCE, METHOD, headers).await.unwrap_err();
            assert_eq!(error.code(), Code::Unavailable);
        }
    }
    // Nothing that is configured, nothing that is told; and no prefix that stands for everything.
    let database = TestDatabase::new(Engine::Sqlite).await;
    let silent = guarding(&database, &[]).await.unwrap();
    let error = check(&silent, INSURANCE, METHOD, &[]).await.unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented);
    for path in ["", "/", "vn.example."] {
        assert!(guarding(&database, &[path]).await.is_err(), "{path}");
    }
}

#[tokio::test]
async fn i2_a_grant_of_so_many_persons_passes_nobody_because_nobody_would_be_counted() {
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        let service = guarding(&database, &["/vn.example."]).await.unwrap();
        assert!(ask(&service, INSURANCE, METHOD, &GROUND).await.is_ok());
        volumes::limit(&service, 9).await;
        let told = ask(&service, INSURANCE, METHOD, &GROUND).await;
        assert_eq!(told, Err("NOTHING_ALLOWED".to_owned()));
        // Whoever names no ground asks for no person.
        assert!(ask(&service, INSURANCE, METHOD, &[]).await.is_ok());
        service.close().await;
    }
}

#[tokio::test]
async fn i2_a_grant_to_signed_requests_passes_nobody_because_nobody_would_look() {
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        let service = guarding(&database, &["/vn.example."]).await.unwrap();
        assert!(ask(&service, INSURANCE, METHOD, &GROUND).await.is_ok());
        signatures::demand(&service).await;
        for headers in [&GROUND[..], &[]] {
            let told = ask(&service, INSURANCE, METHOD, headers).await;
            assert_eq!(told, Err("SIGNATURE_REQUIRED".to_owned()));
        }
        service.close().await;
    }
}
