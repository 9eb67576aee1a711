//! How a person is named by who asks about it or writes about it, and what must be known of the person.

use serde::{Deserialize, Serialize};

use crate::{
    GoldenRecord, Identifier, Name, OldNumber, PartialDate, PersonalNumber, Value,
    agreement::same_name,
};

/// How a person is named.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// By the personal number.
    Personal(PersonalNumber),
    /// By the old number of nine digits.
    Old(OldNumber),
}

impl Subject {
    /// The digits. The two kinds never meet: they differ in length.
    #[must_use]
    pub fn digits(&self) -> &str {
        match self {
            Self::Personal(number) => number.as_str(),
            Self::Old(number) => number.as_str(),
        }
    }

    /// The number as a value.
    #[must_use]
    pub fn identifier(&self) -> Identifier {
        match self {
            Self::Personal(number) => Identifier::PersonalNumber(number.clone()),
            Self::Old(number) => Identifier::OldNumber9(number.clone()),
        }
    }
}

/// What is said to be known of a person (Decree 70/2024/ND-CP, Art. 10: full name and date of birth beside
/// the number).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The full name.
    pub full_name: Name,
    /// The date of birth, or its year.
    pub date_of_birth: PartialDate,
}

redacted_debug!(Subject, Claims);

impl Claims {
    /// Whether they agree with the record: the name with case, spacing and tone placement folded and marks
    /// kept (level L2), the date as the profile says. What the register does not hold agrees with nothing.
    #[must_use]
    pub fn agree(&self, record: &GoldenRecord, year_suffices: bool) -> bool {
        let name = record.values("birth_full_name").iter().any(|held| {
            matches!(&held.value, Value::Name(name)
                if same_name(&name.full_name, &self.full_name))
        });
        let date = record.values("date_of_birth").iter().any(|held| {
            matches!(&held.value, Value::Date(date)
                if PartialDate::claim_matches(&self.date_of_birth, date, year_suffices))
        });
        // Both are looked at whatever the first says.
        name & date
    }
}
