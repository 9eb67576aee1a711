//! Obligations, as the contract writes them for whoever is given an item.

use contract::r#type::v1 as types;
use decide::{MaskForm, Obligation};
use types::obligation::Obligation as Written;

/// An obligation as the contract writes it.
#[must_use]
pub fn obligation(obligation: Obligation) -> types::Obligation {
    let written = match obligation {
        Obligation::Mask(form) => {
            let form = match form {
                MaskForm::Province => types::MaskForm::Province,
                MaskForm::LastFour => types::MaskForm::LastFour,
            };
            Written::Mask(form.into())
        }
        Obligation::MaxAge(seconds) => Written::MaxAge(crate::duration(seconds.into())),
        Obligation::NoOnwardTransfer => Written::NoOnwardTransfer(types::NoOnwardTransfer {}),
        Obligation::ValidUntil(seconds) => {
            Written::ValidUntil(prost_types::Timestamp { seconds, nanos: 0 })
        }
    };
    types::Obligation { obligation: Some(written) }
}
