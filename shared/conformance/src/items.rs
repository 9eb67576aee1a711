//! The items of our catalogue and their types. The catalogue itself is the policy service's, and nothing here may know a
//! service; a test holds both equal.

/// The type of an item of the catalogue; none of an item of a database's own.
pub(crate) fn type_of(item: &str) -> Option<&'static str> {
    TYPES.iter().find(|(id, _)| *id == item).map(|(_, kind)| *kind)
}

const TYPES: &[(&str, &str)] = &[
    ("birth_full_name", "name"),
    ("other_names", "name"),
    ("personal_id_number", "identifier"),
    ("date_of_birth", "date"),
    ("sex", "coded"),
    ("place_of_birth", "address"),
    ("birth_registration_place", "address"),
    ("native_place", "address"),
    ("ethnic_group", "coded"),
    ("religion", "coded"),
    ("nationality", "coded"),
    ("blood_type", "coded"),
    ("old_id_number_9", "identifier"),
    ("id_document_validity", "document"),
    ("family_relations", "relation"),
    ("permanent_residence", "address"),
    ("temporary_residence", "address"),
    ("current_residence", "address"),
    ("temporary_absence", "text"),
    ("residence_file_number", "text"),
    ("marital_status", "coded"),
    ("relation_to_household_head", "coded"),
    ("household_members", "relation"),
    ("death_or_missing_date", "date"),
    ("contact_points", "text"),
    ("other_information", "text"),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn the_types_are_those_of_the_catalogue() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../services/policy/data/items.toml");
        let catalogue: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
        let items = catalogue["item"].as_array().unwrap().iter();
        let types: Vec<(&str, &str)> = items
            .map(|item| (item["id"].as_str().unwrap(), item["type"].as_str().unwrap()))
            .collect();
        assert_eq!(TYPES, types);
    }
}
