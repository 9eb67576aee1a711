//! What the log says of calls.

use std::{io, sync::Mutex};

use tracing::subscriber::DefaultGuard;

use super::{connection::raw, *};

/// What this thread logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn listen() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false);
        (log, tracing::subscriber::set_default(subscriber.finish()))
    }

    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_call_that_its_caller_gave_up_has_its_line() {
    let (log, _listening) = Log::listen();
    let pki = Pki::new();
    let entered = Arc::<Notify>::default();
    let server = start_told(&pki, false, 3_000, Arc::clone(&entered)).await;
    let mut client = raw(&server, &pki.service("identity")).await;
    let open = within(client.call()).await.unwrap();
    within(entered.notified()).await;
    drop(open);
    within(entered.notified()).await;
    let ended: Vec<_> =
        log.lines().into_iter().filter(|line| line.contains("call ended")).collect();
    assert_eq!(ended.len(), 1, "{ended:?}");
    let id = format!("caller=\"spiffe://{DOMAIN}/service/identity\"");
    for part in ["code=Cancelled", "PolicyService/Decide", &id] {
        assert!(ended[0].contains(part), "{ended:?}");
    }
    server.stop().await;
}
