//! SRC-1 to SRC-3, SRC-6, SRC-9 and SRC-20: the order of the list, and that everything is in it once.

use std::collections::BTreeSet;

use contract::database::v1::Change;

use super::{Listed, difference, listing, page, page_size_max, place, walk, whole};
use crate::{
    cases::transport::describes,
    found::{Found, Tried, failed, not_tried},
    kit::{Dice, Kit},
};

/// So many changes are enough to see an order.
const FEW: usize = 3;
/// Pages that are read again.
const AGAIN_MAX: usize = 40;
/// Changes whose own cursor is tried.
const CURSORS_MAX: usize = 200;

/// SRC-1.
pub(crate) async fn order(kit: &Kit, found: &mut Found) -> Tried {
    let listing = listing(kit, FEW).await?;
    found.remark(
        "không thử được từ bên ngoài: thay đổi ghi nhận đồng thời có được giữ lại cho đến khi không còn \
         `sequence` thấp hơn nào có thể xuất hiện",
        "from outside it cannot be tried that a change is held back until none with a lower sequence can \
         still appear, while several are committed at once",
    );
    let mut last = 0;
    for (number, listed) in listing.changes.iter().enumerate() {
        let sequence = listed.change.sequence;
        if sequence <= last {
            let tried = format!("{} of the list", place(number));
            found.fail(tried, format!("a sequence above {last}"), sequence.to_string());
        }
        last = last.max(sequence);
    }
    Ok(())
}

/// SRC-2.
pub(crate) async fn same_again(kit: &Kit, found: &mut Found) -> Tried {
    let listing = listing(kit, 1).await?;
    let wire = kit.connect().await?;
    for first in listing.pages.iter().take(AGAIN_MAX) {
        let again = page(&wire, &first.cursor, first.size).await?;
        let tried = format!("{}, twice", super::asked(&first.cursor, first.size));
        if let Some(seen) = difference(&first.changes, &again.changes, true) {
            found.fail(tried, "the same changes with the same bytes", seen);
        }
    }
    Ok(())
}

/// SRC-3.
pub(crate) async fn once(kit: &Kit, found: &mut Found) -> Tried {
    let listing = listing(kit, FEW).await?;
    found_twice(&listing.pages.iter().flat_map(|read| &read.changes).collect::<Vec<_>>(), found);
    let wire = kit.connect().await?;
    for (size, changes) in [(1, 60), (2, 120), (3, 300), (page_size_max(kit), usize::MAX)] {
        let mut cursor = String::new();
        let mut read: Vec<Listed> = Vec::new();
        let mut seen = BTreeSet::new();
        let expected: Vec<Listed> = listing.changes.iter().take(changes).cloned().collect();
        while read.len() < expected.len() && seen.insert(cursor.clone()) {
            let next = page(&wire, &cursor, size).await?;
            cursor = next.page.next_cursor;
            let empty = next.changes.is_empty();
            read.extend(next.changes);
            if empty || cursor.is_empty() {
                break;
            }
        }
        found_twice(&read.iter().collect::<Vec<_>>(), found);
        if let Some(seen) = difference(&expected, &read, false) {
            let tried = format!("ListChanges with pages of {size}");
            found.fail(tried, "the changes that other sizes give", seen);
        }
    }
    Ok(())
}

fn found_twice(read: &[&Listed], found: &mut Found) {
    let mut ids = BTreeSet::new();
    for (number, listed) in read.iter().enumerate() {
        if !ids.insert(listed.id()) {
            let seen = format!("{} was listed before", place(number));
            return found.fail("reading page after page", "every change once", seen);
        }
    }
}

/// Some places of a list: all where it is short.
pub(crate) fn sample(dice: &mut Dice, count: usize, most: usize) -> BTreeSet<usize> {
    if count <= most {
        return (0..count).collect();
    }
    let mut places = BTreeSet::from([0, 1, count - 1, count - 2]);
    while places.len() < most {
        let place = dice.below(u64::try_from(count).unwrap_or(u64::MAX));
        places.insert(usize::try_from(place).unwrap_or(0));
    }
    places
}

/// SRC-6.
pub(crate) async fn own_cursor(kit: &Kit, found: &mut Found) -> Tried {
    let listing = listing(kit, FEW).await?;
    let wire = kit.connect().await?;
    for number in sample(&mut kit.dice("SRC-6"), listing.changes.len(), CURSORS_MAX) {
        let Some(listed) = listing.changes.get(number) else { continue };
        let after = page(&wire, &listed.change.cursor, 2).await?;
        let next = listing.changes.get(number + 1);
        let seen = after.changes.first();
        let same = match (next, seen) {
            (Some(next), Some(seen)) => next.id() == seen.id(),
            (None, None) => true,
            // One that was committed since, or that was not read.
            (None, Some(seen)) => !listing.changes.iter().any(|listed| listed.id() == seen.id()),
            (Some(_), None) => false,
        };
        let tried = format!("reading on from the cursor of {}", place(number));
        found.check(same, tried, format!("{} next", place(number + 1)), shown(seen));
    }
    Ok(())
}

