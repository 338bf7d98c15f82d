//! Caps on inbound connections: in total, per address, and in the handshake. An address that
//! flooded us is kept out for a while.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::config::TransportConfig;
use crate::keep_out::KeepOut;
use crate::limits::{MAX_HANDSHAKES_OF_LOOPBACK, MAX_HANDSHAKES_PER_IP, MAX_INBOUND_OF_LOOPBACK};

/// The reason why a socket was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its address flooded us.
    BackOff,
    Total,
    PerIp,
}

/// Counts inbound connections. Clones count together.
#[derive(Clone)]
pub(crate) struct Caps {
    total: Arc<Semaphore>,
    per_ip: Arc<Mutex<HashMap<IpAddr, usize>>>,
    handshakes: Arc<Mutex<Handshakes>>,
    keep_out: Arc<Mutex<KeepOut>>,
    max_per_ip: usize,
    max_handshakes: usize,
    limit_loopback: bool,
}

/// The place of one inbound connection. Dropping it frees the place.
pub(crate) struct Admission {
    _total: OwnedSemaphorePermit,
    slot: IpSlot,
    is_shared: bool,
    keep_out: Arc<Mutex<KeepOut>>,
}

struct IpSlot {
    group: IpAddr,
    per_ip: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// The place of one inbound handshake. It is lost when a newer one needs it.
pub(crate) struct HandshakeSlot {
    number: u64,
    lost: Arc<Notify>,
    handshakes: Arc<Mutex<Handshakes>>,
}

/// The unfinished handshakes, in the order in which they began.
#[derive(Default)]
struct Handshakes {
    last: u64,
    all: BTreeMap<u64, (IpAddr, Arc<Notify>)>,
    by_group: HashMap<IpAddr, BTreeSet<u64>>,
}

impl Caps {
    pub(crate) fn new(config: &TransportConfig) -> Self {
        Self {
            total: Arc::new(Semaphore::new(config.max_inbound)),
            per_ip: Arc::default(),
            handshakes: Arc::default(),
            keep_out: Arc::default(),
            max_per_ip: config.max_inbound_per_ip,
            max_handshakes: config.max_inbound_handshakes,
            limit_loopback: config.limit_loopback,
        }
    }

    /// Makes room for a connection from `ip`, or says why there is none.
    pub(crate) fn admit(&self, ip: IpAddr) -> Result<(Admission, HandshakeSlot), Refusal> {
        let ip = ip.to_canonical();
        let is_shared = ip.is_loopback() && !self.limit_loopback;
        let group = ip_group(ip);
        if !lock(&self.keep_out).lets_in(group, is_shared) {
            return Err(Refusal::BackOff);
        }
        let total = self.total.clone().try_acquire_owned().map_err(|_| Refusal::Total)?;
        let slot = self.take_ip_slot(group, is_shared)?;
        let handshake = self.take_handshake_slot(group, is_shared);
        let keep_out = self.keep_out.clone();
        Ok((Admission { _total: total, slot, is_shared, keep_out }, handshake))
    }

    fn take_ip_slot(&self, group: IpAddr, is_shared: bool) -> Result<IpSlot, Refusal> {
        let most = if is_shared { MAX_INBOUND_OF_LOOPBACK } else { self.max_per_ip };
        let mut per_ip = lock(&self.per_ip);
        let count = per_ip.entry(group).or_default();
        if *count >= most {
            // The entry stays only if somebody holds it.
            if *count == 0 {
                per_ip.remove(&group);
            }
            return Err(Refusal::PerIp);
        }
        *count += 1;
        Ok(IpSlot { group, per_ip: self.per_ip.clone() })
    }

    /// Admits a new handshake in any case: the oldest one of the same address, or of all, makes
    /// room for it. An honest handshake takes three messages, so a peer that keeps places occupied
    /// loses them first.
    fn take_handshake_slot(&self, group: IpAddr, is_shared: bool) -> HandshakeSlot {
        let of_group = if is_shared { MAX_HANDSHAKES_OF_LOOPBACK } else { MAX_HANDSHAKES_PER_IP };
        let mut handshakes = lock(&self.handshakes);
        let of_group = of_group.min(self.max_handshakes);
        if handshakes.by_group.get(&group).is_some_and(|of| of.len() >= of_group) {
            let oldest = handshakes.by_group.get(&group).and_then(|of| of.first().copied());
            handshakes.end(oldest);
        } else if handshakes.all.len() >= self.max_handshakes {
            let oldest = handshakes.all.keys().next().copied();
            handshakes.end(oldest);
        }
        handshakes.last += 1;
        let (number, lost) = (handshakes.last, Arc::new(Notify::new()));
        handshakes.all.insert(number, (group, lost.clone()));
        handshakes.by_group.entry(group).or_default().insert(number);
        HandshakeSlot { number, lost, handshakes: self.handshakes.clone() }
    }
}

impl Admission {
    /// Keeps the address of a peer that flooded us out for a while.
    pub(crate) fn back_off(&self) {
        lock(&self.keep_out).flooded(self.slot.group, self.is_shared);
    }
}

impl Handshakes {
    /// Takes a place from its holder.
    fn end(&mut self, number: Option<u64>) {
        if let Some(lost) = number.and_then(|number| self.remove(number)) {
            lost.notify_one();
        }
    }

