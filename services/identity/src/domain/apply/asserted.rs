//! What is asserted of somebody whom the register holds, of what a source says.

use model::{
    AuthorityInForce, GoldenRecord, NameLevel, Relation, Said, Saying, Says, Value,
    item::{RELATION_TO_HEAD, RESIDENCE_FILE},
};

use super::known::{Asked, Known};

/// What is asserted of a person: value, and whether it holds or ends. Of what ends the value is the one
/// that is held. A relation that ends is asserted to have ended also where it is not held, because what was before it may be
/// heard of later (I5). Somebody who is spoken of under another name than before is held once.
pub(crate) fn asserted(
    asked: &Asked<'_>,
    Known { told, bearers, .. }: &Known,
    rules: &AuthorityInForce,
) -> Vec<(Said, Value, Says)> {
    let mut all = Vec::new();
    for said in asked.said {
        let held = bearers.named(told, &said.item, said.value.as_ref());
        match (&said.value, said.says) {
            (None, Saying::Holds) => {}
            (Some(value), Saying::Holds) => {
                for other in held.into_iter().filter(|held| is_other_name(&held.value, value)) {
                    let rank = |source: &str| rules.rank(&said.item, source);
                    // What another source with more authority said stands until it says otherwise.
                    if rank(&other.provenance.source) >= rank(asked.source) {
                        all.push((said.clone(), other.value.clone(), Says::Ends));
                    }
                }
                all.push((said.clone(), value.clone(), Says::Holds));
            }
            (value, Saying::Ends | Saying::EndsIfHeld) if held.is_empty() => {
                if let Some(value @ Value::Relation(_)) = value {
                    all.push((said.clone(), value.clone(), Says::Ends));
                }
            }
            (_, Saying::Ends | Saying::EndsIfHeld) => {
                if is_of_another_household(asked, said, told) {
                    continue;
                }
                let ended = held.into_iter().map(|held| held.value.clone());
                all.extend(ended.map(|value| (said.clone(), value, Says::Ends)));
            }
        }
    }
    all
}

/// Whether a relation names the person by another name than before.
fn is_other_name(held: &Value, said: &Value) -> bool {
    let (Some(held), Some(said)) = (held.relation(), said.relation()) else { return false };
    let key = |relation: &Relation| relation.name.full_name.match_key(NameLevel::L2);
    key(held) != key(said)
}

/// Whether somebody is said to have left a household, and is in a file of another number by now: what the person is to its
/// head does not end then.
fn is_of_another_household(asked: &Asked<'_>, said: &Said, told: &GoldenRecord) -> bool {
    let mut left =
        asked.said.iter().filter(|said| said.item == RESIDENCE_FILE && said.value.is_some());
    let held = told.values(RESIDENCE_FILE).first().map(|held| &held.value);
    said.item == RELATION_TO_HEAD
        && held.is_some()
        && left.any(|said| said.says == Saying::EndsIfHeld && said.value.as_ref() != held)
}
