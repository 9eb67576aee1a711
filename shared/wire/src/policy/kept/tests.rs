//! What may be used, by both clocks and by what was told.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use contract::r#type::v1::ErrorReason;
use decide::{DecisionTable, ItemDecision, ItemEffect, TableAnswer};
use proptest::prelude::*;

use super::*;
use crate::policy::{ClaimsRule, Denial};

const CALLER: &str = "spiffe://t/agency/A/system/s";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn basis() -> AccessBasis {
    AccessBasis { procedure: "p".into(), legal_basis: "l".into(), ..AccessBasis::default() }
}

fn items() -> Vec<String> {
    vec!["sex".to_owned()]
}

fn decision(connection: &str, number: u64, ends: OffsetDateTime) -> Arc<Decision> {
    let item = ItemDecision {
        item: "sex".into(),
        effect: ItemEffect::Allowed,
        rule: String::new(),
        legal_basis: String::new(),
        article: String::new(),
        obligations: Vec::new(),
    };
    let answer = TableAnswer { visible: true, items: vec![item] };
    Arc::new(Decision {
        volume: None,
        id: "d".into(),
        revision: format!("r{number}"),
        number: Some(number),
        connection: connection.into(),
        database: String::new(),
        agreement: String::new(),
        claims: ClaimsRule::default(),
        valid_until: ends,
        purpose: String::new(),
        sealed_days: 0,
        signed_requests: false,
        verdict: Ok(DecisionTable::new(Vec::new(), vec![0], vec![answer]).unwrap()),
    })
}

/// A time that a test turns: both clocks, each by itself.
struct World {
    kept: Kept,
    now: Now,
    asked_for: Instant,
}

impl World {
    /// A stream is open that told of revision 5, at once.
    fn new() -> Self {
        let clock = OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000);
        let now = Now { at: Instant::now(), clock };
        let mut world = Self { kept: Kept::default(), now, asked_for: now.at };
        world.hear(Message { everything: true, ..told(5) }).unwrap();
        world
    }

    /// Time goes on.
    fn pass(&mut self, by: Duration) {
        self.now = Now { at: self.now.at + by, clock: self.now.clock + by };
    }

    /// A message about a look of this moment.
    fn hear(&mut self, message: Message) -> Result<(), NotHeard> {
        let looked = self.now.at - self.asked_for;
        self.kept.hear(self.asked_for, Message { looked, ..message }, false, self.now.at)
    }

    /// An answer comes at once.
    fn judge(&mut self, number: u64) -> Judged {
        let before = self.kept.before(self.now);
        self.kept.judge(before, Some(number), self.now.at)
    }

    fn keep(&mut self, caller: &str, connection: &str, number: u64) {
        let decision = decision(connection, number, self.now.clock + ms(60_000));
        let asked = Asked::new(None, Act::Obtain, &basis(), &items());
        let before = self.kept.before(self.now);
        let judged = self.kept.take_in(caller, asked, &decision, before, self.now.at);
        assert_eq!(judged, Judged::Good);
    }

    fn finds(&mut self, caller: &str) -> bool {
        self.kept.find(caller, None, Act::Obtain, &basis(), &items(), self.now).is_some()
    }
}

/// What policy says of a revision that touches nothing.
fn told(number: u64) -> Message {
    Message {
        number,
        digest: format!("d{number}"),
        policy_revision: format!("r{number}"),
        ..Message::default()
    }
}

fn touching(number: u64, connections: &[&str]) -> Message {
    let connections = connections.iter().map(|&c| c.to_owned()).collect();
    Message { connections, ..told(number) }
}

