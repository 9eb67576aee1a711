//! The report on the results of connection and sharing (Decision 1911/QD-TTg, Art. 3(1)(dd), 3(4)(dd)) as a document in the form of
//! Decree 30/2020/ND-CP: a PDF. In go the figures, as JSON in the words of [`model::report`], and what the body that makes the
//! report says of itself; out come the same bytes each time. No network, no clock, no fonts of the machine.
//!
//! | module | job |
//! |---|---|
//! | `form` | what the body says of itself |
//! | `words` | what ids are called in Vietnamese |
//! | `text` | how figures, times and citations are written |
//! | `table` | tables as the template takes them |
//! | `content` | everything that the document says |
//! | `clean` | that a text is nothing but text |
//! | `typeset` | template, fonts and typst |

mod clean;
mod content;
mod form;
mod table;
mod text;
mod typeset;
mod words;

pub use form::Form;
use model::report::Report;
use serde::Deserialize;

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was given is not the JSON of a report.
    #[error("this is no report: {0}")]
    Json(#[from] serde_json::Error),
    /// It has other words than these.
    #[error("the report is of the form `{0}`, this is for `{form}`", form = Report::FORM)]
    OtherForm(String),
    /// A time in the report is none.
    #[error("`{field}` of the report is no such time: `{text}`")]
    Time {
        /// Where it stands.
        field: &'static str,
        /// What stands there.
        text: String,
    },
    /// The file of the form is none.
    #[error("this is no form of a document: {0}")]
    Form(String),
    /// What is shipped with this crate is faulty.
    #[error("the shipped data are faulty: {0}")]
    Shipped(String),
    /// The document could not be set.
    #[error("the document could not be set: {0}")]
    Typeset(String),
}

impl Error {
    /// Whether what was given is at fault, and not this crate.
    #[must_use]
    pub fn is_of_input(&self) -> bool {
        match self {
            Self::Json(_) | Self::OtherForm(_) | Self::Time { .. } | Self::Form(_) => true,
            Self::Shipped(_) | Self::Typeset(_) => false,
        }
    }
}

/// Of a report, what says whether the rest can be read.
#[derive(Deserialize)]
struct Beginning {
    form: String,
}

/// The document of a report, as a PDF (PDF/A-3, for archives) to which the report itself is attached, byte for byte.
///
/// # Errors
/// Where the bytes are no report that can be read.
pub fn pdf(report: &[u8], form: &Form) -> Result<Vec<u8>, Error> {
    let beginning: Beginning = serde_json::from_slice(report)?;
    if beginning.form != Report::FORM {
        return Err(Error::OtherForm(beginning.form));
    }
    let read: Report = serde_json::from_slice(report)?;
    let words = words::Words::shipped()?;
    let content = content::Content::of(&read, form, &words)?;
    let mut content = serde_json::to_value(content)?;
    clean::clean(&mut content, typeset::has);
    let made = text::moment(&read.made, "made")?;
    typeset::pdf(serde_json::to_vec(&content)?, report.to_vec(), made)
}
