//! What a request came with to sign it, looked at once: where its exact bytes and the metadata of its call meet. Whether it must be
//! signed a decision says; a signature that is there is verified in any case.

use std::sync::Arc;

use contract::r#type::v1::{ErrorReason, RequestSignature};
use server::{
    ShownCertificate,
    signed::request::{self, Fault},
};
use tonic::Request;

use crate::Exact;

/// The ground of what an agreement demands.
const AGREEING: &str = "Decision 1911/QD-TTg, Art. 3(4)(b)";

/// A signature that verifies, and the certificate that it verifies by.
#[derive(Debug, Clone)]
pub struct Signed {
    pub(crate) signature: RequestSignature,
    pub(crate) certificate: Arc<[u8]>,
}

/// What a request came with to sign it.
#[derive(Debug, Clone, Default)]
pub enum Presented {
    /// Nothing.
    #[default]
    Nothing,
    /// A signature of the caller over this request.
    Signed(Signed),
    /// What is none.
    Wrong(Fault),
    /// Nothing, because several requests come on one call, which cannot be signed. The method of a call of one of them.
    OnStream(&'static str),
}

/// The same as [`Presented::Nothing`], for whoever needs one that lasts.
pub(crate) static NOTHING: Presented = Presented::Nothing;

/// Why a request is refused for its signature, or for want of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSigned {
    /// The reason.
    pub reason: ErrorReason,
    /// The rule that refused.
    pub rule: &'static str,
    /// The article, as cited; empty where it is no law's.
    pub article: &'static str,
    /// Further values for the caller.
    pub more: Vec<(&'static str, String)>,
}

impl Presented {
    /// What a call of a method with one request of these bytes came with.
    pub(crate) fn of<T>(request: &Request<Exact<T>>, method: &str) -> Self {
        let signature = match request::read(request.metadata()) {
            Ok(None) => return Self::Nothing,
            Ok(Some(signature)) => signature,
            Err(fault) => return Self::Wrong(fault),
        };
        let Some(shown) = ShownCertificate::of(request) else {
            return Self::Wrong(Fault::NoCertificate);
        };
        let message = tlog::request_to_sign(method, &tlog::digest(request.get_ref().bytes()));
        match request::verify(&signature, shown.der(), &message) {
            Ok(()) => Self::Signed(Signed { signature, certificate: Arc::clone(shown.der()) }),
            Err(fault) => Self::Wrong(fault),
        }
    }

    /// What a call came with that sends several requests, each of which a call of `instead` would send.
    pub fn on_stream<T>(request: &Request<T>, instead: &'static str) -> Self {
        match request::read(request.metadata()) {
            Ok(None) => Self::OnStream(instead),
            Ok(Some(_)) | Err(_) => Self::Wrong(Fault::Stream),
        }
    }

    /// The signature, where it is one.
    pub(crate) fn signed(&self) -> Option<&Signed> {
        match self {
            Self::Signed(signed) => Some(signed),
            Self::Nothing | Self::Wrong(_) | Self::OnStream(_) => None,
        }
    }

    /// Why the request is refused; none where it goes on. `demanded` is the id of the agreement that demands a signature, or nothing
    /// where no single one is named; none where none is demanded.
    #[must_use]
    pub fn refusal(&self, demanded: Option<&str>) -> Option<NotSigned> {
        let required = |agreement: &str, instead: Option<&str>| {
            let instead = instead.map(|method| ("method", method.to_owned()));
            let named = Some(agreement).filter(|agreement| !agreement.is_empty());
            let more = named.map(|agreement| ("agreement", agreement.to_owned()));
            let more = more.into_iter().chain(instead);
            NotSigned {
                reason: ErrorReason::SignatureRequired,
                rule: "signed-requests",
                article: AGREEING,
                more: more.collect(),
            }
        };
        match (self, demanded) {
            (Self::Wrong(fault), _) => Some(NotSigned {
                reason: ErrorReason::SignatureInvalid,
                rule: "request-signature",
                article: "",
                more: vec![("fault", fault.name().to_owned())],
            }),
            (Self::Nothing, Some(agreement)) => Some(required(agreement, None)),
            (Self::OnStream(instead), Some(agreement)) => Some(required(agreement, Some(instead))),
            (Self::Signed(_), _) | (Self::Nothing | Self::OnStream(_), None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use bytes::Bytes;
    use tonic::metadata::MetadataValue;

    use super::*;

    /// Behind the proxy of a mesh nobody has shown a certificate, and nothing is believed of what a proxy says of one.
    #[test]
    fn i9_where_no_certificate_was_shown_no_signature_verifies() {
        let exact = || Exact { message: (), bytes: Bytes::new(), presented: Presented::Nothing };
        let unsigned = Request::new(exact());
        assert!(matches!(Presented::of(&unsigned, "/a/b"), Presented::Nothing));
        assert!(matches!(Presented::on_stream(&unsigned, "/a/b"), Presented::OnStream("/a/b")));
        let mut signed = Request::new(exact());
        signed.metadata_mut().insert_bin(request::METADATA, MetadataValue::from_bytes(b""));
        let presented = Presented::of(&signed, "/a/b");
        assert!(matches!(presented, Presented::Wrong(Fault::NoCertificate)), "{presented:?}");
        let presented = Presented::on_stream(&signed, "/a/b");
        assert!(matches!(presented, Presented::Wrong(Fault::Stream)), "{presented:?}");
    }

    /// Every state of a request under every demand: nothing but what is signed goes on where that is demanded, and nothing that is
    /// wrong ever does.
    #[test]
    fn i2_what_must_be_signed_goes_on_when_it_is_and_what_is_wrong_never() {
        let signed = Signed { signature: RequestSignature::default(), certificate: Arc::new([]) };
        let faults = [
            Fault::Malformed,
            Fault::Algorithm,
            Fault::NoCertificate,
            Fault::OtherCertificate,
            Fault::NotVerified,
            Fault::Stream,
        ];
        for demanded in [None, Some(""), Some("agr-1")] {
            let refusal = |presented: Presented| presented.refusal(demanded);
            assert_eq!(refusal(Presented::Signed(signed.clone())), None);
            for fault in faults {
                let refused = refusal(Presented::Wrong(fault)).unwrap();
                assert_eq!(refused.reason, ErrorReason::SignatureInvalid);
                assert_eq!(refused.more, [("fault", fault.name().to_owned())]);
            }
            for unsigned in [Presented::Nothing, Presented::OnStream("/a/b")] {
                let reason = refusal(unsigned).map(|refused| refused.reason);
                assert_eq!(reason, demanded.map(|_| ErrorReason::SignatureRequired));
            }
        }
        let instead = Presented::OnStream("/a/b").refusal(Some("agr-1")).unwrap().more;
        assert_eq!(instead, [("agreement", "agr-1".to_owned()), ("method", "/a/b".to_owned())]);
    }
}
