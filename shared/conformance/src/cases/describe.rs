//! DB-4, DB-5, DB-13, DB-15 and DB-20 to DB-22: what the database says of itself.
//!
//! | module | rules |
//! |---|---|
//! | `errors` | DB-6 and DB-7 |

pub(crate) mod errors;

use std::collections::BTreeSet;

use contract::database::v1::{
    DescribeDatabaseRequest, GetRecordResponse, ListChangesRequest, VerifyRecordResponse,
    database_service_server::SERVICE_NAME as DATABASE,
};
use prost::Message;
use server::health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
};
use tonic::Code;
use tonic_reflection::pb::v1::{
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::{
    Role,
    cases::people,
    descriptors::reflect,
    found::{Found, Tried, failed},
    kit::{Kit, answer, call, message, method, methods, path, shown},
    wire::{Ask, Wire},
};

const VERSION: &str = "lienthong.database.v1";

/// DB-4.
pub(crate) async fn health(kit: &Kit, found: &mut Found) -> Tried {
    let wire = kit.connect().await?;
    let served = kit.roles().map(Role::service);
    for service in ["", DATABASE].into_iter().chain(served) {
        let tried = format!("Health/Check of `{service}`");
        let request = HealthCheckRequest { service: service.to_owned() };
        let reply = call(&wire, &tried, path::HEALTH, &request).await?;
        let code = reply.status.code();
        if code != Code::Ok {
            found.fail(tried, "SERVING", shown(&reply.status));
            continue;
        }
        let answer: HealthCheckResponse = message(&tried, &reply)?;
        let status = answer.status();
        found.check(status == ServingStatus::Serving, tried, "SERVING", status.as_str_name());
    }
    let absent = Role::ALL.into_iter().filter(|role| !kit.has(*role)).map(Role::service);
    for service in ["lienthong.database.v1.NoSuchService"].into_iter().chain(absent) {
        let tried = format!("Health/Check of `{service}`");
        let request = HealthCheckRequest { service: service.to_owned() };
        let reply = call(&wire, &tried, path::HEALTH, &request).await?;
        let holds = reply.status.code() == Code::NotFound;
        found.check(holds, tried, "NOT_FOUND", shown(&reply.status));
    }
    Ok(())
}

/// DB-5.
pub(crate) async fn unimplemented(kit: &Kit, found: &mut Found) -> Tried {
    let wire = kit.connect().await?;
    let mut paths = vec![
        format!("/{DATABASE}/NoSuchMethod"),
        "/lienthong.database.v1.NoSuchService/NoSuchMethod".to_owned(),
    ];
    for role in Role::ALL {
        paths.push(format!("/{}/NoSuchMethod", role.service()));
        if !kit.has(role) {
            paths.extend(methods(role).iter().map(|path| (*path).to_owned()));
        }
    }
    for path in paths {
        let tried = format!("a call of {path}");
        let reply = answer(&wire, &tried, Ask::bytes(&path, &people::valid(kit, &path))).await?;
        let holds = reply.status.code() == Code::Unimplemented;
        found.check(holds, tried, "UNIMPLEMENTED", shown(&reply.status));
    }
    Ok(())
}

/// Fields of a later contract: a number, a text and a message.
fn later_fields() -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::uint64::encode(1911, &7, &mut bytes);
    prost::encoding::string::encode(1912, &"newer".to_owned(), &mut bytes);
    prost::encoding::bytes::encode(1913, &vec![0x08_u8, 0x01], &mut bytes);
    bytes
}

/// DB-13.
pub(crate) async fn newer_client(kit: &Kit, found: &mut Found) -> Tried {
    let wire = kit.connect().await?;
    same_answer::<contract::database::v1::DescribeDatabaseResponse>(
        &wire,
        found,
        (path::DESCRIBE, [DescribeDatabaseRequest {}.encode_to_vec(), Vec::new()]),
        |_| {},
    )
    .await?;
    if kit.has(Role::Source) {
        let request = ListChangesRequest { page_size: 2, ..Default::default() }.encode_to_vec();
        same_answer::<contract::database::v1::ListChangesResponse>(
            &wire,
            found,
            (path::LIST, [request.clone(), request]),
            |_| {},
        )
        .await?;
    }
    if kit.has(Role::Lookup) {
        // The same but for their warrants, each of which is taken once.
        let request = || people::valid(kit, path::GET);
        let timeless = |answer: &mut GetRecordResponse| answer.answer_time = None;
        same_answer(&wire, found, (path::GET, [request(), request()]), timeless).await?;
        let request = || people::valid(kit, path::VERIFY);
        let timeless = |answer: &mut VerifyRecordResponse| answer.answer_time = None;
        same_answer(&wire, found, (path::VERIFY, [request(), request()]), timeless).await?;
    }
    if kit.has(Role::Sink) {
        super::sink::newer_delivery(kit, &wire, found, &later_fields()).await?;
    }
    Ok(())
}

async fn same_answer<A: Message + Default + PartialEq>(
    wire: &Wire,
    found: &mut Found,
    (path, [request, again]): (&str, [Vec<u8>; 2]),
    timeless: impl Fn(&mut A),
) -> Tried {
    let mut answers = Vec::new();
    let newer = [again, later_fields()].concat();
    for (what, body) in [("as it is", request), ("with fields of a later contract", newer)] {
        let tried = format!("{} {what}", method(path));
        let reply = answer(wire, &tried, Ask::bytes(path, &body)).await?;
        let mut answer: A = message(&tried, &reply)?;
        timeless(&mut answer);
        answers.push(answer);
    }
    let same = answers.first() == answers.last();
    let tried = format!("{} as it is, and with fields of a later contract", method(path));
    found.check(same, tried, "the same answer", "another answer");
    Ok(())
}