proptest! {
    /// Used is exactly: heard of within the bound, not ended by the clock, not ended by the monotonic clock, wherever the clock was
    /// set meanwhile.
    #[test]
    fn i2_a_kept_decision_is_used_within_all_its_bounds_only(
        valid_ms in 0_u64..120_000,
        passed_ms in 0_u64..120_000,
        set_ms in -100_000_i64..100_000,
        silent_ms in 0_u64..1_500,
    ) {
        let mut world = World::new();
        let ends = world.now.clock + ms(valid_ms);
        let asked = Asked::new(None, Act::Obtain, &basis(), &items());
        world.kept.keep(CALLER, asked, &decision("c", 5, ends), world.now);
        world.pass(ms(passed_ms.saturating_sub(silent_ms)));
        world.hear(told(5)).unwrap();
        let silent = passed_ms.min(silent_ms);
        world.pass(ms(silent));
        world.now.clock += time::Duration::milliseconds(set_ms);
        let set = i64::try_from(passed_ms).unwrap() + set_ms;
        let expect = silent < 750
            && passed_ms < valid_ms.min(60_000)
            && set < i64::try_from(valid_ms).unwrap();
        prop_assert_eq!(world.finds(CALLER), expect);
    }
}

#[test]
fn i2_whatever_a_decision_depends_on_is_asked_about() {
    let mut world = World::new();
    world.keep(CALLER, "c", 5);
    let other_key = |world: &mut World| {
        let key = Some([7; 32]);
        world.kept.find(CALLER, key, Act::Obtain, &basis(), &items(), world.now).is_some()
    };
    assert!(!other_key(&mut world));
    let mut finds = |caller: &str, act, basis: &AccessBasis, items: &[String]| {
        world.kept.find(caller, None, act, basis, items, world.now).is_some()
    };
    let unit = AccessBasis { acting_unit: "other".into(), ..basis() };
    assert!(!finds(CALLER, Act::Obtain, &unit, &items()));
    assert!(finds(CALLER, Act::Obtain, &basis(), &items()));
    let case = AccessBasis { case_reference: "7".into(), officer: "o".into(), ..basis() };
    assert!(finds(CALLER, Act::Obtain, &case, &items()), "of the case it does not depend");
    let consent = AccessBasis { consent_reference: "c".into(), ..basis() };
    assert!(finds(CALLER, Act::Obtain, &consent, &items()), "nor of a consent");
    assert!(!finds("spiffe://t/agency/A/system/t", Act::Obtain, &basis(), &items()));
    assert!(!finds(CALLER, Act::Explain, &basis(), &items()));
    assert!(!finds(CALLER, Act::Contribute("birth"), &basis(), &items()));
    let others: [fn(&mut AccessBasis); 3] = [
        |b| b.procedure = "q".into(),
        |b| b.legal_basis = "m".into(),
        |b| b.direction_reference = "d".into(),
    ];
    for change in others {
        let mut other = basis();
        change(&mut other);
        assert!(!finds(CALLER, Act::Obtain, &other, &items()), "{other:?}");
    }
    for items in [&["sex", "religion"][..], &[], &["religion"]] {
        let items: Vec<String> = items.iter().map(|&item| item.to_owned()).collect();
        assert!(!finds(CALLER, Act::Obtain, &basis(), &items), "{items:?}");
    }
}

#[test]
fn i2_a_revision_drops_the_decisions_of_the_connections_that_it_touches() {
    let mut world = World::new();
    world.keep("a", "conn-a", 5);
    world.keep("b", "conn-b", 5);
    world.hear(touching(6, &["conn-a", "conn-x"])).unwrap();
    assert!(!world.finds("a") && world.finds("b"));
    world.keep("a", "conn-a", 6);
    assert!(world.finds("a"));
    // One that touches nothing drops nothing; one that touches everything drops all.
    world.hear(told(7)).unwrap();
    assert!(world.finds("a") && world.finds("b"));
    world.hear(Message { everything: true, ..told(8) }).unwrap();
    assert!(!world.finds("a") && !world.finds("b"));
    // Other rules under the same registry: everything may be decided otherwise.
    world.keep("a", "conn-a", 8);
    world.hear(Message { policy_revision: "other".into(), ..told(8) }).unwrap();
    assert!(!world.finds("a"));
    assert_eq!(world.kept.count, 0);
}

