//! Admissions over drawn histories: what officers try, in any order, is judged move by move, and what must never be is looked for
//! by an oracle that knows the moves alone.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::sync::LazyLock;

use proptest::prelude::*;
use time::{Duration, macros::date};

use super::{
    law::{LAPSED, Law},
    obstacle::{self, Facts, Lapse, Obstacle, day_of},
    *,
};
use crate::domain::{
    calendar::Calendar,
    catalogue::{Catalogue, LegalProfile},
    decision::Profile,
};

/// Noon of 2026-11-24 in Viet Nam.
const NOON_US: i64 = 1_795_496_400_000_000;
const DAY_US: i64 = 86_400_000_000;
const FIRST: Date = date!(2026 - 11 - 24);
const OFFICERS: [&str; 4] = ["an", "binh", "chi", "dung"];

/// Read once: the rules are compiled with the catalogue.
static LAW: LazyLock<Law> = LazyLock::new(|| {
    let holidays = ["2026-11-26".to_owned()];
    Law::shipped(Calendar::parse(&holidays).unwrap()).unwrap()
});
static CATALOGUE: LazyLock<Catalogue> =
    LazyLock::new(|| Profile::load(LegalProfile::Law2023).unwrap().catalogue);

fn application() -> Application {
    let text = || "x".to_owned();
    Application {
        agency: "Z09.TEST".to_owned(),
        agency_vi: text(),
        agency_en: text(),
        system: "moi".to_owned(),
        system_name: text(),
        database: "portal".to_owned(),
        purpose: text(),
        use_plan: text(),
        items: vec![("birth_full_name".to_owned(), 1)],
        service: text(),
        service_name: text(),
        frequency: text(),
        other: String::new(),
        legal_basis: "decree-70-2024-art-7-2".to_owned(),
    }
}

fn check(law: &Law, failed: Option<usize>, level: u32) -> Check {
    let part = |id: &str, passed| Part { id: id.to_owned(), passed, finding: String::new() };
    let parts = law.parts.iter().enumerate();
    Check {
        infrastructure: part("", failed != Some(5)),
        standards: part("", failed != Some(6)),
        security_level: level,
        parts: parts.map(|(place, listed)| part(&listed.id, failed != Some(place))).collect(),
    }
}

fn assessment(day: Date, days: i64, severity: Severity, standing: Standing) -> Assessment {
    let title = "x".to_owned();
    Assessment {
        assessor: "x".to_owned(),
        day,
        findings: vec![Finding { id: "f1".to_owned(), title, severity, standing }],
        next: day + Duration::days(days),
    }
}

