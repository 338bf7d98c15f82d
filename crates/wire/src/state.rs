//! `last_cross_signed_state`: the signed record of a channel, its hash, `reverse`, signing and
//! verifying (docs/protocol.md sections 1.4 and 2).

use bitcoin::hashes::{Hash, HashEngine, sha256};
use bitcoin::secp256k1::{Message as SecpMessage, PublicKey, SECP256K1};

use crate::bolt2::UpdateAddHtlc;
use crate::codec::{
    DecodeError, Reader, Wire, bigsize_len, put_bigsize, put_bool8, put_list, put_var_bigsize,
    put_var_u16,
};
use crate::identity::Identity;
use crate::ids::Signature;
use crate::limits::{ADD_FIXED_BYTES, INIT_FIXED_BYTES, STATE_FIXED_BYTES};
use crate::terms::InitHostedChannel;

/// 65531: a state of the channel from its holder's point of view. With both signatures valid it
/// proves to anyone what each side owes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastCrossSignedState {
    /// True if the holder of this copy is the host.
    pub is_host: bool,
    /// The script to which the client is refunded on chain if the host winds down.
    pub last_refund_scriptpubkey: Vec<u8>,
    /// The terms that both sides agreed to. Only capacity and initial balance are signed.
    pub init_hosted_channel: InitHostedChannel,
    /// The height when it was signed, divided by 144.
    pub block_day: u32,
    /// The holder's balance, in millisatoshi.
    pub local_balance_msat: u64,
    /// The other side's balance, in millisatoshi.
    pub remote_balance_msat: u64,
    /// The number of updates that the holder has sent.
    pub local_updates: u32,
    /// The number of updates that the other side has sent.
    pub remote_updates: u32,
    /// The HTLCs offered to the holder, in the order in which they are signed: ascending by id.
    pub incoming_htlcs: Vec<UpdateAddHtlc>,
    /// The HTLCs offered by the holder, in the same order.
    pub outgoing_htlcs: Vec<UpdateAddHtlc>,
    /// The other side's signature over this copy.
    pub remote_sig_of_local: Signature,
    /// The holder's signature over the other side's copy.
    pub local_sig_of_remote: Signature,
}

impl LastCrossSignedState {
    /// Returns the same state as the other side holds it.
    pub fn reverse(&self) -> Self {
        Self {
            is_host: !self.is_host,
            last_refund_scriptpubkey: self.last_refund_scriptpubkey.clone(),
            init_hosted_channel: self.init_hosted_channel.clone(),
            block_day: self.block_day,
            local_balance_msat: self.remote_balance_msat,
            remote_balance_msat: self.local_balance_msat,
            local_updates: self.remote_updates,
            remote_updates: self.local_updates,
            incoming_htlcs: self.outgoing_htlcs.clone(),
            outgoing_htlcs: self.incoming_htlcs.clone(),
            remote_sig_of_local: self.local_sig_of_remote,
            local_sig_of_remote: self.remote_sig_of_local,
        }
    }

    /// Returns the hash that [`Self::remote_sig_of_local`] covers: a single SHA-256, with numbers
    /// in little-endian (docs/protocol.md section 2.1).
    pub fn sighash(&self) -> [u8; 32] {
        self.hash_as(false)
    }

    /// Returns the hash of [`Self::reverse`], which [`Self::local_sig_of_remote`] covers.
    pub fn reverse_sighash(&self) -> [u8; 32] {
        self.hash_as(true)
    }

    fn hash_as(&self, reversed: bool) -> [u8; 32] {
        let mut balances = [self.local_balance_msat, self.remote_balance_msat];
        let mut updates = [self.local_updates, self.remote_updates];
        let mut htlcs = [&self.incoming_htlcs, &self.outgoing_htlcs];
        if reversed {
            balances.reverse();
            updates.reverse();
            htlcs.reverse();
        }

        let mut engine = sha256::Hash::engine();
        engine.input(&self.last_refund_scriptpubkey);
        engine.input(&self.init_hosted_channel.channel_capacity_msat.to_le_bytes());
        engine.input(&self.init_hosted_channel.initial_client_balance_msat.to_le_bytes());
        engine.input(&self.block_day.to_le_bytes());
        balances.iter().for_each(|balance_msat| engine.input(&balance_msat.to_le_bytes()));
        updates.iter().for_each(|counter| engine.input(&counter.to_le_bytes()));
        let mut add_bytes = Vec::new();
        for add in htlcs.into_iter().flatten() {
            add_bytes.clear();
            add.write(&mut add_bytes);
            engine.input(&add_bytes);
        }
        engine.input(&[u8::from(self.is_host != reversed)]);
        sha256::Hash::from_engine(engine).to_byte_array()
    }

