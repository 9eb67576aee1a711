//! Tables as the template takes them: words and widths. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::text::number;

/// How wide the text of a page is, in millimetres: upright, and lying on its side. The template has the margins.
pub(crate) const UPRIGHT: f64 = 165.0;
pub(crate) const LYING: f64 = 252.0;
/// Sizes of letters in points, from which a table too wide comes down.
const SIZE: f64 = 11.0;
const SIZE_ANNEX: f64 = 10.0;
const SIZE_MIN: f64 = 8.0;
/// A digit is half as wide as the letters are high, a bold letter of a heading a little more; both sides of a cell are empty.
const DIGIT: f64 = 0.5;
const LETTER: f64 = 0.58;
const POINT: f64 = 0.3528;
const EMPTY: f64 = 3.4;
/// What a column of words needs.
const WORDS_MIN: f64 = 34.0;
/// So many rows does a table of the body have at most, before the rest is summed; all are in an annex.
pub(crate) const TOP: usize = 10;

/// A table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Table {
    title: String,
    columns: Vec<Column>,
    rows: Vec<Row>,
    size: f64,
    /// Whether rows are counted in the first column.
    #[serde(skip)]
    counted: usize,
}

#[derive(Debug, Clone, Serialize)]
struct Column {
    head: String,
    align: Align,
    /// In millimetres; 0 where it is a share of the rest.
    width: f64,
    share: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Align {
    Left,
    Right,
    Center,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Plain,
    /// One cell over all columns, for what follows.
    Group,
    Total,
}

#[derive(Debug, Clone, Serialize)]
struct Row {
    kind: Kind,
    cells: Vec<String>,
}

impl Table {
    /// A table without columns but the one that counts rows.
    pub(crate) fn new(title: impl Into<String>) -> Self {
        let table = Self {
            title: title.into(),
            columns: Vec::new(),
            rows: Vec::new(),
            size: SIZE,
            counted: 0,
        };
        table.column("TT", Align::Center, 0.0)
    }

    fn column(mut self, head: &str, align: Align, share: f64) -> Self {
        self.columns.push(Column { head: head.to_owned(), align, width: 0.0, share });
        self
    }

    /// A column of words, so wide in proportion to others of words.
    pub(crate) fn words(self, head: &str, share: f64) -> Self {
        self.column(head, Align::Left, share)
    }

    /// A column of figures.
    pub(crate) fn figures(self, head: &str) -> Self {
        self.column(head, Align::Right, 0.0)
    }

    /// A column of short words or days.
    pub(crate) fn short(self, head: &str) -> Self {
        self.column(head, Align::Center, 0.0)
    }

    /// A row; it is counted.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.counted += 1;
        let count = number(self.counted as u128);
        self.push(Kind::Plain, std::iter::once(count).chain(cells));
    }

    /// A row that is not counted: of what is left.
    pub(crate) fn rest(&mut self, cells: impl IntoIterator<Item = String>) {
        self.push(Kind::Plain, std::iter::once(String::new()).chain(cells));
    }

    /// The last row.
    pub(crate) fn total(&mut self, cells: impl IntoIterator<Item = String>) {
        self.push(Kind::Total, std::iter::once(String::new()).chain(cells));
    }

    /// A line over the rows that follow.
    pub(crate) fn group(&mut self, name: String) {
        self.push(Kind::Group, std::iter::once(name));
    }

    fn push(&mut self, kind: Kind, cells: impl Iterator<Item = String>) {
        self.rows.push(Row { kind, cells: cells.collect() });
    }

    /// Whether there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The same, in the smaller letters of an annex.
    pub(crate) fn annexed(self, width: f64) -> Self {
        Self { size: SIZE_ANNEX, ..self }.fit(width)
    }

    /// The same, with the widths of its columns for a page so wide.
    pub(crate) fn fit(mut self, width: f64) -> Self {
        let widest: Vec<_> = (0..self.columns.len()).map(|at| self.widest(at)).collect();
        let words = self.columns.iter().filter(|column| column.share > 0.0).count();
        #[expect(clippy::cast_precision_loss, reason = "a few columns")]
        let words = words as f64 * WORDS_MIN;
        while self.size > SIZE_MIN {
            let fixed: f64 = widest.iter().map(|em| cell(*em, self.size)).sum();
            if fixed + words <= width {
                break;
            }
            self.size -= 0.5;
        }
        for (column, em) in self.columns.iter_mut().zip(widest) {
            column.width = cell(em, self.size);
        }
        self
    }

