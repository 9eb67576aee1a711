//! Obligations: what whoever is given an item must do about it. The words are few and closed; a word that the enforcing side does not
//! know is a denial, because what is not understood cannot be kept (AuthZEN Obligations Profile 1.0, draft).

use std::{cmp::Reverse, fmt, str::FromStr};

/// What whoever is given an item must do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Obligation {
    /// Only a form of the value that says less is given: the register's part.
    Mask(MaskForm),
    /// A copy may be used for so many seconds after the answer and is then asked for anew or deleted (Decree 47/2020/ND-CP,
    /// Art. 41): the recipient's part.
    MaxAge(u32),
    /// It is not given to anybody else: the recipient's part.
    NoOnwardTransfer,
    /// A copy may be used up to this moment, in seconds since 1970 and at most [`LAST_SECOND`]: the recipient's part.
    ValidUntil(i64),
}

/// The last second that can be written as a date with four digits of the year.
pub const LAST_SECOND: i64 = 253_402_300_799;

/// A form of a value that says less than it. There is none of a date: the day is told by the origin of other items, which hold
/// since then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MaskForm {
    /// Of a place only the province.
    Province,
    /// Of a number only its last four digits.
    LastFour,
}

impl MaskForm {
    const NAMES: [(Self, &'static str); 2] =
        [(Self::Province, "province"), (Self::LastFour, "last-four")];
}

/// A text that is no obligation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no obligation")]
pub struct UnknownObligation(String);

impl FromStr for Obligation {
    type Err = UnknownObligation;

    fn from_str(text: &str) -> Result<Self, UnknownObligation> {
        let (name, of) = text.split_once('=').map_or((text, None), |(name, of)| (name, Some(of)));
        let form = |of: &str| MaskForm::NAMES.iter().find(|(_, name)| *name == of).map(|(f, _)| *f);
        let seconds = |of: &str| of.parse().ok().filter(|seconds| *seconds > 0);
        let read = match (name, of) {
            ("no-onward-transfer", None) => Some(Self::NoOnwardTransfer),
            ("mask", Some(of)) => form(of).map(Self::Mask),
            ("max-age", Some(of)) => seconds(of).map(Self::MaxAge),
            ("valid-until", Some(of)) => {
                let second = of.parse().ok().filter(|second| (1..=LAST_SECOND).contains(second));
                second.map(Self::ValidUntil)
            }
            _ => None,
        };
        read.ok_or_else(|| UnknownObligation(text.to_owned()))
    }
}

impl fmt::Display for Obligation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mask(form) => {
                let name = MaskForm::NAMES.iter().find(|(known, _)| known == form);
                write!(f, "mask={}", name.map_or("", |(_, name)| name))
            }
            Self::MaxAge(seconds) => write!(f, "max-age={seconds}"),
            Self::NoOnwardTransfer => f.write_str("no-onward-transfer"),
            Self::ValidUntil(second) => write!(f, "valid-until={second}"),
        }
    }
}

/// What both lists oblige to: of several ages and ends the shortest. `None` where they want one value in two forms: nothing can be
/// given then.
pub fn together(all: &[Obligation], more: &[Obligation]) -> Option<Vec<Obligation>> {
    let (mut mask, mut age, mut until, mut transfer) = (None, None, None, false);
    let least = |known: Option<_>, of| Some(known.map_or(of, |known| std::cmp::min(known, of)));
    for obligation in all.iter().chain(more) {
        match *obligation {
            Obligation::Mask(form) if mask.is_some_and(|known| known != form) => return None,
            Obligation::Mask(form) => mask = Some(form),
            Obligation::MaxAge(seconds) => age = least(age, i64::from(seconds)),
            Obligation::ValidUntil(second) => until = least(until, second),
            Obligation::NoOnwardTransfer => transfer = true,
        }
    }
    let age = age.and_then(|seconds| u32::try_from(seconds).ok());
    let all = [
        mask.map(Obligation::Mask),
        age.map(Obligation::MaxAge),
        transfer.then_some(Obligation::NoOnwardTransfer),
        until.map(Obligation::ValidUntil),
    ];
    Some(all.into_iter().flatten().collect())
}

/// How much a list of obligations asks of whoever is given an item, in an order in which any two can be compared: first whether
/// only a form is given, then whether it may be given on, then for how long a copy may be used, and until when.
#[must_use]
pub fn burden(all: &[Obligation]) -> (bool, bool, Reverse<u32>, Reverse<i64>) {
    let mut burden = (false, false, Reverse(u32::MAX), Reverse(LAST_SECOND));
    for obligation in all {
        match *obligation {
            Obligation::Mask(_) => burden.0 = true,
            Obligation::NoOnwardTransfer => burden.1 = true,
            Obligation::MaxAge(seconds) => burden.2 = burden.2.max(Reverse(seconds)),
            Obligation::ValidUntil(second) => burden.3 = burden.3.max(Reverse(second)),
        }
    }
    burden
}

/// The earliest moment up to which a copy may be used, in seconds since 1970, where there is one.
#[must_use]
pub fn ends(all: &[Obligation]) -> Option<i64> {
    let end = |obligation: &Obligation| match *obligation {
        Obligation::ValidUntil(second) => Some(second),
        Obligation::Mask(_) | Obligation::MaxAge(_) | Obligation::NoOnwardTransfer => None,
    };
    all.iter().filter_map(end).min()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_obligation_is_one_of_a_few_words() {
        for text in [
            "mask=province",
            "mask=last-four",
            "max-age=60",
            "no-onward-transfer",
            "valid-until=1",
            "valid-until=253402300799",
        ] {
            assert_eq!(text.parse::<Obligation>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "none",
            "mask",
            "mask=name",
            "mask=year",
            "max-age=0",
            "max-age=-1",
            "max-age",
            "no-onward-transfer=1",
            "valid-until=0",
            "valid-until=-1",
            "valid-until=253402300800",
            "tell",
        ] {
            assert_eq!(bad.parse::<Obligation>(), Err(UnknownObligation(bad.to_owned())));
        }
    }

    #[test]
    fn of_two_obligations_the_stricter_counts_and_two_forms_of_a_value_are_none() {
        use MaskForm::{LastFour, Province};
        use Obligation::{Mask, MaxAge, NoOnwardTransfer, ValidUntil};
        let all =
            together(&[MaxAge(9), ValidUntil(5)], &[NoOnwardTransfer, MaxAge(3), ValidUntil(7)]);
        assert_eq!(all.unwrap(), [MaxAge(3), NoOnwardTransfer, ValidUntil(5)]);
        assert_eq!(together(&[Mask(Province)], &[Mask(Province)]).unwrap(), [Mask(Province)]);
        assert_eq!(together(&[Mask(Province)], &[Mask(LastFour)]), None);
        assert_eq!(together(&[], &[]).unwrap(), []);
    }

    #[test]
    fn any_two_lists_are_more_or_less_of_a_burden() {
        use Obligation::{Mask, MaxAge, NoOnwardTransfer, ValidUntil};
        let by_weight: [&[Obligation]; 9] = [
            &[],
            &[ValidUntil(9)],
            &[ValidUntil(7), ValidUntil(9)],
            &[MaxAge(9)],
            &[MaxAge(9), ValidUntil(9)],
            &[MaxAge(7)],
            &[NoOnwardTransfer],
            &[NoOnwardTransfer, MaxAge(9)],
            &[Mask(MaskForm::Province)],
        ];
        assert!(by_weight.is_sorted_by(|one, next| burden(one) < burden(next)));
        assert_eq!((ends(&[MaxAge(1)]), ends(by_weight[2])), (None, Some(7)));
    }
}
