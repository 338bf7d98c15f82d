//! Failure messages (BOLT 4 "Failure Messages"): codes, their data, their names.
//! [`crate::failure_packet`] carries them back.

use std::fmt;

use steward_wire::codec::{Reader, put_bigsize};

use crate::limits::MAX_CHANNEL_UPDATE_BYTES;

/// The flags and codes of BOLT 4.
pub mod code {
    /// The flag of an onion that could not be parsed; sent in `update_fail_malformed_htlc`.
    pub const BADONION: u16 = 0x8000;
    /// The flag of a permanent failure.
    pub const PERM: u16 = 0x4000;
    /// The flag of a failure that concerns the node rather than one of its channels.
    pub const NODE: u16 = 0x2000;
    /// The flag of a violated forwarding parameter of the channel.
    pub const UPDATE: u16 = 0x1000;

    /// The node has a general temporary failure.
    pub const TEMPORARY_NODE_FAILURE: u16 = NODE | 2;
    /// The node has a general permanent failure.
    pub const PERMANENT_NODE_FAILURE: u16 = PERM | NODE | 2;
    /// The onion lacks a feature that the node requires.
    pub const REQUIRED_NODE_FEATURE_MISSING: u16 = PERM | NODE | 3;
    /// The node does not know the onion's version.
    pub const INVALID_ONION_VERSION: u16 = BADONION | PERM | 4;
    /// The onion is not authentic.
    pub const INVALID_ONION_HMAC: u16 = BADONION | PERM | 5;
    /// The onion's ephemeral key is not a public key.
    pub const INVALID_ONION_KEY: u16 = BADONION | PERM | 6;
    /// The channel cannot carry this HTLC now.
    pub const TEMPORARY_CHANNEL_FAILURE: u16 = UPDATE | 7;
    /// The channel cannot carry any HTLC.
    pub const PERMANENT_CHANNEL_FAILURE: u16 = PERM | 8;
    /// The onion lacks a feature that the channel requires.
    pub const REQUIRED_CHANNEL_FEATURE_MISSING: u16 = PERM | 9;
    /// The node has no such outgoing channel.
    pub const UNKNOWN_NEXT_PEER: u16 = PERM | 10;
    /// The amount is below the channel's `htlc_minimum_msat`.
    pub const AMOUNT_BELOW_MINIMUM: u16 = UPDATE | 11;
    /// The fee is too low.
    pub const FEE_INSUFFICIENT: u16 = UPDATE | 12;
    /// The incoming and the outgoing expiry are too near to each other.
    pub const INCORRECT_CLTV_EXPIRY: u16 = UPDATE | 13;
    /// The expiry is too near.
    pub const EXPIRY_TOO_SOON: u16 = UPDATE | 14;
    /// The recipient does not know the payment, or it is not what the recipient asked for.
    pub const INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS: u16 = PERM | 15;
    /// The HTLC expires sooner than the sender said.
    pub const FINAL_INCORRECT_CLTV_EXPIRY: u16 = 18;
    /// The HTLC carries less than the sender said.
    pub const FINAL_INCORRECT_HTLC_AMOUNT: u16 = 19;
    /// The channel is disabled.
    pub const CHANNEL_DISABLED: u16 = UPDATE | 20;
    /// The expiry is too far.
    pub const EXPIRY_TOO_FAR: u16 = 21;
    /// The node could not understand the payload.
    pub const INVALID_ONION_PAYLOAD: u16 = PERM | 22;
    /// The other parts of a payment did not come in time.
    pub const MPP_TIMEOUT: u16 = 23;
    /// Something failed inside a blinded path.
    pub const INVALID_ONION_BLINDING: u16 = BADONION | PERM | 24;
}

/// The reason why an HTLC was refused: a code and the data that belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The flags and the number; see [`code`].
    pub code: u16,
    /// The data after the code.
    pub data: Vec<u8>,
}

impl Failure {
    /// This node has a general temporary failure.
    pub fn temporary_node_failure() -> Self {
        Self::bare(code::TEMPORARY_NODE_FAILURE)
    }

    /// This node has a general permanent failure.
    pub fn permanent_node_failure() -> Self {
        Self::bare(code::PERMANENT_NODE_FAILURE)
    }