/// DB-15.
pub(crate) async fn reflection(kit: &Kit, found: &mut Found) -> Tried {
    let wire = kit.connect().await?;
    let list = || MessageRequest::ListServices(String::new());
    let answer = match reflect(&wire, path::REFLECT, list()).await {
        Ok(answer) => answer,
        Err(trouble) => {
            if reflect(&wire, path::REFLECT_ALPHA, list()).await.is_ok() {
                found.remark(
                    "chỉ có grpc.reflection.v1alpha, cùng thông điệp dưới tên cũ",
                    "grpc.reflection.v1alpha alone is served: the same messages under the older name",
                );
            }
            return Err(trouble);
        }
    };
    let Some(MessageResponse::ListServicesResponse(listed)) = answer else {
        return Err(failed("a list of services", "a list of services", "another answer"));
    };
    let names: BTreeSet<&str> = listed.service.iter().map(|s| s.name.as_str()).collect();
    for service in [DATABASE].into_iter().chain(kit.roles().map(Role::service)) {
        let seen: Vec<&str> = names.iter().copied().collect();
        let expected = format!("`{service}` among them");
        found.check(names.contains(service), "a list of services", expected, seen.join(", "));
        let question = MessageRequest::FileContainingSymbol(service.to_owned());
        let described = matches!(
            reflect(&wire, path::REFLECT, question).await?,
            Some(MessageResponse::FileDescriptorResponse(_))
        );
        let tried = format!("the file that contains `{service}`");
        found.check(described, tried, "its descriptor", "another answer");
    }
    Ok(())
}

/// Whether a text has this many characters, of these.
pub(crate) fn is_formed(text: &str, max: usize, allowed: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().count() <= max && text.chars().all(allowed)
}

/// Whether an item's id has its form.
fn is_item(id: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    is_formed(id, 64, allowed) && id.starts_with(|c: char| c.is_ascii_lowercase())
}

/// DB-20.
pub(crate) async fn whole(kit: &Kit, found: &mut Found) -> Tried {
    let said = &kit.description;
    let id = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let versions = &said.contract_versions;
    let roles: BTreeSet<i32> = said.roles.iter().copied().collect();
    let count = |text: &str| format!("{} characters", text.chars().count());
    let asked: Vec<&str> =
        kit.plan.roles.iter().filter(|r| !kit.has(**r)).map(|r| r.name()).collect();
    let (email, telephone) =
        said.contact.as_ref().map_or(("", ""), |to| (&to.email, &to.telephone));
    let most = |text: &str, max: usize| text.chars().count() <= max;
    for (field, holds, expected, seen) in [
        (
            "database_id",
            is_formed(&said.database_id, 40, id),
            "1 to 40 of a-z, 0-9 and `-`",
            said.database_id.clone(),
        ),
        (
            "owner_unit",
            is_formed(&said.owner_unit, 35, |_| true),
            "1 to 35 characters",
            count(&said.owner_unit),
        ),
        ("name", is_formed(&said.name, 200, |_| true), "1 to 200 characters", count(&said.name)),
        (
            "contract_versions",
            versions.iter().any(|version| version == VERSION),
            "lienthong.database.v1 among them",
            versions.join(", "),
        ),
        ("roles", !roles.is_empty(), "at least one", "none".into()),
        ("roles", roles.len() == said.roles.len(), "each once", "one of them twice".into()),
        ("roles", !roles.contains(&0), "none of them 0", "a role without a name".into()),
        ("roles", asked.is_empty(), "the roles that --role asks for", asked.join(", ") + " absent"),
        ("contact.email", most(email, 200), "at most 200 characters", count(email)),
        ("contact.telephone", most(telephone, 30), "at most 30 characters", count(telephone)),
        ("software", most(&said.software, 100), "at most 100 characters", count(&said.software)),
    ] {
        found.check(holds, format!("DescribeDatabase: {field}"), expected, seen);
    }
    Ok(())
}

/// DB-21.
pub(crate) async fn items(kit: &Kit, found: &mut Found) -> Tried {
    if !kit.has(Role::Source) && !kit.has(Role::Lookup) {
        found.remark(
            "cơ sở dữ liệu không phải nguồn và không tra cứu được: quy tắc không áp dụng",
            "the database is neither source nor lookup: the rule asks nothing of it",
        );
        return Ok(());
    }
    let held = &kit.description.items;
    let tried = "DescribeDatabase: items";
    found.check(!held.is_empty(), tried, "the items that it holds", "none");
    let mut seen = BTreeSet::new();
    for item in held {
        let id = item.item.as_str();
        found.check(is_item(id), tried, "ids of 1 to 64 of a-z, 0-9 and `_`", id);
        found.check(seen.insert(id), tried, "each once", format!("`{id}` twice"));
    }
    Ok(())
}

/// DB-22.
pub(crate) async fn limits(kit: &Kit, found: &mut Found) -> Tried {
    let limits = kit.description.limits.unwrap_or_default();
    let kept = limits.retention.unwrap_or_default();
    let kept = if kept.seconds > 0 || (kept.seconds == 0 && kept.nanos > 0) { 1 } else { 0 };
    for (role, field, value) in [
        (Role::Source, "page_size_max", limits.page_size_max),
        (Role::Source, "retention", kept),
        (Role::Lookup, "queries_max", limits.queries_max),
        (Role::Sink, "events_max", limits.events_max),
    ] {
        let holds = !kit.has(role) || value > 0;
        let tried = format!("DescribeDatabase: limits.{field}");
        found.check(holds, tried, "more than zero", value.to_string());
    }
    Ok(())
}
