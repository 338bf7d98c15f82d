//! The cross-signed state: its bytes (docs/protocol.md section 1.4), its hash (section 2.1), its
//! mirror image (section 2.3), and the state that follows it (section 3.1).

use bitcoin::secp256k1::SecretKey;

use super::bytes::{Reader, push_big_size};
use super::crypto::{Id, id_of, is_signed_by, sha256, sign};

/// One side's copy of the state both have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) is_host: bool,
    pub(crate) refund_scriptpubkey: Vec<u8>,
    /// The body of `init_hosted_channel`, verbatim.
    pub(crate) init: Vec<u8>,
    pub(crate) block_day: u32,
    pub(crate) local_balance_msat: u64,
    pub(crate) remote_balance_msat: u64,
    pub(crate) local_updates: u32,
    pub(crate) remote_updates: u32,
    pub(crate) incoming: Vec<Htlc>,
    pub(crate) outgoing: Vec<Htlc>,
    pub(crate) remote_sig_of_local: [u8; 64],
    pub(crate) local_sig_of_remote: [u8; 64],
}

/// The body of an `update_add_htlc`, verbatim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Htlc(pub(crate) Vec<u8>);

/// One counted change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Update {
    Add(Htlc),
    Fulfill { id: u64, preimage: [u8; 32] },
    Fail { id: u64, reason: Vec<u8> },
}

impl Htlc {
    const TLVS_AT: usize = 1450;

    pub(crate) fn channel_id(&self) -> [u8; 32] {
        self.0[..32].try_into().unwrap()
    }

    pub(crate) fn id(&self) -> u64 {
        u64::from_be_bytes(self.0[32..40].try_into().unwrap())
    }

    pub(crate) fn amount_msat(&self) -> u64 {
        u64::from_be_bytes(self.0[40..48].try_into().unwrap())
    }

    pub(crate) fn payment_hash(&self) -> [u8; 32] {
        self.0[48..80].try_into().unwrap()
    }

    pub(crate) fn cltv_expiry(&self) -> u32 {
        u32::from_be_bytes(self.0[80..84].try_into().unwrap())
    }

    pub(crate) fn onion(&self) -> &[u8; 1366] {
        self.0[84..Self::TLVS_AT].try_into().unwrap()
    }

    pub(crate) fn tlvs(&self) -> &[u8] {
        &self.0[Self::TLVS_AT..]
    }
}

impl State {
    /// Reads the body of `last_cross_signed_state`.
    pub(crate) fn read(body: &[u8]) -> Self {
        let mut reader = Reader::new(body);
        let is_host = match reader.u8() {
            0xff => true,
            0x00 => false,
            other => panic!("is_host is {other:02x}"),
        };
        let len = usize::from(reader.u16());
        let refund_scriptpubkey = reader.take(len).to_vec();
        let len = reader.big_size();
        let init = reader.take(len).to_vec();
        let state = Self {
            is_host,
            refund_scriptpubkey,
            init,
            block_day: reader.u32(),
            local_balance_msat: reader.u64(),
            remote_balance_msat: reader.u64(),
            local_updates: reader.u32(),
            remote_updates: reader.u32(),
            incoming: read_htlcs(&mut reader),
            outgoing: read_htlcs(&mut reader),
            remote_sig_of_local: reader.array(),
            local_sig_of_remote: reader.array(),
        };
        reader.end();
        state
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut body = vec![if self.is_host { 0xff } else { 0x00 }];
        body.extend(u16::try_from(self.refund_scriptpubkey.len()).unwrap().to_be_bytes());
        body.extend(&self.refund_scriptpubkey);
        push_big_size(&mut body, self.init.len());
        body.extend(&self.init);
        body.extend(self.block_day.to_be_bytes());
        body.extend(self.local_balance_msat.to_be_bytes());
        body.extend(self.remote_balance_msat.to_be_bytes());
        body.extend(self.local_updates.to_be_bytes());
        body.extend(self.remote_updates.to_be_bytes());
        for htlcs in [&self.incoming, &self.outgoing] {
            body.extend(u16::try_from(htlcs.len()).unwrap().to_be_bytes());
            for htlc in htlcs {
                push_big_size(&mut body, htlc.0.len());
                body.extend(&htlc.0);
            }
        }
        body.extend(self.remote_sig_of_local);
        body.extend(self.local_sig_of_remote);
        body
    }

