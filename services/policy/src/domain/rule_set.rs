//! Rule sets: which procedures, legal grounds and rules decide, as two officers put them in force. A set is its exact bytes; what
//! officers sign is their digest, and each set names the one in whose place it comes, so that no signature can be played again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::catalogue::LegalProfile;
use super::decision::{Profile, RULES, SHIPPED};
use super::registry::Grant;
use super::rules::RuleFile;
use crate::Error;

/// The file of procedures.
const PROCEDURES: &str = "procedures.toml";
/// The file of legal grounds.
const LEGAL_BASIS: &str = "legal-basis.toml";
/// What files of rules end with, after the clause that they carry out.
const CEDAR: &str = ".cedar";

/// What a rule set holds, in the order in which it is written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Content {
    /// Number of the set in whose place it comes.
    pub(crate) follows: u64,
    /// Number of the document that orders it.
    pub(crate) document: String,
    /// Why.
    pub(crate) reason: String,
    /// Its files: all of them, also those that are as before.
    pub(crate) files: Vec<File>,
}

/// One file of a rule set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Content {
    /// What bytes hold; nothing where they hold anything else.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The set that comes with this program.
    pub(crate) fn shipped() -> Self {
        let [_, procedures, basis, _] = SHIPPED;
        let file = |name: &str, text: &str| File { name: name.to_owned(), text: text.to_owned() };
        let rules = RULES.iter().map(|rules| file(&[rules.clause, CEDAR].concat(), rules.text));
        let data = [file(PROCEDURES, procedures), file(LEGAL_BASIS, basis)];
        let files = data.into_iter().chain(rules).collect();
        Self { follows: 0, document: String::new(), reason: String::new(), files }
    }

    /// What decides by this set.
    ///
    /// # Errors
    /// [`Error::Data`] for whatever could not decide faithfully.
    pub(crate) fn profile(&self, profile: LegalProfile) -> Result<Profile, Error> {
        let wrong = |why: String| Error::data("rule set", why);
        let mut names = BTreeSet::new();
        if let Some(file) = self.files.iter().find(|file| !names.insert(&file.name)) {
            return Err(wrong(format!("`{}` is there twice", file.name)));
        }
        let (mut data, mut rules) = ([None; 2], Vec::new());
        let [procedures, basis] = &mut data;
        for File { name, text } in &self.files {
            match name.as_str() {
                PROCEDURES => *procedures = Some(text.as_str()),
                LEGAL_BASIS => *basis = Some(text.as_str()),
                name => {
                    let clause = name.strip_suffix(CEDAR).filter(|clause| !clause.is_empty());
                    let clause = clause.ok_or_else(|| wrong(format!("`{name}` is no file")))?;
                    rules.push(RuleFile { clause, text });
                }
            }
        }
        let [procedures, basis] = data;
        let missing = |name: &str| wrong(format!("`{name}` is missing"));
        let procedures = procedures.ok_or_else(|| missing(PROCEDURES))?;
        let basis = basis.ok_or_else(|| missing(LEGAL_BASIS))?;
        // The order in which files are listed decides nothing, so it makes no other revision either.
        rules.sort_unstable_by_key(|file| file.clause);
        let [items, _, _, schema] = SHIPPED;
        let read = Profile::read(profile, [items, procedures, basis, schema], &rules)?;
        for RuleFile { clause, .. } in &rules {
            if read.catalogue.legal_basis().get(clause).is_none() {
                return Err(wrong(format!("`{clause}` is no row of `{LEGAL_BASIS}`")));
            }
        }
        Ok(read)
    }
}

/// A word that an officer signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// The author's.
    Propose,
    /// The approver's.
    Approve,
}

impl Word {
    /// What is signed of bytes with this digest, in hexadecimal.
    pub(crate) fn signed_bytes(self, digest: &str) -> Vec<u8> {
        let word = match self {
            Self::Propose => "propose",
            Self::Approve => "approve",
        };
        format!("lienthong.gov.vn/rule-set/v1\n{word}\n{digest}\n").into_bytes()
    }
}

/// A signature, as it is kept; everything in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Signature {
    /// DER, that of the signer first.
    pub(crate) certificates: Vec<String>,
    /// Name of the algorithm.
    pub(crate) algorithm: String,
    pub(crate) signature: String,
    /// When it was taken, in microseconds since 1970 by the machine's clock, which certificates go by.
    pub(crate) taken_us: i64,
}

