//! Which source wins for an item: dated rules, as data. Where the electronic data differ from the book that an event was
//! entered in, they are put right by the book (Law 60/2014/QH13, Art. 60(2)), so whose book it is goes first.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::{Date, macros::format_description};

use crate::item::TOLD_APART;

time::serde::format_description!(day, Date, "[year]-[month]-[day]");

/// The rule of one item, in force from a day on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityRule {
    /// The item.
    pub item: String,
    /// Ids of databases: the first one wins over the others, and each of them over whoever is not named.
    pub sources: Vec<String>,
    /// First day; none while it is not known.
    #[serde(default, with = "day::option")]
    pub effective_from: Option<Date>,
    /// First day on which it no longer holds; none while it is not known.
    #[serde(default, with = "day::option")]
    pub effective_to: Option<Date>,
    /// The text that says so, as cited.
    pub basis: String,
}

/// What keeps rules from being used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The file cannot be read.
    #[error("the rules of authority are malformed")]
    Malformed(#[from] toml::de::Error),
    /// A rule has no source, or one twice, or ends before it begins, or has no text.
    #[error("the rule of authority of `{0}` is incomplete")]
    Incomplete(String),
    /// Two rules of one item are in force on one day.
    #[error("two rules of authority of `{0}` are in force on one day")]
    Overlapping(String),
}

/// Every rule, as one version of the data. `several` names the items of which a record holds several values at once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    version: u32,
    #[serde(default)]
    several: BTreeSet<String>,
    #[serde(rename = "rule")]
    rules: Vec<AuthorityRule>,
}

impl Authority {
    /// Reads rules.
    ///
    /// # Errors
    /// See [`AuthorityError`].
    pub fn parse(text: &str) -> Result<Self, AuthorityError> {
        let all: Self = toml::from_str(text)?;
        let mut of_item: BTreeMap<&str, Vec<&AuthorityRule>> = BTreeMap::new();
        for rule in &all.rules {
            let sources: BTreeSet<&String> = rule.sources.iter().collect();
            let ends = rule.effective_to.is_none_or(|end| rule.effective_from < Some(end));
            if sources.len() != rule.sources.len() || sources.is_empty() || !ends {
                return Err(AuthorityError::Incomplete(rule.item.clone()));
            }
            if rule.basis.trim().is_empty() {
                return Err(AuthorityError::Incomplete(rule.item.clone()));
            }
            of_item.entry(&rule.item).or_default().push(rule);
        }
        for (item, mut rules) in of_item {
            rules.sort_by_key(|rule| rule.effective_from);
            let apart = |two: &[&AuthorityRule]| match two {
                [earlier, later] => {
                    earlier.effective_to.is_some_and(|end| Some(end) <= later.effective_from)
                }
                _ => true,
            };
            if !rules.windows(2).all(apart) {
                return Err(AuthorityError::Overlapping(item.to_owned()));
            }
        }
        Ok(all)
    }

    /// The rules in force on a day.
    #[must_use]
    pub fn in_force(&self, day: Date) -> AuthorityInForce {
        let days = self.rules.iter().flat_map(|rule| [rule.effective_from, rule.effective_to]);
        let since = days.flatten().filter(|turn| *turn <= day).max();
        let holds = |rule: &&AuthorityRule| {
            rule.effective_from <= Some(day) && rule.effective_to.is_none_or(|end| day < end)
        };
        let rules = self.rules.iter().filter(holds).map(|rule| (rule.item.clone(), rule.clone()));
        let written =
            since.and_then(|day| day.format(format_description!("[year]-[month]-[day]")).ok());
        AuthorityInForce {
            id: format!("{}/{}", self.version, written.unwrap_or_default()),
            rules: rules.collect(),
            several: self.several.clone(),
        }
    }

    /// The rules of an id that [`AuthorityInForce::id`] gave; none when they are of another version of the data.
    #[must_use]
    pub fn of_id(&self, id: &str) -> Option<AuthorityInForce> {
        let (_, day) = id.split_once('/')?;
        let day =
            Date::parse(day, format_description!("[year]-[month]-[day]")).unwrap_or(Date::MIN);
        Some(self.in_force(day)).filter(|rules| rules.id == id)
    }
}

/// The rules that are in force on one day; without any, all sources are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct AuthorityInForce {
    id: String,
    rules: BTreeMap<String, AuthorityRule>,
    /// The items of which a record holds several values at once, told apart by what they are; relatives always are.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    several: BTreeSet<String>,
}

