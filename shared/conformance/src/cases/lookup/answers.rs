//! LKP-1, LKP-2, LKP-5 to LKP-7 and LKP-9: an answer about a person who is known.

use contract::{
    database::v1::{GetRecordResponse, RecordOutcome},
    r#type::v1::{HeldValues, ItemOutcome, ItemValue, item_outcome::Outcome, item_value::Value},
};

use super::{ITEMS_MAX, about, claims, get, held, known, matched, needs, repeats};
use crate::{
    cases::{
        people::NO_ITEM,
        source::changes::{is_synthetic, of_value},
    },
    found::{Found, Tried, not_tried},
    items::type_of,
    kit::Kit,
};

/// LKP-1.
pub(crate) async fn every_item(kit: &Kit, found: &mut Found) -> Tried {
    let known = known(kit)?;
    let wire = kit.connect().await?;
    let mut dice = kit.dice("LKP-1");
    let mut items = held(known)?;
    items.extend(known.not_held.clone());
    items.push(NO_ITEM.to_owned());
    let backwards: Vec<String> = items.iter().rev().cloned().collect();
    // As many as may be asked.
    let mut many = backwards.clone();
    many.extend((many.len()..ITEMS_MAX).map(|number| format!("{NO_ITEM}_{number}")));
    let forms = [("all claims", Some(claims(known))), ("no claims", None)];
    for (what, claims) in forms {
        for (order, items) in [("forwards", &items), ("backwards", &backwards), ("64", &many)] {
            let tried = format!("GetRecord of a known person with {what}, items {order}");
            let mut request = about(kit, &mut dice, known, items.clone());
            request.claims = claims.clone();
            let answer = get(kit, &wire, &tried, &request).await?;
            let outcome = answer.outcome();
            if outcome != RecordOutcome::Match {
                found.fail(tried, "MATCH", outcome.as_str_name());
                continue;
            }
            let told: Vec<&String> = answer.items.iter().map(|item| &item.item).collect();
            let same = told.iter().copied().eq(items);
            let seen = told.iter().map(|item| item.as_str()).collect::<Vec<_>>().join(", ");
            let expected = format!("one outcome for each: {}", items.join(", "));
            found.check(same, tried.as_str(), expected, seen);
            let said = answer.items.iter().all(|item| item.outcome.is_some());
            found.check(said, tried, "an outcome in each", "one without an outcome");
        }
    }
    Ok(())
}

/// LKP-2.
pub(crate) async fn of_the_person(kit: &Kit, found: &mut Found) -> Tried {
    let known = known(kit)?;
    let wire = kit.connect().await?;
    let mut dice = kit.dice("LKP-2");
    let request = about(kit, &mut dice, known, held(known)?);
    let tried = "GetRecord of a known person";
    let answer = matched(kit, &wire, tried, &request).await?;
    repeats(found, tried, &request, &answer);
    let mut compared = 0;
    for wanted in &known.held {
        let Some(value) = wanted.value() else { continue };
        compared += 1;
        let told = values(&answer, &wanted.item);
        let same = told.iter().any(|told| is_same(&value, told));
        let expected = format!("the value of `{}` that the fixtures name", wanted.item);
        found.check(same, tried, expected, "another one, or none (it is not repeated here)");
    }
    if compared == 0 && found.findings.is_empty() {
        let (vi, en) = ("giá trị của một mục thông tin", "the value of an item");
        return Err(needs(vi, en, "`value` of [[lookup.known.held]]"));
    }
    Ok(())
}

/// The values of an item.
fn values<'a>(answer: &'a GetRecordResponse, item: &str) -> Vec<&'a ItemValue> {
    let outcome = answer.items.iter().find(|told| told.item == item);
    let held = outcome.and_then(held_values).map(|held| held.values.as_slice());
    held.unwrap_or_default().iter().filter_map(|held| held.value.as_ref()).collect()
}

