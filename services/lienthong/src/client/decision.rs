//! Decisions explained, and what may ever be asked for.

use anyhow::Result;
use contract::policy::v1::{
    ExplainDecisionAnswer, ExplainDecisionRequest, WhatMayIAnswer, WhatMayIRequest,
};

use super::{Answered, Client, Refused};

/// Path of an explanation.
pub const EXPLAIN_DECISION: &str = "/lienthong.policy.v1.DecisionService/ExplainDecision";
/// Path of the list of permissions.
pub const WHAT_MAY_I: &str = "/lienthong.policy.v1.DecisionService/WhatMayI";

impl Client {
    /// Explains what would be decided. The outer error is one of transport or form, the inner one the refusal; so with all calls
    /// here.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn explain_decision(
        &self,
        request: &ExplainDecisionRequest,
    ) -> Result<Result<Answered<ExplainDecisionAnswer>, Refused>> {
        self.call(EXPLAIN_DECISION, request).await
    }

    /// Lists what a connection may ask for.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn what_may_i(
        &self,
        request: &WhatMayIRequest,
    ) -> Result<Result<Answered<WhatMayIAnswer>, Refused>> {
        self.call(WHAT_MAY_I, request).await
    }
}
