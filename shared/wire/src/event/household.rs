//! A household: who belongs to it from now on, and who does no more (Law 26/2023/QH15, Art. 9, items 20, 22 and 23).

use contract::contribution::v1::HouseholdChange;
use model::{
    CodedValue, EventKind, PartialDate, Relation, RelationKind, Said, Saying, Value,
    item::{HOUSEHOLD, RELATION_TO_HEAD, RESIDENCE_FILE},
};

use super::{
    Further,
    life::{Told, Who},
    read::{ENTRY_MAX, Reading},
};
use crate::{Fault, value::Reader};

const MEMBERS_MAX: usize = 20;
const FIELD: &str = "life_event.household";
/// What the head is to the head, in the list `household-relation`.
const HEAD: &str = "CH01";
const RELATION: &str = "household-relation";

/// Somebody of the household.
struct Member {
    place: String,
    who: Who,
    kind: RelationKind,
    /// What the member is to the head, where the list has a code for it.
    to_head: Option<CodedValue>,
}

impl Reading<'_> {
    /// A household of which `head` is the head.
    pub(super) fn household(
        &mut self,
        change: &HouseholdChange,
        head: Option<&Who>,
        from: Option<PartialDate>,
    ) -> Option<Told> {
        let file_number = &change.residence_file_number;
        self.faults.text(&format!("{FIELD}.residence_file_number"), file_number, ENTRY_MAX);
        let left_number = &change.left_file_number;
        if !left_number.is_empty() {
            self.faults.text(&format!("{FIELD}.left_file_number"), left_number, ENTRY_MAX);
        }
        let (members, left) = (self.members(change), self.left(change));
        let head = Member {
            place: String::new(),
            who: head?.clone(),
            kind: RelationKind::HouseholdHead,
            to_head: Some(self.lists.latest(RELATION, HEAD)?),
        };
        let mut stays = vec![head];
        stays.extend(members);
        let of_all = stays.iter().map(|member| (member.place.as_str(), &member.who));
        let of_all: Vec<_> =
            of_all.chain(left.iter().map(|(at, who)| (at.as_str(), who))).collect();
        for (place, (at, who)) in of_all.iter().enumerate() {
            if of_all.iter().take(place).any(|(_, other)| other.subject == who.subject) {
                self.faults.add(*at, Fault::Repeated);
            }
        }
        let left_file_number = Some(&change.left_file_number).filter(|number| !number.is_empty());
        let left_file_number = left_file_number.unwrap_or(file_number);
        let household =
            Household { file_number, left_file_number, stays: &stays, left: &left, from };
        Some(household.told())
    }

    fn members(&mut self, change: &HouseholdChange) -> Vec<Member> {
        let list = format!("{FIELD}.members");
        if change.members.len() > MEMBERS_MAX {
            self.faults.add(list.clone(), Fault::TooMany(MEMBERS_MAX));
        }
        let mut members = Vec::new();
        for (place, member) in change.members.iter().take(MEMBERS_MAX).enumerate() {
            let at = format!("{list}[{place}].person");
            let who = self.party(&at, member.person.as_ref());
            let field = format!("{list}[{place}].relation_to_head");
            let to_head = member.relation_to_head.as_ref();
            let to_head = to_head.and_then(|code| {
                Reader::new(self.lists, self.faults).coded(&field, Some(code), RELATION)
            });
            // There is one head.
            if to_head.as_ref().is_some_and(|code| code.code == HEAD) {
                self.faults.add(field, Fault::NotAllowed);
            }
            if let Some(who) = who {
                members.push(Member {
                    place: at,
                    who,
                    kind: RelationKind::HouseholdMember,
                    to_head,
                });
            }
        }
        members
    }

    fn left(&mut self, change: &HouseholdChange) -> Vec<(String, Who)> {
        let list = format!("{FIELD}.left");
        if change.left.len() > MEMBERS_MAX {
            self.faults.add(list.clone(), Fault::TooMany(MEMBERS_MAX));
        }
        let mut left = Vec::new();
        for (place, party) in change.left.iter().take(MEMBERS_MAX).enumerate() {
            let at = format!("{list}[{place}]");
            if let Some(who) = self.party(&at, Some(party)) {
                left.push((at, who));
            }
        }
        left
    }
}

/// A household whose parts could be read.
struct Household<'a> {
    file_number: &'a str,
    left_file_number: &'a str,
    stays: &'a [Member],
    left: &'a [(String, Who)],
    from: Option<PartialDate>,
}

impl Household<'_> {
    /// What the change says of everybody, of the head first.
    fn told(&self) -> Told {
        let mut all = self.stays.iter().enumerate().map(|(place, member)| Further {
            place: member.place.clone(),
            subject: member.who.subject.clone(),
            claims: member.who.claims.clone(),
            said: self.said_of(place, member),
        });
        let said = all.next().map(|head| head.said).unwrap_or_default();
        let gone = self.left.iter().map(|(place, who)| Further {
            place: place.clone(),
            subject: who.subject.clone(),
            claims: who.claims.clone(),
            said: self.said_of_gone(),
        });
        Told { kind: EventKind::Household, said, further: all.chain(gone).collect() }
    }

    /// What is said of somebody who belongs to it.
    fn said_of(&self, place: usize, member: &Member) -> Vec<Said> {
        let mut said = vec![self.holds(RESIDENCE_FILE, Value::Text(self.file_number.to_owned()))];
        match &member.to_head {
            Some(code) => {
                said.push(self.holds(RELATION_TO_HEAD, Value::Coded(code.clone())));
            }
            // Whatever was said of the relation to another head is not so any more.
            None => said.push(self.ends(RELATION_TO_HEAD, None)),
        }
        for (other_place, other) in self.stays.iter().enumerate() {
            if other_place != place {
                said.push(self.holds(HOUSEHOLD, relation(&other.who, other.kind)));
            }
        }
        for (_, who) in self.left {
            let gone = relation(who, RelationKind::HouseholdMember);
            said.push(self.ends(HOUSEHOLD, Some(gone)));
        }
        said
    }

    /// What is said of somebody who left.
    fn said_of_gone(&self) -> Vec<Said> {
        let left = Value::Text(self.left_file_number.to_owned());
        let mut said =
            vec![self.ends(RESIDENCE_FILE, Some(left)), self.ends(RELATION_TO_HEAD, None)];
        for other in self.stays {
            said.push(self.ends(HOUSEHOLD, Some(relation(&other.who, other.kind))));
        }
        said
    }

    fn holds(&self, item: &str, value: Value) -> Said {
        Said::holds(item, value, self.from)
    }

    fn ends(&self, item: &str, value: Option<Value>) -> Said {
        Said { item: item.to_owned(), value, valid_from: self.from, says: Saying::EndsIfHeld }
    }
}

fn relation(who: &Who, kind: RelationKind) -> Value {
    Value::Relation(Relation { kind, ..who.relation() })
}