fn held_values(outcome: &ItemOutcome) -> Option<&HeldValues> {
    match outcome.outcome.as_ref()? {
        Outcome::Value(held) | Outcome::Partial(held) => Some(held),
        Outcome::NotHeld(_) | Outcome::UnknownItem(_) | Outcome::Withheld(_) => None,
    }
}

/// Whether a value says what the fixtures say; what they do not say may be there besides.
fn is_same(wanted: &ItemValue, told: &ItemValue) -> bool {
    match (&wanted.value, &told.value) {
        (Some(Value::Name(wanted)), Some(Value::Name(told))) => wanted.full_name == told.full_name,
        (Some(Value::Coded(wanted)), Some(Value::Coded(told))) => {
            wanted.code == told.code
                && wanted.code_system == told.code_system
                && wanted.code_system_version == told.code_system_version
        }
        (wanted, told) => wanted == told,
    }
}

/// LKP-5.
pub(crate) async fn not_held(kit: &Kit, found: &mut Found) -> Tried {
    let known = known(kit)?;
    let wire = kit.connect().await?;
    let mut dice = kit.dice("LKP-5");
    let mut items = vec![NO_ITEM.to_owned()];
    items.extend(known.not_held.clone());
    let request = about(kit, &mut dice, known, items);
    let tried = "GetRecord of an item that nobody holds, and of one without a value";
    let answer = matched(kit, &wire, tried, &request).await?;
    let outcome = |item: &str| answer.items.iter().find(|told| told.item == item);
    let told = outcome(NO_ITEM).and_then(|told| told.outcome.as_ref());
    let holds = matches!(told, Some(Outcome::UnknownItem(_)));
    found.check(holds, tried, format!("unknown_item for `{NO_ITEM}`"), name(told));
    let request = about(kit, &mut dice, known, held(known)?);
    let all = matched(kit, &wire, "GetRecord of what is held", &request).await?;
    let empty = all.items.iter().chain(&answer.items).any(is_empty);
    found.check(!empty, "GetRecord", "no empty value", "an empty one");
    let Some(not_held) = &known.not_held else {
        let (vi, en) = ("mục thông tin không có giá trị", "an item without a value");
        return Err(needs(vi, en, "`not_held` of [lookup.known]"));
    };
    let told = outcome(not_held).and_then(|told| told.outcome.as_ref());
    let holds = matches!(told, Some(Outcome::NotHeld(_)));
    found.check(holds, tried, format!("not_held for `{not_held}`"), name(told));
    Ok(())
}

fn name(outcome: Option<&Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Value(_)) => "value",
        Some(Outcome::Partial(_)) => "partial",
        Some(Outcome::NotHeld(_)) => "not_held",
        Some(Outcome::UnknownItem(_)) => "unknown_item",
        Some(Outcome::Withheld(_)) => "withheld",
        None => "no outcome",
    }
}

/// Whether a value stands for none.
fn is_empty(outcome: &ItemOutcome) -> bool {
    let Some(held) = held_values(outcome) else { return false };
    let empty = |value: &Option<ItemValue>| match value.as_ref().and_then(|v| v.value.as_ref()) {
        None => true,
        Some(Value::Text(text)) => text.trim().is_empty(),
        Some(Value::Name(name)) => name.full_name.trim().is_empty(),
        Some(Value::Coded(coded)) => coded.code.is_empty(),
        Some(Value::Identifier(number)) => number.value.is_empty(),
        Some(Value::Date(date)) => date.year == 0,
        Some(Value::Address(place)) => *place == Default::default(),
        Some(Value::Relation(relation)) => *relation == Default::default(),
        Some(Value::Document(document)) => *document == Default::default(),
    };
    held.values.is_empty() || held.values.iter().any(|held| empty(&held.value))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Text(_) => "text",
        Value::Date(_) => "date",
        Value::Name(_) => "name",
        Value::Address(_) => "address",
        Value::Coded(_) => "coded",
        Value::Identifier(_) => "identifier",
        Value::Relation(_) => "relation",
        Value::Document(_) => "document",
    }
}

