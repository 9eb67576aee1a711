//! Events in the life of a person of the register, beside death and residence: read, and what they say of whom.

use contract::contribution::v1::{
    LifeEvent, Party, Registration as WireEntry, divorce, life_event::Event as Happened, marriage,
};
use model::{
    Claims, EventKind, PartialDate, Relation, RelationKind, Said, Saying, Subject, Value,
    item::{DEATH, DOCUMENTS},
};

use super::{
    Event, EventFaults, Further, Target, check_day, check_order, check_past,
    entry::entry,
    family::Spouse,
    read::{ENTRY_MAX, Reading},
};
use crate::{Fault, value::Reader};

const TEXT_MAX: usize = 300;

/// A person of the register, as the source knows it.
#[derive(Clone)]
pub(super) struct Who {
    pub(super) subject: Subject,
    pub(super) claims: Claims,
}

impl Who {
    /// The person as somebody else's relation; of what kind, the caller says.
    pub(super) fn relation(&self) -> Relation {
        Relation {
            kind: RelationKind::HouseholdMember,
            name: self.claims.full_name.clone().into(),
            identifier: Some(self.subject.identifier()),
            date_of_birth: Some(self.claims.date_of_birth),
            nationality: None,
        }
    }
}

/// What happened, as far as the register takes it.
pub(super) struct Told {
    pub(super) kind: EventKind,
    pub(super) said: Vec<Said>,
    pub(super) further: Vec<Further>,
}

impl Told {
    /// Of the person alone.
    pub(super) fn of(kind: EventKind, said: Vec<Said>) -> Option<Self> {
        Some(Self { kind, said, further: Vec::new() })
    }
}

impl Reading<'_> {
    /// An event in the life of a person of the register.
    pub(super) fn life(&mut self, event: &LifeEvent) -> Option<Event> {
        let person = self.person("life_event", event.subject.as_ref(), event.claims.as_ref());
        let person = person.map(|(subject, claims)| Who { subject, claims });
        let field = "life_event.effective_date";
        let from = Reader::new(self.lists, self.faults).date(field, event.effective_date.as_ref());
        let mut found = EventFaults::new();
        check_past(field, from, self.today, &mut found);
        self.name(found);
        // Which records are one is said of no item, and of no day: it always was so.
        if let Some(Happened::Merge(_) | Happened::Split(_)) = &event.event {
            let kind = event.event.as_ref().map(kind);
            let entry = self.entry(kind, event.registration.as_ref(), from);
            let told = match &event.event {
                Some(Happened::Merge(merge)) => self.merge(merge, person),
                Some(Happened::Split(split)) => self.split(split, person),
                Some(_) | None => None,
            };
            return Some(Event { entry: entry?, ..told? });
        }
        let told = match &event.event {
            Some(happened) => self.told(happened, person.as_ref(), from),
            None => {
                self.faults.add("life_event.event", Fault::Missing);
                None
            }
        };
        let kind = event.event.as_ref().map(kind);
        let entry = self.entry(kind, event.registration.as_ref(), from);
        let (Who { subject, claims }, Told { kind, said, further }) = (person?, told?);
        Some(Event {
            kind,
            target: Target::Affected { subject, claims },
            entry: entry?,
            said,
            further,
        })
    }

    fn told(
        &mut self,
        happened: &Happened,
        person: Option<&Who>,
        from: Option<PartialDate>,
    ) -> Option<Told> {
        match happened {
            Happened::Marriage(marriage) => {
                let spouse = marriage.spouse.as_ref().map(|spouse| match spouse {
                    marriage::Spouse::RegisteredSpouse(party) => Spouse::Registered(party),
                    marriage::Spouse::OtherSpouse(relation) => Spouse::Other(relation),
                });
                self.couple(EventKind::Marriage, spouse, person, from)
            }
            Happened::Divorce(divorce) => {
                let spouse = divorce.spouse.as_ref().map(|spouse| match spouse {
                    divorce::Spouse::RegisteredSpouse(party) => Spouse::Registered(party),
                    divorce::Spouse::OtherSpouse(relation) => Spouse::Other(relation),
                });
                self.couple(EventKind::Divorce, spouse, person, from)
            }
            Happened::Missing(_) => {
                let said = Said::holds(DEATH, Value::Date(from?), from);
                Told::of(EventKind::Missing, vec![said])
            }
            Happened::Found(_) => {
                Told::of(EventKind::Found, vec![ends(DEATH, None, from, Saying::Ends)])
            }
            Happened::Recognition(change) => self.parents(EventKind::Recognition, change, from),
            Happened::Adoption(change) => self.parents(EventKind::Adoption, change, from),
            Happened::CivilStatusChange(change) => self.civil_status_change(change, from),
            Happened::Absence(absence) => {
                let text = &absence.declaration;
                self.faults.text("life_event.absence.declaration", text, TEXT_MAX);
                let said = Said::holds("temporary_absence", Value::Text(text.clone()), from);
                Told::of(EventKind::Absence, vec![said])
            }
            Happened::Household(change) => self.household(change, person, from),
            Happened::DocumentIssue(issue) => {
                let field = "life_event.document_issue.document";
                let value = self.document(field, issue.document.as_ref())?;
                let said = Said::holds(DOCUMENTS, value, from);
                Told::of(EventKind::DocumentIssue, vec![said])
            }
            Happened::DocumentWithdrawal(withdrawal) => {
                let field = "life_event.document_withdrawal.document";
                let value = Some(self.document(field, withdrawal.document.as_ref())?);
                let said = ends(DOCUMENTS, value, from, Saying::Ends);
                Told::of(EventKind::DocumentWithdrawal, vec![said])
            }
            Happened::BloodTest(test) => {
                let field = "life_event.blood_test.blood_type";
                let mut reader = Reader::new(self.lists, self.faults);
                let code = reader.coded(field, test.blood_type.as_ref(), "blood-type")?;
                let said = Said::holds("blood_type", Value::Coded(code), from);
                Told::of(EventKind::BloodTest, vec![said])
            }
            Happened::ContactChange(change) => self.contact_change(change, from),
            Happened::End(end) => self.value_end(end, from),
            // They were read before.
            Happened::Merge(_) | Happened::Split(_) => None,
        }
    }

    /// A person of the register beside the one whom an event is about.
    pub(super) fn party(&mut self, field: &str, party: Option<&Party>) -> Option<Who> {
        let (subject, claims) = match party {
            Some(party) => (party.subject.as_ref(), party.claims.as_ref()),
            None => (None, None),
        };
        let (subject, claims) = self.person(field, subject, claims)?;
        Some(Who { subject, claims })
    }

    /// The entry of the event's book; empty where it has none and needs none.
    fn entry(
        &mut self,
        kind: Option<EventKind>,
        entered: Option<&WireEntry>,
        from: Option<PartialDate>,
    ) -> Option<String> {
        const FIELD: &str = "life_event.registration";
        let Some(entered) = entered else {
            if kind.is_some_and(needs_entry) {
                self.faults.add(FIELD, Fault::Missing);
            }
            return Some(String::new());
        };
        self.faults.text(&format!("{FIELD}.entry_number"), &entered.entry_number, ENTRY_MAX);
        let mut reader = Reader::new(self.lists, self.faults);
        let field = format!("{FIELD}.registration_date");
        let registered = reader.date(&field, entered.registration_date.as_ref());
        let place = entered.registration_place.as_ref();
        let place = reader.registration_place(&format!("{FIELD}.registration_place"), place);
        let mut found = EventFaults::new();
        check_day(&field, registered, self.today, &mut found);
        check_order(from, &field, registered, &mut found);
        self.name(found);
        Some(entry(kind?.name(), &place?, registered?, &entered.entry_number))
    }
}

