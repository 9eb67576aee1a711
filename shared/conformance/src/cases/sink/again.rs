//! SNK-2 to SNK-4 and SNK-7: what came before.

use contract::database::v1::{DiscrepancyKind, Event, EventStatus, event::Kind};

use super::{Events, deliver, expect, statuses, store, words};
use crate::{
    cases::source::list::{restart, restarted},
    found::{Found, Tried, not_tried},
    kit::Kit,
};

/// SNK-2.
pub(crate) async fn duplicates(kit: &Kit, found: &mut Found) -> Tried {
    let wire = kit.connect().await?;
    let mut events = Events::new(kit, "SNK-2");
    let (first, second) = (events.discrepancy(), events.discrepancy());
    let token = events.token();
    let person = events.person(&token, 3);
    store(kit, &wire, "three new events", &[&first, &second, &person]).await?;
    let all = [EventStatus::Duplicate; 3];
    let again = ("the same delivery again", &[&first, &second, &person][..]);
    expect(&wire, found, again, &all).await?;
    let third = events.discrepancy();
    let twice = ("a new event twice in one delivery", &[&third, &third][..]);
    let once = [EventStatus::Stored, EventStatus::Duplicate];
    expect(&wire, found, twice, &once).await?;
    let other = kit.connect().await?;
    let later = ("the first event again, alone and on another connection", &[&first][..]);
    expect(&other, found, later, &[EventStatus::Duplicate]).await?;
    Ok(())
}

/// The same id with other bytes.
fn changed(event: &Event) -> Event {
    let mut changed = event.clone();
    if let Some(Kind::Discrepancy(discrepancy)) = &mut changed.kind {
        discrepancy.discrepancy = DiscrepancyKind::Gap.into();
    }
    changed
}

/// SNK-3.
pub(crate) async fn conflicts(kit: &Kit, found: &mut Found) -> Tried {
    let wire = kit.connect().await?;
    let mut events = Events::new(kit, "SNK-3");
    let (event, neighbour) = (events.discrepancy(), events.discrepancy());
    store(kit, &wire, "a new event", &[&event]).await?;
    let other = changed(&event);
    let same_id = ("its id with other bytes, before a new event", &[&other, &neighbour][..]);
    let expected = [EventStatus::Conflict, EventStatus::Stored];
    expect(&wire, found, same_id, &expected).await?;
    // Whatever else is wrong with it, the first is the one that is known.
    let tried = "the first event again";
    let told = statuses(&deliver(&wire, tried, &[&event]).await?);
    let kept = told != [EventStatus::Conflict];
    found.check(kept, tried, "DUPLICATE: the conflict changed nothing", words(&told));
    let third = events.discrepancy();
    let in_one = ("a new event and its id with other bytes, at once", [&third, &changed(&third)]);
    let expected = [EventStatus::Stored, EventStatus::Conflict];
    expect(&wire, found, (in_one.0, &in_one.1), &expected).await?;
    Ok(())
}

/// SNK-4.
pub(crate) async fn obsolete(kit: &Kit, found: &mut Found) -> Tried {
    let wire = kit.connect().await?;
    let mut events = Events::new(kit, "SNK-4");
    let (token, other) = (events.token(), events.token());
    let fifth = events.person(&token, 5);
    store(kit, &wire, "a person at version 5", &[&fifth]).await?;
    for version in [5, 4] {
        let late = events.person(&token, version);
        let tried = format!("another event about the person at version {version}");
        expect(&wire, found, (&tried, &[&late]), &[EventStatus::Obsolete]).await?;
    }
    let sixth = events.person(&token, 6);
    let next = ("the person at version 6", &[&sixth][..]);
    expect(&wire, found, next, &[EventStatus::Stored]).await?;
    let others = events.person(&other, 1);
    let somebody = ("somebody else at version 1", &[&others][..]);
    expect(&wire, found, somebody, &[EventStatus::Stored]).await?;
    let (eighth, seventh) = (events.person(&token, 8), events.person(&token, 7));
    let in_one = ("versions 8 and 7 in one delivery", &[&eighth, &seventh][..]);
    let expected = [EventStatus::Stored, EventStatus::Obsolete];
    expect(&wire, found, in_one, &expected).await?;
    let tried = "the event of version 5 again, after 8";
    let told = statuses(&deliver(&wire, tried, &[&fifth]).await?);
    let known = told != [EventStatus::Obsolete];
    found.check(known, tried, "DUPLICATE: it was stored", words(&told));
    Ok(())
}

/// SNK-7.
pub(crate) async fn after_a_restart(kit: &Kit, found: &mut Found) -> Tried {
    let restart = restart(kit)?;
    let wire = kit.connect().await?;
    let mut events = Events::new(kit, "SNK-7");
    let (event, token) = (events.discrepancy(), events.token());
    let person = events.person(&token, 9);
    store(kit, &wire, "two new events", &[&event, &person]).await?;
    let told = statuses(&deliver(&wire, "them again", &[&event, &person]).await?);
    if told != [EventStatus::Duplicate; 2] {
        return Err(not_tried(
            (
                "đã sai trước khi khởi động lại (xem SNK-2)",
                "it is wrong before a restart (see SNK-2)",
            ),
            ("sửa SNK-2 trước", "put SNK-2 right first"),
        ));
    }
    let earlier = events.person(&token, 8);
    let before = statuses(&deliver(&wire, "an earlier version", &[&earlier]).await?);
    drop(wire);
    restarted(kit, restart).await?;
    let wire = kit.connect().await?;
    let again = ("the events again, after a restart", &[&event, &person][..]);
    expect(&wire, found, again, &[EventStatus::Duplicate; 2]).await?;
    // What is said of it without a restart is the business of SNK-4.
    if before == [EventStatus::Obsolete] {
        let earlier = events.person(&token, 7);
        let late = ("an earlier version of the person, after a restart", &[&earlier][..]);
        expect(&wire, found, late, &[EventStatus::Obsolete]).await?;
    }
    Ok(())
}
