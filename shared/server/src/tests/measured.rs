//! What is measured of calls and connections.

use super::{connection::raw, *};
use crate::telemetry::metrics::testing::{value, values};

const CALLS: &str = "rpc_server_call_duration_seconds_count";
const POLICY: &str = r#"rpc_method="lienthong.policy.v1.PolicyService/Decide""#;

#[tokio::test]
async fn calls_are_measured_by_method_code_and_reason() {
    let pki = Pki::new();
    let server = start(&pki, true, 30).await;
    let ok = [POLICY, r#"rpc_response_status_code="OK""#, r#"rpc_system_name="grpc""#];
    let denied = [POLICY, r#"error_type="METHOD_NOT_ALLOWED""#];
    let before = (value(CALLS, &ok), value(CALLS, &denied));
    decide(channel(&server, "policy", &pki.service("identity")), None).await.unwrap();
    decide(channel(&server, "policy", &pki.service("audit")), None).await.unwrap_err();
    server.stop().await;
    // Tests of this process run at the same time and call the same method.
    assert!(value(CALLS, &ok) > before.0);
    assert!(value(CALLS, &denied) > before.1);
    let finest = [POLICY, r#"le="0.00005""#];
    let bucket = "rpc_server_call_duration_seconds_bucket";
    assert!(!values(bucket, &finest).is_empty(), "50 µs are not told apart");
    assert!(value(bucket, &finest) <= value(bucket, &[POLICY, r#"le="0.0001""#]));
}

#[tokio::test]
async fn i8_what_a_caller_sends_is_no_label() {
    let pki = Pki::new();
    let server = start(&pki, true, 30).await;
    let ours = pki.service("identity");
    let before = value(CALLS, &[r#"rpc_method="_OTHER""#]);
    let mut client = raw(&server, &ours).await;
    for number in 0..50 {
        let path = format!("/lienthong.canary.v1.S{number}/990204000001");
        assert_eq!(within(client.call_of(&path).await.unwrap()).await.unwrap().status(), 200);
    }
    server.stop().await;
    assert!(value(CALLS, &[r#"rpc_method="_OTHER""#]) >= before + 50.0);
    assert!(value(CALLS, &["canary"]) == 0.0 && value(CALLS, &["990204000001"]) == 0.0);
}

#[tokio::test]
async fn connections_and_handshakes_are_measured_by_how_they_end() {
    let pki = Pki::new();
    let ended = |outcome: &str| {
        let label = format!(r#"outcome="{outcome}""#);
        value("lienthong_server_connections_ended_total", &[&label])
    };
    let failed = || value("lienthong_server_handshakes_total", &[r#"outcome="failed""#]);
    let before = (ended("drain"), failed());
    let server = start(&pki, true, 30).await;
    let client = raw(&server, &pki.service("identity")).await;
    let elsewhere = Pki::new();
    let stranger = tls::Files { ca: pki.service("x").ca, ..elsewhere.service("identity") };
    decide(channel(&server, "policy", &stranger), None).await.unwrap_err();
    within(server.stop()).await;
    within(client.closed).await.unwrap();
    assert!(ended("drain") > before.0 && failed() > before.1);
    assert!(value("lienthong_server_identity_expires_seconds", &[]) > 0.0);
}

/// A call is told of when its answer is sent or given up, and then only once.
#[tokio::test]
async fn a_call_that_is_given_up_is_measured_as_cancelled() {
    let pki = Pki::new();
    let entered = Arc::<Notify>::default();
    let server = start_told(&pki, false, 3_000, Arc::clone(&entered)).await;
    let cancelled = || value(CALLS, &[POLICY, r#"rpc_response_status_code="CANCELLED""#]);
    let before = cancelled();
    let mut client = raw(&server, &pki.service("identity")).await;
    let open = within(client.call()).await.unwrap();
    within(entered.notified()).await;
    drop(open);
    // The handler is told, and so is whoever measures.
    within(entered.notified()).await;
    within(server.stop()).await;
    assert!(cancelled() > before);
}