impl AuthorityInForce {
    /// What names them: the version of the data and the day since which they are in force; empty where there are none.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Rules by which all sources are equal, and values are told apart as by the shipped ones.
    #[must_use]
    pub fn equal() -> Self {
        let several = TOLD_APART.map(str::to_owned).into();
        Self { several, ..Self::default() }
    }

    /// The same, but that all sources are equal.
    #[must_use]
    pub fn without_order(&self) -> Self {
        Self { several: self.several.clone(), ..Self::default() }
    }

    /// Whether a record holds several values of an item at once.
    #[must_use]
    pub fn tells_apart(&self, item: &str) -> bool {
        self.several.contains(item)
    }

    /// Their order among all there ever were: of the higher version of the data, and of the later day.
    #[must_use]
    pub fn order(&self) -> (u32, &str) {
        Self::order_of(&self.id)
    }

    /// The order of rules with an id.
    #[must_use]
    pub fn order_of(id: &str) -> (u32, &str) {
        let (version, day) = id.split_once('/').unwrap_or_default();
        (version.parse().unwrap_or_default(), day)
    }

    /// The rule of an item.
    #[must_use]
    pub fn rule(&self, item: &str) -> Option<&AuthorityRule> {
        self.rules.get(item)
    }

    /// The place of a source for an item: the lowest wins, and whoever is not named comes last.
    #[must_use]
    pub fn rank(&self, item: &str, source: &str) -> usize {
        let place = |rule: &AuthorityRule| rule.sources.iter().position(|named| named == source);
        self.rule(item).and_then(place).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use time::macros::date;

    use super::*;

    const RULES: &str = r#"
version = 3

[[rule]]
item = "sex"
sources = ["civil-status", "citizen-id"]
effective_from = "2016-01-01"
effective_to = "2024-07-01"
basis = "Law A"

[[rule]]
item = "sex"
sources = ["citizen-id"]
effective_from = "2024-07-01"
basis = "Law B"

[[rule]]
item = "blood_type"
sources = ["medical"]
effective_from = "2024-07-01"
basis = "Law B"
"#;

    #[test]
    fn the_rule_in_force_on_the_day_says_who_wins() {
        let all = Authority::parse(RULES).unwrap();
        let before = all.in_force(date!(2024 - 06 - 30));
        let after = all.in_force(date!(2024 - 07 - 01));
        assert!(before.rank("sex", "civil-status") < before.rank("sex", "citizen-id"));
        assert!(after.rank("sex", "citizen-id") < after.rank("sex", "civil-status"));
        assert_eq!(after.rank("sex", "civil-status"), after.rank("sex", "medical"));
        assert_eq!(before.rule("blood_type"), None);
        assert_eq!(after.rule("blood_type").unwrap().basis, "Law B");
        assert_eq!(all.in_force(date!(2015 - 01 - 01)).rule("sex"), None);
    }

    #[test]
    fn rules_are_named_by_their_version_and_day_and_found_by_that_name() {
        let all = Authority::parse(RULES).unwrap();
        let days = [date!(2015 - 01 - 01), date!(2016 - 01 - 01), date!(2026 - 11 - 25)];
        let names: Vec<String> =
            days.iter().map(|day| all.in_force(*day).id().to_owned()).collect();
        assert_eq!(names, ["3/", "3/2016-01-01", "3/2024-07-01"]);
        for name in &names {
            assert_eq!(all.of_id(name).unwrap().id(), name);
        }
        let order = |id| AuthorityInForce::order_of(id);
        assert!(order("") < order("3/") && order("3/") < order("3/2016-01-01"));
        assert!(order("3/2024-07-01") < order("10/2016-01-01"));
        for other in ["", "2/2016-01-01", "3/2016-01-02", "3/x"] {
            assert_eq!(all.of_id(other), None, "{other}");
        }
    }

    #[test]
    fn rules_that_say_not_what_they_must_are_refused() {
        for (from, to) in [
            ("sources = [\"medical\"]", "sources = []"),
            ("sources = [\"medical\"]", "sources = [\"medical\", \"medical\"]"),
            ("effective_to = \"2024-07-01\"", "effective_to = \"2016-01-01\""),
            ("effective_from = \"2024-07-01\"\nbasis = \"Law B\"", "basis = \"Law B\""),
            ("effective_to = \"2024-07-01\"", "effective_to = \"2024-07-02\""),
            ("effective_to = \"2024-07-01\"\n", ""),
            ("basis = \"Law A\"", "basis = \" \""),
            ("basis = \"Law A\"", ""),
            ("version = 3", ""),
        ] {
            assert!(RULES.contains(from));
            assert!(Authority::parse(&RULES.replacen(from, to, 1)).is_err(), "{to}");
        }
    }
}
