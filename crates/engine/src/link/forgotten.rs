//! Clients whose used channels were forgotten.
//!
//! A host that forgets a client has still signed every state the channel went through. In a new
//! channel any of them would be newer than ours, and a state names its client by the refund script
//! alone: so both id and script are remembered, and never admitted again.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::hashes::{Hash, sha256};
use steward_wire::NodeId;

use crate::face::row::{ForgottenClient, Setting};
use crate::link::links::ScriptMark;

/// Clients whose used channels were forgotten: we signed states for them.
#[derive(Debug, Default)]
pub(crate) struct Forgotten {
    /// Hash of the refund script, by client.
    clients: BTreeMap<NodeId, [u8; 32]>,
    scripts: BTreeSet<[u8; 32]>,
}

impl Forgotten {
    pub(crate) fn new(clients: &[ForgottenClient]) -> Self {
        let mut forgotten = Self::default();
        clients.iter().for_each(|client| forgotten.insert(*client));
        forgotten
    }

    /// True if a peer with this id, or with this refund script, may show states that we signed.
    pub(crate) fn has(&self, peer: &NodeId, refund_scriptpubkey: &[u8]) -> bool {
        self.clients.contains_key(peer) || self.scripts.contains(&hash(refund_scriptpubkey))
    }

    /// As [`Self::has`], for the refund script of this mark.
    pub(crate) fn has_script(&self, mark: &ScriptMark) -> bool {
        let mut first = [0; 32];
        first.iter_mut().zip(mark).for_each(|(to, from)| *to = *from);
        self.scripts.range(first..).next().is_some_and(|hash| hash.starts_with(mark))
    }

    pub(crate) fn len(&self) -> usize {
        self.clients.len()
    }

    pub(crate) fn insert(&mut self, client: ForgottenClient) {
        self.clients.insert(client.peer, client.refund_script_hash);
        self.scripts.insert(client.refund_script_hash);
    }

    pub(crate) fn to_setting(&self) -> Setting {
        let client = |(peer, hash): (&NodeId, &[u8; 32])| ForgottenClient {
            peer: *peer,
            refund_script_hash: *hash,
        };
        Setting::ForgottenClients(self.clients.iter().map(client).collect())
    }
}

/// Stands for a refund script.
fn hash(script: &[u8]) -> [u8; 32] {
    sha256::Hash::hash(script).to_byte_array()
}
