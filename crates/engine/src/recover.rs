//! From what is stored to a running engine (docs/recovery.md). The tables alone decide: an
//! incoming HTLC without an outgoing one and without a settlement is offered again, an outbox row
//! is delivered again; nothing else needs recovery.

use std::collections::{BTreeMap, BTreeSet};

use steward_hosted::Channel;
use steward_wire::{IncomingHtlcId, OutgoingHtlcId, UpdateAddHtlc};

use crate::batch::Batch;
use crate::channels::Channels;
use crate::clock::Clock;
use crate::code::Code;
use crate::config::Config;
use crate::engine::Engine;
use crate::error::Error;
use crate::evidence::EvidenceIndex;
use crate::forget::Forgotten;
use crate::incoming::Waiting;
use crate::io::{Action, Level, Time};
use crate::limits::RESUME_WAIT_MS;
use crate::lost_data::Confirmation;
use crate::opening::Quotas;
use crate::payments::Payments;
use crate::preimages::Preimages;
use crate::row::{ChannelRow, Origin, PartRow, RowKey, StoredState};
use crate::search::Search;
use crate::signer::Signer;

impl Engine {
    /// Goes on from a snapshot; an empty one starts a new node. The chain is unknown until the
    /// first [`crate::Input::Chain`]: forwards wait for it.
    pub fn new(
        config: Config,
        signer: Box<dyn Signer>,
        mut snapshot: StoredState,
        time: Time,
    ) -> Result<Self, Error> {
        let node = signer.node();
        let Time { now_ms, wall_ms } = time;
        let mut engine = Self {
            node_id: node.node_id(),
            node,
            signer,
            config,
            now_ms,
            wall_ms,
            clock: Clock::new(time),
            chain_asked_ms: None,
            height: snapshot.height,
            search: Search::resume(snapshot.searched_height, snapshot.height),
            tip_is_stale: true,
            height_is_known: snapshot.height > 0,
            channels: Channels::default(),
            connections: BTreeMap::new(),
            peers: snapshot
                .peers
                .iter()
                .map(|row| ((row.peer, row.identity), row.clone()))
                .collect(),
            given_addresses: BTreeMap::new(),
            quotas: Quotas::default(),
            forgotten: Forgotten::new(&snapshot.forgotten_clients),
            origins: snapshot.origins.iter().copied().collect(),
            unsent: BTreeMap::new(),
            forwards: BTreeMap::new(),
            outbox: snapshot
                .outbox
                .drain(..)
                .map(|(key, settlement)| (key, Waiting { settlement, batch: 0 }))
                .collect(),
            changes: 0,
            batch_number: 1,
            deferred: BTreeMap::new(),
            deferred_until_ms: now_ms.saturating_add(RESUME_WAIT_MS),
            confirmation: Confirmation::default(),
            preimages: Preimages::default(),
            invoices: snapshot.invoices.iter().map(|row| (row.payment_hash, row.clone())).collect(),
            receives: BTreeMap::new(),
            payments: Payments::default(),
            batch: Batch::default(),
            last_token: 0,
            last_event: snapshot.last_event,
            last_evidence: snapshot.last_evidence,
            policy_untold: BTreeSet::new(),
            policy_told_s: 0,
            policy_since_s: 0,
            evidence: EvidenceIndex::default(),
            next_timer_ms: now_ms,
            next_sweep_ms: now_ms,
        };
        for preimage in &snapshot.preimages {
            engine.preimages.insert(*preimage);
        }
        // One by one, each row given back before the next is read: there may be many.
        for row in std::mem::take(&mut snapshot.channels) {
            engine.restore_channel(&row)?;
        }
        engine.restore_evidence(std::mem::take(&mut snapshot.evidence));
        engine.restore_payments(snapshot);
        engine.resume_htlcs();
        engine.keep_connections();
        Ok(engine)
    }