/// What is done to a set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Step {
    Propose { follows: u64, document: String, reason: String, digest: String, signed: Signature },
    Approve { signed: Signature },
    Withdraw { reason: String },
}

/// A move: what, by whom, when.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Move {
    /// SPIFFE id of the officer.
    pub(crate) by: String,
    /// Microseconds since 1970.
    pub(crate) at_us: i64,
    pub(crate) step: Step,
}

/// How far a set came.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Stage {
    Proposed,
    Approved { by: String, at_us: i64 },
    Withdrawn { by: String, at_us: i64 },
}

/// A set, as its moves made it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct RuleSet {
    pub(crate) number: u64,
    /// How many moves were made.
    pub(crate) version: u64,
    pub(crate) digest: String,
    pub(crate) follows: u64,
    pub(crate) document: String,
    pub(crate) reason: String,
    pub(crate) proposed_by: String,
    pub(crate) proposed_at_us: i64,
    pub(crate) stage: Stage,
}

/// How a set stands beside the one in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Proposed,
    InForce,
    Replaced,
    Withdrawn,
    Overtaken,
}

impl RuleSet {
    /// The set after a move that may be made; nothing where the move is none of it.
    pub(crate) fn after(before: Option<Self>, number: u64, made: &Move) -> Option<Self> {
        let Move { by, at_us, step } = made;
        let (by, at_us) = (by.clone(), *at_us);
        let next = |set: Self, stage| Self { version: set.version + 1, stage, ..set };
        match (before, step) {
            (None, Step::Propose { follows, document, reason, digest, .. }) => Some(Self {
                number,
                version: 1,
                digest: digest.clone(),
                follows: *follows,
                document: document.clone(),
                reason: reason.clone(),
                proposed_by: by,
                proposed_at_us: at_us,
                stage: Stage::Proposed,
            }),
            (Some(set), Step::Approve { .. }) => Some(next(set, Stage::Approved { by, at_us })),
            (Some(set), Step::Withdraw { .. }) => Some(next(set, Stage::Withdrawn { by, at_us })),
            (Some(_), Step::Propose { .. })
            | (None, Step::Approve { .. } | Step::Withdraw { .. }) => None,
        }
    }

    /// The moment of its last move.
    pub(crate) fn moved_at_us(&self) -> i64 {
        match &self.stage {
            Stage::Proposed => self.proposed_at_us,
            Stage::Approved { at_us, .. } | Stage::Withdrawn { at_us, .. } => *at_us,
        }
    }

    /// How it stands, where the set of this number decides.
    pub(crate) fn state(&self, in_force: u64) -> State {
        match self.stage {
            Stage::Proposed if self.follows == in_force => State::Proposed,
            Stage::Proposed => State::Overtaken,
            Stage::Approved { .. } if self.number == in_force => State::InForce,
            Stage::Approved { .. } => State::Replaced,
            Stage::Withdrawn { .. } => State::Withdrawn,
        }
    }
}

/// What keeps a move from being made; the proto says what each is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    NotValid,
    FollowsAnother,
    OtherOfficer,
    NotTrusted,
    OtherSigner,
    SignatureInvalid,
    Closed,
    StillNamed,
}

/// An obstacle, and what it is about.
pub(crate) type Found = (Obstacle, String);

/// What agreements grant, each with one item at least, and on which legal grounds connections stand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Named {
    pub(crate) grants: Vec<Grant>,
    pub(crate) legal_bases: Vec<String>,
}

/// Everything in the way of a move of a set as it stands, where the set of a number decides.
pub(crate) fn obstacles(set: Option<&RuleSet>, made: &Move, in_force: u64) -> Vec<Found> {
    let mut found = Vec::new();
    let follows = match (&made.step, set) {
        (Step::Propose { follows, .. }, _) => Some(*follows),
        (Step::Approve { .. }, Some(set)) => Some(set.follows),
        (Step::Approve { .. } | Step::Withdraw { .. }, _) => None,
    };
    if let Some(set) = set.filter(|set| set.stage != Stage::Proposed) {
        found.push((Obstacle::Closed, set.number.to_string()));
    } else if follows.is_some_and(|follows| follows != in_force) {
        found.push((Obstacle::FollowsAnother, in_force.to_string()));
    }
    let approves = matches!(made.step, Step::Approve { .. });
    if approves && set.is_some_and(|set| set.proposed_by == made.by) {
        found.push((Obstacle::OtherOfficer, made.by.clone()));
    }
    found
}

