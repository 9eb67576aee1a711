//! Rule sets: tried on what was asked, proposed by one officer and put in force by another (Decision 1911/QD-TTg, Art. 3(1)(b)),
//! through the gRPC interface.

use contract::policy::v1::{
    FlipKind, GetRuleSetRequest, ListRuleSetsRequest, MoveRuleSetAnswer, MoveRuleSetRequest,
    RuleSet as Shown, RuleSetProposal, RuleSetState, SimulateAnswer, SimulateRequest,
    move_rule_set_request::Move, simulate_request,
};
use lienthong::{
    client::{Answered, Refused},
    rule_set::{self, RuleSet, Word},
};
use store::Engine;
use tests::on_both_engines;

use super::{
    admission::{AGENCY, Office},
    answered, refused, why,
};

on_both_engines!(
    two_officers_put_a_set_in_force_and_go_back,
    i2_what_is_proposed_decides_nothing,
    i9_a_set_that_is_not_signed_as_it_stands_decides_nothing,
    i9_an_earlier_set_is_not_put_in_force_by_hand,
    i4_the_same_request_is_one_move_of_a_rule_set,
    a_set_that_cannot_decide_is_not_proposed,
    who_signs_is_who_calls_and_never_both,
    what_was_overtaken_is_never_in_force,
    every_faulty_field_of_a_move_of_rules_is_named,
    flips_are_shown_before_a_set_is_published,
);

/// A rule that withholds the name.
const WITHHELD: &str = r#"
@id("no-names")
@basis("1911-2021-art-1-2")
@validity("2021-11-15/..")
@obligation("none")
@vi("Mẫu thử: không cung cấp họ tên.")
@en("For tests: no names are given.")
forbid (principal, action == Action::"obtain", resource == Item::"birth_full_name");
"#;
const CONFIDENTIAL: &str = "1911-2021-art-1-2.cedar";

impl Office {
    /// The set of a number, or the one in force.
    async fn set(&self, number: Option<u64>) -> (Shown, RuleSet) {
        let request = GetRuleSetRequest { number };
        let answered = self.officer("auditor").get_rule_set(&request).await.unwrap().unwrap();
        answered.verify(&self.whole.log).unwrap();
        let answer = answered.answer;
        let shown = answer.rule_set.unwrap();
        assert_eq!(shown.digest, tlog::digest(&answer.content));
        (shown, RuleSet::parse(&answer.content).unwrap())
    }

    /// The set in force with something more in one of its files.
    async fn draft(&self, file: &str, more: &str) -> RuleSet {
        let (shown, mut set) = self.set(None).await;
        let file = set.files.iter_mut().find(|one| one.name == file).unwrap();
        file.text.push_str(more);
        let (document, reason) = ("12/QD-TEST".to_owned(), "theo hồ sơ".to_owned());
        RuleSet { follows: shown.number, document, reason, ..set }
    }

    fn own(&self, officer: &str) -> [String; 2] {
        let files = self.whole.issue(officer, &format!("/operator/{officer}"));
        [files.certificate, files.key]
    }

    fn proposal(&self, by: &str, set: &RuleSet) -> Move {
        let content = set.to_bytes().unwrap();
        let [certificate, key] = self.own(by);
        let signature = rule_set::sign(&content, Word::Propose, &certificate, &key).unwrap();
        Move::Propose(RuleSetProposal { content, signature: Some(signature) })
    }

    async fn approval(&self, by: &str, number: u64) -> Move {
        let content = self.set(Some(number)).await.1.to_bytes().unwrap();
        let [certificate, key] = self.own(by);
        Move::Approve(rule_set::sign(&content, Word::Approve, &certificate, &key).unwrap())
    }

