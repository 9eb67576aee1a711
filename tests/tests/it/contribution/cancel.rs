//! A client that goes away in the middle of a write (I13): the handler is dropped at its k-th awakening, for
//! every k until it ends. Whatever was going on, the same bytes then give one contribution, and no connection
//! keeps a transaction open.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use contract::identity::v1::LookupOutcome;
use server::{Deadline, Routes};
use tonic::codegen::{Service as _, http};

use super::*;

on_both_engines!(i13_a_handler_dropped_at_any_await_loses_nothing_and_doubles_nothing);

/// Ends with nothing when the future inside has been polled `left` times without ending; it is dropped then.
struct Dropped<F> {
    inner: F,
    left: u32,
}

impl<F: Future + Unpin> Future for Dropped<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        match Pin::new(&mut self.inner).poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // The last poll is not waited for: what it began is left where it stands.
            Poll::Pending if self.left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// The request as it comes off the wire, with what the server core puts on it.
fn request(whole: &Whole, message: &SubmitContributionRequest) -> http::Request<tonic::body::Body> {
    let bytes = message.encode_to_vec();
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
    framed.extend_from_slice(&bytes);
    let body = tonic::body::Body::new(http_body_util::Full::new(bytes::Bytes::from(framed)));
    let mut request = http::Request::post(lienthong::client::SUBMIT_CONTRIBUTION)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .unwrap();
    request.extensions_mut().insert(whole.caller("civil-status"));
    request.extensions_mut().insert(Deadline::after(std::time::Duration::from_secs(60)));
    request
}

async fn i13_a_handler_dropped_at_any_await_loses_nothing_and_doubles_nothing(engine: Engine) {
    let whole = Whole::start(engine).await;
    let persons = whole.persons().await;
    let mut routes: Routes = whole.all.contribution().public(Routes::default()).prepare();
    let mut cut = 0_u64;
    loop {
        let message = birth(&format!("cut-{cut}"), &format!("Giả Định Dở Dang {cut}"));
        let left = u32::try_from(cut).unwrap() + 1;
        let inner = routes.call(request(&whole, &message));
        let ended = Dropped { inner: Box::pin(inner), left }.await.is_some();
        // The same bytes again, over the wire: one contribution, whatever the first time came to.
        let answered = submit(&whole.client("civil-status"), &message).await;
        let again = submit(&whole.client("civil-status"), &message).await;
        assert!(answered.answer_bytes == again.answer_bytes && answered.receipt == again.receipt);
        answered.verify(&whole.log).unwrap();
        let (number, version) = (&answered.answer.personal_number, answered.answer.version);
        let name = format!("Giả Định Dở Dang {cut}");
        let found = look(&whole, number, &name, BORN, &["birth_full_name"], version).await;
        assert_eq!(found.answer.outcome(), LookupOutcome::Match);
        cut += 1;
        assert_eq!(whole.persons().await, persons + cut, "dropped at awakening {left}");
        if ended {
            break;
        }
    }
    assert!(cut > 4, "a write awaits more often than {cut} times");
    println!("{engine:?}: dropped at each of {cut} awakenings");
    let left = whole.all.contribution().repeat_unfinished().await.unwrap();
    assert_eq!((left.finished, left.left), (0, 0));
    if engine == Engine::Postgres {
        let idle = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND state LIKE 'idle in transaction%'";
        for service in ["identity", "contribution", "audit"] {
            assert_eq!(whole.count(service, idle).await, 0, "{service}");
        }
    }
    whole.all.stop().await;
}
