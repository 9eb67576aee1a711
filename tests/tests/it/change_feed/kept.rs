//! How long changes are told.

use store::Engine;
use tests::{World, on_both_engines};

use super::{after, all_after, listed, newcomer, newcomers, no_page, now, page};
use crate::why;

on_both_engines!(
    what_is_too_old_is_not_told_and_the_oldest_cursor_is_said,
    i7_how_old_a_cursor_may_be_does_not_tell_whether_anything_happened,
);

const DAYS: i64 = 1096;

async fn what_is_too_old_is_not_told_and_the_oldest_cursor_is_said(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let (_, start) = listed(&client, 500).await;
    world.add(newcomers(0..3)).await;
    let (old, middle) = all_after(&client, after(&start, 2)).await;
    assert_eq!(old.len(), 3);
    // As long as it is promised, all of it is told.
    world.hands.step(time::Duration::days(DAYS));
    assert_eq!(world.forget().await, 0);
    assert!(all_after(&client, after(&start, 2)).await.0 == old);
    let fresh = now(&client).await;
    world.hands.step(time::Duration::hours(25));
    // Too old it is also before it is taken away, and both say where the rest begins.
    for forgets in [false, true] {
        if forgets {
            assert_eq!(world.forget().await, world.people().len() as u64 + 3);
            assert_eq!(world.forget().await, 0);
        }
        for cursor in [&start, &middle] {
            let records = world.records().await;
            let refused = no_page(&client, &after(cursor, 2)).await;
            assert_eq!(why(&refused), ("OutOfRange", "CURSOR_OUT_OF_RANGE"));
            let oldest = refused.get("oldest_cursor").unwrap().to_owned();
            let (heard, _) = all_after(&client, after(&oldest, 500)).await;
            assert_eq!(heard.is_empty(), forgets, "what is kept is told");
            assert_eq!(world.records().await, records + heard.len() as u64);
        }
    }
    // Who was there a day ago has missed nothing, and the oldest cursor tells what comes, too.
    let oldest = no_page(&client, &after(&start, 2)).await.get("oldest_cursor").unwrap().to_owned();
    world.add(newcomers(10..12)).await;
    for cursor in [&fresh, &oldest] {
        assert_eq!(all_after(&client, after(cursor, 1)).await.0.len(), 2);
    }
    // A list begins anew, and what was known stays known (I5, I6).
    assert!(!listed(&client, 500).await.0.is_empty());
    assert_eq!(world.different().await, 0);
    world.stop().await;
}

async fn i7_how_old_a_cursor_may_be_does_not_tell_whether_anything_happened(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    world.add(newcomers(0..1)).await;
    let mut seen = Vec::new();
    for (which, came) in [("nobody", Vec::new()), ("hidden", vec![newcomer(1, true)])] {
        let start = now(&client).await;
        world.add(came).await;
        // Who asks now and then keeps its place, whoever came.
        world.hands.step(time::Duration::days(DAYS - 1));
        let kept = page(&client, &after(&start, 0)).await;
        world.hands.step(time::Duration::days(3));
        world.forget().await;
        let refused = no_page(&client, &after(&start, 0)).await;
        let oldest = refused.get("oldest_cursor").unwrap().len();
        let last = page(&client, &after(&kept.cursor, 0)).await;
        seen.push((
            (kept.changes.len(), kept.end_reached, last.changes.len(), last.end_reached),
            (refused.code, refused.reason, oldest),
        ));
        assert_eq!(seen[0], seen[seen.len() - 1], "{which}");
    }
    world.stop().await;
}
