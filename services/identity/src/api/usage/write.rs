//! What a portal is told, in the words of the interface: what may be told of each access, and beside it, as `lienthong`, what proves it.
//! What is sealed, erased or archived is counted and not shown; of a period it is not even counted.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::identity::v1::{AccessDetails, AccessEnding, AccessedItem};
use serde_json::{Value, json};
use server::caller::Methods;
use time::OffsetDateTime;
use wire::record;

use super::{Finding, Read, Shown, Usage, asked::Wanted};
use crate::api::{history::About, identity};

/// Who answered, and who holds what was taken.
const REGISTER: &str = "Cơ sở dữ liệu quốc gia về dân cư";
/// Offices of the state.
const GOVERNMENT: &str = "GOV";
/// Of what part of the register a method is that says of none.
const IDENTITY: &str = "identity";

/// The answer.
pub(super) fn answer(finding: &Finding<'_>, about: &About<'_>, read: Read) -> Value {
    let Finding { site, wanted, request_id } = finding;
    let About { decision, looked, withheld, shared } = about;
    let (mut responses, mut processings) = (Vec::new(), Vec::new());
    for one in &read.shown {
        let list = if is_taken(one.details.ending()) { &mut processings } else { &mut responses };
        list.push(usage(site, one));
    }
    // Of a period it is not said how many are sealed: by other periods one would find when they were.
    let counted = |count: u64| (!wanted.has_period()).then_some(count);
    let counts = (!wanted.has_period()).then_some(read.counts);
    let next = read
        .more_below
        .zip(looked.person_id.as_ref())
        .map(|(index, person)| shared.app.accesses_from(index, person, &decision.connection));
    let withheld = withheld.map(|withheld| {
        json!({ "item": withheld.item, "rule": withheld.rule, "article": withheld.article })
    });
    json!({
        "totalUsages": read.total,
        "returnedUsages": read.shown.len(),
        "dataRequests": [],
        "dataResponses": responses,
        "dataProcessings": processings,
        "internalProcessings": [],
        "lienthong": {
            "outcome": if identity::shown(looked) { "MATCH" } else { "NO_MATCH" },
            "counts": counts,
            "sealed": counted(read.sealed),
            "erased": counted(read.erased),
            // From where on the log is archived everybody knows.
            "archived": read.archived,
            "bulkLeftOut": read.bulk_left_out,
            "complete": next.is_none(),
            "nextPageToken": next,
            "checkpoints": read.checkpoints,
            "withheld": withheld,
            "answerTime": record::moment(looked.at),
            "decisionId": decision.id,
            "policyRevision": decision.revision,
            "requestId": request_id,
        },
    })
}

/// Whether an access is of a type and of a part of the register that were asked for.
pub(super) fn is_wanted(details: &AccessDetails, wanted: &Wanted) -> bool {
    let taken = is_taken(details.ending());
    let of_type = if taken { wanted.processings } else { wanted.responses };
    let system = system(&details.method);
    of_type && (wanted.systems.is_empty() || wanted.systems.iter().any(|one| one == system))
}

/// Whether something came into the register, or was to: the interface calls it the processing of what another database held before.
fn is_taken(ending: AccessEnding) -> bool {
    match ending {
        AccessEnding::Contributed | AccessEnding::Rejected => true,
        AccessEnding::Answered | AccessEnding::NothingGiven | AccessEnding::Unspecified => false,
    }
}

pub(super) fn is_bulk(method: &str) -> bool {
    Methods::LIENTHONG.is_bulk(method)
}

/// The service of a method: `/lienthong.identity.v1.…` is of `identity`.
fn system(method: &str) -> &str {
    let package = method.strip_prefix("/lienthong.").and_then(|rest| rest.split('.').next());
    package.unwrap_or(IDENTITY)
}

fn usage(site: &Usage, shown: &Shown) -> Value {
    let Shown { record, number, details, checkpoint } = shown;
    let AccessDetails { agency, system: client, method, procedure, legal_basis, .. } = details;
    let who = organisation(site, agency, client);
    let register = json!({ "type": GOVERNMENT, "name": REGISTER });
    // Who sent it is where it came from; otherwise it was we who were asked.
    let (other, whom) = match is_taken(details.ending()) {
        true => ("source", who.clone()),
        false => ("target", register),
    };
    // What is contributed needs no procedure, and what is refused may have named none.
    let purpose = match procedure.as_str() {
        "" if is_taken(details.ending()) => {
            "Cập nhật thông tin vào Cơ sở dữ liệu quốc gia về dân cư"
        }
        "" => "Khai thác thông tin trong Cơ sở dữ liệu quốc gia về dân cư",
        procedure => site.names.procedure(procedure),
    };
    let basis = Some(site.names.ground(legal_basis)).filter(|basis| !basis.is_empty());
    let item = |item: &AccessedItem| json!({ "item": item.item, "disclosed": item.disclosed, "article": item.article });
    let proof: Vec<String> = details.proof.iter().map(|hash| STANDARD.encode(hash)).collect();
    json!({
        "logTime": details.record_time.and_then(wire::micros).and_then(moment_us),
        "purpose": purpose,
        "logSourceSystem": system(method),
        "bulkProcessing": is_bulk(method),
        "legalBasis": basis,
        // What the caller called it may hold what its writer liked; where it stands in the log nobody chose.
        "queryId": details.index.to_string(),
        "initiatorOrg": who,
        other: whom,
        "lienthong": {
            "index": details.index,
            "record": record,
            "number": number,
            "leaf": STANDARD.encode(&details.leaf),
            "proof": proof,
            "checkpoint": checkpoint,
            "ending": ending(details.ending()),
            "method": method,
            "procedure": procedure,
            "purpose": details.purpose,
            "legalBasis": legal_basis,
            "agency": agency,
            "system": client,
            "actingUnit": details.acting_unit,
            "items": details.items.iter().map(item).collect::<Vec<_>>(),
        },
    })
}

/// Who asked, or contributed. The codes of agencies (Decision 20/2020/QD-TTg) are not those of the interface, which are eight digits:
/// they stand beside it. An officer of the operator is nobody's but the register's.
fn organisation(site: &Usage, agency: &str, system: &str) -> Value {
    match (agency, system) {
        ("", "") => json!({ "type": GOVERNMENT, "name": REGISTER }),
        ("", connection) => json!({ "type": GOVERNMENT, "name": connection }),
        (agency, system) => {
            json!({ "type": GOVERNMENT, "name": site.names.agency(agency), "systemName": system })
        }
    }
}

fn ending(ending: AccessEnding) -> &'static str {
    let name = ending.as_str_name();
    name.strip_prefix("ACCESS_ENDING_").unwrap_or(name)
}

fn moment_us(us: i64) -> Option<String> {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(us) * 1_000).ok()?;
    Some(record::moment(at))
}