/// What is named that could not be granted or stood on under a set.
pub(crate) fn still_named(profile: &Profile, named: &Named) -> Vec<Found> {
    let catalogue = &profile.catalogue;
    let lacks = |id: &&String| catalogue.legal_basis().get(id).is_none();
    let mut ids: BTreeSet<&str> = BTreeSet::new();
    for grant in &named.grants {
        if lacks(&&grant.legal_basis) {
            ids.insert(&grant.legal_basis);
        } else if grant.check("", catalogue).is_err() {
            ids.insert(&grant.procedure);
        }
    }
    ids.extend(named.legal_bases.iter().filter(lacks).map(String::as_str));
    ids.into_iter().map(|id| (Obstacle::StillNamed, id.to_owned())).collect()
}

/// The set that comes with this program, as a list has it.
pub(crate) fn shipped(digest: String) -> RuleSet {
    RuleSet {
        number: 0,
        version: 0,
        digest,
        follows: 0,
        document: String::new(),
        reason: String::new(),
        proposed_by: String::new(),
        proposed_at_us: 0,
        stage: Stage::Approved { by: String::new(), at_us: 0 },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::domain::rules::Act;

    fn signed() -> Signature {
        Signature {
            certificates: Vec::new(),
            algorithm: String::new(),
            signature: String::new(),
            taken_us: 0,
        }
    }

    fn made(by: &str, step: Step) -> Move {
        Move { by: by.to_owned(), at_us: 1, step }
    }

    fn propose(follows: u64) -> Step {
        Step::Propose {
            follows,
            document: "1/QD".to_owned(),
            reason: "r".to_owned(),
            digest: "d".to_owned(),
            signed: signed(),
        }
    }

    #[test]
    fn what_comes_with_the_program_is_a_set_that_decides_the_same() {
        for profile in LegalProfile::ALL {
            let shipped = Content::shipped();
            let bytes = serde_json::to_vec(&shipped).unwrap();
            let read = Content::parse(&bytes).unwrap();
            assert_eq!(read, shipped);
            let same = Profile::load(profile).unwrap().revision("r");
            assert_eq!(read.profile(profile).unwrap().revision("r"), same);
            let mut turned = shipped;
            turned.files.reverse();
            assert_eq!(turned.profile(profile).unwrap().revision("r"), same);
        }
    }

    #[test]
    fn i9_a_set_that_cannot_decide_is_refused_whole() {
        let refused = |change: &dyn Fn(&mut Content)| {
            let mut content = Content::shipped();
            change(&mut content);
            let read = content.profile(LegalProfile::Law2023);
            read.err().map(|error| error.to_string()).unwrap()
        };
        let named = |c: &mut Content, name: &str, text: &str| {
            c.files.push(File { name: name.to_owned(), text: text.to_owned() });
        };
        assert!(refused(&|c| c.files.retain(|f| f.name != PROCEDURES)).contains(PROCEDURES));
        assert!(refused(&|c| c.files.retain(|f| f.name != LEGAL_BASIS)).contains(LEGAL_BASIS));
        assert!(refused(&|c| named(c, "items.toml", "")).contains("items.toml"));
        assert!(refused(&|c| named(c, ".cedar", "")).contains(".cedar"));
        assert!(refused(&|c| named(c, PROCEDURES, "")).contains("twice"));
        assert!(refused(&|c| named(c, "nothing-such.cedar", "")).contains("nothing-such"));
        let more = |c: &mut Content, text: &str| c.files.last_mut().unwrap().text.push_str(text);
        let clause = RULES.last().unwrap().clause;
        assert!(refused(&|c| more(c, "permit (")).contains(clause));
        // Without annotations a rule could not be cited.
        assert!(refused(&|c| more(c, "permit (principal, action, resource);")).contains("@id"));
        for bytes in [
            "",
            "{}",
            "[]",
            "{\"follows\":0,\"document\":\"\",\"reason\":\"\",\"files\":[],\"x\":1}",
        ] {
            assert!(Content::parse(bytes.as_bytes()).is_err(), "{bytes}");
        }
    }

    #[test]
    fn i2_two_officers_put_a_set_in_force_in_the_place_of_the_one_it_names() {
        let first = made("a", propose(0));
        assert_eq!(obstacles(None, &first, 0), []);
        assert_eq!(obstacles(None, &first, 3), [(Obstacle::FollowsAnother, "3".to_owned())]);
        let set = RuleSet::after(None, 4, &first).unwrap();
        assert_eq!((set.state(0), set.state(3)), (State::Proposed, State::Overtaken));
        let approve = |by| made(by, Step::Approve { signed: signed() });
        let own = obstacles(Some(&set), &approve("a"), 0);
        assert_eq!(own, [(Obstacle::OtherOfficer, "a".to_owned())]);
        assert_eq!(obstacles(Some(&set), &approve("b"), 0), []);
        let late = obstacles(Some(&set), &approve("b"), 3);
        assert_eq!(late, [(Obstacle::FollowsAnother, "3".to_owned())]);
        let approved = RuleSet::after(Some(set.clone()), 4, &approve("b")).unwrap();
        assert_eq!((approved.state(4), approved.state(5)), (State::InForce, State::Replaced));
        let again = obstacles(Some(&approved), &approve("c"), 4);
        assert_eq!(again, [(Obstacle::Closed, "4".to_owned())]);
        let withdraw = made("a", Step::Withdraw { reason: "r".to_owned() });
        assert_eq!(obstacles(Some(&set), &withdraw, 9), [], "what was overtaken may be withdrawn");
        let withdrawn = RuleSet::after(Some(set), 4, &withdraw).unwrap();
        assert_eq!(withdrawn.state(0), State::Withdrawn);
        let closed = obstacles(Some(&withdrawn), &approve("b"), 0);
        assert_eq!(closed, [(Obstacle::Closed, "4".to_owned())]);
        assert_eq!(RuleSet::after(None, 4, &withdraw), None);
        assert_eq!(RuleSet::after(Some(withdrawn), 4, &first), None);
    }

    #[test]
    fn what_is_named_has_to_stay() {
        let mut content = Content::shipped();
        let profile = content.profile(LegalProfile::Law2023).unwrap();
        let procedure = profile.catalogue.procedures().first().unwrap().id.clone();
        let grant = |procedure: &str, action| Grant {
            action,
            procedure: procedure.to_owned(),
            legal_basis: "1911-2021-art-2-1".to_owned(),
            items: vec![profile.catalogue.items().first().unwrap().id.clone()],
            obligations: Vec::new(),
        };
        let named = Named {
            grants: vec![grant(&procedure, Act::Obtain), grant("gone", Act::Obtain)],
            legal_bases: vec!["1911-2021-art-2-1".to_owned(), "no-law".to_owned()],
        };
        let ids: Vec<_> = still_named(&profile, &named).into_iter().map(|(_, id)| id).collect();
        assert_eq!(ids, ["gone", "no-law"]);
        // A procedure that is for following stays one for as long as somebody follows under it.
        let follows = profile.catalogue.procedures().iter().find(|one| one.follows).unwrap();
        let followed = Named { grants: vec![grant(&follows.id, Act::Follow)], ..Named::default() };
        assert_eq!(still_named(&profile, &followed), []);
        let mut single = Content::shipped();
        let file = single.files.iter_mut().find(|file| file.name == PROCEDURES).unwrap();
        file.text = file.text.replace("follows = true", "follows = false");
        let single = single.profile(LegalProfile::Law2023).unwrap();
        let expect = [(Obstacle::StillNamed, follows.id.clone())];
        assert_eq!(still_named(&single, &followed), expect);
        let file = content.files.iter_mut().find(|file| file.name == PROCEDURES).unwrap();
        file.text = file.text.replace(&format!("\"{procedure}\""), "\"another\"");
        let without = content.profile(LegalProfile::Law2023).unwrap();
        assert!(still_named(&without, &named).contains(&(Obstacle::StillNamed, procedure)));
    }
}
