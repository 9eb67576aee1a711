//! How figures, times and citations are written in Vietnamese. Pure.

use time::{Date, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use crate::Error;

/// Between groups of a number, and before its decimals (Decree 30/2020 has no other: Vietnamese usage).
const GROUPS: char = '.';
const DECIMALS: char = ',';

/// A number with its groups: 1.234.567.
pub(crate) fn number(value: u128) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(GROUPS);
        }
        text.push(digit);
    }
    text
}

/// So many of so many in percent, with this many decimals: 12,5%. What is not nothing is never written as nothing, nor what is not
/// all as all; a share of nothing is a dash.
pub(crate) fn percent(part: u128, all: u128, decimals: u32) -> String {
    if all == 0 {
        return "–".to_owned();
    }
    let scale = 10_u128.saturating_pow(decimals);
    let whole = scale.saturating_mul(100);
    // Half of the last decimal up.
    let value = (part.saturating_mul(whole).saturating_mul(2).saturating_add(all)) / (2 * all);
    let (sign, value) = match value {
        0 if part > 0 => ("<", 1),
        value if value >= whole && part < all => (">", whole - 1),
        value => ("", value),
    };
    format!("{sign}{}%", decimal(value, decimals))
}

/// A number whose last digits are decimals.
fn decimal(value: u128, decimals: u32) -> String {
    let scale = 10_u128.saturating_pow(decimals);
    let text = number(value / scale);
    match usize::try_from(decimals) {
        Ok(width @ 1..) => format!("{text}{DECIMALS}{:0width$}", value % scale),
        Ok(0) | Err(_) => text,
    }
}

/// Microseconds in milliseconds with one decimal, rounded up, as the quantiles of a report are upper bounds.
pub(crate) fn milliseconds(microseconds: u64) -> String {
    decimal(u128::from(microseconds).div_ceil(100), 1)
}

/// A length of time in its two largest units.
pub(crate) fn duration(seconds: u64) -> String {
    let units = [
        (seconds / 86_400, "ngày"),
        (seconds / 3_600 % 24, "giờ"),
        (seconds / 60 % 60, "phút"),
        (seconds % 60, "giây"),
    ];
    let first = units.iter().position(|(count, _)| *count > 0).unwrap_or(units.len() - 1);
    let shown = units.iter().skip(first).take(2);
    let shown = shown.filter(|(count, _)| *count > 0 || seconds == 0);
    let words: Vec<_> =
        shown.map(|(count, unit)| format!("{} {unit}", number(u128::from(*count)))).collect();
    words.join(" ")
}

/// A day of the report, `YYYY-MM-DD`.
pub(crate) fn day(text: &str, field: &'static str) -> Result<Date, Error> {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    Date::parse(text, format).map_err(|_| Error::Time { field, text: text.to_owned() })
}

/// A moment of the report, in Viet Nam's time.
pub(crate) fn moment(text: &str, field: &'static str) -> Result<OffsetDateTime, Error> {
    let wrong = || Error::Time { field, text: text.to_owned() };
    let zone = UtcOffset::from_hms(7, 0, 0).map_err(|_| wrong())?;
    let read = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| wrong())?;
    read.checked_to_offset(zone).ok_or_else(wrong)
}

/// 05/7/2026: days below 10 and the months January and February with a zero (Decree 30/2020/ND-CP, Annex I).
pub(crate) fn short_day(date: Date) -> String {
    format!("{}/{}/{}", day_of_month(date), month_of_year(date), date.year())
}

/// The day of a date as the decree writes it.
pub(crate) fn day_of_month(date: Date) -> String {
    format!("{:02}", date.day())
}

/// The month of a date as the decree writes it.
pub(crate) fn month_of_year(date: Date) -> String {
    match u8::from(date.month()) {
        month @ ..3 => format!("{month:02}"),
        month => month.to_string(),
    }
}

/// A moment: 08:30 ngày 05/7/2026.
pub(crate) fn short_moment(moment: OffsetDateTime) -> String {
    let (hour, minute) = (moment.hour(), moment.minute());
    format!("{hour:02}:{minute:02} ngày {}", short_day(moment.date()))
}

/// A month of the report, `YYYY-MM`, as 7/2026; whatever else it is, as it is.
pub(crate) fn month(text: &str) -> String {
    match text.split_once('-') {
        Some((year, month)) if year.len() == 4 && month.len() == 2 => {
            format!("{}/{year}", month.strip_prefix('0').unwrap_or(month))
        }
        Some(_) | None => text.to_owned(),
    }
}

/// Whole months: tháng 12/2025 - 5/2026.
pub(crate) fn months(of: &model::report::Months) -> String {
    format!("tháng {} - {}", month(&of.first), month(&of.last))
}

/// What a period is called, after `2026`, `2026-H1` or `2026-H2`.
pub(crate) fn period(name: &str) -> String {
    match name.split_once('-') {
        Some((year, "H1")) => format!("6 tháng đầu năm {year}"),
        Some((year, "H2")) => format!("6 tháng cuối năm {year}"),
        Some(_) => name.to_owned(),
        None => format!("năm {name}"),
    }
}

