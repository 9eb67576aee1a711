//! Consents: what a person agreed to, and for which requests it counts.

use decide::DecisionTable;
use decide::ItemEffect;

/// The procedure by which citizens see what is held of themselves (Decree 137/2015/ND-CP, Art. 8(3)).
pub(crate) const OWN_RECORD: &str = "own-record";

/// Ids of the items that the law of any profile lists. A consent may be of any of them; which of them there are, and which may be
/// obtained, policy says.
pub(crate) const ITEMS: [&str; 26] = [
    "birth_full_name",
    "other_names",
    "personal_id_number",
    "date_of_birth",
    "sex",
    "place_of_birth",
    "birth_registration_place",
    "native_place",
    "ethnic_group",
    "religion",
    "nationality",
    "blood_type",
    "old_id_number_9",
    "id_document_validity",
    "family_relations",
    "permanent_residence",
    "temporary_residence",
    "temporary_absence",
    "current_residence",
    "residence_file_number",
    "marital_status",
    "relation_to_household_head",
    "household_members",
    "death_or_missing_date",
    "contact_points",
    "other_information",
];

/// How a person gave a consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// By the person's own app or account.
    OwnApp,
    /// On paper, to the agency that records it.
    OnPaper,
}

impl Channel {
    /// Its name in the register.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OwnApp => "own-app",
            Self::OnPaper => "on-paper",
        }
    }

    /// The channel of a name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        [Self::OwnApp, Self::OnPaper].into_iter().find(|channel| channel.name() == name)
    }
}

/// A system of an agency, as certificates name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct System {
    /// Code of the agency.
    pub(crate) agency: String,
    /// Id of the system.
    pub(crate) system: String,
}

/// What a person agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Who may obtain the items.
    pub(crate) recipient: System,
    /// The procedure for which they may be obtained.
    pub(crate) procedure: String,
    /// The items.
    pub(crate) items: Vec<String>,
    /// From when on, microseconds since 1970.
    pub(crate) begins_us: i64,
    /// Until when: the first moment at which it counts no more.
    pub(crate) ends_us: i64,
    /// How it was given.
    pub(crate) channel: Channel,
    /// SHA-256 of what shows that it was given.
    pub(crate) evidence: Option<Vec<u8>>,
    /// Which version of the notice the person was shown.
    pub(crate) notice_version: String,
}

/// A consent as the register holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Consent {
    /// Its reference.
    pub(crate) reference: String,
    /// The record to which the person leads today whose number or token was named.
    pub(crate) record: String,
    /// What the person agreed to.
    pub(crate) terms: Terms,
    /// The connection that had it recorded.
    pub(crate) connection: String,
    /// When that was, microseconds since 1970.
    pub(crate) recorded_us: i64,
    /// Since when it is withdrawn.
    pub(crate) withdrawn_us: Option<i64>,
}

/// A consent as a request names it, with everything that it must be of to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cited {
    /// Its reference.
    pub(crate) reference: String,
    /// Who asks.
    pub(crate) caller: System,
    /// The procedure of the request.
    pub(crate) procedure: String,
}

impl Consent {
    /// Whether it counts for a request about the person of a record at a moment. Whatever does not hold, it counts as none.
    pub(crate) fn counts(&self, cited: &Cited, record: &str, now_us: i64) -> bool {
        self.reference == cited.reference
            && self.record == record
            && self.terms.recipient == cited.caller
            && self.terms.procedure == cited.procedure
            && self.terms.begins_us <= now_us
            && now_us < self.terms.ends_us
            && self.withdrawn_us.is_none()
    }

    /// Whether it is to an item.
    pub(crate) fn covers(&self, item: &str) -> bool {
        self.terms.items.iter().any(|own| own == item)
    }

    /// Whether a connection may know of it, and withdraw it: the one that had it recorded, and any that may record consents for
    /// its procedure to all of its items, by a table over [`ITEMS`].
    pub(crate) fn is_known_to(
        &self,
        connection: &str,
        procedure: &str,
        table: &DecisionTable,
    ) -> bool {
        self.terms.procedure == procedure
            && (self.connection == connection
                || self.terms.items.iter().all(|item| may_be(table, item)))
    }
}

