//! Ports that have to be known before anything listens there.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    ops::Range,
    sync::{Mutex, PoisonError},
};

use server::runtime::Entropy;

/// Where the system begins to give out ports by itself, where it does not say.
const LOW: u16 = 32_768;

/// An address of this machine that nobody listens at, and that the system gives to nobody meanwhile: its port is below
/// those of connections and of listeners that leave the choice to the system. Each is given out once.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free() -> String {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let Range { start, end } = below_the_systems();
    let entropy = Entropy::system();
    for _ in 0..10_000 {
        // Tests are more than one process, so each begins somewhere else.
        let port = start + u16::from_be_bytes(entropy.array()) % (end - start);
        let address = format!("127.0.0.1:{port}");
        let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
        if !given.contains(&port) && TcpListener::bind(&address).is_ok() {
            given.insert(port);
            return address;
        }
    }
    panic!("no port of {start} to {end} is free")
}

fn below_the_systems() -> Range<u16> {
    let own = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let low = own.map_or(LOW, |range| range.split_whitespace().next().unwrap().parse().unwrap());
    let range = (low / 2).max(1_024)..low;
    assert!(
        !range.is_empty(),
        "the system's own ports begin at {low}, which leaves none below them"
    );
    range
}
