//! Events in people's lives beside birth, death and residence: what they say, of whom, and what ends.

mod again;
mod bad_input;
mod couple;
mod household;
mod merge;
mod merged;

use contract::{
    contribution::v1::{
        BloodTest, CivilStatusChange, ContactChange, DocumentIssue, DocumentWithdrawal, EndedValue,
        MissingDeclaration, MissingRevocation, ParentChange, TemporaryAbsence, ValueEnd,
        life_event::Event as Life,
    },
    identity::v1::{
        ConsentChannel, ConsentRecipient, ExplainValueRequest, LookupOutcome, RecordConsentRequest,
    },
    r#type::v1::{
        Claims, Document, HeldValue, ItemValue, Relation, RelationKind, SubjectRef, item_outcome,
    },
};
use lienthong::client::Client;
use model::{Name, PartialDate, PersonalNumber, Sex, Value};
use prost_types::Timestamp;
use tests::{
    events::{annulment, code, date, death, ground, life, name, party, residence},
    whole::{LOADED_US, Prepared},
};

use super::*;

on_both_engines!(
    whoever_is_missing_can_be_found_and_whoever_was_found_can_die,
    of_the_dead_nothing_new_is_said_and_what_was_held_can_end,
    what_ends_is_held_no_more_and_was_held_before,
    documents_are_held_one_of_each_kind_and_are_withdrawn,
    a_telephone_number_leaves_the_address_of_mail_as_it_is,
    a_blood_type_an_absence_and_a_civil_status_change_are_said,
    parents_are_entered_and_end_and_are_older_than_their_child,
    a_number_that_says_another_sex_is_set_anew_and_the_old_one_leads_to_the_person,
);

/// What can be asked about.
const ITEMS: [&str; 14] = [
    "birth_full_name",
    "sex",
    "ethnic_group",
    "blood_type",
    "id_document_validity",
    "family_relations",
    "permanent_residence",
    "temporary_absence",
    "residence_file_number",
    "marital_status",
    "relation_to_household_head",
    "household_members",
    "death_or_missing_date",
    "contact_points",
];

