//! Consents of persons: the calls of `ConsentService`.

use anyhow::Result;
use contract::identity::v1::{
    ConsentAnswer, GetConsentRequest, RecordConsentRequest, WithdrawConsentRequest,
};

use super::{Answered, Client, Refused};

/// Path of recording a consent.
pub const RECORD_CONSENT: &str = "/lienthong.identity.v1.ConsentService/RecordConsent";
/// Path of withdrawing one.
pub const WITHDRAW_CONSENT: &str = "/lienthong.identity.v1.ConsentService/WithdrawConsent";
/// Path of one as it is.
pub const GET_CONSENT: &str = "/lienthong.identity.v1.ConsentService/GetConsent";

type Told = Result<Result<Answered<ConsentAnswer>, Refused>>;

impl Client {
    /// Records a consent. The outer error is one of transport or form, the inner one the refusal.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn record_consent(&self, request: &RecordConsentRequest) -> Told {
        self.call(RECORD_CONSENT, request).await
    }

    /// Withdraws a consent. The outer error is one of transport or form, the inner one the refusal.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn withdraw_consent(&self, request: &WithdrawConsentRequest) -> Told {
        self.call(WITHDRAW_CONSENT, request).await
    }

    /// Gives a consent as it is. The outer error is one of transport or form, the inner one the refusal.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn get_consent(&self, request: &GetConsentRequest) -> Told {
        self.call(GET_CONSENT, request).await
    }
}