    /// How wide the widest cell of a column is, in heights of its letters; 0 for a column of words.
    fn widest(&self, at: usize) -> f64 {
        let Some(column) = self.columns.get(at).filter(|column| column.share == 0.0) else {
            return 0.0;
        };
        let em = |text: &str, each: f64| f64::from(letters(text)) * each;
        // A heading has two lines, or three where they are short.
        let word = column.head.split(' ').map(|word| em(word, LETTER)).fold(0.0, f64::max);
        let head = word.max(em(&column.head, LETTER) * 0.62);
        let rows = self.rows.iter().filter(|row| row.kind != Kind::Group);
        let cells = rows.filter_map(|row| row.cells.get(at));
        let each = if column.align == Align::Right { DIGIT + 0.01 } else { DIGIT };
        cells.map(|text| em(text, each)).fold(head, f64::max)
    }
}

/// Longer cells than this break, so that one of them does not push the others off the page.
fn letters(text: &str) -> u16 {
    u16::try_from(text.chars().count()).unwrap_or(u16::MAX).min(20)
}

fn cell(em: f64, size: f64) -> f64 {
    if em > 0.0 { em * size * POINT + EMPTY } else { 0.0 }
}

/// Figures by name, added up.
pub(crate) fn summed<K: Ord, const N: usize>(
    figures: impl IntoIterator<Item = (K, [u128; N])>,
) -> BTreeMap<K, [u128; N]> {
    let mut sums = BTreeMap::new();
    for (key, values) in figures {
        add(sums.entry(key).or_insert([0; N]), values);
    }
    sums
}

/// Adds figures to others.
pub(crate) fn add<const N: usize>(sum: &mut [u128; N], values: [u128; N]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += value;
    }
}

/// The largest first, by their first figure, and what is left of more than [`TOP`]: how many, and their sum.
#[expect(clippy::type_complexity, reason = "said by the words before it")]
pub(crate) fn top<K: Ord, const N: usize>(
    sums: BTreeMap<K, [u128; N]>,
) -> (Vec<(K, [u128; N])>, Option<(usize, [u128; N])>) {
    let mut rows: Vec<_> = sums.into_iter().collect();
    // Stable: equals stay in the order of their names.
    rows.sort_by_key(|(_, values)| std::cmp::Reverse(values.first().copied()));
    // One that is left is as long as the line that would say so.
    if rows.len() <= TOP + 1 {
        return (rows, None);
    }
    let left = rows.split_off(TOP);
    let mut sum = [0; N];
    for (_, values) in &left {
        add(&mut sum, *values);
    }
    (rows, Some((left.len(), sum)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn the_largest_come_first_and_the_rest_is_summed() {
        let sums = summed((0..15_u128).map(|n| (n % 14, [n, 1])));
        let (rows, left) = top(sums);
        assert_eq!(rows.len(), TOP);
        assert_eq!(rows[0], (0, [14, 2]));
        assert_eq!(rows[1], (13, [13, 1]));
        assert_eq!(left, Some((4, [1 + 2 + 3 + 4, 4])));
        let eleven = summed((0..11_u128).map(|n| (n, [n])));
        assert_eq!(top(eleven).1, None);
    }

    #[test]
    fn a_wide_table_has_smaller_letters() {
        let wide = |columns: usize| {
            let mut table = Table::new("x").words("a", 1.0);
            for _ in 0..columns {
                table = table.figures("b");
            }
            let cells = std::iter::repeat_n("1.234.567".to_owned(), columns);
            table.row(std::iter::once("a".to_owned()).chain(cells));
            table.fit(UPRIGHT)
        };
        assert!(wide(3).size > wide(7).size);
        let sum: f64 = wide(6).columns.iter().map(|column| column.width).sum();
        assert!(sum + WORDS_MIN <= UPRIGHT);
    }
}