/// Whether an item is allowed of somebody.
fn may_be(table: &DecisionTable, item: &str) -> bool {
    let mut decided = table.answers().iter().flat_map(|answer| &answer.items);
    decided.any(|one| one.item == item && one.effect == ItemEffect::Allowed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use decide::{ItemDecision, TableAnswer};

    use super::*;

    fn system(agency: &str, system: &str) -> System {
        System { agency: agency.to_owned(), system: system.to_owned() }
    }

    fn consent() -> Consent {
        Consent {
            reference: "r".to_owned(),
            record: "p".to_owned(),
            terms: Terms {
                recipient: system("G24", "s"),
                procedure: "own-record".to_owned(),
                items: vec!["religion".to_owned(), "sex".to_owned()],
                begins_us: 10,
                ends_us: 20,
                channel: Channel::OwnApp,
                evidence: None,
                notice_version: "1".to_owned(),
            },
            connection: "c-1".to_owned(),
            recorded_us: 5,
            withdrawn_us: None,
        }
    }

    fn cited() -> Cited {
        let (reference, procedure) = ("r".to_owned(), "own-record".to_owned());
        Cited { reference, caller: system("G24", "s"), procedure }
    }

    #[test]
    fn a_consent_counts_where_everything_is_as_it_says() {
        let (given, asked) = (consent(), cited());
        let counts = |now| given.counts(&asked, "p", now);
        assert_eq!([9, 10, 19, 20].map(counts), [false, true, true, false]);
        assert!(!given.counts(&asked, "q", 10));
        for other in [
            Cited { reference: "q".to_owned(), ..cited() },
            Cited { caller: system("G24", "t"), ..cited() },
            Cited { caller: system("G25", "s"), ..cited() },
            Cited { procedure: "burial-allowance".to_owned(), ..cited() },
        ] {
            assert!(!given.counts(&other, "p", 10), "{other:?}");
        }
        assert!(!Consent { withdrawn_us: Some(30), ..consent() }.counts(&asked, "p", 10));
        assert!(given.covers("sex") && !given.covers("contact_points"));
    }

    #[test]
    fn who_may_record_all_of_it_may_know_of_it() {
        let table = |allowed: &[&str]| {
            let one = |item: &&str| ItemDecision {
                item: (*item).to_owned(),
                effect: if allowed.contains(item) {
                    ItemEffect::Allowed
                } else {
                    ItemEffect::Withheld
                },
                rule: String::new(),
                legal_basis: String::new(),
                article: String::new(),
                obligations: Vec::new(),
            };
            let items = ITEMS.iter().map(one).collect();
            DecisionTable::new(vec![], vec![0], vec![TableAnswer { visible: true, items }]).unwrap()
        };
        let known = |connection, procedure, allowed: &[&str]| {
            consent().is_known_to(connection, procedure, &table(allowed))
        };
        assert!(known("c-1", "own-record", &["blood_type"]));
        assert!(known("c-2", "own-record", &["religion", "sex"]));
        assert!(!known("c-2", "own-record", &["religion"]));
        assert!(!known("c-1", "burial-allowance", &["religion", "sex"]));
    }

    /// What is short is every consent by which citizens see what is held of themselves.
    #[test]
    fn the_own_record_is_the_only_procedure_of_self_access() {
        let text = include_str!("../../../policy/data/procedures.toml");
        let procedures = text.split("[[procedure]]").skip(1);
        let value = |procedure: &str, key: &str| {
            let line = procedure.lines().find_map(|line| line.strip_prefix(&format!("{key} = ")));
            line.map(|value| value.trim_matches('"').to_owned())
        };
        let own = procedures.filter(|one| value(one, "purpose").unwrap() == "self-access");
        let ids: Vec<_> = own.map(|one| value(one, "id").unwrap()).collect();
        assert_eq!(ids, [OWN_RECORD]);
    }

    /// Policy's catalogue is the list of record; here it is held against it, because no service depends on another.
    #[test]
    fn the_items_are_those_of_the_law() {
        let text = include_str!("../../../policy/data/items.toml");
        let ids = text.lines().filter_map(|line| line.strip_prefix("id = "));
        let ids: Vec<&str> = ids.map(|id| id.trim_matches('"')).collect();
        assert_eq!(ids.len(), ITEMS.len());
        assert!(ids.iter().all(|id| ITEMS.contains(id)), "{ids:?}");
    }
}
