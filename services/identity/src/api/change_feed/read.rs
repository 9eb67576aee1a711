//! The requests of `ChangeFeedService`; every faulty field is named at once.

use std::{collections::HashSet, time::Duration};

use contract::{
    identity::v1::{ListPersonChangesRequest, ListPersonsRequest, WatchPersonChangesRequest},
    r#type::v1::{AccessBasis, ErrorReason},
};
use server::error::refuse;
use tonic::Status;
use wire::{Fault, Faults, basis};

use crate::{api::REQUEST_ID_MAX, app::Wanted};

/// Changes or persons of a page, at most, and where nothing is said. They are in the contract.
const PAGE_MAX: u32 = 500;
const PAGE: u32 = 100;
/// Seconds without a message, at most, and where nothing is said. They are in the contract.
const HEARTBEAT_MAX: u32 = 60;
const HEARTBEAT: u32 = 15;
/// Characters of a cursor; ours are shorter.
const CURSOR_MAX: usize = 512;
/// Tokens of one call, and characters of each. They are in the contract.
const TOKENS_MAX: usize = 1000;
const TOKEN_MAX: usize = 64;

/// What is asked for, and on which ground.
pub(super) struct Asked<'a> {
    pub(super) basis: &'a AccessBasis,
    pub(super) items: &'a [String],
    pub(super) wanted: Wanted<'a>,
}

/// Whom to follow by name.
pub(super) struct Followed<'a> {
    pub(super) asked: Asked<'a>,
    pub(super) tokens: &'a [String],
    pub(super) request_id: &'a str,
}

pub(super) fn changes(request: &ListPersonChangesRequest) -> Result<Asked<'_>, Status> {
    let ListPersonChangesRequest { basis, items, cursor, followed_only, page_size } = request;
    let mut faults = Faults::default();
    let basis = ground(basis.as_ref(), items, &mut faults);
    let most = page(*page_size, &mut faults);
    place("cursor", cursor, &mut faults);
    faults.finish()?;
    asked(basis, items, Wanted { from: cursor, followed_only: *followed_only, most })
}

/// What a stream is asked for, and how long it may be silent. How many changes a message holds the stream says.
pub(super) fn watch(
    request: &WatchPersonChangesRequest,
    most: usize,
) -> Result<(Asked<'_>, Duration), Status> {
    let WatchPersonChangesRequest { basis, items, cursor, followed_only, heartbeat_seconds } =
        request;
    let mut faults = Faults::default();
    let basis = ground(basis.as_ref(), items, &mut faults);
    place("cursor", cursor, &mut faults);
    if *heartbeat_seconds > HEARTBEAT_MAX {
        faults.add("heartbeat_seconds", Fault::NotAllowed);
    }
    faults.finish()?;
    let seconds = if *heartbeat_seconds == 0 { HEARTBEAT } else { *heartbeat_seconds };
    let wanted = Wanted { from: cursor, followed_only: *followed_only, most };
    Ok((asked(basis, items, wanted)?, Duration::from_secs(seconds.into())))
}

pub(super) fn persons(request: &ListPersonsRequest) -> Result<Asked<'_>, Status> {
    let ListPersonsRequest { basis, items, followed_only, page_size, page_token } = request;
    let mut faults = Faults::default();
    let basis = ground(basis.as_ref(), items, &mut faults);
    let most = page(*page_size, &mut faults);
    place("page_token", page_token, &mut faults);
    faults.finish()?;
    asked(basis, items, Wanted { from: page_token, followed_only: *followed_only, most })
}

pub(super) fn followed<'a>(
    basis: Option<&'a AccessBasis>,
    items: &'a [String],
    tokens: &'a [String],
    request_id: &'a str,
) -> Result<Followed<'a>, Status> {
    let mut faults = Faults::default();
    let basis = ground(basis, items, &mut faults);
    if tokens.is_empty() {
        faults.add("tokens", Fault::Missing);
    }
    if tokens.len() > TOKENS_MAX {
        faults.add("tokens", Fault::TooMany(TOKENS_MAX));
    } else {
        let mut seen = HashSet::new();
        for (place, token) in tokens.iter().enumerate() {
            let field = format!("tokens[{place}]");
            if faults.text(&field, token, TOKEN_MAX) && !seen.insert(token) {
                faults.add(field, Fault::Repeated);
            }
        }
    }
    faults.text("request_id", request_id, REQUEST_ID_MAX);
    faults.finish()?;
    let nothing = Wanted { from: "", followed_only: true, most: 0 };
    Ok(Followed { asked: asked(basis, items, nothing)?, tokens, request_id })
}

fn ground<'a>(
    basis: Option<&'a AccessBasis>,
    items: &[String],
    faults: &mut Faults,
) -> Option<&'a AccessBasis> {
    let basis = basis::check(basis, faults);
    basis::check_items(items, faults);
    basis
}

fn page(size: u32, faults: &mut Faults) -> usize {
    if size > PAGE_MAX {
        faults.add("page_size", Fault::NotAllowed);
    }
    let size = if size == 0 { PAGE } else { size.min(PAGE_MAX) };
    size as usize
}

fn place(field: &str, text: &str, faults: &mut Faults) {
    if text.len() > CURSOR_MAX {
        faults.add(field, Fault::TooLong(CURSOR_MAX));
    }
}

fn asked<'a>(
    basis: Option<&'a AccessBasis>,
    items: &'a [String],
    wanted: Wanted<'a>,
) -> Result<Asked<'a>, Status> {
    // Whatever is not there was named before.
    let basis = basis.ok_or_else(|| refuse(ErrorReason::Internal))?;
    Ok(Asked { basis, items, wanted })
}
