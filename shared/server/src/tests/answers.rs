//! What a channel makes of answers that are not as they should be.

use super::{person::*, *};

#[tokio::test]
async fn an_answer_that_is_too_large_is_said_to_be_and_not_asked_for_again() {
    let pki = Pki::new();
    let persons = Persons::reads_one_and_answers(9 << 20);
    let server = persons.start(&pki, |config| config).await;
    let ours = channel(&server, "policy", &agency(&pki));
    let refused =
        within(get_person(ours, Request::new(DecideRequest::default()))).await.unwrap_err();
    assert_eq!(persons.entered(), 1);
    assert_eq!(reason(&refused), (Code::ResourceExhausted, String::new()));
    server.stop().await;
}
