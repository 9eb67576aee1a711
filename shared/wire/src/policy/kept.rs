//! Which decisions are kept, and which of them may be used. Time is an argument.
//!
//! A kept decision is used while all of this holds; otherwise policy is asked:
//!
//! - Policy looked at its database within [`FRESH`], and every revision up to that look has been taken in. How long ago it looked
//!   is known without comparing clocks: policy says how long after the opening of the stream it looked, and the stream was opened
//!   after it was asked for here.
//! - The decision has not ended, by the clock and by the monotonic one, so that a clock that was set back makes nothing longer.
//! - No revision after its own touched its connection.
//!
//! Only what allows something is kept. A denial names no end: what is missing may be granted at any moment, also by an agreement
//! that begins at midnight or to a caller that has no connection by which a revision could name it; and nothing is to be had by
//! sparing policy the question of somebody who gets nothing.

#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc, time::Duration};

use contract::r#type::v1::AccessBasis;
use server::caller::Thumbprint;
use time::OffsetDateTime;
use tokio::time::Instant;

use super::{
    Act, Decision,
    metrics::{by, metrics},
};

/// How long after a look of policy kept decisions are used. Policy looks every 200 ms, so two looks may be lost or late. Whoever
/// is suspended is refused from this time after the suspension on; what was begun before has until a second to leave.
pub(super) const FRESH: Duration = Duration::from_millis(750);
/// How far a look may seem to lie ahead: what clocks drift apart in a minute or two.
const AHEAD_MAX: Duration = Duration::from_millis(20);
/// The longest that a decision is kept by the monotonic clock, whatever its end is by the other: a clock that is behind policy's
/// would make it longer. It is policy's own usual bound.
const KEPT_MAX: Duration = Duration::from_secs(60);
/// Decisions of one caller that are kept. An agreement has a handful of procedures, and a province's one-stop system acts for a
/// hundred communes; whoever asks for ever other items takes no room of others' (I11).
const OF_CALLER_MAX: usize = 256;
/// Decisions of all callers that are kept: some tens of megabytes.
const ALL_MAX: usize = 4_096;

/// Everything that a decision depends on beside the caller and the moment. A consent is a fact of the table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    key: Option<Thumbprint>,
    act: Act,
    procedure: String,
    legal_basis: String,
    direction: String,
    acting_unit: String,
    items: Vec<String>,
}

impl Asked {
    pub(super) fn new(
        key: Option<Thumbprint>,
        act: Act,
        basis: &AccessBasis,
        items: &[String],
    ) -> Self {
        Self {
            key,
            act,
            procedure: basis.procedure.clone(),
            legal_basis: basis.legal_basis.clone(),
            direction: basis.direction_reference.clone(),
            acting_unit: basis.acting_unit.clone(),
            items: items.to_vec(),
        }
    }

    fn is(&self, key: Option<Thumbprint>, act: Act, basis: &AccessBasis, items: &[String]) -> bool {
        self.key == key
            && self.act == act
            && self.procedure == basis.procedure
            && self.legal_basis == basis.legal_basis
            && self.direction == basis.direction_reference
            && self.acting_unit == basis.acting_unit
            && self.items == items
    }
}

/// What time it is, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) at: Instant,
    pub(super) clock: OffsetDateTime,
}

/// What policy says of its revisions.
#[derive(Debug, Clone, Default)]
pub(super) struct Message {
    pub(super) number: u64,
    pub(super) digest: String,
    pub(super) policy_revision: String,
    pub(super) connections: Vec<String>,
    pub(super) everything: bool,
    pub(super) other_history: bool,
    /// From the opening of the stream to the look.
    pub(super) looked: Duration,
}

/// Why what policy says is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotHeard {
    /// It is of an older revision, or of another history, than before.
    Older,
    /// It says that it looked later than now: one of the two clocks stood still, or runs away. Another stream sets them anew.
    Ahead,
}

/// What becomes of an answer of policy.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// It is of now.
    Good,
    /// Another revision was told since it was asked for: it is asked for again.
    Overtaken,
    /// It is of an older revision than was known when it was asked for.
    Older,
}

struct Table {
    asked: Asked,
    number: u64,
    ends: Instant,
    decision: Arc<Decision>,
}

impl Table {
    fn lasts(&self, now: Now) -> bool {
        now.at < self.ends && now.clock < self.decision.valid_until
    }
}

