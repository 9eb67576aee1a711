//! What a page of changes may be, and when to try again. Pure: no I/O, no async.

use std::time::Duration;

/// The longest cursor (rule SRC-5).
const CURSOR_MAX: usize = 256;
const ID_MAX: usize = 64;
/// Between attempts that fail, and how it grows.
const BACK_OFF: Duration = Duration::from_millis(500);
const BACK_OFF_MAX: Duration = Duration::from_secs(60);
/// So many failures in a row are an open circuit: a person should look.
pub(crate) const OPEN_AFTER: u32 = 5;

/// A page of changes, each with what is handed on of it.
pub(crate) struct Page<C> {
    /// The changes, as the source lists them.
    pub(crate) changes: Vec<Listed<C>>,
    /// Where to go on.
    pub(crate) next_cursor: String,
    /// Whether there was no further change.
    pub(crate) end_reached: bool,
}

/// A change as it is listed.
pub(crate) struct Listed<C> {
    /// Its id at its source.
    pub(crate) id: String,
    /// Its place in the order.
    pub(crate) sequence: u64,
    /// Where to go on after it.
    pub(crate) cursor: String,
    /// When it was committed at its source, microseconds since 1970.
    pub(crate) committed_us: Option<i64>,
    /// What it says; none when it says nothing, or on no ground.
    pub(crate) content: Option<C>,
}

/// Why a page is not taken. Nothing of it is: what breaks one rule may have broken others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageFault {
    /// It has more changes than were asked for (rule SRC-21).
    TooMany,
    /// The order of its changes went back (rule SRC-1).
    OutOfOrder,
    /// It does not say where to go on, or by what can be no cursor (rules SRC-5, SRC-24).
    NoCursor,
    /// It is empty and says that there is more, or has changes and leads to where it began (rule SRC-25).
    Stuck,
    /// A change has no cursor, or one that can be none, so that nobody can go on after it (rule SRC-4).
    NotPlaced,
}

/// Reason of a change that says not what it must for being handed on (rule SRC-4); it is passed over.
pub(crate) const MALFORMED_CHANGE: &str = "MALFORMED_CHANGE";

impl PageFault {
    /// Stable reason, for dead letters and metrics.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::TooMany => "TOO_MANY_CHANGES",
            Self::OutOfOrder => "OUT_OF_ORDER",
            Self::NoCursor => "NO_CURSOR",
            Self::Stuck => "STUCK",
            Self::NotPlaced => "NOT_PLACED",
        }
    }
}

/// Whether a page may be taken, that was asked for with `cursor` and `size` after the change of `sequence`.
pub(crate) fn check<C>(
    page: &Page<C>,
    cursor: &str,
    size: u16,
    sequence: u64,
) -> Result<(), PageFault> {
    if page.changes.len() > usize::from(size) {
        return Err(PageFault::TooMany);
    }
    if !is_cursor(&page.next_cursor) {
        return Err(PageFault::NoCursor);
    }
    let stuck =
        if page.changes.is_empty() { !page.end_reached } else { page.next_cursor == cursor };
    if stuck {
        return Err(PageFault::Stuck);
    }
    let mut last = sequence;
    for change in &page.changes {
        if change.sequence <= last {
            return Err(PageFault::OutOfOrder);
        }
        last = change.sequence;
        if !is_cursor(&change.cursor) {
            return Err(PageFault::NotPlaced);
        }
    }
    Ok(())
}

fn is_cursor(cursor: &str) -> bool {
    (1..=CURSOR_MAX).contains(&cursor.len()) && cursor.bytes().all(|b| (b' '..=b'~').contains(&b))
}

/// Whether a text can be a change's id.
pub(crate) fn is_id(id: &str) -> bool {
    let in_ids = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
    (1..=ID_MAX).contains(&id.len()) && id.bytes().all(in_ids)
}

/// How long to wait after so many failures in a row, give or take a fifth.
pub(crate) fn back_off(failures: u32, byte: u8) -> Duration {
    let grown = BACK_OFF.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16)));
    grown.min(BACK_OFF_MAX).mul_f64(0.8 + 0.4 * f64::from(byte) / 255.0)
}

/// An id that is the same whenever the same is told, and no longer than one may be.
pub(crate) fn event_id(what: &str, key: &str) -> String {
    let digest = tlog::digest(key.as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{what}:{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(sequences: &[u64], next: &str, end_reached: bool) -> Page<()> {
        let listed = |sequence: &u64| Listed {
            id: format!("c-{sequence}"),
            sequence: *sequence,
            cursor: format!("after {sequence}"),
            committed_us: Some(1),
            content: Some(()),
        };
        let changes = sequences.iter().map(listed).collect();
        Page { changes, next_cursor: next.to_owned(), end_reached }
    }

    fn checked(page: &Page<()>) -> Result<(), PageFault> {
        check(page, "here", 3, 10)
    }

    #[test]
    fn i11_a_page_is_taken_whole_or_not_at_all() {
        assert_eq!(checked(&page(&[11, 12, 20], "next", false)), Ok(()));
        assert_eq!(checked(&page(&[], "here", true)), Ok(()));
        for (page, fault) in [
            (page(&[11, 12, 13, 14], "next", false), PageFault::TooMany),
            (page(&[11, 11], "next", false), PageFault::OutOfOrder),
            (page(&[10], "next", false), PageFault::OutOfOrder),
            (page(&[12, 11], "next", true), PageFault::OutOfOrder),
            (page(&[11], "", false), PageFault::NoCursor),
            (page(&[11], &"x".repeat(257), false), PageFault::NoCursor),
            (page(&[11], "né", false), PageFault::NoCursor),
            (page(&[], "next", false), PageFault::Stuck),
            (page(&[11], "here", false), PageFault::Stuck),
        ] {
            assert_eq!(checked(&page), Err(fault));
        }
    }

    #[test]
    fn a_change_without_a_place_is_seen_and_ids_are_ids() {
        let mut page = page(&[11], "next", true);
        page.changes.iter_mut().for_each(|change| change.cursor.clear());
        assert_eq!(checked(&page), Err(PageFault::NotPlaced));
        assert!(is_id("a.B_1:-"));
        for none in ["", "a b", "ế", &"x".repeat(65)] {
            assert!(!is_id(none), "{none}");
        }
    }

    #[test]
    fn the_back_off_doubles_to_a_minute() {
        let middle = |failures| back_off(failures, 128).as_secs_f64().round() as u64;
        assert_eq!([1, 2, 3, 7, 8, 100].map(middle), [1, 1, 2, 32, 60, 60]);
        assert_eq!(back_off(1, 0), Duration::from_millis(400));
        assert!(back_off(u32::MAX, 255) <= Duration::from_secs(72));
    }
}
