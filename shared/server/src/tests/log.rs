//! What the log says of calls.

use std::{cell::RefCell, io, sync::Once};

use super::{connection::raw, *};

thread_local! {
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Appends to what this thread has logged.
struct Here;

impl io::Write for Here {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps what each thread logs from now on. One subscriber for all threads: with one of a thread's own, what another
/// thread logs for the first time is logged by none.
pub(super) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing_subscriber::fmt().with_writer(|| Here).with_ansi(false).init());
}

/// The lines of this thread, and so of this test, that hold some words.
pub(super) fn lines(words: &str) -> Vec<String> {
    let bytes = LOGGED.with_borrow(Clone::clone);
    let text = String::from_utf8(bytes).unwrap();
    text.lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_call_that_its_caller_gave_up_has_its_line() {
    listen();
    let pki = Pki::new();
    let entered = Arc::<Notify>::default();
    let server = start_told(&pki, false, 3_000, Arc::clone(&entered)).await;
    let mut client = raw(&server, &pki.service("identity")).await;
    let open = within(client.call()).await.unwrap();
    within(entered.notified()).await;
    drop(open);
    within(entered.notified()).await;
    let ended = lines("call ended");
    assert_eq!(ended.len(), 1, "{ended:?}");
    let id = format!("caller=\"spiffe://{DOMAIN}/service/identity\"");
    for part in ["code=Cancelled", "PolicyService/Decide", &id] {
        assert!(ended[0].contains(part), "{ended:?}");
    }
    server.stop().await;
}
