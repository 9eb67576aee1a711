//! Values to a message, strictly as the regulation illustrates it.

mod value;

use model::Value;
use quick_xml::{
    Writer,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};
use time::{OffsetDateTime, UtcOffset};

use self::value::Out;
use crate::{Collection, Element, Item, Kind, Outcome, Person, Qcvn, Told, What, told};

/// How our own note begins.
pub(crate) const NOTE: &str = "lienthong: ";
/// Viet Nam's time, which has no summer time.
pub(crate) const VIET_NAM_HOURS: i8 = 7;
/// As the annex has it.
const PREFIX: &str = "dc";

/// A message.
#[derive(Clone, PartialEq, Eq)]
pub struct Written {
    /// The XML, in UTF-8, with a declaration.
    pub xml: String,
    /// What was left out, and notes.
    pub told: Vec<Told>,
}

crate::redacted_debug!(Written);

/// Writes a message.
pub(crate) fn write(qcvn: &Qcvn, collection: &Collection) -> Result<Written, Vec<Told>> {
    let mut writer = ValueWriter { qcvn, told: Vec::new() };
    let persons: Vec<Out<'_>> = collection.persons.iter().map(|p| writer.person(p)).collect();
    let told = told::faults(writer.told)?;
    let mut attributes = vec![("SoCongDan", persons.len().to_string())];
    if let Some(time) = collection.time.and_then(moment) {
        attributes.push(("ThoiDiemDuLieu", time));
    }
    if let [person] = collection.persons.as_slice()
        && let Some(note) = note(person)
    {
        attributes.push(("GhiChu", note));
    }
    let xml = serialize(&qcvn.table.namespace, &attributes, &persons);
    // Memory takes everything that is written to it.
    Ok(Written { xml: xml.unwrap_or_default(), told })
}

/// An element that was made, and which of the mapping it is.
type Made<'a> = (&'a Element, Out<'a>);

/// Writes values as elements; what is told is told of items.
struct ValueWriter<'a> {
    qcvn: &'a Qcvn,
    told: Vec<Told>,
}

impl<'a> ValueWriter<'a> {
    fn tell<T>(&mut self, place: &str, what: What) -> Option<T> {
        self.told.push(Told::of(place, what));
        None
    }

    fn person(&mut self, person: &Person) -> Out<'a> {
        let mut made = Vec::new();
        for item in &person.items {
            self.item(item, &mut made);
        }
        let mut citizen = Out::holding("CongDan", Vec::new());
        for element in self.qcvn.table.within(None) {
            // A part that is an item of its own stands first, also where nothing else of its host is given.
            let inner = self.qcvn.table.within(Some(&element.name));
            let mut children: Vec<_> = inner.filter_map(|e| take(&mut made, e)).collect();
            match take(&mut made, element) {
                Some(mut out) => {
                    children.append(&mut out.children);
                    citizen.children.push(Out { children, ..out });
                }
                None if children.is_empty() => {}
                None => citizen.children.push(Out::holding(&element.name, children)),
            }
        }
        citizen
    }

    fn item(&mut self, item: &Item, made: &mut Vec<Made<'a>>) {
        let values = match &item.outcome {
            Outcome::Value(values) | Outcome::Partial(values) => values,
            Outcome::NotHeld => return self.told.push(Told::of(&item.id, What::NotHeld)),
            Outcome::Withheld => return self.told.push(Told::of(&item.id, What::Withheld)),
            Outcome::Unknown => return self.told.push(Told::of(&item.id, What::UnknownItem)),
        };
        let elements: Vec<&Element> = self.qcvn.table.of_item(&item.id).collect();
        if elements.is_empty() {
            return self.told.push(Told::of(&item.id, What::NoElement));
        }
        for (place, value) in values.iter().enumerate() {
            let path = match values.len() {
                1 => item.id.clone(),
                _ => format!("{}[{place}]", item.id),
            };
            let target = if let Value::Relation(relation) = value {
                let kind = Some(Kind::Relation(relation.kind));
                elements.iter().find(|element| element.kind == kind)
            } else {
                elements.first()
            };
            let what = match target {
                None => What::NoRelation,
                Some(target) if made.iter().any(|(other, _)| other == target) => What::FurtherValue,
                Some(target) => {
                    made.extend(self.value(target, &path, value).map(|out| (*target, out)));
                    continue;
                }
            };
            self.told.push(Told::of(path, what));
        }
    }
}

fn take<'a>(made: &mut Vec<Made<'a>>, element: &Element) -> Option<Out<'a>> {
    let place = made.iter().position(|(of, _)| *of == element)?;
    Some(made.swap_remove(place).1)
}

/// What the message says, in its free note, of items that have no value: elements alone cannot tell "no data" from
/// "not allowed" (Circular 13/2017/TT-BTTTT, Art. 8(2)). The form is ours.
fn note(person: &Person) -> Option<String> {
    let of = |name: &str, outcome: &Outcome| {
        let items = person.items.iter().filter(|item| item.outcome == *outcome);
        let ids: Vec<&str> = items.map(|item| item.id.as_str()).collect();
        (!ids.is_empty()).then(|| format!("{name}={}", ids.join(",")))
    };
    let parts = [of("not_held", &Outcome::NotHeld), of("withheld", &Outcome::Withheld)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("{NOTE}{}", parts.join("; ")))
}

/// A moment in Viet Nam's time, as the annex writes it.
fn moment(time: OffsetDateTime) -> Option<String> {
    let local = time.to_offset(UtcOffset::from_hms(VIET_NAM_HOURS, 0, 0).ok()?);
    let (date, (hour, minute, second)) = (local.date(), local.to_hms());
    Some(format!("{date}T{hour:02}:{minute:02}:{second:02}"))
}

fn serialize(
    namespace: &str,
    attributes: &[(&str, String)],
    persons: &[Out<'_>],
) -> std::io::Result<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let name = format!("{PREFIX}:CongdanCollection");
    let mut root = BytesStart::new(&name);
    root.push_attribute((format!("xmlns:{PREFIX}").as_str(), namespace));
    for (key, value) in attributes {
        root.push_attribute((*key, value.as_str()));
    }
    writer.write_event(Event::Start(root))?;
    for person in persons {
        element(&mut writer, person)?;
    }
    writer.write_event(Event::End(BytesEnd::new(&name)))?;
    let mut bytes = writer.into_inner();
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(std::io::Error::other)
}

fn element(writer: &mut Writer<Vec<u8>>, out: &Out<'_>) -> std::io::Result<()> {
    let name = format!("{PREFIX}:{}", out.name);
    if out.children.is_empty() && out.text.is_empty() {
        return writer.write_event(Event::Empty(BytesStart::new(&name)));
    }
    writer.write_event(Event::Start(BytesStart::new(&name)))?;
    if !out.text.is_empty() {
        writer.write_event(Event::Text(BytesText::new(&out.text)))?;
    }
    for child in &out.children {
        element(writer, child)?;
    }
    writer.write_event(Event::End(BytesEnd::new(&name)))
}
