//! Every faulty field of a request, gathered and named at once, in both languages.

use contract::r#type::v1::FieldFault;
use server::error::{Violation, invalid};
use tonic::Status;

/// Faults that one answer names.
const FAULTS_MAX: usize = 64;
/// Digits in a row that may be somebody's number, of today or of before.
const PERSONAL: [usize; 2] = [9, 12];
/// Characters of a source's key.
const KEY_MAX: usize = 64;

/// What can be wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is required and not there.
    Missing,
    /// It has not the form it must have.
    Malformed,
    /// It has more characters than this.
    TooLong(usize),
    /// It has more entries than this.
    TooMany(usize),
    /// An entry stands there twice.
    Repeated,
    /// A wildcard: what is wanted must be named, item by item.
    Wildcard,
    /// The code is not in its list, or the list or version is unknown.
    UnknownCode,
    /// The value is not allowed here.
    NotAllowed,
    /// It is a personal number, which must not stand where it goes into records (I8).
    PersonalNumber,
    /// The date lies in the future.
    InTheFuture,
    /// The date lies before another that it cannot precede.
    TooEarly,
    /// A full date is needed, with month and day.
    NotWhole,
    /// Somebody asks for somebody else.
    Represented,
}

impl Fault {
    /// The stable reason, and what is wrong in Vietnamese and English; never the value itself (I8).
    fn words(self) -> (FieldFault, String, String) {
        let fixed = |reason, vi: &str, en: &str| (reason, vi.to_owned(), en.to_owned());
        match self {
            Self::Missing => fixed(FieldFault::Missing, "bắt buộc phải có", "is required"),
            Self::Malformed => {
                fixed(FieldFault::Malformed, "không đúng dạng", "has not the right form")
            }
            Self::TooLong(max) => (
                FieldFault::TooLong,
                format!("dài quá {max} ký tự"),
                format!("is longer than {max} characters"),
            ),
            Self::TooMany(max) => (
                FieldFault::TooMany,
                format!("có hơn {max} phần tử"),
                format!("has more than {max} entries"),
            ),
            Self::Repeated => fixed(FieldFault::Repeated, "bị lặp lại", "stands there twice"),
            Self::Wildcard => fixed(
                FieldFault::Wildcard,
                "không được dùng ký tự đại diện",
                "must not be a wildcard",
            ),
            Self::UnknownCode => {
                fixed(FieldFault::UnknownCode, "không có trong danh mục", "is not in the code list")
            }
            Self::NotAllowed => {
                fixed(FieldFault::NotAllowed, "không được phép", "is not allowed here")
            }
            Self::PersonalNumber => fixed(
                FieldFault::PersonalNumber,
                "không được là số định danh cá nhân",
                "must not be a personal number",
            ),
            Self::InTheFuture => {
                fixed(FieldFault::InTheFuture, "ở trong tương lai", "lies in the future")
            }
            Self::TooEarly => fixed(FieldFault::TooEarly, "quá sớm", "is too early"),
            Self::NotWhole => fixed(
                FieldFault::NotWhole,
                "phải đủ ngày, tháng, năm",
                "must have year, month and day",
            ),
            Self::Represented => fixed(
                FieldFault::NotAllowed,
                "phải là số của chính người được tra cứu: ở đây không có người đại diện",
                "must be the subject's own number: nobody is represented here",
            ),
        }
    }
}

/// The faults found so far.
#[derive(Debug, Default)]
pub struct Faults(Vec<Violation>);

impl Faults {
    /// Notes a fault of the field at a path, for example `basis.procedure`.
    pub fn add(&mut self, field: impl Into<String>, fault: Fault) {
        // A request can hold more faults than an answer can name.
        if self.0.len() == FAULTS_MAX {
            return;
        }
        let (reason, vi, en) = fault.words();
        self.0.push(Violation { field: field.into(), reason, vi, en });
    }

    /// Notes that a text is missing, too long or holds control characters; true when it is good.
    pub fn text(&mut self, field: &str, text: &str, max: usize) -> bool {
        if text.trim().is_empty() {
            self.add(field, Fault::Missing);
        } else if text.chars().any(char::is_control) {
            // Nothing that is written by people holds one, and one engine refuses NUL.
            self.add(field, Fault::Malformed);
        } else if text.chars().count() > max {
            self.add(field, Fault::TooLong(max));
        } else {
            return true;
        }
        false
    }

    /// The same, and that it holds what looks like somebody's number, of today or of before: it goes into records (I8).
    pub fn words(&mut self, field: &str, text: &str, max: usize) -> bool {
        let good = self.text(field, text, max);
        let mut runs = text.split(|c: char| !c.is_ascii_digit()).map(str::len);
        if good && runs.any(|digits| PERSONAL.contains(&digits)) {
            self.add(field, Fault::PersonalNumber);
            return false;
        }
        good
    }

    /// Notes that a source's key of a contribution is not 1 to 64 of letters, digits, `.`, `_`, `:` and `-`.
    pub fn key(&mut self, field: &str, key: &str) {
        let in_keys = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
        if self.text(field, key, KEY_MAX) && !key.chars().all(in_keys) {
            self.add(field, Fault::Malformed);
        }
    }

    /// Notes those of a part that stands at `path`, for example `queries[3].`.
    pub fn extend(&mut self, path: &str, part: Self) {
        let room = FAULTS_MAX.saturating_sub(self.0.len());
        let placed =
            |fault: Violation| Violation { field: format!("{path}{}", fault.field), ..fault };
        self.0.extend(part.0.into_iter().take(room).map(placed));
    }

    /// Notes those of a part whose fields the caller knows by other names.
    pub fn renamed(&mut self, part: Self, name: impl Fn(&str) -> String) {
        let room = FAULTS_MAX.saturating_sub(self.0.len());
        let named = |fault: Violation| Violation { field: name(&fault.field), ..fault };
        self.0.extend(part.0.into_iter().take(room).map(named));
    }

    /// The faulty fields, by path.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|violation| violation.field.as_str())
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The error that names them all; nothing when there are none.
    ///
    /// # Errors
    /// INVALID_ARGUMENT/INVALID_REQUEST.
    pub fn finish(self) -> Result<(), Status> {
        if self.0.is_empty() { Ok(()) } else { Err(invalid(self.0)) }
    }
}
