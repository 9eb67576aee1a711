//! Values as a person reads them.

use contract::r#type::v1::{
    ItemOutcome, ItemValue, PartialDate, RelationKind, item_outcome, item_value,
};

pub(super) fn shown_outcome(item: &ItemOutcome) -> String {
    match &item.outcome {
        Some(item_outcome::Outcome::Value(held)) | Some(item_outcome::Outcome::Partial(held)) => {
            let one = |value: &contract::r#type::v1::HeldValue| {
                let source =
                    value.provenance.as_ref().map(|p| p.source.clone()).unwrap_or_default();
                format!("{}  [{source}]", shown_value(value.value.as_ref()))
            };
            held.values.iter().map(one).collect::<Vec<_>>().join("; ")
        }
        Some(item_outcome::Outcome::NotHeld(_)) => "(not held)".to_owned(),
        Some(item_outcome::Outcome::UnknownItem(_)) => "(no such item)".to_owned(),
        Some(item_outcome::Outcome::Withheld(w)) => {
            format!("(withheld by rule `{}`, {})", w.rule, w.article)
        }
        None => "(none)".to_owned(),
    }
}

fn shown_value(value: Option<&ItemValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(item_value::Value::Text(text)) => text.clone(),
        Some(item_value::Value::Date(date)) => shown_date(date),
        Some(item_value::Value::Name(name)) => name.full_name.clone(),
        Some(item_value::Value::Address(address)) => address.text.clone(),
        Some(item_value::Value::Coded(code)) => format!("{} ({})", code.display, code.code),
        Some(item_value::Value::Identifier(number)) => number.value.clone(),
        Some(item_value::Value::Relation(relation)) => {
            let name = relation.name.as_ref().map(|n| n.full_name.clone()).unwrap_or_default();
            format!("{name} ({})", shown_kind(relation.kind()))
        }
        Some(item_value::Value::Document(document)) => document.number.clone(),
        None => String::new(),
    }
}

/// The kind as a person reads it.
fn shown_kind(kind: RelationKind) -> String {
    let name = kind.as_str_name();
    name.strip_prefix("RELATION_KIND_").unwrap_or(name).to_lowercase().replace('_', " ")
}

fn shown_date(date: &PartialDate) -> String {
    match (date.month, date.day) {
        (0, _) => format!("{}", date.year),
        (month, 0) => format!("{month:02}/{}", date.year),
        (month, day) => format!("{day:02}/{month:02}/{}", date.year),
    }
}

/// A value as this program holds it.
pub(super) fn shown_held(held: &model::HeldValue) -> String {
    let lists = model::CodeLists::shipped().ok();
    let written = lists.map(|lists| wire::value::write(&held.value, &lists));
    format!("{}  [{}]", shown_value(written.as_ref()), held.provenance.source)
}

#[cfg(test)]
mod tests {
    use contract::r#type::v1::{PersonName, Relation};

    use super::*;

    #[test]
    fn relations_are_shown_as_a_person_reads_them() {
        let relation = Relation {
            kind: RelationKind::LegalRepresentative.into(),
            name: Some(PersonName { full_name: "Trần Thu Hà".into(), ..PersonName::default() }),
            ..Relation::default()
        };
        let value = ItemValue { value: Some(item_value::Value::Relation(relation)) };
        assert_eq!(shown_value(Some(&value)), "Trần Thu Hà (legal representative)");
        assert_eq!(shown_kind(RelationKind::Father), "father");
    }
}