    /// The onion lacks a feature that this node requires.
    pub fn required_node_feature_missing() -> Self {
        Self::bare(code::REQUIRED_NODE_FEATURE_MISSING)
    }

    /// The outgoing channel cannot carry this HTLC now. `channel_update` is the channel's update
    /// with its message type, or empty.
    pub fn temporary_channel_failure(channel_update: &[u8]) -> Self {
        Self::update(code::TEMPORARY_CHANNEL_FAILURE, &[], channel_update)
    }

    /// The outgoing channel cannot carry any HTLC.
    pub fn permanent_channel_failure() -> Self {
        Self::bare(code::PERMANENT_CHANNEL_FAILURE)
    }

    /// The onion lacks a feature that the outgoing channel requires.
    pub fn required_channel_feature_missing() -> Self {
        Self::bare(code::REQUIRED_CHANNEL_FEATURE_MISSING)
    }

    /// The onion names a channel that we do not have.
    pub fn unknown_next_peer() -> Self {
        Self::bare(code::UNKNOWN_NEXT_PEER)
    }

    /// The outgoing HTLC would be below the channel's minimum.
    pub fn amount_below_minimum(outgoing_amount_msat: u64, channel_update: &[u8]) -> Self {
        let amount = outgoing_amount_msat.to_be_bytes();
        Self::update(code::AMOUNT_BELOW_MINIMUM, &amount, channel_update)
    }

    /// The incoming HTLC does not pay our fee.
    pub fn fee_insufficient(incoming_amount_msat: u64, channel_update: &[u8]) -> Self {
        let amount = incoming_amount_msat.to_be_bytes();
        Self::update(code::FEE_INSUFFICIENT, &amount, channel_update)
    }

    /// The incoming and the outgoing expiry are too near to each other.
    pub fn incorrect_cltv_expiry(outgoing_cltv_expiry: u32, channel_update: &[u8]) -> Self {
        let expiry = outgoing_cltv_expiry.to_be_bytes();
        Self::update(code::INCORRECT_CLTV_EXPIRY, &expiry, channel_update)
    }

    /// The expiry is too near to the tip.
    pub fn expiry_too_soon(channel_update: &[u8]) -> Self {
        Self::update(code::EXPIRY_TOO_SOON, &[], channel_update)
    }

    /// The payment is unknown, its secret is wrong, or it brings too little or comes too late.
    pub fn incorrect_or_unknown_payment_details(amount_msat: u64, height: u32) -> Self {
        let mut data = amount_msat.to_be_bytes().to_vec();
        data.extend_from_slice(&height.to_be_bytes());
        Self { code: code::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS, data }
    }

    /// The HTLC expires sooner than the sender's payload says.
    pub fn final_incorrect_cltv_expiry(cltv_expiry: u32) -> Self {
        let data = cltv_expiry.to_be_bytes().to_vec();
        Self { code: code::FINAL_INCORRECT_CLTV_EXPIRY, data }
    }

    /// The HTLC carries less than the sender's payload says.
    pub fn final_incorrect_htlc_amount(amount_msat: u64) -> Self {
        let data = amount_msat.to_be_bytes().to_vec();
        Self { code: code::FINAL_INCORRECT_HTLC_AMOUNT, data }
    }

    /// The outgoing channel is disabled.
    pub fn channel_disabled(channel_update: &[u8]) -> Self {
        Self::update(code::CHANNEL_DISABLED, &[0, 0], channel_update)
    }

    /// The expiry is further away than we lock money up for.
    pub fn expiry_too_far() -> Self {
        Self::bare(code::EXPIRY_TOO_FAR)
    }

    /// The payload is malformed at `offset`, in bytes into the decrypted stream, in or before the
    /// TLV `tlv_type`. Both are zero if no place can be named.
    pub fn invalid_onion_payload(tlv_type: u64, offset: u16) -> Self {
        let mut data = Vec::new();
        put_bigsize(&mut data, tlv_type);
        data.extend_from_slice(&offset.to_be_bytes());
        Self { code: code::INVALID_ONION_PAYLOAD, data }
    }

    /// The other parts of the payment did not come in time.
    pub fn mpp_timeout() -> Self {
        Self::bare(code::MPP_TIMEOUT)
    }

