//! Under whom accesses stand: numbered without a gap, listed with their proofs, and told when they may be.

use contract::audit::v1::{
    ListAccessesRequest, ListAccessesResponse, RecordedName,
    audit_service_server::AuditService as _,
};
use futures::future::join_all;

use super::*;

/// An access that is recorded of a decision.
pub(super) fn access_of(number: u64, decision: &DecisionRecord) -> AppendRequest {
    let access = access(number);
    let decision = decision.encode_to_vec();
    let inner_key = <[u8; 32]>::try_from(access.inner_key.as_slice()).unwrap();
    let leaf = Leaf::parse(&access.leaf).unwrap();
    let leaf = Leaf { inner: tlog::inner_commitment(&inner_key, &decision), ..leaf };
    AppendRequest { leaf: leaf.to_bytes().to_vec(), decision, ..access }
}

pub(super) fn name(person: &str) -> RecordedName {
    let person = person.to_owned();
    RecordedName { person, from_milliseconds: 0, until_milliseconds: 0 }
}

pub(super) fn asked(names: Vec<RecordedName>) -> ListAccessesRequest {
    ListAccessesRequest { names, missed: Vec::new(), before_index: 0, page_size: 200 }
}

pub(super) async fn list(
    service: &Service,
    request: ListAccessesRequest,
) -> Result<ListAccessesResponse, Status> {
    let mut request = Request::new(request);
    let caller = "spiffe://lienthong.test/service/identity";
    request.extensions_mut().insert(Caller::parse(caller, "lienthong.test").unwrap());
    request.extensions_mut().insert(Deadline::after(HANG));
    ends(service.list_accesses(request)).await.map(tonic::Response::into_inner)
}

/// Indexes and running numbers, newest first; every proof is checked.
pub(super) fn listed(answer: &ListAccessesResponse) -> Vec<(u64, u64)> {
    let checkpoint = log().verify(&answer.checkpoint).unwrap();
    let one = |access: &contract::audit::v1::RecordedAccess| {
        let (proof, hash) = (tlog::hashes(&access.proof).unwrap(), tlog::leaf_hash(&access.leaf));
        let (index, size) = (access.index, checkpoint.size);
        tlog::verify_inclusion(index, size, &hash, &proof, &checkpoint.root).unwrap();
        (access.index, access.number)
    };
    answer.accesses.iter().map(one).collect()
}

#[tokio::test]
async fn accesses_stand_under_whom_they_are_about_in_the_order_of_the_log() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        // Some in one batch, one twice, one about nobody.
        let nobody = access_of(99, &DecisionRecord::default());
        let all = (0..9).chain([4]).map(access).chain([nobody]);
        let answers = join_all(all.map(|one| append(&service, one))).await;
        let mut expected: Vec<u64> =
            [1, 4, 7].map(|n: usize| answers[n].as_ref().unwrap().index).into();
        expected.sort_unstable();
        let answer = list(&service, asked(vec![name("person-1")])).await.unwrap();
        let numbered: Vec<(u64, u64)> = expected.iter().copied().zip(1..).collect();
        let newest_first: Vec<(u64, u64)> = numbered.into_iter().rev().collect();
        assert_eq!(listed(&answer), newest_first, "{engine:?}");
        assert_eq!((answer.counts.as_slice(), answer.end_reached), ([3].as_slice(), true));
        let first = answer.accesses.last().unwrap();
        assert_eq!(first.context, tlog::context(METHOD, CALLER));
        assert_eq!(DecisionRecord::decode(first.decision.as_slice()).unwrap().person, "person-1");

        // Of two names both, newest first; of one page as many as it holds.
        let two = asked(vec![name("person-2"), name("person-1"), name("nobody")]);
        let both =
            list(&service, ListAccessesRequest { page_size: 4, ..two.clone() }).await.unwrap();
        assert_eq!((both.counts.as_slice(), both.end_reached), ([3, 3, 0].as_slice(), false));
        let before_index = both.accesses.last().unwrap().index;
        let rest = list(&service, ListAccessesRequest { before_index, ..two }).await.unwrap();
        assert!(rest.end_reached);
        let indexes: Vec<u64> =
            [listed(&both), listed(&rest)].concat().iter().map(|a| a.0).collect();
        assert!(indexes.len() == 6 && indexes.is_sorted_by(|a, b| a > b), "{indexes:?}");
        close_and_audit(&setup, service).await;
    }
}

#[tokio::test]
async fn a_name_is_a_persons_for_its_time_alone() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        // The second and third of these are a second after the one before.
        for number in [0, 3, 6] {
            append(&service, access(number)).await.unwrap();
        }
        let between = |from: u64, until: u64| RecordedName {
            from_milliseconds: 1_790_000_000_000 + from,
            until_milliseconds: 1_790_000_000_000 + until,
            ..name("person-0")
        };
        let answer = list(&service, asked(vec![between(1, 6)])).await.unwrap();
        assert_eq!(listed(&answer), [(1, 1)], "{engine:?}");
        assert_eq!(answer.counts, [1], "of no other time is told that there was anything");
        close_and_audit(&setup, service).await;
    }
}

#[tokio::test]
async fn i8_what_is_sealed_is_a_number_and_nothing_else() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        let missed = vec![7; 32];
        let of = |sealed_days| DecisionRecord {
            missed: missed.clone(),
            sealed_days,
            ..DecisionRecord::default()
        };
        append(&service, access_of(0, &of(1))).await.unwrap();
        append(&service, access_of(1, &of(0))).await.unwrap();
        let request = ListAccessesRequest { missed: vec![missed.clone()], ..asked(Vec::new()) };
        let answer = list(&service, request).await.unwrap();
        let [open, sealed] = answer.accesses.as_slice() else { panic!("{answer:?}") };
        assert!(!open.sealed && !open.context.is_empty() && !open.decision.is_empty());
        assert!(sealed.sealed && sealed.context.is_empty() && sealed.decision.is_empty());
        assert_eq!((sealed.number, answer.counts.as_slice()), (1, [2].as_slice()));
        close_and_audit(&setup, service).await;
    }
}

#[tokio::test]
async fn a_record_says_whom_it_is_about_or_is_refused() {
    let setup = Setup::new(Engine::Sqlite).await;
    let service = setup.open().await;
    let both = DecisionRecord { person: "p-1".to_owned(), missed: vec![1; 32], ..decision(0) };
    let short = DecisionRecord { person: String::new(), missed: vec![1; 31], ..decision(0) };
    let long = DecisionRecord { person: "p".repeat(65), ..decision(0) };
    for (number, wrong) in [both, short, long].iter().enumerate() {
        let refused = append(&service, access_of(number as u64, wrong)).await.unwrap_err();
        assert_eq!(faults(&refused), [("decision".to_owned(), "MALFORMED".to_owned())]);
    }
    let none = list(&service, asked(Vec::new())).await.unwrap_err();
    assert_eq!(faults(&none), [("names".to_owned(), "MISSING".to_owned())]);
    let wrong =
        ListAccessesRequest { page_size: 0, missed: vec![vec![1]], ..asked(vec![name("")]) };
    let wrong = faults(&list(&service, wrong).await.unwrap_err());
    let fields: Vec<&str> = wrong.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["missed[0]", "names[0].person", "page_size"]);
    assert_eq!(close_and_audit(&setup, service).await, 0);
}
