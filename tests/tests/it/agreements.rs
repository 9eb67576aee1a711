//! Agreements: proposed by an officer, signed by both sides, in force on their days and no longer once revoked (Decision
//! 1911/QD-TTg, Art. 3(4)(b)), through the gRPC interface.
//!
//! | module | about |
//! |---|---|
//! | `bad_input` | what is refused, and that it is recorded |
//! | `signatures` | requests that are signed, where an agreement demands it and where none does |
//! | `terms` | what a grant demands of whoever uses it |
//! | `volumes` | how many persons a grant lets be told of |

mod bad_input;
mod signatures;
mod terms;
mod volumes;

use contract::{
    identity::v1::GetPersonRequest,
    policy::v1::{
        Agreement, AgreementContent, AgreementGrant, AgreementRole, AgreementSignature,
        AgreementState, AgreementStatement, GetAgreementRequest, ListAgreementsRequest,
        MoveAgreementAnswer, move_agreement_request::Move,
    },
};
use lienthong::{
    client::{Answered, Refused},
    demo,
};
use prost::Message as _;
use store::Engine;
use tests::{
    agreements::{self, PROVIDER, Signer, content, grant},
    on_both_engines,
};

use super::{
    admission::{AGENCY, ID, Office, SYSTEM, UNIT},
    answered, refused, why,
};

on_both_engines!(
    what_both_sides_signed_is_granted_until_one_revokes_it,
    i2_nothing_is_granted_before_both_sides_signed,
    i4_the_same_request_is_one_move_of_an_agreement,
    a_renewal_takes_the_place_of_what_it_renews,
    an_agreement_that_a_party_rejects_is_closed,
    an_unrecorded_move_of_an_agreement_is_recorded_later,
    agreements_are_listed_page_by_page,
);

const FIRST: &str = "agr-1";

impl Office {
    /// An agreement from the beginning of the year on.
    fn drafted(&self, id: &str, grants: Vec<AgreementGrant>) -> AgreementContent {
        let parties = vec![
            self.provider().party(AgreementRole::Provider, PROVIDER, &[]),
            self.consumer().party(AgreementRole::Consumer, AGENCY, &[UNIT]),
        ];
        content(id, ID, ["2026-01-01", "2027-06-01"], parties, grants)
    }

    async fn tries(&self, id: &str, step: Move) -> Result<Answered<MoveAgreementAnswer>, Refused> {
        let moved = agreements::moves(&self.officer("operator"), id, step).await;
        self.whole.all_told().await;
        moved
    }

    /// A move that must be made; its receipt is checked.
    async fn made(&self, id: &str, step: Move) -> Agreement {
        let answered = match self.tries(id, step).await {
            Ok(answered) => answered,
            Err(refused) => panic!("{refused} {:?} {:?}", refused.unmet, refused.fields),
        };
        answered.verify(&self.whole.log).unwrap();
        answered.answer.agreement.unwrap()
    }

    /// What is in the way of a move, by name.
    async fn is_barred(&self, id: &str, step: Move) -> Vec<(String, String)> {
        let refused = self.tries(id, step).await.err().unwrap();
        assert_eq!(why(&refused), ("FailedPrecondition", "AGREEMENT_NOT_POSSIBLE"), "{refused:?}");
        assert!(refused.get("record_index").is_some());
        refused.unmet
    }

    async fn proposed(&self, content: &AgreementContent) -> Agreement {
        self.made(&content.id, Move::Propose(content.encode_to_vec())).await
    }

    async fn accepted(&self, content: &AgreementContent, by: &Signer) -> Agreement {
        let signed = by.says(&content.encode_to_vec(), AgreementStatement::Accept);
        self.made(&content.id, Move::Sign(signed)).await
    }

    /// Proposed, and accepted by both sides.
    async fn agreed(&self, content: &AgreementContent) -> Agreement {
        self.proposed(content).await;
        self.accepted(content, &self.consumer()).await;
        self.accepted(content, &self.provider()).await
    }

    async fn shown(&self, id: &str) -> Agreement {
        let request = GetAgreementRequest { agreement: id.to_owned() };
        let answered = self.officer("auditor").get_agreement(&request).await.unwrap().unwrap();
        answered.verify(&self.whole.log).unwrap();
        answered.answer.agreement.unwrap()
    }

    /// A connection that is open, on an agreement for something else.
    async fn opened(engine: Engine) -> Self {
        let office = Self::open(engine).await;
        office.admitted().await;
        office
    }

    /// A lookup to fill in a form, of which the connection's first agreement says nothing.
    fn prefilled(&self) -> GetPersonRequest {
        let basis = demo::basis("portal-form-prefill", "1911-2021-art-2-1", UNIT);
        GetPersonRequest { basis: Some(basis), ..self.lookup() }
    }
}

/// What one may obtain to fill in forms.
fn prefill() -> AgreementGrant {
    let procedure = "portal-form-prefill".to_owned();
    AgreementGrant { procedure, ..grant(&["birth_full_name"]) }
}

