//! What the body that makes the report says of itself: `data/form.toml`, or a file of its own.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Error;

const SHIPPED: &str = include_str!("../data/form.toml");

/// What a document says beside its content (Decree 30/2020/ND-CP, Art. 8(2)).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    pub(crate) body: Body,
    pub(crate) document: Document,
    pub(crate) signer: Signer,
    pub(crate) recipients: Recipients,
    #[serde(default)]
    pub(crate) content: Content,
    #[serde(default)]
    pub(crate) agencies: BTreeMap<String, String>,
}

/// Who issues it, and where.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Body {
    #[serde(default)]
    pub(crate) superior: String,
    pub(crate) name: String,
    pub(crate) place: String,
}

/// Number, symbol, subject and to whom.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    #[serde(default)]
    pub(crate) number: String,
    pub(crate) symbol: String,
    #[serde(default)]
    pub(crate) subject: String,
    #[serde(default)]
    pub(crate) addressees: Vec<String>,
}

/// Who signs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signer {
    #[serde(default)]
    pub(crate) authority: Vec<String>,
    pub(crate) post: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) note: String,
}

/// Who gets it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipients {
    #[serde(default)]
    pub(crate) list: Vec<String>,
    pub(crate) archive: String,
}

/// What no figure says: the sections that persons write.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Content {
    #[serde(default)]
    pub(crate) tasks: Vec<String>,
    #[serde(default)]
    pub(crate) proposals: Vec<String>,
}

impl Form {
    /// The form of a body that does not exist.
    ///
    /// # Errors
    /// Never, but for a fault of this crate.
    pub fn demonstration() -> Result<Self, Error> {
        Self::read(SHIPPED)
    }

    /// A form out of the text of its file.
    ///
    /// # Errors
    /// Where the text is no form: unknown keys, missing ones, or no name of whom the document must name.
    pub fn read(text: &str) -> Result<Self, Error> {
        let form: Self = toml::from_str(text).map_err(|error| Error::Form(error.to_string()))?;
        // A document without one of these is none of the decree's.
        let named = [
            ("body.name", &form.body.name),
            ("body.place", &form.body.place),
            ("document.symbol", &form.document.symbol),
            ("signer.post", &form.signer.post),
            ("signer.name", &form.signer.name),
            ("recipients.archive", &form.recipients.archive),
        ];
        match named.iter().find(|(_, text)| text.trim().is_empty()) {
            Some((key, _)) => Err(Error::Form(format!("`{key}` is empty"))),
            None => Ok(form),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn the_shipped_form_is_one_and_faulty_ones_are_not() {
        Form::demonstration().unwrap();
        let unknown = format!("{SHIPPED}\n[more]\nx = 1");
        assert!(Form::read(&unknown).is_err());
        let nameless = SHIPPED.replace("\"Nguyễn Giả Định Minh\"", "\" \"");
        assert!(Form::read(&nameless).unwrap_err().to_string().contains("signer.name"));
        assert!(Form::read("body = 1").is_err());
    }
}
