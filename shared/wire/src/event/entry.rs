//! Deaths, residences and corrections: what they say.

use model::{Address, Claims, EventKind, PartialDate, Said, Subject, Value, item::DEATH};

use super::{Event, Target};

/// The entry of a civil-status book: its kind, commune, year and number tell it from every other. The commune
/// is there: the form demands it.
pub(super) fn entry(kind: &str, place: &Address, registered: PartialDate, number: &str) -> String {
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    let (version, commune) = (part(&place.units_version), part(&place.commune_code));
    format!("{kind}/{version}/{commune}/{}/{number}", registered.year())
}

/// A death entry.
pub(super) struct Death {
    pub(super) subject: Subject,
    pub(super) claims: Claims,
    pub(super) entry_number: String,
    pub(super) registration_date: PartialDate,
    pub(super) registration_place: Address,
    pub(super) date_of_death: PartialDate,
}

impl Death {
    /// What the entry says, as the register takes it (Law 26/2023/QH15, Art. 9, item 24).
    pub(super) fn event(self) -> Event {
        let died = self.date_of_death;
        let place = &self.registration_place;
        Event {
            kind: EventKind::Death,
            entry: entry("death", place, self.registration_date, &self.entry_number),
            target: Target::Known { subject: self.subject, claims: self.claims, corrects: false },
            said: vec![Said::holds(DEATH, Value::Date(died), Some(died))],
            further: Vec::new(),
        }
    }
}

/// A residence that was registered or changed.
pub(super) struct Residence {
    pub(super) subject: Subject,
    pub(super) claims: Claims,
    pub(super) item: &'static str,
    pub(super) address: Address,
    pub(super) effective_date: PartialDate,
    pub(super) file_number: String,
}

impl Residence {
    /// What it says, as the register takes it (Law 26/2023/QH15, Art. 9, items 16 to 18 and 20).
    pub(super) fn event(self) -> Event {
        let from = Some(self.effective_date);
        let said = |item: &str, value| Said::holds(item, value, from);
        let mut all = vec![said(self.item, Value::Address(self.address))];
        if !self.file_number.is_empty() {
            all.push(said("residence_file_number", Value::Text(self.file_number)));
        }
        Event {
            kind: EventKind::Residence,
            entry: String::new(),
            target: Target::Known { subject: self.subject, claims: self.claims, corrects: false },
            said: all,
            further: Vec::new(),
        }
    }
}

/// Values that were corrected.
pub(super) struct Correction {
    pub(super) subject: Subject,
    pub(super) claims: Claims,
    pub(super) entry_number: String,
    pub(super) correction_date: PartialDate,
    pub(super) registration_place: Address,
    pub(super) said: Vec<Said>,
}

impl Correction {
    /// What it says, as the register takes it.
    pub(super) fn event(self) -> Event {
        let place = &self.registration_place;
        let entry = entry("correction", place, self.correction_date, &self.entry_number);
        Event {
            kind: EventKind::Correction,
            entry,
            target: Target::Known { subject: self.subject, claims: self.claims, corrects: true },
            said: self.said,
            further: Vec::new(),
        }
    }
}