    async fn tries_rules(
        &self,
        officer: &str,
        number: u64,
        step: Move,
    ) -> Result<Answered<MoveRuleSetAnswer>, Refused> {
        let mut request_id = hex::encode(tlog::digest(format!("{number}{step:?}").as_bytes()));
        request_id.truncate(40);
        let request = MoveRuleSetRequest { request_id, number, r#move: Some(step) };
        let moved = self.officer(officer).move_rule_set(&request).await.unwrap();
        self.whole.all_told().await;
        moved
    }

    /// A move that must be made; its receipt is checked.
    async fn moves_rules(&self, officer: &str, number: u64, step: Move) -> Shown {
        let answered = match self.tries_rules(officer, number, step).await {
            Ok(answered) => answered,
            Err(refused) => panic!("{refused} {:?} {:?}", refused.unmet, refused.fields),
        };
        answered.verify(&self.whole.log).unwrap();
        answered.answer.rule_set.unwrap()
    }

    /// What is in the way of a move.
    async fn bars(&self, officer: &str, number: u64, step: Move) -> Vec<(String, String)> {
        let refused = self.tries_rules(officer, number, step).await.err().unwrap();
        assert_eq!(why(&refused), ("FailedPrecondition", "RULE_SET_NOT_POSSIBLE"), "{refused:?}");
        assert!(refused.get("record_index").is_some());
        refused.unmet
    }

    /// Proposed by one officer and approved by another.
    async fn published(&self, set: &RuleSet) -> Shown {
        let step = self.proposal("policy-author", set);
        let proposed = self.moves_rules("policy-author", 0, step).await;
        assert_eq!(proposed.state(), RuleSetState::Proposed);
        let approval = self.approval("policy-approver", proposed.number).await;
        self.moves_rules("policy-approver", proposed.number, approval).await
    }

    async fn states(&self) -> Vec<(u64, RuleSetState)> {
        let request = ListRuleSetsRequest::default();
        let listed = self.officer("auditor").list_rule_sets(&request).await.unwrap().unwrap();
        listed.answer.rule_sets.iter().map(|set| (set.number, set.state())).collect()
    }

    async fn simulated(&self, rule_set: simulate_request::RuleSet) -> SimulateAnswer {
        let request = SimulateRequest { rule_set: Some(rule_set), ..SimulateRequest::default() };
        let answered = self.officer("policy-approver").simulate(&request).await.unwrap().unwrap();
        answered.verify(&self.whole.log).unwrap();
        answered.answer
    }

    async fn admitting(engine: Engine) -> Self {
        let office = Self::open(engine).await;
        office.admitted().await;
        office
    }
}

async fn two_officers_put_a_set_in_force_and_go_back(engine: Engine) {
    let office = Office::admitting(engine).await;
    let (caller, lookup) = (office.caller(), office.lookup());
    let before = answered(&caller, &lookup).await.answer.policy_revision;
    let (shipped, _) = office.set(None).await;
    assert_eq!((shipped.number, shipped.state()), (0, RuleSetState::InForce));
    let draft = office.draft(CONFIDENTIAL, WITHHELD).await;
    let published = office.published(&draft).await;
    assert_eq!((published.number, published.state()), (1, RuleSetState::InForce));
    assert!(published.proposed_by.ends_with("/operator/policy-author"));
    assert!(published.ended_by.ends_with("/operator/policy-approver"));
    // Whoever kept the decision from before was told.
    let denied = refused(&caller, &lookup).await;
    assert_eq!(denied.get("rule"), Some("no-names"), "{denied:?}");
    assert_eq!(why(&denied).1, "NOTHING_ALLOWED");
    // The set outlives the process, and is checked anew.
    let office = office.restarted().await;
    let (caller, lookup) = (office.caller(), office.lookup());
    assert_eq!(refused(&caller, &lookup).await.get("rule"), Some("no-names"));
    // Back to what came with the program is a set of its own, by two.
    let (_, earlier) = office.set(Some(0)).await;
    let (document, reason) = ("13/QD-TEST".to_owned(), "quay lại".to_owned());
    let back = office.published(&RuleSet { follows: 1, document, reason, ..earlier }).await;
    assert_eq!((back.number, back.state()), (2, RuleSetState::InForce));
    let after = answered(&caller, &lookup).await.answer.policy_revision;
    assert_ne!(before, after, "it is another revision of the registry");
    let expect =
        [(2, RuleSetState::InForce), (1, RuleSetState::Replaced), (0, RuleSetState::Replaced)];
    assert_eq!(office.states().await, expect);
}

async fn i2_what_is_proposed_decides_nothing(engine: Engine) {
    let office = Office::admitting(engine).await;
    let (caller, lookup) = (office.caller(), office.lookup());
    let draft = office.draft(CONFIDENTIAL, WITHHELD).await;
    let step = office.proposal("policy-author", &draft);
    assert_eq!(office.moves_rules("policy-author", 0, step).await.number, 1);
    answered(&caller, &lookup).await;
    assert_eq!(office.set(None).await.0.number, 0);
    let withdrawn =
        office.moves_rules("policy-approver", 1, Move::Withdraw("sai".to_owned())).await;
    assert_eq!(withdrawn.state(), RuleSetState::Withdrawn);
    let approval = office.approval("policy-approver", 1).await;
    let bars = office.bars("policy-approver", 1, approval).await;
    assert_eq!(bars, [("CLOSED".to_owned(), "1".to_owned())]);
    answered(&caller, &lookup).await;
}

/// What somebody wrote into the database is no rule set.
async fn i9_a_set_that_is_not_signed_as_it_stands_decides_nothing(engine: Engine) {
    let longer: &'static [&'static str] = match engine {
        Engine::Sqlite => {
            &["UPDATE rule_set SET content = CAST(content || ' ' AS BLOB) WHERE number = 1"]
        }
        Engine::Postgres => {
            &["UPDATE rule_set SET content = content || '\\x20'::bytea WHERE number = 1"]
        }
    };
    let changes: [&'static [&'static str]; 3] = [
        longer,
        &["DELETE FROM rule_set_move WHERE version = 2"],
        &["UPDATE rule_set_move SET made = REPLACE(made, 'policy-approver', 'policy-author')"],
    ];
    for change in changes {
        let office = Office::admitting(engine).await;
        let draft = office.draft(CONFIDENTIAL, WITHHELD).await;
        office.published(&draft).await;
        let error = office.whole.refuses_to_start("policy", change).await;
        assert!(error.contains("rule set 1 cannot decide"), "{change:?}: {error}");
    }
}

