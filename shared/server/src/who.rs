//! Who makes a call: on a connection of our own TLS the certificate's caller, for as long as it lasts; on one of a
//! proxy whom the proxy vouches for, call by call, because it brings the calls of several. A header that
//! claims an identity where it is not the one that speaks is forged, and so is the call.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use http::HeaderMap;

use crate::{
    caller::{Caller, NoCaller},
    mesh::{Header, Table},
    reload::Identities,
    telemetry::metrics::{labelled, metrics},
};

/// Who makes the calls of a connection.
pub(crate) struct Who {
    said: Said,
    forged: Arc<Forged>,
}

enum Said {
    ByCertificate(Result<Caller, NoCaller>),
    ByProxy(Arc<Table>, Identities),
}

impl Who {
    /// The one that a certificate names.
    pub(crate) fn certified(caller: Result<Caller, NoCaller>, forged: &Arc<Forged>) -> Self {
        Self { said: Said::ByCertificate(caller), forged: Arc::clone(forged) }
    }

    /// Whomever a proxy vouches for, and the identity in force does not revoke.
    pub(crate) fn vouched(table: Arc<Table>, identities: Identities, forged: &Arc<Forged>) -> Self {
        Self { said: Said::ByProxy(table, identities), forged: Arc::clone(forged) }
    }

    /// Who makes the call with these headers.
    pub(crate) fn makes(&self, headers: &HeaderMap) -> Result<&Caller, NoCaller> {
        let speaks = match &self.said {
            Said::ByCertificate(_) => None,
            Said::ByProxy(table, _) => Some(table.header),
        };
        let claims = |header: &Header| headers.contains_key(header.name());
        if Header::ALL.iter().any(|header| Some(*header) != speaks && claims(header)) {
            self.forged.call();
            return Err(NoCaller::Forged);
        }
        match &self.said {
            Said::ByCertificate(caller) => caller.as_ref().map_err(|why| *why),
            Said::ByProxy(table, identities) => {
                let caller = table.caller(headers)?;
                let revoked = identities.borrow().revoked.holds(caller);
                if revoked { Err(NoCaller::Revoked) } else { Ok(caller) }
            }
        }
    }
}

/// How often somebody claimed to be vouched for by a proxy, and was refused.
#[derive(Debug, Default)]
pub struct Forged {
    calls: AtomicU64,
    connections: AtomicU64,
}

impl Forged {
    /// Calls with a header of a proxy where that header does not speak.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Connections to the port of the `mesh` transport from an address that is no proxy's.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    fn call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        metrics().forged.add(1, &labelled("call"));
        tracing::warn!("a call with a forged identity was refused");
    }

    pub(crate) fn connection(&self, from: IpAddr) {
        let count = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        metrics().forged.add(1, &labelled("connection"));
        // Anybody can connect, so that not each one is told: a flood must not fill the log.
        if count.is_power_of_two() {
            tracing::warn!(%from, count, "a connection from no proxy was ended");
        }
    }
}