/// A citation of an article in Vietnamese: `Decision 1911/QD-TTg, Art. 1(1), 3(4)(a)` is "khoản 1 Điều 1, điểm a khoản 4 Điều 3
/// Quyết định 1911/QĐ-TTg". What is not of this form is left as it is.
pub(crate) fn citation(text: &str) -> String {
    cited(text).unwrap_or_else(|| text.to_owned())
}

fn cited(text: &str) -> Option<String> {
    const KINDS: [(&str, &str); 4] = [
        ("Decision ", "Quyết định "),
        ("Decree ", "Nghị định "),
        ("Circular ", "Thông tư "),
        ("Law ", "Luật "),
    ];
    let (kind, rest) =
        KINDS.iter().find_map(|(en, vi)| text.strip_prefix(en).map(|rest| (*vi, rest)))?;
    let (symbol, articles) = match rest.split_once(", Art. ") {
        Some((symbol, articles)) => (symbol, Some(articles)),
        None => (rest, None),
    };
    let symbol = symbol.replace("QD-", "QĐ-").replace("ND-CP", "NĐ-CP");
    if !symbol.chars().all(|c| c.is_alphanumeric() || matches!(c, '/' | '-')) {
        return None;
    }
    let Some(articles) = articles else { return Some(format!("{kind}{symbol}")) };
    let articles: Option<Vec<_>> = articles.split(", ").map(article).collect();
    Some(format!("{} {kind}{symbol}", articles?.join(", ")))
}

/// `3(4)(a)` is "điểm a khoản 4 Điều 3".
fn article(text: &str) -> Option<String> {
    let mut parts = text.split('(');
    let article = parts.next()?;
    if article.is_empty() || !article.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let mut cited = format!("Điều {article}");
    for part in parts {
        let part = part.strip_suffix(')')?;
        if part.chars().all(|c| c.is_ascii_digit()) {
            cited = format!("khoản {part} {cited}");
        } else {
            let letter = match part {
                "dd" => "đ",
                letter if letter.len() == 1 => letter,
                _ => return None,
            };
            cited = format!("điểm {letter} {cited}");
        }
    }
    Some(cited)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn numbers_are_written_as_in_viet_nam() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1.000"),
            (1_234_567, "1.234.567"),
            (12_345, "12.345"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(number(u128::from(u64::MAX)), "18.446.744.073.709.551.615");
        assert_eq!(milliseconds(12_345), "12,4");
        assert_eq!(milliseconds(0), "0,0");
    }

    #[test]
    fn shares_round_and_never_lie() {
        let cases = [
            (1, 8, 1, "12,5%"),
            (0, 8, 1, "0,0%"),
            (8, 8, 1, "100,0%"),
            (1, 100_000, 1, "<0,1%"),
            (99_999, 100_000, 1, ">99,9%"),
            (9_997, 10_000, 2, "99,97%"),
            (1, 3, 0, "33%"),
            (2, 3, 1, "66,7%"),
            (0, 0, 1, "–"),
        ];
        for (part, all, decimals, text) in cases {
            assert_eq!(percent(part, all, decimals), text);
        }
    }

    #[test]
    fn times_are_written_as_the_decree_says() {
        let date = day("2026-02-05", "x").unwrap();
        assert_eq!(short_day(date), "05/02/2026");
        assert_eq!(short_day(day("2026-12-15", "x").unwrap()), "15/12/2026");
        assert_eq!(short_day(day("2026-07-01", "x").unwrap()), "01/7/2026");
        let late = moment("2026-06-30T18:05:00Z", "x").unwrap();
        assert_eq!(short_moment(late), "01:05 ngày 01/7/2026");
        assert!(day("2026-13-01", "x").is_err() && moment("yesterday", "x").is_err());
        assert_eq!(month("2026-07"), "7/2026");
        assert_eq!(month("*"), "*");
        assert_eq!(period("2026-H1"), "6 tháng đầu năm 2026");
        assert_eq!(period("2026"), "năm 2026");
        assert_eq!(duration(0), "0 giây");
        assert_eq!(duration(61), "1 phút 1 giây");
        assert_eq!(duration(7_200), "2 giờ");
        assert_eq!(duration(90_061), "1 ngày 1 giờ");
    }

    #[test]
    fn citations_are_translated_or_left() {
        let cases = [
            (
                "Decision 1911/QD-TTg, Art. 1(1), 3(4)(a)",
                "khoản 1 Điều 1, điểm a khoản 4 Điều 3 Quyết định 1911/QĐ-TTg",
            ),
            ("Decree 70/2024/ND-CP, Art. 7(2)", "khoản 2 Điều 7 Nghị định 70/2024/NĐ-CP"),
            ("Decision 1911/QD-TTg, Art. 3(1)(dd)", "điểm đ khoản 1 Điều 3 Quyết định 1911/QĐ-TTg"),
            ("Law 26/2023/QH15", "Luật 26/2023/QH15"),
            ("Decree 1, Art. 3(1)(a) to (c)", "Decree 1, Art. 3(1)(a) to (c)"),
            ("anything #else", "anything #else"),
            ("", ""),
        ];
        for (text, vi) in cases {
            assert_eq!(citation(text), vi);
        }
    }
}