/// That a value holds no more.
pub(super) fn ends(
    item: &str,
    value: Option<Value>,
    from: Option<PartialDate>,
    says: Saying,
) -> Said {
    Said { item: item.to_owned(), value, valid_from: from, says }
}

fn kind(happened: &Happened) -> EventKind {
    match happened {
        Happened::Marriage(_) => EventKind::Marriage,
        Happened::Divorce(_) => EventKind::Divorce,
        Happened::Missing(_) => EventKind::Missing,
        Happened::Found(_) => EventKind::Found,
        Happened::Recognition(_) => EventKind::Recognition,
        Happened::Adoption(_) => EventKind::Adoption,
        Happened::CivilStatusChange(_) => EventKind::CivilStatusChange,
        Happened::Absence(_) => EventKind::Absence,
        Happened::Household(_) => EventKind::Household,
        Happened::DocumentIssue(_) => EventKind::DocumentIssue,
        Happened::DocumentWithdrawal(_) => EventKind::DocumentWithdrawal,
        Happened::BloodTest(_) => EventKind::BloodTest,
        Happened::ContactChange(_) => EventKind::ContactChange,
        Happened::End(_) => EventKind::End,
        Happened::Merge(_) => EventKind::Merge,
        Happened::Split(_) => EventKind::Split,
    }
}

/// Whether an event is entered in a civil-status book (Law 60/2014/QH13, Art. 5(6)).
fn needs_entry(kind: EventKind) -> bool {
    use EventKind as Kind;
    match kind {
        Kind::Birth
        | Kind::Death
        | Kind::Correction
        | Kind::Marriage
        | Kind::Divorce
        | Kind::Missing
        | Kind::Found
        | Kind::Recognition
        | Kind::Adoption
        | Kind::CivilStatusChange => true,
        Kind::Residence
        | Kind::Annulment
        | Kind::Absence
        | Kind::Household
        | Kind::DocumentIssue
        | Kind::DocumentWithdrawal
        | Kind::BloodTest
        | Kind::ContactChange
        | Kind::End
        | Kind::ConflictDecision
        | Kind::Merge
        | Kind::Split => false,
    }
}
