//! DB-1 to DB-3: which TLS is spoken, and with whom.

use contract::database::v1::{DescribeDatabaseRequest, DescribeDatabaseResponse};
use tonic::Code;

use super::describes;
use crate::{
    cases::people,
    found::{Found, Tried, no_answer, not_tried},
    kit::{Kit, call, is_refused, message, method, methods, path, shown},
    wire::{
        Ask, NoAnswer, Wire,
        hello::{OLDER, is_answered},
        tls::Credentials,
    },
};

/// DB-1.
pub(crate) async fn tls(kit: &Kit, found: &mut Found) -> Tried {
    let wire = kit.connect().await?;
    let facts = &wire.facts;
    let version = facts.version.as_deref().unwrap_or("no version");
    found.check(version == "TLSv1_3", "a connection", "TLSv1_3", version);
    let alpn = facts.alpn.as_deref().unwrap_or("nothing");
    found.check(alpn == "h2", "a connection that offers h2 by ALPN", "h2", alpn);
    let (address, host) = (&kit.target.address, &kit.target.host);
    for (version, name) in OLDER {
        let tried = format!("the greeting of a client that speaks {name} at most");
        match is_answered(address, host, version, kit.patience()).await {
            Ok(false) => {}
            Ok(true) => found.fail(tried, "an alert, or the end", format!("{name} is agreed on")),
            Err(error) => found.fail(tried, "an alert, or the end", error.to_string()),
        }
    }
    describes(&wire, "DescribeDatabase over TLS 1.3, afterwards").await
}

/// DB-2.
pub(crate) async fn unknown(kit: &Kit, found: &mut Found) -> Tried {
    let counterfeit = kit.own.counterfeit().map_err(|error| {
        let error = error.to_string();
        not_tried(
            (format!("không tạo được chứng thư số: {error}"), error.clone()),
            ("xem lỗi", "see the error"),
        )
    })?;
    for (who, credentials) in [
        ("a client without a certificate", None),
        ("a client whose certificate another authority issued", Some(&counterfeit)),
    ] {
        let roles = kit.roles().flat_map(methods).copied();
        for path in [path::DESCRIBE, path::HEALTH].into_iter().chain(roles) {
            let tried = format!("{} by {who}", method(path));
            match unserved(kit, credentials, path).await {
                Ok(()) => {}
                Err(seen) => found.fail(tried, "no answer: the connection ends", seen),
            }
        }
    }
    let wire = kit.connect().await?;
    describes(&wire, "DescribeDatabase by the kit, afterwards").await
}

/// Whether there is no answer; what there is otherwise.
async fn unserved(kit: &Kit, who: Option<&Credentials>, path: &str) -> Result<(), String> {
    let outcome = async {
        let wire = Wire::connect(&kit.target, who, kit.patience()).await?;
        wire.call(Ask::bytes(path, &[])).await
    };
    match outcome.await {
        Ok(reply) => Err(shown(&reply.status)),
        // It neither answers nor ends: whoever has no certificate may hold its connections.
        Err(NoAnswer::Silent(time)) => Err(NoAnswer::Silent(time).to_string()),
        Err(NoAnswer::NoConnection(_) | NoAnswer::Ended(_)) => Ok(()),
        Err(NoAnswer::NotGrpc(why)) => Err(why),
    }
}

/// DB-3.
pub(crate) async fn stranger(kit: &Kit, found: &mut Found) -> Tried {
    let Some(stranger) = &kit.stranger else {
        return Err(not_tried(
            (
                "không có chứng thư số tốt nằm ngoài danh sách cho phép",
                "there is no good certificate that is not on the allow list",
            ),
            (
                "--stranger-certificate và --stranger-key",
                "--stranger-certificate and --stranger-key",
            ),
        ));
    };
    let made = Wire::connect(&kit.target, Some(stranger), kit.patience()).await;
    let wire = made.map_err(|error| no_answer("a connection with the stranger's", &error))?;
    for role in kit.roles() {
        for path in methods(role) {
            let tried = format!("{} by a client that is not on the allow list", method(path));
            let expected = "PERMISSION_DENIED METHOD_NOT_ALLOWED";
            let ask = Ask::bytes(path, &people::valid(kit, path));
            match wire.call(ask).await {
                Ok(reply) => {
                    let refused = Code::PermissionDenied;
                    let holds = is_refused(&reply.status, refused, "METHOD_NOT_ALLOWED")
                        && reply.messages.is_empty();
                    found.check(holds, tried, expected, shown(&reply.status));
                }
                Err(error) => found.fail(tried, expected, error.to_string()),
            }
        }
    }
    let tried = "DescribeDatabase by a client that is not on the allow list";
    let reply = call(&wire, tried, path::DESCRIBE, &DescribeDatabaseRequest {}).await?;
    let _: DescribeDatabaseResponse = message(tried, &reply)?;
    Ok(())
}