/// What somebody tries.
#[derive(Clone, Debug)]
enum Try {
    Apply,
    Check {
        failed: Option<usize>,
        level: u32,
    },
    Agree(bool),
    Conform,
    Assess {
        days: i64,
        severity: Severity,
        standing: Standing,
    },
    Activate,
    Suspend(&'static str),
    Resume,
    Propose(&'static str),
    End(&'static str),
    /// The service looks.
    Look,
}

/// What is tried, by whom, and what happens before: days go by, the agreement comes or goes.
#[derive(Clone, Debug)]
struct Tried {
    what: Try,
    by: usize,
    days: i64,
    agreed: bool,
}

fn tries() -> impl Strategy<Value = Vec<Tried>> {
    let severity = prop_oneof![
        Just(Severity::Low),
        Just(Severity::Medium),
        Just(Severity::High),
        Just(Severity::Critical)
    ];
    let standing = prop_oneof![3 => Just(Standing::Fixed), 1 => Just(Standing::Open), 1 => Just(Standing::Accepted)];
    let failed = prop_oneof![4 => Just(None), 1 => (0_usize..7).prop_map(Some)];
    let end = || prop_oneof![Just("refused"), Just("no-need")];
    let what = prop_oneof![
        2 => Just(Try::Apply),
        3 => (failed, 2_u32..5).prop_map(|(failed, level)| Try::Check { failed, level }),
        3 => prop::bool::weighted(0.8).prop_map(Try::Agree),
        3 => Just(Try::Conform),
        4 => (1_i64..40, severity, standing)
            .prop_map(|(days, severity, standing)| Try::Assess { days, severity, standing }),
        5 => Just(Try::Activate),
        2 => prop_oneof![Just("violation"), Just(LAPSED)].prop_map(Try::Suspend),
        3 => Just(Try::Resume),
        1 => end().prop_map(Try::Propose),
        1 => end().prop_map(Try::End),
        2 => Just(Try::Look),
    ];
    // Sometimes the clock is set back.
    let days = prop_oneof![6 => Just(0_i64), 2 => 1_i64..20, 1 => -30_i64..0];
    let one = (what, 0..OFFICERS.len(), days, prop::bool::weighted(0.85));
    let one = one.prop_map(|(what, by, days, agreed)| Tried { what, by, days, agreed });
    prop::collection::vec(one, 1..60)
}

/// A step, and whether the service itself makes it; none where a look finds nothing.
fn step(what: Try, admission: Option<&Admission>, facts: Facts) -> Option<(Step, bool)> {
    let cause = |cause: &str| cause.to_owned();
    Some(match what {
        Try::Apply => (Step::Apply(application()), false),
        Try::Check { failed, level } => (Step::Check(check(facts.law, failed, level)), false),
        Try::Agree(known) => {
            let agreement = if known { "agr" } else { "other" }.to_owned();
            (Step::Agree { agreement }, false)
        }
        Try::Conform => {
            let text = || "x".to_owned();
            let (digest, target, kit_version) = (text(), text(), text());
            let roles = vec!["lookup".to_owned()];
            (Step::Conform(Conformance { digest, target, kit_version, roles }), false)
        }
        Try::Assess { days, severity, standing } => {
            (Step::Assess(assessment(facts.day, days, severity, standing)), false)
        }
        Try::Activate => (Step::Activate, false),
        Try::Suspend(why) => (Step::Suspend { cause: cause(why), remedy: cause("x") }, false),
        Try::Resume => (Step::Resume, false),
        Try::Propose(why) => (Step::ProposeEnd { cause: cause(why) }, false),
        Try::End(why) => (Step::End { cause: cause(why) }, false),
        Try::Look => match obstacle::lapse(admission?, facts)? {
            Lapse::Assessment => (Step::Suspend { cause: cause(LAPSED), remedy: cause("x") }, true),
            Lapse::Agreement => (Step::Expire, true),
        },
    })
}

/// Everything that was made, with the facts of the moment.
struct Made {
    made: Move,
    agreed: bool,
    day: Date,
    after: Admission,
    state: State,
}

fn play(tried: Vec<Tried>, law: &Law, catalogue: &Catalogue) -> Vec<Made> {
    let (mut admission, mut clock_us, mut all) = (None::<Admission>, NOON_US, Vec::new());
    for Tried { what, by, days, agreed } in tried {
        clock_us += days * DAY_US;
        let last_us = admission.as_ref().map_or(i64::MIN, |admission| admission.moved_at_us);
        let at_us = clock_us.max(last_us);
        let agreements = if agreed { vec!["agr".to_owned()] } else { Vec::new() };
        let day = day_of(at_us).unwrap();
        let facts = Facts { law, catalogue, agreements: &agreements, held: false, day };
        let Some((step, own)) = step(what, admission.as_ref(), facts) else { continue };
        let by = if own { "service" } else { OFFICERS[by] }.to_owned();
        let second = admission.as_ref().is_some_and(|is| is.needs_another(&by, &step));
        if second || !obstacle::of(admission.as_ref(), &step, own, facts).is_empty() {
            continue;
        }
        let role = (!own).then(|| step.roles()[0]);
        let made = Move { by, role, at_us, document: None, reason: String::new(), step };
        let after = Admission::after(admission.take(), &made).unwrap();
        let state = obstacle::state(&after, facts);
        admission = Some(after.clone());
        all.push(Made { made, agreed, day, after, state });
    }
    all
}

/// What the moves since the last application say, by looking at them alone.
#[derive(Default)]
struct Oracle {
    applied_by: String,
    checked: bool,
    agreed: bool,
    conformant: bool,
    next: Option<Date>,
    grave: bool,
    assessed_by: String,
    proposed: Option<(String, String)>,
    open: bool,
    opened: bool,
    ended: bool,
}

impl Oracle {
    fn see(&mut self, Made { made, agreed, day, .. }: &Made) {
        match &made.step {
            Step::Apply(_) => *self = Self { applied_by: made.by.clone(), ..Self::default() },
            Step::Check(check) => {
                let parts = check.parts.iter().chain([&check.infrastructure, &check.standards]);
                let mut parts = parts.map(|part| part.passed);
                self.checked = check.security_level >= 3 && parts.all(|passed| passed);
            }
            Step::Agree { agreement } => self.agreed = agreement == "agr",
            Step::Conform(_) => self.conformant = true,
            Step::Assess(assessment) => {
                self.next = Some(assessment.next);
                self.assessed_by.clone_from(&made.by);
                self.grave = assessment.findings.iter().any(|finding| {
                    finding.standing == Standing::Open
                        && matches!(finding.severity, Severity::High | Severity::Critical)
                });
            }
            Step::Activate | Step::Resume => {
                assert!(self.checked && self.agreed && *agreed && self.conformant);
                assert!(self.next.is_some_and(|next| *day < next) && !self.grave);
                assert!(made.by != self.applied_by && made.by != self.assessed_by);
                assert!(!self.open && !self.ended);
                assert_eq!(self.opened, made.step == Step::Resume);
                (self.open, self.opened, self.proposed) = (true, true, None);
            }
            Step::Suspend { cause, .. } => {
                assert!(self.open);
                assert_eq!(cause == LAPSED, made.role.is_none());
                self.open = false;
            }
            Step::Expire => {
                assert!(self.open && made.role.is_none());
                self.open = false;
            }
            Step::ProposeEnd { cause } => self.proposed = Some((made.by.clone(), cause.clone())),
            Step::End { cause } => {
                let (first, proposed) = self.proposed.clone().unwrap();
                assert!(first != made.by && proposed == *cause);
                assert!(cause != "refused" || !self.opened);
                (self.open, self.ended) = (false, true);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn i2_no_path_leads_to_active_without_every_condition_and_two_officers(tried in tries()) {
        let (law, catalogue) = (&*LAW, &*CATALOGUE);
        let mut oracle = Oracle::default();
        for made in play(tried, law, catalogue) {
            let ended = oracle.ended;
            oracle.see(&made);
            prop_assert!(!ended || matches!(made.made.step, Step::Apply(_)));
            // What may be used is what was opened and neither suspended, expired nor ended since.
            prop_assert_eq!(made.state.effective() == "ACTIVE", oracle.open);
            prop_assert_eq!(made.state == State::Ended, oracle.ended);
            // Of what is open nothing is missing, or it has lapsed.
            let agreements = if made.agreed { vec!["agr".to_owned()] } else { Vec::new() };
            let facts = Facts {
                law,
                catalogue,
                agreements: &agreements,
                held: false,
                day: made.day,
            };
            if oracle.open {
                let missing = obstacle::standing(&made.after, facts);
                let lapse = obstacle::lapse(&made.after, facts);
                prop_assert_eq!(missing.is_empty(), lapse.is_none());
            }
            prop_assert_eq!(made.state == State::Assessed && !oracle.opened,
                !oracle.opened && !oracle.ended && oracle.checked && oracle.agreed && made.agreed
                && oracle.conformant && !oracle.grave
                && oracle.next.is_some_and(|next| made.day < next));
        }
    }

    #[test]
    fn every_history_replays_to_its_state(tried in tries()) {
        let (law, catalogue) = (&*LAW, &*CATALOGUE);
        let all = play(tried, law, catalogue);
        // As they are stored, and read again.
        let stored: Vec<_> =
            all.iter().map(|made| serde_json::to_string(&made.made).unwrap()).collect();
        let read: Vec<Move> =
            stored.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        for (place, made) in all.iter().enumerate() {
            let replayed = Admission::of(&read[..=place]).unwrap();
            prop_assert_eq!(&replayed, &made.after);
            prop_assert_eq!(replayed.version, place as u64 + 1);
        }
        let times: Vec<_> = read.iter().map(|made| made.at_us).collect();
        prop_assert!(times.is_sorted(), "a history goes back");
    }

    #[test]
    fn a_clock_that_was_set_back_opens_nothing(days in 1_i64..400, back in 1_i64..400) {
        let (law, catalogue) = (&*LAW, &*CATALOGUE);
        let agreements = ["agr".to_owned()];
        let mut open = opened(law, 30);
        let lapsed_us = NOON_US + (30 + days) * DAY_US;
        let suspend = Step::Suspend { cause: LAPSED.to_owned(), remedy: String::new() };
        open = Admission::after(Some(open), &by("service", lapsed_us, suspend)).unwrap();
        // Whoever judges takes the day of the last move where the clock says an earlier one.
        let day = day_of((lapsed_us - back * DAY_US).max(open.moved_at_us)).unwrap();
        let facts =
            Facts { law, catalogue, agreements: &agreements, held: false, day };
        let found = obstacle::of(Some(&open), &Step::Resume, false, facts);
        prop_assert!(found.contains(&(Obstacle::AssessmentLapsed, String::new())));
    }
}

fn by(officer: &str, at_us: i64, step: Step) -> Move {
    let (by, role) = (officer.to_owned(), Some(Role::Registrar));
    Move { by, role, at_us, document: None, reason: String::new(), step }
}

/// An admission that is open, with an assessment of so many days.
fn opened(law: &Law, days: i64) -> Admission {
    let text = || "x".to_owned();
    let report = Conformance {
        digest: text(),
        target: text(),
        kit_version: text(),
        roles: vec!["lookup".to_owned()],
    };
    let steps = [
        Step::Apply(application()),
        Step::Check(check(law, None, 3)),
        Step::Agree { agreement: "agr".to_owned() },
        Step::Conform(report),
        Step::Assess(assessment(FIRST, days, Severity::Low, Standing::Open)),
        Step::Activate,
    ];
    let moves: Vec<_> = steps.map(|step| by("an", NOON_US, step)).into();
    Admission::of(&moves).unwrap()
}

#[test]
fn everything_that_is_missing_is_named_at_once() {
    let (law, catalogue) = (&*LAW, &*CATALOGUE);
    let facts = Facts { law, catalogue, agreements: &[], held: true, day: FIRST };
    let ask = |admission: Option<&Admission>, step: &Step| {
        let found = obstacle::of(admission, step, false, facts);
        found.into_iter().map(|(what, _)| what).collect::<Vec<_>>()
    };
    let ended = Application { legal_basis: "1911-2021-art-9".to_owned(), ..application() };
    let both = [Obstacle::HeldElsewhere, Obstacle::BasisNotInForce];
    assert_eq!(ask(None, &Step::Apply(ended)), both);
    assert_eq!(ask(None, &Step::Activate), [Obstacle::NotApplied]);
    let applied = Admission::of(&[by("an", NOON_US, Step::Apply(application()))]).unwrap();
    let nothing =
        [Obstacle::NotChecked, Obstacle::NotAgreed, Obstacle::NotConformant, Obstacle::NotAssessed];
    assert_eq!(ask(Some(&applied), &Step::Activate), nothing);
    let failed = Check {
        infrastructure: Part { id: String::new(), passed: false, finding: String::new() },
        standards: Part { id: String::new(), passed: false, finding: String::new() },
        security_level: 2,
        parts: Vec::new(),
    };
    let grave = assessment(FIRST - Duration::days(10), 10, Severity::Critical, Standing::Open);
    let moves = [
        by("an", NOON_US, Step::Apply(application())),
        by("an", NOON_US, Step::Check(failed)),
        by("an", NOON_US, Step::Agree { agreement: "agr".to_owned() }),
        by("an", NOON_US, Step::Assess(grave)),
    ];
    let applied = Admission::of(&moves).unwrap();
    let mut all = vec![Obstacle::Infrastructure, Obstacle::Standards, Obstacle::SecurityLevel];
    all.extend([Obstacle::Checklist; 5]);
    all.extend([Obstacle::AgreementNotInForce, Obstacle::NotConformant]);
    all.extend([Obstacle::AssessmentLapsed, Obstacle::FindingOpen]);
    assert_eq!(ask(Some(&applied), &Step::Activate), all);
    all.push(Obstacle::NotSuspended);
    assert_eq!(ask(Some(&applied), &Step::Resume), all);
}

#[test]
fn what_does_not_hold_is_recorded_of_a_closed_connection_only() {
    let (law, catalogue) = (&*LAW, &*CATALOGUE);
    let facts = Facts { law, catalogue, agreements: &[], held: false, day: FIRST };
    let open = opened(law, 30);
    let ask = |admission, step: Step| obstacle::of(Some(admission), &step, false, facts);
    let bad = || Step::Assess(assessment(FIRST, 30, Severity::High, Standing::Open));
    let first = (Obstacle::SuspendFirst, String::new());
    assert!(ask(&open, bad()).contains(&first));
    assert!(ask(&open, Step::Check(check(law, Some(0), 3))).contains(&first));
    assert!(ask(&open, Step::Check(check(law, None, 3))).is_empty());
    let suspend = Step::Suspend { cause: "violation".to_owned(), remedy: String::new() };
    let closed = Admission::after(Some(open.clone()), &by("an", NOON_US, suspend)).unwrap();
    assert!(ask(&closed, bad()).is_empty());
}

#[test]
fn the_law_sets_times_in_working_days_and_in_hours() {
    let law = &*LAW;
    let due = |moved: &str| law.deadline(moved, NOON_US).map(|due| due.at);
    let midnight = |day| crate::domain::basis::start_of(day);
    // Five working days after a Tuesday, of which a Thursday is a holiday: the Wednesday after next, to its end.
    assert_eq!(due("apply"), Some(midnight(date!(2026 - 12 - 03))));
    assert_eq!(due("suspend:violation"), Some(midnight(date!(2026 - 11 - 26))));
    let hours = due("suspend:personal-data-breach").unwrap().unix_timestamp();
    assert_eq!(hours, NOON_US / 1_000_000 + 72 * 3_600);
    assert_eq!(due("activate"), None);
    assert_eq!(due("suspend:planned-stop"), None);
}

#[test]
fn readiness_names_what_is_missing_and_who_owes_it() {
    use super::readiness::{Connected, of};
    let law = &*LAW;
    let connection = |id: &str, database: &str, missing: &[Obstacle]| Connected {
        id: id.to_owned(),
        database: database.to_owned(),
        missing: missing.iter().map(|what| (*what, String::new())).collect(),
        since: Some(FIRST),
    };
    let connections = [
        connection("b", "medical", &[Obstacle::NotChecked, Obstacle::NotOpened]),
        connection("a", "medical", &[Obstacle::Suspended]),
        connection("c", "residence", &[]),
        connection("d", "nobody-obliged", &[]),
    ];
    let all = of(law, &connections);
    let find = |id: &str| all.iter().find(|ready| ready.obliged.id == id).unwrap();
    assert!(find("residence").connected);
    let medical = find("medical");
    assert!(!medical.connected);
    assert_eq!(medical.missing, [(Obstacle::Suspended, String::new())]);
    assert_eq!(medical.connections, ["a", "b"]);
    assert_eq!(medical.since, FIRST);
    let never = find("civil-status");
    assert_eq!(never.missing, [(Obstacle::NotApplied, String::new())]);
    assert_eq!(never.since, date!(2021 - 11 - 15));
    let (by, article) = law.owed(Obstacle::NotApplied.condition().unwrap());
    assert_eq!((by, article), ("owner", "Decision 1911/QD-TTg, Art. 1(1), 3(4)(a)"));
    assert!(all.iter().all(|ready| ready.obliged.article.starts_with("Decision 1911/QD-TTg")));
}
