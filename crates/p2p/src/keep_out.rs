//! The addresses that flooded us, and the time until which they are not admitted.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{
    BACK_OFF_MEMORY, LOOPBACK_ADMISSIONS_PER_S, LOOPBACK_BACK_OFF, MAX_BACK_OFF, MAX_BACK_OFFS,
    MIN_BACK_OFF,
};

/// The addresses that are kept out.
#[derive(Default)]
pub(crate) struct KeepOut {
    by_group: HashMap<IpAddr, BackOff>,
    shared: Shared,
}

/// The back-off of one address.
struct BackOff {
    until: Instant,
    last: Duration,
}

/// The state of an address that honest visitors come from as well: it is never kept out, only
/// slowed down.
#[derive(Default)]
struct Shared {
    until: Option<Instant>,
    second: Option<Instant>,
    admitted: u32,
}

impl KeepOut {
    /// Returns true if a connection of this address may begin.
    pub(crate) fn lets_in(&mut self, group: IpAddr, is_shared: bool) -> bool {
        let now = Instant::now();
        if is_shared {
            return self.shared.lets_in(now);
        }
        self.by_group.get(&group).is_none_or(|back_off| back_off.until <= now)
    }

    /// Takes note that a connection of this address flooded us.
    pub(crate) fn flooded(&mut self, group: IpAddr, is_shared: bool) {
        let now = Instant::now();
        if is_shared {
            self.shared.until = Some(now + LOOPBACK_BACK_OFF);
            return;
        }
        let last = self.by_group.get(&group).filter(|old| now < old.until + BACK_OFF_MEMORY);
        let is_running = last.is_some_and(|old| now < old.until);
        let time = match last {
            // Connections of the same flood count once.
            Some(old) if is_running => old.last,
            Some(old) => (old.last * 2).min(MAX_BACK_OFF),
            None => MIN_BACK_OFF,
        };
        if self.by_group.len() >= MAX_BACK_OFFS && last.is_none() {
            self.forget_one(now);
        }
        self.by_group.insert(group, BackOff { until: now + time, last: time });
    }

    /// Drops all that ended long ago; if there is none, the one that ends first.
    fn forget_one(&mut self, now: Instant) {
        self.by_group.retain(|_, back_off| now < back_off.until + BACK_OFF_MEMORY);
        if self.by_group.len() < MAX_BACK_OFFS {
            return;
        }
        let first = self.by_group.iter().min_by_key(|(_, back_off)| back_off.until);
        if let Some(group) = first.map(|(group, _)| *group) {
            self.by_group.remove(&group);
        }
    }
}

impl Shared {
    fn lets_in(&mut self, now: Instant) -> bool {
        if self.until.is_none_or(|until| until <= now) {
            return true;
        }
        if self.second.is_none_or(|second| second + Duration::from_secs(1) <= now) {
            self.second = Some(now);
            self.admitted = 0;
        }
        self.admitted = self.admitted.saturating_add(1);
        self.admitted <= LOOPBACK_ADMISSIONS_PER_S
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(number: u16) -> IpAddr {
        let [a, b] = number.to_be_bytes();
        IpAddr::from([192, 0, a, b])
    }

    #[tokio::test(start_paused = true)]
    async fn each_further_flood_doubles_the_time_up_to_the_longest() {
        let mut keep_out = KeepOut::default();
        let mut time = MIN_BACK_OFF;
        for _ in 0..12 {
            keep_out.flooded(ip(1), false);
            keep_out.flooded(ip(1), false);
            tokio::time::advance(time - Duration::from_millis(1)).await;
            assert!(!keep_out.lets_in(ip(1), false));
            tokio::time::advance(Duration::from_millis(1)).await;
            assert!(keep_out.lets_in(ip(1), false), "after {time:?}");
            time = (time * 2).min(MAX_BACK_OFF);
        }
        tokio::time::advance(BACK_OFF_MEMORY).await;
        keep_out.flooded(ip(1), false);
        tokio::time::advance(MIN_BACK_OFF).await;
        assert!(keep_out.lets_in(ip(1), false));
    }

    #[tokio::test(start_paused = true)]
    async fn visitors_of_an_onion_service_are_slowed_down_and_never_locked_out() {
        let (mut keep_out, loopback) = (KeepOut::default(), IpAddr::from([127, 0, 0, 1]));
        keep_out.flooded(loopback, true);
        for _ in 0..3 {
            let let_in = (0..1000).filter(|_| keep_out.lets_in(loopback, true)).count();
            assert_eq!(let_in, LOOPBACK_ADMISSIONS_PER_S as usize);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        tokio::time::advance(LOOPBACK_BACK_OFF).await;
        assert!((0..1000).all(|_| keep_out.lets_in(loopback, true)));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_addresses_are_remembered_than_the_limit() {
        let mut keep_out = KeepOut::default();
        for number in 0..MAX_BACK_OFFS as u16 + 100 {
            keep_out.flooded(ip(number), false);
        }
        assert_eq!(keep_out.by_group.len(), MAX_BACK_OFFS);
    }
}