async fn what_both_sides_signed_is_granted_until_one_revokes_it(engine: Engine) {
    let office = Office::opened(engine).await;
    let (caller, lookup) = (office.caller(), office.prefilled());
    assert_eq!(refused(&caller, &lookup).await.get("rule"), Some("no-agreement"));
    let draft = office.drafted(FIRST, vec![prefill()]);
    let bytes = draft.encode_to_vec();
    let proposed = office.proposed(&draft).await;
    assert_eq!(proposed.state(), AgreementState::Proposed);
    assert_eq!(proposed.digest, tlog::digest(&bytes));
    assert_eq!(proposed.missing, [PROVIDER, AGENCY]);
    let half = office.accepted(&draft, &office.consumer()).await;
    assert_eq!((half.state(), half.accepted.len()), (AgreementState::Proposed, 1));
    assert_eq!(refused(&caller, &lookup).await.get("rule"), Some("no-agreement"));
    let whole = office.accepted(&draft, &office.provider()).await;
    assert_eq!((whole.state(), whole.version), (AgreementState::InForce, 3));
    let answer = answered(&caller, &lookup).await;
    answer.verify(&office.whole.log).unwrap();
    // What the exact bytes are, and who said what, is there for whoever checks it.
    let request = GetAgreementRequest { agreement: FIRST.to_owned() };
    let found = office.officer("auditor").get_agreement(&request).await.unwrap().unwrap().answer;
    assert_eq!(found.content, bytes);
    let signers: Vec<_> = found.moves.iter().map(|one| one.signed_by.as_str()).collect();
    assert!(signers[1].ends_with(&format!("/agency/{AGENCY}/system/{SYSTEM}")), "{signers:?}");
    assert!(signers[2].ends_with("/operator/second-registrar"), "{signers:?}");
    assert!(found.moves.iter().all(|one| one.record_index.is_some()));
    // One side is enough to end it, at once and for good.
    let revoked = office.consumer().says(&bytes, AgreementStatement::Revoke);
    let revoked = office.made(FIRST, Move::Sign(revoked)).await;
    assert_eq!(revoked.state(), AgreementState::Revoked);
    assert_eq!(refused(&caller, &lookup).await.get("rule"), Some("no-agreement"));
    let again = office.provider().says(&bytes, AgreementStatement::Revoke);
    assert_eq!(office.is_barred(FIRST, Move::Sign(again)).await[0].0, "CLOSED");
    office.close().await;
}

async fn i2_nothing_is_granted_before_both_sides_signed(engine: Engine) {
    let office = Office::opened(engine).await;
    let (caller, lookup) = (office.caller(), office.prefilled());
    // Both sides signed what begins later.
    let later = AgreementContent {
        valid_from: "2026-12-01".to_owned(),
        ..office.drafted(FIRST, vec![prefill()])
    };
    assert_eq!(office.agreed(&later).await.state(), AgreementState::Accepted);
    assert_eq!(refused(&caller, &lookup).await.get("rule"), Some("no-agreement"));
    office.whole.hands.step(time::Duration::days(7));
    answered(&caller, &lookup).await;
    assert_eq!(office.shown(FIRST).await.state(), AgreementState::InForce);
    office.whole.hands.step(time::Duration::days(190));
    assert_eq!(office.shown(FIRST).await.state(), AgreementState::Ended);
    assert!(office.caller().get_person(&lookup).await.unwrap().is_err());
    office.close().await;
}

async fn i4_the_same_request_is_one_move_of_an_agreement(engine: Engine) {
    let office = Office::opened(engine).await;
    let draft = office.drafted(FIRST, vec![prefill()]);
    let propose = || Move::Propose(draft.encode_to_vec());
    let first = office.tries(FIRST, propose()).await.unwrap();
    let records = office.whole.records().await;
    let again = office.tries(FIRST, propose()).await.unwrap();
    assert_eq!((&again.answer_bytes, &again.receipt), (&first.answer_bytes, &first.receipt));
    again.verify(&office.whole.log).unwrap();
    assert_eq!(office.whole.records().await, records, "nothing more is recorded");
    // Another officer under the same id is told what it was used for.
    let other = agreements::moves(&office.officer("second-registrar"), FIRST, propose()).await;
    let other = other.err().unwrap();
    assert_eq!(why(&other), ("AlreadyExists", "KEY_REUSED"));
    assert_eq!(other.get("first_digest"), Some(&*hex::encode(tlog::digest(&first.request))));
    assert_eq!(office.shown(FIRST).await.version, 1);
    office.close().await;
}

