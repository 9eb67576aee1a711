//! Who saw me, for portals that speak HTTP: the wire interface of Estonia's Data Tracker (Andmejälgija, `findUsage` of its version 3),
//! over what `AccessHistoryService.ListAccesses` lists and by the same way: the caller is the portal's certificate, and agreement,
//! consent, claims and budget are held against it as there.

mod asked;
mod write;

use std::sync::Arc;

use contract::{audit::v1 as log, r#type::v1::ErrorReason};
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
    history::{self, LIST_ACCESSES, Listing, Place},
};
use crate::{
    app::{Lookup, Names, NoAnswer},
    names,
    store::RegisterStore,
};

const FIND_USAGE: &str = "/v3/findUsage";
const HEARTBEAT: &str = "/v3/heartbeat";
/// What the access log gives at once.
const PART: u32 = 200;
/// How often it is asked for one answer, where much is sealed.
const PARTS_MAX: usize = 10;
/// What is told in one answer: whoever has more asks for what was before the oldest of it.
const READ_MAX: usize = 1_000;

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

/// What was read of the access log that may be told, the newest first.
#[derive(Default)]
struct Read {
    /// Each with the place of the checkpoint that its proof leads to.
    accesses: Vec<(log::RecordedAccess, usize)>,
    /// The log grows while it is read.
    checkpoints: Vec<String>,
    /// As the access log counts them.
    counts: Vec<u64>,
    /// What may not be told, or not any more.
    sealed: u64,
    erased: u64,
    /// What is in the archive, of which its time is not known here: the oldest.
    archived: u64,
    /// Whether nothing is left of the time that is asked about.
    whole: bool,
}

impl Listing for Finding<'_> {
    type Found = Read;
    type Answer = Json;

    fn place(&self, _: &Call<'_>, _: &str) -> Result<Option<Place>, NoAnswer> {
        Ok(None)
    }

    async fn read(&self, call: &Call<'_>, names: Names, _: Option<Place>) -> Result<Read, Status> {
        let mut request = history::request(self.wanted.before(names), 0, PART);
        let mut read = Read::default();
        for _ in 0..PARTS_MAX {
            let part = history::listed(call, &request).await?;
            let last = part.accesses.last();
            let (index, time_ms) = last.map_or((0, 0), |last| (last.index, time_ms(last)));
            // Below the first record there is none, and 0 is where nothing is said.
            let end = part.end_reached || index == 0 || self.wanted.is_past(time_ms);
            if !read.take(part, &self.wanted) {
                break;
            }
            if end {
                read.whole = true;
                break;
            }
            request.before_index = index;
        }
        Ok(read)
    }

    fn write(&self, about: &history::About<'_>, found: Option<Read>) -> Option<Answer<Json>> {
        write::answer(self, about, found).map(|answer| Answer::json(&answer))
    }
}

impl Read {
    /// Takes what may be told of a part, of the time that is asked about; false where there is no room for all of it. Room is for what is
    /// told alone: where it ends must not say how much is sealed before that.
    fn take(&mut self, part: log::ListAccessesResponse, wanted: &Wanted) -> bool {
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
            } else if wanted.is_of(time_ms(&access)) {
                if self.accesses.len() == READ_MAX {
                    return false;
                }
                self.accesses.push((access, checkpoint));
            }
        }
        true
    }
}

/// When an access was recorded; of a leaf that is none, as it was checked by the log, at the beginning.
fn time_ms(access: &log::RecordedAccess) -> u64 {
    tlog::Leaf::parse(&access.leaf).map_or(0, |leaf| leaf.time_ms)
}

#[cfg(test)]
mod tests {
    use tlog::Leaf;

    use super::*;

    fn wanted(from_ms: u64, until_ms: u64) -> Wanted {
        let systems = Vec::new();
        let (limit, offset) = (READ_MAX, 0);
        Wanted {
            responses: true,
            processings: true,
            bulk: true,
            systems,
            from_ms,
            until_ms,
            limit,
            offset,
        }
    }

    /// The accesses of these times, and which of them are sealed.
    fn part(
        times: impl Iterator<Item = u64>,
        sealed: impl Fn(u64) -> bool,
    ) -> log::ListAccessesResponse {
        let one = |time_ms| {
            let leaf = Leaf { time_ms, record_id: [0; 16], outer: [0; 32], inner: [0; 32] };
            let (leaf, sealed) = (leaf.to_bytes().to_vec(), sealed(time_ms));
            log::RecordedAccess { leaf, sealed, ..log::RecordedAccess::default() }
        };
        log::ListAccessesResponse { accesses: times.map(one).collect(), ..Default::default() }
    }

    #[test]
    fn room_is_for_what_is_told_whatever_is_sealed_in_between() {
        for every in [2, 7, 10_000] {
            let mut read = Read::default();
            let sealed = |time: u64| time.is_multiple_of(every);
            let fits = read.take(part((1..3_000).rev(), sealed), &wanted(0, 0));
            assert!(!fits && read.accesses.len() == READ_MAX, "{every}");
        }
        // As many as there is room for, and behind them what is sealed alone.
        let mut read = Read::default();
        let all = u64::try_from(READ_MAX).unwrap_or(0);
        assert!(read.take(part((1..=all + 5).rev(), |time| time <= 5), &wanted(0, 0)));
        assert_eq!((read.accesses.len(), read.sealed), (READ_MAX, 5));
    }

    #[test]
    fn what_is_archived_is_counted_and_not_told() {
        let mut read = Read::default();
        let archived = log::RecordedAccess { archived: true, ..log::RecordedAccess::default() };
        let mut part = part((7..=9).rev(), |_| false);
        part.accesses.extend([archived.clone(), archived]);
        assert!(read.take(part, &wanted(0, 0)));
        assert_eq!((read.accesses.len(), read.archived), (3, 2));
    }

    #[test]
    fn of_a_period_is_taken_what_is_within_it_and_each_checkpoint_once() {
        let mut read = Read::default();
        for checkpoint in ["a", "b", "a"] {
            let part = log::ListAccessesResponse {
                checkpoint: checkpoint.to_owned(),
                ..part((1..=9).rev(), |time| time == 5)
            };
            assert!(read.take(part, &wanted(4, 7)));
        }
        let places: Vec<usize> = read.accesses.iter().map(|(_, place)| *place).collect();
        assert_eq!(
            (places, read.checkpoints),
            (vec![0, 0, 1, 1, 0, 0], vec!["a".to_owned(), "b".to_owned()])
        );
    }
}
