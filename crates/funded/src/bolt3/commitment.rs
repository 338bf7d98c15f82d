//! A commitment transaction and those of its HTLCs: built, and the peer's signatures on them
//! verified. We never sign our own commitment here: only what resolves a dead channel does.

use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{Message, PublicKey, Secp256k1};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::{Transaction, Txid};
use lightning::ln::chan_utils::{
    CommitmentTransaction, HTLCOutputInCommitment, build_htlc_transaction, get_htlc_redeemscript,
};
use lightning_types::payment::PaymentHash as LdkPaymentHash;
use steward_wire::{Signature, impossible};

use super::contents::{CommitmentHtlc, Contents, HtlcKey};
use super::fees::Format;
use super::parameters::{Parameters, Side};
use crate::limits::MAX_COMMITMENT_NUMBER;

/// A signature that does not fit its transaction, or is not one; or one too few or too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signature does not fit its transaction")]
pub struct BadSignature;

/// One commitment of one side.
#[derive(Clone, Debug)]
pub struct Commitment<'a> {
    /// The channel.
    pub parameters: &'a Parameters,
    /// The side that can publish it.
    pub owner: Side,
    /// Its number, counted up from 0.
    pub number: u64,
    /// The owner's per-commitment point for it.
    pub point: PublicKey,
    /// What it holds.
    pub contents: &'a Contents,
}

/// A commitment as a transaction, not signed.
#[derive(Clone, Debug)]
pub struct BuiltCommitment {
    ldk: CommitmentTransaction,
    outputs: Vec<(CommitmentHtlc, Option<u32>)>,
}

impl Commitment<'_> {
    /// Builds the transaction.
    pub fn build(&self) -> BuiltCommitment {
        let parameters = self.parameters.to_ldk();
        let directed = match self.owner {
            Side::Local => parameters.as_holder_broadcastable(),
            Side::Remote => parameters.as_counterparty_broadcastable(),
        };
        let (to_owner_sat, to_other_sat) = self.outputs_sat();
        let ldk = CommitmentTransaction::new(
            ldk_number(self.number),
            &self.point,
            to_owner_sat,
            to_other_sat,
            self.contents.feerate_per_kw,
            self.untrimmed().map(|htlc| self.htlc_to_ldk(htlc)).collect(),
            &directed,
            &Secp256k1::new(),
        );
        let outputs = self.find_outputs(&ldk);
        BuiltCommitment { ldk, outputs }
    }

    fn dust_limit_sat(&self) -> u64 {
        self.parameters.terms(self.owner).dust_limit_sat
    }

    fn untrimmed(&self) -> impl Iterator<Item = &CommitmentHtlc> {
        let (format, dust) = (self.parameters.format, self.dust_limit_sat());
        let contents = self.contents;
        contents
            .htlcs
            .iter()
            .filter(move |htlc| !contents.is_trimmed(htlc, format, self.owner, dust))
    }

    /// The outputs of owner and other side, in satoshi; zero if there is none. The funder pays the
    /// fee and the anchors, as far as its balance goes.
    fn outputs_sat(&self) -> (u64, u64) {
        let Parameters { format, funder, .. } = self.parameters;
        let dust = self.dust_limit_sat();
        let outputs = self.contents.outputs(*format, self.owner, dust);
        let cost = format
            .commitment_fee_sat(self.contents.feerate_per_kw, outputs)
            .saturating_add(format.anchors_sat());
        let of = |side: Side| {
            let balance = self.contents.balance_msat(side) / 1_000;
            let left = if side == *funder { balance.saturating_sub(cost) } else { balance };
            if left < dust { 0 } else { left }
        };
        (of(self.owner), of(self.owner.other()))
    }

    fn htlc_to_ldk(&self, htlc: &CommitmentHtlc) -> HTLCOutputInCommitment {
        HTLCOutputInCommitment {
            offered: htlc.key.offered_by == self.owner,
            amount_msat: htlc.amount_msat,
            cltv_expiry: htlc.cltv_expiry,
            payment_hash: LdkPaymentHash(htlc.payment_hash.0),
            transaction_output_index: None,
        }
    }

    /// Finds the output of each HTLC. HTLCs that are equal in all that an output shows may change
    /// places: their outputs are worth the same to both sides.
    fn find_outputs(&self, ldk: &CommitmentTransaction) -> Vec<(CommitmentHtlc, Option<u32>)> {
        let mut free: Vec<&HTLCOutputInCommitment> = ldk.nondust_htlcs().iter().collect();
        let (format, dust) = (self.parameters.format, self.dust_limit_sat());
        let mut outputs = Vec::with_capacity(self.contents.htlcs.len());
        for htlc in &self.contents.htlcs {
            let mut index = None;
            if !self.contents.is_trimmed(htlc, format, self.owner, dust) {
                let wanted = self.htlc_to_ldk(htlc);
                let is_same = |other: &&HTLCOutputInCommitment| {
                    let other = (*other).clone();
                    HTLCOutputInCommitment { transaction_output_index: None, ..other } == wanted
                };
                match free.iter().position(is_same) {
                    Some(at) => index = free.swap_remove(at).transaction_output_index,
                    None => impossible!("an HTLC that is not trimmed has no output"),
                }
            }
            outputs.push((*htlc, index));
        }
        outputs
    }
}

