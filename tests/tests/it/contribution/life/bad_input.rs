//! Faulty life events: every faulty field is named at once, and nothing changes.

use contract::contribution::v1::{
    Divorce, HouseholdChange, HouseholdMember, LifeEvent, Marriage, Party, RecordMerge,
    RecordSplit, divorce, marriage,
};

use super::*;

on_both_engines!(every_faulty_field_of_a_life_event_is_named_at_once,);

/// A life event of An, changed.
fn with(change: impl FnOnce(&mut LifeEvent)) -> SubmitContributionRequest {
    let mut request =
        life("x-1", ("household-change", "Z05.DEMO.CUTRU"), AN.about(), (2026, 1, 2), missing());
    let Some(Event::LifeEvent(event)) = &mut request.event else { panic!() };
    change(event);
    request
}

fn spouse(event: marriage::Spouse) -> SubmitContributionRequest {
    with(|life| life.event = Some(Life::Marriage(Marriage { spouse: Some(event) })))
}

fn relation(kind: RelationKind, full_name: &str) -> Relation {
    Relation { kind: kind.into(), name: name(full_name), ..Relation::default() }
}

fn of_persons() -> Vec<(SubmitContributionRequest, Vec<&'static str>)> {
    let own = spouse(marriage::Spouse::RegisteredSpouse(party(AN.about())));
    let nobody = spouse(marriage::Spouse::RegisteredSpouse(Party::default()));
    let child = spouse(marriage::Spouse::OtherSpouse(relation(RelationKind::Child, "A")));
    let member = |of: &Villager| HouseholdMember {
        person: Some(party(of.about())),
        relation_to_head: code("household-relation", "1", "CH01"),
    };
    let household = with(|life| {
        life.event = Some(Life::Household(HouseholdChange {
            residence_file_number: String::new(),
            members: vec![member(&BINH), HouseholdMember::default()],
            left: vec![party(BINH.about()), party(AN.about())],
            left_file_number: String::new(),
        }));
    });
    let father = || relation(RelationKind::Father, "Lê Giả Định Hoà");
    let parents = with(|life| {
        let mut same = father();
        same.name = name("LÊ GIẢ ĐỊNH HÒA");
        let parents = vec![father(), father()];
        life.event = Some(Life::Adoption(ParentChange { parents, ended_parents: vec![same] }));
    });
    vec![
        (own, vec!["life_event.marriage.registered_spouse NOT_ALLOWED"]),
        (
            with(|life| {
                let surviving_person = Some(party(AN.about()));
                let merge = RecordMerge { surviving_person, decision_number: String::new() };
                life.event = Some(Life::Merge(merge));
            }),
            vec![
                "life_event.merge.decision_number MISSING",
                "life_event.merge.surviving_person NOT_ALLOWED",
            ],
        ),
        (
            with(|life| life.event = Some(Life::Split(RecordSplit::default()))),
            vec![
                "life_event.split.decision_number MISSING",
                "life_event.split.restored_subject MISSING",
            ],
        ),
        (
            nobody,
            vec![
                "life_event.marriage.registered_spouse.subject MISSING",
                "life_event.marriage.registered_spouse.claims.full_name MISSING",
                "life_event.marriage.registered_spouse.claims.date_of_birth MISSING",
            ],
        ),
        (child, vec!["life_event.marriage.other_spouse.kind NOT_ALLOWED"]),
        (
            household,
            vec![
                "life_event.household.residence_file_number MISSING",
                "life_event.household.members[0].relation_to_head NOT_ALLOWED",
                "life_event.household.members[1].person.subject MISSING",
                "life_event.household.members[1].person.claims.full_name MISSING",
                "life_event.household.members[1].person.claims.date_of_birth MISSING",
                "life_event.household.left[0] REPEATED",
                "life_event.household.left[1] REPEATED",
            ],
        ),
        (
            parents,
            vec![
                "life_event.adoption.parents[1].kind REPEATED",
                "life_event.adoption.ended_parents[0] NOT_ALLOWED",
            ],
        ),
        (
            with(|life| {
                life.event = Some(Life::Divorce(Divorce { spouse: None::<divorce::Spouse> }));
            }),
            vec!["life_event.divorce.spouse MISSING"],
        ),
    ]
}

