//! The gate for whoever speaks no gRPC: answers in JSON over HTTP/1.1. What a [`PersonalSite`] answers is a [`Reply`], and one that
//! tells of a person is made from [`Disclosed`] and from nothing else: its body is the bytes that were recorded, and their receipt
//! is in a header.
//!
//! ```compile_fail
//! fn unrecorded(answer: disclosure::Answer<disclosure::web::Json>) -> disclosure::web::Reply {
//!     answer.into()
//! }
//! ```

use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::r#type::v1::ErrorReason;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};
use server::{
    Caller, Deadline, error,
    web::{Answer as Sent, Site},
};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{Answer, Disclosed};

/// The header of an answer that has its receipt: a `lienthong.audit.v1.Receipt` in base64.
pub const RECEIPT: HeaderName = HeaderName::from_static("lienthong-receipt");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Nobody in between keeps anything of a person.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// When to come again, in seconds, where a refusal does not say it.
const COME_AGAIN: &str = "1";

/// What is JSON rather than a message.
#[derive(Debug)]
pub struct Json;

impl Answer<Json> {
    /// Serialises the answer.
    pub fn json(answer: &Value) -> Self {
        Self::of(answer.to_string().into())
    }
}

/// What a site of personal data answers.
pub struct Reply(Sent);

impl From<Disclosed<Json>> for Reply {
    fn from(disclosed: Disclosed<Json>) -> Self {
        let receipt = STANDARD.encode(disclosed.receipt.to_bytes());
        let mut reply = Self::of(StatusCode::OK, Full::new(disclosed.answer.bytes));
        if let Ok(receipt) = receipt.try_into() {
            reply.0.headers_mut().insert(RECEIPT, receipt);
        }
        reply
    }
}

impl Reply {
    fn of(status: StatusCode, body: Full<bytes::Bytes>) -> Self {
        let mut sent = Response::new(body);
        *sent.status_mut() = status;
        sent.headers_mut().insert(header::CONTENT_TYPE, JSON);
        sent.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
        Self(sent)
    }

    /// A fixed text, in JSON.
    #[must_use]
    pub fn fixed(text: &'static str) -> Self {
        Self::of(StatusCode::OK, Full::new(text.into()))
    }

    /// A refusal for how it was asked for, before anybody was asked about.
    #[must_use]
    pub fn not_there(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        let body = json!({ "code": code, "message": message });
        let mut reply = Self::of(status, Full::new(body.to_string().into()));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            reply.0.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
        }
        reply
    }

    /// A refusal, in words that the one table has of it. As with a call, an error holds nothing of a person.
    #[must_use]
    pub fn refused(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let code = info.map_or(error::code_name(status.code()), |info| info.reason.as_str());
        let said = details.localized_message().map(|said| said.message.as_str());
        let mut message = format!("{} / {}", said.unwrap_or_default(), status.message());
        let faulty = details.bad_request().map(|bad| bad.field_violations.as_slice());
        let mut fields = Vec::new();
        for one in faulty.unwrap_or_default() {
            message += &format!("\n{}: {}", one.field, one.description);
            fields.push(json!({ "field": one.field, "reason": one.reason }));
        }
        let metadata = info.map(|info| &info.metadata);
        let again = metadata.and_then(|metadata| metadata.get("retry_after_seconds")).cloned();
        let ours = json!({ "fields": fields, "metadata": metadata });
        let body = json!({ "code": code, "message": message, "lienthong": ours });
        let status = http_status(status.code());
        let mut reply = Self::of(status, Full::new(body.to_string().into()));
        let later = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
        let again = again.unwrap_or_else(|| COME_AGAIN.to_owned()).try_into();
        if let (true, Ok(again)) = (later.contains(&status), again) {
            reply.0.headers_mut().insert(header::RETRY_AFTER, again);
        }
        reply
    }
}

