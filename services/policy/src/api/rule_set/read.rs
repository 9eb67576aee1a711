//! A move of a rule set in a request, checked for form; every faulty field is named at once.

use contract::policy::v1::{
    MoveRuleSetRequest, RuleSetSignature, SimulateRequest, move_rule_set_request::Move,
    simulate_request::RuleSet,
};
use time::Date;
use wire::{Fault, Faults};

use super::super::signature;
use crate::{
    app::{
        Signed,
        rule_set::{Tried, Wanted},
    },
    domain::{calendar::read_day, officers::Role, rule_set::Content},
};

const CONTENT_MAX: usize = 512 << 10;
const DOCUMENT_MAX: usize = 64;
const REASON_MAX: usize = 2_000;
const FILES_MAX: usize = 200;

/// Who may make a move. Whoever names none may do so as little as anybody.
pub(super) fn roles(request: &MoveRuleSetRequest) -> &'static [Role] {
    match &request.r#move {
        Some(Move::Propose(_)) => &[Role::PolicyAuthor],
        Some(Move::Approve(_)) => &[Role::PolicyApprover],
        Some(Move::Withdraw(_)) | None => &[Role::PolicyAuthor, Role::PolicyApprover],
    }
}

/// What a request wants. Where there is something, faults may have been named all the same.
pub(super) fn request(request: &MoveRuleSetRequest, faults: &mut Faults) -> Option<Wanted> {
    faults.key("request_id", &request.request_id);
    let number = request.number;
    let proposes = matches!(request.r#move, Some(Move::Propose(_)));
    match number {
        0 if !proposes => faults.add("number", Fault::Missing),
        0 => {}
        _ if proposes => faults.add("number", Fault::NotAllowed),
        _ => {}
    }
    match &request.r#move {
        None => {
            faults.add("move", Fault::Missing);
            None
        }
        Some(Move::Propose(proposal)) => {
            let content = content("propose.content", &proposal.content, faults);
            if let Some(content) = &content {
                faults.text("propose.content.document", &content.document, DOCUMENT_MAX);
                faults.words("propose.content.reason", &content.reason, REASON_MAX);
            }
            let signed = signed("propose.signature", proposal.signature.as_ref(), faults)?;
            Some(Wanted::Propose(Box::new(content?), proposal.content.clone(), signed))
        }
        Some(Move::Approve(signature)) => {
            Some(Wanted::Approve(number, signed("approve", Some(signature), faults)?))
        }
        Some(Move::Withdraw(reason)) => {
            faults.words("withdraw", reason, REASON_MAX);
            Some(Wanted::Withdraw(number, reason.clone()))
        }
    }
}

/// Which set is tried.
pub(super) fn tried(request: &SimulateRequest, faults: &mut Faults) -> Option<Tried> {
    match &request.rule_set {
        None => {
            faults.add("rule_set", Fault::Missing);
            None
        }
        Some(RuleSet::Number(number)) => Some(Tried::Number(*number)),
        Some(RuleSet::Content(bytes)) => {
            Some(Tried::Draft(Box::new(content("content", bytes, faults)?)))
        }
    }
}

/// The day as of which a set is tried; none for now.
pub(super) fn day(text: &str, today: Date, faults: &mut Faults) -> Option<Date> {
    if text.is_empty() {
        return None;
    }
    let day = read_day(text);
    match day {
        None => faults.add("day", Fault::Malformed),
        Some(day) if day < today => faults.add("day", Fault::TooEarly),
        Some(_) => {}
    }
    day
}

fn content(field: &str, bytes: &[u8], faults: &mut Faults) -> Option<Content> {
    if bytes.is_empty() {
        faults.add(field, Fault::Missing);
        return None;
    }
    if bytes.len() > CONTENT_MAX {
        faults.add(field, Fault::TooLong(CONTENT_MAX));
        return None;
    }
    let Ok(content) = Content::parse(bytes) else {
        faults.add(field, Fault::Malformed);
        return None;
    };
    if content.files.len() > FILES_MAX {
        faults.add(format!("{field}.files"), Fault::TooMany(FILES_MAX));
    }
    Some(content)
}

fn signed(field: &str, message: Option<&RuleSetSignature>, faults: &mut Faults) -> Option<Signed> {
    let Some(message) = message else {
        faults.add(field, Fault::Missing);
        return None;
    };
    let RuleSetSignature { certificates, signature, .. } = message;
    signature::signed(field, message.algorithm(), certificates, signature, faults)
}
