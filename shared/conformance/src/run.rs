//! One run, case after case.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use contract::database::v1::{DatabaseEnvironment, RULES, Rule};

use crate::{
    Plan, Refusal, Role,
    cases::{CASES, Case},
    descriptors,
    found::{Found, Trouble, Words, not_tried},
    kit::Kit,
    report::{CaseReport, Report, Status},
    rules,
};

/// A case of which nothing comes for so many times the patience with one answer has failed.
const CASE_PATIENCE: u32 = 12;

/// What happens in a run.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The database described itself; so many cases will be tried.
    Begun(usize),
    /// A case begins.
    Trying(&'static Rule),
    /// A case ended.
    Tried(&'a CaseReport),
}

/// Looks at a database. `stop` ends it: what was found so far is the report.
///
/// # Errors
/// When nothing was looked at.
pub async fn run(
    plan: Plan,
    stop: impl Future<Output = ()>,
    mut watch: impl FnMut(Event<'_>),
) -> Result<Report, Refusal> {
    let began = plan.clock.now();
    let mut stop = pin!(stop);
    let cases = chosen(&plan)?;
    let kit = tokio::select! {
        kit = Kit::prepare(plan.clone()) => kit?,
        () = &mut stop => return Err(Refusal::NoDescription("bị ngắt / interrupted".into())),
    };
    let environment = kit.description.environment();
    if environment != DatabaseEnvironment::Synthetic {
        return Err(Refusal::NotSynthetic(environment.as_str_name().to_owned()));
    }
    let roles = match plan.roles.as_slice() {
        [] => kit.roles().collect(),
        roles => roles.to_vec(),
    };
    let asked = |case: &&Case| Role::of_rule(case.id).is_none_or(|role| roles.contains(&role));
    let cases: Vec<&Case> = cases.into_iter().filter(asked).collect();
    watch(Event::Begun(cases.len()));
    let mut done = Vec::new();
    let mut interrupted = false;
    for case in cases {
        let rule = rule(case)?;
        let report = if interrupted {
            CaseReport::stopped(rule)
        } else {
            watch(Event::Trying(rule));
            let report = tokio::select! {
                report = tried(&kit, case, rule) => Some(report),
                () = &mut stop => None,
            };
            interrupted = report.is_none();
            report.unwrap_or_else(|| CaseReport::stopped(rule))
        };
        watch(Event::Tried(&report));
        done.push(report);
    }
    let described = if interrupted { None } else { Some(descriptors::of_target(&kit).await) };
    let tls = if interrupted { None } else { facts(&kit).await };
    let ended = plan.clock.now();
    let order = |case: &CaseReport| RULES.iter().position(|rule| rule.id == case.rule);
    done.sort_by_key(order);
    Ok(Report::new(&kit, roles, done, interrupted, described, tls, (began, ended)))
}

fn rule(case: &Case) -> Result<&'static Rule, Refusal> {
    let rule = RULES.iter().find(|rule| rule.id == case.id);
    rule.ok_or_else(|| Refusal::Usage(format!("{} is no rule of the contract", case.id)))
}

/// The cases that are wanted.
fn chosen(plan: &Plan) -> Result<Vec<&'static Case>, Refusal> {
    for id in &plan.only {
        if !CASES.iter().any(|case| case.id == id) {
            let why = format!("không có quy tắc `{id}` / there is no rule `{id}`");
            return Err(Refusal::Usage(why));
        }
    }
    let wanted = |case: &&Case| plan.only.is_empty() || plan.only.iter().any(|id| id == case.id);
    Ok(CASES.iter().filter(wanted).collect())
}

async fn facts(kit: &Kit) -> Option<crate::wire::tls::Facts> {
    Some(kit.connect().await.ok()?.facts.clone())
}

async fn tried(kit: &Kit, case: &Case, rule: &'static Rule) -> CaseReport {
    let began = Instant::now();
    let mut found = Found::default();
    let longest = kit.patience() * CASE_PATIENCE;
    let unwarranted = if asks(kit, case) { kit.warrant_key().err() } else { None };
    let outcome = match Role::of_rule(case.id).filter(|role| !kit.has(*role)) {
        Some(role) => Err(not_tried(
            (
                format!("mô tả của cơ sở dữ liệu không có vai trò {}", role.name()),
                format!("the description does not name the role {}", role.name()),
            ),
            (
                "bỏ --role này, hoặc khai báo vai trò trong DescribeDatabase",
                "leave this --role out, or name the role in DescribeDatabase",
            ),
        )),
        None if unwarranted.is_some() => unwarranted.map_or(Ok(()), Err),
        None => match tokio::time::timeout(longest, (case.run)(kit, &mut found)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                found.fail("the whole case", "an end", hang(longest));
                Ok(())
            }
        },
    };
    let missing = match outcome {
        Ok(()) => None,
        Err(Trouble::Failed(finding)) => {
            found.findings.push(finding);
            None
        }
        Err(Trouble::NotTried(missing)) => Some(missing),
    };
    let status = match (found.findings.is_empty(), &missing) {
        (false, _) if rule.must => Status::Failed,
        (false, _) => Status::Warning,
        (true, Some(_)) => Status::NotTried,
        (true, None) => Status::Passed,
    };
    CaseReport {
        rule: rule.id,
        must: rule.must,
        of: rule.of,
        text: Words::new(rules::vi(rule.id), rule.text),
        status,
        seconds: began.elapsed().as_secs_f64(),
        findings: found.findings,
        remarks: found.remarks,
        not_tried: missing,
    }
}

/// Whether the case needs questions that are answered: every one of the role lookup, and those that call every method of a
/// database that has it.
fn asks(kit: &Kit, case: &Case) -> bool {
    let every = ["DB-11", "DB-12", "DB-13", "DB-14"];
    kit.has(Role::Lookup)
        && (every.contains(&case.id) || Role::of_rule(case.id) == Some(Role::Lookup))
}

fn hang(longest: Duration) -> String {
    format!("it was not at its end after {:.0} s", longest.as_secs_f64())
}
