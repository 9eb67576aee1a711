//! How many handshakes are under way: in all, and from one address, so that one machine that connects and says
//! nothing does not keep everybody else out until its handshakes are cut.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The handshakes of a listener.
pub(crate) struct Handshakes {
    all: Arc<Semaphore>,
    each: usize,
    under_way: Arc<UnderWay>,
}

/// A handshake under way; it ends when this is dropped.
pub(crate) struct Handshake {
    under_way: Arc<UnderWay>,
    source: IpAddr,
    _permit: OwnedSemaphorePermit,
}

#[derive(Default)]
struct UnderWay(Mutex<HashMap<IpAddr, usize>>);

impl Handshakes {
    /// At most `all`, and from one address at most `each`.
    pub(crate) fn new(all: usize, each: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), each, under_way: Arc::default() }
    }

    /// Waits until one more may begin.
    pub(crate) async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// Begins one from an address, unless it has its share.
    pub(crate) fn begin(&self, permit: OwnedSemaphorePermit, address: IpAddr) -> Option<Handshake> {
        let source = source(address);
        let mut under_way = self.under_way.lock();
        let count = under_way.entry(source).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        Some(Handshake { under_way: Arc::clone(&self.under_way), source, _permit: permit })
    }
}

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let mut under_way = self.under_way.lock();
        if let Some(count) = under_way.get_mut(&self.source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                under_way.remove(&self.source);
            }
        }
    }
}

/// What counts as one address: of IPv6 the first half, because whoever has one has all of the second.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn an_address_has_its_share_and_gets_it_back() {
        let handshakes = Handshakes::new(8, 2);
        let begin = async |address: &str| {
            handshakes.begin(handshakes.permit().await.unwrap(), address.parse().unwrap())
        };
        let (first, second) = (begin("192.0.2.1").await, begin("::ffff:192.0.2.1").await);
        assert!(first.is_some() && second.is_some());
        assert!(begin("192.0.2.1").await.is_none());
        let others = (begin("192.0.2.2").await, begin("2001:db8::1").await);
        assert!(others.0.is_some() && others.1.is_some());
        let neighbour = begin("2001:db8::ffff:1").await;
        assert!(neighbour.is_some() && begin("2001:db8::2").await.is_none());
        drop(second);
        assert!(begin("192.0.2.1").await.is_some());
        drop((first, others, neighbour));
        assert!(handshakes.under_way.lock().is_empty(), "nothing is kept of who went");
        assert_eq!(handshakes.all.available_permits(), 8);
    }
}
