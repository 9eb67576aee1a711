//! Who saw me, for portals that speak HTTP: the wire interface of Estonia's Data Tracker (Andmejälgija, `findUsage` of its version 3),
//! over what `AccessHistoryService.ListAccesses` lists and by the same way: the caller is the portal's certificate, and agreement,
//! consent, claims and budget are held against it as there.

mod asked;
mod write;

use std::sync::Arc;

use contract::{
    audit::v1 as log,
    identity::v1::{AccessDetails, PersonAccess, person_access::Told},
    r#type::v1::ErrorReason,
};
use disclosure::{
    Answer, Asked, Disclosed,
    web::{Json, PersonalSite, Reply},
};
use http::{Method, Request, StatusCode};
use server::{
    Caller, Deadline,
    caller::{Admission, Methods},
    error::refuse,
};
use tonic::Status;
use wire::policy::Act;

use self::asked::{Checked, Wanted};
use super::{
    Shared,
    call::{Call, cited},
    history::{self, LIST_ACCESSES, Listing},
};
use crate::{
    app::{Lookup, Names},
    names,
    store::RegisterStore,
};

const FIND_USAGE: &str = "/v3/findUsage";
const HEARTBEAT: &str = "/v3/heartbeat";
/// What the access log gives at once.
const PART: u32 = 200;
/// How often it is asked for one answer: 10,000 accesses. Behind them the next answer goes on.
const PARTS_MAX: usize = 50;
/// Accesses that are told in one answer.
const TOLD_MAX: usize = 1_000;

/// What is served.
pub(crate) struct Usage {
    /// What the service of calls stands on.
    pub(crate) shared: Arc<Shared>,
    /// The register.
    pub(crate) store: RegisterStore,
    /// What people call what is recorded.
    pub(crate) names: names::Names,
    /// The task for which citizens see who accessed them.
    pub(crate) procedure: String,
    /// And its ground.
    pub(crate) legal_basis: String,
}

impl PersonalSite for Usage {
    fn name(&self, path: &str) -> Option<&'static str> {
        [FIND_USAGE, HEARTBEAT].into_iter().find(|name| *name == path)
    }

    async fn answer(&self, request: Request<()>, caller: Caller, deadline: Deadline) -> Reply {
        let Some(name) = self.name(request.uri().path()) else {
            let message = "Không có đường dẫn này. / There is no such path.";
            return Reply::not_there(StatusCode::NOT_FOUND, "UNKNOWN_METHOD", message);
        };
        if request.method() != Method::GET {
            let message = "Chỉ nhận GET. / GET alone is answered.";
            return Reply::not_there(StatusCode::METHOD_NOT_ALLOWED, "UNKNOWN_METHOD", message);
        }
        if name == HEARTBEAT {
            return self.heartbeat().await;
        }
        match self.find_usage(&request, &caller, deadline).await {
            Ok(disclosed) => disclosed.into(),
            Err(status) => Reply::refused(&status),
        }
    }
}

impl Usage {
    async fn heartbeat(&self) -> Reply {
        if self.store.answers().await && self.shared.clients.peers.serve().await {
            return Reply::fixed(r#"{"status":"OK","message":"sẵn sàng / ready"}"#);
        }
        Reply::fixed(
            r#"{"status":"FAIL","message":"cơ sở dữ liệu, chính sách hoặc nhật ký không trả lời / the register, policy or the access log does not answer"}"#,
        )
    }

    async fn find_usage(
        &self,
        request: &Request<()>,
        caller: &Caller,
        deadline: Deadline,
    ) -> Result<Disclosed<Json>, Status> {
        // It is open to whom the call is open.
        if Methods::LIENTHONG.admission(LIST_ACCESSES, caller) != Admission::Open {
            return Err(refuse(ErrorReason::MethodNotAllowed));
        }
        let Checked { lookup, basis, request_id, wanted } = asked::checked(self, request, caller)?;
        let lookup = Lookup { consent: cited(caller, Act::Accesses, &basis), ..lookup };
        let bytes = asked::recorded(request);
        let asked = Asked::unsigned(&bytes);
        let call = Call::new(&self.shared, caller, deadline, FIND_USAGE, asked).on(&basis);
        let found = Finding { site: self, wanted, request_id };
        history::tell(&call, &lookup, &basis, &found).await
    }
}

/// A list as it is asked for here.
struct Finding<'a> {
    site: &'a Usage,
    wanted: Wanted,
    request_id: String,
}

