//! Rule sets, as officers of the operator put them in force.

use anyhow::Result;
use contract::policy::v1::{
    GetRuleSetAnswer, GetRuleSetRequest, ListRuleSetsAnswer, ListRuleSetsRequest,
    MoveRuleSetAnswer, MoveRuleSetRequest, SimulateAnswer, SimulateRequest,
};

use super::{Answered, Client, Refused};

/// Path of a move.
pub const MOVE_RULE_SET: &str = "/lienthong.policy.v1.RuleSetService/MoveRuleSet";
/// Path of a rule set with its moves.
pub const GET_RULE_SET: &str = "/lienthong.policy.v1.RuleSetService/GetRuleSet";
/// Path of the list of rule sets.
pub const LIST_RULE_SETS: &str = "/lienthong.policy.v1.RuleSetService/ListRuleSets";
/// Path of a trial.
pub const SIMULATE: &str = "/lienthong.policy.v1.RuleSetService/Simulate";

impl Client {
    /// Moves a rule set. The outer error is one of transport or form, the inner one the refusal; so with all calls here.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn move_rule_set(
        &self,
        request: &MoveRuleSetRequest,
    ) -> Result<Result<Answered<MoveRuleSetAnswer>, Refused>> {
        self.call(MOVE_RULE_SET, request).await
    }

    /// Gives a rule set with its bytes and its moves.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn get_rule_set(
        &self,
        request: &GetRuleSetRequest,
    ) -> Result<Result<Answered<GetRuleSetAnswer>, Refused>> {
        self.call(GET_RULE_SET, request).await
    }

    /// Lists rule sets.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn list_rule_sets(
        &self,
        request: &ListRuleSetsRequest,
    ) -> Result<Result<Answered<ListRuleSetsAnswer>, Refused>> {
        self.call(LIST_RULE_SETS, request).await
    }

    /// Decides what was asked under another rule set.
    ///
    /// # Errors
    /// When the response is none.
    pub async fn simulate(
        &self,
        request: &SimulateRequest,
    ) -> Result<Result<Answered<SimulateAnswer>, Refused>> {
        self.call(SIMULATE, request).await
    }
}