/// What is kept of a caller, the oldest first.
struct OfCaller {
    used: Instant,
    tables: Vec<Table>,
}

/// The decisions that are kept, and what policy said.
#[derive(Default)]
pub(super) struct Kept {
    callers: HashMap<String, OfCaller>,
    count: usize,
    /// Until when they are used; none while no stream is open.
    fresh_until: Option<Instant>,
    /// The last revision that was told.
    told: u64,
    digest: String,
    policy_revision: String,
    /// Whether policy told of an older revision, or of another history, than before, and of nothing else since.
    set_back: bool,
    /// The highest number that was told or decided under, and since when it is known.
    highest: u64,
    highest_since: Option<Instant>,
}

/// When an answer was asked for, and what was known then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    at: Instant,
    clock: OffsetDateTime,
    highest: u64,
}

impl Kept {
    /// The last revision that was told, and its digest.
    pub(super) fn told(&self) -> (u64, String) {
        (self.told, self.digest.clone())
    }

    /// A decision that may be used now.
    pub(super) fn find(
        &mut self,
        caller: &str,
        key: Option<Thumbprint>,
        act: Act,
        basis: &AccessBasis,
        items: &[String],
        now: Now,
    ) -> Option<Arc<Decision>> {
        let of_caller = self.callers.get_mut(caller)?;
        let is = |table: &Table| table.asked.is(key, act, basis, items);
        let place = of_caller.tables.iter().position(is)?;
        let table = of_caller.tables.get(place)?;
        if !table.lasts(now) {
            of_caller.tables.remove(place);
            // Of whom nothing is kept would be the first to make room, and make none.
            if of_caller.tables.is_empty() {
                self.callers.remove(caller);
            }
            self.dropped("ended", 1);
            return None;
        }
        // What is kept is of use again when policy is heard again.
        self.fresh_until.filter(|until| now.at < *until)?;
        of_caller.used = now.at;
        Some(Arc::clone(&table.decision))
    }

    /// What [`Kept::judge`] has to know of the moment at which something is asked for.
    pub(super) fn before(&self, now: Now) -> Before {
        Before { at: now.at, clock: now.clock, highest: self.highest }
    }

    /// What becomes of an answer.
    pub(super) fn judge(&mut self, before: Before, number: Option<u64>, now: Instant) -> Judged {
        let Some(number) = number else {
            // A release that does not number its revisions tells nothing of them either; after one that did it is none that
            // can be held against them.
            return if self.highest_since.is_none() { Judged::Good } else { Judged::Older };
        };
        if self.set_back || number < before.highest {
            return Judged::Older;
        }
        // One that was long on its way says nothing of now, unless whatever was done meanwhile has been told.
        let told = self.fresh_until.is_some_and(|until| now < until);
        let overtaken = number < self.highest || (!told && now >= before.at + FRESH);
        self.rise(number, now);
        if overtaken { Judged::Overtaken } else { Judged::Good }
    }

    fn rise(&mut self, number: u64, now: Instant) {
        if self.highest_since.is_none() || number > self.highest {
            (self.highest, self.highest_since) = (number, Some(now));
        }
    }

    /// What becomes of an answer; a good one is kept, where it allows something, before anything else is told.
    pub(super) fn take_in(
        &mut self,
        caller: &str,
        asked: Asked,
        decision: &Arc<Decision>,
        before: Before,
        now: Instant,
    ) -> Judged {
        let judged = self.judge(before, decision.number, now);
        if judged == Judged::Good {
            self.keep(caller, asked, decision, Now { at: before.at, clock: before.clock });
        }
        judged
    }

    fn keep(&mut self, caller: &str, asked: Asked, decision: &Arc<Decision>, asked_at: Now) {
        let Some(number) = decision.number else { return };
        // By other rules under the same registry, as by another release while one is rolled out: what is told of revisions does
        // not say when these change.
        if number == self.told && decision.revision != self.policy_revision {
            return;
        }
        if !decision.verdict.as_ref().is_ok_and(decide::DecisionTable::allows_anything) {
            return;
        }
        let left = decision.valid_until - asked_at.clock;
        let Ok(left) = Duration::try_from(left) else { return };
        let ends = asked_at.at + left.min(KEPT_MAX);
        self.make_room(caller, &asked, asked_at);
        let of_caller = self.callers.entry(caller.to_owned());
        let of_caller =
            of_caller.or_insert_with(|| OfCaller { used: asked_at.at, tables: Vec::new() });
        of_caller.used = asked_at.at;
        of_caller.tables.push(Table { asked, number, ends, decision: Arc::clone(decision) });
        self.count += 1;
        metrics().kept.add(1, &[]);
    }

