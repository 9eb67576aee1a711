//! Names: the form in which they are kept, and the keys by which they are compared.
//!
//! A name is not checked against Vietnamese spelling: names of minority peoples have other letters,
//! apostrophes and orders, and all of them are names.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The longest name, in characters of its kept form.
pub const MAX_CHARS: usize = 100;

/// Grave, acute, tilde, hook above, dot below: the five written tones.
const TONES: [char; 5] = ['\u{300}', '\u{301}', '\u{303}', '\u{309}', '\u{323}'];

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is left of it once spaces are trimmed.
    #[error("the name is empty")]
    Empty,
    /// More characters than [`MAX_CHARS`].
    #[error("the name is longer than {MAX_CHARS} characters")]
    TooLong,
    /// A control character.
    #[error("the name holds a control character")]
    Control,
}

/// How loosely two names are compared. There is no L3 (i against y): it would make one of two names
/// that are legally different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameLevel {
    /// The kept form itself.
    L0,
    /// Case folded, and marks in one order.
    L1,
    /// L1, and the two ways to place a tone on oa, oe and uy folded: hoà and hòa. Marks are kept.
    L2,
    /// Capital letters A to Z and digits only, as clients of the existing interface compare. Never
    /// identity by itself: Vân, Văn and Vạn are one, and letters outside the alphabet are gone.
    L4,
}

/// A name as it is kept: Unicode NFC, single spaces, case and tone placement as written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

redacted_debug!(Name);

impl Name {
    /// Brings a text into the kept form.
    ///
    /// # Errors
    /// When it is empty, too long, or holds a control character.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let visible: String = text.chars().filter(|c| !is_invisible(*c)).map(confused).collect();
        let spaced = visible.split_whitespace().collect::<Vec<_>>().join(" ");
        let kept: String = spaced.nfc().collect();
        if kept.is_empty() {
            return Err(NameError::Empty);
        }
        if kept.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        if kept.chars().count() > MAX_CHARS {
            return Err(NameError::TooLong);
        }
        Ok(Self(kept))
    }

    /// The name as it is kept.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key under which equal names of a level are equal. Keys are personal data like the name.
    #[must_use]
    pub fn match_key(&self, level: NameLevel) -> String {
        match level {
            NameLevel::L0 => self.0.clone(),
            NameLevel::L1 => joined(&letters(&self.0)),
            NameLevel::L2 => {
                let mut letters = letters(&self.0);
                fold_tone_placement(&mut letters);
                joined(&letters)
            }
            NameLevel::L4 => letters(&self.0)
                .iter()
                .map(|letter| if letter.base == 'đ' { 'd' } else { letter.base })
                .filter(char::is_ascii_alphanumeric)
                .map(|c| c.to_ascii_uppercase())
                .collect(),
        }
    }
}

/// Characters that show nothing and so cannot be part of a name: zero-width space, joiners and marks,
/// the byte order mark, the soft hyphen.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{AD}')
}

/// Eth looks like the Vietnamese letter and comes out of a code page read as another.
fn confused(c: char) -> char {
    match c {
        'Ð' => 'Đ',
        'ð' => 'đ',
        other => other,
    }
}

/// A letter in lower case, taken apart.
struct Letter {
    base: char,
    /// Marks that make another letter of it: circumflex, breve, horn, and what other scripts have.
    marks: Vec<char>,
    tone: Option<char>,
}

impl Letter {
    fn is_plain(&self, base: char) -> bool {
        self.base == base && self.marks.is_empty()
    }
}

/// Takes a name apart into letters. Splitting the tone from the other marks also brings the two orders
/// in which they may be typed together (a, acute, circumflex is no composed letter in Unicode).
fn letters(name: &str) -> Vec<Letter> {
    let mut letters: Vec<Letter> = Vec::with_capacity(name.len());
    for c in name.to_lowercase().nfd() {
        match letters.last_mut() {
            Some(letter) if is_combining_mark(c) => {
                if TONES.contains(&c) && letter.tone.is_none() {
                    letter.tone = Some(c);
                } else {
                    letter.marks.push(c);
                }
            }
            _ => letters.push(Letter { base: c, marks: Vec::new(), tone: None }),
        }
    }
    letters
}

fn joined(letters: &[Letter]) -> String {
    let mut text = String::new();
    for letter in letters {
        text.push(letter.base);
        text.extend(&letter.marks);
        text.extend(letter.tone);
    }
    text.nfc().collect()
}

