//! No change is lost or told in another order because several commit at the same time: a sequence that is given out before
//! the commit has gaps that fill later, and whoever reads past one never sees it.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

use store::Engine;
use tests::{World, on_both_engines};

use super::{after, newcomers, now, page};

on_both_engines!(no_change_is_lost_or_reordered_by_writers_that_commit_side_by_side);

const WRITERS: u32 = 12;
const EACH: u32 = 12;
/// The writes of one commit are of so many persons, so that commits take longer or shorter.
const SIZES: [u32; 3] = [1, 4, 9];

async fn no_change_is_lost_or_reordered_by_writers_that_commit_side_by_side(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    let start = now(&client).await;
    let (register, written) = (&world, &AtomicBool::new(false));
    let write = async |writer: u32| {
        let mut total = 0;
        for turn in 0..EACH {
            let size = SIZES[(writer + turn) as usize % SIZES.len()];
            let first = (writer * EACH + turn) * 10;
            register.add(newcomers(first..first + size)).await;
            total += size;
        }
        total
    };
    let writing = async {
        let totals = futures::future::join_all((0..WRITERS).map(write)).await;
        written.store(true, Ordering::SeqCst);
        totals.into_iter().sum::<u32>() as usize
    };
    // Two followers read all the while, with other pages.
    let follow = async |size: u32| {
        let (mut heard, mut cursor, mut pages) = (Vec::new(), start.clone(), 0);
        loop {
            let all = written.load(Ordering::SeqCst);
            let page = page(&client, &after(&cursor, size)).await;
            pages += usize::from(!page.changes.is_empty());
            heard.extend(page.changes.into_iter().map(|change| change.answer));
            cursor = page.cursor;
            if all && page.end_reached {
                return (heard, pages);
            }
        }
    };
    let (total, (few, pages), (many, _)) = tokio::join!(writing, follow(3), follow(500));
    assert!(few == many, "both heard the same");
    assert!(pages > WRITERS as usize, "it read while they wrote");
    assert_eq!(few.len(), total, "none is lost");
    let versions: Vec<u64> = few.iter().map(|change| change.version).collect();
    assert!(versions.is_sorted_by(|a, b| a < b), "none comes after a later one");
    // They are all there is: no version between them is missing.
    assert_eq!(versions.last().unwrap() - versions[0] + 1, total as u64);
    let tokens: BTreeSet<&String> = few.iter().map(|change| &change.token).collect();
    assert_eq!(tokens.len(), total);
    drop(client);
    world.stop().await;
}