/// Somebody of the village: name, sex, year of birth.
struct Villager(&'static str, Sex, i32);

const AN: Villager = Villager("Nguyễn Giả Định An", Sex::Male, 1990);
const BINH: Villager = Villager("Trần Giả Định Bình", Sex::Female, 1991);
const CHI: Villager = Villager("Lê Giả Định Chi", Sex::Female, 1992);
const DUNG: Villager = Villager("Phạm Giả Định Dũng", Sex::Male, 1965);
const HIDDEN: Villager = Villager("Đỗ Giả Định Ẩn", Sex::Female, 1993);
const HOA: Villager = Villager("Võ Giả Định Hoà", Sex::Female, 1994);
const VILLAGE: [Villager; 6] = [AN, BINH, CHI, DUNG, HIDDEN, HOA];

impl Villager {
    fn number(&self) -> PersonalNumber {
        let digits = u32::try_from(self.2).unwrap();
        PersonalNumber::compose(997, self.1, self.2, digits).unwrap()
    }

    /// How sources name it.
    fn about(&self) -> (SubjectRef, Claims) {
        about(self.number().as_str(), self.0, (self.2, 5, 6))
    }

    fn newcomer(&self) -> identity::Newcomer {
        let born = PartialDate::new(self.2, 5, 6).unwrap();
        let sex = if self.1 == Sex::Male { "1" } else { "2" };
        let sex = Value::Coded(model::CodedValue {
            code_system: "sex".into(),
            code_system_version: "1".into(),
            code: sex.into(),
            display: None,
        });
        let said = [
            ("birth_full_name", Value::Name(Name::new(self.0).unwrap().into())),
            ("date_of_birth", Value::Date(born)),
            ("sex", sex),
        ];
        let one = |(item, value): (&str, Value)| {
            (item.to_owned(), value, "civil-status".to_owned(), Some(born))
        };
        let number = Value::Identifier(model::Identifier::PersonalNumber(self.number()));
        let mut more = vec![("personal_id_number".to_owned(), number, "npd".to_owned(), None)];
        if self.2 == DUNG.2 {
            // What another source says of somebody who is protected.
            let wife = Value::Relation(model::Relation {
                kind: model::RelationKind::Spouse,
                name: Name::new(HIDDEN.0).unwrap().into(),
                identifier: Some(model::Identifier::PersonalNumber(HIDDEN.number())),
                date_of_birth: None,
                nationality: None,
            });
            more.push(("family_relations".to_owned(), wife, "citizen-id".to_owned(), None));
        }
        identity::Newcomer {
            person_id: format!("p-{}", self.2),
            number: self.number(),
            old_number: None,
            protected: self.2 == HIDDEN.2,
            said: said.into_iter().map(one).chain(more).collect(),
        }
    }
}

/// Everything, with the village in the register, of which civil status may see all that it asks.
async fn village(engine: Engine) -> Whole {
    let prepared = Prepared::new(engine).await;
    let register = identity::Service::register(&prepared.settings.identity).await.unwrap();
    let village = VILLAGE.iter().map(Villager::newcomer).collect();
    register.load(village, "village", LOADED_US).await.unwrap();
    register.close().await;
    prepared.shows_civil_status(&ITEMS);
    prepared.start().await
}

fn looking() -> AccessBasis {
    AccessBasis {
        legal_basis: "1911-2021-art-2-1".to_owned(),
        ..ground("civil-status-correction", "Z01.DEMO.HOTICH")
    }
}

/// The ground by which civil status is told how somebody is reached: by that person's consent.
async fn consented(whole: &Whole, of: &Villager) -> AccessBasis {
    let (subject, claims) = of.about();
    let end = whole.hands.clock().now() + time::Duration::DAY;
    let request = RecordConsentRequest {
        subject: Some(subject),
        claims: Some(claims),
        items: vec!["contact_points".to_owned()],
        basis: Some(looking()),
        recipient: Some(ConsentRecipient {
            agency: "Z01.DEMO.HOTICH".to_owned(),
            system: "ho-tich".to_owned(),
        }),
        begin_time: None,
        end_time: Some(Timestamp { seconds: end.unix_timestamp(), nanos: 0 }),
        channel: ConsentChannel::OnPaper.into(),
        evidence_digest: vec![1; 32],
        notice_version: "1".to_owned(),
        idempotency_key: format!("{}/{}", of.2, end.unix_timestamp()),
        request_id: "c-1".to_owned(),
    };
    let recorded = whole.client("civil-status").record_consent(&request).await.unwrap().unwrap();
    let consent_reference = recorded.answer.consent.unwrap().reference;
    AccessBasis { consent_reference, ..looking() }
}

/// What is held of an item.
async fn held(whole: &Whole, of: &Villager, item: &str) -> Vec<item_value::Value> {
    let (subject, claims) = of.about();
    let basis = if item == "contact_points" { consented(whole, of).await } else { looking() };
    let request = GetPersonRequest {
        subject: Some(subject),
        claims: Some(claims),
        items: vec![item.to_owned()],
        basis: Some(basis),
        request_id: "r-1".to_owned(),
        min_version: 0,
        as_of: None,
    };
    let answer = crate::answered(&whole.client("civil-status"), &request).await.answer;
    let values = |held: &[HeldValue]| {
        held.iter().map(|held| held.value.clone().unwrap().value.unwrap()).collect()
    };
    match answer.items[0].outcome.as_ref().unwrap() {
        item_outcome::Outcome::NotHeld(_) => Vec::new(),
        item_outcome::Outcome::Value(held) => values(&held.values),
        item_outcome::Outcome::Partial(held) => values(&held.values),
        item_outcome::Outcome::UnknownItem(_) | item_outcome::Outcome::Withheld(_) => {
            panic!("{item}")
        }
    }
}

/// The one code that is held of an item.
async fn held_code(whole: &Whole, of: &Villager, item: &str) -> Option<String> {
    match held(whole, of, item).await.as_slice() {
        [] => None,
        [item_value::Value::Coded(code)] => Some(code.code.clone()),
        other => panic!("{item}: {}", other.len()),
    }
}

/// The kinds and names of the relations that are held of an item.
async fn related(whole: &Whole, of: &Villager, item: &str) -> Vec<(RelationKind, String)> {
    let one = |value| {
        let item_value::Value::Relation(relation) = value else { panic!("{item}") };
        (relation.kind(), relation.name.unwrap_or_default().full_name)
    };
    held(whole, of, item).await.into_iter().map(one).collect()
}

/// Why a contribution is rejected, and where.
async fn rejected(client: &Client, request: &SubmitContributionRequest) -> Vec<(String, String)> {
    let refused = refuse(client, request).await;
    assert_eq!(refused.reason, "CONTRIBUTION_REJECTED", "{refused:?}");
    refused.unmet
}

fn only(reason: &str, subject: &str) -> Vec<(String, String)> {
    vec![(reason.to_owned(), subject.to_owned())]
}

const MISSING: (&str, &str) = ("missing-declaration-entry", "Z01.DEMO.HOTICH");
const ENDED: (&str, &str) = ("permanent-residence-deregistration", "Z05.DEMO.CUTRU");
const CARDS: (&str, &str) = ("identity-document-issue", "Z06.DEMO.CANCUOC");

fn missing() -> Life {
    Life::Missing(MissingDeclaration {})
}

fn found() -> Life {
    Life::Found(MissingRevocation {})
}

/// That the values of these items hold no more.
fn end(items: &[&str]) -> Life {
    let one = |item: &&str| EndedValue { item: (*item).to_owned(), value: None };
    Life::End(ValueEnd { ended_values: items.iter().map(one).collect() })
}

async fn whoever_is_missing_can_be_found_and_whoever_was_found_can_die(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("civil-status");
    let said = |key: &str, from, event| life(key, MISSING, AN.about(), from, event);
    assert_eq!(
        rejected(&client, &said("m-0", (2020, 1, 1), found())).await,
        only("NOTHING_TO_END", "death_or_missing_date")
    );
    submit(&client, &said("m-1", (2020, 1, 1), missing())).await;
    assert_eq!(held(&whole, &AN, "death_or_missing_date").await.len(), 1);
    // Whoever is missing is not dead: life goes on around it.
    submit(&whole.client("residence"), &residence("r-1", AN.about(), "Số 7")).await;
    // Nobody is found before he was missing.
    assert_eq!(
        rejected(&client, &said("m-2", (2019, 1, 1), found())).await,
        only("DATE_OUT_OF_RANGE", "death_or_missing_date")
    );
    submit(&client, &said("m-3", (2024, 1, 1), found())).await;
    assert!(held(&whole, &AN, "death_or_missing_date").await.is_empty());
    // Whoever was found in 2024 did not die before; what was wrong is annulled, and what is so is said.
    let mut dead = death("d-1", AN.about());
    let Some(Event::Death(entry)) = &mut dead.event else { panic!() };
    entry.date_of_death = date(2021, 2, 2);
    assert_eq!(rejected(&client, &dead).await, only("DATE_OUT_OF_RANGE", "death_or_missing_date"));
    submit(&client, &death("d-2", AN.about())).await;
    // A death is no declaration that could be revoked.
    assert_eq!(
        rejected(&client, &said("m-4", (2026, 4, 1), found())).await,
        only("NOTHING_TO_END", "death_or_missing_date")
    );
    whole.persons().await;
    whole.all.stop().await;
}

async fn of_the_dead_nothing_new_is_said_and_what_was_held_can_end(engine: Engine) {
    let whole = village(engine).await;
    let residences = whole.client("residence");
    submit(&residences, &residence("r-1", AN.about(), "Số 7")).await;
    submit(&whole.client("civil-status"), &death("d-1", AN.about())).await;
    let away = Life::Absence(TemporaryAbsence { declaration: "Đi xa".to_owned() });
    let away = life(
        "a-1",
        ("temporary-absence-declaration", "Z05.DEMO.CUTRU"),
        AN.about(),
        (2026, 3, 20),
        away,
    );
    assert_eq!(rejected(&residences, &away).await, only("PERSON_DECEASED", ""));
    // The residence was registered from 1 April on, before the death was known.
    let ended = |key: &str, from| life(key, ENDED, AN.about(), from, end(&["permanent_residence"]));
    assert_eq!(
        rejected(&residences, &ended("e-1", (2026, 3, 10))).await,
        only("DATE_OUT_OF_RANGE", "permanent_residence")
    );
    submit(&residences, &ended("e-2", (2026, 4, 2))).await;
    assert!(held(&whole, &AN, "permanent_residence").await.is_empty());
    whole.persons().await;
    whole.all.stop().await;
}

async fn what_ends_is_held_no_more_and_was_held_before(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("residence");
    let ended = |key: &str, items: &[&str]| life(key, ENDED, AN.about(), (2026, 6, 1), end(items));
    submit(&client, &residence("r-1", AN.about(), "Số 7")).await;
    let both = ended("e-1", &["permanent_residence", "temporary_residence"]);
    assert_eq!(rejected(&client, &both).await, only("NOTHING_TO_END", "temporary_residence"));
    assert_eq!(held(&whole, &AN, "permanent_residence").await.len(), 1, "nothing changed");
    submit(&client, &ended("e-2", &["permanent_residence"])).await;
    assert!(held(&whole, &AN, "permanent_residence").await.is_empty());
    let again = rejected(&client, &ended("e-3", &["permanent_residence"])).await;
    assert_eq!(again, only("NOTHING_TO_END", "permanent_residence"));
    // What everybody has does not end, whoever may say so.
    let mut name = ended("e-4", &["sex"]);
    name.basis = Some(ground("civil-status-change", "Z01.DEMO.HOTICH"));
    let refused = refuse(&whole.client("civil-status"), &name).await;
    assert_eq!(refused.reason, "NO_AGREEMENT", "no procedure lets it end");
    let (subject, claims) = AN.about();
    let question = ExplainValueRequest {
        subject: Some(subject),
        claims: Some(claims),
        item: "permanent_residence".to_owned(),
        basis: Some(looking()),
        request_id: "r-1".to_owned(),
        min_version: 0,
    };
    let told = whole.client("civil-status").explain_value(&question).await.unwrap().unwrap().answer;
    let told: Vec<_> = told.values.iter().map(|told| (told.ended, told.event.as_str())).collect();
    assert_eq!(told, [(true, "end"), (false, "residence")]);
    // Whoever moves in again lives there again.
    let mut back = residence("r-2", AN.about(), "Số 8");
    let Some(Event::Residence(moved)) = &mut back.event else { panic!() };
    moved.effective_date = date(2026, 7, 1);
    submit(&client, &back).await;
    assert_eq!(held(&whole, &AN, "permanent_residence").await.len(), 1);
    whole.persons().await;
    whole.all.stop().await;
}

fn document(kind: &str, number: &str) -> Option<Document> {
    Some(Document {
        kind: code("document-kind", "1", kind),
        number: number.to_owned(),
        issue_date: date(2026, 1, 2),
        issuer: "Cơ quan giả định".to_owned(),
        expiry_date: date(2040, 1, 2),
    })
}

async fn documents_are_held_one_of_each_kind_and_are_withdrawn(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("citizen-id");
    let item = "id_document_validity";
    let said = |key: &str, day: i32, event| life(key, CARDS, AN.about(), (2026, 1, day), event);
    let issued = |key: &str, day, kind, number| {
        said(key, day, Life::DocumentIssue(DocumentIssue { document: document(kind, number) }))
    };
    submit(&client, &issued("c-1", 2, "cccd", "990000000001")).await;
    submit(&client, &issued("c-2", 3, "cmnd-9", "999000001")).await;
    assert_eq!(held(&whole, &AN, item).await.len(), 2);
    submit(&client, &issued("c-3", 4, "cccd", "990000000002")).await;
    assert_eq!(held(&whole, &AN, item).await.len(), 2, "a new card takes the old one's place");
    let withdrawn = |key: &str, kind| {
        let document = document(kind, "");
        said(key, 9, Life::DocumentWithdrawal(DocumentWithdrawal { document }))
    };
    // A card that another took the place of is not withdrawn by withdrawing the other.
    let mut first = document("cccd", "990000000001");
    first.as_mut().unwrap().issue_date = None;
    let first = Life::DocumentWithdrawal(DocumentWithdrawal { document: first });
    assert_eq!(rejected(&client, &said("c-3b", 9, first)).await, only("NOTHING_TO_END", item));
    submit(&client, &withdrawn("c-4", "cccd")).await;
    let left = held(&whole, &AN, item).await;
    let [item_value::Value::Document(left)] = left.as_slice() else { panic!() };
    assert_eq!(left.number, "999000001");
    assert_eq!(rejected(&client, &withdrawn("c-5", "cccd")).await, only("NOTHING_TO_END", item));
    whole.persons().await;
    whole.all.stop().await;
}

async fn a_telephone_number_leaves_the_address_of_mail_as_it_is(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("portal");
    let contact = ("contact-update", "Z03.DEMO.CONGDVC");
    let given = |key: &str, day: i32, mobile_number: &str, email: &str| {
        let (mobile_number, email) = (mobile_number.to_owned(), email.to_owned());
        let change = Life::ContactChange(ContactChange { mobile_number, email });
        life(key, contact, AN.about(), (2026, 1, day), change)
    };
    submit(&client, &given("c-1", 1, "0000000001", "an@synthetic.test")).await;
    submit(&client, &given("c-2", 2, "0000000002", "")).await;
    let texts = |held: Vec<item_value::Value>| -> Vec<String> {
        let text = |value| {
            let item_value::Value::Text(text) = value else { panic!() };
            text
        };
        held.into_iter().map(text).collect()
    };
    let now = texts(held(&whole, &AN, "contact_points").await);
    assert_eq!(now, ["0000000002", "an@synthetic.test"]);
    let value = item_value::Value::Text("an@synthetic.test".to_owned());
    let value = Some(ItemValue { value: Some(value) });
    let ended = vec![EndedValue { item: "contact_points".to_owned(), value }];
    let ended = Life::End(ValueEnd { ended_values: ended });
    submit(&client, &life("c-3", contact, AN.about(), (2026, 1, 3), ended)).await;
    assert_eq!(texts(held(&whole, &AN, "contact_points").await), ["0000000002"]);
    whole.all.stop().await;
}

async fn a_blood_type_an_absence_and_a_civil_status_change_are_said(engine: Engine) {
    let whole = village(engine).await;
    let blood = Life::BloodTest(BloodTest { blood_type: code("blood-type", "1", "03") });
    let medical = ("blood-type-update", "Z07.DEMO.YTE");
    let blood = life("b-1", medical, AN.about(), (2026, 1, 2), blood);
    submit(&whole.client("medical"), &blood).await;
    assert_eq!(held_code(&whole, &AN, "blood_type").await.as_deref(), Some("03"));
    let away = Life::Absence(TemporaryAbsence { declaration: "Đi xa".to_owned() });
    let absence = ("temporary-absence-declaration", "Z05.DEMO.CUTRU");
    let away = life("a-1", absence, AN.about(), (2026, 1, 2), away);
    submit(&whole.client("residence"), &away).await;
    assert_eq!(held(&whole, &AN, "temporary_absence").await.len(), 1);
    let changed = Life::CivilStatusChange(CivilStatusChange {
        full_name: name(BINH.0),
        sex: None,
        ethnic_group: code("ethnic-group", "gso-15172", "04"),
        nationality: None,
    });
    let change = ("civil-status-change", "Z01.DEMO.HOTICH");
    let changed = life("s-1", change, AN.about(), (2026, 1, 2), changed);
    submit(&whole.client("civil-status"), &changed).await;
    // It is known by the new name from now on.
    let renamed = about(AN.number().as_str(), BINH.0, (AN.2, 5, 6));
    let moved = residence("r-1", AN.about(), "Số 7");
    assert_eq!(rejected(&whole.client("residence"), &moved).await, only("PERSON_NOT_FOUND", ""));
    submit(&whole.client("residence"), &residence("r-2", renamed, "Số 7")).await;
    whole.persons().await;
    whole.all.stop().await;
}

async fn parents_are_entered_and_end_and_are_older_than_their_child(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("civil-status");
    let parent = |kind: RelationKind, full_name: &str, year: i32| Relation {
        kind: kind.into(),
        name: name(full_name),
        date_of_birth: date(year, 0, 0),
        ..Relation::default()
    };
    let said = |key: &str, day: i32, parents, ended_parents| {
        let change = Life::Recognition(ParentChange { parents, ended_parents });
        let recognition = ("parent-recognition", "Z01.DEMO.HOTICH");
        life(key, recognition, CHI.about(), (2026, 1, day), change)
    };
    let (father, item) = (RelationKind::Father, "family_relations");
    let child = said("p-1", 1, vec![parent(father, AN.0, 1993)], Vec::new());
    assert_eq!(rejected(&client, &child).await, only("PARENT_NOT_OLDER", item));
    submit(&client, &said("p-2", 1, vec![parent(father, AN.0, 1970)], Vec::new())).await;
    let (first, second) = (parent(father, AN.0, 1970), parent(father, DUNG.0, 1965));
    let nobody = said("p-3", 2, vec![second.clone()], vec![parent(father, BINH.0, 1960)]);
    assert_eq!(rejected(&client, &nobody).await, only("NOTHING_TO_END", item));
    submit(&client, &said("p-4", 2, vec![second], vec![first])).await;
    assert_eq!(related(&whole, &CHI, item).await, [(father, DUNG.0.to_owned())]);
    whole.persons().await;
    whole.all.stop().await;
}

/// A change of sex, registered on a day of January 2026.
fn of_other_sex(key: &str, of: &Villager, day: i32) -> SubmitContributionRequest {
    let sex = if of.1 == Sex::Male { "2" } else { "1" };
    let changed = Life::CivilStatusChange(CivilStatusChange {
        sex: code("sex", "1", sex),
        ..CivilStatusChange::default()
    });
    life(key, ("civil-status-change", "Z01.DEMO.HOTICH"), of.about(), (2026, 1, day), changed)
}

/// Whether somebody is found by a number, and whether that is replaced.
async fn by_number(whole: &Whole, number: &str) -> Option<bool> {
    let (subject, claims) = about(number, AN.0, (AN.2, 5, 6));
    let request = GetPersonRequest {
        subject: Some(subject),
        claims: Some(claims),
        items: vec!["sex".to_owned()],
        basis: Some(looking()),
        request_id: "r-1".to_owned(),
        min_version: 0,
        as_of: None,
    };
    let answer = crate::answered(&whole.client("civil-status"), &request).await.answer;
    (answer.outcome() == LookupOutcome::Match).then_some(answer.number_replaced)
}

async fn a_number_that_says_another_sex_is_set_anew_and_the_old_one_leads_to_the_person(
    engine: Engine,
) {
    let whole = village(engine).await;
    let client = whole.client("civil-status");
    let old = AN.number();
    assert_eq!(by_number(&whole, old.as_str()).await, Some(false));
    let request = of_other_sex("s-1", &AN, 2);
    let check = SubmitContributionRequest { validate_only: true, ..request.clone() };
    assert!(submit(&client, &check).await.answer.personal_number.is_empty());
    let set = submit(&client, &request).await.answer.personal_number;
    let new = PersonalNumber::parse(&set).unwrap();
    let hints = new.hints().unwrap();
    assert_eq!((hints.sex, hints.birth_year, new.prefix()), (Sex::Female, AN.2, old.prefix()));
    assert_eq!(by_number(&whole, old.as_str()).await, Some(true));
    assert_eq!(by_number(&whole, &set).await, Some(false));
    // A contribution under the old number reaches the person too, and changes no number.
    let moved = submit(&whole.client("residence"), &residence("r-1", AN.about(), "Số 7")).await;
    assert!(moved.answer.personal_number.is_empty());
    // When it was never so, the number of before is the person's, and the other is nobody's for ever.
    let annulled = annulment("a-1", "civil-status-change", "s-1", &["sex"]);
    submit(&client, &annulled).await;
    assert_eq!(by_number(&whole, old.as_str()).await, Some(false));
    assert_eq!(by_number(&whole, &set).await, None);
    submit(&client, &annulment("a-2", "civil-status-change", "a-1", &["sex"])).await;
    assert_eq!(by_number(&whole, old.as_str()).await, Some(true));
    assert_eq!(by_number(&whole, &set).await, Some(false));
    whole.persons().await;
    whole.all.stop().await;
}
