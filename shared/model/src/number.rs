//! The personal identification number of twelve digits and the old identity-card number of nine.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// Province codes that no province has: numbers of synthetic persons carry them, so that none of them
/// is ever somebody's.
pub const SYNTHETIC_PREFIXES: RangeInclusive<u16> = 990..=999;

/// Why a text is not a number, or a number cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Not as many characters as the kind of number has.
    #[error("the number must have {expected} digits")]
    Length {
        /// How many digits it must have.
        expected: usize,
    },
    /// Something else than the digits 0 to 9.
    #[error("the number must hold digits only")]
    NotDigits,
    /// A part that its digits cannot hold.
    #[error("{part} is out of range")]
    OutOfRange {
        /// Which part.
        part: &'static str,
    },
}

/// Sex, as far as a personal number tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sex {
    /// Male.
    Male,
    /// Female.
    Female,
}

/// What the digits of a personal number suggest. Hints only: after a correction of sex or birth year the
/// record and the number disagree until the number is set anew (Decree 70/2024/ND-CP, Art. 11).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hints {
    /// Sex at the time the number was set.
    pub sex: Sex,
    /// Year of birth at the time the number was set.
    pub birth_year: i32,
}

/// A personal identification number: twelve digits, `PPP G YY NNNNNN` (Decree 70/2024/ND-CP, Art. 11). It
/// has no check digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PersonalNumber(String);

/// An old identity-card number: nine digits (Law 26/2023/QH15, Art. 9, item 13).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OldNumber(String);

redacted_debug!(Hints, PersonalNumber, OldNumber);

impl PersonalNumber {
    /// Reads twelve digits; nothing is trimmed and no prefix is refused, because the list of codes is
    /// data and grows.
    ///
    /// # Errors
    /// When the text is anything but twelve digits.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        digits(text, 12).map(Self)
    }

    /// Makes a number of its parts; `random` gives the last six digits.
    ///
    /// # Errors
    /// When a part does not fit its digits. Years are 1900 to 2399.
    pub fn compose(prefix: u16, sex: Sex, year: i32, random: u32) -> Result<Self, NumberError> {
        if prefix > 999 {
            return Err(NumberError::OutOfRange { part: "prefix" });
        }
        if !(1900..=2399).contains(&year) {
            return Err(NumberError::OutOfRange { part: "year" });
        }
        if random > 999_999 {
            return Err(NumberError::OutOfRange { part: "random" });
        }
        // One digit for century and sex: 0 and 1 for 1900 to 1999, 2 and 3 for the next, and so on.
        let female = i32::from(sex == Sex::Female);
        let century = (year - 1900) / 100 * 2 + female;
        Ok(Self(format!("{prefix:03}{century}{:02}{random:06}", year % 100)))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first three digits: the province of birth registration, or a country.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.0.get(..3).unwrap_or_default()
    }

    /// What the fourth to sixth digits suggest.
    #[must_use]
    pub fn hints(&self) -> Option<Hints> {
        let century: i32 = self.0.get(3..4)?.parse().ok()?;
        let year: i32 = self.0.get(4..6)?.parse().ok()?;
        let sex = if century % 2 == 0 { Sex::Male } else { Sex::Female };
        Some(Hints { sex, birth_year: 1900 + century / 2 * 100 + year })
    }

    /// Whether the number belongs to a synthetic person.
    #[must_use]
    pub fn is_synthetic(&self) -> bool {
        self.prefix().parse().is_ok_and(|prefix| SYNTHETIC_PREFIXES.contains(&prefix))
    }
}

impl OldNumber {
    /// Reads nine digits; nothing is trimmed.
    ///
    /// # Errors
    /// When the text is anything but nine digits.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        digits(text, 9).map(Self)
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// ASCII digits only: other scripts' digits look alike and would be other bytes in the index.
fn digits(text: &str, expected: usize) -> Result<String, NumberError> {
    if text.chars().count() != expected {
        return Err(NumberError::Length { expected });
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NumberError::NotDigits);
    }
    Ok(text.to_owned())
}

impl TryFrom<String> for PersonalNumber {
    type Error = NumberError;
    fn try_from(text: String) -> Result<Self, NumberError> {
        Self::parse(&text)
    }
}

impl From<PersonalNumber> for String {
    fn from(number: PersonalNumber) -> Self {
        number.0
    }
}

impl TryFrom<String> for OldNumber {
    type Error = NumberError;
    fn try_from(text: String) -> Result<Self, NumberError> {
        Self::parse(&text)
    }
}

impl From<OldNumber> for String {
    fn from(number: OldNumber) -> Self {
        number.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_is_not_a_number() {
        let length = |expected| NumberError::Length { expected };
        for (text, error) in [
            ("", length(12)),
            ("99909012345", length(12)),
            ("9990901234567", length(12)),
            (" 99909012345", NumberError::NotDigits),
            ("99909012345x", NumberError::NotDigits),
            ("٩٩٩٠٩٠١٢٣٤٥٦", NumberError::NotDigits),
        ] {
            assert_eq!(PersonalNumber::parse(text).unwrap_err(), error, "{text}");
        }
        assert_eq!(OldNumber::parse("99900012").unwrap_err(), length(9));
        assert!(OldNumber::parse("999000123").is_ok());
    }

    #[test]
    fn refuses_parts_out_of_range() {
        assert!(PersonalNumber::compose(1000, Sex::Male, 1990, 0).is_err());
        assert!(PersonalNumber::compose(999, Sex::Male, 1899, 0).is_err());
        assert!(PersonalNumber::compose(999, Sex::Male, 2400, 0).is_err());
        assert!(PersonalNumber::compose(999, Sex::Male, 1990, 1_000_000).is_err());
    }

    #[test]
    fn only_fictional_prefixes_are_synthetic() {
        for (prefix, synthetic) in [(1, false), (96, false), (989, false), (990, true), (999, true)]
        {
            let number = PersonalNumber::compose(prefix, Sex::Male, 1990, 7).unwrap();
            assert_eq!(number.is_synthetic(), synthetic, "{prefix}");
        }
    }

    #[test]
    fn i8_debug_shows_no_digit() {
        let number = PersonalNumber::compose(999, Sex::Female, 1990, 7).unwrap();
        assert_eq!(format!("{number:?}"), "PersonalNumber([personal])");
        assert_eq!(format!("{:?}", number.hints().unwrap()), "Hints([personal])");
    }

    #[test]
    fn serde_is_a_checked_string() {
        let number: PersonalNumber = serde_json::from_str("\"990190000007\"").unwrap();
        assert_eq!(serde_json::to_string(&number).unwrap(), "\"990190000007\"");
        assert!(serde_json::from_str::<PersonalNumber>("\"99019000000\"").is_err());
        assert!(serde_json::from_str::<PersonalNumber>("990190000007").is_err());
    }

    proptest! {
        #[test]
        fn hints_give_back_what_was_composed(
            prefix in 0u16..=999, female: bool, year in 1900i32..=2399, random in 0u32..=999_999,
        ) {
            let sex = if female { Sex::Female } else { Sex::Male };
            let number = PersonalNumber::compose(prefix, sex, year, random).unwrap();
            prop_assert_eq!(PersonalNumber::parse(number.as_str()).unwrap(), number.clone());
            let expected = Hints { sex, birth_year: year };
            prop_assert_eq!(number.hints(), Some(expected));
        }
    }
}