/// Everything that the database says it holds of the person, as many items at once as may be asked.
async fn all_items(kit: &Kit, case: &str) -> Tried<Vec<ItemOutcome>> {
    let known = known(kit)?;
    let wire = kit.connect().await?;
    let mut dice = kit.dice(case);
    let mut items: Vec<String> =
        kit.description.items.iter().map(|held| held.item.clone()).collect();
    items.extend(held(known)?);
    items.sort_unstable();
    items.dedup();
    let mut outcomes = Vec::new();
    for items in items.chunks(ITEMS_MAX) {
        let request = about(kit, &mut dice, known, items.to_vec());
        let answer = matched(kit, &wire, "GetRecord of everything", &request).await?;
        outcomes.extend(answer.items);
    }
    Ok(outcomes)
}

/// LKP-6.
pub(crate) async fn types(kit: &Kit, found: &mut Found) -> Tried {
    let mut compared = 0;
    for outcome in all_items(kit, "LKP-6").await? {
        let values = held_values(&outcome).map(|held| held.values.as_slice());
        let lists = kit.description.items.iter().find(|held| held.item == outcome.item);
        for held in values.unwrap_or_default() {
            let Some(value) = held.value.as_ref().and_then(|value| value.value.as_ref()) else {
                continue;
            };
            let tried = format!("GetRecord of `{}`", outcome.item);
            if let Some(wanted) = type_of(&outcome.item) {
                compared += 1;
                found.check(kind(value) == wanted, tried.as_str(), wanted, kind(value));
            }
            let Value::Coded(coded) = value else { continue };
            let named = !coded.code_system.is_empty() && !coded.code_system_version.is_empty();
            found.check(named, tried.as_str(), "a list and its version", "none");
            let list = lists.map_or("", |held| held.code_system.as_str());
            let same = list.is_empty() || list == coded.code_system;
            let expected = format!("a code of the list `{list}` of the description");
            found.check(same, tried, expected, coded.code_system.as_str());
        }
    }
    if compared > 0 {
        return Ok(());
    }
    Err(not_tried(
        (
            "không có giá trị của mục nào trong danh mục",
            "no item of the catalogue has a value for this person",
        ),
        ("người có nhiều giá trị hơn", "a person of whom more is held"),
    ))
}

/// LKP-7.
pub(crate) async fn again(kit: &Kit, found: &mut Found) -> Tried {
    let known = known(kit)?;
    let mut dice = kit.dice("LKP-7");
    let request = about(kit, &mut dice, known, held(known)?);
    let tried = "GetRecord, three times with the same bytes but for the warrant";
    let mut first = None;
    for _ in 0..3 {
        let wire = kit.connect().await?;
        let answer = matched(kit, &wire, tried, &request).await?;
        let first = first.get_or_insert_with(|| answer.items.clone());
        found.check(*first == answer.items, tried, "the same outcomes", "other ones");
    }
    Ok(())
}

/// LKP-9.
pub(crate) async fn synthetic(kit: &Kit, found: &mut Found) -> Tried {
    let mut some = false;
    for outcome in all_items(kit, "LKP-9").await? {
        let values = held_values(&outcome).map(|held| held.values.as_slice());
        for held in values.unwrap_or_default() {
            let value = held.value.as_ref().and_then(|value| value.value.as_ref());
            let Some(number) = of_value(value) else { continue };
            some = true;
            let tried = format!("GetRecord of `{}`", outcome.item);
            let expected = "a personal number that starts with 990 to 999";
            let seen = "another one (it is not repeated here)";
            found.check(is_synthetic(&number), tried, expected, seen);
        }
    }
    if some {
        return Ok(());
    }
    Err(not_tried(
        (
            "trả lời về người này không có số định danh cá nhân nào",
            "no answer about this person holds a personal number",
        ),
        (
            "người có mục `personal_id_number` hoặc quan hệ có số",
            "a person with `personal_id_number`, or with relations that have a number",
        ),
    ))
}

/// An answer without what may differ each time.
pub(crate) fn timeless(answer: &GetRecordResponse) -> GetRecordResponse {
    GetRecordResponse { answer_time: None, ..answer.clone() }
}