/// Nor is an earlier one again because somebody wrote that it is: going back is a set of its own, signed by two.
async fn i9_an_earlier_set_is_not_put_in_force_by_hand(engine: Engine) {
    let backs: [(&'static [&'static str], _); 2] = [
        (&["UPDATE registry_revision SET rules = 0, rules_digest = ''"], 0),
        (
            &["UPDATE registry_revision SET rules = 1, \
               rules_digest = (SELECT digest FROM rule_set WHERE number = 1)"],
            1,
        ),
    ];
    for (back, number) in backs {
        let office = Office::admitting(engine).await;
        for more in [WITHHELD, "// nothing more\n"] {
            let draft = office.draft(CONFIDENTIAL, more).await;
            office.published(&draft).await;
        }
        let error = office.whole.refuses_to_start("policy", back).await;
        assert!(error.contains(&format!("rule set {number} cannot decide")), "{error}");
        assert!(error.contains("another was approved in its place"), "{error}");
    }
}

async fn i4_the_same_request_is_one_move_of_a_rule_set(engine: Engine) {
    let office = Office::admitting(engine).await;
    let draft = office.draft(CONFIDENTIAL, WITHHELD).await;
    let step = office.proposal("policy-author", &draft);
    let first = office.tries_rules("policy-author", 0, step.clone()).await.unwrap();
    let again = office.tries_rules("policy-author", 0, step.clone()).await.unwrap();
    assert_eq!(first.answer, again.answer);
    assert_eq!(first.receipt, again.receipt);
    let other = office.tries_rules("policy-head", 0, step).await.err().unwrap();
    assert_eq!(why(&other), ("AlreadyExists", "KEY_REUSED"));
    assert_eq!(office.states().await.len(), 2);
}

