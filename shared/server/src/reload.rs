//! Certificate, key, CA and what is revoked, read again when their files change, without a restart. What
//! cannot be used is not taken: the last good identity stands, and the log says so.

use std::{fs, sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    Config, StartError,
    telemetry::metrics::{labelled, metrics},
    tls::{self, Identity},
};

/// How often the files are looked at: a revocation has to reach open connections within a second.
pub(crate) const EVERY: Duration = Duration::from_millis(250);

/// The identity in force, as it changes.
pub(crate) type Identities = watch::Receiver<Arc<Identity>>;

/// What can be seen of a file without reading it.
pub(crate) type Seen = Vec<Option<(std::time::SystemTime, u64)>>;

/// The identity that the files hold now, and a task that follows them.
pub(crate) fn follow(
    config: &Config,
) -> Result<(Identities, impl Future<Output = ()> + use<>), StartError> {
    let (config, files) = (config.clone(), config.files());
    // Looked at before they are read: what changes in between is read again.
    let mut seen = look(&files);
    let (sender, identities) = watch::channel(Arc::new(read(&config)?));
    let following = async move {
        // What could not be used is tried again until it can: an owner or mode that is mended shows in none of
        // what is looked at, and a revocation must not be lost to it.
        let mut unusable = None;
        loop {
            tokio::time::sleep(EVERY).await;
            let now = look(&files);
            if now == seen {
                continue;
            }
            match read(&config) {
                Ok(identity) => {
                    (seen, unusable) = (now, None);
                    sender.send_replace(Arc::new(identity));
                    metrics().identity_reads.add(1, &labelled("taken"));
                    tracing::info!("identity read again");
                }
                Err(error) if unusable.as_ref() != Some(&now) => {
                    metrics().identity_reads.add(1, &labelled("not usable"));
                    tracing::error!(%error, "identity cannot be read again; the last one stands");
                    unusable = Some(now);
                }
                Err(_) => {}
            }
        }
    };
    Ok((identities, following))
}

fn read(config: &Config) -> Result<Identity, StartError> {
    let identity = tls::server(&config.files(), &config.trust_domain)?;
    metrics().identity_expires.record(identity.expires, &[]);
    Ok(identity)
}

/// What can be seen of the files of an identity.
pub(crate) fn look(files: &tls::Files) -> Seen {
    let files = [&files.certificate, &files.key, &files.ca, &files.crl, &files.revoked_identities];
    files
        .into_iter()
        .map(|path| {
            let found = fs::metadata(path).ok()?;
            Some((found.modified().ok()?, found.len()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::{
        runtime::Clock,
        tests::{Pki, config},
    };

    /// Of callers by `follow`, of services by `channel::admitted`; what is left of a second is for cutting.
    #[test]
    fn files_are_looked_at_four_times_a_second() {
        assert!(EVERY <= Duration::from_millis(250));
    }

    #[tokio::test]
    async fn a_list_that_comes_is_in_force_from_the_next_look_on() {
        let pki = Pki::new();
        let until = Clock::system().now() + time::Duration::DAY;
        let crl = pki.revoke(&[], until);
        let (mut identities, following) = follow(&Config { crl, ..config(&pki, 30) }).unwrap();
        let caller = pki.issue_as("spiffe://lienthong.test/service/identity", Some(7.into()));
        let chain = tls::chain(&caller.certificate).unwrap();
        assert!(identities.borrow().admits(&chain, None));
        pki.revoke(&[7], until);
        tokio::select! {
            biased;
            () = following => panic!("it does not end"),
            changed = identities.changed() => changed.unwrap(),
            () = tokio::time::sleep(EVERY * 2) => panic!("it was not seen"),
        }
        assert!(!identities.borrow().admits(&chain, None));
    }
}