fn shown(seen: Option<&Listed>) -> &'static str {
    if seen.is_some() { "another change" } else { "no change" }
}

/// SRC-20.
pub(crate) async fn from_the_oldest(kit: &Kit, found: &mut Found) -> Tried {
    let known = kit.plan.fixtures.source.oldest_change.as_deref();
    let listing = listing(kit, usize::from(known.is_none())).await?;
    let first = listing.changes.first();
    let wire = kit.connect().await?;
    for size in [1, 0, page_size_max(kit)] {
        let read = page(&wire, "", size).await?;
        let same = read.changes.first().map(Listed::id) == first.map(Listed::id);
        let tried = super::asked("", size);
        found.check(same, tried, "the same first change with every size", "another one");
    }
    match (known, first) {
        (Some(known), Some(first)) if first.id() == known => Ok(()),
        (Some(known), first) => {
            let expected = format!("`{known}`, which the fixtures name as the oldest");
            let seen = first.map_or("no change".into(), |first| format!("`{}`", first.id()));
            found.fail("the first change after the empty cursor", expected, seen);
            Ok(())
        }
        // No change can stand before the first place.
        (None, Some(first)) if first.change.sequence == 1 => Ok(()),
        (None, _) => Err(not_tried(
            (
                "thay đổi đầu tiên không có `sequence` 1, nên không biết có thay đổi cũ hơn hay không",
                "the first change has not the sequence 1: whether an older one is kept is not known",
            ),
            (
                "`oldest_change` trong [source] của tệp fixtures",
                "`oldest_change` in [source] of the fixtures",
            ),
        )),
    }
}

/// What must be the same after a restart.
fn kept(changes: &[Listed]) -> Vec<(String, u64, String)> {
    let kept = |listed: &Listed| {
        let Change { change_id, sequence, cursor, .. } = &listed.change;
        (change_id.clone(), *sequence, cursor.clone())
    };
    changes.iter().map(kept).collect()
}

/// SRC-9.
pub(crate) async fn after_a_restart(kit: &Kit, found: &mut Found) -> Tried {
    let restart = restart(kit)?;
    whole(kit, FEW).await?;
    // Read now, so that what was committed during the run is no difference.
    let wire = kit.connect().await?;
    let before = walk(&wire, "", page_size_max(kit)).await?;
    let half = before.changes.get(before.changes.len() / 2);
    let cursor = half.map(|listed| listed.change.cursor.clone()).unwrap_or_default();
    let next = page(&wire, &cursor, 1).await?;
    drop(wire);
    restarted(kit, restart).await?;
    let wire = kit.connect().await?;
    let after = walk(&wire, "", page_size_max(kit)).await?;
    // Later ones may follow.
    let same = kept(&after.changes).starts_with(&kept(&before.changes));
    let expected = "the same ids, sequences and cursors";
    let seen = format!(
        "{} changes instead of {}, or other ones",
        after.changes.len(),
        before.changes.len()
    );
    found.check(same, "the list before and after a restart", expected, seen);
    let again = page(&wire, &cursor, 1).await?;
    let same = again.changes.first().map(Listed::id) == next.changes.first().map(Listed::id);
    let tried = "reading on from a cursor that was given before the restart";
    found.check(same, tried, "the change after it", shown(again.changes.first()));
    Ok(())
}

/// What restarts the database.
pub(crate) fn restart(kit: &Kit) -> Tried<&crate::Act> {
    kit.plan.restart.as_ref().ok_or_else(|| {
        not_tried(
            ("không có lệnh khởi động lại cơ sở dữ liệu", "there is no command that restarts it"),
            ("--restart 'LỆNH'", "--restart 'COMMAND'"),
        )
    })
}

/// Restarts the database and waits until it describes itself again.
pub(crate) async fn restarted(kit: &Kit, restart: &crate::Act) -> Tried {
    let tried = "the restart";
    let done = tokio::time::timeout(kit.patience() * 6, restart.done()).await;
    let done = done.unwrap_or_else(|_| Err("it was not at its end in time".into()));
    done.map_err(|error| failed(tried, "a command that ends with success", error))?;
    let began = std::time::Instant::now();
    loop {
        let again = async { describes(&kit.connect().await?, tried).await };
        match again.await {
            Ok(()) => return Ok(()),
            Err(trouble) if began.elapsed() > kit.patience() * 3 => return Err(trouble),
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
        }
    }
}
