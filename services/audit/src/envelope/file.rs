//! Key-encryption keys in files: a line of text each, `lienthong-kek:v1:<32 bytes in base64>`.

use std::{fs, path::Path};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures::future::{BoxFuture, FutureExt as _, ready};
use server::runtime::Entropy;
use zeroize::Zeroizing;

use super::{
    KeyEncryption, KeyError, SecretKey, Wrapped,
    cipher::{Cipher, KEY_LEN},
};

const PREFIX: &str = "lienthong-kek:v1:";
/// Names a key by what only it can make.
const ID: &str = "lienthong/kek-id/1";

/// The key-encryption keys of some files, line by line. The first one wraps, and all of them unwrap.
pub struct FileKeys {
    entropy: Entropy,
    first: String,
    keys: Vec<(String, Cipher)>,
}

impl FileKeys {
    /// Reads the files, which their owner alone may be able to read.
    ///
    /// # Errors
    /// See [`KeyError`]; without a key there are no records (I9).
    pub fn open(files: &[String], entropy: Entropy) -> Result<Self, KeyError> {
        let keys = files.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()?;
        let keys: Vec<_> = keys.into_iter().flatten().collect();
        let (first, _) = keys.first().ok_or(KeyError::NoFile)?;
        Ok(Self { entropy, first: first.clone(), keys })
    }

    fn cipher(&self, id: &str) -> Result<&Cipher, KeyError> {
        let found = self.keys.iter().find(|(own, _)| own == id);
        found.map(|(_, cipher)| cipher).ok_or_else(|| KeyError::Unknown(id.to_owned()))
    }

    fn wrapped(&self, bound: &[u8], key: &SecretKey) -> Result<Wrapped, KeyError> {
        let bytes = self.cipher(&self.first)?.seal(&self.entropy, bound, &key.0[..])?;
        Ok(Wrapped { kek: self.first.clone(), bytes })
    }

    fn unwrapped(&self, bound: &[u8], wrapped: &Wrapped) -> Result<SecretKey, KeyError> {
        let key = self.cipher(&wrapped.kek)?.open(bound, &wrapped.bytes)?;
        let key = <[u8; KEY_LEN]>::try_from(key.as_slice()).map_err(|_| KeyError::Refused)?;
        Ok(SecretKey(Zeroizing::new(key)))
    }
}

impl KeyEncryption for FileKeys {
    fn current(&self) -> &str {
        &self.first
    }

    fn holds(&self, id: &str) -> bool {
        self.cipher(id).is_ok()
    }

    fn wrap<'a>(
        &'a self,
        bound: &'a [u8],
        key: &'a SecretKey,
    ) -> BoxFuture<'a, Result<Wrapped, KeyError>> {
        ready(self.wrapped(bound, key)).boxed()
    }

    fn unwrap<'a>(
        &'a self,
        bound: &'a [u8],
        wrapped: &'a Wrapped,
    ) -> BoxFuture<'a, Result<SecretKey, KeyError>> {
        ready(self.unwrapped(bound, wrapped)).boxed()
    }
}

fn read(file: &str) -> Result<Vec<(String, Cipher)>, KeyError> {
    let path = || file.to_owned();
    let unreadable = |source| KeyError::Unreadable { path: path(), source };
    let text = Zeroizing::new(fs::read_to_string(file).map_err(unreadable)?);
    if !server::config::is_private(Path::new(file)).map_err(unreadable)? {
        return Err(KeyError::Exposed { path: path() });
    }
    let keys: Option<Vec<_>> = text.trim().lines().map(parse).collect();
    keys.filter(|keys| !keys.is_empty()).ok_or_else(|| KeyError::Malformed { path: path() })
}

/// The key of a line, and the id that it has.
fn parse(line: &str) -> Option<(String, Cipher)> {
    let key = Zeroizing::new(BASE64_STANDARD.decode(line.trim().strip_prefix(PREFIX)?).ok()?);
    let key = Zeroizing::new(<[u8; KEY_LEN]>::try_from(key.as_slice()).ok()?);
    let id = hex::encode(tlog::keyed_digest(&key, ID, &[])).chars().take(16).collect();
    Some((id, Cipher::new(&key).ok()?))
}

/// The text of a new key, to be kept in a file.
#[must_use]
pub fn new_key(entropy: &Entropy) -> Zeroizing<String> {
    let key = Zeroizing::new(entropy.array::<KEY_LEN>());
    Zeroizing::new(format!("{PREFIX}{}\n", BASE64_STANDARD.encode(key.as_slice())))
}
