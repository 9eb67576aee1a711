//! That a text is nothing but text: what would turn it round, hide it, be no glyph, or push others off the page. That it is never
//! markup is the template's doing, to which it comes as data. Pure.

use serde_json::Value;

/// So many characters without a place to break a line are a name or a code; in more than that there are places to break.
const RUN_MAX: usize = 20;
/// Where a line may break though nothing is seen.
const BREAK: char = '\u{200b}';

/// The field whose lines are of the right length already, and copied by whoever checks them.
const VERBATIM: &str = "verbatim";

/// Cleans every text of a value, whose keys are our own.
pub(crate) fn clean(value: &mut Value, has: impl Fn(char) -> bool + Copy) {
    each(value, RUN_MAX, has);
}

fn each(value: &mut Value, run_max: usize, has: impl Fn(char) -> bool + Copy) {
    match value {
        Value::String(text) => *text = cleaned(text, run_max, has),
        Value::Array(values) => values.iter_mut().for_each(|value| each(value, run_max, has)),
        Value::Object(fields) => {
            for (key, value) in fields {
                each(value, if key == VERBATIM { usize::MAX } else { run_max }, has);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The text, with what cannot be shown as its code, and long runs breakable.
fn cleaned(text: &str, run_max: usize, has: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_shown(c) && has(c) {
            shown.push(c);
        } else {
            shown.push_str(&format!("{BREAK}[U+{:04X}]{BREAK}", u32::from(c)));
        }
    }
    let runs = shown.split_inclusive([' ', '\n', BREAK]);
    runs.map(|run| if run.chars().count() > run_max { broken(run) } else { run.to_owned() })
        .collect()
}

/// A run with places to break: where its parts end, and where a part is too long itself.
fn broken(run: &str) -> String {
    const PART_MIN: usize = 6;
    let mut out = String::with_capacity(run.len() * 2);
    let mut length = 0;
    let mut ended = false;
    for c in run.chars() {
        // Not between a letter and its marks.
        if (ended || length >= RUN_MAX) && !is_mark(c) {
            out.push(BREAK);
            length = 0;
        }
        out.push(c);
        length += 1;
        ended = length >= PART_MIN && matches!(c, '_' | '-' | '.' | '/' | ':' | '@');
    }
    out
}

/// Whether a character is seen, and leaves the others in their order: none that directs it, none of a script that is written from
/// the right.
fn is_shown(c: char) -> bool {
    let directs = matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    );
    let from_right = matches!(c,
        '\u{0590}'..='\u{08ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}'
    );
    !directs && !from_right && (c == '\n' || !c.is_control())
}

/// A mark over or under the letter before it.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{0300}'..='\u{036f}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_not_seen_is_said() {
        let all = |_| true;
        assert_eq!(cleaned("Bộ Y tế", RUN_MAX, all), "Bộ Y tế");
        assert_eq!(cleaned("#panic() *b* $x$ <l>", RUN_MAX, all), "#panic() *b* $x$ <l>");
        assert_eq!(
            cleaned("a\u{202e}b\0", RUN_MAX, all),
            "a\u{200b}[U+202E]\u{200b}b\u{200b}[U+0000]\u{200b}"
        );
        assert_eq!(cleaned("ש", RUN_MAX, all), "\u{200b}[U+05E9]\u{200b}");
        let none = |c: char| c.is_ascii();
        assert_eq!(cleaned("本", RUN_MAX, none), "\u{200b}[U+672C]\u{200b}");
    }

    #[test]
    fn long_runs_can_break_but_no_letter_is_parted_from_its_marks() {
        let long = "x".repeat(2_000);
        let runs: Vec<_> = cleaned(&long, RUN_MAX, |_| true).split(BREAK).map(str::len).collect();
        assert!(runs.iter().all(|run| *run <= RUN_MAX));
        assert_eq!(runs.iter().sum::<usize>(), 2_000);
        let marked = "e\u{0302}\u{0301}".repeat(100);
        for part in cleaned(&marked, RUN_MAX, |_| true).split(BREAK) {
            assert!(part.starts_with('e'), "{part}");
        }
        assert_eq!(
            cleaned("Trách nhiệm của cơ quan", RUN_MAX, |_| true),
            "Trách nhiệm của cơ quan"
        );
    }
}
