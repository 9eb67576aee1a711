//! The keys of records, wrapped. Each record has two of its own, which a key of the day wraps; that one is wrapped by a key-encryption
//! key, which is elsewhere: in a file, or in hardware. Whoever erases a record's keys leaves nothing that can be opened of it.
//!
//! | module | job |
//! |---|---|
//! | `cipher` | encryption |
//! | `data_key` | the key of a day, and a record under it; pure |
//! | `file` | key-encryption keys in files |

mod cipher;
mod data_key;
mod file;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use ::store::Store;
use futures::future::BoxFuture;
use server::runtime::Entropy;
use time::Date;
use zeroize::Zeroizing;

pub(crate) use self::data_key::{DataKey, Sealed};
pub use self::file::{FileKeys, new_key};
use crate::{
    Error,
    domain::Opening,
    store::keys::{self, RecordKey, Row},
};

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No file is configured.
    #[error("`audit.key_encryption_key_files` names no file")]
    NoFile,
    /// The file cannot be read.
    #[error("cannot read the key-encryption key from `{path}`")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others than its owner may read the file.
    #[error(
        "the key-encryption key `{path}` can be read by others than its owner: make its mode 0600"
    )]
    Exposed {
        /// The file.
        path: String,
    },
    /// The file holds something else.
    #[error(
        "`{path}` holds no key-encryption key, which is `lienthong-kek:v1:` and 32 bytes in base64"
    )]
    Malformed {
        /// The file.
        path: String,
    },
    /// It is none of those that are configured.
    #[error("the key-encryption key `{0}` is not among those of `audit.key_encryption_key_files`")]
    Unknown(String),
    /// A wrapped key, or what is sealed under it, is not what it was, or not of this place.
    #[error("a wrapped key is not what it was")]
    Refused,
    /// Whoever holds the key does not answer.
    #[error("whoever holds the key-encryption key does not answer")]
    Away,
}

impl KeyError {
    /// What kind of failure it was, in words fit for a log line.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::NoFile
            | Self::Unreadable { .. }
            | Self::Exposed { .. }
            | Self::Malformed { .. } => "configuration",
            Self::Unknown(_) => "key-encryption key unknown",
            Self::Refused => "key refused",
            Self::Away => "key-encryption key away",
        }
    }
}

/// A key in clear, as it is wrapped and unwrapped: wiped when it is dropped, and without Debug (I8).
pub(crate) struct SecretKey(pub(crate) Zeroizing<[u8; cipher::KEY_LEN]>);

/// A key that is wrapped, and the id of the key-encryption key that unwraps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrapped {
    pub(crate) kek: String,
    pub(crate) bytes: Vec<u8>,
}

/// Who wraps the keys of days. It is asked once a day, and for each day that is opened; it may be hardware at the other end of a
/// network. What is wrapped is bound to bytes without which it does not unwrap.
pub(crate) trait KeyEncryption: Send + Sync {
    /// The id of the key that wraps now.
    fn current(&self) -> &str;
    /// Whether the key of an id can unwrap, as far as is known without asking.
    fn holds(&self, id: &str) -> bool;
    fn wrap<'a>(
        &'a self,
        bound: &'a [u8],
        key: &'a SecretKey,
    ) -> BoxFuture<'a, Result<Wrapped, KeyError>>;
    fn unwrap<'a>(
        &'a self,
        bound: &'a [u8],
        wrapped: &'a Wrapped,
    ) -> BoxFuture<'a, Result<SecretKey, KeyError>>;
}

/// Wraps and unwraps the keys of records. Keeps the key of one day in memory.
pub(crate) struct Envelope {
    kek: Arc<dyn KeyEncryption>,
    entropy: Entropy,
    newest: Mutex<Option<Arc<DataKey>>>,
}

/// What there is of a record.
pub enum Opened {
    /// All that was recorded.
    Whole(Box<Opening>),
    /// Its keys were erased. This is all that is left, and it is nothing of a person.
    Erased {
        /// Method and caller, a line each.
        context: String,
    },
    /// Its keys were erased, and are there again.
    Undone,
    /// Its keys are missing, or do not open it.
    Damaged,
    /// Its day's key was wrapped by a key-encryption key that is not among those held.
    Closed,
}

impl Envelope {
    pub(crate) fn new(kek: Arc<dyn KeyEncryption>, entropy: Entropy) -> Self {
        Self { kek, entropy, newest: Mutex::default() }
    }

    /// Refuses a log of whose days one was wrapped by a key that is not held: to go on would hide that it can be opened no more.
    pub(crate) async fn check(&self, store: &Store) -> Result<(), Error> {
        let days = keys::data_keys(store).await?;
        match days.into_values().find(|key| !self.kek.holds(&key.kek)) {
            Some(unheld) => Err(KeyError::Unknown(unheld.kek).into()),
            None => Ok(()),
        }
    }

