//! DB-1 to DB-3, DB-8 to DB-12 and DB-14: connections, certificates, what is no message, deadlines, load.
//!
//! | module | rules |
//! |---|---|
//! | `load` | DB-10 to DB-12, DB-14 |
//! | `peers` | DB-1 to DB-3 |

pub(crate) mod load;
pub(crate) mod peers;

use contract::database::v1::{DescribeDatabaseRequest, DescribeDatabaseResponse};
use tonic::Code;

use crate::{
    Role,
    found::{Found, Tried, no_answer},
    kit::{Kit, method, ok, path, shown},
    wire::{Ask, NoAnswer, Reply, Wire},
};

/// The methods that take one request and give one answer, of the roles that the database has; every database has the
/// first.
pub(crate) fn unary(kit: &Kit) -> Vec<&'static str> {
    let of = |role| match role {
        Role::Source => &[path::LIST][..],
        Role::Lookup => &[path::GET, path::VERIFY],
        Role::Sink => &[path::DELIVER],
    };
    [path::DESCRIBE].into_iter().chain(kit.roles().flat_map(of).copied()).collect()
}

/// A call that must be answered, on this connection.
pub(crate) async fn describes(wire: &Wire, tried: &str) -> Tried {
    let request = DescribeDatabaseRequest {};
    let _: DescribeDatabaseResponse = ok(wire, tried, path::DESCRIBE, &request).await?;
    Ok(())
}

/// The end of a call that had to be refused; that the connection went with it is a failure of its own.
fn ended_alone(
    found: &mut Found,
    tried: &str,
    expected: &str,
    outcome: Result<Reply, NoAnswer>,
    is_expected: impl Fn(Code) -> bool,
) {
    match outcome {
        Ok(reply) => {
            let code = reply.status.code();
            found.check(is_expected(code), tried, expected, shown(&reply.status));
        }
        Err(error) => found.fail(tried, expected, error.to_string()),
    }
}

/// DB-8.
pub(crate) async fn malformed(kit: &Kit, found: &mut Found) -> Tried {
    // No parser takes these. (That a field has the number 0 is taken by some.)
    let bodies: [(&str, &[u8]); 3] = [
        ("a length beyond the end", &[0x0a, 0x7f, b'x']),
        ("a wire type that is none", &[0x0f, 0x00]),
        ("a number without end", &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ];
    let wire = kit.connect().await?;
    for path in unary(kit) {
        for (what, body) in bodies {
            let tried = format!("{} with {what}", method(path));
            let outcome = wire.call(Ask::bytes(path, body)).await;
            ended_alone(found, &tried, "an error", outcome, |code| code != Code::Ok);
            let tried = format!("DescribeDatabase on the same connection, after {tried}");
            describes(&wire, &tried).await?;
        }
    }
    Ok(())
}

/// DB-9.
pub(crate) async fn too_large(kit: &Kit, found: &mut Found) -> Tried {
    const LIMIT: usize = 4 << 20;
    let wire = kit.connect().await?;
    for path in unary(kit) {
        let tried = format!("{} with a request of 4 MiB and some bytes", method(path));
        // A field that nobody knows, so that nothing but its size is wrong with it.
        let mut body = Vec::with_capacity(LIMIT + 16);
        prost::encoding::bytes::encode(1911, &vec![0_u8; LIMIT], &mut body);
        let outcome = wire.call(Ask::bytes(path, &body)).await;
        let is_expected = |code| code == Code::ResourceExhausted;
        ended_alone(found, &tried, "RESOURCE_EXHAUSTED", outcome, is_expected);
        let tried = format!("DescribeDatabase on the same connection, after {tried}");
        describes(&wire, &tried).await?;
    }
    Ok(())
}

/// Takes what an opened call brings, so that it has begun; or waits a little where it brings nothing.
pub(crate) async fn begun(open: &mut crate::wire::Open) -> Result<(), NoAnswer> {
    match open.begun(std::time::Duration::from_millis(100)).await {
        Ok(()) | Err(NoAnswer::Silent(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// A connection that could not be kept.
pub(crate) fn lost(tried: &str) -> impl Fn(NoAnswer) -> crate::found::Trouble {
    move |error| no_answer(tried, &error)
}
