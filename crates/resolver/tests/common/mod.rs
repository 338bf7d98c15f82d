//! A channel between us and a peer whose keys the tests have, a chain, and a wallet.
#![allow(dead_code, unreachable_pub)]

pub mod chain;
pub mod fate;
pub mod ldk;
pub mod live;
pub mod observer;
pub mod random;
pub mod signed;
pub mod wallet;

use bitcoin::absolute::LockTime;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{All, PublicKey, Secp256k1};
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Transaction, TxIn, TxOut, WPubkeyHash};
use lightning::chain::transaction::OutPoint as LdkOutPoint;
use lightning::ln::chan_utils::{
    ChannelPublicKeys, ChannelTransactionParameters, CommitmentTransaction,
    CounterpartyChannelTransactionParameters, HTLCOutputInCommitment, HolderCommitmentTransaction,
    make_funding_redeemscript,
};
use lightning::ln::types::ChannelId;
use lightning::sign::ecdsa::EcdsaChannelSigner;
use lightning::sign::{
    ChannelSigner, InMemorySigner, KeysManager, NodeSigner, Recipient, SignerProvider,
};
use lightning::types::features::ChannelTypeFeatures;
use steward_resolver::*;
use steward_wire::{LinkId, NodeId, PaymentHash, Preimage};

pub const KEYS_ID: u64 = 1;
pub const FUNDING_SAT: u64 = 1_000_000;
pub const FEERATE: u32 = 2_500;
/// LDK's number of the first commitment.
pub const FIRST: u64 = (1 << 48) - 1;

pub fn preimage(of: u8) -> Preimage {
    Preimage([of; 32])
}

pub fn hash(of: u8) -> PaymentHash {
    PaymentHash(sha256::Hash::hash(&[of; 32]).to_byte_array())
}

pub fn outgoing(id: u64, sat: u64, cltv_expiry: u32, of: u8) -> CommitmentHtlc {
    htlc(Direction::Outgoing, id, sat, cltv_expiry, of)
}

pub fn incoming(id: u64, sat: u64, cltv_expiry: u32, of: u8) -> CommitmentHtlc {
    htlc(Direction::Incoming, id, sat, cltv_expiry, of)
}

fn htlc(direction: Direction, id: u64, sat: u64, cltv_expiry: u32, of: u8) -> CommitmentHtlc {
    let terms = HtlcTerms {
        direction,
        amount_msat: sat * 1000,
        cltv_expiry,
        payment_hash: hash(of),
        output_index: None,
    };
    CommitmentHtlc { id, terms }
}

/// Both sides of a channel.
pub struct Pair {
    pub secp: Secp256k1<All>,
    pub keys: ChannelKeys,
    pub ours: InMemorySigner,
    pub theirs: InMemorySigner,
    pub peer: NodeId,
    pub funding: Transaction,
    pub parameters: Parameters,
}

/// The delays that we and the peer put on each other.
const DELAYS: [u16; 2] = [144, 130];

fn side(keys: &ChannelPublicKeys, to_self_delay_blocks: u16) -> SideParameters {
    SideParameters {
        funding_key: keys.funding_pubkey,
        revocation_basepoint: keys.revocation_basepoint.to_public_key(),
        payment_basepoint: keys.payment_point,
        delayed_payment_basepoint: keys.delayed_payment_basepoint.to_public_key(),
        htlc_basepoint: keys.htlc_basepoint.to_public_key(),
        to_self_delay_blocks,
    }
}

pub fn destination() -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([5; 20]))
}

