//! SRC: what the database lists.
//!
//! | module | rules |
//! |---|---|
//! | `changes` | SRC-4, SRC-5, SRC-10, SRC-11: what one change says |
//! | `list` | SRC-1 to SRC-3, SRC-6, SRC-9, SRC-20: order, and that everything is there once |
//! | `pages` | SRC-21, SRC-23 to SRC-25 |
//! | `refused` | SRC-7, SRC-8, SRC-22 |
//! | `stream` | SRC-30 to SRC-33 |

pub(crate) mod changes;
mod life;
pub(crate) mod list;
pub(crate) mod pages;
pub(crate) mod refused;
pub(crate) mod stream;

use std::collections::BTreeSet;

use contract::database::v1::{Change, ListChangesRequest};
use prost::Message;

use crate::{
    found::{Tried, Trouble, failed, masked, not_tried},
    kit::{Kit, call, message, path},
    wire::Wire,
};

/// A longer list is not read to its end.
const CHANGES_MAX: usize = 50_000;
/// Nor is one of more pages.
const PAGES_MAX: usize = 5_000;

/// `ListChangesResponse` and `StreamChangesResponse`, with each change as the bytes that it came in.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Page {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(crate) changes: Vec<prost::bytes::Bytes>,
    #[prost(string, tag = "2")]
    pub(crate) next_cursor: String,
    #[prost(bool, tag = "3")]
    pub(crate) end_reached: bool,
}

/// A change: its bytes, and what they say.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) bytes: prost::bytes::Bytes,
    pub(crate) change: Change,
}

impl Listed {
    pub(crate) fn id(&self) -> &str {
        &self.change.change_id
    }
}

/// A page, and what was asked for it.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) cursor: String,
    pub(crate) size: i32,
    pub(crate) page: Page,
    /// Bytes of the message.
    pub(crate) bytes: usize,
    pub(crate) changes: Vec<Listed>,
}

/// Everything that the database lists.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listing {
    /// Page after page, as it was read.
    pub(crate) pages: Vec<Read>,
    /// Each change once, in the order in which it came first.
    pub(crate) changes: Vec<Listed>,
    /// Whether the end was not reached.
    pub(crate) cut: bool,
}

/// What is said of a place in a list.
pub(crate) fn place(number: usize) -> String {
    format!("change {}", number + 1)
}

/// One page.
pub(crate) async fn page(wire: &Wire, cursor: &str, size: i32) -> Tried<Read> {
    let tried = asked(cursor, size);
    let request = ListChangesRequest { cursor: cursor.to_owned(), page_size: size };
    let reply = call(wire, &tried, path::LIST, &request).await?;
    let page: Page = message(&tried, &reply)?;
    let changes = parsed(&tried, &page)?;
    let bytes = reply.messages.first().map_or(0, bytes::Bytes::len);
    Ok(Read { cursor: cursor.to_owned(), size, page, bytes, changes })
}

/// A question in words; the cursor is the database's own, and may be long.
pub(crate) fn asked(cursor: &str, size: i32) -> String {
    let short: String = masked(cursor).chars().take(40).collect();
    format!("ListChanges of {size} after `{short}`")
}

/// The changes of a page.
pub(crate) fn parsed(tried: &str, page: &Page) -> Result<Vec<Listed>, Trouble> {
    let parse = |bytes: &prost::bytes::Bytes| {
        let change = Change::decode(bytes.clone()).map_err(|error| {
            failed(tried, "changes of the contract", format!("one cannot be parsed: {error}"))
        })?;
        Ok(Listed { bytes: bytes.clone(), change })
    };
    page.changes.iter().map(parse).collect()
}

/// The most that a page may hold, by the description.
pub(crate) fn page_size_max(kit: &Kit) -> i32 {
    kit.description.limits.map_or(0, |limits| limits.page_size_max)
}

/// Reads on from a cursor until a page is empty, so many changes at a time. `end_reached` is not believed; a page that
/// goes on nowhere ends it.
pub(crate) async fn walk(wire: &Wire, cursor: &str, size: i32) -> Tried<Listing> {
    let mut listing = Listing::default();
    let mut ids = BTreeSet::new();
    let mut asked = BTreeSet::new();
    let mut cursor = cursor.to_owned();
    while asked.insert(cursor.clone()) {
        let read = page(wire, &cursor, size).await?;
        for listed in &read.changes {
            if ids.insert(listed.id().to_owned()) {
                listing.changes.push(listed.clone());
            }
        }
        let own = read.changes.last().map(|last| last.change.cursor.clone());
        // An empty one says nothing of where to go on, which is the business of SRC-24.
        cursor = match read.page.next_cursor.as_str() {
            "" => own.unwrap_or_default(),
            next => next.to_owned(),
        };
        let empty = read.changes.is_empty();
        listing.pages.push(read);
        listing.cut = listing.changes.len() >= CHANGES_MAX || listing.pages.len() >= PAGES_MAX;
        if empty || listing.cut {
            break;
        }
    }
    Ok(listing)
}

/// Everything from the oldest change on, read once; at least so many changes of it must be there.
pub(crate) async fn listing(kit: &Kit, least: usize) -> Tried<&Listing> {
    let read = async {
        let wire = kit.connect().await?;
        // Several pages, also of a short list.
        walk(&wire, "", page_size_max(kit).clamp(1, 100).min(7.max(page_size_max(kit) / 4))).await
    };
    let listing = kit.listing.get_or_try_init(|| read).await?;
    let count = listing.changes.len();
    if count < least {
        return Err(not_tried(
            (
                format!("danh sách chỉ có {count} thay đổi, cần ít nhất {least}"),
                format!("the list has {count} changes, and at least {least} are needed"),
            ),
            ("ghi nhận thêm thay đổi giả định", "commit more synthetic changes"),
        ));
    }
    Ok(listing)
}

/// The whole list; a case that needs its end cannot be tried without.
pub(crate) async fn whole(kit: &Kit, least: usize) -> Tried<&Listing> {
    let listing = listing(kit, least).await?;
    if listing.cut {
        return Err(not_tried(
            (
                format!("danh sách dài hơn {CHANGES_MAX} thay đổi hoặc {PAGES_MAX} trang"),
                format!("the list is longer than {CHANGES_MAX} changes or {PAGES_MAX} pages"),
            ),
            ("một môi trường thử nhỏ hơn", "a smaller environment for tests"),
        ));
    }
    Ok(listing)
}

/// The first place where two lists of changes differ, in words; none where they do not.
pub(crate) fn difference(expected: &[Listed], seen: &[Listed], bytes: bool) -> Option<String> {
    for (number, (left, right)) in expected.iter().zip(seen).enumerate() {
        if left.id() != right.id() {
            return Some(format!("{} is another one", place(number)));
        }
        if bytes && left.bytes != right.bytes {
            return Some(format!("{} has other bytes", place(number)));
        }
    }
    // Later ones may follow.
    let (expected, seen) = (expected.len(), seen.len());
    (seen < expected).then(|| format!("{seen} changes instead of {expected}"))
}