/// An access that is told, with the place of the checkpoint that its proof leads to.
struct Shown {
    record: u32,
    number: u64,
    details: AccessDetails,
    checkpoint: usize,
}

/// What was read of the access log.
#[derive(Default)]
struct Read {
    /// How many are wanted and may be told; of these, those that were asked for, the newest first.
    total: usize,
    shown: Vec<Shown>,
    checkpoints: Vec<String>,
    /// As the access log counts them.
    counts: Vec<u64>,
    /// What may not be told, or not any more.
    sealed: u64,
    erased: u64,
    /// What is in the archive, of which its time is not known here: the oldest.
    archived: u64,
    bulk_left_out: u64,
    /// The index of the last one that was read, where there is more of the time that is asked about.
    more_below: Option<u64>,
}

impl Listing for Finding<'_> {
    type Found = Read;
    type Answer = Json;

    fn page_token(&self) -> &str {
        &self.wanted.page_token
    }

    async fn read(&self, call: &Call<'_>, names: Names, before: u64) -> Result<Read, Status> {
        let mut request = history::request(names, before, PART);
        let mut read = Read::default();
        for _ in 0..PARTS_MAX {
            let part = history::listed(call, &request).await?;
            let last = part.accesses.last();
            let below = last.map(|last| last.index).filter(|index| *index > 0);
            let past = last.is_some_and(|last| self.wanted.is_past(last));
            let end = part.end_reached || past;
            if !read.take(part, &self.wanted, &call.shared.trust_domain) {
                return Err(refuse(ErrorReason::LogUnreadable));
            }
            // Below the first record there is none, and 0 is where nothing is said.
            read.more_below = below.filter(|_| !end);
            let Some(below) = read.more_below else { break };
            request.before_index = below;
        }
        Ok(read)
    }

    fn write(&self, about: &history::About<'_>, found: Option<Read>) -> Option<Answer<Json>> {
        Some(Answer::json(&write::answer(self, about, found.unwrap_or_default())))
    }
}

impl Read {
    /// Takes a part. False where a record is none.
    fn take(
        &mut self,
        part: log::ListAccessesResponse,
        wanted: &Wanted,
        trust_domain: &str,
    ) -> bool {
        let known = self.checkpoints.iter().position(|known| *known == part.checkpoint);
        let checkpoint = known.unwrap_or(self.checkpoints.len());
        if known.is_none() {
            self.checkpoints.push(part.checkpoint);
        }
        if self.counts.is_empty() {
            self.counts = part.counts;
        }
        for access in part.accesses {
            if access.sealed {
                self.sealed += 1;
            } else if access.erased {
                self.erased += 1;
            } else if access.archived {
                self.archived += 1;
            } else if wanted.is_of(&access) {
                let Some(told) = history::access(access, trust_domain) else { return false };
                self.tell(told, checkpoint, wanted);
            }
        }
        true
    }