impl Pair {
    pub fn new() -> Self {
        let secp = Secp256k1::new();
        let keys = ChannelKeys::new(&[7; 32]);
        let peer_keys = KeysManager::new(&[9; 32], 2, 2, true);
        let ours = keys.derive(KEYS_ID).unwrap();
        let theirs = peer_keys.derive_channel_signer([3; 32]);
        let (our_keys, their_keys) = (ours.pubkeys(&secp), theirs.pubkeys(&secp));
        let script =
            make_funding_redeemscript(&our_keys.funding_pubkey, &their_keys.funding_pubkey)
                .to_p2wsh();
        let funding = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn::default()],
            output: vec![TxOut { value: Amount::from_sat(FUNDING_SAT), script_pubkey: script }],
        };
        let parameters = Parameters {
            funding: OutPoint { txid: funding.compute_txid(), vout: 0 },
            funding_sat: FUNDING_SAT,
            is_funder: false,
            local: side(&our_keys, DELAYS[0]),
            remote: side(&their_keys, DELAYS[1]),
        };
        let peer = peer_keys.get_node_id(Recipient::Node).unwrap().serialize();
        Self { secp, keys, ours, theirs, peer: NodeId(peer), funding, parameters }
    }

    /// Returns the channel's parameters as one side has them.
    pub fn ldk_parameters(&self, is_ours: bool) -> ChannelTransactionParameters {
        let mut features = ChannelTypeFeatures::empty();
        features.set_static_remote_key_required();
        features.set_anchors_zero_fee_htlc_tx_required();
        let (mut me, mut other) = (self.ours.pubkeys(&self.secp), self.theirs.pubkeys(&self.secp));
        let [mut own_delay, mut other_delay] = DELAYS;
        if !is_ours {
            std::mem::swap(&mut me, &mut other);
            std::mem::swap(&mut own_delay, &mut other_delay);
        }
        ChannelTransactionParameters {
            holder_pubkeys: me,
            holder_selected_contest_delay: own_delay,
            is_outbound_from_holder: !is_ours,
            counterparty_parameters: Some(CounterpartyChannelTransactionParameters {
                pubkeys: other,
                selected_contest_delay: other_delay,
            }),
            funding_outpoint: Some(LdkOutPoint { txid: self.funding.compute_txid(), index: 0 }),
            splice_parent_funding_txid: None,
            channel_type_features: features,
            channel_value_satoshis: FUNDING_SAT,
        }
    }

    /// Returns the point of a commitment of the peer.
    pub fn point(&self, number: u64) -> PublicKey {
        self.theirs.get_per_commitment_point(FIRST - number, &self.secp).unwrap()
    }

    /// Returns the secrets with which the peer revoked all commitments before `number`.
    pub fn secrets(&self, number: u64) -> Vec<RevocationSecret> {
        let mut buckets = std::collections::BTreeMap::new();
        for number in 0..number {
            let secret = self.theirs.release_commitment_secret(FIRST - number).unwrap();
            buckets.insert((FIRST - number).trailing_zeros(), RevocationSecret { number, secret });
        }
        buckets.into_values().collect()
    }

    fn build(&self, content: &Commitment, is_ours: bool) -> CommitmentTransaction {
        let number = FIRST - content.number;
        let point = if is_ours {
            self.ours.get_per_commitment_point(number, &self.secp).unwrap()
        } else {
            self.point(content.number)
        };
        let htlcs = content
            .htlcs
            .iter()
            .filter(|htlc| htlc.terms.amount_msat >= 354_000)
            .map(|htlc| HTLCOutputInCommitment {
                offered: (htlc.terms.direction == Direction::Outgoing) == is_ours,
                amount_msat: htlc.terms.amount_msat,
                cltv_expiry: htlc.terms.cltv_expiry,
                payment_hash: lightning::types::payment::PaymentHash(htlc.terms.payment_hash.0),
                transaction_output_index: None,
            })
            .collect();
        let parameters = self.ldk_parameters(is_ours);
        let (own, other) = if is_ours {
            (content.local_sat, content.remote_sat)
        } else {
            (content.remote_sat, content.local_sat)
        };
        let directed = parameters.as_holder_broadcastable();
        CommitmentTransaction::new(
            number, &point, own, other, FEERATE, htlcs, &directed, &self.secp,
        )
    }

    /// Makes the content of a commitment. HTLCs below the dust limit have no output.
    pub fn content(
        &self,
        is_ours: bool,
        number: u64,
        (local_sat, remote_sat): (u64, u64),
        htlcs: &[CommitmentHtlc],
    ) -> Commitment {
        let mut content = Commitment {
            number,
            feerate_per_kw: FEERATE,
            local_sat,
            remote_sat,
            htlcs: htlcs.to_vec(),
        };
        let built = self.build(&content, is_ours);
        let mut left = built.nondust_htlcs().to_vec();
        for htlc in &mut content.htlcs {
            let same = |one: &HTLCOutputInCommitment| {
                let is_outgoing = one.offered == is_ours;
                one.payment_hash.0 == htlc.terms.payment_hash.0
                    && one.amount_msat == htlc.terms.amount_msat
                    && one.cltv_expiry == htlc.terms.cltv_expiry
                    && is_outgoing == (htlc.terms.direction == Direction::Outgoing)
            };
            if let Some(at) = left.iter().position(same) {
                htlc.terms.output_index = left.remove(at).transaction_output_index;
            }
        }
        content
    }

    fn signed_by_other(&self, content: &Commitment, is_ours: bool) -> HolderCommitmentTransaction {
        let built = self.build(content, is_ours);
        let signer = if is_ours { &self.theirs } else { &self.ours };
        let (signature, htlc_signatures) = signer
            .sign_counterparty_commitment(
                &self.ldk_parameters(!is_ours),
                &built,
                vec![],
                vec![],
                &self.secp,
            )
            .unwrap();
        let parameters = self.ldk_parameters(is_ours);
        let other = parameters.counterparty_parameters.as_ref().unwrap().pubkeys.funding_pubkey;
        HolderCommitmentTransaction::new(
            built,
            signature,
            htlc_signatures,
            &parameters.holder_pubkeys.funding_pubkey,
            &other,
        )
    }

    /// Makes a commitment of ours.
    pub fn local(&self, number: u64, sat: (u64, u64), htlcs: &[CommitmentHtlc]) -> LocalCommitment {
        let content = self.content(true, number, sat, htlcs);
        let holder = self.signed_by_other(&content, true);
        LocalCommitment {
            content,
            signature: holder.counterparty_sig,
            htlc_signatures: holder.counterparty_htlc_sigs.clone(),
        }
    }

    /// Makes a commitment of the peer.
    pub fn remote(
        &self,
        number: u64,
        sat: (u64, u64),
        htlcs: &[CommitmentHtlc],
    ) -> RemoteCommitment {
        let content = self.content(false, number, sat, htlcs);
        let txid = self.build(&content, false).trust().txid();
        RemoteCommitment { content, point: self.point(number), txid }
    }

    /// Returns a commitment as its owner publishes it.
    pub fn published(&self, content: &Commitment, is_ours: bool) -> Transaction {
        let holder = self.signed_by_other(content, is_ours);
        let signer = if is_ours { &self.ours } else { &self.theirs };
        let parameters = self.ldk_parameters(is_ours);
        let own = signer.sign_holder_commitment(&parameters, &holder, &self.secp).unwrap();
        let me = parameters.holder_pubkeys.funding_pubkey;
        let other = parameters.counterparty_parameters.as_ref().unwrap().pubkeys.funding_pubkey;
        let mut transaction = holder.trust().built_transaction().transaction.clone();
        let (first, second) = if me.serialize() < other.serialize() {
            (own, holder.counterparty_sig)
        } else {
            (holder.counterparty_sig, own)
        };
        let witness = &mut transaction.input[0].witness;
        witness.push([]);
        for signature in [first, second] {
            witness.push_ecdsa_signature(&bitcoin::ecdsa::Signature::sighash_all(signature));
        }
        witness.push(make_funding_redeemscript(&me, &other));
        transaction
    }

    /// Returns a record whose commitments of both sides have number 1, the ones before being revoked.
    pub fn record(&self, local: LocalCommitment, remote: RemoteCommitment) -> ChannelAtDeath {
        let secrets = self.secrets(remote.content.number);
        let funding = LdkOutPoint { txid: self.funding.compute_txid(), index: 0 };
        ChannelAtDeath {
            link: LinkId(ChannelId::v1_from_funding_outpoint(funding).0),
            peer: self.peer,
            keys_id: KEYS_ID,
            parameters: self.parameters.clone(),
            may_publish: true,
            local,
            remote,
            remote_previous: None,
            revoked: None,
            secrets,
            preimages: vec![],
            fulfilled: vec![],
            best_block: chain::start(),
            destination: destination(),
        }
    }

    /// Returns a record with an outgoing HTLC of 50 000 sat (id 77, preimage 1, expiry 300) and an
    /// incoming one of 40 000 sat (id 5, preimage 2, expiry 400), on both sides.
    pub fn with_htlcs(&self) -> ChannelAtDeath {
        let htlcs = [outgoing(77, 50_000, 300, 1), incoming(5, 40_000, 400, 2)];
        let local = self.local(1, (350_000, 540_000), &htlcs);
        let remote = self.remote(1, (350_000, 540_000), &htlcs);
        self.record(local, remote)
    }
}
