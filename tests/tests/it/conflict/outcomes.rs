//! What became of contributions, as their sources are told; taking one back.

use contract::contribution::v1::{ListOutcomesAnswer, WithdrawContributionRequest};

use super::*;

on_both_engines!(
    a_source_is_told_what_became_of_each_contribution,
    i4_the_same_cursor_gives_the_same_outcomes,
    what_has_no_outcome_can_be_taken_back,
    what_has_an_outcome_keeps_it,
    many_at_once_have_one_order,
);

async fn page(client: &Client, cursor: &str, size: u32) -> Result<ListOutcomesAnswer, Refused> {
    let (cursor, request_id) = (cursor.to_owned(), "r-1".to_owned());
    let request = ListOutcomesRequest { cursor, page_size: size, request_id };
    Ok(client.list_outcomes(&request).await.unwrap()?.answer)
}

async fn withdraw(client: &Client, key: &str) -> Result<ContributionOutcome, Refused> {
    let request = WithdrawContributionRequest {
        idempotency_key: key.to_owned(),
        request_id: "r-1".to_owned(),
    };
    Ok(client.withdraw_contribution(&request).await.unwrap()?.answer.outcome.unwrap())
}

fn reasons(outcome: &ContributionOutcome) -> Vec<&str> {
    match &outcome.outcome {
        Some(Outcome::Rejected(rejected)) => {
            rejected.reasons.iter().map(|reason| reason.reason.as_str()).collect()
        }
        _ => Vec::new(),
    }
}

async fn a_source_is_told_what_became_of_each_contribution(engine: Engine) {
    let whole = Whole::start(engine).await;
    let client = whole.client("civil-status");
    assert_eq!(outcomes(&client, "").await, (Vec::new(), String::new()));
    let born = birth("b-1", CHILD);
    let receipt = client.submit_contribution(&born).await.unwrap().unwrap().answer;
    // The same again is no other outcome; the same entry under another key is one.
    client.submit_contribution(&born).await.unwrap().unwrap();
    let twice = SubmitContributionRequest { idempotency_key: "key:b-2".to_owned(), ..born };
    client.submit_contribution(&twice).await.unwrap().err().unwrap();
    let before = whole.records().await;
    let (all, cursor) = outcomes(&client, "").await;
    assert_eq!(whole.records().await, before + 1);
    assert_eq!(all.len(), 2);
    let Some(Outcome::Applied(applied)) = &all[0].outcome else { panic!() };
    assert_eq!(applied.version, receipt.version);
    assert_eq!(all[0].contribution_id, receipt.contribution_id);
    assert_eq!((all[0].sequence, all[1].sequence), (1, 2));
    assert_eq!(reasons(&all[1]), ["ALREADY_REGISTERED"]);
    assert_eq!(outcomes(&client, &cursor).await, (Vec::new(), cursor.clone()));
    // Nobody else hears of it.
    assert!(outcomes(&whole.client("residence"), "").await.0.is_empty());
    let other = page(&whole.client("residence"), &cursor, 0).await.unwrap_err();
    assert_eq!(other.reason, "UNKNOWN_CURSOR");
    for cursor in ["o1.3", "o1.02", "2", "o1.-1", "o1.99999999999999999999"] {
        assert_eq!(
            page(&client, cursor, 0).await.unwrap_err().reason,
            "UNKNOWN_CURSOR",
            "{cursor}"
        );
    }
    whole.all.stop().await;
}