    /// Counts an access that is wanted, and keeps it where it is among those that were asked for.
    fn tell(&mut self, access: PersonAccess, checkpoint: usize, wanted: &Wanted) {
        let PersonAccess { record, number, told: Some(Told::Details(details)) } = access else {
            return;
        };
        if !write::is_wanted(&details, wanted) {
            return;
        }
        if !wanted.bulk && write::is_bulk(&details.method) {
            self.bulk_left_out += 1;
            return;
        }
        if self.total >= wanted.offset && self.shown.len() < wanted.limit {
            self.shown.push(Shown { record, number, details, checkpoint });
        }
        self.total += 1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use contract::audit::v1::{AccessOutcome, DecisionRecord};
    use prost::Message as _;
    use tlog::Leaf;

    use super::*;

    const LOOKUP: &str = "/lienthong.identity.v1.IdentityService/GetPerson";
    const BULK: &str = "/lienthong.identity.v1.IdentityService/LookupStream";

    fn wanted(from_ms: u64, until_ms: u64) -> Wanted {
        let (systems, page_token) = (Vec::new(), String::new());
        let (limit, offset, bulk) = (TOLD_MAX, 0, false);
        let (responses, processings) = (true, true);
        Wanted {
            responses,
            processings,
            bulk,
            systems,
            from_ms,
            until_ms,
            limit,
            offset,
            page_token,
        }
    }

    fn access(time_ms: u64, method: &str) -> log::RecordedAccess {
        let leaf = Leaf { time_ms, record_id: [0; 16], outer: [0; 32], inner: [0; 32] };
        let outcome = AccessOutcome::Answered.into();
        log::RecordedAccess {
            index: time_ms,
            number: time_ms,
            leaf: leaf.to_bytes().to_vec(),
            context: tlog::context(method, "spiffe://t.test/agency/A/system/s"),
            decision: DecisionRecord { outcome, ..DecisionRecord::default() }.encode_to_vec(),
            ..log::RecordedAccess::default()
        }
    }

    /// The accesses of these times, each as `how` says.
    fn part(
        times: impl Iterator<Item = u64>,
        how: impl Fn(u64) -> log::RecordedAccess,
    ) -> log::ListAccessesResponse {
        log::ListAccessesResponse { accesses: times.map(how).collect(), ..Default::default() }
    }

    fn numbers(read: &Read) -> Vec<u64> {
        read.shown.iter().map(|shown| shown.number).collect()
    }

    #[test]
    fn all_that_is_wanted_is_counted_whatever_is_in_between_and_a_window_of_it_told() {
        // Of three one is sealed, one was asked in bulk.
        let how = |time: u64| match time % 3 {
            0 => log::RecordedAccess { sealed: true, ..access(time, LOOKUP) },
            1 => access(time, BULK),
            _ => access(time, LOOKUP),
        };
        let mut read = Read::default();
        let asked = Wanted { offset: 1_000, limit: 3, ..wanted(0, 0) };
        for first in (0..60).rev() {
            assert!(read.take(part((first * 100..(first + 1) * 100).rev(), how), &asked, "t.test"));
        }
        assert_eq!((read.total, read.sealed, read.bulk_left_out), (2_000, 2_000, 2_000));
        assert_eq!(numbers(&read), [2_999, 2_996, 2_993]);
        let mut with_bulk = Read::default();
        let asked = Wanted { bulk: true, ..wanted(0, 0) };
        assert!(with_bulk.take(part((0..9).rev(), how), &asked, "t.test"));
        assert_eq!((with_bulk.total, with_bulk.bulk_left_out), (6, 0));
    }

    #[test]
    fn what_is_archived_or_erased_is_counted_and_not_told() {
        let mut read = Read::default();
        let how = |time: u64| match time {
            1 | 2 => log::RecordedAccess { archived: true, ..log::RecordedAccess::default() },
            3 => log::RecordedAccess { erased: true, ..access(time, LOOKUP) },
            _ => access(time, LOOKUP),
        };
        let asked = wanted(2, 9);
        let all = part((1..=9).rev(), how);
        // An archived one says no time, and is not taken for older than what is asked about.
        assert!(!asked.is_past(all.accesses.last().unwrap()));
        assert!(read.take(all, &asked, "t.test"));
        assert_eq!((read.archived, read.erased, numbers(&read)), (2, 1, vec![8, 7, 6, 5, 4]));
    }

    #[test]
    fn each_checkpoint_is_named_once_and_a_record_that_is_none_is_none() {
        let mut read = Read::default();
        for checkpoint in ["a", "b", "a"] {
            let part = log::ListAccessesResponse {
                checkpoint: checkpoint.to_owned(),
                ..part(4..6, |time| access(time, LOOKUP))
            };
            assert!(read.take(part, &wanted(0, 0), "t.test"));
        }
        let places: Vec<usize> = read.shown.iter().map(|shown| shown.checkpoint).collect();
        assert_eq!(places, [0, 0, 1, 1, 0, 0]);
        assert_eq!(read.checkpoints, ["a", "b"]);
        let none = |time| log::RecordedAccess { context: "x".to_owned(), ..access(time, LOOKUP) };
        assert!(!read.take(part(1..2, none), &wanted(0, 0), "t.test"));
    }
}
