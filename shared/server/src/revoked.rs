//! Identities that are let in no longer, whichever certificate shows them: a text file with one SPIFFE id on a line. A
//! revocation list (`tls`) names certificates; a new one for the same identity is not on it, and whom a proxy vouches
//! for has none here.

use std::{collections::HashSet, fs};

use crate::{StartError, caller::Caller};

/// The identities.
#[derive(Debug, Default)]
pub(crate) struct Revoked(HashSet<String>);

impl Revoked {
    /// Those of a file, none without one. What stands behind `#` is a comment. A line that is nobody of ours is a
    /// fault, because it was meant for somebody (I9).
    pub(crate) fn read(path: &str, trust_domain: &str) -> Result<Self, StartError> {
        if path.is_empty() {
            return Ok(Self::default());
        }
        let faulty = |why| StartError::RevokedIdentities { path: path.to_owned(), why };
        let text = fs::read_to_string(path)
            .map_err(|error| faulty(format!("cannot be read ({error})")))?;
        let mut revoked = HashSet::new();
        for (number, line) in (1..).zip(text.lines()) {
            let id = line.split('#').next().unwrap_or_default().trim();
            if id.is_empty() {
                continue;
            }
            if Caller::parse(id, trust_domain).is_err() {
                let why =
                    format!("has no identity of `spiffe://{trust_domain}/…` in line {number}");
                return Err(faulty(why));
            }
            revoked.insert(id.to_owned());
        }
        Ok(Self(revoked))
    }

    /// Whether it is one of them.
    pub(crate) fn holds(&self, caller: &Caller) -> bool {
        self.0.contains(caller.id())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read(text: &str) -> Result<Revoked, StartError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Revoked::read(file.path().to_str().unwrap(), "t")
    }

    #[test]
    fn who_stands_on_a_line_is_revoked_and_nobody_else() {
        let text = "# G24's, until it has new keys\n\n  spiffe://t/agency/G24/system/hi\t# 2026\r\n\
                    spiffe://t/service/audit";
        let revoked = read(text).unwrap();
        let holds = |uri: &str| revoked.holds(&Caller::parse(uri, "t").unwrap());
        assert!(holds("spiffe://t/agency/G24/system/hi") && holds("spiffe://t/service/audit"));
        assert!(!holds("spiffe://t/agency/G24/system/h") && !holds("spiffe://t/operator/1"));
        assert!(read("").unwrap().0.is_empty());
    }

    #[test]
    fn i9_a_line_that_is_nobody_of_ours_is_named() {
        for bad in [
            "spiffe://other/service/audit",
            "/service/audit",
            "spiffe://t/service/audit spiffe://t/service/policy",
            "spiffe://t/agency/G24",
            "spiffe://T/service/audit",
        ] {
            let fault = read(&format!("# first\nspiffe://t/service/x\n{bad}\n")).unwrap_err();
            assert!(fault.to_string().contains("line 3"), "{bad}: {fault}");
        }
        let fault = Revoked::read("/nowhere/revoked", "t").unwrap_err();
        assert!(fault.to_string().contains("/nowhere/revoked"), "{fault}");
    }
}
