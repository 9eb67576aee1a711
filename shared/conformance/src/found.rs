//! What a case finds.

use serde::Serialize;

use crate::wire::NoAnswer;

/// Words for persons, in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Words {
    /// In Vietnamese.
    pub vi: String,
    /// In English.
    pub en: String,
}

impl Words {
    pub(crate) fn new(vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self { vi: vi.into(), en: en.into() }
    }
}

impl std::fmt::Display for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} / {}", self.vi, self.en)
    }
}

/// Something that is not as the rule says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What the kit did.
    pub tried: String,
    /// What the rule wants.
    pub expected: String,
    /// What came instead. It repeats no value of the database.
    pub seen: String,
}

/// Why a case could not be tried, and what to give so that it can be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Why.
    pub reason: Words,
    /// What to give.
    pub give: Words,
}

/// Why a case ends before its end.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It failed, and the rest of it makes no sense.
    Failed(Finding),
    /// It cannot be tried.
    NotTried(Missing),
}

/// How a step of a case ends.
pub(crate) type Tried<T = ()> = Result<T, Trouble>;

/// What a case found so far.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) findings: Vec<Finding>,
    pub(crate) remarks: Vec<Words>,
}

/// Of one case; what is wrong is mostly wrong everywhere.
const FINDINGS_MAX: usize = 8;

impl Found {
    /// Notes something that is not as the rule says; the case goes on.
    pub(crate) fn fail(
        &mut self,
        tried: impl Into<String>,
        expected: impl Into<String>,
        seen: impl Into<String>,
    ) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding(tried, expected, seen));
        }
    }

    /// The same, unless it is as it should be.
    pub(crate) fn check(
        &mut self,
        holds: bool,
        tried: impl Into<String>,
        expected: impl Into<String>,
        seen: impl Into<String>,
    ) {
        if !holds {
            self.fail(tried, expected, seen);
        }
    }

    /// Notes something to be known, which fails nothing.
    pub(crate) fn remark(&mut self, vi: impl Into<String>, en: impl Into<String>) {
        self.remarks.push(Words::new(vi, en));
    }
}

fn finding(
    tried: impl Into<String>,
    expected: impl Into<String>,
    seen: impl Into<String>,
) -> Finding {
    Finding { tried: tried.into(), expected: expected.into(), seen: masked(&seen.into()) }
}

/// The end of a case that failed.
pub(crate) fn failed(
    tried: impl Into<String>,
    expected: impl Into<String>,
    seen: impl Into<String>,
) -> Trouble {
    Trouble::Failed(finding(tried, expected, seen))
}

/// The end of a case of which no answer came where one had to come.
pub(crate) fn no_answer(tried: &str, error: &NoAnswer) -> Trouble {
    failed(tried, "an answer", error.to_string())
}

/// The end of a case that cannot be tried.
pub(crate) fn not_tried(
    reason: (impl Into<String>, impl Into<String>),
    give: (impl Into<String>, impl Into<String>),
) -> Trouble {
    let missing =
        Missing { reason: Words::new(reason.0, reason.1), give: Words::new(give.0, give.1) };
    Trouble::NotTried(missing)
}

/// The end of a case that tried everything but a limit of the description, because one more does not fit into a request.
pub(crate) fn beyond_a_request(limit: &str, more: usize) -> Trouble {
    not_tried(
        (
            format!("{more} không vừa một yêu cầu 4 MiB, nên không thử được `{limit}`"),
            format!("{more} do not fit into a request of 4 MiB: `{limit}` cannot be passed"),
        ),
        (
            format!("`{limit}` nhỏ hơn trong môi trường thử"),
            format!("a smaller `{limit}` where it is tried"),
        ),
    )
}

/// A text that a database wrote, without what could be a number of a person and without its length.
pub(crate) fn masked(text: &str) -> String {
    const DIGITS: usize = 9;
    const CHARS_MAX: usize = 400;
    let mut out = String::new();
    let mut run = String::new();
    for c in text.chars().take(CHARS_MAX).chain(std::iter::once('\0')) {
        if c.is_ascii_digit() {
            run.push(c);
            continue;
        }
        out += if run.len() >= DIGITS { "[digits]" } else { &run };
        run.clear();
        if !c.is_control() {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_a_number_of_a_person_is_left_out() {
        assert_eq!(masked("a 990326680942b 12345678 c"), "a [digits]b 12345678 c");
        assert_eq!(masked("123456789"), "[digits]");
        assert_eq!(masked("x\u{1b}[31m"), "x[31m");
        assert_eq!(masked(&"x".repeat(1000)).len(), 400);
    }
}
