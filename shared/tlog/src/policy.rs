//! The policy of who verifies checkpoints, as C2SP `tlog-policy` writes it: which logs there are, which witnesses, and how many of them
//! must have cosigned. Keys are Ed25519: a policy that names one of another kind, such as ML-DSA-44, is refused and not read in part.

use std::collections::{HashMap, HashSet};

use crate::{
    Checkpoint, CosignatureVerifier, Error, decimal,
    key::{ED25519, VerifierKey},
    note::OpenNote,
};

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    witnesses: Vec<Witness>,
    components: Vec<Component>,
    /// The place of the component that decides; none where no cosignature is asked for.
    quorum: Option<usize>,
}

/// A witness that a policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// What the policy calls it, which says nothing outside of the policy. Octets that are no UTF-8 are replaced.
    pub name: String,
    /// Its key.
    pub key: CosignatureVerifier,
    /// Where checkpoints are sent to it, if the policy says so: the submission prefix of C2SP `tlog-witness`.
    pub url: Option<String>,
}

/// What has a name that a quorum can be made of. Groups have earlier ones only, so there are no circles.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Component {
    Witness(usize),
    Group { threshold: usize, members: Vec<usize> },
}

/// What is wrong with a line of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A control character other than the tab.
    #[error("the octet 0x{0:02x} must not be in a policy")]
    Octet(u8),
    /// A line that is none of the four.
    #[error("a line begins with `log`, `witness`, `group`, `quorum` or `#`")]
    Keyword,
    /// Too few items or too many. Comments have lines of their own.
    #[error("the line has too few items or too many")]
    Items,
    /// No verifier key, or one of a type that is not for logs (0x01) or witnesses (0x04).
    #[error("the key is malformed, or not of a type that is taken here")]
    Key,
    /// A second log or witness with a key, whatever the key is called.
    #[error("the public key is that of an earlier line")]
    KeyTwice,
    /// A second witness or group with a name, or one that is called `none`.
    #[error("the name is taken")]
    NameTaken,
    /// A name that no earlier line defines.
    #[error("a name is not that of an earlier line")]
    UnknownName,
    /// A second membership of a witness or group: it would count more than once.
    #[error("a name is a member already")]
    MemberTwice,
    /// Neither `any` nor `all` nor a number from one to that of the members.
    #[error("the threshold is not from one to the number of members")]
    Threshold,
    /// A second quorum.
    #[error("the quorum is said already")]
    QuorumTwice,
    /// The end of a policy that says no quorum.
    #[error("no line says the quorum")]
    NoQuorum,
}

impl Policy {
    /// A policy from its text, which is octets: names need not be UTF-8.
    ///
    /// # Errors
    /// [`Error::MalformedPolicy`] with the first line that is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::default();
        let mut last = 0;
        for (line, octets) in (1..).zip(text.split(|octet| *octet == b'\n')) {
            reader.line(octets).map_err(|fault| Error::MalformedPolicy { line, fault })?;
            last = line;
        }
        let fault = Error::MalformedPolicy { line: last, fault: Fault::NoQuorum };
        let quorum = reader.quorum.ok_or(fault)?;
        let Reader { logs, witnesses, components, .. } = reader;
        Ok(Self { logs, witnesses, components, quorum })
    }

    /// The witnesses that it names, in its order.
    #[must_use]
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// Whether it names the log of this key (C2SP vkey).
    #[must_use]
    pub fn names_log(&self, vkey: &str) -> bool {
        self.logs.iter().any(|log| log.text() == vkey.trim_ascii())
    }

    /// What a checkpoint says, if one of the logs signed it, whoever cosigned it.
    ///
    /// # Errors
    /// As [`Policy::verify`], but for [`Error::NoQuorum`].
    pub fn verify_log(&self, note: &str) -> Result<Checkpoint, Error> {
        self.counted(note).map(|(checkpoint, _)| checkpoint)
    }

    /// What a checkpoint says, if one of the logs signed it and enough witnesses cosigned it. Lines of keys that the policy does not
    /// name are passed over.
    ///
    /// # Errors
    /// [`Error::MalformedNote`] and [`Error::MalformedCheckpoint`] where it is none; [`Error::BadSignature`] where a line names a key of
    /// the policy that did not sign; [`Error::UnknownLog`] and [`Error::NoQuorum`] where signatures are missing.
    pub fn verify(&self, note: &str) -> Result<Checkpoint, Error> {
        let (checkpoint, cosigned) = self.counted(note)?;
        if self.has_quorum(&cosigned) { Ok(checkpoint) } else { Err(Error::NoQuorum) }
    }

    /// What a checkpoint of one of the logs says, and which witnesses cosigned it.
    fn counted(&self, note: &str) -> Result<(Checkpoint, Vec<bool>), Error> {
        let note = OpenNote::parse(note.as_bytes())?;
        let checkpoint = Checkpoint::parse(note.text)?;
        // All lines are looked at before anything is counted: a bad one spoils the note even where the others are enough.
        let mut logged = false;
        for log in &self.logs {
            // A log vouches for itself only: its key's name is its origin.
            logged |= note.is_signed_by(log)? && log.name() == checkpoint.origin;
        }
        let times = self.witnesses.iter().map(|witness| witness.key.latest(&note));
        let cosigned: Result<Vec<bool>, Error> = times.map(|time| Ok(time?.is_some())).collect();
        let cosigned = cosigned?;
        if logged { Ok((checkpoint, cosigned)) } else { Err(Error::UnknownLog) }
    }

    /// Whether it is enough that these witnesses cosigned.
    fn has_quorum(&self, cosigned: &[bool]) -> bool {
        let Some(quorum) = self.quorum else { return true };
        let is_set = |set: &[bool], place: usize| set.get(place) == Some(&true);
        let mut witnessed = Vec::with_capacity(self.components.len());
        for component in &self.components {
            witnessed.push(match component {
                Component::Witness(place) => is_set(cosigned, *place),
                Component::Group { threshold, members } => {
                    let count = members.iter().filter(|place| is_set(&witnessed, **place)).count();
                    count >= *threshold
                }
            });
        }
        is_set(&witnessed, quorum)
    }
}