/// Moves the tone of oa, oe and uy to the second letter. After q, u is part of the consonant and the
/// tone has one place (quý); after gi likewise.
fn fold_tone_placement(letters: &mut [Letter]) {
    // What stands before the pair: the last two letters passed.
    let mut before = (' ', ' ');
    let mut rest = letters;
    while let [first, tail @ ..] = rest {
        if let Some(second) = tail.first_mut() {
            let pair = (first.is_plain('o') && (second.is_plain('a') || second.is_plain('e')))
                || (first.is_plain('u') && second.is_plain('y'));
            let in_consonant = before.1 == 'q' || before == ('g', 'i');
            if pair && !in_consonant && second.tone.is_none() {
                second.tone = first.tone.take();
            }
        }
        before = (before.1, first.base);
        rest = tail;
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str, level: NameLevel) -> String {
        Name::new(text).unwrap().match_key(level)
    }

    #[test]
    fn keeps_one_form() {
        for (text, kept) in [
            ("  Nguyễn   Văn\tAn ", "Nguyễn Văn An"),
            ("Nguyễn\u{A0}Văn\u{202F}An", "Nguyễn Văn An"),
            ("Nguyễn\u{200B} Văn\u{FEFF} An", "Nguyễn Văn An"),
            ("Nguye\u{302}\u{303}n", "Nguyễn"),
            ("Vie\u{323}\u{302}t", "Việt"),
            ("Vie\u{302}\u{323}t", "Việt"),
            ("Ðặng Thị Ðào", "Đặng Thị Đào"),
            ("HOÀ", "HOÀ"),
            ("H'Lan Êban", "H'Lan Êban"),
            ("Y Ƀăng Niê-Kđăm", "Y Ƀăng Niê-Kđăm"),
        ] {
            assert_eq!(Name::new(text).unwrap().as_str(), kept, "{text:?}");
        }
    }

    #[test]
    fn refuses_what_is_no_name() {
        for (text, error) in [
            (String::new(), NameError::Empty),
            (" \u{A0}\u{200B} ".to_owned(), NameError::Empty),
            ("An\u{0}h".to_owned(), NameError::Control),
            ("ễ".repeat(101), NameError::TooLong),
        ] {
            assert_eq!(Name::new(&text).unwrap_err(), error, "{text:?}");
        }
        // Characters count, not bytes, and not the marks of a decomposed spelling.
        assert!(Name::new(&"ễ".repeat(100)).is_ok());
        assert!(Name::new(&"e\u{302}\u{303}".repeat(100)).is_ok());
    }

    #[test]
    fn levels_fold_what_they_say() {
        use NameLevel::{L0, L1, L2, L4};
        // Two names and the first level at which they are equal; None when they never are.
        for (left, right, first) in [
            ("Nguyễn Văn An", "Nguyễn  Văn An", Some(L0)),
            ("Nguyễn Văn An", "NGUYỄN VĂN AN", Some(L1)),
            ("Ðặng", "đặng", Some(L1)),
            ("Cấp", "Ca\u{301}\u{302}p", Some(L1)),
            ("Hoà", "Hòa", Some(L2)),
            ("HÒA", "hoà", Some(L2)),
            ("Khoẻ", "Khỏe", Some(L2)),
            ("Thuỷ", "Thủy", Some(L2)),
            ("Thuỷ Hoà", "Thủy Hòa", Some(L2)),
            ("Hoàn", "Hòan", Some(L2)),
            ("Quý", "Qúy", Some(L4)),
            ("Quý", "Quy", Some(L4)),
            ("Hoà", "Hoá", Some(L4)),
            ("Hoà", "Hoa", Some(L4)),
            ("Vân", "Văn", Some(L4)),
            ("Văn", "Vạn", Some(L4)),
            ("Đào", "Dao", Some(L4)),
            ("Văn An", "Vănan", Some(L4)),
            ("Lý", "Lí", None),
            ("Hoàng", "Huỳnh", None),
            ("Vũ", "Võ", None),
        ] {
            for level in [L0, L1, L2, L4] {
                let equal = key(left, level) == key(right, level);
                assert_eq!(
                    equal,
                    first.is_some_and(|first| level >= first),
                    "{left} {right} {level:?}"
                );
            }
        }
    }

    #[test]
    fn l2_leaves_other_vowels_alone() {
        for name in ["quý", "quỳnh", "giữ", "huệ", "thuở", "hoặc", "hoè", "mùa", "kh'yào"]
        {
            assert_eq!(key(name, NameLevel::L2), name);
        }
    }

    #[test]
    fn l4_is_what_todays_clients_send() {
        for (name, plain) in [
            ("Đỗ Thị Hoà", "DOTHIHOA"),
            ("H'Lan Êban", "HLANEBAN"),
            ("Nguyễn Văn An 2", "NGUYENVANAN2"),
        ] {
            assert_eq!(key(name, NameLevel::L4), plain);
        }
    }

    #[test]
    fn i8_debug_shows_no_letter() {
        assert_eq!(format!("{:?}", Name::new("An").unwrap()), "Name([personal])");
    }

    proptest! {
        #[test]
        fn keeping_twice_is_keeping_once(text in "\\PC{0,40}") {
            if let Ok(name) = Name::new(&text) {
                prop_assert_eq!(Name::new(name.as_str()).unwrap(), name);
            }
        }

        #[test]
        fn spelling_does_not_change_keys(text in "[a-zđăâêôơưáàảãạấầẩẫậếềểễệớờởỡợứừửữự ]{1,30}") {
            if let Ok(name) = Name::new(&text) {
                let apart = Name::new(&text.nfd().collect::<String>()).unwrap();
                for level in [NameLevel::L0, NameLevel::L1, NameLevel::L2, NameLevel::L4] {
                    prop_assert_eq!(name.match_key(level), apart.match_key(level));
                }
            }
        }
    }
}
