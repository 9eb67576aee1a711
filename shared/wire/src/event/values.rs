//! What an event says of one person alone: changes, documents, contact points, and what ends.

use contract::{
    contribution::v1::{CivilStatusChange, ContactChange, ValueEnd},
    r#type::v1::Document as WireDocument,
};
use model::{
    EventKind, PartialDate, Said, Saying, Value,
    item::{CONTACTS, holds_several},
};

use super::{
    life::{Told, ends},
    read::Reading,
};
use crate::{Fault, basis, value::Reader};

const ENDS_MAX: usize = 16;
const EMAIL_MAX: usize = 254;
/// Digits of a telephone number, without the `+` of a country's code.
const TELEPHONE: std::ops::RangeInclusive<usize> = 8..=15;

impl Reading<'_> {
    pub(super) fn civil_status_change(
        &mut self,
        change: &CivilStatusChange,
        from: Option<PartialDate>,
    ) -> Option<Told> {
        const FIELD: &str = "life_event.civil_status_change";
        let mut reader = Reader::new(self.lists, self.faults);
        let mut said = Vec::new();
        if let Some(name) = &change.full_name {
            let name = reader.name(&format!("{FIELD}.full_name"), Some(name));
            said.push(("birth_full_name", name.map(Value::Name)));
        }
        let codes = [
            ("sex", &change.sex, "sex"),
            ("ethnic_group", &change.ethnic_group, "ethnic-group"),
            ("nationality", &change.nationality, "nationality"),
        ];
        for (item, code, list) in codes {
            if code.is_some() {
                let code = reader.coded(&format!("{FIELD}.{item}"), code.as_ref(), list);
                said.push((item, code.map(Value::Coded)));
            }
        }
        if said.is_empty() {
            self.faults.add(FIELD, Fault::Missing);
        }
        let said = said.into_iter().map(|(item, value)| Some(Said::holds(item, value?, from)));
        Told::of(EventKind::CivilStatusChange, said.collect::<Option<_>>()?)
    }

    pub(super) fn contact_change(
        &mut self,
        change: &ContactChange,
        from: Option<PartialDate>,
    ) -> Option<Told> {
        const FIELD: &str = "life_event.contact_change";
        let ContactChange { mobile_number, email } = change;
        let mut said = Vec::new();
        let mut give = |text: &String| {
            said.push(Said::holds(CONTACTS, Value::Text(text.clone()), from));
        };
        if !mobile_number.is_empty() {
            let digits = mobile_number.strip_prefix('+').unwrap_or(mobile_number);
            if TELEPHONE.contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
                give(mobile_number);
            } else {
                self.faults.add(format!("{FIELD}.mobile_number"), Fault::Malformed);
            }
        }
        if !email.is_empty() {
            let good = |(name, domain): (&str, &str)| !name.is_empty() && !domain.contains('@');
            let parts = email.split_once('@').filter(|(_, domain)| !domain.is_empty());
            if email.chars().count() > EMAIL_MAX {
                self.faults.add(format!("{FIELD}.email"), Fault::TooLong(EMAIL_MAX));
            } else if parts.is_some_and(good)
                && !email.contains(|c: char| c.is_control() || c == ' ')
            {
                give(email);
            } else {
                self.faults.add(format!("{FIELD}.email"), Fault::Malformed);
            }
        }
        if mobile_number.is_empty() && email.is_empty() {
            self.faults.add(FIELD, Fault::Missing);
        }
        Told::of(EventKind::ContactChange, said)
    }

    pub(super) fn value_end(&mut self, end: &ValueEnd, from: Option<PartialDate>) -> Option<Told> {
        const LIST: &str = "life_event.end.ended_values";
        if end.ended_values.is_empty() {
            self.faults.add(LIST, Fault::Missing);
        }
        if end.ended_values.len() > ENDS_MAX {
            self.faults.add(LIST, Fault::TooMany(ENDS_MAX));
        }
        let mut said: Vec<Said> = Vec::new();
        for (place, ended) in end.ended_values.iter().take(ENDS_MAX).enumerate() {
            let item = &ended.item;
            basis::check_item(&format!("{LIST}[{place}].item"), item, self.faults);
            let field = format!("{LIST}[{place}].value");
            let value = if holds_several(item) {
                Reader::new(self.lists, self.faults).value(&field, ended.value.as_ref())
            } else {
                if ended.value.is_some() {
                    self.faults.add(field, Fault::NotAllowed);
                }
                None
            };
            let one = ends(item, value, from, Saying::Ends);
            if said.contains(&one) {
                self.faults.add(format!("{LIST}[{place}]"), Fault::Repeated);
            }
            said.push(one);
        }
        Told::of(EventKind::End, said)
    }

    pub(super) fn document(
        &mut self,
        field: &str,
        document: Option<&WireDocument>,
    ) -> Option<Value> {
        let Some(document) = document else {
            self.faults.add(field, Fault::Missing);
            return None;
        };
        Reader::new(self.lists, self.faults).document(field, document).map(Value::Document)
    }
}
