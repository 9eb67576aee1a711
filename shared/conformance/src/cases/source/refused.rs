//! SRC-7, SRC-8 and SRC-22: what is refused.

use contract::database::v1::{ListChangesRequest, StreamChangesRequest};
use server::error::code_name;
use tonic::Code;

use super::{asked, listing};
use crate::{
    found::{Found, Tried, not_tried},
    kit::{Kit, call, is_refused, path, shown},
    wire::Wire,
};

/// Both methods refuse a cursor so.
async fn refused(
    wire: &Wire,
    found: &mut Found,
    (what, cursor): (&str, &str),
    (code, reason): (Code, &str),
) -> Tried {
    let list = ListChangesRequest { cursor: cursor.to_owned(), page_size: 1 };
    let tried = format!("ListChanges after {what}");
    let listed = call(wire, &tried, path::LIST, &list).await?;
    let stream = StreamChangesRequest { cursor: cursor.to_owned(), follow: false };
    let streaming = format!("StreamChanges after {what}");
    let streamed = call(wire, &streaming, path::STREAM, &stream).await?;
    for (tried, reply) in [(tried, listed), (streaming, streamed)] {
        let holds = is_refused(&reply.status, code, reason) && reply.messages.is_empty();
        let with = if reply.messages.is_empty() { "" } else { ", with changes" };
        let seen = format!("{}{with}", shown(&reply.status));
        found.check(holds, tried, format!("{} {reason}", code_name(code)), seen);
    }
    Ok(())
}

/// SRC-7.
pub(crate) async fn unknown_cursor(kit: &Kit, found: &mut Found) -> Tried {
    let listing = listing(kit, 1).await?;
    let own = listing.changes.first().map(|listed| listed.change.cursor.clone());
    let own = own.unwrap_or_default();
    let mut dice = kit.dice("SRC-7");
    let missing = 257_usize.saturating_sub(own.chars().count()).max(1);
    let long = format!("{own}{}", "x".repeat(missing));
    let wire = kit.connect().await?;
    for (what, cursor) in [
        ("a cursor of random letters", dice.id()),
        ("a random letter", "q".to_owned()),
        ("a space", " ".to_owned()),
        ("a cursor of its own with a letter behind it", format!("{own}x")),
        ("a cursor of its own with a letter before it", format!("x{own}")),
        ("a cursor of 257 characters", long),
        ("a cursor of 5000 characters", "y".repeat(5000)),
    ] {
        let unknown = (Code::InvalidArgument, "UNKNOWN_CURSOR");
        refused(&wire, found, (what, &cursor), unknown).await?;
    }
    Ok(())
}

/// SRC-8.
pub(crate) async fn expired_cursor(kit: &Kit, found: &mut Found) -> Tried {
    let Some(cursor) = &kit.plan.fixtures.source.expired_cursor else {
        return Err(not_tried(
            ("không có con trỏ đã hết hạn", "there is no cursor that has expired"),
            (
                "`expired_cursor` trong [source] của tệp fixtures",
                "`expired_cursor` in [source] of the fixtures",
            ),
        ));
    };
    let wire = kit.connect().await?;
    let expired = (Code::FailedPrecondition, "CURSOR_EXPIRED");
    refused(&wire, found, ("the expired cursor", cursor), expired).await
}

/// SRC-22.
pub(crate) async fn negative_size(kit: &Kit, found: &mut Found) -> Tried {
    let wire = kit.connect().await?;
    for size in [-1, i32::MIN] {
        let request = ListChangesRequest { cursor: String::new(), page_size: size };
        let tried = asked("", size);
        let reply = call(&wire, &tried, path::LIST, &request).await?;
        let holds = is_refused(&reply.status, Code::InvalidArgument, "INVALID_REQUEST");
        found.check(holds, tried, "INVALID_ARGUMENT INVALID_REQUEST", shown(&reply.status));
    }
    Ok(())
}
