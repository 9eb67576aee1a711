//! Every faulty field of a request, gathered and named at once, in both languages.

use server::error::{Violation, invalid};
use tonic::Status;

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
}

impl Fault {
    /// The stable reason, and what is wrong in Vietnamese and English; never the value itself (I8).
    fn words(self) -> (&'static str, String, String) {
        let fixed = |reason, vi: &str, en: &str| (reason, vi.to_owned(), en.to_owned());
        match self {
            Self::Missing => fixed("MISSING", "bắt buộc phải có", "is required"),
            Self::Malformed => fixed("MALFORMED", "không đúng dạng", "has not the right form"),
            Self::TooLong(max) => (
                "TOO_LONG",
                format!("dài quá {max} ký tự"),
                format!("is longer than {max} characters"),
            ),
            Self::TooMany(max) => (
                "TOO_MANY",
                format!("có hơn {max} phần tử"),
                format!("has more than {max} entries"),
            ),
            Self::Repeated => fixed("REPEATED", "bị lặp lại", "stands there twice"),
            Self::Wildcard => {
                fixed("WILDCARD", "không được dùng ký tự đại diện", "must not be a wildcard")
            }
            Self::UnknownCode => {
                fixed("UNKNOWN_CODE", "không có trong danh mục", "is not in the code list")
            }
            Self::NotAllowed => fixed("NOT_ALLOWED", "không được phép", "is not allowed here"),
            Self::PersonalNumber => fixed(
                "PERSONAL_NUMBER",
                "không được là số định danh cá nhân",
                "must not be a personal number",
            ),
            Self::InTheFuture => fixed("IN_THE_FUTURE", "ở trong tương lai", "lies in the future"),
            Self::TooEarly => fixed("TOO_EARLY", "quá sớm", "is too early"),
            Self::NotWhole => {
                fixed("NOT_WHOLE", "phải đủ ngày, tháng, năm", "must have year, month and day")
            }
        }
    }
}

/// The faults found so far.
#[derive(Debug, Default)]
pub struct Faults(Vec<Violation>);

impl Faults {
    /// Notes a fault of the field at a path, for example `basis.procedure`.
    pub fn add(&mut self, field: impl Into<String>, fault: Fault) {
        let (reason, vi, en) = fault.words();
        self.0.push(Violation { field: field.into(), reason, vi, en });
    }

    /// Notes that a text is missing or too long; true when it is neither.
    pub fn text(&mut self, field: &str, text: &str, max: usize) -> bool {
        if text.trim().is_empty() {
            self.add(field, Fault::Missing);
        } else if text.chars().count() > max {
            self.add(field, Fault::TooLong(max));
        } else {
            return true;
        }
        false
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
