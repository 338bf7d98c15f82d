//! The peers we keep a connection to, and where they are found.

use std::collections::BTreeMap;

use steward_wire::{Framing, NodeId};

use crate::context::Context;
use crate::face::io::Action;
use crate::face::limits::{MAX_ADDRESSES, MAX_ADDRESSES_TRIED};
use crate::face::row::{LocalIdentity, PeerRow, Row, RowKey};

/// The key of ours under which we meet a peer.
pub(crate) const IDENTITIES: [LocalIdentity; 2] = [LocalIdentity::Node, LocalIdentity::PerHost];

/// A peer, and the key of ours under which we meet it.
pub(crate) type PeerKey = (NodeId, LocalIdentity);

/// The peers we keep a connection to.
#[derive(Debug, Default)]
pub(crate) struct PeerBook {
    rows: BTreeMap<PeerKey, PeerRow>,
    /// The addresses given since the start at which the peer has not answered yet.
    given: BTreeMap<PeerKey, Vec<String>>,
}

impl PeerBook {
    /// As found at start: all of them are connected to.
    pub(crate) fn resume(cx: &mut Context, rows: Vec<PeerRow>) -> Self {
        for row in &rows {
            cx.act(Action::KeepConnected {
                peer: row.peer,
                identity: row.identity,
                addresses: row.addresses.clone(),
            });
        }
        Self {
            rows: rows.into_iter().map(|row| ((row.peer, row.identity), row)).collect(),
            given: BTreeMap::new(),
        }
    }

    pub(crate) fn has(&self, key: &PeerKey) -> bool {
        self.rows.contains_key(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &PeerRow> {
        self.rows.values()
    }

    /// Keeps a connection to a peer from now on; `given` addresses are tried first. It may have been
    /// `reached` before it was to be kept.
    pub(crate) fn keep(
        &mut self,
        cx: &mut Context,
        key: PeerKey,
        given: Vec<String>,
        reached: Vec<String>,
    ) {
        let (peer, identity) = key;
        let known = self.rows.get(&key);
        let addresses = known.map(|row| row.addresses.clone()).unwrap_or_default();
        let framing = known.and_then(|row| row.framing);
        if !given.is_empty() {
            self.given.insert(key, given);
        }
        let row = PeerRow { peer, identity, addresses, framing };
        cx.put(Row::Peer(row.clone()));
        self.rows.insert(key, row);
        reached.into_iter().for_each(|address| self.address_reached(cx, &key, address));
        let addresses = self.addresses_to_try(&key);
        cx.act(Action::KeepConnected { peer, identity, addresses });
    }

    /// No longer keeps a connection to a peer, and ends the present one.
    pub(crate) fn drop_peer(&mut self, cx: &mut Context, peer: NodeId, local: NodeId) {
        let identity = cx.identity_of(&local);
        self.given.remove(&(peer, identity));
        if self.rows.remove(&(peer, identity)).is_some() {
            cx.delete(RowKey::Peer(peer, identity));
            cx.act(Action::ForgetPeer { peer, local });
        }
    }

    /// The addresses given last, which may be wrong, then those where the peer was found.
    pub(crate) fn addresses_to_try(&self, key: &PeerKey) -> Vec<String> {
        let mut addresses = self.given.get(key).cloned().unwrap_or_default();
        for reached in self.rows.get(key).into_iter().flat_map(|row| &row.addresses) {
            if !addresses.contains(reached) {
                addresses.push(reached.clone());
            }
        }
        addresses.truncate(MAX_ADDRESSES_TRIED);
        addresses
    }

    /// The peer has answered at this address: it is worth keeping. An address that was only given
    /// is not: it must not take the place of a good one.
    pub(crate) fn address_reached(&mut self, cx: &mut Context, key: &PeerKey, address: String) {
        // Forgotten while the connection was being made.
        let Some(row) = self.rows.get_mut(key) else { return };
        if let Some(given) = self.given.get_mut(key) {
            given.retain(|given| *given != address);
        }
        if row.addresses.contains(&address) {
            return;
        }
        row.addresses.insert(0, address);
        row.addresses.truncate(MAX_ADDRESSES);
        cx.put(Row::Peer(row.clone()));
    }

    /// The framing that a peer has shown; a guess never changes it.
    pub(crate) fn known_framing(&self, peer: &NodeId) -> Option<Framing> {
        let mut rows = IDENTITIES.iter().filter_map(|of| self.rows.get(&(*peer, *of)));
        rows.find_map(|row| row.framing)
    }

    /// Stores the framing with the peer, so that the next connection begins with it.
    pub(crate) fn framing_shown(&mut self, cx: &mut Context, peer: NodeId, shown: Framing) {
        for identity in IDENTITIES {
            // Not every peer is kept, under either key.
            let Some(row) = self.rows.get_mut(&(peer, identity)) else { continue };
            if row.framing != Some(shown) {
                row.framing = Some(shown);
                cx.put(Row::Peer(row.clone()));
            }
        }
    }
}
