//! Elements to typed values.

use model::{
    Address, CodedValue, Identifier, Name, NameError, OldNumber, PartialDate, PersonName,
    PersonalNumber, Relation, RelationKind, Value,
};

use super::{At, Reader};
use crate::{
    Element, Form, Kind, Part, What,
    inputs::{date_text, year_text},
    tree::Node,
};

/// The longest text of a place, in characters, as the contract has it.
const TEXT_MAX: usize = 300;

impl Reader<'_> {
    /// The value of an element that is not empty.
    pub(super) fn value(&mut self, element: &Element, at: At<'_>) -> Option<Value> {
        match element.form {
            Form::Identifier => self.identifier(element.kind, at).map(Value::Identifier),
            Form::Name => self.name(at).map(Value::Name),
            Form::Coded => self.coded(element, at).map(Value::Coded),
            Form::Date => self.date(at).map(Value::Date),
            Form::Address => self.address(element, at).map(Value::Address),
            Form::Relation => match element.kind {
                Some(Kind::Relation(kind)) => self.relation(element, kind, at).map(Value::Relation),
                Some(Kind::PersonalNumber | Kind::OldNumber9) | None => None,
            },
        }
    }

    /// The text of an element that has no others in it.
    fn text<'n>(&mut self, at: At<'n>) -> Option<&'n str> {
        if at.node.children.is_empty() {
            return Some(&at.node.text);
        }
        self.tell(at.path, at.node, What::Malformed)
    }

    fn identifier(&mut self, kind: Option<Kind>, at: At<'_>) -> Option<Identifier> {
        let text = self.text(at)?;
        let read = match kind {
            Some(Kind::PersonalNumber) => {
                PersonalNumber::parse(text).ok().map(Identifier::PersonalNumber)
            }
            Some(Kind::OldNumber9) => OldNumber::parse(text).ok().map(Identifier::OldNumber9),
            Some(Kind::Relation(_)) | None => None,
        };
        read.or_else(|| self.tell(at.path, at.node, What::Malformed))
    }

    /// A name in its parts. Replies have the whole in Ten: the parts are then not known, and not guessed.
    fn name(&mut self, at: At<'_>) -> Option<PersonName> {
        if at.node.children.is_empty() {
            return self.tell(at.path, at.node, What::Malformed);
        }
        let names = ["Ho", "ChuDem", "Ten"];
        let parts = self.parts(at, &names);
        let mut read = |place: usize| {
            let node = parts.get(place).copied().flatten().filter(|node| !node.is_empty())?;
            let path = format!("{}/{}", at.path, names.get(place)?);
            Some(self.name_text(At { path: &path, node }))
        };
        let (family, middle, given) = (read(0), read(1), read(2));
        let Some(given) = given else {
            return self.tell(&format!("{}/Ten", at.path), at.node, What::Missing);
        };
        if family.is_none() && middle.is_none() {
            self.tell::<()>(at.path, at.node, What::WholeName);
            return given.map(PersonName::from);
        }
        let (family, middle, given) = (lift(family)?, lift(middle)?, given?);
        let texts = [family.as_ref(), middle.as_ref(), Some(&given)];
        let whole: Vec<&str> = texts.into_iter().flatten().map(Name::as_str).collect();
        let full_name = self.whole(&whole.join(" "), at)?;
        Some(PersonName {
            full_name,
            family_name: family,
            middle_name: middle,
            given_name: Some(given),
        })
    }

    fn name_text(&mut self, at: At<'_>) -> Option<Name> {
        let text = self.text(at)?;
        self.whole(text, at)
    }

    fn whole(&mut self, text: &str, at: At<'_>) -> Option<Name> {
        let what = match Name::new(text) {
            Ok(name) => return Some(name),
            Err(NameError::TooLong) => What::TooLong(model::MAX_CHARS),
            Err(NameError::Empty | NameError::Control) => What::Malformed,
        };
        self.tell(at.path, at.node, what)
    }

    fn coded(&mut self, element: &Element, at: At<'_>) -> Option<CodedValue> {
        let Some(inner) = &element.code_in else { return self.code(element, at) };
        if at.node.children.is_empty() {
            self.tell::<()>(at.path, at.node, What::FlatCode);
            return self.code(element, at);
        }
        let child = self.parts(at, &[inner]).pop().flatten().filter(|child| !child.is_empty());
        let Some(node) = child else { return self.tell(at.path, at.node, What::Incomplete) };
        let path = format!("{}/{inner}", at.path);
        self.code(element, At { path: &path, node })
    }

    fn code(&mut self, element: &Element, at: At<'_>) -> Option<CodedValue> {
        let code = self.text(at)?;
        let list = element.list.as_deref().unwrap_or_default();
        let Some(version) = self.said.version(element) else {
            return self.tell(at.path, at.node, What::ListNotSaid(list.to_owned()));
        };
        let coded = self.qcvn.coded(list, version, code);
        coded.or_else(|| self.tell(at.path, at.node, What::UnknownCode))
    }

    /// A date, or the year alone. Replies have both, and write the date together.
    fn date(&mut self, at: At<'_>) -> Option<PartialDate> {
        let parts = self.parts(at, &["Nam", "NgayThangNam"]);
        let mut part = |place: usize, name: &str| {
            let node = parts.get(place).copied().flatten().filter(|node| !node.is_empty())?;
            Some(self.date_text(At { path: &format!("{}/{name}", at.path), node }, name == "Nam"))
        };
        let (year, date) = (lift(part(0, "Nam"))?, lift(part(1, "NgayThangNam"))?);
        match (year, date) {
            (Some(year), Some(date)) if year.year() != date.year() => {
                self.tell(at.path, at.node, What::Contradiction)
            }
            (_, Some(known)) | (Some(known), None) => Some(known),
            (None, None) => self.tell(at.path, at.node, What::Malformed),
        }
    }

    fn date_text(&mut self, at: At<'_>, year: bool) -> Option<PartialDate> {
        let text = self.text(at)?;
        let read = if year { year_text(text) } else { date_text(text) };
        let Some(date) = read else { return self.tell(at.path, at.node, What::Malformed) };
        if !year && !text.contains('-') {
            self.tell::<()>(at.path, at.node, What::CompactDate);
        }
        Some(date)
    }

    fn address(&mut self, element: &Element, at: At<'_>) -> Option<Address> {
        let names = ["MaDonViHanhChinh", "ChiTiet", "QuocGia"];
        let parts = self.parts(at, &names);
        let part = |place: usize| {
            parts.get(place).copied().flatten().filter(|node: &&Node| !node.is_empty())
        };
        let path = |name: &str| format!("{}/{name}", at.path);
        let Some(node) = part(1) else {
            return self.tell(&path("ChiTiet"), at.node, What::Incomplete);
        };
        let detail = At { path: &path("ChiTiet"), node };
        let text = self.text(detail)?.to_owned();
        if text.chars().count() > TEXT_MAX {
            return self.tell(detail.path, node, What::TooLong(TEXT_MAX));
        }
        if text.chars().any(char::is_control) {
            return self.tell(detail.path, node, What::Malformed);
        }
        let mut address = Address { text, ..Address::default() };
        if let Some(node) = part(0) {
            self.unit(element, At { path: &path("MaDonViHanhChinh"), node }, &mut address);
        }
        if let Some(node) = part(2) {
            let at = At { path: &path("QuocGia"), node };
            let country = self.text(at)?;
            if self.qcvn.lists.any_version_holds("nationality", country) {
                address.country_code = Some(country.to_owned());
            } else {
                self.tell::<()>(at.path, node, What::UnknownCode);
            }
        }
        Some(address)
    }

    /// A bare code of a unit: how many digits it has says of which tier.
    fn unit(&mut self, element: &Element, at: At<'_>, address: &mut Address) -> Option<()> {
        let code = self.text(at)?;
        let list = element.list.as_deref().unwrap_or_default();
        let version = self.said.version(element);
        let tier = match (code.len(), code.bytes().all(|b| b.is_ascii_digit())) {
            (2, true) => &mut address.province_code,
            (3, true) => &mut address.district_code,
            (5, true) => &mut address.commune_code,
            _ => return self.tell(at.path, at.node, What::Malformed),
        };
        let Some(version) = version else {
            return self.tell(at.path, at.node, What::ListNotSaid(list.to_owned()));
        };
        // Districts and communes have a form only: their lists are not shipped.
        if code.len() == 2 && self.qcvn.coded(list, version, code).is_none() {
            return self.tell(at.path, at.node, What::UnknownCode);
        }
        *tier = Some(code.to_owned());
        address.units_version = Some(version.to_owned());
        Some(())
    }

    fn relation(&mut self, element: &Element, kind: RelationKind, at: At<'_>) -> Option<Relation> {
        // The parts that are items of their own are read beside this; here they are only known.
        let table = &self.qcvn.table;
        let own = element.parts.iter().map(|part| part.name());
        let nested = table.within(Some(&element.name)).map(|nested| nested.name.as_str());
        let names: Vec<&str> = own.chain(nested).collect();
        let found = self.parts(at, &names);
        let part = |part: Part| {
            let place = element.parts.iter().position(|known| *known == part)?;
            found.get(place).copied().flatten().filter(|node| !node.is_empty())
        };
        let path = |part: Part| format!("{}/{}", at.path, part.name());
        let identifier = self.relative_number(at, &part);
        let nationality = part(Part::QuocTich)
            .and_then(|node| self.code(element, At { path: &path(Part::QuocTich), node }));
        let Some(node) = part(Part::HoVaTen) else {
            let alone = element.parts.iter().all(|known| part(*known).is_none());
            // Nothing but what is an item of its own.
            if !alone {
                self.tell::<()>(&path(Part::HoVaTen), at.node, What::Incomplete);
            }
            return None;
        };
        let name = At { path: &path(Part::HoVaTen), node };
        let name = if node.children.is_empty() {
            self.tell::<()>(name.path, node, What::FlatName);
            self.name_text(name).map(PersonName::from)
        } else {
            self.name(name)
        };
        Some(Relation { kind, name: name?, identifier, date_of_birth: None, nationality })
    }

    /// The one number that the contract has a place for: the personal number where there are two.
    fn relative_number<'n>(
        &mut self,
        at: At<'_>,
        part: &impl Fn(Part) -> Option<&'n Node>,
    ) -> Option<Identifier> {
        let mut number = |which: Part, kind: Kind| {
            let path = format!("{}/{}", at.path, which.name());
            let node = part(which)?;
            Some((self.identifier(Some(kind), At { path: &path, node }), path, node))
        };
        let personal = number(Part::SoDinhDanh, Kind::PersonalNumber);
        let old = number(Part::SoCmnd, Kind::OldNumber9);
        match (personal, old) {
            (Some((personal, ..)), None) => personal,
            (None, Some((old, ..))) => old,
            (Some((personal, ..)), Some((_, path, node))) => {
                self.tell::<()>(&path, node, What::NoPart);
                personal
            }
            (None, None) => None,
        }
    }
}

/// Of an optional part: not there, there and good, or there and faulty (which makes the whole faulty).
fn lift<T>(part: Option<Option<T>>) -> Option<Option<T>> {
    part.map_or(Some(None), |read| read.map(Some))
}
