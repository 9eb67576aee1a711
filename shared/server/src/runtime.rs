//! Time and randomness, handed to whoever needs them. Nothing else in the workspace asks the
//! environment for either, so a test can say what time it is.

use std::sync::{Arc, Mutex, PoisonError};

use rand::{RngCore, SeedableRng};
use time::{Date, OffsetDateTime, macros::offset};

/// What time it is.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> OffsetDateTime + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    pub fn system() -> Self {
        Self(Arc::new(OffsetDateTime::now_utc))
    }

    /// A clock that stands still.
    pub fn fixed(now: OffsetDateTime) -> Self {
        Self(Arc::new(move || now))
    }

    /// A clock that says what `now` says.
    pub fn from_fn(now: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time now, in UTC.
    pub fn now(&self) -> OffsetDateTime {
        (self.0)()
    }

    /// Today in Viet Nam: UTC+7, without summer time.
    pub fn today(&self) -> Date {
        self.now().to_offset(offset!(+7)).date()
    }

    /// Microseconds since 1970.
    pub fn now_us(&self) -> i64 {
        i64::try_from(self.now().unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
    }

    /// Milliseconds since 1970; 0 for a clock before that.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.now().unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// Where random bytes come from.
#[derive(Clone)]
pub struct Entropy(Source);

#[derive(Clone)]
enum Source {
    System,
    Seeded(Arc<Mutex<rand_chacha::ChaCha20Rng>>),
}

impl Entropy {
    /// The operating system's cryptographic source.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A repeatable source, for tests and demonstrations only.
    pub fn seeded(seed: u64) -> Self {
        let rng = rand_chacha::ChaCha20Rng::seed_from_u64(seed);
        Self(Source::Seeded(Arc::new(Mutex::new(rng))))
    }

    /// Random bytes. A machine whose source fails cannot go on safely, so this ends the process then.
    pub fn array<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            Source::System => {
                if getrandom::fill(&mut bytes).is_err() {
                    tracing::error!("the operating system gives no random bytes");
                    std::process::abort();
                }
            }
            Source::Seeded(rng) => {
                rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
            }
        }
        bytes
    }

    /// A random id of 32 hexadecimal digits.
    pub fn id(&self) -> String {
        hex::encode(self.array::<16>())
    }
}

impl std::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entropy")
    }
}