    /// Returns the hash that the other side signs. Numbers are little-endian, the host flag is 01
    /// and not ff.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut blob = self.refund_scriptpubkey.clone();
        blob.extend(self.capacity_msat().to_le_bytes());
        blob.extend(self.initial_client_balance_msat().to_le_bytes());
        blob.extend(self.block_day.to_le_bytes());
        blob.extend(self.local_balance_msat.to_le_bytes());
        blob.extend(self.remote_balance_msat.to_le_bytes());
        blob.extend(self.local_updates.to_le_bytes());
        blob.extend(self.remote_updates.to_le_bytes());
        for htlc in self.incoming.iter().chain(&self.outgoing) {
            blob.extend(&htlc.0);
        }
        blob.push(u8::from(self.is_host));
        sha256(&blob)
    }

    /// Returns the other side's copy.
    pub(crate) fn reverse(&self) -> Self {
        Self {
            is_host: !self.is_host,
            refund_scriptpubkey: self.refund_scriptpubkey.clone(),
            init: self.init.clone(),
            block_day: self.block_day,
            local_balance_msat: self.remote_balance_msat,
            remote_balance_msat: self.local_balance_msat,
            local_updates: self.remote_updates,
            remote_updates: self.local_updates,
            incoming: self.outgoing.clone(),
            outgoing: self.incoming.clone(),
            remote_sig_of_local: self.local_sig_of_remote,
            local_sig_of_remote: self.remote_sig_of_local,
        }
    }

    /// Returns this state after updates of both sides: all adds, then all settlements. Unsigned.
    pub(crate) fn after(&self, own: &[Update], peer: &[Update]) -> Self {
        let mut next = self.clone();
        next.local_updates += u32::try_from(own.len()).unwrap();
        next.remote_updates += u32::try_from(peer.len()).unwrap();
        next.remote_sig_of_local = [0; 64];
        next.local_sig_of_remote = [0; 64];
        for htlc in adds(own) {
            spend(&mut next.local_balance_msat, htlc);
            next.outgoing.push(htlc.clone());
        }
        for htlc in adds(peer) {
            spend(&mut next.remote_balance_msat, htlc);
            next.incoming.push(htlc.clone());
        }
        for update in own {
            match update {
                Update::Add(_) => {}
                Update::Fulfill { id, .. } => {
                    next.local_balance_msat += remove(&mut next.incoming, *id).amount_msat();
                }
                Update::Fail { id, .. } => {
                    next.remote_balance_msat += remove(&mut next.incoming, *id).amount_msat();
                }
            }
        }
        for update in peer {
            match update {
                Update::Add(_) => {}
                Update::Fulfill { id, .. } => {
                    next.remote_balance_msat += remove(&mut next.outgoing, *id).amount_msat();
                }
                Update::Fail { id, .. } => {
                    next.local_balance_msat += remove(&mut next.outgoing, *id).amount_msat();
                }
            }
        }
        next.incoming.sort_by_key(Htlc::id);
        next.outgoing.sort_by_key(Htlc::id);
        next
    }

    /// Signs the other side's copy.
    pub(crate) fn sign(&mut self, key: &SecretKey) {
        self.local_sig_of_remote = sign(key, self.reverse().hash());
    }

    /// Checks both signatures of our own copy, `remote`'s and the one `key` once gave.
    pub(crate) fn check_signatures(&self, key: &SecretKey, remote: &Id) {
        let ours = self.hash();
        assert!(is_signed_by(remote, ours, &self.remote_sig_of_local), "the host's signature");
        let theirs = self.reverse().hash();
        assert!(is_signed_by(&id_of(key), theirs, &self.local_sig_of_remote), "our own signature");
    }

    pub(crate) fn capacity_msat(&self) -> u64 {
        u64::from_be_bytes(self.init[18..26].try_into().unwrap())
    }

    pub(crate) fn initial_client_balance_msat(&self) -> u64 {
        u64::from_be_bytes(self.init[26..34].try_into().unwrap())
    }
}

fn read_htlcs(reader: &mut Reader<'_>) -> Vec<Htlc> {
    let count = reader.u16();
    let htlc = |_| {
        let len = reader.big_size();
        Htlc(reader.take(len).to_vec())
    };
    (0..count).map(htlc).collect()
}

fn adds(updates: &[Update]) -> impl Iterator<Item = &Htlc> {
    updates.iter().filter_map(|update| match update {
        Update::Add(htlc) => Some(htlc),
        Update::Fulfill { .. } | Update::Fail { .. } => None,
    })
}

fn spend(balance_msat: &mut u64, htlc: &Htlc) {
    *balance_msat = balance_msat.checked_sub(htlc.amount_msat()).expect("enough balance");
}

fn remove(htlcs: &mut Vec<Htlc>, id: u64) -> Htlc {
    let position = htlcs.iter().position(|htlc| htlc.id() == id).expect("a known HTLC");
    htlcs.remove(position)
}
