//! HTTP/1.1 without TLS, for what is of nobody and carries its own proof or none: it is never the port of callers.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// How long a connection may last.
const AGE: Duration = Duration::from_secs(30);
/// After accept fails, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What is answered to a request, whose body is not read.
pub type Answer = Response<Full<Bytes>>;

/// Answers on so many connections at the same time, until it is dropped; more wait in the kernel's queue.
pub async fn serve<A, F>(listener: TcpListener, connections_max: usize, answer: A)
where
    A: Fn(Request<()>) -> F + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let (answer, mut connections) = (Arc::new(answer), JoinSet::new());
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < connections_max => match accepted {
                Ok((tcp, _)) => {
                    connections.spawn(connection(tcp, Arc::clone(&answer)));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

async fn connection<A, F>(tcp: TcpStream, answer: Arc<A>)
where
    A: Fn(Request<()>) -> F,
    F: Future<Output = Answer>,
{
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let answered = answer(request.map(drop));
        async move { Ok::<_, Infallible>(answered.await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(AGE)
        .serve_connection(TokioIo::new(tcp), service);
    // Whoever goes away or is too slow comes again.
    let _ended_either_way = tokio::time::timeout(AGE, served).await;
}
