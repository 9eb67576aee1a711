//! What is signed so that another database may be asked (Decision 1911/QD-TTg, Art. 2(3)): of a decision, what it allows for one
//! person of whom some facts are known.

use decide::{CONSENT, Fact, ItemDecision, ItemEffect};
use time::{Duration, OffsetDateTime};
use warrant::{Claims, Confirmation, Intent};

use super::decision::{Decision, Denial, Refusal};
use super::request::Request;

/// The rule by which a database that nobody has connected is asked nothing.
const NOT_CONNECTED: &str = "database-not-connected";

/// A warrant that is wanted, checked for form at the edge.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// What is to be decided.
    pub(crate) request: Request,
    /// SPIFFE id of the system for which is asked.
    pub(crate) caller: String,
    /// The database that is to be asked.
    pub(crate) database: String,
    /// Thumbprint of the certificate that will present it.
    pub(crate) holder: [u8; 32],
    /// The commitment to the person.
    pub(crate) subject: [u8; 32],
    /// What is known of the person.
    pub(crate) facts: Vec<(String, bool)>,
    /// The record of the intent.
    pub(crate) intent: Intent,
}

/// What a decision allows for this person, item by item; nothing of a hidden one.
///
/// # Errors
/// Why nothing is allowed.
pub(crate) fn allowed(
    decision: &Decision,
    facts: &[(String, bool)],
) -> Result<Vec<ItemDecision>, Denial> {
    let table = match &decision.outcome {
        Ok(table) => table,
        Err(denial) => return Err(denial.clone()),
    };
    let known = |name: &str| {
        // Only the register can find a consent, and it says of none here: there is none.
        if name == CONSENT {
            return Fact::False;
        }
        let mut said = facts.iter().filter(|(fact, _)| fact == name).map(|(_, holds)| *holds);
        match (said.next(), said.next()) {
            (Some(holds), None) => Fact::from(holds),
            // What is not said, or said twice, is not known.
            (None | Some(_), _) => Fact::Unknown,
        }
    };
    // Another database gives no form of a value: what is allowed in one only is not asked of it.
    let mut table = table.clone();
    table.withhold_masked();
    let answer = table.resolve(known);
    if answer.visible && answer.allows_anything() {
        return Ok(answer.items);
    }
    let why = answer.items.iter().find(|item| item.effect == ItemEffect::Withheld);
    let (rule, article) = why
        .or(answer.items.first())
        .map(|item| (item.rule.clone(), item.article.clone()))
        .unwrap_or_default();
    Err(Denial { refusal: Refusal::NothingAllowed, rule, article })
}

/// Whether a database may be asked, by how each of its connections stands: one that may be used is enough.
///
/// # Errors
/// Why it may not.
pub(crate) fn may_be_asked(
    connections: Vec<Option<Denial>>,
    not_connected: impl FnOnce(&str) -> Denial,
) -> Result<(), Denial> {
    let mut first = None;
    for denial in connections {
        match denial {
            None => return Ok(()),
            Some(denial) => first = first.or(Some(denial)),
        }
    }
    Err(first.unwrap_or_else(|| not_connected(NOT_CONNECTED)))
}

/// What the warrant says; none where the decision ends within this second.
pub(crate) fn claims(
    wanted: Wanted,
    ids: (String, String),
    issuer: &str,
    items: Vec<String>,
    times: (OffsetDateTime, OffsetDateTime, Duration),
) -> Option<Claims> {
    let (now, valid_until, life) = times;
    // Rounded down: a warrant never outlives the decision that it stands on.
    let (nbf, end) = (now.unix_timestamp(), now.saturating_add(life).min(valid_until));
    let exp = end.unix_timestamp();
    let (jti, decision) = ids;
    (nbf < exp).then(|| Claims {
        iss: issuer.to_owned(),
        aud: wanted.database,
        cnf: Confirmation { thumbprint: wanted.holder },
        caller: wanted.caller,
        jti,
        subject: wanted.subject,
        items,
        procedure: wanted.request.procedure,
        legal_basis: wanted.request.legal_basis,
        decision,
        intent: wanted.intent,
        nbf,
        exp,
    })
}