    fn restore_channel(&mut self, row: &ChannelRow) -> Result<(), Error> {
        let channel = Channel::from_record(&row.record).map_err(|error| {
            let text =
                format!("the record of the channel with {} is unreadable: {error}", row.peer);
            Error::new(Code::ChannelRecordUnreadable, text)
                .hint("the database is damaged: restore a backup, and only a recent one")
        })?;
        let local = self.signer_towards(&row.peer, row.identity);
        if local.as_ref().map_or(self.node_id, |local| local.node_id()) != channel.local() {
            let text = format!("the seed does not fit the channel with {}", row.peer);
            return Err(Error::new(Code::SeedMismatch, text));
        }
        self.channels.insert(channel, local);
        Ok(())
    }

    /// A part without an outgoing HTLC never left, if this data is the newest there was.
    fn restore_payments(&mut self, snapshot: StoredState) {
        let mut parts: BTreeMap<_, Vec<PartRow>> = BTreeMap::new();
        for part in snapshot.parts {
            parts.entry(part.payment).or_default().push(part);
        }
        for row in snapshot.payments {
            let parts = parts.remove(&row.id()).unwrap_or_default();
            self.payments.resume(self.now_ms, row, parts);
        }
        self.await_confirmation();
    }

    fn resume_htlcs(&mut self) {
        let outgoing: BTreeMap<IncomingHtlcId, OutgoingHtlcId> = self
            .origins
            .iter()
            .filter_map(|(out, origin)| match origin {
                Origin::Forward(incoming) => Some((*incoming, *out)),
                Origin::Payment { .. } => None,
            })
            .collect();
        let mut stale_outbox: BTreeSet<IncomingHtlcId> = self.outbox.keys().copied().collect();
        for (key, add, is_settled) in self.all_incoming() {
            if is_settled {
                continue;
            }
            if stale_outbox.remove(&key) {
                if let Some(waiting) = self.outbox.get(&key).cloned() {
                    self.deliver(key, waiting.settlement);
                }
            } else if let Some(out) = outgoing.get(&key) {
                self.resume_forward(key, *out, &add);
            } else {
                let next = self.next_link(&key, &add);
                self.deferred.insert(key, next);
            }
        }
        for key in stale_outbox {
            self.outbox.remove(&key);
            self.batch.writes.delete(RowKey::Outbox(key));
        }
    }

    fn all_incoming(&self) -> Vec<(IncomingHtlcId, UpdateAddHtlc, bool)> {
        self.channels
            .lively()
            .flat_map(|(link, entry)| {
                entry.channel.incoming_htlcs().map(|htlc| {
                    let key = IncomingHtlcId { link: *link, id: htlc.htlc.id };
                    (key, htlc.htlc.clone(), htlc.settlement.is_some())
                })
            })
            .collect()
    }

    /// Incoming HTLCs that nobody had acted upon when the node stopped, or that came just after
    /// its start. Peers need a moment to come back: a forward waits for its next peer, rather
    /// than fail. None is acted upon before the peer that offered it has confirmed its state: if
    /// our data is an old copy, the HTLC may have ended long ago.
    pub(crate) fn act_on_deferred(&mut self) {
        let is_over = self.now_ms >= self.deferred_until_ms;
        if self.deferred.is_empty() || (self.tip_is_stale && !is_over) {
            return;
        }
        let ready: Vec<IncomingHtlcId> = self
            .deferred
            .iter()
            .filter(|(key, _)| self.is_active(&key.link))
            .filter(|(_, next)| is_over || next.is_none_or(|link| self.is_active(&link)))
            .map(|(key, _)| *key)
            .collect();
        for key in ready {
            self.deferred.remove(&key);
            let Some(entry) = self.channels.get(&key.link) else { continue };
            let peer = entry.channel.remote();
            let add = entry
                .channel
                .incoming_htlcs()
                .find(|htlc| htlc.htlc.id == key.id && htlc.settlement.is_none())
                .map(|htlc| htlc.htlc.clone());
            if let Some(add) = add {
                let text = format!("acting on HTLC {} that waited since the start", key.id);
                self.batch.log(Level::Info, "htlc_resumed", peer, text);
                self.incoming(key.link, &add, false);
            }
        }
    }

    fn keep_connections(&mut self) {
        for row in self.peers.values() {
            self.batch.act(Action::KeepConnected {
                peer: row.peer,
                identity: row.identity,
                addresses: row.addresses.clone(),
            });
        }
    }
}
