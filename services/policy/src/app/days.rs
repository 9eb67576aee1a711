//! Time does not go back. What ends by a day (agreements, assessments, grounds) would be in force again were the clock set back
//! before that day; so nothing is decided on a day that is earlier than one on which something was, by whichever process.

use std::sync::atomic::{AtomicI32, Ordering};

use ::store::Store;
use server::runtime::Clock;
use time::{Date, Duration, OffsetDateTime};

use crate::{Error, domain::basis::today, store::days as store};

/// By how much the clocks of two machines differ: around midnight one is on the next day already.
const CLOCKS_DIFFER: Duration = Duration::minutes(1);

/// The clock that decides.
pub(crate) struct Days {
    clock: Clock,
    /// The latest day that was seen, as a Julian day.
    latest: AtomicI32,
    /// The latest day that is known to be kept.
    kept: AtomicI32,
}

impl Days {
    pub(crate) async fn open(store: &Store, clock: Clock) -> Result<Self, Error> {
        let days = Self { clock, latest: i32::MIN.into(), kept: i32::MIN.into() };
        days.learn(store).await?;
        days.say();
        Ok(days)
    }

    /// The present moment, to decide by: its day is one on which something was decided.
    ///
    /// # Errors
    /// [`Error::ClockSetBack`]; then nothing is decided (I9).
    pub(crate) fn now(&self) -> Result<OffsetDateTime, Error> {
        let now = self.clock.now();
        let latest = self.latest.fetch_max(today(now).to_julian_day(), Ordering::Relaxed);
        if is_before(now, latest) { Err(Error::ClockSetBack) } else { Ok(now) }
    }

    /// Whether something could be decided now.
    pub(crate) fn decides(&self) -> bool {
        !is_before(self.clock.now(), self.latest.load(Ordering::Relaxed))
    }

    /// Keeps what is new, and learns what others kept. The service does so again and again.
    pub(crate) async fn keep(&self, store: &Store) -> Result<(), Error> {
        let latest = self.latest.load(Ordering::Relaxed);
        if latest > self.kept.load(Ordering::Relaxed)
            && let Ok(day) = Date::from_julian_day(latest)
        {
            store::keep(store, day).await?;
        }
        self.learn(store).await?;
        self.say();
        Ok(())
    }

    async fn learn(&self, store: &Store) -> Result<(), Error> {
        if let Some(day) = store::latest(store).await? {
            let day = day.to_julian_day();
            self.kept.store(day, Ordering::Relaxed);
            self.latest.fetch_max(day, Ordering::Relaxed);
        }
        Ok(())
    }

    fn say(&self) {
        if !self.decides() {
            let latest = Date::from_julian_day(self.latest.load(Ordering::Relaxed)).ok();
            let latest = latest.map(tracing::field::display);
            tracing::error!(latest, "the clock was set back before this day: nothing is decided");
        }
    }
}

/// Whether a moment is of an earlier day than this one, also where the clock is a little behind.
fn is_before(now: OffsetDateTime, latest: i32) -> bool {
    today(now + CLOCKS_DIFFER).to_julian_day() < latest
}