    /// Something failed inside a blinded path.
    pub fn invalid_onion_blinding(sha256_of_onion: [u8; 32]) -> Self {
        Self { code: code::INVALID_ONION_BLINDING, data: sha256_of_onion.to_vec() }
    }

    /// Makes the failure that stands for a downstream `update_fail_malformed_htlc`. Returns `None`
    /// if its code lacks BADONION, which BOLT 2 forbids.
    pub fn from_malformed(failure_code: u16, sha256_of_onion: [u8; 32]) -> Option<Self> {
        let failure = Self { code: failure_code, data: sha256_of_onion.to_vec() };
        failure.is_bad_onion().then_some(failure)
    }

    /// Returns true if the failure concerns the whole node rather than one channel.
    pub fn is_node(&self) -> bool {
        self.code & code::NODE != 0
    }

    /// Returns true if the onion could not be parsed.
    pub fn is_bad_onion(&self) -> bool {
        self.code & code::BADONION != 0
    }

    /// Returns the `channel_update` inside a failure with the UPDATE flag, as it came, or `None` if
    /// there is none. It may start with its message type or not: nodes send both.
    pub fn channel_update(&self) -> Option<&[u8]> {
        let before = match self.code {
            code::TEMPORARY_CHANNEL_FAILURE | code::EXPIRY_TOO_SOON => 0,
            code::AMOUNT_BELOW_MINIMUM | code::FEE_INSUFFICIENT => 8,
            code::INCORRECT_CLTV_EXPIRY => 4,
            code::CHANNEL_DISABLED => 2,
            _ => return None,
        };
        let mut reader = Reader::new(&self.data);
        reader.take(before).ok()?;
        reader.var_u16().ok().filter(|update| !update.is_empty())
    }

    /// Returns the name in BOLT 4, or `unknown_failure`.
    pub fn name(&self) -> &'static str {
        match self.code {
            code::TEMPORARY_NODE_FAILURE => "temporary_node_failure",
            code::PERMANENT_NODE_FAILURE => "permanent_node_failure",
            code::REQUIRED_NODE_FEATURE_MISSING => "required_node_feature_missing",
            code::INVALID_ONION_VERSION => "invalid_onion_version",
            code::INVALID_ONION_HMAC => "invalid_onion_hmac",
            code::INVALID_ONION_KEY => "invalid_onion_key",
            code::TEMPORARY_CHANNEL_FAILURE => "temporary_channel_failure",
            code::PERMANENT_CHANNEL_FAILURE => "permanent_channel_failure",
            code::REQUIRED_CHANNEL_FEATURE_MISSING => "required_channel_feature_missing",
            code::UNKNOWN_NEXT_PEER => "unknown_next_peer",
            code::AMOUNT_BELOW_MINIMUM => "amount_below_minimum",
            code::FEE_INSUFFICIENT => "fee_insufficient",
            code::INCORRECT_CLTV_EXPIRY => "incorrect_cltv_expiry",
            code::EXPIRY_TOO_SOON => "expiry_too_soon",
            code::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS => "incorrect_or_unknown_payment_details",
            code::FINAL_INCORRECT_CLTV_EXPIRY => "final_incorrect_cltv_expiry",
            code::FINAL_INCORRECT_HTLC_AMOUNT => "final_incorrect_htlc_amount",
            code::CHANNEL_DISABLED => "channel_disabled",
            code::EXPIRY_TOO_FAR => "expiry_too_far",
            code::INVALID_ONION_PAYLOAD => "invalid_onion_payload",
            code::MPP_TIMEOUT => "mpp_timeout",
            code::INVALID_ONION_BLINDING => "invalid_onion_blinding",
            _ => "unknown_failure",
        }
    }

    fn bare(code: u16) -> Self {
        Self { code, data: Vec::new() }
    }

    /// Makes a failure with the UPDATE flag. An update that is too long for the padding is left
    /// out: failures of different lengths would tell the hops on the way what happened.
    fn update(code: u16, before: &[u8], channel_update: &[u8]) -> Self {
        let fits = channel_update.len() <= MAX_CHANNEL_UPDATE_BYTES;
        let update = if fits { channel_update } else { &[] };
        let mut data = before.to_vec();
        steward_wire::codec::put_var_u16(&mut data, update);
        Self { code, data }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:04x})", self.name(), self.code)
    }
}