    /// The key of a day, which is made when there is none. Several processes may try: one makes it, and all of them read it back.
    pub(crate) async fn data_key(&self, store: &Store, day: Date) -> Result<Arc<DataKey>, Error> {
        let day = day.to_string();
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = newest.filter(|known| known.day() == day) {
            return Ok(known);
        }
        let wrapped = match keys::data_key(store, &day).await? {
            Some(there) => there,
            None => {
                let (_, made) = self.new_day(&day).await?;
                keys::add_data_key(store, &day, made).await?;
                let there = keys::data_key(store, &day).await?;
                there.ok_or(Error::LogCorrupt("the key of a day is missing"))?
            }
        };
        let key = Arc::new(self.unwrapped(&day, &wrapped).await?);
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&key));
        Ok(key)
    }

    /// A new key for a day that has none, and how it is kept.
    pub(crate) async fn new_day(&self, day: &str) -> Result<(DataKey, Wrapped), KeyError> {
        let key = SecretKey(Zeroizing::new(self.entropy.array()));
        let wrapped = self.kek.wrap(&data_key::bound(day), &key).await?;
        Ok((DataKey::new(day.to_owned(), &key, self.entropy.clone())?, wrapped))
    }

    /// What there is of the records of these rows.
    pub(crate) async fn open(
        &self,
        store: &Store,
        rows: BTreeMap<u64, Row>,
    ) -> Result<BTreeMap<u64, Opened>, Error> {
        let days: BTreeSet<&str> =
            rows.values().filter_map(|row| Some(row.key.as_ref()?.day.as_str())).collect();
        let wrapped = keys::data_keys_of(store, &days).await?;
        let mut unwrapped = BTreeMap::new();
        for (day, wrapped) in &wrapped {
            let key = self.unwrapped(day, wrapped).await;
            match key {
                Ok(_) | Err(KeyError::Unknown(_) | KeyError::Refused) => {
                    unwrapped.insert(day.as_str(), key);
                }
                // Whoever is away may come again; nothing is known of the records.
                Err(away) => return Err(away.into()),
            }
        }
        let open = |(position, row)| (position, opened(position, row, &unwrapped));
        Ok(rows.into_iter().map(open).collect())
    }

    async fn unwrapped(&self, day: &str, wrapped: &Wrapped) -> Result<DataKey, KeyError> {
        let key = self.kek.unwrap(&data_key::bound(day), wrapped).await?;
        DataKey::new(day.to_owned(), &key, self.entropy.clone())
    }

    /// Wraps every day's key by the key-encryption key in use. Says how many were not.
    pub(crate) async fn rewrap(&self, store: &Store) -> Result<u64, Error> {
        let mut changed = 0;
        for (day, old) in keys::data_keys(store).await? {
            if old.kek == self.kek.current() {
                continue;
            }
            let bound = data_key::bound(&day);
            let key = self.kek.unwrap(&bound, &old).await?;
            let new = self.kek.wrap(&bound, &key).await?;
            changed += keys::rewrapped(store, &day, &old, new).await?;
        }
        Ok(changed)
    }
}

/// A record that was not opened.
pub(crate) fn closed(row: Row) -> Opened {
    parts(row).map_or_else(|why| why, |_| Opened::Closed)
}

fn opened(position: u64, row: Row, days: &BTreeMap<&str, Result<DataKey, KeyError>>) -> Opened {
    let (context, sealed, key) = match parts(row) {
        Ok(parts) => parts,
        Err(why) => return why,
    };
    match days.get(key.day.as_str()) {
        Some(Ok(day)) => day
            .open(position, context, &sealed, &key.wrapped)
            .map_or(Opened::Damaged, |opening| Opened::Whole(Box::new(opening))),
        Some(Err(KeyError::Unknown(_))) => Opened::Closed,
        Some(Err(_)) | None => Opened::Damaged,
    }
}

/// Context, what is sealed, and the key, of a record that may open; of another one, why it does not.
fn parts(row: Row) -> Result<(String, Vec<u8>, RecordKey), Opened> {
    let Row { context, sealed, key, erased } = row;
    let context = String::from_utf8(context).map_err(|_| Opened::Damaged)?;
    match (key, erased) {
        (Some(key), false) => Ok((context, sealed, key)),
        (Some(_), true) => Err(Opened::Undone),
        (None, true) => Err(Opened::Erased { context }),
        (None, false) => Err(Opened::Damaged),
    }
}
