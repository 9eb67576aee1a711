//! Reading values off the wire.

use contract::r#type::v1::{self as wire, item_value};
use model::{
    Address, CodeLists, CodedValue, Document, Identifier, Name, NameError, OldNumber, PartialDate,
    PersonName, PersonalNumber, Relation, RelationKind, Value,
};

use crate::{Fault, Faults};

const TEXT_MAX: usize = 300;
/// The list of the codes of provinces; its versions are those of all units.
const PROVINCES: &str = "province";

/// Reads values and notes what is wrong with them. What is read counts only where no fault was noted.
pub struct Reader<'a> {
    lists: &'a CodeLists,
    faults: &'a mut Faults,
}

impl<'a> Reader<'a> {
    /// A reader that checks codes against `lists` and notes faults in `faults`.
    pub fn new(lists: &'a CodeLists, faults: &'a mut Faults) -> Self {
        Self { lists, faults }
    }

    fn fault<T>(&mut self, field: &str, fault: Fault) -> Option<T> {
        self.faults.add(field, fault);
        None
    }

    /// Any value.
    pub fn value(&mut self, field: &str, value: Option<&wire::ItemValue>) -> Option<Value> {
        match value.and_then(|value| value.value.as_ref()) {
            None => self.fault(field, Fault::Missing),
            Some(item_value::Value::Text(text)) => {
                self.faults.text(field, text, TEXT_MAX);
                Some(Value::Text(text.clone()))
            }
            Some(item_value::Value::Date(date)) => self.date(field, Some(date)).map(Value::Date),
            Some(item_value::Value::Name(name)) => self.name(field, Some(name)).map(Value::Name),
            Some(item_value::Value::Address(address)) => {
                self.address(field, Some(address)).map(Value::Address)
            }
            Some(item_value::Value::Coded(coded)) => {
                let list = coded.code_system.clone();
                self.coded(field, Some(coded), &list).map(Value::Coded)
            }
            Some(item_value::Value::Identifier(number)) => {
                self.identifier(field, number).map(Value::Identifier)
            }
            Some(item_value::Value::Relation(relation)) => {
                self.relation(field, Some(relation)).map(Value::Relation)
            }
            Some(item_value::Value::Document(document)) => {
                self.document(field, document).map(Value::Document)
            }
        }
    }

    /// A required date, perhaps partial.
    pub fn date(&mut self, field: &str, date: Option<&wire::PartialDate>) -> Option<PartialDate> {
        let Some(date) = date else { return self.fault(field, Fault::Missing) };
        let parts = (u8::try_from(date.month), u8::try_from(date.day));
        let (Ok(month), Ok(day)) = parts else { return self.fault(field, Fault::Malformed) };
        match PartialDate::new(date.year, month, day) {
            Ok(date) => Some(date),
            Err(_) => self.fault(field, Fault::Malformed),
        }
    }

    /// A required name.
    pub fn name(&mut self, field: &str, name: Option<&wire::PersonName>) -> Option<PersonName> {
        let Some(name) = name else { return self.fault(field, Fault::Missing) };
        let full = self.name_text(&format!("{field}.full_name"), &name.full_name);
        let mut part = |which: &str, text: &str| match text {
            "" => Some(None),
            text => self.name_text(&format!("{field}.{which}"), text).map(Some),
        };
        let family_name = part("family_name", &name.family_name);
        let middle_name = part("middle_name", &name.middle_name);
        let given_name = part("given_name", &name.given_name);
        Some(PersonName {
            full_name: full?,
            family_name: family_name?,
            middle_name: middle_name?,
            given_name: given_name?,
        })
    }

    /// A required name as one text.
    pub fn name_text(&mut self, field: &str, text: &str) -> Option<Name> {
        match Name::new(text) {
            Ok(name) => Some(name),
            Err(NameError::Empty) => self.fault(field, Fault::Missing),
            Err(NameError::TooLong) => self.fault(field, Fault::TooLong(model::MAX_CHARS)),
            Err(NameError::Control) => self.fault(field, Fault::Malformed),
        }
    }

    /// A required place: text or codes, or both.
    pub fn address(&mut self, field: &str, address: Option<&wire::Address>) -> Option<Address> {
        let Some(address) = address else { return self.fault(field, Fault::Missing) };
        self.faults.text(&format!("{field}.text"), &address.text, TEXT_MAX);
        let units = &address.units_version;
        let codes = [
            ("province_code", &address.province_code, 2),
            ("district_code", &address.district_code, 3),
            ("commune_code", &address.commune_code, 5),
        ];
        let mut coded = false;
        for (which, code, digits) in codes {
            coded |= !code.is_empty();
            let good = code.len() == digits && code.bytes().all(|b| b.is_ascii_digit());
            if !code.is_empty() && !good {
                self.faults.add(format!("{field}.{which}"), Fault::Malformed);
            }
        }
        // District and commune codes have a form only: their lists are not shipped yet.
        if coded && units.is_empty() {
            self.faults.add(format!("{field}.units_version"), Fault::Missing);
        } else if coded && !self.lists.knows(PROVINCES, units) {
            self.faults.add(format!("{field}.units_version"), Fault::UnknownCode);
        } else if !address.province_code.is_empty()
            && !self.lists.holds(&code(PROVINCES, units, &address.province_code))
        {
            self.faults.add(format!("{field}.province_code"), Fault::UnknownCode);
        }
        let country = &address.country_code;
        if !country.is_empty() && !self.lists.any_version_holds("nationality", country) {
            self.faults.add(format!("{field}.country_code"), Fault::UnknownCode);
        }
        let stated = |text: &String| (!text.is_empty()).then(|| text.clone());
        Some(Address {
            text: address.text.trim().to_owned(),
            province_code: stated(&address.province_code),
            district_code: stated(&address.district_code),
            commune_code: stated(&address.commune_code),
            country_code: stated(country),
            units_version: stated(units).filter(|_| coded),
        })
    }

