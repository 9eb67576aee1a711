#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;
use time::{Duration, macros::date};

use super::{
    obstacle::{Facts, Obstacle, proposing, saying},
    *,
};

const FIRST: Date = date!(2026 - 01 - 01);

fn party(role: Role, agency: &str) -> Party {
    let units = vec![format!("{agency}.1")];
    Party { role, agency: agency.to_owned(), keys: Vec::new(), units }
}

fn grant(days: [i64; 2]) -> Granted {
    let [from, to] = days.map(|day| FIRST + Duration::days(day));
    Granted {
        action: Act::Obtain,
        procedure: "p".to_owned(),
        legal_basis: "b".to_owned(),
        items: vec!["sex".to_owned()],
        obligations: Vec::new(),
        valid_from: from,
        valid_to: to,
        terms: Terms::default(),
    }
}

fn content(id: &str, days: [i64; 2]) -> Content {
    let [valid_from, valid_to] = days.map(|day| FIRST + Duration::days(day));
    Content {
        id: id.to_owned(),
        connection: "c".to_owned(),
        renews: String::new(),
        valid_from,
        valid_to,
        parties: vec![party(Role::Provider, "p"), party(Role::Consumer, "k")],
        signed_requests: false,
        delegations: Vec::new(),
        grants: vec![grant(days)],
    }
}

fn made(step: Step) -> Move {
    Move { by: "o".to_owned(), at_us: 0, step }
}

fn says(agency: &str, says: Says) -> Step {
    Step::Sign { agency: agency.to_owned(), signer: String::new(), says }
}

fn agreed(content: Content) -> Agreement {
    let steps =
        [Step::Propose(content, "d".to_owned()), says("p", Says::Accept), says("k", Says::Accept)];
    Agreement::of(&steps.map(made)).unwrap()
}

fn facts(others: &[Agreement]) -> Facts<'_> {
    Facts { agency: Some("k"), of_file: false, others, officer: true, day: FIRST }
}

#[test]
fn what_is_signed_is_three_lines() {
    let digest = "0".repeat(64);
    let bytes = String::from_utf8(Says::Revoke.signed_bytes(&digest)).unwrap();
    assert_eq!(bytes, format!("lienthong.gov.vn/agreement/v1\nrevoke\n{digest}\n"));
}

proptest! {
    /// Whatever parties say in whatever order: it counts exactly where all accepted and nobody ever said otherwise, and what may
    /// not be said changes nothing.
    #[test]
    fn i2_it_counts_only_while_every_party_accepts(
        said in proptest::collection::vec((0_usize..2, 0_usize..3), 0..12),
    ) {
        let mut agreement =
            Agreement::after(None, &made(Step::Propose(content("a", [0, 9]), String::new()))).unwrap();
        let (mut accepted, mut closed) = ([false; 2], false);
        for (who, what) in said {
            let agency = ["p", "k"][who];
            let step = says(agency, [Says::Accept, Says::Reject, Says::Revoke][what]);
            let whole = accepted == [true; 2];
            let may = !closed && match what {
                0 => !accepted[who],
                1 => !whole,
                _ => whole,
            };
            let found = saying(&agreement, &step, facts(&[]));
            prop_assert_eq!(found.is_empty(), may, "{:?}", found);
            if may {
                agreement = Agreement::after(Some(agreement), &made(step)).unwrap();
                if what == 0 { accepted[who] = true } else { closed = true }
            }
            prop_assert_eq!(agreement.counts(), accepted == [true; 2] && !closed);
        }
    }

    /// Two agreements stand beside each other exactly where no day has both, and what renews another ends it on its first day.
    #[test]
    fn no_day_has_two_grants_of_one_thing(from in 0_i64..20, long in 1_i64..20, renews: bool) {
        let other = agreed(content("a", [5, 15]));
        let renewed = if renews { "a".to_owned() } else { String::new() };
        let new = Content { renews: renewed, ..content("b", [from, from + long]) };
        let found = proposing(None, &new, Facts { day: FIRST, ..facts(std::slice::from_ref(&other)) });
        let end = if renews { from.min(15) } else { 15 };
        let both = (5..end).any(|day| (from..from + long).contains(&day));
        prop_assert_eq!(found.iter().any(|(what, _)| *what == Obstacle::Overlaps), both);
    }
}

#[test]
fn delegations_lead_to_the_consumer_or_nowhere() {
    let of = |delegations: &[(&str, &str)]| {
        let mut content = content("a", [0, 9]);
        content.parties.extend(["x", "y"].map(|agency| party(Role::Delegator, agency)));
        let owned = |(from, to): &(&str, &str)| ((*from).to_owned(), (*to).to_owned());
        content.delegations = delegations.iter().map(owned).collect();
        content
    };
    let chain = of(&[("x", "y"), ("y", "k")]);
    assert_eq!(chain.acts_for().unwrap(), BTreeSet::from(["k", "x", "y"]));
    assert_eq!(chain.units(), BTreeSet::from(["k.1", "x.1", "y.1"]));
    assert_eq!(of(&[("x", "k")]).units(), BTreeSet::from(["k.1", "x.1"]));
    for astray in [&[("x", "y"), ("y", "x")][..], &[("x", "x")], &[("x", "p"), ("y", "k")]] {
        assert!(of(astray).acts_for().is_err(), "{astray:?}");
        assert!(of(astray).units().is_empty());
    }
}

#[test]
fn a_renewal_is_one_of_what_counts_and_once() {
    let (first, day) = (agreed(content("a", [0, 9])), FIRST + Duration::days(3));
    let renewal = Content { renews: "a".to_owned(), ..content("b", [3, 20]) };
    let found = |others: &[Agreement]| proposing(None, &renewal, facts(others));
    assert!(found(std::slice::from_ref(&first)).is_empty());
    let nothing = (Obstacle::NothingToRenew, "a".to_owned());
    assert_eq!(found(&[]), vec![nothing.clone()]);
    let mut closed = first.clone();
    closed.closed = Some(("k".to_owned(), Says::Revoke));
    assert_eq!(found(&[closed]), vec![nothing.clone()]);
    let second = agreed(Content { renews: "a".to_owned(), ..content("x", [4, 5]) });
    assert!(found(&[first.clone(), second]).contains(&nothing));
    // It ends what it renews, also after it was revoked itself.
    assert_eq!(first.state(day, Some(day)), State::Ended);
    assert_eq!(first.state(FIRST, Some(day)), State::InForce);
    let mut renewed = agreed(renewal);
    renewed.closed = Some(("k".to_owned(), Says::Revoke));
    assert_eq!(facts(&[renewed]).renewed("a"), Some(day));
}

/// What was agreed before there was this word is written as it was, and demands nothing.
#[test]
fn what_was_stored_before_requests_were_signed_is_as_it_was() {
    let terms = r#"{"direction":"","units":["k.1"],"keys":[]}"#;
    let read: Terms = serde_json::from_str(terms).unwrap();
    assert!(!read.signed_requests);
    assert_eq!(serde_json::to_string(&read).unwrap(), terms);
    let demanding = Terms { signed_requests: true, ..read };
    let written = serde_json::to_string(&demanding).unwrap();
    assert_eq!(serde_json::from_str::<Terms>(&written).unwrap(), demanding);
    let before = serde_json::to_value(content("a", [0, 9])).unwrap();
    assert!(before.get("signed_requests").is_none());
    assert_eq!(serde_json::from_value::<Content>(before).unwrap(), content("a", [0, 9]));
}
