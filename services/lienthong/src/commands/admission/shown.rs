//! Admissions for people and for programs.

use std::io::Write;

use anyhow::Result;
use contract::policy::v1::{
    Admission, AdmissionMove, AdmissionObstacle, LegalDeadline, ObligedDatabase, Obstacle,
    move_connection_request::Move,
};
use lienthong::client::moment;
use serde_json::{Value, json};

fn state(number: i32) -> &'static str {
    use contract::policy::v1::AdmissionState;
    let name = AdmissionState::try_from(number).unwrap_or_default().as_str_name();
    name.strip_prefix("ADMISSION_STATE_").unwrap_or(name)
}

fn name(obstacle: &Obstacle) -> &'static str {
    let name = AdmissionObstacle::try_from(obstacle.obstacle).unwrap_or_default().as_str_name();
    name.strip_prefix("ADMISSION_OBSTACLE_").unwrap_or(name)
}

/// The name of a move, as its command has it.
fn step(step: Option<&Move>) -> &'static str {
    match step {
        None => "",
        Some(Move::Apply(_)) => "apply",
        Some(Move::Check(_)) => "check",
        Some(Move::Agree(_)) => "agree",
        Some(Move::Conform(_)) => "conform",
        Some(Move::Assess(_)) => "assess",
        Some(Move::Activate(_)) => "activate",
        Some(Move::Suspend(_)) => "suspend",
        Some(Move::Resume(_)) => "resume",
        Some(Move::ProposeEnd(_)) => "end --propose",
        Some(Move::End(_)) => "end",
        Some(Move::Expire(_)) => "expire",
    }
}

pub(super) fn admission(admission: &Admission, out: &mut impl Write) -> Result<()> {
    let form = admission.application.clone().unwrap_or_default();
    let (id, version, state) = (&admission.connection, admission.version, state(admission.state));
    writeln!(out, "{id}  {state}  (version {version}, database {})", form.database)?;
    writeln!(out, "  system               {} of {}", form.system, form.agency)?;
    if !admission.cause.is_empty() {
        writeln!(out, "  cause                {} ({})", admission.cause, admission.article)?;
    }
    if !admission.proposed_end.is_empty() {
        writeln!(out, "  end proposed         {}", admission.proposed_end)?;
    }
    if !admission.next_assessment_day.is_empty() {
        let due = if admission.assessment_due { "  DUE" } else { "" };
        writeln!(out, "  next assessment      {}{due}", admission.next_assessment_day)?;
    }
    for one in &admission.obstacles {
        obstacle(one, out)?;
    }
    deadline(admission.deadline.as_ref(), out)
}

fn obstacle(obstacle: &Obstacle, out: &mut impl Write) -> Result<()> {
    let owed = match obstacle.owed_by.as_str() {
        "" => String::new(),
        by => format!("  owed by the {by} ({})", obstacle.article),
    };
    let what = format!("{} {}", name(obstacle), obstacle.subject);
    writeln!(out, "  missing              {}{owed}", what.trim_end())?;
    Ok(())
}

fn deadline(deadline: Option<&LegalDeadline>, out: &mut impl Write) -> Result<()> {
    let Some(LegalDeadline { en, article, due_time, .. }) = deadline else { return Ok(()) };
    let due = moment(*due_time).unwrap_or_default();
    writeln!(out, "  before {due}  {en} ({article})")?;
    Ok(())
}

pub(super) fn made(made: &AdmissionMove, out: &mut impl Write) -> Result<()> {
    let request = made.request.clone().unwrap_or_default();
    let (at, step) = (moment(made.move_time).unwrap_or_default(), step(request.r#move.as_ref()));
    writeln!(out, "  {:>3}  {at}  {step} -> {}", made.version, state(made.state))?;
    writeln!(out, "       by {} {}", made.made_by, made.role)?;
    if let Some(document) = &request.document {
        let (number, issuer, day) = (&document.number, &document.issuer, &document.day);
        writeln!(out, "       document {number} of {day}, {issuer}")?;
    }
    writeln!(out, "       {}", request.reason)?;
    match made.record_index {
        Some(index) => writeln!(out, "       record {index}")?,
        None => writeln!(out, "       not recorded yet")?,
    }
    Ok(())
}

pub(super) fn ready(database: &ObligedDatabase, out: &mut impl Write) -> Result<()> {
    let stands = if database.connected { "connected" } else { "NOT CONNECTED" };
    let several = if database.several { ", one for each" } else { "" };
    writeln!(out, "{}  {stands}{several}", database.database)?;
    writeln!(out, "  {} / {}", database.vi, database.en)?;
    writeln!(out, "  answers for it       {} / {}", database.owner_vi, database.owner_en)?;
    writeln!(out, "  obliged by           {}", database.article)?;
    if !database.connections.is_empty() {
        writeln!(out, "  connections          {}", database.connections.join(", "))?;
    }
    if !database.connected {
        writeln!(out, "  since                {}", database.since_day)?;
        for one in &database.obstacles {
            obstacle(one, out)?;
        }
        if !database.due_day.is_empty() {
            writeln!(
                out,
                "  before               {} ({})",
                database.due_day, database.due_article
            )?;
        }
    }
    Ok(())
}

fn obstacle_json(obstacle: &Obstacle) -> Value {
    json!({
        "obstacle": name(obstacle),
        "subject": obstacle.subject,
        "owed_by": obstacle.owed_by,
        "article": obstacle.article,
    })
}

fn deadline_json(deadline: Option<&LegalDeadline>) -> Value {
    deadline.map_or(Value::Null, |deadline| {
        json!({
            "id": deadline.id,
            "vi": deadline.vi,
            "en": deadline.en,
            "article": deadline.article,
            "due_time": moment(deadline.due_time),
        })
    })
}

pub(super) fn admission_json(admission: &Admission) -> Value {
    let form = admission.application.clone().unwrap_or_default();
    json!({
        "connection": admission.connection,
        "version": admission.version,
        "state": state(admission.state),
        "agency": form.agency,
        "system": form.system,
        "database": form.database,
        "obstacles": admission.obstacles.iter().map(obstacle_json).collect::<Vec<_>>(),
        "cause": admission.cause,
        "article": admission.article,
        "proposed_end": admission.proposed_end,
        "next_assessment_day": admission.next_assessment_day,
        "assessment_due": admission.assessment_due,
        "move_time": moment(admission.move_time),
        "deadline": deadline_json(admission.deadline.as_ref()),
    })
}

pub(super) fn move_json(made: &AdmissionMove) -> Value {
    let request = made.request.clone().unwrap_or_default();
    let document = request.document.map(|document| {
        json!({ "number": document.number, "issuer": document.issuer, "day": document.day })
    });
    json!({
        "version": made.version,
        "move": step(request.r#move.as_ref()),
        "state": state(made.state),
        "made_by": made.made_by,
        "role": made.role,
        "move_time": moment(made.move_time),
        "document": document,
        "reason": request.reason,
        "request_id": request.request_id,
        "deadline": deadline_json(made.deadline.as_ref()),
        "record_index": made.record_index,
    })
}

pub(super) fn ready_json(database: &ObligedDatabase) -> Value {
    json!({
        "database": database.database,
        "name": { "vi": database.vi, "en": database.en },
        "owner": { "vi": database.owner_vi, "en": database.owner_en },
        "article": database.article,
        "several": database.several,
        "connected": database.connected,
        "since_day": database.since_day,
        "due_day": database.due_day,
        "due_article": database.due_article,
        "obstacles": database.obstacles.iter().map(obstacle_json).collect::<Vec<_>>(),
        "connections": database.connections,
    })
}