#[test]
fn i2_an_answer_that_was_overtaken_is_neither_used_nor_kept() {
    let mut world = World::new();
    let before = world.kept.before(world.now);
    world.hear(touching(6, &["conn-a"])).unwrap();
    let asked = Asked::new(None, Act::Obtain, &basis(), &items());
    let late = decision("conn-a", 5, world.now.clock + ms(60_000));
    let judged = world.kept.take_in("a", asked, &late, before, world.now.at);
    assert_eq!(judged, Judged::Overtaken);
    assert!(!world.finds("a"));
    // Asked for anew it is good; and one that is ahead of the stream is not dropped when the stream comes after it.
    assert_eq!(world.judge(7), Judged::Good);
    world.keep("a", "conn-a", 7);
    world.pass(ms(1));
    world.hear(touching(7, &["conn-a"])).unwrap();
    assert!(world.finds("a"));
}

#[test]
fn i9_a_database_that_was_set_back_is_never_used() {
    // By an answer.
    let mut world = World::new();
    world.keep(CALLER, "c", 5);
    assert_eq!(world.judge(4), Judged::Older);
    // By the stream: a lower number, the same one with another content, or a history of its own.
    let other = Message { digest: "other".into(), ..told(5) };
    let history = Message { other_history: true, ..told(9) };
    for message in [told(4), other, history] {
        let mut world = World::new();
        world.keep(CALLER, "c", 5);
        assert_eq!(world.hear(message), Err(NotHeard::Older));
        assert!(!world.finds(CALLER));
        assert_eq!(world.kept.count, 0);
        // What it decides is refused, also when its numbers have caught up, until it is what it was.
        for number in [4, 5, 6, 9] {
            assert_eq!(world.judge(number), Judged::Older);
        }
        world.hear(told(5)).unwrap();
        assert_eq!(world.judge(5), Judged::Good);
    }
    // One that does not number its decisions any more cannot be measured.
    let mut world = World::new();
    let before = world.kept.before(world.now);
    assert_eq!(world.kept.judge(before, None, world.now.at), Judged::Older);
    // A look that was begun before an answer under a higher number came says nothing against it; one begun later does.
    let mut world = World::new();
    world.pass(ms(10));
    world.keep(CALLER, "c", 6);
    let before = Message { looked: ms(9), ..told(5) };
    assert_eq!(world.kept.hear(world.asked_for, before, false, world.now.at), Ok(()));
    assert!(world.finds(CALLER));
    assert_eq!(world.hear(told(5)), Err(NotHeard::Older));
}

/// What was decided long ago says nothing of now, where nothing was told meanwhile.
#[test]
fn i2_an_answer_that_was_long_on_its_way_is_asked_for_again() {
    for (told_meanwhile, expect) in [(true, Judged::Good), (false, Judged::Overtaken)] {
        let mut world = World::new();
        let before = world.kept.before(world.now);
        world.pass(FRESH);
        if told_meanwhile {
            world.hear(told(5)).unwrap();
        }
        assert_eq!(world.kept.judge(before, Some(5), world.now.at), expect);
    }
}

/// Another process may have other rules, whatever it tells of the registry; and what it does not decide by is not kept.
#[test]
fn i2_other_rules_drop_what_was_decided_by_those_before() {
    let mut world = World::new();
    world.keep("a", "conn-a", 5);
    world.keep("b", "conn-b", 5);
    world.asked_for = world.now.at;
    world.kept.hear(world.asked_for, touching(6, &["conn-a"]), true, world.now.at).unwrap();
    assert!(!world.finds("a") && !world.finds("b"));
    let other = Decision {
        revision: "other".into(),
        ..Decision::clone(&decision("b", 6, world.now.clock + ms(9)))
    };
    let asked = Asked::new(None, Act::Obtain, &basis(), &items());
    world.kept.keep("b", asked.clone(), &Arc::new(other.clone()), world.now);
    assert!(!world.finds("b"), "of a release that is on its way out, or in");
    // One that is ahead of the stream is held against it when it comes.
    let ahead = Decision { number: Some(7), ..other };
    world.kept.keep("b", asked, &Arc::new(ahead), world.now);
    assert!(world.finds("b"));
    world.hear(told(7)).unwrap();
    assert!(!world.finds("b"));
}