    /// The place of a registration: its commune tells whose book it is.
    pub fn registration_place(
        &mut self,
        field: &str,
        address: Option<&wire::Address>,
    ) -> Option<Address> {
        let read = self.address(field, address)?;
        if read.commune_code.is_none() {
            self.faults.add(format!("{field}.commune_code"), Fault::Missing);
        }
        Some(read)
    }

    /// A required code of the list `list`.
    pub fn coded(
        &mut self,
        field: &str,
        coded: Option<&wire::CodedValue>,
        list: &str,
    ) -> Option<CodedValue> {
        let Some(coded) = coded else { return self.fault(field, Fault::Missing) };
        let value = CodedValue {
            code_system: coded.code_system.clone(),
            code_system_version: coded.code_system_version.clone(),
            code: coded.code.clone(),
            // Output only: what a code is called is said by its list.
            display: None,
        };
        if value.code_system == list && self.lists.holds(&value) {
            Some(value)
        } else {
            self.fault(field, Fault::UnknownCode)
        }
    }

    /// A number that identifies a person.
    pub fn identifier(&mut self, field: &str, number: &wire::Identifier) -> Option<Identifier> {
        let text = &number.value;
        let read = match wire::IdentifierKind::try_from(number.kind) {
            Ok(wire::IdentifierKind::PersonalNumber) => {
                PersonalNumber::parse(text).ok().map(Identifier::PersonalNumber)
            }
            Ok(wire::IdentifierKind::OldNumber9) => {
                OldNumber::parse(text).ok().map(Identifier::OldNumber9)
            }
            Ok(wire::IdentifierKind::Unspecified) | Err(_) => None,
        };
        if read.is_none() {
            self.faults.add(field, Fault::Malformed);
        }
        read
    }

    /// Another person.
    pub fn relation(&mut self, field: &str, relation: Option<&wire::Relation>) -> Option<Relation> {
        let Some(relation) = relation else { return self.fault(field, Fault::Missing) };
        let kind = self.relation_kind(&format!("{field}.kind"), relation.kind);
        let name = self.name(&format!("{field}.name"), relation.name.as_ref());
        let identifier = relation
            .identifier
            .as_ref()
            .map(|number| self.identifier(&format!("{field}.identifier"), number));
        let date_of_birth = relation
            .date_of_birth
            .as_ref()
            .map(|date| self.date(&format!("{field}.date_of_birth"), Some(date)));
        let nationality = relation
            .nationality
            .as_ref()
            .map(|code| self.coded(&format!("{field}.nationality"), Some(code), "nationality"));
        Some(Relation {
            kind: kind?,
            name: name?,
            identifier: lift(identifier)?,
            date_of_birth: lift(date_of_birth)?,
            nationality: lift(nationality)?,
        })
    }

    fn relation_kind(&mut self, field: &str, kind: i32) -> Option<RelationKind> {
        Some(match wire::RelationKind::try_from(kind) {
            Ok(wire::RelationKind::Father) => RelationKind::Father,
            Ok(wire::RelationKind::Mother) => RelationKind::Mother,
            Ok(wire::RelationKind::Spouse) => RelationKind::Spouse,
            Ok(wire::RelationKind::Child) => RelationKind::Child,
            Ok(wire::RelationKind::LegalRepresentative) => RelationKind::LegalRepresentative,
            Ok(wire::RelationKind::RepresentedPerson) => RelationKind::RepresentedPerson,
            Ok(wire::RelationKind::HouseholdHead) => RelationKind::HouseholdHead,
            Ok(wire::RelationKind::HouseholdMember) => RelationKind::HouseholdMember,
            Ok(wire::RelationKind::Unspecified) => return self.fault(field, Fault::Missing),
            Err(_) => return self.fault(field, Fault::Malformed),
        })
    }

    /// A document.
    pub fn document(&mut self, field: &str, document: &wire::Document) -> Option<Document> {
        let kind = self.coded(&format!("{field}.kind"), document.kind.as_ref(), "document-kind");
        for (part, text) in [("number", &document.number), ("issuer", &document.issuer)] {
            if !text.is_empty() {
                self.faults.text(&format!("{field}.{part}"), text, TEXT_MAX);
            }
        }
        let mut date = |part: &str, date: &Option<wire::PartialDate>| {
            date.as_ref().map(|date| self.date(&format!("{field}.{part}"), Some(date)))
        };
        let issue_date = date("issue_date", &document.issue_date);
        let expiry_date = date("expiry_date", &document.expiry_date);
        Some(Document {
            kind: kind?,
            number: document.number.clone(),
            issue_date: lift(issue_date)?,
            issuer: document.issuer.clone(),
            expiry_date: lift(expiry_date)?,
        })
    }
}

/// Of an optional part: not there, there and good, or there and faulty (which makes the whole faulty).
fn lift<T>(part: Option<Option<T>>) -> Option<Option<T>> {
    match part {
        None => Some(None),
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
    }
}

fn code(list: &str, version: &str, code: &str) -> CodedValue {
    CodedValue {
        code_system: list.to_owned(),
        code_system_version: version.to_owned(),
        code: code.to_owned(),
        display: None,
    }
}
