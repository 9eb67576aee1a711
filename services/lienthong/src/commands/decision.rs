//! `lienthong decision`: what would be decided and why, and what a connection may ever ask for. For agencies about their own
//! connection, for officers about any.

mod shown;

use std::io::Write;

use anyhow::Result;
use contract::policy::v1::{AssumedFact, DecisionAct, ExplainDecisionRequest, WhatMayIRequest};
use serde_json::{Value, json};

use super::{
    connection::{Connected, Connection},
    evidence,
    output::{Ending, Format, Output, print, refuse, say},
};

/// Who asks, in a demonstration.
const CALLER: &str = "social-insurance";
/// Permissions asked for at once.
const PAGE: u32 = 100;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Says what would be decided now and why: each ground, each item with the rules that decide it, and what would change it.
    ///
    /// Nobody's record is read: what is not said of the subject is not known, and counts both ways.
    Explain(Box<Explain>),
    /// Lists what a connection may ever ask for: acts, procedures, grounds and items, and on which conditions each is given.
    WhatMayI(Box<WhatMayI>),
}

#[derive(clap::Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    connection: Connection,
    /// Id of the connection: for officers. An agency asks about its own.
    #[arg(long = "of", help_heading = "Question", value_name = "ID", default_value = "")]
    of: String,
    /// What would be done.
    #[arg(long, help_heading = "Question", value_enum, default_value_t)]
    act: Act,
    /// Code of the procedure or task. In a demonstration left out, that of the caller's agreement.
    #[arg(long, help_heading = "Question", value_name = "CODE")]
    procedure: Option<String>,
    /// Id of the legal ground, such as 1911-2021-art-2-1.
    #[arg(long, help_heading = "Question", value_name = "ID")]
    legal_basis: Option<String>,
    /// The kind of event that would be contributed.
    #[arg(long, help_heading = "Question", value_name = "KIND", default_value = "")]
    event: String,
    /// Ids of the items, separated by commas; left out, every item that the law lists.
    #[arg(long, help_heading = "Question", value_name = "ID,...", value_delimiter = ',')]
    items: Vec<String>,
    /// The subject consented to it.
    #[arg(long, help_heading = "Question")]
    consent: bool,
    /// The request would name a direction of the Prime Minister.
    #[arg(long, help_heading = "Question")]
    direction: bool,
    /// What is so of the subject, separated by commas: `deceased`, `minor`, `protected`; with `not-` before it where it is not.
    #[arg(long, help_heading = "Question", value_name = "FACT,...", value_delimiter = ',')]
    subject: Vec<String>,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
pub(crate) struct WhatMayI {
    #[command(flatten)]
    connection: Connection,
    /// Id of the connection: for officers. An agency asks about its own.
    #[arg(long = "of", help_heading = "Question", value_name = "ID", default_value = "")]
    of: String,
    #[command(flatten)]
    output: Output,
}

/// What is done with items.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub(crate) enum Act {
    /// Obtain them.
    #[default]
    Obtain,
    /// Contribute them.
    Contribute,
    /// Be told when they change.
    Follow,
    /// See everything that sources said of them.
    Explain,
    /// Have the one person named of whom they are known.
    Resolve,
    /// Have persons listed by them.
    Search,
    /// Have the persons told whom a record names.
    Relations,
    /// Have the persons told whose records name a person.
    InverseRelations,
    /// Have the persons of a household told.
    Household,
    /// Have persons named by other tokens.
    RotateTokens,
    /// Have it recorded that persons consent that somebody obtains them.
    RecordConsents,
    /// Be told who accessed a person's items.
    Accesses,
}

impl From<Act> for DecisionAct {
    fn from(act: Act) -> Self {
        match act {
            Act::Obtain => Self::Obtain,
            Act::Contribute => Self::Contribute,
            Act::Follow => Self::Follow,
            Act::Explain => Self::Explain,
            Act::Resolve => Self::Resolve,
            Act::Search => Self::Search,
            Act::Relations => Self::Relations,
            Act::InverseRelations => Self::InverseRelations,
            Act::Household => Self::Household,
            Act::RotateTokens => Self::RotateTokens,
            Act::RecordConsents => Self::RecordConsents,
            Act::Accesses => Self::Accesses,
        }
    }
}

