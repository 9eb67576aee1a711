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

/// How loosely two names are compared. Each level folds all that the one before does: names that are equal at one are
/// equal at every later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameLevel {
    /// The kept form itself.
    L0,
    /// Case folded, and marks in one order.
    L1,
    /// L1, and the two ways to place a tone on oa, oe and uy folded: hoà and hòa. Marks are kept.
    L2,
    /// L2, and ways to write one sound folded that are names of their own: y that ends a word after a consonant is i (Lý
    /// and Lí), and apostrophes and hyphens of all kinds are one. Two names that are equal here alone can legally differ, so
    /// claims are held against a record at L2.
    L3,
    /// Capital letters A to Z without Y, which is I, and digits only, as clients of the existing interface compare. Never
    /// identity by itself: Vân, Văn and Vạn are one, and letters outside the alphabet are gone.
    L4,
}

impl NameLevel {
    /// Every level, the most exact one first.
    pub const ALL: [Self; 5] = [Self::L0, Self::L1, Self::L2, Self::L3, Self::L4];
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
            NameLevel::L3 => {
                let mut letters = letters(&self.0);
                fold_tone_placement(&mut letters);
                fold_spelling(&mut letters);
                joined(&letters)
            }
            NameLevel::L4 => letters(&self.0)
                .iter()
                .map(|letter| plain(letter.base))
                .filter(char::is_ascii_alphanumeric)
                .map(|c| c.to_ascii_uppercase())
                .collect(),
        }
    }

    /// The most exact level at which two names are equal; none where they are equal at no level. A name of which L4 leaves
    /// nothing is equal to no other there.
    #[must_use]
    pub fn level_of(&self, other: &Self) -> Option<NameLevel> {
        NameLevel::ALL.into_iter().find(|level| {
            let key = self.match_key(*level);
            !key.is_empty() && key == other.match_key(*level)
        })
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
    /// Tones that another one follows: no letter has two, but a text can.
    passed: Vec<char>,
    tone: Option<char>,
}

impl Letter {
    fn is_plain(&self, base: char) -> bool {
        self.base == base && self.marks.is_empty() && self.passed.is_empty()
    }
}

/// Takes a name apart into letters. Splitting the tone from the other marks also brings the two orders
/// in which they may be typed together (a, acute, circumflex is no composed letter in Unicode).
fn letters(name: &str) -> Vec<Letter> {
    let mut letters: Vec<Letter> = Vec::with_capacity(name.len());
    for c in name.to_lowercase().nfd() {
        match letters.last_mut() {
            Some(letter) if is_combining_mark(c) => {
                if TONES.contains(&c) {
                    // Of two, the last one, as it will be written: a key of a key is the same.
                    letter.passed.extend(letter.tone.replace(c));
                } else {
                    letter.marks.push(c);
                }
            }
            _ => {
                letters.push(Letter { base: c, marks: Vec::new(), passed: Vec::new(), tone: None })
            }
        }
    }
    letters
}

fn joined(letters: &[Letter]) -> String {
    let mut text = String::new();
    for letter in letters {
        text.push(letter.base);
        text.extend(letter.marks.iter().chain(&letter.passed));
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

/// Folds what L3 does. In a word by itself y is no other spelling of i: Y is a name of the Ê Đê, and Ý one of the Kinh. Nor
/// is it before or after another vowel, where it is another sound: Thúy and Thúi, Mây and Mâi.
fn fold_spelling(letters: &mut [Letter]) {
    // What stands before the letter: the last two letters passed.
    let mut before = (' ', ' ');
    let mut rest = letters;
    while let [letter, tail @ ..] = rest {
        letter.base = one_sign(letter.base);
        let passed = letter.base;
        // The sign as it will be written: one of the apostrophes counts as a letter, and a key of a key is the same.
        let ends = tail.first().is_none_or(|next| !one_sign(next.base).is_alphanumeric());
        let of_q = before == ('q', 'u');
        let consonant = before.1.is_alphabetic() && !is_vowel(before.1);
        if letter.is_plain('y') && ends && (of_q || consonant) {
            letter.base = 'i';
        }
        before = (before.1, passed);
        rest = tail;
    }
}

/// The apostrophe and the hyphen for all that are written for them.
fn one_sign(base: char) -> char {
    match base {
        '\u{2018}' | '\u{2019}' | '\u{2BC}' | '\u{B4}' | '`' => '\'',
        '\u{2010}'..='\u{2015}' => '-',
        base => base,
    }
}

fn is_vowel(base: char) -> bool {
    matches!(base, 'a' | 'e' | 'i' | 'o' | 'u' | 'y')
}

/// A letter as one of the alphabet without marks, where it looks like one. The name can be written without spaces at L4, so
/// that every y is i and not only one that ends a word.
fn plain(base: char) -> char {
    match base {
        'đ' => 'd',
        'ƀ' | 'ɓ' => 'b',
        'y' => 'i',
        other => other,
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
#[path = "name_tests.rs"]
mod tests;