/// Denial, outage and overload are told apart here, too (I9).
fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => {
            StatusCode::BAD_REQUEST
        }
        Code::PermissionDenied | Code::Unauthenticated => StatusCode::FORBIDDEN,
        Code::NotFound | Code::Unimplemented => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Cancelled | Code::Unknown | Code::Internal | Code::DataLoss => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

/// A [`Site`] that tells of persons.
pub trait PersonalSite: Send + Sync + 'static {
    /// As [`Site::name`].
    fn name(&self, path: &str) -> Option<&'static str>;

    /// The answer to a request of this caller, whose body is not read, by this moment.
    fn answer(
        &self,
        request: Request<()>,
        caller: Caller,
        deadline: Deadline,
    ) -> impl Future<Output = Reply> + Send;
}

/// A site as a listener takes it.
pub struct Gate<S>(pub S);

impl<S: PersonalSite> Site for Gate<S> {
    fn name(&self, path: &str) -> Option<&'static str> {
        self.0.name(path)
    }

    async fn answer(&self, request: Request<()>, caller: Caller, deadline: Deadline) -> Sent {
        let Reply(sent) = self.0.answer(request, caller, deadline).await;
        sent
    }

    fn refused(&self, status: StatusCode) -> Sent {
        let Reply(mut sent) = Reply::refused(&error::refuse(match status {
            StatusCode::SERVICE_UNAVAILABLE => ErrorReason::Overloaded,
            StatusCode::GATEWAY_TIMEOUT => ErrorReason::DeadlineExceeded,
            _ => ErrorReason::MethodNotAllowed,
        }));
        *sent.status_mut() = status;
        sent
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use contract::r#type::v1::{ErrorReason, FieldFault};
    use futures::FutureExt as _;
    use http_body_util::BodyExt as _;
    use server::error::{Violation, invalid, refuse, refuse_with};

    use super::*;

    fn parts(status: &Status) -> (u16, Option<String>, Value) {
        let Reply(sent) = Reply::refused(status);
        let again = sent.headers().get(header::RETRY_AFTER);
        let again = again.map(|again| again.to_str().unwrap().to_owned());
        assert_eq!(sent.headers()[header::CACHE_CONTROL], "no-store");
        let status = sent.status().as_u16();
        let body = sent.into_body().collect().now_or_never().unwrap().unwrap().to_bytes();
        (status, again, serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn i9_denial_outage_overload_and_a_spent_budget_are_told_apart() {
        let check = |status: &Status, expect: u16, again: Option<&str>, code: &str| {
            let (status, after, body) = parts(status);
            assert_eq!((status, after.as_deref()), (expect, again), "{code}");
            assert_eq!(body["code"], code);
            assert!(body["message"].as_str().unwrap().contains(" / "), "{body}");
        };
        check(&refuse(ErrorReason::NothingAllowed), 403, None, "NOTHING_ALLOWED");
        check(&refuse(ErrorReason::PolicyUnavailable), 503, Some("1"), "POLICY_UNAVAILABLE");
        check(&refuse(ErrorReason::DeadlineExceeded), 504, None, "DEADLINE_EXCEEDED");
        check(&refuse(ErrorReason::Internal), 500, None, "INTERNAL");
        let after = [("retry_after_seconds", "90".to_owned())];
        let spent = refuse_with(ErrorReason::GuessingBudgetSpent, &after);
        check(&spent, 429, Some("90"), "GUESSING_BUDGET_SPENT");
    }

    #[test]
    fn every_faulty_field_is_named_at_once() {
        let fault = |field: &str| Violation::new(field, FieldFault::Missing, "thiếu", "is missing");
        let (status, _, body) = parts(&invalid(vec![fault("userCode"), fault("limit")]));
        assert_eq!((status, &body["code"]), (400, &json!("INVALID_REQUEST")));
        let message = body["message"].as_str().unwrap();
        assert!(message.contains("userCode: ") && message.contains("limit: "), "{message}");
        assert_eq!(
            body["lienthong"]["fields"][1],
            json!({ "field": "limit", "reason": "MISSING" })
        );
    }
}
