//! Whoever may not be known of today was never taken for anybody (I7): what was said of the others, as if they had never been one.

use std::collections::{BTreeSet, HashSet};

use model::{Assertion, Says, Value, merge::linked};

/// What was said, without what was said of hidden persons and without what came of having been taken for one with them: that
/// they were one and that they are not, the number that a merge set, and whatever went with the split. That is what was decided
/// between two sources and what number was set while they were one; see `goes_with`. What was said of the others meanwhile stays,
/// and so does a number that a split set: it is theirs.
pub(crate) fn never_one(mut said: Vec<Assertion>, hidden: &HashSet<String>) -> Vec<Assertion> {
    if hidden.is_empty() {
        return said;
    }
    let links = |said: &&Assertion| {
        linked(said)
            .is_some_and(|other| hidden.contains(other) || hidden.contains(said.person_id.as_str()))
    };
    let merges: BTreeSet<String> = said.iter().filter(links).map(of).collect();
    // What annuls a merge, what annuls that, and so on: whichever of them told the two apart annulled more than it was about.
    let mut about = merges.clone();
    loop {
        let more = said.iter().filter(|said| annuls(said).is_some_and(|id| about.contains(id)));
        let more: Vec<String> = more.map(of).filter(|id| !about.contains(id)).collect();
        if more.is_empty() {
            break;
        }
        about.extend(more);
    }
    let with = said.iter().filter(|said| about.contains(&said.provenance.contribution_id));
    let with = with.filter_map(|said| Some((said.person_id.clone(), annuls(said)?.to_owned())));
    let with: BTreeSet<_> = with.filter(|(_, id)| !about.contains(id)).collect();
    said.retain(|said| {
        let id = of(said);
        let undone = annuls(said).is_some() && about.contains(&id);
        let gone = undone || merges.contains(&id) || hidden.contains(&said.person_id);
        !gone && !with.contains(&(said.person_id.clone(), id))
    });
    said
}

/// The contribution by which something was said.
fn of(said: &Assertion) -> String {
    said.provenance.contribution_id.clone()
}

/// The contribution of which it says that it counts as never made.
pub(crate) fn annuls(said: &Assertion) -> Option<&str> {
    let Value::Text(id) = &said.value else { return None };
    (said.says == Says::Annuls && said.item.is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use model::{Provenance, merge};

    use super::*;

    fn said(person: &str, item: &str, contribution: &str, text: &str, says: Says) -> Assertion {
        Assertion {
            person_id: person.into(),
            item: item.into(),
            value: Value::Text(text.into()),
            provenance: Provenance {
                source: "s".into(),
                contribution_id: contribution.into(),
                valid_from: None,
                known_at_us: 1,
            },
            version: 1,
            says,
            event: None,
        }
    }

    /// `h` was merged into `p`, told apart, made one again and told apart for good; `q` is one with `p` still.
    fn history() -> Vec<Assertion> {
        use Says::{Annuls, Holds};
        vec![
            said("p", "blood_type", "c-1", "A", Holds),
            said("h", "blood_type", "c-2", "B", Holds),
            said("h", merge::MERGED_INTO, "m-1", "p", Holds),
            said("p", merge::MERGED_FROM, "m-1", "h", Holds),
            said("p", "personal_id_number", "m-1", "2", Holds),
            said("p", "blood_type", "d-1", "c-1", Annuls),
            said("h", "sex", "c-3", "1", Holds),
            said("p", "personal_id_number", "c-3", "3", Holds),
            said("p", "", "s-1", "m-1", Annuls),
            said("h", "", "s-1", "m-1", Annuls),
            said("p", "", "s-1", "d-1", Annuls),
            said("p", "", "s-1", "c-3", Annuls),
            said("p", "personal_id_number", "s-1", "4", Holds),
            said("p", "", "a-1", "s-1", Annuls),
            said("p", "blood_type", "d-2", "c-1", Annuls),
            said("p", "", "a-2", "a-1", Annuls),
            said("p", "", "a-2", "d-2", Annuls),
            said("q", merge::MERGED_INTO, "m-2", "p", Holds),
            said("p", merge::MERGED_FROM, "m-2", "q", Holds),
            said("p", "blood_type", "d-3", "c-1", Annuls),
            said("q", "sex", "c-4", "1", Holds),
        ]
    }

    #[test]
    fn i7_of_whoever_was_one_with_somebody_hidden_nothing_is_left_of_that() {
        let left = never_one(history(), &HashSet::from(["h".to_owned()]));
        let left: Vec<(&str, &str, &str)> = left
            .iter()
            .map(|said| (&*said.person_id, &*said.item, &*said.provenance.contribution_id))
            .collect();
        assert_eq!(
            left,
            [
                ("p", "blood_type", "c-1"),
                ("p", "personal_id_number", "s-1"),
                ("q", "merged_into", "m-2"),
                ("p", "merged_from", "m-2"),
                ("p", "blood_type", "d-3"),
                ("q", "sex", "c-4"),
            ]
        );
    }

    #[test]
    fn where_nobody_is_hidden_everything_stays() {
        assert!(never_one(history(), &HashSet::new()) == history());
        // Of whom nothing is said nothing is left out.
        assert!(never_one(history(), &HashSet::from(["x".to_owned()])) == history());
    }
}