    /// Makes room for one more: in the place of the same question, of what has ended, of the caller's oldest, or of whatever is
    /// kept of the caller that asked last the longest ago.
    fn make_room(&mut self, caller: &str, asked: &Asked, now: Now) {
        if let Some(own) = self.callers.get_mut(caller) {
            let before = own.tables.len();
            own.tables.retain(|table| table.asked != *asked && table.lasts(now));
            let ended = before - own.tables.len();
            let full = own.tables.len() >= OF_CALLER_MAX;
            if full {
                own.tables.remove(0);
            }
            self.dropped("ended", ended);
            self.dropped("room", full.into());
        }
        if self.count >= ALL_MAX {
            let idle = self.callers.iter().filter(|(other, _)| other.as_str() != caller);
            let idle = idle.min_by_key(|(_, of)| of.used).map(|(other, _)| other.clone());
            if let Some(gone) = idle.and_then(|idle| self.callers.remove(&idle)) {
                self.dropped("room", gone.tables.len());
            }
        }
    }

    /// Takes in what policy says on a stream that was asked for at `asked_for`; `first` on that stream.
    pub(super) fn hear(
        &mut self,
        asked_for: Instant,
        message: Message,
        first: bool,
        now: Instant,
    ) -> Result<(), NotHeard> {
        let looked = asked_for + message.looked;
        if looked > now + AHEAD_MAX {
            return Err(NotHeard::Ahead);
        }
        // What little policy's clock is ahead makes nothing fresher.
        let looked = looked.min(now);
        let same = message.number == self.told;
        let other =
            message.other_history || (same && message.digest != self.digest && self.told > 0);
        // It may have looked before another answer was given under a higher number; not after that was known here.
        let since = self.highest_since.is_some_and(|since| looked >= since);
        if other || message.number < self.told || (message.number < self.highest && since) {
            // Nothing that was decided before says anything of what is decided now.
            self.fresh_until = None;
            self.set_back = true;
            self.clear("older");
            return Err(NotHeard::Older);
        }
        self.set_back = false;
        // A stream is of one process, whose rules stay what they are; another one may have others, whatever is told of the registry.
        let other_rules = (same || first) && message.policy_revision != self.policy_revision;
        let decided_otherwise = |table: &Table| {
            table.number == message.number && table.decision.revision != message.policy_revision
        };
        self.drop_touched("everything", decided_otherwise);
        if message.everything || other_rules {
            self.drop_touched("everything", |table| table.number < message.number);
        } else if !message.connections.is_empty() {
            let touched = |table: &Table| {
                let connection = &table.decision.connection;
                table.number < message.number && message.connections.contains(connection)
            };
            self.drop_touched("revision", touched);
        }
        self.told = message.number;
        self.digest = message.digest;
        self.policy_revision = message.policy_revision;
        self.rise(message.number, now);
        self.fresh_until = Some(looked + FRESH);
        Ok(())
    }

    /// The stream has ended. What is kept is not used until another one says from where it goes on.
    pub(super) fn lose(&mut self) {
        self.fresh_until = None;
    }

    fn drop_touched(&mut self, why: &'static str, touched: impl Fn(&Table) -> bool) {
        let mut gone = 0;
        self.callers.retain(|_, of_caller| {
            let before = of_caller.tables.len();
            of_caller.tables.retain(|table| !touched(table));
            gone += before - of_caller.tables.len();
            !of_caller.tables.is_empty()
        });
        self.dropped(why, gone);
    }

    fn clear(&mut self, why: &'static str) {
        self.callers.clear();
        self.dropped(why, self.count);
    }

    fn dropped(&mut self, why: &'static str, gone: usize) {
        if gone > 0 {
            self.count = self.count.saturating_sub(gone);
            let gone = u64::try_from(gone).unwrap_or(u64::MAX);
            metrics().dropped.add(gone, &by(why));
            metrics().kept.add(-i64::try_from(gone).unwrap_or(i64::MAX), &[]);
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.clear("closed");
    }
}
