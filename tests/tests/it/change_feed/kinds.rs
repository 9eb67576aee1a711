//! What a change was, and what was one of many: told to whoever follows, so that it can put the latter off.

use contract::{
    identity::v1::{ListPersonChangesRequest, PersonChange},
    r#type::v1::{ChangeKind, item_value::Value},
};
use store::Engine;
use tests::{
    events::{about, annulment, birth, correction, date, death, ground, name},
    on_both_engines,
    whole::{Whole, born, full_name},
};

use super::{all_after, items, page};
use crate::{
    authority::{TURN, with_two_sources},
    exchange::until,
};

on_both_engines!(each_change_says_what_it_was, a_change_of_rules_is_one_job);

const ITEMS: [&str; 4] = ["birth_full_name", "date_of_birth", "death_or_missing_date", "sex"];

fn after(cursor: &str) -> ListPersonChangesRequest {
    let mut basis = ground("database-upkeep", "Z02.DEMO.BHXH");
    "1911-2021-art-2-1".clone_into(&mut basis.legal_basis);
    ListPersonChangesRequest {
        basis: Some(basis),
        items: items(&ITEMS),
        cursor: cursor.to_owned(),
        followed_only: false,
        page_size: 0,
    }
}

/// The one change after a cursor, which is moved past it.
async fn one(whole: &Whole, cursor: &mut String) -> PersonChange {
    let (mut changes, next) = all_after(&whole.client("social-insurance"), after(cursor)).await;
    assert_eq!(changes.len(), 1);
    *cursor = next;
    changes.remove(0)
}

async fn each_change_says_what_it_was(engine: Engine) {
    let whole = Whole::start(engine).await;
    let civil_status = whole.client("civil-status");
    let mut cursor = page(&whole.client("social-insurance"), &after("")).await.cursor;
    let submit = async |request| {
        let call = civil_status.submit_contribution(&request).await.unwrap();
        call.unwrap_or_else(|refused| panic!("{refused}")).answer
    };
    let child = submit(birth("b-1", "Trần Giả Định Bảo An")).await;
    let registered = one(&whole, &mut cursor).await;
    assert_eq!((registered.kind(), registered.version), (ChangeKind::Registered, child.version));
    assert!(registered.bulk_job.is_empty());

    let person = whole.person(false).clone();
    let day = born(&person);
    let day = (day.year(), day.month().into(), day.day().into());
    let who = || about(person.number.as_str(), full_name(&person), day);
    let corrected = "Lê Giả Định Bình Minh";
    let value = Value::Name(name(corrected).unwrap());
    let since = date(day.0, day.1, day.2);
    let done = submit(correction("c-1", who(), "birth_full_name", value, since)).await;
    let change = one(&whole, &mut cursor).await;
    assert_eq!((change.kind(), change.version), (ChangeKind::Corrected, done.version));
    assert_eq!(change.items, ["birth_full_name"]);

    let who = || about(person.number.as_str(), corrected, day);
    submit(death("d-1", who())).await;
    let changed = one(&whole, &mut cursor).await;
    assert_eq!((changed.kind(), &changed.token), (ChangeKind::Changed, &change.token));
    let items = ["death_or_missing_date"];
    submit(annulment("a-1", "death-registration", "d-1", &items)).await;
    let annulled = one(&whole, &mut cursor).await;
    assert_eq!((annulled.kind(), &annulled.token), (ChangeKind::Annulled, &change.token));
    assert_eq!(annulled.items, items);
    whole.all.stop().await;
}

async fn a_change_of_rules_is_one_job(engine: Engine) {
    let whole = with_two_sources(engine, Some(TURN)).await.start().await;
    // A file of other rules had everybody folded anew, and nobody looks otherwise.
    until(async || (whole.all.identity().refold().await.unwrap().persons == 0).then_some(())).await;
    let mut cursor = page(&whole.client("social-insurance"), &after("")).await.cursor;
    whole.hands.step(time::Duration::days(7));
    assert_eq!(whole.all.identity().refold().await.unwrap().changed, 1);
    let change = one(&whole, &mut cursor).await;
    assert_eq!((change.kind(), change.items), (ChangeKind::Refolded, vec!["sex".to_owned()]));
    assert_eq!(change.bulk_job, "rules/3/2026-12-01");
    whole.all.stop().await;
}