async fn a_renewal_takes_the_place_of_what_it_renews(engine: Engine) {
    let office = Office::opened(engine).await;
    let (caller, lookup) = (office.caller(), office.prefilled());
    office.agreed(&office.drafted(FIRST, vec![prefill()])).await;
    // It cannot stand beside it, and what is not agreed cannot be renewed.
    let beside = office.drafted("agr-2", vec![prefill()]);
    let barred = office.is_barred("agr-2", Move::Propose(beside.encode_to_vec())).await;
    assert_eq!(barred, [("OVERLAPS".to_owned(), FIRST.to_owned())]);
    let nothing = AgreementContent { renews: "agr-9".to_owned(), ..beside.clone() };
    let barred = office.is_barred("agr-2", Move::Propose(nothing.encode_to_vec())).await;
    assert_eq!(barred[0], ("NOTHING_TO_RENEW".to_owned(), "agr-9".to_owned()));
    let renewal = AgreementContent {
        renews: FIRST.to_owned(),
        valid_from: "2026-12-01".to_owned(),
        valid_to: "2028-01-01".to_owned(),
        ..beside
    };
    assert_eq!(office.agreed(&renewal).await.state(), AgreementState::Accepted);
    let renewed = office.shown(FIRST).await;
    assert_eq!(
        (renewed.state(), renewed.valid_to.as_str()),
        (AgreementState::InForce, "2026-12-01")
    );
    assert_eq!(renewed.renewed_by, "agr-2");
    let before = answered(&caller, &lookup).await;
    office.whole.hands.step(time::Duration::days(8));
    let after = answered(&caller, &lookup).await;
    assert_ne!(before.answer.decision_id, after.answer.decision_id);
    assert_eq!(office.shown(FIRST).await.state(), AgreementState::Ended);
    assert_eq!(office.shown("agr-2").await.state(), AgreementState::InForce);
    // It is renewed once.
    let third =
        AgreementContent { renews: FIRST.to_owned(), ..office.drafted("agr-3", vec![prefill()]) };
    let barred = office.is_barred("agr-3", Move::Propose(third.encode_to_vec())).await;
    assert_eq!(barred[0].0, "NOTHING_TO_RENEW");
    // What took the place is revoked, and the place is nobody's.
    let revoked = office.provider().says(&renewal.encode_to_vec(), AgreementStatement::Revoke);
    office.made("agr-2", Move::Sign(revoked)).await;
    assert_eq!(refused(&caller, &lookup).await.get("rule"), Some("no-agreement"));
    office.close().await;
}

async fn an_agreement_that_a_party_rejects_is_closed(engine: Engine) {
    let office = Office::opened(engine).await;
    let draft = office.drafted(FIRST, vec![prefill()]);
    let bytes = draft.encode_to_vec();
    office.proposed(&draft).await;
    let says = |signer: Signer, statement| Move::Sign(signer.says(&bytes, statement));
    // What is not agreed is not revoked.
    let revoke = says(office.consumer(), AgreementStatement::Revoke);
    assert_eq!(office.is_barred(FIRST, revoke).await[0].0, "OTHER_STATEMENT");
    office.made(FIRST, says(office.provider(), AgreementStatement::Accept)).await;
    let rejected = office.made(FIRST, says(office.consumer(), AgreementStatement::Reject)).await;
    assert_eq!(rejected.state(), AgreementState::Rejected);
    let accept = says(office.consumer(), AgreementStatement::Accept);
    assert_eq!(office.is_barred(FIRST, accept).await, [("CLOSED".to_owned(), AGENCY.to_owned())]);
    assert_eq!(
        refused(&office.caller(), &office.prefilled()).await.get("rule"),
        Some("no-agreement")
    );
    office.close().await;
}

async fn an_unrecorded_move_of_an_agreement_is_recorded_later(engine: Engine) {
    let office = Office::opened(engine).await;
    let draft = office.drafted(FIRST, vec![prefill()]);
    office.proposed(&draft).await;
    let office = office.changed(&["UPDATE agreement_move SET answer = NULL, receipt = NULL"]).await;
    office.whole.hands.step(time::Duration::minutes(2));
    let records = office.whole.records().await;
    office.whole.all.policy().look().await.unwrap();
    // The first agreement's three moves, and this one.
    assert_eq!(office.whole.records().await, records + 4);
    let again = office.tries(FIRST, Move::Propose(draft.encode_to_vec())).await.unwrap();
    again.verify(&office.whole.log).unwrap();
    assert_eq!(office.whole.records().await, records + 4);
    office.close().await;
}

async fn agreements_are_listed_page_by_page(engine: Engine) {
    let office = Office::opened(engine).await;
    for id in ["agr-1", "agr-2", "agr-3"] {
        office.proposed(&office.drafted(id, vec![prefill()])).await;
    }
    let (mut page_token, mut seen) = (String::new(), Vec::new());
    loop {
        let request = ListAgreementsRequest { page_size: 2, page_token };
        let page = office.officer("auditor").list_agreements(&request).await.unwrap().unwrap();
        page.verify(&office.whole.log).unwrap();
        assert!(page.answer.agreements.len() <= 2);
        seen.extend(page.answer.agreements.into_iter().map(|one| one.agreement));
        page_token = page.answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["agr-1", "agr-2", "agr-3", "agr-national-portal-1"]);
    office.close().await;
}
