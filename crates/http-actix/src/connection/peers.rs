//! How many connections each address has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections by address. Whoever has IPv6 has 2^64 addresses at least: those count as one.
#[derive(Debug)]
pub(super) struct Peers {
    /// How many one may have; `None`: as many as there are.
    max: Option<usize>,
    open: Mutex<HashMap<IpAddr, usize>>,
}

impl Peers {
    pub(super) fn new(max: Option<usize>) -> Arc<Self> {
        Arc::new(Self { max, open: Mutex::default() })
    }

    /// A place for one more connection of `peer`; `None` when it has all that it may have.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let Some(max) = self.max else { return Some(Place(None)) };
        let peer = network(peer);
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = all.entry(peer).or_default();
        if *open >= max {
            return None;
        }
        *open += 1;
        Some(Place(Some((Arc::clone(self), peer))))
    }

    fn leave(&self, peer: IpAddr) {
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = all.get_mut(&peer) {
            *open -= 1;
            if *open == 0 {
                all.remove(&peer);
            }
        }
    }
}

/// A connection that is counted, until it is dropped.
#[derive(Debug)]
pub(super) struct Place(Option<(Arc<Peers>, IpAddr)>);

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((peers, peer)) = self.0.take() {
            peers.leave(peer);
        }
    }
}

/// What counts as one sender: an IPv4 address, or the /64 of an IPv6 address, which is the least that
/// anybody is given.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let host_bits = u128::from(u64::MAX);
            Ipv6Addr::from_bits(address.to_bits() & !host_bits).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn each_address_has_its_places_and_gives_them_back() {
        let peers = Peers::new(Some(2));
        let one = peers.enter(address("10.0.0.1")).expect("a place");
        let _two = peers.enter(address("::ffff:10.0.0.1")).expect("a place");
        assert!(peers.enter(address("10.0.0.1")).is_none());
        let other = peers.enter(address("10.0.0.2"));
        assert!(other.is_some());
        drop((one, other));
        assert!(peers.enter(address("10.0.0.1")).is_some());
        assert_eq!(peers.open.lock().expect("a lock").len(), 1, "who left is forgotten");
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let peers = Peers::new(Some(1));
        let _one = peers.enter(address("2001:db8::1")).expect("a place");
        assert!(peers.enter(address("2001:db8::ffff:1")).is_none());
        assert!(peers.enter(address("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let peers = Peers::new(None);
        let places: Vec<_> = (0..100).map(|_| peers.enter(address("10.0.0.1"))).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(peers.open.lock().expect("a lock").is_empty());
    }
}
