//! Items of the law that rules of our own speak of, by their ids in the catalogue (Law 26/2023/QH15, Art. 9). All others are data
//! alone.

/// Documents issued to the person (item 14).
pub const DOCUMENTS: &str = "id_document_validity";
/// Parents, spouses, children and representatives (item 15).
pub const RELATIVES: &str = "family_relations";
/// Who belongs to the household (item 23).
pub const HOUSEHOLD: &str = "household_members";
/// The date of death or of being declared missing (item 24).
pub const DEATH: &str = "death_or_missing_date";
/// Telephone number and e-mail address (item 25).
pub const CONTACTS: &str = "contact_points";

/// Items of which a person has several values at once. Relatives always were told apart; the others are as the rules of
/// authority say.
pub(crate) const TOLD_APART: [&str; 3] = [CONTACTS, HOUSEHOLD, DOCUMENTS];

/// Whether a person has several values of an item at once, of which one has to be named.
#[must_use]
pub fn holds_several(item: &str) -> bool {
    item == RELATIVES || TOLD_APART.contains(&item)
}
