//! A message to values. What the regulation illustrates is read, and of what differs only what replies are known to
//! do; everything else is a fault or is told.

mod value;

use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset, format_description::well_known::Iso8601};

use crate::{
    Collection, Element, Item, Outcome, Person, Qcvn, Said, Told, What, told,
    tree::{self, Node, Space},
    write::{NOTE, VIET_NAM_HOURS},
};

/// What a message says.
#[derive(Debug)]
pub struct Read {
    /// The persons.
    pub collection: Collection,
    /// What was left out, and notes.
    pub told: Vec<Told>,
}

/// Reads a message.
pub(crate) fn read(qcvn: &Qcvn, xml: &[u8], said: &Said) -> Result<Read, Vec<Told>> {
    let mut reader = Reader { qcvn, said, told: Vec::new() };
    let root = tree::parse(xml, &qcvn.table.namespace, &mut reader.told);
    let collection = root.and_then(|root| reader.root(&root)).unwrap_or_default();
    let told = told::faults(reader.told)?;
    Ok(Read { collection, told })
}

/// What stands at a place: its path, for what is told of it.
#[derive(Clone, Copy)]
struct At<'a> {
    path: &'a str,
    node: &'a Node,
}

struct Reader<'a> {
    qcvn: &'a Qcvn,
    said: &'a Said,
    told: Vec<Told>,
}

impl Reader<'_> {
    fn tell<T>(&mut self, path: &str, node: &Node, what: What) -> Option<T> {
        self.told.push(Told { place: path.to_owned(), at: Some(node.at), what });
        None
    }

    /// The collection, also where it stands in an envelope, as callers of today's platform get it.
    fn root(&mut self, root: &Node) -> Option<Collection> {
        let mut node = root;
        for part in ["Envelope", "Body"] {
            if node.space == Space::Soap && node.name == part {
                let wanted = |child: &&Node| child.space != Space::Soap || child.name == "Body";
                let Some(inner) = node.children.iter().find(wanted) else {
                    return self.tell(part, node, What::WrongRoot);
                };
                node = inner;
            }
        }
        if node.space != Space::Citizens || node.name != "CongdanCollection" {
            return self.tell("XML", node, What::WrongRoot);
        }
        Some(self.collection(node))
    }

    fn collection(&mut self, node: &Node) -> Collection {
        let attribute = |name: &str| {
            node.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim())
        };
        let mut collection = Collection::default();
        if let Some(text) = attribute("ThoiDiemDuLieu").filter(|text| !text.is_empty()) {
            collection.time = time(text);
            if collection.time.is_none() {
                self.tell::<()>("ThoiDiemDuLieu", node, What::Malformed);
            }
        }
        let mut count = 0_usize;
        for child in &node.children {
            if !is(child, "CongDan") {
                let path = format!("CongdanCollection/{}", child.shown());
                self.tell::<()>(&path, child, What::UnknownElement);
                continue;
            }
            count += 1;
            let path = format!("CongDan[{count}]");
            collection.persons.extend(self.person(At { path: &path, node: child }));
        }
        let stated = attribute("SoCongDan");
        if stated.is_some_and(|stated| stated.parse() != Ok(count)) {
            self.tell::<()>("SoCongDan", node, What::CountDiffers);
        }
        if let ([person], Some(note)) = (collection.persons.as_mut_slice(), attribute("GhiChu")) {
            self.noted(person, note);
        }
        collection
    }

    fn person(&mut self, at: At<'_>) -> Option<Person> {
        if at.node.is_empty() {
            return self.tell(at.path, at.node, What::NoPerson);
        }
        let qcvn = self.qcvn;
        let mut person = Person::default();
        let elements: Vec<&Element> = qcvn.table.within(None).collect();
        let names: Vec<&str> = elements.iter().map(|element| element.name.as_str()).collect();
        for (element, child) in elements.iter().zip(self.parts(at, &names)) {
            let Some(child) = child else { continue };
            let path = format!("{}/{}", at.path, element.name);
            let at = At { path: &path, node: child };
            if child.is_empty() {
                self.tell::<()>(&path, child, What::Empty);
                continue;
            }
            self.nested(element, at, &mut person);
            if let Some(value) = self.value(element, at) {
                add(&mut person, &element.item, value);
            }
        }
        Some(person)
    }

    /// The parts of an element that are items of their own.
    fn nested(&mut self, host: &Element, at: At<'_>, person: &mut Person) {
        let qcvn = self.qcvn;
        for element in qcvn.table.within(Some(&host.name)) {
            let found = at.node.children.iter().find(|child| is(child, &element.name));
            if let Some(child) = found.filter(|child| !child.is_empty()) {
                let path = format!("{}/{}", at.path, element.name);
                if let Some(value) = self.value(element, At { path: &path, node: child }) {
                    add(person, &element.item, value);
                }
            }
        }
    }

    /// The children of the given names, each at most once; others are told.
    fn parts<'n>(&mut self, at: At<'n>, names: &[&str]) -> Vec<Option<&'n Node>> {
        let mut found = vec![None; names.len()];
        for child in &at.node.children {
            let place = names.iter().position(|name| is(child, name));
            let path = format!("{}/{}", at.path, child.shown());
            match place.and_then(|place| found.get_mut(place)) {
                Some(Some(_)) => {
                    self.tell::<()>(&path, child, What::Repeated);
                }
                Some(free) => *free = Some(child),
                // An empty one loses nothing.
                None if child.is_empty() => {}
                None => {
                    self.tell::<()>(&path, child, What::UnknownElement);
                }
            }
        }
        found
    }

    /// What our own note says of items that have no value (`write::note`); any other note is for persons.
    fn noted(&mut self, person: &mut Person, note: &str) {
        let Some(said) = note.strip_prefix(NOTE) else { return };
        for part in said.split(';') {
            let (outcome, items) = match part.trim().split_once('=') {
                Some(("not_held", items)) => (Outcome::NotHeld, items),
                Some(("withheld", items)) => (Outcome::Withheld, items),
                _ => continue,
            };
            for id in items.split(',') {
                let table = &self.qcvn.table;
                let known = table.is_absent(id) || table.of_item(id).next().is_some();
                if known && !person.items.iter().any(|item| item.id == id) {
                    person.items.push(Item { id: id.to_owned(), outcome: outcome.clone() });
                }
            }
        }
    }
}

/// Whether a node is an element of the message: of its namespace, or of none.
fn is(node: &Node, name: &str) -> bool {
    matches!(node.space, Space::Citizens | Space::None) && node.name == name
}

/// Adds a value to those of its item.
fn add(person: &mut Person, id: &str, value: model::Value) {
    let place = person.items.iter().position(|item| item.id == id).unwrap_or_else(|| {
        let outcome = Outcome::Value(Vec::new());
        person.items.push(Item { id: id.to_owned(), outcome });
        person.items.len() - 1
    });
    let Some(item) = person.items.get_mut(place) else { return };
    if let Outcome::Value(values) | Outcome::Partial(values) = &mut item.outcome {
        values.push(value);
        let values = std::mem::take(values);
        item.outcome = Outcome::of(values);
    }
}

/// A moment: with its zone, or in Viet Nam's time, as the annex writes it.
fn time(text: &str) -> Option<OffsetDateTime> {
    let zone = UtcOffset::from_hms(VIET_NAM_HOURS, 0, 0).ok()?;
    let zoned = OffsetDateTime::parse(text, &Iso8601::PARSING).ok();
    zoned.or_else(|| {
        Some(PrimitiveDateTime::parse(text, &Iso8601::PARSING).ok()?.assume_offset(zone))
    })
}
