//! The keys that sign warrants, and the set of those that are published (JWKS, RFC 7517).

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::{
    Signer as _, SigningKey, VerifyingKey,
    pkcs8::{
        DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _,
        spki::der::pem::LineEnding,
    },
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{ALGORITHM, BYTES_MAX, Claims, Error, TYPE};

/// A key that signs warrants. Debug shows its id only.
#[derive(Clone)]
pub struct Signer {
    key: SigningKey,
    public: PublicKey,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("kid", &self.public.kid).finish_non_exhaustive()
    }
}

/// A key that is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Its id: its thumbprint (RFC 7638).
    pub kid: String,
    /// The key itself.
    pub(crate) key: VerifyingKey,
}

/// The keys that are published: the one that signs, and those that did or will.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet(Vec<PublicKey>);

/// A header of a warrant.
#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

/// A set of keys as RFC 7517 writes it; what else stands in it is passed over.
#[derive(Deserialize, Serialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

#[derive(Deserialize, Serialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    x: String,
    #[serde(default, rename = "use")]
    for_what: String,
    #[serde(default)]
    alg: String,
    #[serde(default)]
    kid: String,
}

impl Signer {
    /// A key from 32 random bytes.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let public = PublicKey::new(key.verifying_key());
        Self { key, public }
    }

    /// A key from its text: PKCS#8 in PEM, as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    /// [`Error::MalformedKey`].
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        let key = SigningKey::from_pkcs8_pem(text.trim()).map_err(|_| Error::MalformedKey)?;
        Ok(Self::from_seed(&key.to_bytes()))
    }

    /// The key's text, to be kept in a file that only its owner reads.
    ///
    /// # Errors
    /// [`Error::MalformedKey`], when it cannot be written.
    pub fn to_pem(&self) -> Result<String, Error> {
        let pem = self.key.to_pkcs8_pem(LineEnding::LF).map_err(|_| Error::MalformedKey)?;
        Ok(pem.as_str().to_owned())
    }

    /// What is published of it.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The warrant that says this.
    ///
    /// # Errors
    /// [`Error::TooLong`].
    pub fn sign(&self, claims: &Claims) -> Result<String, Error> {
        let header = Header { alg: ALGORITHM, typ: TYPE, kid: &self.public.kid };
        // Neither has a map whose keys are no text, so neither can fail.
        let header = serde_json::to_vec(&header).map_err(|_| Error::TooLong)?;
        let claims = serde_json::to_vec(claims).map_err(|_| Error::TooLong)?;
        let token = self.sign_bytes(&header, &claims);
        if token.len() > BYTES_MAX { Err(Error::TooLong) } else { Ok(token) }
    }

    /// The signature in its compact form over any header and payload. A kit that tries whether somebody checks warrants makes bad
    /// ones by it.
    #[must_use]
    pub fn sign_bytes(&self, header: &[u8], payload: &[u8]) -> String {
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let signed = format!("{}.{}", encode(header), encode(payload));
        let signature = self.key.sign(signed.as_bytes());
        format!("{signed}.{}", encode(&signature.to_bytes()))
    }
}

impl PublicKey {
    fn new(key: VerifyingKey) -> Self {
        let x = BASE64_URL_SAFE_NO_PAD.encode(key.as_bytes());
        // RFC 7638: the required members, in the order of their names, without spaces.
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        Self { kid: BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(canonical)), key }
    }

    /// A public key of a file: one that signs, or its public part alone.
    ///
    /// # Errors
    /// [`Error::MalformedKey`].
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        if let Ok(signer) = Signer::from_pem(text) {
            return Ok(signer.public);
        }
        let key = VerifyingKey::from_public_key_pem(text.trim());
        let key = key.map_err(|_| Error::MalformedKey)?;
        // With a weak key anybody could sign.
        if key.is_weak() { Err(Error::MalformedKey) } else { Ok(Self::new(key)) }
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    fn jwk(&self) -> Jwk {
        Jwk {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            x: BASE64_URL_SAFE_NO_PAD.encode(self.key.as_bytes()),
            for_what: "sig".to_owned(),
            alg: ALGORITHM.to_owned(),
            kid: self.kid.clone(),
        }
    }
}

impl KeySet {
    /// The set of these keys, each once.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> Self {
        let mut set = Self::default();
        for key in keys {
            if set.find(&key.kid).is_none() {
                set.0.push(key);
            }
        }
        set
    }

    /// Reads a JWKS. Keys of other kinds are passed over; one of ours that is malformed, or of an id that is not its thumbprint,
    /// makes the whole refused: it is not what was published.
    ///
    /// # Errors
    /// [`Error::MalformedKeySet`].
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let set: Jwks = serde_json::from_slice(json).map_err(|_| Error::MalformedKeySet)?;
        let ours = set.keys.into_iter().filter(|jwk| jwk.kty == "OKP" && jwk.crv == "Ed25519");
        let keys = ours.map(|jwk| {
            let x = BASE64_URL_SAFE_NO_PAD.decode(&jwk.x).map_err(|_| Error::MalformedKeySet)?;
            let x = <[u8; 32]>::try_from(x).map_err(|_| Error::MalformedKeySet)?;
            let key = VerifyingKey::from_bytes(&x).map_err(|_| Error::MalformedKeySet)?;
            let key = PublicKey::new(key);
            let whole = key.kid == jwk.kid && !key.key.is_weak();
            if whole { Ok(key) } else { Err(Error::MalformedKeySet) }
        });
        Ok(Self::new(keys.collect::<Result<Vec<_>, _>>()?))
    }

    /// The set as JWKS.
    ///
    /// # Errors
    /// [`Error::MalformedKeySet`], when it cannot be written.
    pub fn to_json(&self) -> Result<String, Error> {
        let set = Jwks { keys: self.0.iter().map(PublicKey::jwk).collect() };
        serde_json::to_string(&set).map_err(|_| Error::MalformedKeySet)
    }

    /// The key of an id.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&PublicKey> {
        self.0.iter().find(|key| key.kid == kid)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none; then no warrant is good.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