/// A clock that is ahead makes nothing fresher: what little it is ahead is taken for now, and more ends the stream.
#[test]
fn i2_a_look_of_the_future_is_none() {
    let mut world = World::new();
    world.keep(CALLER, "c", 5);
    world.pass(ms(100));
    let ahead = |by: u64| Message { looked: ms(100 + by), ..told(5) };
    assert_eq!(
        world.kept.hear(world.asked_for, ahead(21), false, world.now.at),
        Err(NotHeard::Ahead)
    );
    world.kept.hear(world.asked_for, ahead(20), false, world.now.at).unwrap();
    world.pass(FRESH - ms(1));
    assert!(world.finds(CALLER));
    world.pass(ms(1));
    assert!(!world.finds(CALLER));
}

#[test]
fn i2_a_stream_that_was_lost_is_gone_on_with() {
    let mut world = World::new();
    world.keep("a", "conn-a", 5);
    world.keep("b", "conn-b", 5);
    world.kept.lose();
    assert!(!world.finds("a") && !world.finds("b"));
    // The next one says what was touched meanwhile. What it says is as old as it says, however long it was on its way.
    assert_eq!(world.kept.told(), (5, "d5".to_owned()));
    world.pass(ms(100));
    world.asked_for = world.now.at;
    let next = Message { policy_revision: "r5".into(), ..touching(8, &["conn-b"]) };
    world.kept.hear(world.asked_for, next.clone(), true, world.now.at).unwrap();
    assert!(world.finds("a") && !world.finds("b"));
    world.pass(ms(5_000));
    let late = Message { looked: ms(4_000), connections: Vec::new(), ..next.clone() };
    world.kept.hear(world.asked_for, late, false, world.now.at).unwrap();
    assert!(!world.finds("a"), "it was a second on its way");
    world.hear(Message { connections: Vec::new(), ..next }).unwrap();
    assert!(world.finds("a"));
}

#[test]
fn i2_only_what_allows_something_and_has_an_end_is_kept() {
    let mut world = World::new();
    let denial = Denial {
        reason: ErrorReason::NoAgreement,
        rule: "no-agreement".into(),
        article: String::new(),
    };
    let good = decision("c", 5, world.now.clock + ms(1_000));
    let denied = Decision { verdict: Err(denial), ..Decision::clone(&good) };
    let unnumbered = Decision { number: None, ..Decision::clone(&good) };
    let ended = Decision { valid_until: OffsetDateTime::UNIX_EPOCH, ..Decision::clone(&good) };
    for decision in [denied, unnumbered, ended] {
        let asked = Asked::new(None, Act::Obtain, &basis(), &items());
        world.kept.keep(CALLER, asked, &Arc::new(decision), world.now);
        assert!(!world.finds(CALLER));
    }
    assert_eq!(world.kept.count, 0);
}

/// Whoever asks for ever other items takes no room of others', and all together not more than there is.
#[test]
fn i11_what_is_kept_is_bounded_for_each_caller_and_in_all() {
    let mut world = World::new();
    world.keep("other", "c", 5);
    let (valid, asked) = (world.now.clock + ms(60_000), |n: usize| vec![format!("item_{n}")]);
    for n in 0..OF_CALLER_MAX + 10 {
        let asked = Asked::new(None, Act::Obtain, &basis(), &asked(n));
        world.kept.keep(CALLER, asked, &decision("c", 5, valid), world.now);
    }
    assert_eq!(world.kept.count, 1 + OF_CALLER_MAX);
    assert!(world.finds("other"));
    let mut finds = |n: usize| {
        world.kept.find(CALLER, None, Act::Obtain, &basis(), &asked(n), world.now).is_some()
    };
    assert!(!finds(9) && finds(10) && finds(OF_CALLER_MAX + 9), "the oldest are gone");
    world.pass(ms(1));
    world.hear(told(5)).unwrap();
    for n in 0..ALL_MAX + 100 {
        world.keep(&format!("caller-{n}"), "c", 5);
        assert!(world.kept.count <= ALL_MAX);
    }
    assert!(!world.finds("other") && !world.finds(CALLER), "nobody had asked for them since");
    assert!(world.finds(&format!("caller-{}", ALL_MAX + 99)));
    let kept: usize = world.kept.callers.values().map(|of| of.tables.len()).sum();
    assert_eq!(kept, world.kept.count);
}