impl BuiltCommitment {
    /// Returns the id of the transaction.
    pub fn txid(&self) -> Txid {
        self.ldk.trust().txid()
    }

    /// Returns the transaction, without its witness.
    pub fn transaction(&self) -> Transaction {
        self.ldk.trust().built_transaction().transaction.clone()
    }

    /// Returns the commitment in LDK's form, for its signer and its monitor.
    pub fn to_ldk(&self) -> &CommitmentTransaction {
        &self.ldk
    }

    /// Returns the output of the commitment's owner, in satoshi; zero if there is none.
    pub fn to_owner_sat(&self) -> u64 {
        self.ldk.to_broadcaster_value_sat()
    }

    /// Returns the output of the other side, in satoshi; zero if there is none.
    pub fn to_other_sat(&self) -> u64 {
        self.ldk.to_countersignatory_value_sat()
    }

    /// Returns each HTLC and its output's index: `None` if it is too small for one.
    pub fn htlcs(&self) -> &[(CommitmentHtlc, Option<u32>)] {
        &self.outputs
    }

    /// Returns the names of the HTLCs in the order of their signatures, which is that of their
    /// outputs.
    pub fn signature_order(&self) -> Vec<HtlcKey> {
        let mut keys: Vec<(u32, HtlcKey)> =
            self.outputs.iter().filter_map(|(htlc, index)| Some(((*index)?, htlc.key))).collect();
        keys.sort_unstable();
        keys.into_iter().map(|(_, key)| key).collect()
    }

    /// Returns the transactions that spend the outputs of HTLCs, without witness, in the order of
    /// the outputs. Their delay is the one that the other side has put on the owner.
    pub fn htlc_transactions(&self, parameters: &Parameters, owner: Side) -> Vec<Transaction> {
        let delay = parameters.terms(owner.other()).to_self_delay;
        let trusted = self.ldk.trust();
        let keys = trusted.keys();
        let build = |htlc: &HTLCOutputInCommitment| {
            build_htlc_transaction(
                &trusted.txid(),
                trusted.negotiated_feerate_per_kw(),
                delay,
                htlc,
                trusted.channel_type_features(),
                &keys.broadcaster_delayed_payment_key,
                &keys.revocation_key,
            )
        };
        self.ldk.nondust_htlcs().iter().map(build).collect()
    }

    /// Checks the other side's signatures on the commitment and on the transactions of its HTLCs.
    ///
    /// # Errors
    /// [`BadSignature`] if one does not fit, or there are too few or too many.
    pub fn verify(
        &self,
        parameters: &Parameters,
        owner: Side,
        signature: &Signature,
        htlc_signatures: &[Signature],
    ) -> Result<(), BadSignature> {
        let secp = Secp256k1::verification_only();
        let trusted = self.ldk.trust();
        let digest = trusted
            .built_transaction()
            .get_sighash_all(&parameters.funding_witness_script(), parameters.funding_sat);
        let signer = &parameters.terms(owner.other()).basepoints;
        let parsed = signature.to_ecdsa().ok_or(BadSignature)?;
        secp.verify_ecdsa(&digest, &parsed, &signer.funding).map_err(|_| BadSignature)?;
        let htlcs = self.ldk.nondust_htlcs();
        if htlcs.len() != htlc_signatures.len() {
            return Err(BadSignature);
        }
        let keys = trusted.keys();
        let kind = match parameters.format {
            Format::StaticRemotekey => EcdsaSighashType::All,
            Format::Anchors => EcdsaSighashType::SinglePlusAnyoneCanPay,
        };
        let transactions = self.htlc_transactions(parameters, owner);
        for ((htlc, transaction), signature) in htlcs.iter().zip(&transactions).zip(htlc_signatures)
        {
            let script = get_htlc_redeemscript(htlc, trusted.channel_type_features(), keys);
            let digest = SighashCache::new(transaction)
                .p2wsh_signature_hash(0, &script, htlc.to_bitcoin_amount(), kind)
                .map_err(|_| BadSignature)?;
            let digest = Message::from_digest(digest.to_byte_array());
            let parsed = signature.to_ecdsa().ok_or(BadSignature)?;
            let key = keys.countersignatory_htlc_key.to_public_key();
            secp.verify_ecdsa(&digest, &parsed, &key).map_err(|_| BadSignature)?;
        }
        Ok(())
    }
}

/// LDK counts commitments down.
pub(crate) fn ldk_number(number: u64) -> u64 {
    MAX_COMMITMENT_NUMBER.saturating_sub(number)
}
