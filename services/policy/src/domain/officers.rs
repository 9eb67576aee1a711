//! Officers of the operator: who may do what, from when to when. A file of the operator says so; the law names the bodies (Decision
//! 1911/QD-TTg, Art. 3(1)), and who acts for them is theirs to say.

use serde::{Deserialize, Serialize};
use time::Date;

use super::basis::day;
use super::request::is_segment;
use crate::Error;

/// What an officer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Admits connections, suspends and ends them.
    Registrar,
    /// Writes rules.
    PolicyAuthor,
    /// Puts rules in force that another wrote.
    PolicyApprover,
    /// Assesses security.
    SecurityAssessor,
    /// Looks at everything, and changes nothing.
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [
        Self::Registrar,
        Self::PolicyAuthor,
        Self::PolicyApprover,
        Self::SecurityAssessor,
        Self::Auditor,
    ];

    /// Its name, as the file has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Registrar => "registrar",
            Self::PolicyAuthor => "policy-author",
            Self::PolicyApprover => "policy-approver",
            Self::SecurityAssessor => "security-assessor",
            Self::Auditor => "auditor",
        }
    }
}

/// One line of the file: roles of an officer, for a time. One officer may have several.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Officer {
    /// The officer, as in the certificate: `/operator/<id>`.
    pub id: String,
    /// The roles, at least one.
    pub roles: Vec<Role>,
    /// First day.
    #[serde(with = "day")]
    pub from: Date,
    /// First day on which they no longer hold.
    #[serde(with = "day")]
    pub to: Date,
}

/// Everybody in the file.
#[derive(Clone, Debug, Default)]
pub struct Officers(Vec<Officer>);

/// Why somebody may not do something; each is the rule that a refusal names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoOfficer {
    /// The file does not name the caller.
    Unknown,
    /// Not on this day.
    NotInTerm,
    /// Not in a role that may do this.
    OtherRole,
}

impl NoOfficer {
    /// The rule.
    #[must_use]
    pub fn rule(self) -> &'static str {
        match self {
            Self::Unknown => "officer-unknown",
            Self::NotInTerm => "officer-not-in-term",
            Self::OtherRole => "officer-role",
        }
    }
}

impl Officers {
    /// Reads the file.
    ///
    /// # Errors
    /// [`Error::Data`] where it is none: an unknown role, an id that no certificate can carry, a term without a day.
    pub fn parse(text: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            officer: Vec<Officer>,
        }
        let wrong = |why: String| Err(Error::data("officers", why));
        let file: File = toml::from_str(text).map_err(|e| Error::data("officers", e))?;
        for Officer { id, roles, from, to } in &file.officer {
            if !is_segment(id) {
                return wrong(format!("`{id}` cannot stand in a certificate"));
            }
            if roles.is_empty() {
                return wrong(format!("`{id}` has no role"));
            }
            if from >= to {
                return wrong(format!("the term of `{id}` ends before it begins"));
            }
        }
        if file.officer.is_empty() {
            return wrong("it names nobody".to_owned());
        }
        Ok(Self(file.officer))
    }

    /// The first of the roles that the officer has on a day.
    ///
    /// # Errors
    /// [`NoOfficer`].
    pub fn authorise(&self, id: &str, roles: &[Role], day: Date) -> Result<Role, NoOfficer> {
        let all = || self.0.iter().filter(|officer| officer.id == id);
        if all().next().is_none() {
            return Err(NoOfficer::Unknown);
        }
        let in_term = || all().filter(|officer| officer.from <= day && day < officer.to);
        if in_term().next().is_none() {
            return Err(NoOfficer::NotInTerm);
        }
        let has = |role: &&Role| in_term().any(|officer| officer.roles.contains(role));
        roles.iter().find(has).copied().ok_or(NoOfficer::OtherRole)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use time::macros::date;

    use super::*;

    const FILE: &str = "[[officer]]\nid = \"an\"\nroles = [\"registrar\"]\nfrom = \"2026-01-01\"\nto = \"2026-07-01\"\n\
                        [[officer]]\nid = \"an\"\nroles = [\"auditor\"]\nfrom = \"2026-06-01\"\nto = \"2027-01-01\"\n";

    #[test]
    fn i2_whoever_is_not_in_the_file_in_term_and_in_role_does_nothing() {
        let officers = Officers::parse(FILE).unwrap();
        let ask = |id, role, day| officers.authorise(id, &[role], day);
        assert_eq!(ask("an", Role::Registrar, date!(2026 - 01 - 01)), Ok(Role::Registrar));
        assert_eq!(ask("an", Role::Auditor, date!(2026 - 05 - 31)), Err(NoOfficer::OtherRole));
        assert_eq!(ask("an", Role::Auditor, date!(2026 - 06 - 01)), Ok(Role::Auditor));
        assert_eq!(ask("an", Role::Registrar, date!(2026 - 07 - 01)), Err(NoOfficer::OtherRole));
        assert_eq!(ask("an", Role::Auditor, date!(2027 - 01 - 01)), Err(NoOfficer::NotInTerm));
        assert_eq!(ask("binh", Role::Auditor, date!(2026 - 06 - 01)), Err(NoOfficer::Unknown));
        let empty = Officers::default();
        for role in Role::ALL {
            let asked = empty.authorise("an", &[role], date!(2026 - 06 - 01));
            assert_eq!(asked, Err(NoOfficer::Unknown));
        }
    }

    #[test]
    fn i9_a_faulty_file_is_refused_whole() {
        for (good, bad) in [
            ("\"an\"", "\"a n\""),
            ("[\"registrar\"]", "[]"),
            ("registrar", "king"),
            ("to = \"2026-07-01\"", "to = \"2026-01-01\""),
            ("to = \"2026-07-01\"", "to = \"soon\""),
            ("to = \"2026-07-01\"\n", ""),
            ("roles", "role"),
        ] {
            assert!(FILE.contains(good));
            assert!(Officers::parse(&FILE.replacen(good, bad, 1)).is_err(), "{bad}");
        }
        assert!(Officers::parse("").is_err());
        assert!(Officers::parse("officer = []").is_err());
    }
}