async fn a_set_that_cannot_decide_is_not_proposed(engine: Engine) {
    let office = Office::admitting(engine).await;
    let bars = |draft: RuleSet| {
        let (office, step) = (&office, office.proposal("policy-author", &draft));
        async move { office.bars("policy-author", 0, step).await }
    };
    for (more, says) in [
        ("forbid (", "unexpected end of input"),
        ("forbid (principal, action, resource);", "@id"),
        (&WITHHELD.replace("Item::\"birth_full_name\"", "Item::\"shoe_size\""), "no-names"),
        (&WITHHELD.replace("resource ==", "resource is Item, resource =="), "`1911-2021-art-1-2`"),
        (&WITHHELD.replace("\"none\"", "\"mask=year\""), "no-names"),
    ] {
        let found = bars(office.draft(CONFIDENTIAL, more).await).await;
        let [(obstacle, subject)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(obstacle, "NOT_VALID", "{more}");
        assert!(subject.contains(says), "{more}: {subject}");
    }
    // What agreements name has to stay.
    let mut without = office.draft(CONFIDENTIAL, "").await;
    let procedures = without.files.iter_mut().find(|file| file.name == "procedures.toml").unwrap();
    procedures.text = procedures.text.replace("\"child-health-insurance-card\"", "\"another\"");
    let found = bars(without).await;
    let expect = ("STILL_NAMED".to_owned(), "child-health-insurance-card".to_owned());
    assert!(found.contains(&expect), "{found:?}");
    assert_eq!(office.states().await, [(0, RuleSetState::InForce)]);
}

async fn who_signs_is_who_calls_and_never_both(engine: Engine) {
    let office = Office::admitting(engine).await;
    let draft = office.draft(CONFIDENTIAL, WITHHELD).await;
    let by_another = office.proposal("policy-head", &draft);
    let bars = office.bars("policy-author", 0, by_another).await;
    assert_eq!(bars, [("OTHER_SIGNER".to_owned(), String::new())]);
    let Move::Propose(mut changed) = office.proposal("policy-head", &draft) else { panic!() };
    changed.content = RuleSet { reason: "khác".to_owned(), ..draft.clone() }.to_bytes().unwrap();
    let bars = office.bars("policy-head", 0, Move::Propose(changed)).await;
    assert_eq!(bars, [("SIGNATURE_INVALID".to_owned(), String::new())]);
    let own = office.proposal("policy-head", &draft);
    assert_eq!(office.moves_rules("policy-head", 0, own).await.number, 1);
    let approval = office.approval("policy-head", 1).await;
    let bars = office.bars("policy-head", 1, approval).await;
    assert_eq!(bars.len(), 1, "{bars:?}");
    assert_eq!(bars[0].0, "OTHER_OFFICER");
    // A word about the same bytes is not the other word.
    let Move::Propose(proposal) = office.proposal("policy-approver", &draft) else { panic!() };
    let bars = office.bars("policy-approver", 1, Move::Approve(proposal.signature.unwrap())).await;
    assert_eq!(bars, [("SIGNATURE_INVALID".to_owned(), String::new())]);
    // Roles.
    for (officer, number, step) in [
        ("policy-approver", 0, office.proposal("policy-approver", &draft)),
        ("policy-author", 1, office.approval("policy-author", 1).await),
        ("operator", 1, Move::Withdraw("sai".to_owned())),
    ] {
        let refused = office.tries_rules(officer, number, step).await.err().unwrap();
        assert_eq!(why(&refused), ("PermissionDenied", "OFFICER_NOT_AUTHORISED"), "{officer}");
    }
    let approval = office.approval("policy-approver", 1).await;
    let approved = office.moves_rules("policy-approver", 1, approval).await;
    assert_eq!(approved.state(), RuleSetState::InForce);
}

async fn what_was_overtaken_is_never_in_force(engine: Engine) {
    let office = Office::admitting(engine).await;
    let first = office.draft(CONFIDENTIAL, WITHHELD).await;
    let step = office.proposal("policy-author", &first);
    assert_eq!(office.moves_rules("policy-author", 0, step).await.number, 1);
    let second = office.draft(CONFIDENTIAL, "// nothing\n").await;
    assert_eq!(office.published(&second).await.number, 2);
    let expect =
        [(2, RuleSetState::InForce), (1, RuleSetState::Overtaken), (0, RuleSetState::Replaced)];
    assert_eq!(office.states().await, expect);
    let approval = office.approval("policy-approver", 1).await;
    let bars = office.bars("policy-approver", 1, approval).await;
    assert_eq!(bars, [("FOLLOWS_ANOTHER".to_owned(), "2".to_owned())]);
    answered(&office.caller(), &office.lookup()).await;
}

async fn every_faulty_field_of_a_move_of_rules_is_named(engine: Engine) {
    let office = Office::open(engine).await;
    let officer = office.officer("policy-head");
    let moved = async |number, step: Option<Move>| {
        let request = MoveRuleSetRequest { request_id: "a b".to_owned(), number, r#move: step };
        let refused = officer.move_rule_set(&request).await.unwrap().err().unwrap();
        assert_eq!(why(&refused), ("InvalidArgument", "INVALID_REQUEST"));
        refused.fields.into_iter().map(|(field, _)| field).collect::<Vec<_>>()
    };
    assert_eq!(moved(0, None).await, ["request_id", "number", "move"]);
    let nothing = Move::Propose(RuleSetProposal::default());
    let expect = ["request_id", "number", "propose.content", "propose.signature"];
    assert_eq!(moved(3, Some(nothing)).await, expect);
    let (document, reason, files) = Default::default();
    let empty = RuleSet { follows: 0, document, reason, files };
    let Move::Propose(mut proposal) = office.proposal("policy-head", &empty) else { panic!() };
    proposal.signature.as_mut().unwrap().certificates.clear();
    proposal.signature.as_mut().unwrap().algorithm = 0;
    let expect = [
        "request_id",
        "propose.content.document",
        "propose.content.reason",
        "propose.signature.algorithm",
        "propose.signature.certificates",
    ];
    assert_eq!(moved(0, Some(Move::Propose(proposal))).await, expect);
    assert_eq!(moved(1, Some(Move::Withdraw(String::new()))).await, ["request_id", "withdraw"]);
    let request = SimulateRequest { page_size: 501, ..SimulateRequest::default() };
    let refused = officer.simulate(&request).await.unwrap().err().unwrap();
    let fields: Vec<_> = refused.fields.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["page_size", "rule_set"]);
    for number in [7, u64::MAX] {
        let refused = officer.get_rule_set(&GetRuleSetRequest { number: Some(number) }).await;
        let refused = refused.unwrap().err().unwrap();
        assert_eq!(why(&refused), ("NotFound", "UNKNOWN_RULE_SET"), "{number}");
    }
}

async fn flips_are_shown_before_a_set_is_published(engine: Engine) {
    let office = Office::admitting(engine).await;
    let draft = office.draft(CONFIDENTIAL, WITHHELD).await;
    let content = simulate_request::RuleSet::Content(draft.to_bytes().unwrap());
    let none = office.simulated(content.clone()).await;
    let asked_before = none.asked;
    // Asked once; what is kept in memory is asked no more.
    let (caller, lookup) = (office.caller(), office.lookup());
    answered(&caller, &lookup).await;
    answered(&caller, &lookup).await;
    let found = office.simulated(content).await;
    assert!(found.asked > asked_before && found.questions > none.questions, "{found:?}");
    assert_eq!((found.first_day.len(), found.in_force), (10, 0));
    let flips: Vec<_> = found.flips.iter().filter(|flip| flip.agency == AGENCY).collect();
    // Nothing else was asked for, so nobody would be told of any more either.
    let [hidden, flip] = &flips[..] else { panic!("{flips:?}") };
    assert_eq!((hidden.kind(), hidden.now.as_ref().unwrap().item.as_str()), (FlipKind::Hidden, ""));
    let (now, then) = (flip.now.as_ref().unwrap(), flip.then.as_ref().unwrap());
    assert_eq!((flip.kind(), now.item.as_str()), (FlipKind::Closed, "birth_full_name"));
    assert_eq!(then.rule, "no-names");
    assert_eq!((flip.questions, flip.asked >= 1), (1, true));
    // Whoever is protected is not shown as it is, so nothing is closed there.
    let class = &flip.subjects[..];
    let [only] = class else { panic!("{class:?}") };
    let facts: Vec<_> = only.facts.iter().map(|fact| (fact.fact.as_str(), fact.holds)).collect();
    assert_eq!(facts, [("protected", false)]);
    let total = |kind| found.totals.iter().find(|t| t.agency == AGENCY && t.kind() == kind);
    assert_eq!(total(FlipKind::Closed).unwrap().item, "birth_full_name");
    assert_eq!(total(FlipKind::Hidden).unwrap().item, "");
    // Nobody was asked, and nothing is in force that was not.
    assert_eq!(office.set(None).await.0.number, 0);
    // The set itself changes nothing beside itself.
    let same = office.simulated(simulate_request::RuleSet::Number(0)).await;
    assert!(same.flips.is_empty() && same.totals.is_empty() && same.other_rules == 0, "{same:?}");
    assert_eq!(same.questions, found.questions);
    // What is proposed is tried by its number, and what was in force before beside it afterwards.
    office.published(&draft).await;
    let back = office.simulated(simulate_request::RuleSet::Number(0)).await;
    assert_eq!(back.in_force, 1);
    let opened = back.flips.iter().filter(|flip| flip.agency == AGENCY);
    let kinds: Vec<_> = opened.map(contract::policy::v1::Flip::kind).collect();
    assert_eq!(kinds, [FlipKind::Shown, FlipKind::Opened]);
    // What begins later is tried as of that day.
    let day = (office.whole.hands.clock().today() + time::Duration::days(10)).to_string();
    let (_, mut later) = office.set(Some(0)).await;
    let file = later.files.iter_mut().find(|file| file.name == CONFIDENTIAL).unwrap();
    file.text.push_str(&WITHHELD.replace("2021-11-15", &day));
    let later = simulate_request::RuleSet::Content(later.to_bytes().unwrap());
    let now = office.simulated(later.clone()).await;
    assert!(now.flips.iter().any(|flip| flip.kind() == FlipKind::Opened), "{now:?}");
    assert!(now.changes.contains(&day), "{:?}", now.changes);
    let request = SimulateRequest { rule_set: Some(later), day, ..SimulateRequest::default() };
    let then = office.officer("auditor").simulate(&request).await.unwrap().unwrap().answer;
    assert!(then.flips.iter().all(|flip| flip.agency != AGENCY), "{then:?}");
    assert_eq!(then.questions, now.questions);
}
