//! Who may open a channel with us (protocol.md sections 3.2, 9.2; users.md section 6.3).

use std::collections::BTreeMap;

use bitcoin::hashes::{Hash, sha256};
use steward_hosted::{Channel, Input, Role};
use steward_wire::{
    ChannelId, ErrorCode, InvokeHostedChannel, LinkId, Message, NodeId, WireError, impossible,
};

use crate::config::HostConfig;
use crate::engine::Engine;
use crate::io::{ConnId, EventKind, Level};
use crate::limits::{
    COST_OF_REFUSAL, MAX_PENDING_OPENINGS, MAX_PENDING_OPENINGS_PER_PREFIX, QUOTA_WINDOW_MS,
};
use crate::row::RowKey;

const SCRIPT_TAKEN: &str = "the refund script belongs to another channel of this host";

/// Openings within the present hour, over all and by network prefix, and those not finished yet.
/// An opening is charged only once a channel came of it: what is never finished uses up nothing.
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
    /// Says what stands against one more opening from `prefix`.
    fn check(&mut self, now_ms: u64, prefix: &str, host: &HostConfig) -> Result<(), &'static str> {
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

    fn begin(&mut self, link: LinkId, prefix: String) {
        *self.pending_by_prefix.entry(prefix.clone()).or_default() += 1;
        self.pending.insert(link, prefix);
    }

    /// An opening ended, with a channel or without.
    pub(crate) fn end(&mut self, link: &LinkId, opened: bool) {
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

impl Engine {
    pub(crate) fn invoked(
        &mut self,
        conn: ConnId,
        link: LinkId,
        peer: NodeId,
        invoke: InvokeHostedChannel,
    ) {
        let message = Message::InvokeHostedChannel(invoke.clone());
        if let Some(entry) = self.channels.get(&link) {
            let is_open = entry.channel.state().is_some();
            if entry.conn == Some(conn) && entry.channel.role() == Role::Host {
                let script = &invoke.refund_scriptpubkey;
                let is_free = self.channels.is_script_free(script);
                if !is_open && (!is_free || self.forgotten.has(&peer, script)) {
                    return self.refuse_opening(conn, peer, SCRIPT_TAKEN);
                }
                if !is_open {
                    self.channels.wants_script(link, script);
                }
                self.drive(link, Input::Message(message));
            } else {
                let text = "invoke_hosted_channel from our own host, or on another identity";
                self.batch.log(Level::Warn, "unexpected_invoke", peer, text);
            }
            return;
        }
        let admitted = self.admit(conn, peer, &invoke);
        let prefix = match admitted {
            Ok(prefix) => prefix,
            Err(reason) => return self.refuse_opening(conn, peer, reason),
        };
        let offer = self.config.host.offer.clone();
        let mut channel = Channel::host(self.node_id, peer, offer);
        channel.allow_adoption(self.config.host.adopt_lost_state.contains(&peer));
        self.quotas.begin(link, prefix);
        self.channels.insert(channel, None);
        self.channels.wants_script(link, &invoke.refund_scriptpubkey);
        if let Some(entry) = self.channels.get_mut(&link) {
            entry.conn = Some(conn);
        }
        self.drive(link, Input::Connected);
        self.drive(link, Input::Message(message));
    }

    /// Of two openings with one refund script the one that is signed first has it. True if that was
    /// another one, which may have been forgotten since.
    pub(crate) fn refuse_outrun(&mut self, conn: ConnId, link: LinkId, peer: NodeId) -> bool {
        let was_outrun = self.channels.wanted_script(&link).is_some_and(|mark| {
            self.channels.has_script(&mark) || self.forgotten.has_script(&mark)
        });
        if was_outrun {
            self.forget_unfinished_opening(link);
            self.refuse_opening(conn, peer, SCRIPT_TAKEN);
        }
        was_outrun
    }

    fn refuse_opening(&mut self, conn: ConnId, peer: NodeId, reason: &'static str) {
        self.batch.log(Level::Info, "opening_refused", peer, reason);
        let refusal = WireError {
            channel_id: ChannelId::of_pair(&self.node_id, &peer),
            data: ErrorCode::ChannelDenied.to_data(reason),
            tlvs: Vec::new(),
        };
        self.send_on(conn, &Message::Error(refusal));
        self.bear(conn, COST_OF_REFUSAL);
    }

    /// Policy and quotas, cheapest first; nothing is stored for who is refused. The network prefix
    /// of who is not.
    fn admit(
        &mut self,
        conn: ConnId,
        peer: NodeId,
        invoke: &InvokeHostedChannel,
    ) -> Result<String, &'static str> {
        let host = &self.config.host;
        let connection = self.connections.get(&conn).ok_or("no connection")?;
        if connection.local != self.node_id {
            return Err("this identity hosts no channels");
        }
        if peer == self.node_id || peer.public_key().is_none() {
            return Err("this peer cannot have a channel with us");
        }
        if self.forgotten.has(&peer, &invoke.refund_scriptpubkey) {
            return Err("this host has forgotten a channel with this id or refund script");
        }
        if !self.height_is_known {
            return Err("this host does not know the chain yet, try later");
        }
        if !host.accept_new_channels {
            return Err("this host opens no new channels");
        }
        if host.require_secret && !is_one_of(&invoke.secret, &host.secrets) {
            // Both know which of the two it is: only a person at the client does not.
            return Err(match invoke.secret.is_empty() {
                true => "no secret was sent, and this host asks for one",
                false => "the secret that was sent is not one of this host's",
            });
        }
        if self.channels.len() >= host.max_channels as usize {
            return Err("this host has no room for more channels");
        }
        let scid = steward_wire::ShortChannelId::of_pair(&self.node_id, &peer);
        if self.channels.by_scid(scid).is_some() {
            return Err("another channel has the same short channel id");
        }
        // A state names no client, only this script: two channels with one script would make two
        // debts of each state.
        if !self.channels.is_script_free(&invoke.refund_scriptpubkey) {
            return Err(SCRIPT_TAKEN);
        }
        let prefix = network_prefix(&connection.address);
        self.quotas.check(self.now_ms, &prefix, host)?;
        Ok(prefix)
    }

    /// As host we keep nothing of an opening that ended with its connection.
    pub(crate) fn forget_unfinished_opening(&mut self, link: LinkId) {
        let unfinished = self.channels.get(&link).is_some_and(|entry| {
            entry.channel.state().is_none() && entry.channel.role() == Role::Host
        });
        if unfinished {
            self.quotas.end(&link, false);
            self.channels.remove(&link);
        }
    }

    pub(crate) fn opening_failed(&mut self, link: LinkId, reason: String) {
        let Some(entry) = self.channels.get(&link) else {
            return impossible!("an opening that failed is there");
        };
        let peer = entry.channel.remote();
        self.batch.log(Level::Warn, "opening_failed", peer, reason.clone());
        if entry.channel.role() == Role::Client {
            let local = entry.channel.local();
            self.notice(EventKind::ChannelOpeningFailed { peer, link: Some(link), reason });
            self.batch.writes.delete(RowKey::Channel(link));
            // A host that refused is not kept connected: whoever asks again names it again.
            self.drop_peer(peer, local);
        } else {
            self.bear_link(&link, COST_OF_REFUSAL);
        }
        self.quotas.end(&link, false);
        self.channels.remove(&link);
        self.batch.changed.remove(&link);
    }
}

/// True if `shown` is one of `secrets`, in a time that does not tell which, or how nearly.
fn is_one_of(shown: &[u8], secrets: &[Vec<u8>]) -> bool {
    let digest = |secret: &[u8]| sha256::Hash::hash(secret).to_byte_array();
    let shown = digest(shown);
    secrets.iter().fold(false, |found, secret| {
        let differing = digest(secret).iter().zip(&shown).fold(0u8, |acc, (a, b)| acc | (a ^ b));
        found | (differing == 0)
    })
}

/// What one operator of many addresses has in common: a /24 of IPv4, a /48 of IPv6.
fn network_prefix(address: &str) -> String {
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