fn of_values() -> Vec<(SubmitContributionRequest, Vec<&'static str>)> {
    let contact = |mobile_number: &str, email: &str| {
        let (mobile_number, email) = (mobile_number.to_owned(), email.to_owned());
        with(|life| {
            life.event = Some(Life::ContactChange(ContactChange { mobile_number, email }));
        })
    };
    let ended = |item: &str, text: Option<&str>| EndedValue {
        item: item.to_owned(),
        value: text.map(|text| ItemValue { value: Some(item_value::Value::Text(text.to_owned())) }),
    };
    let ends = with(|life| {
        let ended_values = vec![
            ended("contact_points", None),
            ended("permanent_residence", Some("x")),
            ended("blood_type", None),
            ended("blood_type", None),
            ended("*", None),
        ];
        life.event = Some(Life::End(ValueEnd { ended_values }));
    });
    vec![
        (
            contact("0x0", "nobody"),
            vec![
                "life_event.contact_change.mobile_number MALFORMED",
                "life_event.contact_change.email MALFORMED",
            ],
        ),
        (contact("", ""), vec!["life_event.contact_change MISSING"]),
        (
            with(|life| {
                life.event = Some(Life::CivilStatusChange(CivilStatusChange {
                    sex: code("sex", "1", "9"),
                    ethnic_group: code("sex", "1", "1"),
                    ..CivilStatusChange::default()
                }));
            }),
            vec![
                "life_event.civil_status_change.sex UNKNOWN_CODE",
                "life_event.civil_status_change.ethnic_group UNKNOWN_CODE",
            ],
        ),
        (
            ends,
            vec![
                "life_event.end.ended_values[0].value MISSING",
                "life_event.end.ended_values[1].value NOT_ALLOWED",
                "life_event.end.ended_values[3] REPEATED",
                "life_event.end.ended_values[4].item WILDCARD",
            ],
        ),
    ]
}

async fn every_faulty_field_of_a_life_event_is_named_at_once(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("residence");
    let mut none = with(|life| {
        life.subject = None;
        life.claims = None;
        life.effective_date = date(2027, 1, 1);
        life.registration = None;
    });
    none.evidence.clear();
    let mut proofs = with(|_| {});
    proofs.evidence[0].digest.pop();
    proofs.evidence[0].kind = code("document-kind", "1", "cccd");
    let mut cases = vec![
        (
            none,
            vec![
                "life_event.subject MISSING",
                "life_event.claims.full_name MISSING",
                "life_event.claims.date_of_birth MISSING",
                "life_event.effective_date IN_THE_FUTURE",
                "life_event.registration MISSING",
                "evidence MISSING",
            ],
        ),
        (proofs, vec!["evidence[0].kind UNKNOWN_CODE", "evidence[0].digest MALFORMED"]),
        (with(|life| life.event = None), vec!["life_event.event MISSING"]),
        (
            with(|life| life.registration.as_mut().unwrap().registration_date = date(2026, 1, 1)),
            vec!["life_event.registration.registration_date TOO_EARLY"],
        ),
    ];
    cases.extend(of_persons());
    cases.extend(of_values());
    let before = whole.count("identity", "SELECT version FROM register").await;
    for (request, expected) in cases {
        let refused = refuse(&client, &request).await;
        assert_eq!(refused.reason, "INVALID_REQUEST", "{refused:?}");
        let one = |(field, text): &(String, String)| {
            format!("{field} {}", text.split(':').next().unwrap())
        };
        let found: Vec<String> = refused.fields.iter().map(one).collect();
        assert_eq!(found, expected);
    }
    assert_eq!(whole.count("identity", "SELECT version FROM register").await, before);
    whole.all.stop().await;
}
