//! What must hold before a contribution counts as never made.

use model::{Assertion, GoldenRecord, is_annulled};

use super::{Reason, Rejection};

/// Checks that `source` may annul an earlier contribution about a person, of whom `said` is everything that was said. A
/// version is expected where it is not 0.
pub(crate) fn check_annulment(
    source: &str,
    expected_version: u64,
    record: &GoldenRecord,
    said: &[Assertion],
    earlier: &str,
) -> Vec<Rejection> {
    let mut reasons = Vec::new();
    let mut reject = |reason| reasons.push(Rejection::of("", reason));
    let own = |said: &&Assertion| {
        said.provenance.contribution_id == earlier && said.provenance.source == source
    };
    if !said.iter().any(|said| own(&said)) || is_annulled(&record.person_id, said, earlier) {
        reject(Reason::NothingToAnnul);
    }
    if ![0, record.version].contains(&expected_version) {
        reject(Reason::VersionChanged);
    }
    reasons
}