    fn remove(&mut self, number: u64) -> Option<Arc<Notify>> {
        let (group, lost) = self.all.remove(&number)?;
        if let Some(of_group) = self.by_group.get_mut(&group) {
            of_group.remove(&number);
            if of_group.is_empty() {
                self.by_group.remove(&group);
            }
        }
        Some(lost)
    }
}

impl HandshakeSlot {
    /// Resolves when a newer handshake has taken the place.
    pub(crate) async fn lost(&self) {
        self.lost.notified().await;
    }
}

impl Drop for HandshakeSlot {
    fn drop(&mut self) {
        lock(&self.handshakes).remove(self.number);
    }
}

impl Drop for IpSlot {
    fn drop(&mut self) {
        let mut per_ip = lock(&self.per_ip);
        let Some(count) = per_ip.get_mut(&self.group) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            per_ip.remove(&self.group);
        }
    }
}

/// Returns an IPv4 address, or the /64 that an IPv6 address is in: providers assign no less.
fn ip_group(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bitcoin::constants::ChainHash;

    use super::*;
    use crate::config::SessionConfig;
    use crate::limits::MAX_INBOUND_HANDSHAKES;
    use crate::role::PeerRoles;

    fn caps() -> Caps {
        let session = SessionConfig {
            chain: ChainHash::REGTEST,
            hosted_channel_bits: true,
            attribution: true,
            roles: PeerRoles::default(),
        };
        Caps::new(&TransportConfig { max_inbound_per_ip: 1000, ..TransportConfig::new(session) })
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn is_lost(slot: &HandshakeSlot) -> bool {
        !lock(&slot.handshakes).all.contains_key(&slot.number)
    }

    #[tokio::test]
    async fn one_address_takes_only_its_own_places_in_the_handshake() {
        let caps = caps();
        let honest = caps.admit(ip(1)).unwrap();
        let held: Vec<_> = (0..100).map(|_| caps.admit(ip(2)).unwrap()).collect();
        assert!(!is_lost(&honest.1));
        let lost = held.iter().filter(|(_, slot)| is_lost(slot)).count();
        assert_eq!(lost, 100 - MAX_HANDSHAKES_PER_IP);
        // The connections that began first lose their places.
        assert!(held[..lost].iter().all(|(_, slot)| is_lost(slot)));
        held[0].1.lost().await;
    }

    #[tokio::test]
    async fn one_visitor_over_tor_leaves_places_for_all_other_addresses() {
        let caps = caps();
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let held: Vec<_> = (0..2000).map(|_| caps.admit(loopback).unwrap()).collect();
        let honest = caps.admit(ip(1)).unwrap();
        assert!(!is_lost(&honest.1));
        let lost = held.iter().filter(|(_, slot)| is_lost(slot)).count();
        assert_eq!(lost, 2000 - MAX_HANDSHAKES_OF_LOOPBACK);
        assert!(lock(&caps.handshakes).all.len() <= MAX_INBOUND_HANDSHAKES);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_flooded_is_kept_out_for_a_while() {
        let caps = caps();
        let (admission, _slot) = caps.admit(ip(1)).unwrap();
        admission.back_off();
        assert_eq!(caps.admit(ip(1)).err(), Some(Refusal::BackOff));
        assert!(caps.admit(ip(2)).is_ok());
        tokio::time::advance(crate::limits::MIN_BACK_OFF).await;
        assert!(caps.admit(ip(1)).is_ok());
    }

    #[tokio::test]
    async fn unfinished_handshakes_of_many_addresses_are_bounded_in_all() {
        let caps = caps();
        let addresses = MAX_INBOUND_HANDSHAKES / MAX_HANDSHAKES_PER_IP + 2;
        let addresses = 0..u8::try_from(addresses).unwrap();
        let all = addresses.flat_map(|last| vec![ip(last); MAX_HANDSHAKES_PER_IP]);
        let held: Vec<_> = all.map(|ip| caps.admit(ip).unwrap()).collect();
        let lost = held.iter().filter(|(_, slot)| is_lost(slot)).count();
        assert_eq!(lost, held.len() - MAX_INBOUND_HANDSHAKES);
        assert!(held[..lost].iter().all(|(_, slot)| is_lost(slot)), "the oldest make room");
    }

    #[tokio::test]
    async fn visitors_over_tor_take_no_more_than_their_half_of_all_places() {
        let caps = caps();
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let held: Vec<_> =
            (0..MAX_INBOUND_OF_LOOPBACK).map(|_| caps.admit(loopback).unwrap()).collect();
        assert_eq!(caps.admit(loopback).err(), Some(Refusal::PerIp));
        assert!(caps.admit(ip(1)).is_ok());
        drop(held);
        assert!(caps.admit(loopback).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_of_ipv6_that_one_customer_has_counts_as_one_address() {
        let caps = caps();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let (admission, _slot) = caps.admit(ip("2001:db8:0:7::1")).unwrap();
        admission.back_off();
        assert_eq!(caps.admit(ip("2001:db8:0:7:8::2")).err(), Some(Refusal::BackOff));
        assert!(caps.admit(ip("2001:db8:0:8::1")).is_ok());
        // This is the same address, written as IPv6.
        let (admission, _slot) = caps.admit(ip("192.0.2.1")).unwrap();
        admission.back_off();
        assert_eq!(caps.admit(ip("::ffff:192.0.2.1")).err(), Some(Refusal::BackOff));
    }
}