pub(crate) async fn run(command: Command, out: &mut impl Write) -> Result<()> {
    match command {
        Command::Explain(arguments) => explain(*arguments, out).await,
        Command::WhatMayI(arguments) => what_may_i(&arguments, out).await,
    }
}

/// A fact as it is written: its name, with `not-` before it where it is not so.
fn fact(written: &str) -> AssumedFact {
    let (fact, holds) = match written.strip_prefix("not-") {
        Some(fact) => (fact, false),
        None => (written, true),
    };
    AssumedFact { fact: fact.to_owned(), holds }
}

/// The request; in a demonstration the ground of the caller's agreement stands in for what is not said.
fn request(arguments: Explain, connected: &Connected) -> Result<ExplainDecisionRequest> {
    let Explain {
        of, act, procedure, legal_basis, event, items, consent, direction, subject, ..
    } = arguments;
    let usual = contract::r#type::v1::AccessBasis::from(connected.ground.clone());
    let procedure = procedure.unwrap_or(usual.procedure);
    let legal_basis = legal_basis.unwrap_or(usual.legal_basis);
    let missing = [("--procedure", &procedure), ("--legal-basis", &legal_basis)];
    if let Some((argument, _)) = missing.iter().find(|(_, value)| value.is_empty()) {
        return Err(Ending::Usage(format!("what to explain is not said: add {argument}")).into());
    }
    Ok(ExplainDecisionRequest {
        connection: of,
        act: DecisionAct::from(act).into(),
        procedure,
        legal_basis,
        event,
        consent,
        direction,
        items,
        facts: subject.iter().map(|written| fact(written)).collect(),
    })
}

async fn explain(arguments: Explain, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let format = arguments.output.format;
    let request = request(arguments, &connected)?;
    let answered = match connected.client.explain_decision(&request).await? {
        Ok(answered) => answered,
        Err(refused) => return refuse(&refused, format, out),
    };
    let checked = evidence::check(&answered, &connected, None)?;
    if format == Format::Json {
        let mut result = shown::explained_json(&answered.answer);
        if let Value::Object(result) = &mut result {
            result.insert("receipt".to_owned(), checked.json());
        }
        return print(&result, out);
    }
    shown::explained(&answered.answer, out)?;
    writeln!(out, "record  {}", checked.text())?;
    Ok(())
}

async fn what_may_i(arguments: &WhatMayI, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let format = arguments.output.format;
    let (mut all, mut page_token) = (Vec::new(), String::new());
    let (last, checked) = loop {
        let connection = arguments.of.clone();
        let request = WhatMayIRequest { connection, page_size: PAGE, page_token };
        let mut answered = match connected.client.what_may_i(&request).await? {
            Ok(answered) => answered,
            Err(refused) => return refuse(&refused, format, out),
        };
        let checked = evidence::check(&answered, &connected, None)?;
        all.append(&mut answered.answer.permissions);
        page_token = std::mem::take(&mut answered.answer.next_page_token);
        if page_token.is_empty() {
            break (answered.answer, checked);
        }
    };
    if format == Format::Json {
        let permissions: Vec<Value> = all.iter().map(shown::permission_json).collect();
        return print(
            &json!({
                "connection": last.connection,
                "database": last.database,
                "checks": last.checks.iter().map(shown::check_json).collect::<Vec<_>>(),
                "permissions": permissions,
                "policy_revision": last.policy_revision,
                "revision_number": last.revision_number,
                "receipt": checked.json(),
            }),
            out,
        );
    }
    writeln!(out, "connection  {} (database {})", last.connection, last.database)?;
    for check in &last.checks {
        shown::check(check, out)?;
    }
    for permission in &all {
        shown::permission(permission, out)?;
    }
    if all.is_empty() {
        say("no agreement in force grants anything");
    }
    writeln!(out, "record  {}", checked.text())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_so_unless_it_is_said_not_to_be() {
        assert_eq!(fact("minor"), AssumedFact { fact: "minor".to_owned(), holds: true });
        assert_eq!(fact("not-minor"), AssumedFact { fact: "minor".to_owned(), holds: false });
    }
}