/// What was read so far.
#[derive(Default)]
struct Reader<'a> {
    logs: Vec<VerifierKey>,
    witnesses: Vec<Witness>,
    components: Vec<Component>,
    places: HashMap<&'a [u8], usize>,
    /// Places of components that are members of a group.
    members: HashSet<usize>,
    quorum: Option<Option<usize>>,
}

/// The name that stands for no witnesses, and for nothing else.
const NONE: &[u8] = b"none";

impl<'a> Reader<'a> {
    fn line(&mut self, line: &'a [u8]) -> Result<(), Fault> {
        let is_allowed = |octet: &u8| matches!(octet, b'\t' | 0x20..=0x7e | 0x80..);
        if let Some(octet) = line.iter().find(|octet| !is_allowed(octet)) {
            return Err(Fault::Octet(*octet));
        }
        let items = line.split(|octet| matches!(octet, b' ' | b'\t'));
        let items: Vec<&[u8]> = items.filter(|item| !item.is_empty()).collect();
        match items.as_slice() {
            [] => Ok(()),
            [comment, ..] if comment.starts_with(b"#") => Ok(()),
            [b"log", key] | [b"log", key, _] => self.log(key),
            [b"witness", name, key] => self.witness(name, key, None),
            [b"witness", name, key, url] => self.witness(name, key, Some(url)),
            [b"group", name, threshold, members @ ..] if !members.is_empty() => {
                self.group(name, threshold, members)
            }
            [b"quorum", name] => self.quorum(name),
            [b"log" | b"witness" | b"group" | b"quorum", ..] => Err(Fault::Items),
            _ => Err(Fault::Keyword),
        }
    }

    fn log(&mut self, key: &[u8]) -> Result<(), Fault> {
        let key = VerifierKey::parse(utf8(key)?, ED25519).map_err(|_| Fault::Key)?;
        if self.logs.iter().any(|log| log.public() == key.public()) {
            return Err(Fault::KeyTwice);
        }
        self.logs.push(key);
        Ok(())
    }

    fn witness(&mut self, name: &'a [u8], key: &[u8], url: Option<&[u8]>) -> Result<(), Fault> {
        let key = CosignatureVerifier::new(utf8(key)?).map_err(|_| Fault::Key)?;
        let mut others = self.witnesses.iter().map(|witness| witness.key.key().public());
        if others.any(|other| other == key.key().public()) {
            return Err(Fault::KeyTwice);
        }
        self.define(name, Component::Witness(self.witnesses.len()))?;
        let text = |octets| String::from_utf8_lossy(octets).into_owned();
        self.witnesses.push(Witness { name: text(name), key, url: url.map(text) });
        Ok(())
    }

    fn group(&mut self, name: &'a [u8], threshold: &[u8], names: &[&'a [u8]]) -> Result<(), Fault> {
        let threshold = match threshold {
            b"any" => 1,
            b"all" => names.len(),
            number => {
                let number = str::from_utf8(number).ok().and_then(decimal);
                let number = number.and_then(|number| usize::try_from(number).ok());
                number.filter(|k| (1..=names.len()).contains(k)).ok_or(Fault::Threshold)?
            }
        };
        let mut members = Vec::with_capacity(names.len());
        for member in names {
            let place = self.place(member)?;
            // Whoever is counted twice could be a quorum of two alone.
            if !self.members.insert(place) {
                return Err(Fault::MemberTwice);
            }
            members.push(place);
        }
        self.define(name, Component::Group { threshold, members })
    }

    fn quorum(&mut self, name: &[u8]) -> Result<(), Fault> {
        if self.quorum.is_some() {
            return Err(Fault::QuorumTwice);
        }
        let place = if name == NONE { None } else { Some(self.place(name)?) };
        self.quorum = Some(place);
        Ok(())
    }

    fn place(&self, name: &[u8]) -> Result<usize, Fault> {
        self.places.get(name).copied().ok_or(Fault::UnknownName)
    }

    fn define(&mut self, name: &'a [u8], component: Component) -> Result<(), Fault> {
        if name == NONE || self.places.insert(name, self.components.len()).is_some() {
            return Err(Fault::NameTaken);
        }
        self.components.push(component);
        Ok(())
    }
}

fn utf8(key: &[u8]) -> Result<&str, Fault> {
    str::from_utf8(key).map_err(|_| Fault::Key)
}

#[cfg(test)]
mod tests;
