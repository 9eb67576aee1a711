//! Revisions of the registry, and what whoever keeps decisions has to be told of them.

/// Revisions that are kept, without a gap, for callers that go on from one of them. They do so within seconds; where more than
/// these are written meanwhile, they begin anew.
pub(crate) const KEPT: u64 = 1_000;
/// Revisions that are looked at for one message. Whoever is further behind begins anew.
pub(crate) const BEHIND_MAX: u64 = 100;

/// The newest revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Newest {
    /// Its number; 0 while there is none.
    pub(crate) number: u64,
    /// Digest of the registry.
    pub(crate) digest: String,
    /// The rule set in force.
    pub(crate) rules: Ruling,
}

/// Which rule set decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ruling {
    /// Its number; 0 for the one that comes with the program.
    pub(crate) number: u64,
    /// Digest of its bytes, in hexadecimal; empty for that one.
    pub(crate) digest: String,
}

/// A revision that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Revision {
    /// Its number.
    pub(crate) number: u64,
    /// Digest of the registry.
    pub(crate) digest: String,
    /// Whether it counts as touching every connection.
    pub(crate) everything: bool,
    /// The connections that it touches, where it does not.
    pub(crate) connections: Vec<String>,
}

/// What was touched since a revision that somebody was told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    /// These connections.
    These(Vec<String>),
    /// Every one.
    Everything,
    /// That revision is none of this database: it was set back, or is another one.
    OtherHistory,
}

impl Touched {
    /// What is to be told to whoever was told of `told`, when `kept` are the revisions from that one to `newest` that are kept.
    /// At most `most` connections are named.
    pub(crate) fn since(told: &Newest, newest: &Newest, kept: &[Revision], most: usize) -> Self {
        if told.number == 0 {
            return Self::Everything;
        }
        if told.number > newest.number {
            return Self::OtherHistory;
        }
        let own = kept.iter().find(|revision| revision.number == told.number);
        if own.is_some_and(|own| own.digest != told.digest) {
            return Self::OtherHistory;
        }
        if own.is_none() && newest.number - told.number < KEPT && !kept.is_empty() {
            return Self::OtherHistory;
        }
        let after = || kept.iter().filter(|revision| revision.number > told.number);
        let numbers = after().map(|revision| revision.number);
        let whole = own.is_some() && numbers.eq(told.number + 1..=newest.number);
        let mut all: Vec<String> =
            after().flat_map(|revision| revision.connections.clone()).collect();
        all.sort_unstable();
        all.dedup();
        if !whole || after().any(|revision| revision.everything) || all.len() > most {
            return Self::Everything;
        }
        Self::These(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(number: u64) -> Newest {
        Newest { number, digest: format!("d{number}"), rules: Ruling::default() }
    }

    fn revision(number: u64, connections: &[&str]) -> Revision {
        Revision {
            number,
            digest: format!("d{number}"),
            everything: false,
            connections: connections.iter().map(|&c| c.to_owned()).collect(),
        }
    }

    /// Whoever goes on from its revision is told of everything that was touched since, or that it has to begin anew.
    #[test]
    fn i2_nothing_that_was_touched_is_left_out() {
        let kept = [revision(7, &["x"]), revision(8, &["b", "a"]), revision(9, &["a"])];
        let since =
            |told: Newest, to, kept: &[Revision]| Touched::since(&told, &newest(to), kept, 2);
        let these = |c: &[&str]| Touched::These(c.iter().map(|&c| c.to_owned()).collect());
        assert_eq!(since(newest(7), 9, &kept), these(&["a", "b"]));
        assert_eq!(since(newest(8), 9, &kept), these(&["a"]));
        assert_eq!(since(newest(9), 9, &kept), these(&[]));
        assert_eq!(since(Newest::default(), 9, &kept), Touched::Everything, "it begins");
        let long_ago = since(newest(7), 7 + KEPT, &kept[2..]);
        assert_eq!(long_ago, Touched::Everything, "its own is not kept any more");
        assert_eq!(since(newest(7), 10, &kept), Touched::Everything, "the newest was not read");
        let gap = [kept[0].clone(), kept[2].clone()];
        assert_eq!(since(newest(7), 9, &gap), Touched::Everything, "one is missing");
        let many = [kept[0].clone(), revision(8, &["a", "b", "c"])];
        assert_eq!(since(newest(7), 8, &many), Touched::Everything, "too many to name");
        let all = [kept[0].clone(), Revision { everything: true, ..revision(8, &[]) }];
        assert_eq!(since(newest(7), 8, &all), Touched::Everything);
        // What was said of its own revision before does not touch it again.
        let own = [Revision { everything: true, ..kept[0].clone() }, kept[1].clone()];
        assert_eq!(since(newest(7), 8, &own), these(&["a", "b"]));
    }

    #[test]
    fn i9_a_database_that_was_set_back_is_not_gone_on_with() {
        let kept = [revision(7, &["x"]), revision(8, &["a"])];
        assert_eq!(Touched::since(&newest(9), &newest(8), &kept, 2), Touched::OtherHistory);
        let other = Newest { number: 7, digest: "other".to_owned(), rules: Ruling::default() };
        assert_eq!(Touched::since(&other, &newest(8), &kept, 2), Touched::OtherHistory);
        // It would be kept if it were of this history.
        assert_eq!(Touched::since(&newest(6), &newest(8), &kept, 2), Touched::OtherHistory);
    }
}
