//! The ground of a call (Decision 1911/QD-TTg, Art. 1(3)): from the arguments, from a document, or, in a
//! demonstration, the one its caller has an agreement for.

use contract::r#type::v1::AccessBasis;
use serde::{Deserialize, Serialize};

use super::output::Ending;

/// The ground, as far as it was said.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ground {
    /// Code of the procedure or task.
    #[arg(long)]
    procedure: Option<String>,
    /// Id of the legal-basis row, such as 1911-2021-art-2-1.
    #[arg(long, value_name = "ID")]
    legal_basis: Option<String>,
    /// The case or file in hand.
    #[arg(long = "case", value_name = "REFERENCE")]
    case_reference: Option<String>,
    /// Electronic identifier of the unit that acts.
    #[arg(long = "unit", value_name = "CODE")]
    acting_unit: Option<String>,
    /// The officer in charge, by an id of the organisation.
    #[arg(long, value_name = "ID")]
    officer: Option<String>,
    /// Reference of the person's consent, where the ground demands one.
    #[arg(long = "consent", value_name = "REFERENCE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    consent_reference: Option<String>,
    /// Number of the Prime Minister's direction, where the ground is Art. 2(4).
    #[arg(long = "direction", value_name = "NUMBER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    direction_reference: Option<String>,
}

impl Ground {
    /// A ground of which others say the rest.
    pub(crate) fn of(
        procedure: Option<String>,
        acting_unit: Option<String>,
        officer: Option<String>,
    ) -> Self {
        Self { procedure, acting_unit, officer, ..Self::default() }
    }

    /// A ground of a task, of which others say the rest.
    pub(crate) fn task(procedure: &str, legal_basis: &str) -> Self {
        let (procedure, legal_basis) = (procedure.to_owned(), legal_basis.to_owned());
        Self { procedure: Some(procedure), legal_basis: Some(legal_basis), ..Self::default() }
    }

    /// Whether it names the officer.
    pub(crate) fn names_officer(&self) -> bool {
        self.officer.is_some()
    }

    /// This ground, with what it does not say taken from another.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            procedure: self.procedure.or(other.procedure),
            legal_basis: self.legal_basis.or(other.legal_basis),
            case_reference: self.case_reference.or(other.case_reference),
            acting_unit: self.acting_unit.or(other.acting_unit),
            officer: self.officer.or(other.officer),
            consent_reference: self.consent_reference.or(other.consent_reference),
            direction_reference: self.direction_reference.or(other.direction_reference),
        }
    }

    /// The ground as the contract writes it.
    ///
    /// # Errors
    /// Every argument that is missing, named at once.
    pub(crate) fn whole(self) -> Result<AccessBasis, Ending> {
        let required = [
            ("--procedure", &self.procedure),
            ("--legal-basis", &self.legal_basis),
            ("--case", &self.case_reference),
            ("--unit", &self.acting_unit),
            ("--officer", &self.officer),
        ];
        let missing: Vec<_> =
            required.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| *name).collect();
        if missing.is_empty() {
            return Ok(self.into());
        }
        Err(Ending::Usage(format!("the ground is not whole: {} missing", missing.join(", "))))
    }
}

/// What is missing is empty.
impl From<Ground> for AccessBasis {
    fn from(ground: Ground) -> Self {
        Self {
            procedure: ground.procedure.unwrap_or_default(),
            legal_basis: ground.legal_basis.unwrap_or_default(),
            case_reference: ground.case_reference.unwrap_or_default(),
            acting_unit: ground.acting_unit.unwrap_or_default(),
            officer: ground.officer.unwrap_or_default(),
            consent_reference: ground.consent_reference.unwrap_or_default(),
            direction_reference: ground.direction_reference.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_said_goes_first_and_what_is_missing_is_named_at_once() {
        let said = Ground { officer: Some("me".into()), ..Ground::default() };
        let document = r#"{"procedure":"p","legal_basis":"b","case_reference":"c","acting_unit":"Z03",
            "officer":"other"}"#;
        let document = serde_json::from_str(document).unwrap();
        let basis = said.clone().or(document).whole().unwrap();
        assert_eq!((basis.officer.as_str(), basis.acting_unit.as_str()), ("me", "Z03"));
        let missing = said.whole().unwrap_err().to_string();
        for argument in ["--procedure", "--legal-basis", "--case", "--unit"] {
            assert!(missing.contains(argument), "{argument}");
        }
        assert!(!missing.contains("--officer"));
    }
}