    /// Signs the other side's copy: the signature that belongs in `state_update` and in
    /// [`Self::local_sig_of_remote`]. It is deterministic (RFC 6979) and low-S.
    pub fn sign_remote(&self, local: &dyn Identity) -> Signature {
        Self::sign_hash(self.reverse_sighash(), local)
    }

    /// Signs as [`Self::sign_remote`] does, when [`Self::reverse_sighash`] is known already: hashing
    /// a state with all HTLCs in flight takes as long as signing the hash.
    pub fn sign_hash(reverse_sighash: [u8; 32], local: &dyn Identity) -> Signature {
        local.sign_state(reverse_sighash)
    }

    /// Returns true if `remote` signed this copy.
    pub fn verify_remote_sig(&self, remote: &PublicKey) -> bool {
        verify(self.sighash(), &self.remote_sig_of_local, remote)
    }

    /// Returns true if `local`, the holder of this copy, signed the other side's copy.
    pub fn verify_local_sig(&self, local: &PublicKey) -> bool {
        verify(self.reverse_sighash(), &self.local_sig_of_remote, local)
    }

    /// Returns true if balances and HTLCs add up to the capacity exactly.
    pub fn is_balanced(&self) -> bool {
        self.incoming_htlcs
            .iter()
            .chain(&self.outgoing_htlcs)
            .map(|add| add.amount_msat)
            .chain([self.local_balance_msat, self.remote_balance_msat])
            .try_fold(0u64, u64::checked_add)
            == Some(self.init_hosted_channel.channel_capacity_msat)
    }

    /// Sorts both lists into the order in which states are built and signed: ascending by id. A
    /// received state is hashed in the order received and sorted afterwards (docs/protocol.md
    /// section 2.2).
    pub fn sort_htlcs(&mut self) {
        self.incoming_htlcs.sort_by_key(|add| add.id);
        self.outgoing_htlcs.sort_by_key(|add| add.id);
    }

    /// Returns the length of the encoded body, in bytes.
    pub fn encoded_len(&self) -> usize {
        let init_len = INIT_FIXED_BYTES + 2 * self.init_hosted_channel.features.len();
        let htlcs = self.incoming_htlcs.iter().chain(&self.outgoing_htlcs);
        let htlcs_len: usize =
            htlcs.map(UpdateAddHtlc::encoded_len).map(|len| bigsize_len(len as u64) + len).sum();
        STATE_FIXED_BYTES
            + self.last_refund_scriptpubkey.len()
            + bigsize_len(init_len as u64)
            + init_len
            + htlcs_len
    }
}

impl Wire for LastCrossSignedState {
    fn write(&self, out: &mut Vec<u8>) {
        out.reserve(self.encoded_len());
        put_bool8(out, self.is_host);
        put_var_u16(out, &self.last_refund_scriptpubkey);
        put_var_bigsize(out, &self.init_hosted_channel.encode());
        out.extend_from_slice(&self.block_day.to_be_bytes());
        out.extend_from_slice(&self.local_balance_msat.to_be_bytes());
        out.extend_from_slice(&self.remote_balance_msat.to_be_bytes());
        out.extend_from_slice(&self.local_updates.to_be_bytes());
        out.extend_from_slice(&self.remote_updates.to_be_bytes());
        for htlcs in [&self.incoming_htlcs, &self.outgoing_htlcs] {
            put_list(out, htlcs, |add, out| {
                put_bigsize(out, add.encoded_len() as u64);
                add.write(out);
            });
        }
        out.extend_from_slice(&self.remote_sig_of_local.0);
        out.extend_from_slice(&self.local_sig_of_remote.0);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            is_host: reader.bool8()?,
            last_refund_scriptpubkey: reader.var_u16()?.to_vec(),
            init_hosted_channel: InitHostedChannel::decode(reader.var_bigsize()?)?,
            block_day: reader.u32()?,
            local_balance_msat: reader.msat()?,
            remote_balance_msat: reader.msat()?,
            local_updates: reader.u32()?,
            remote_updates: reader.u32()?,
            incoming_htlcs: read_htlcs(reader)?,
            outgoing_htlcs: read_htlcs(reader)?,
            remote_sig_of_local: reader.signature()?,
            local_sig_of_remote: reader.signature()?,
        })
    }
}

fn read_htlcs(reader: &mut Reader<'_>) -> Result<Vec<UpdateAddHtlc>, DecodeError> {
    reader.list(ADD_FIXED_BYTES, |reader| UpdateAddHtlc::decode(reader.var_bigsize()?))
}

fn verify(hash: [u8; 32], signature: &Signature, key: &PublicKey) -> bool {
    signature.to_ecdsa().is_some_and(|signature| {
        SECP256K1.verify_ecdsa(&SecpMessage::from_digest(hash), &signature, key).is_ok()
    })
}
