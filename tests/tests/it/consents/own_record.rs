//! Citizens see what is held of themselves: by an app to which they consented, and for a quarter of an hour (Decree 137/2015/ND-CP,
//! Art. 8(3)).

use super::*;

on_both_engines!(
    i2_citizens_see_what_is_held_of_themselves_by_consent_alone,
    i7_a_protected_person_is_shown_to_no_app,
);

const OWN: &str = "own-record";
const ITEMS: [&str; 4] = ["birth_full_name", "date_of_birth", "sex", "religion"];

fn own(basis: AccessBasis) -> AccessBasis {
    AccessBasis { legal_basis: "circular-46-2022-art-12".to_owned(), ..basis }
}

/// A consent to the portal itself.
fn to_the_app(person: &Person, by: Duration) -> RecordConsentRequest {
    RecordConsentRequest {
        items: ITEMS.map(str::to_owned).into(),
        basis: Some(own(basis(OWN))),
        recipient: Some(ConsentRecipient {
            agency: "Z99.TEST".to_owned(),
            system: "portal".to_owned(),
        }),
        end_time: after(by),
        ..consent(person, "own-1")
    }
}

fn shown(person: &Person, reference: &str) -> GetPersonRequest {
    GetPersonRequest { basis: Some(own(by(OWN, reference))), ..ask(person, &ITEMS) }
}

async fn i2_citizens_see_what_is_held_of_themselves_by_consent_alone(engine: Engine) {
    let world = World::new(engine).await;
    let (person, client) = (believer(&world), world.client("portal"));
    let none = refused(&client, &shown(&person, "")).await;
    assert_eq!(why(&none), ("PermissionDenied", "NOTHING_ALLOWED"));
    assert_eq!(none.get("rule"), Some("self-access-by-consent"));
    // As long as somebody looks.
    let long = to_the_app(&person, Duration::minutes(16));
    let long = client.record_consent(&long).await.unwrap().err().unwrap();
    assert_eq!(why(&long), ("InvalidArgument", "INVALID_REQUEST"));
    assert_eq!(long.fields[0].0, "end_time");
    let Consent { reference, .. } =
        recorded(&world, &to_the_app(&person, Duration::minutes(15))).await;
    let told = answered(&client, &shown(&person, &reference)).await;
    told.verify(&world.log).unwrap();
    assert_eq!(told.answer.outcome(), LookupOutcome::Match);
    assert_eq!(told.answer.items.len(), ITEMS.len());
    for item in &told.answer.items {
        assert!(matches!(item.outcome, Some(Outcome::Value(_))), "{}", item.item);
    }
    // Of nobody else is it said whether there is such a person.
    let other = world.person(|p| p.is_plain() && p.number() != person.number());
    for request in [shown(other, &reference), shown(&person, "DY-1")] {
        let answer = answered(&client, &request).await.answer;
        assert_eq!(answer.outcome(), LookupOutcome::NoMatch);
        assert!(answer.items.is_empty() && answer.version == 0);
    }
    world.hands.step(Duration::minutes(15));
    let answer = answered(&client, &shown(&person, &reference)).await.answer;
    assert_eq!(answer.outcome(), LookupOutcome::NoMatch);
    world.stop().await;
}

async fn i7_a_protected_person_is_shown_to_no_app(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("portal");
    let protected = world.person(|p| p.0.protected && p.has_whole_date());
    let request = to_the_app(protected, Duration::minutes(15));
    let answer = given(&client, &request).await.answer;
    assert_eq!((answer.outcome(), answer.consent), (LookupOutcome::NoMatch, None));
    world.stop().await;
}
