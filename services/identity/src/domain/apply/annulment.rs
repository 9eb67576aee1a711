//! What must hold before a contribution counts as never made, and what goes with one that said which records are one.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Assertion, Says, is_annulled,
    item::NUMBERS,
    merge::{linked, survivor},
};

/// Whether `source` may annul an earlier contribution about a person, of whom `said` is everything that was said: it said
/// something by it that counts.
pub(crate) fn can_annul(source: &str, person_id: &str, said: &[Assertion], earlier: &str) -> bool {
    let own = |said: &Assertion| {
        said.person_id == person_id
            && said.provenance.contribution_id == earlier
            && said.provenance.source == source
    };
    said.iter().any(own) && !is_annulled(person_id, said, earlier)
}

/// What counts as never said along with `earlier`, where that undoes what made two records one (I5): each a person and a
/// contribution. `before` is everything that was said, and `after` has with it that `earlier` is annulled. It is what was said
/// since, while the two were one:
///
/// - decisions between two sources: each of the two has its own value again. Where sources still disagree about one of them,
///   that is decided anew;
/// - numbers that were set of somebody because of what was said of another one, from whom it is told apart now.
///
/// What this annuls is annulled by the same contribution, so that it counts again with an annulment of that.
pub(crate) fn goes_with(
    earlier: &str,
    before: &[Assertion],
    after: &[Assertion],
) -> BTreeSet<(String, String)> {
    let of = |said: &&Assertion| said.provenance.contribution_id == earlier;
    let Some(since) = before.iter().filter(of).map(|said| said.version).max() else {
        return BTreeSet::new();
    };
    let parted = parted(before, after);
    let mut later: BTreeMap<&str, Vec<&Assertion>> = BTreeMap::new();
    if !parted.is_empty() {
        for said in before.iter().filter(|said| said.version > since) {
            later.entry(&said.provenance.contribution_id).or_default().push(said);
        }
    }
    let mut with = BTreeSet::new();
    let is_aside = |said: &Assertion| said.says == Says::Annuls && !said.item.is_empty();
    let is_number =
        |said: &Assertion| said.says == Says::Holds && NUMBERS.contains(&said.item.as_str());
    for (id, all) in later {
        let Some(first) = all.iter().map(|said| said.version).min() else { continue };
        let decides = all.iter().any(|said| is_aside(said));
        if !decides && !all.iter().any(|said| is_number(said)) {
            continue;
        }
        let then: Vec<Assertion> =
            before.iter().filter(|said| said.version < first).cloned().collect();
        let one = |a: &str, b: &str| survivor(a, &then) == survivor(b, &then);
        let apart = |a: &str, b: &str| {
            survivor(a, before) == survivor(b, before) && survivor(a, after) != survivor(b, after)
        };
        // A decision is about one record.
        let of_both =
            parted.iter().any(|(a, b)| one(a, b) && all.iter().any(|s| one(&s.person_id, a)));
        let persons: BTreeSet<&str> = all.iter().map(|said| said.person_id.as_str()).collect();
        for person in &persons {
            let mut own = all.iter().filter(|said| said.person_id == *person);
            let set = own.all(|said| is_number(said));
            let because = || persons.iter().any(|other| one(person, other) && apart(person, other));
            if (decides && of_both) || (set && because()) {
                with.insert(((*person).to_owned(), id.to_owned()));
            }
        }
    }
    with
}

/// Pairs of whom it was said that they are one, who led to one record before, and to two now.
fn parted<'a>(before: &'a [Assertion], after: &[Assertion]) -> BTreeSet<(&'a str, &'a str)> {
    let links = before.iter().filter_map(|said| Some((said.person_id.as_str(), linked(said)?)));
    let parted = links.filter(|(one, other)| {
        survivor(one, before) == survivor(other, before)
            && survivor(one, after) != survivor(other, after)
    });
    parted.collect()
}
