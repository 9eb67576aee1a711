//! Typed values to elements.

use model::{
    Address, CodedValue, Identifier, IdentifierKind, Name, PartialDate, PersonName, Precision,
    Relation, Value,
};

use super::ValueWriter;
use crate::{Element, Form, Kind, Part, What, tree::is_xml_char};

/// An element to be written: with a text, or with others in it.
pub(super) struct Out<'a> {
    pub(super) name: &'a str,
    pub(super) text: String,
    pub(super) children: Vec<Out<'a>>,
}

impl<'a> Out<'a> {
    pub(super) fn text(name: &'a str, text: impl Into<String>) -> Self {
        Self { name, text: text.into(), children: Vec::new() }
    }

    pub(super) fn holding(name: &'a str, children: Vec<Self>) -> Self {
        Self { name, text: String::new(), children }
    }

    /// Whether XML can hold everything in it.
    fn is_writable(&self) -> bool {
        self.text.chars().all(is_xml_char) && self.children.iter().all(Self::is_writable)
    }
}

impl<'a> ValueWriter<'a> {
    /// The element of a value.
    pub(super) fn value(
        &mut self,
        element: &'a Element,
        place: &str,
        value: &Value,
    ) -> Option<Out<'a>> {
        let name = element.name.as_str();
        let out = match (element.form, value) {
            (Form::Identifier, Value::Identifier(number)) if kind(number) == element.kind => {
                Out::text(name, number.as_str())
            }
            (Form::Name, Value::Name(value)) => self.name(name, place, value),
            (Form::Coded, Value::Coded(value)) => self.coded(element, place, value),
            (Form::Date, Value::Date(date)) => self.date(name, place, *date),
            (Form::Address, Value::Address(address)) => self.address(element, place, address),
            (Form::Relation, Value::Relation(relation)) => self.relation(element, place, relation),
            _ => return self.tell(place, What::Malformed),
        };
        if out.is_writable() { Some(out) } else { self.tell(place, What::Malformed) }
    }

    /// The parts where they make up the whole; else the whole in Ten, because splitting a name is a guess.
    fn name(&mut self, element: &'a str, place: &str, name: &PersonName) -> Out<'a> {
        let PersonName { full_name, family_name, middle_name, given_name } = name;
        let parts = [family_name, middle_name, given_name];
        let text = |part: &Option<Name>| {
            part.as_ref().map(|part| part.as_str().to_owned()).unwrap_or_default()
        };
        let known: Vec<&str> = parts.iter().copied().flatten().map(Name::as_str).collect();
        let apart = (family_name.is_some() || middle_name.is_some()) && given_name.is_some();
        let whole = apart && known.join(" ") == full_name.as_str();
        if !whole && !known.is_empty() {
            self.tell::<()>(&format!("{place}.family_name"), What::NoPart);
        }
        let (family, middle, given) = if whole {
            (text(family_name), text(middle_name), text(given_name))
        } else {
            (String::new(), String::new(), full_name.as_str().to_owned())
        };
        let children =
            vec![Out::text("Ho", family), Out::text("ChuDem", middle), Out::text("Ten", given)];
        Out::holding(element, children)
    }

    fn coded(&mut self, element: &'a Element, place: &str, value: &CodedValue) -> Out<'a> {
        self.list(element, place, &value.code_system, &value.code_system_version);
        match &element.code_in {
            Some(inner) => Out::holding(&element.name, vec![Out::text(inner, &value.code)]),
            None => Out::text(&element.name, &value.code),
        }
    }

    /// Tells of a list that whoever reads the message would not know.
    fn list(&mut self, element: &Element, place: &str, list: &str, version: &str) {
        let meant = element.list.as_deref() == Some(list);
        if !meant || element.version.as_deref() != Some(version) {
            self.tell::<()>(place, What::ListNotCarried(format!("{list}/{version}")));
        }
    }

    /// The whole date, or the year: a month alone has no element, and no day is ever made up.
    fn date(&mut self, element: &'a str, place: &str, date: PartialDate) -> Out<'a> {
        let (year, month, day) = (date.year(), date.month(), date.day());
        let known = match date.precision() {
            Precision::Day => Out::text("NgayThangNam", format!("{year:04}-{month:02}-{day:02}")),
            Precision::Month => {
                self.tell::<()>(&format!("{place}.month"), What::NoPart);
                Out::text("Nam", format!("{year:04}"))
            }
            Precision::Year => Out::text("Nam", format!("{year:04}")),
        };
        Out::holding(element, vec![known])
    }

    /// One code: that of the smallest unit, which lies in the others.
    fn address(&mut self, element: &'a Element, place: &str, address: &Address) -> Out<'a> {
        let codes = [
            ("commune_code", &address.commune_code),
            ("district_code", &address.district_code),
            ("province_code", &address.province_code),
        ];
        let mut given = codes.into_iter().filter_map(|(tier, code)| Some((tier, code.as_ref()?)));
        let mut children = Vec::new();
        if let Some((_, code)) = given.next() {
            children.push(Out::text("MaDonViHanhChinh", code));
            if let (Some(list), Some(version)) = (&element.list, &address.units_version) {
                self.list(element, place, list, version);
            }
        }
        for (tier, _) in given {
            self.tell::<()>(&format!("{place}.{tier}"), What::NoPart);
        }
        children.push(Out::text("ChiTiet", &address.text));
        children.extend(address.country_code.iter().map(|code| Out::text("QuocGia", code)));
        Out::holding(&element.name, children)
    }

    fn relation(&mut self, element: &'a Element, place: &str, relation: &Relation) -> Out<'a> {
        let mut children = Vec::new();
        for part in &element.parts {
            let number = |wanted: IdentifierKind| {
                let number = relation.identifier.as_ref().filter(|n| n.kind() == wanted)?;
                Some(Out::text(part.name(), number.as_str()))
            };
            children.extend(match part {
                Part::SoDinhDanh => number(IdentifierKind::PersonalNumber),
                Part::SoCmnd => number(IdentifierKind::OldNumber9),
                Part::QuocTich => relation.nationality.as_ref().map(|code| {
                    let place = format!("{place}.nationality");
                    self.list(element, &place, &code.code_system, &code.code_system_version);
                    Out::text(part.name(), &code.code)
                }),
                Part::HoVaTen => {
                    Some(self.name(part.name(), &format!("{place}.name"), &relation.name))
                }
            });
        }
        if relation.date_of_birth.is_some() {
            self.tell::<()>(&format!("{place}.date_of_birth"), What::NoPart);
        }
        if relation.nationality.is_some() && !element.parts.contains(&Part::QuocTich) {
            self.tell::<()>(&format!("{place}.nationality"), What::NoPart);
        }
        Out::holding(&element.name, children)
    }
}

fn kind(number: &Identifier) -> Option<Kind> {
    Some(match number.kind() {
        IdentifierKind::PersonalNumber => Kind::PersonalNumber,
        IdentifierKind::OldNumber9 => Kind::OldNumber9,
    })
}