async fn i4_the_same_cursor_gives_the_same_outcomes(engine: Engine) {
    let whole = Whole::start(engine).await;
    let client = whole.client("civil-status");
    for entry in 0..5 {
        let request = birth(&format!("b-{entry}"), CHILD);
        client.submit_contribution(&request).await.unwrap().unwrap();
    }
    let mut cursor = String::new();
    let mut seen = Vec::new();
    loop {
        let found = page(&client, &cursor, 2).await.unwrap();
        assert_eq!(page(&client, &cursor, 2).await.unwrap(), found);
        seen.extend(found.outcomes.iter().map(|one| one.sequence));
        cursor = found.next_cursor;
        if found.end_reached {
            break;
        }
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
    // Also after a restart.
    let whole = whole.restarted(&[]).await;
    let client = whole.client("civil-status");
    assert_eq!(outcomes(&client, "o1.3").await.0.len(), 2);
    assert_eq!(page(&client, "", 1001).await.unwrap_err().reason, "INVALID_REQUEST");
    whole.all.stop().await;
}

/// As if contribution had ended before the register was asked.
const UNASKED: &str = "UPDATE submission SET contribution_id = 'ffffffffffffffffffffffffffffffff', \
                       outcome = NULL, answer = NULL, receipt = NULL";
/// As if it had ended before it heard the register's answer.
const UNHEARD: &str = "UPDATE submission SET outcome = NULL, answer = NULL, receipt = NULL";

async fn what_has_no_outcome_can_be_taken_back(engine: Engine) {
    let whole = Whole::start(engine).await;
    let client = whole.client("civil-status");
    client.submit_contribution(&birth("b-1", CHILD)).await.unwrap().unwrap();
    let whole = whole.changed("contribution", &["DELETE FROM outcome", UNASKED]).await;
    let client = whole.client("civil-status");
    let taken = withdraw(&client, "key:b-1").await.unwrap();
    assert_eq!(reasons(&taken), ["WITHDRAWN"]);
    // It stays so: for the sender, the worker, and whoever asks.
    let refused = client.submit_contribution(&birth("b-1", CHILD)).await.unwrap().err().unwrap();
    assert_eq!(refused.unmet, [("WITHDRAWN".to_owned(), String::new())]);
    assert!(!refused.message.is_empty());
    whole.all.contribution().repeat_unfinished().await.unwrap();
    assert_eq!(reasons(&withdraw(&client, "key:b-1").await.unwrap()), ["WITHDRAWN"]);
    assert_eq!(outcomes(&client, "").await.0.len(), 1);
    assert_eq!(whole.persons().await, 301, "the first one, and no second");
    whole.all.stop().await;
}

async fn what_has_an_outcome_keeps_it(engine: Engine) {
    let whole = Whole::start(engine).await;
    let client = whole.client("civil-status");
    let receipt = client.submit_contribution(&birth("b-1", CHILD)).await.unwrap().unwrap().answer;
    let applied = |outcome: &ContributionOutcome| match &outcome.outcome {
        Some(Outcome::Applied(applied)) => applied.version == receipt.version,
        _ => false,
    };
    assert!(applied(&withdraw(&client, "key:b-1").await.unwrap()));
    // Also where the register alone knows.
    let whole = whole.changed("contribution", &["DELETE FROM outcome", UNHEARD]).await;
    let client = whole.client("civil-status");
    assert!(applied(&withdraw(&client, "key:b-1").await.unwrap()));
    let again = client.submit_contribution(&birth("b-1", CHILD)).await.unwrap().unwrap().answer;
    assert_eq!(again.personal_number, receipt.personal_number);
    let before = whole.records().await;
    let unknown = withdraw(&client, "key:b-9").await.unwrap_err();
    assert_eq!(
        (unknown.code.as_str(), unknown.reason.as_str()),
        ("NotFound", "UNKNOWN_CONTRIBUTION")
    );
    let others = withdraw(&whole.client("residence"), "key:b-1").await.unwrap_err();
    assert_eq!(others.reason, "UNKNOWN_CONTRIBUTION");
    assert_eq!(whole.records().await, before + 2);
    assert_eq!(withdraw(&client, "?").await.unwrap_err().reason, "INVALID_REQUEST");
    whole.all.stop().await;
}

/// Whoever reads on while others write misses nothing.
async fn many_at_once_have_one_order(engine: Engine) {
    const MANY: usize = 24;
    let whole = Whole::start(engine).await;
    let writers = (0..MANY).map(|entry| {
        let client = whole.client("civil-status");
        tokio::spawn(async move {
            let request = birth(&format!("b-{entry}"), CHILD);
            client.submit_contribution(&request).await.unwrap().unwrap();
        })
    });
    let writers: Vec<_> = writers.collect();
    let client = whole.client("civil-status");
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    tests::within(async {
        while seen.len() < MANY {
            let found = page(&client, &cursor, 5).await.unwrap();
            seen.extend(found.outcomes.iter().map(|one| one.sequence));
            cursor = found.next_cursor;
        }
    })
    .await;
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(seen.iter().copied().eq(1..=MANY as u64), "{seen:?}");
    whole.all.stop().await;
}
