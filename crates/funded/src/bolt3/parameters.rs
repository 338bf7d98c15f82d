//! What never changes in a channel: keys, terms, funding output.

use bitcoin::secp256k1::PublicKey;
use bitcoin::{OutPoint, ScriptBuf};
use lightning::chain::transaction::OutPoint as LdkOutPoint;
use lightning::ln::chan_utils::{
    ChannelPublicKeys, ChannelTransactionParameters, CounterpartyChannelTransactionParameters,
    make_funding_redeemscript,
};
use lightning::ln::channel_keys::{DelayedPaymentBasepoint, HtlcBasepoint, RevocationBasepoint};
use lightning_types::features::ChannelTypeFeatures;
use steward_wire::{ChannelId, impossible};

use super::fees::Format;

/// One side of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// We.
    Local,
    /// The peer.
    Remote,
}

impl Side {
    /// Returns the other side.
    pub fn other(self) -> Self {
        match self {
            Self::Local => Self::Remote,
            Self::Remote => Self::Local,
        }
    }
}

/// The keys of one side from which those of each commitment are derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basepoints {
    /// The key in the funding output.
    pub funding: PublicKey,
    /// The basepoint of revocation keys.
    pub revocation: PublicKey,
    /// The static key of this side's output in the other's commitments.
    pub payment: PublicKey,
    /// The basepoint of this side's delayed outputs.
    pub delayed_payment: PublicKey,
    /// The basepoint of this side's keys in HTLCs.
    pub htlc: PublicKey,
}

/// The terms that one side has set, and its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideTerms {
    /// Its keys.
    pub basepoints: Basepoints,
    /// The amount below which its own commitment has no output, in satoshi.
    pub dust_limit_sat: u64,
    /// The delay that it puts on the other side's own outputs, in blocks.
    pub to_self_delay: u16,
    /// The most that it lets the other side have in flight, in millisatoshi.
    pub max_in_flight_msat: u64,
    /// The most HTLCs that it lets the other side have in flight.
    pub max_accepted_htlcs: u16,
    /// The smallest HTLC that it accepts, in millisatoshi.
    pub htlc_minimum_msat: u64,
    /// The balance that it makes the other side keep, in satoshi.
    pub reserve_sat: u64,
    /// The script to which it has bound its part of a close; empty if to none.
    pub shutdown_script: Vec<u8>,
}

/// What never changes in a channel once its funding output is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The form of the commitments.
    pub format: Format,
    /// The funding output.
    pub funding: OutPoint,
    /// The channel's capacity, in satoshi.
    pub funding_sat: u64,
    /// The side that pays the fees.
    pub funder: Side,
    /// Our terms.
    pub local: SideTerms,
    /// The peer's terms.
    pub remote: SideTerms,
}

impl Parameters {
    /// Returns the terms of one side.
    pub fn terms(&self, side: Side) -> &SideTerms {
        match side {
            Side::Local => &self.local,
            Side::Remote => &self.remote,
        }
    }

    /// Returns the capacity, in millisatoshi.
    pub fn capacity_msat(&self) -> u64 {
        self.funding_sat.saturating_mul(1_000)
    }

    /// Returns the channel's id: the funding output's (BOLT 2).
    pub fn channel_id(&self) -> ChannelId {
        use bitcoin::hashes::Hash;
        let mut id = self.funding.txid.to_byte_array();
        // The index was two bytes on the wire and is checked when a record is read.
        let index = u16::try_from(self.funding.vout).unwrap_or_default().to_be_bytes();
        for (byte, index) in id.iter_mut().skip(30).zip(index) {
            *byte ^= index;
        }
        ChannelId(id)
    }

    /// Returns the witness script of the funding output.
    pub fn funding_witness_script(&self) -> ScriptBuf {
        let (local, remote) = (&self.local.basepoints, &self.remote.basepoints);
        make_funding_redeemscript(&local.funding, &remote.funding)
    }

    /// Returns the script of the funding output.
    pub fn funding_script(&self) -> ScriptBuf {
        self.funding_witness_script().to_p2wsh()
    }

    /// Returns the parameters in LDK's form, for building, signing and for its monitor.
    pub fn to_ldk(&self) -> ChannelTransactionParameters {
        let mut features = ChannelTypeFeatures::only_static_remote_key();
        if self.format == Format::Anchors {
            features.set_anchors_zero_fee_htlc_tx_required();
        }
        let index = u16::try_from(self.funding.vout).unwrap_or_else(|_| {
            impossible!("a funding output's index has two bytes");
            0
        });
        ChannelTransactionParameters {
            holder_pubkeys: public_keys(&self.local.basepoints),
            holder_selected_contest_delay: self.local.to_self_delay,
            is_outbound_from_holder: self.funder == Side::Local,
            counterparty_parameters: Some(CounterpartyChannelTransactionParameters {
                pubkeys: public_keys(&self.remote.basepoints),
                selected_contest_delay: self.remote.to_self_delay,
            }),
            funding_outpoint: Some(LdkOutPoint { txid: self.funding.txid, index }),
            splice_parent_funding_txid: None,
            channel_type_features: features,
            channel_value_satoshis: self.funding_sat,
        }
    }
}

fn public_keys(basepoints: &Basepoints) -> ChannelPublicKeys {
    ChannelPublicKeys {
        funding_pubkey: basepoints.funding,
        revocation_basepoint: RevocationBasepoint(basepoints.revocation),
        payment_point: basepoints.payment,
        delayed_payment_basepoint: DelayedPaymentBasepoint(basepoints.delayed_payment),
        htlc_basepoint: HtlcBasepoint(basepoints.htlc),
    }
}
