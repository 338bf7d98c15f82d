//! The limits of the channels opened within an hour, and of the openings under way.

use std::collections::BTreeMap;

use steward_wire::LinkId;

use crate::face::config::HostConfig;
use crate::face::limits::{MAX_PENDING_OPENINGS, MAX_PENDING_OPENINGS_PER_PREFIX, QUOTA_WINDOW_MS};

/// Openings within the present hour, over all and by network prefix, and those not finished yet.
/// An opening is charged only when it becomes a channel: one that is never finished uses up
/// nothing.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    window_start_ms: u64,
    opened: u32,
    opened_by_prefix: BTreeMap<String, u32>,
    /// The prefix of each opening that is not finished.
    pending: BTreeMap<LinkId, String>,
    pending_by_prefix: BTreeMap<String, usize>,
}

impl Quotas {
    /// Refuses one more opening from `prefix` if a limit is reached.
    pub(crate) fn check(
        &mut self,
        now_ms: u64,
        prefix: &str,
        host: &HostConfig,
    ) -> Result<(), &'static str> {
        if now_ms.saturating_sub(self.window_start_ms) >= QUOTA_WINDOW_MS {
            self.window_start_ms = now_ms;
            self.opened = 0;
            self.opened_by_prefix.clear();
        }
        let pending = self.pending_by_prefix.get(prefix).copied().unwrap_or(0);
        let opened = self.opened_by_prefix.get(prefix).copied().unwrap_or(0);
        if self.pending.len() >= MAX_PENDING_OPENINGS || pending >= MAX_PENDING_OPENINGS_PER_PREFIX
        {
            return Err("too many channels are being opened, try later");
        }
        // Those of this prefix that are under way count as if they were opened; those of others
        // do not, or a few prefixes could keep all others out with openings they never finish.
        let of_prefix = opened as usize + pending;
        if self.opened >= host.max_opens_per_hour
            || of_prefix >= host.max_opens_per_prefix_per_hour as usize
        {
            return Err("too many channels were opened within the hour, try later");
        }
        Ok(())
    }

    pub(crate) fn begin(&mut self, link: LinkId, prefix: String) {
        *self.pending_by_prefix.entry(prefix.clone()).or_default() += 1;
        self.pending.insert(link, prefix);
    }

    /// An opening ended, with a channel or without.
    pub(crate) fn end(&mut self, link: &LinkId, opened: bool) {
        // A channel of ours as client, or one found at start, was not counted.
        let Some(prefix) = self.pending.remove(link) else { return };
        if let Some(pending) = self.pending_by_prefix.get_mut(&prefix) {
            *pending -= 1;
            if *pending == 0 {
                self.pending_by_prefix.remove(&prefix);
            }
        }
        if opened {
            self.opened = self.opened.saturating_add(1);
            let of_prefix = self.opened_by_prefix.entry(prefix).or_default();
            *of_prefix = of_prefix.saturating_add(1);
        }
    }
}

/// The prefix that the addresses of one operator share: a /24 of IPv4, a /48 of IPv6.
pub(crate) fn network_prefix(address: &str) -> String {
    let ip = address.parse::<std::net::SocketAddr>().map(|socket| socket.ip().to_canonical());
    match ip {
        Ok(std::net::IpAddr::V4(ip)) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}")
        }
        Ok(std::net::IpAddr::V6(ip)) => {
            let [a, b, c, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}")
        }
        Err(_) => address.to_owned(),
    }
}
