//! SRC-21 and SRC-23 to SRC-25: what a page is.

use std::{collections::BTreeSet, time::Instant};

use super::{Listed, asked, listing, page, page_size_max, walk, whole};
use crate::{
    found::{Found, Tried, failed, not_tried},
    kit::Kit,
};

/// The most bytes of a page.
const BYTES_MAX: usize = 4 << 20;

/// SRC-21.
pub(crate) async fn sizes(kit: &Kit, found: &mut Found) -> Tried {
    let listing = listing(kit, 3).await?;
    let most = page_size_max(kit);
    let wire = kit.connect().await?;
    for size in [1, 2, most, most.saturating_add(1), i32::MAX, 0] {
        let read = page(&wire, "", size).await?;
        let limit = if size == 0 { most } else { size.min(most) };
        let holds = i32::try_from(read.changes.len()).is_ok_and(|count| count <= limit);
        let seen = format!("{} changes", read.changes.len());
        found.check(holds, asked("", size), format!("at most {limit} changes"), seen);
    }
    let count = listing.changes.len();
    if i32::try_from(count).is_ok_and(|count| count <= most) && found.findings.is_empty() {
        return Err(not_tried(
            (
                format!(
                    "danh sách có {count} thay đổi, không vượt `page_size_max` ({most}) nên không thử được giới hạn"
                ),
                format!(
                    "the list has {count} changes and `page_size_max` is {most}: no page could be larger"
                ),
            ),
            (
                "nhiều thay đổi giả định hơn `page_size_max`, hoặc `page_size_max` nhỏ hơn trong môi trường thử",
                "more synthetic changes than `page_size_max`, or a smaller `page_size_max` where it is tried",
            ),
        ));
    }
    Ok(())
}

/// SRC-23.
pub(crate) async fn bytes(kit: &Kit, found: &mut Found) -> Tried {
    let listing = listing(kit, 1).await?;
    let wire = kit.connect().await?;
    let mut cursor = String::new();
    let mut largest = listing.pages.iter().map(|read| read.bytes).max().unwrap_or(0);
    let mut seen = BTreeSet::new();
    // Pages as large as they come.
    while seen.insert(cursor.clone()) && seen.len() < 100 {
        let read = page(&wire, &cursor, i32::MAX).await?;
        largest = largest.max(read.bytes);
        if read.changes.is_empty() || read.page.next_cursor.is_empty() {
            break;
        }
        cursor = read.page.next_cursor;
    }
    let seen = format!("{largest} bytes");
    found.check(largest <= BYTES_MAX, asked("", i32::MAX), "at most 4 MiB", seen);
    found.remark(
        format!("trang lớn nhất nhận được có {largest} byte"),
        format!("the largest page that was seen has {largest} bytes"),
    );
    Ok(())
}

/// SRC-24.
pub(crate) async fn at_the_end(kit: &Kit, found: &mut Found) -> Tried {
    let listing = whole(kit, 1).await?;
    for read in &listing.pages {
        let given = !read.page.next_cursor.is_empty();
        found.check(given, asked(&read.cursor, read.size), "a `next_cursor`", "an empty one");
    }
    let wire = kit.connect().await?;
    let mut known: BTreeSet<String> =
        listing.changes.iter().map(|listed| listed.id().to_owned()).collect();
    let mut cursor = listing.pages.last().map(|read| read.page.next_cursor.clone());
    for _ in 0..3 {
        let Some(end) = cursor.take().filter(|end| !end.is_empty()) else { return Ok(()) };
        let read = page(&wire, &end, 0).await?;
        let tried = format!("{}, at the end of the list", asked(&end, 0));
        let twice = read.changes.iter().any(|listed| !known.insert(listed.id().to_owned()));
        found.check(!twice, tried.as_str(), "nothing twice", "a change that was listed before");
        let given = !read.page.next_cursor.is_empty();
        found.check(given, tried, "a `next_cursor`", "an empty one");
        cursor = Some(read.page.next_cursor);
    }
    let Some(end) = cursor else { return Ok(()) };
    committed_since(kit, &end, &known, found).await
}

/// A change that is committed later is found from a cursor of the end.
async fn committed_since(
    kit: &Kit,
    end: &str,
    known: &BTreeSet<String>,
    found: &mut Found,
) -> Tried {
    let Some(change) = &kit.plan.change else {
        return Err(not_tried(
            (
                "không có lệnh ghi nhận thêm một thay đổi, nên không biết nó có được tìm thấy từ con trỏ này",
                "there is no command that commits a change: whether it is found from there is not known",
            ),
            ("--change 'LỆNH'", "--change 'COMMAND'"),
        ));
    };
    let tried = "reading on from the end, after a change was committed";
    change.done().await.map_err(|error| failed(tried, "the command --change succeeds", error))?;
    let (wire, began) = (kit.connect().await?, Instant::now());
    loop {
        let read = page(&wire, end, 0).await?;
        if read.changes.iter().any(|listed| !known.contains(listed.id())) {
            return Ok(());
        }
        if began.elapsed() > kit.patience() {
            found.fail(tried, "the new change", "no new change");
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// SRC-25. What is committed meanwhile makes an end none any more, so what looks wrong is looked at twice.
pub(crate) async fn end_reached(kit: &Kit, found: &mut Found) -> Tried {
    let listing = whole(kit, 2).await?;
    let Some(mut wrong) = wrongly_said(&listing.pages) else { return Ok(()) };
    for _ in 0..2 {
        let wire = kit.connect().await?;
        let size = listing.pages.first().map_or(0, |read| read.size);
        let again = walk(&wire, "", size).await?;
        match wrongly_said(&again.pages) {
            Some(again) => wrong = again,
            None => return Ok(()),
        }
    }
    found.fail(wrong.0, wrong.1, wrong.2);
    Ok(())
}

/// The first page that says wrongly whether it is the last.
fn wrongly_said(pages: &[super::Read]) -> Option<(String, &'static str, &'static str)> {
    for (number, read) in pages.iter().enumerate() {
        let tried = asked(&read.cursor, read.size);
        let later: Vec<&Listed> =
            pages.iter().skip(number + 1).flat_map(|read| &read.changes).collect();
        match (read.page.end_reached, read.changes.is_empty(), later.is_empty()) {
            (false, true, _) => return Some((tried, "`end_reached` on an empty page", "false")),
            (true, _, false) => {
                return Some((tried, "`end_reached` at the end alone", "true, and changes follow"));
            }
            (false, false, true) => {
                return Some((tried, "`end_reached` on the page of the last change", "false"));
            }
            _ => {}
        }
    }
    None
}
