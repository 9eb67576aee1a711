//! Items of the law that rules of our own speak of, by their ids in the catalogue (Law 26/2023/QH15, Art. 9). All others are data
//! alone.

/// The personal identification number.
pub const NUMBER: &str = "personal_id_number";
/// The number of nine digits of the identity cards of before.
const OLD_NUMBER: &str = "old_id_number_9";
/// The items that hold a person's numbers.
pub const NUMBERS: [&str; 2] = [NUMBER, OLD_NUMBER];
/// The full name of the birth entry (item 1).
pub const NAME: &str = "birth_full_name";
/// The date of birth (item 4).
pub const BORN: &str = "date_of_birth";
/// The sex (item 5).
pub const SEX: &str = "sex";
/// The native place (item 8).
pub const NATIVE_PLACE: &str = "native_place";
/// Documents issued to the person (item 14).
pub const DOCUMENTS: &str = "id_document_validity";
/// Parents, spouses, children and representatives (item 15).
pub const RELATIVES: &str = "family_relations";
/// The place of permanent residence (item 16).
pub const RESIDENCE: &str = "permanent_residence";
/// Number of the residence file (item 20).
pub const RESIDENCE_FILE: &str = "residence_file_number";
/// What the person is to the head of its household (item 22).
pub const RELATION_TO_HEAD: &str = "relation_to_household_head";
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
