//! What is decided about: a request that was checked for form at the edge.

use super::rules::Act;
use model::EventKind;

/// A request without faults, as far as a decision needs it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The caller's agency and system.
    pub(crate) caller: (String, String),
    /// What it wants to do.
    pub(crate) act: Act,
    /// The kind of event that it contributes; none where items are obtained.
    pub(crate) event: Option<EventKind>,
    /// The procedure or task.
    pub(crate) procedure: String,
    /// Id of the legal ground.
    pub(crate) legal_basis: String,
    /// Whether it names a direction.
    pub(crate) direction: bool,
    /// What a signed agreement may demand of it; none where it is only asked what would be decided, by whoever the agreement
    /// serves.
    pub(crate) by: Option<By>,
    /// The items, distinct, in their order.
    pub(crate) items: Vec<String>,
}

/// By what, and for whom, something is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct By {
    /// The direction that it names, or empty.
    pub(crate) direction: String,
    /// Electronic identifier of the unit that acts; empty where it is not known.
    pub(crate) acting_unit: String,
    /// Thumbprint of the caller's key, in hexadecimal; none where it is not known.
    pub(crate) key: Option<String>,
}

/// Agency and system of a caller: `spiffe://<trust-domain>/agency/<agency>/system/<system>`, and no
/// other kind of caller. The trust domain was checked with the certificate.
pub(crate) fn agency_and_system(spiffe_id: &str) -> Option<(&str, &str)> {
    let mut parts = spiffe_id.strip_prefix("spiffe://")?.split('/');
    let mut next = || parts.next().filter(|part| is_segment(part));
    let found = match (next()?, next()?, next()?, next()?, next()?) {
        (_, "agency", agency, "system", system) => (agency, system),
        _ => return None,
    };
    parts.next().is_none().then_some(found)
}

/// Whether a text can be a part of a SPIFFE id's path.
pub(crate) fn is_segment(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    !text.is_empty() && text.bytes().all(allowed) && text != "." && text != ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_systems_of_agencies_are_callers() {
        let good = "spiffe://lienthong.test/agency/G03/system/hi";
        assert_eq!(agency_and_system(good), Some(("G03", "hi")));
        for bad in [
            "",
            "G03",
            "https://lienthong.test/agency/G03/system/hi",
            "spiffe:///agency/G03/system/hi",
            "spiffe://lienthong.test/service/identity",
            "spiffe://lienthong.test/agency/G03/system/",
            "spiffe://lienthong.test/agency/G03/system/hi/x",
            "spiffe://lienthong.test/agency/G03/system/..",
            "spiffe://lienthong.test/agency/G03/system/%2e",
        ] {
            assert_eq!(agency_and_system(bad), None, "{bad}");
        }
    }
}
