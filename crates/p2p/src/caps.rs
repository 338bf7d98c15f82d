//! Caps on inbound connections: in total, per address, and in the handshake.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::transport::TransportConfig;

/// Why a socket was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Total,
    PerIp,
    Handshakes,
}

/// Counts inbound connections. Clones count together.
#[derive(Clone)]
pub(crate) struct Caps {
    total: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    per_ip: Arc<Mutex<HashMap<IpAddr, usize>>>,
    max_per_ip: usize,
    limit_loopback: bool,
}

/// The place of one inbound connection; it is free again when this is dropped.
pub(crate) struct Admission {
    _total: OwnedSemaphorePermit,
    _ip: Option<IpSlot>,
}

/// The place of one inbound handshake.
pub(crate) struct HandshakeSlot {
    _permit: OwnedSemaphorePermit,
}

struct IpSlot {
    group: IpAddr,
    per_ip: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Caps {
    pub(crate) fn new(config: &TransportConfig) -> Self {
        Self {
            total: Arc::new(Semaphore::new(config.max_inbound)),
            handshakes: Arc::new(Semaphore::new(config.max_inbound_handshakes)),
            per_ip: Arc::default(),
            max_per_ip: config.max_inbound_per_ip,
            limit_loopback: config.limit_loopback,
        }
    }

    /// Makes room for a connection from `ip`, or says which cap is reached.
    pub(crate) fn admit(&self, ip: IpAddr) -> Result<(Admission, HandshakeSlot), Refusal> {
        let total = self.total.clone().try_acquire_owned().map_err(|_| Refusal::Total)?;
        let ip = ip.to_canonical();
        let limited = self.limit_loopback || !ip.is_loopback();
        let ip = if limited { Some(self.take_ip_slot(ip)?) } else { None };
        let handshake =
            self.handshakes.clone().try_acquire_owned().map_err(|_| Refusal::Handshakes)?;
        Ok((Admission { _total: total, _ip: ip }, HandshakeSlot { _permit: handshake }))
    }

    fn take_ip_slot(&self, ip: IpAddr) -> Result<IpSlot, Refusal> {
        let group = ip_group(ip);
        let mut per_ip = lock(&self.per_ip);
        let count = per_ip.entry(group).or_default();
        if *count >= self.max_per_ip {
            // The entry stays only if somebody holds it.
            if *count == 0 {
                per_ip.remove(&group);
            }
            return Err(Refusal::PerIp);
        }
        *count += 1;
        Ok(IpSlot { group, per_ip: self.per_ip.clone() })
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

/// An IPv4 address, or the /64 an IPv6 address is in: providers hand out no less.
fn ip_group(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
