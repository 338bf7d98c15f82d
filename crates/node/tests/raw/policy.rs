//! The host's terms for forwarding to us: a BOLT7 `channel_update` (docs/protocol.md section 4.2).

use bitcoin::constants::ChainHash;

use super::bytes::Reader;
use super::crypto::{Id, is_signed_by, sha256, short_channel_id};

/// The terms that a client puts into its route hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) short_channel_id: u64,
    pub(crate) cltv_expiry_delta: u16,
    pub(crate) htlc_minimum_msat: u64,
    pub(crate) fee_base_msat: u32,
    pub(crate) fee_proportional_millionths: u32,
    pub(crate) htlc_maximum_msat: u64,
}

impl Policy {
    /// Reads the body of message 64509, checked to be about the channel of `host` and `client`, in
    /// that direction, enabled, and signed by `host`.
    pub(crate) fn read(body: &[u8], host: &Id, client: &Id) -> Self {
        let mut reader = Reader::new(body);
        let signature = reader.array::<64>();
        let (_, signed) = body.split_at(64);
        assert!(
            is_signed_by(host, sha256(&sha256(signed)), &signature),
            "channel_update signature"
        );

        assert_eq!(reader.array::<32>(), ChainHash::REGTEST.to_bytes());
        let scid = reader.u64();
        assert_eq!(scid, short_channel_id(host, client));
        let _timestamp = reader.u32();
        assert_eq!(reader.u8(), 1, "message_flags: htlc_maximum_msat is there");
        assert_eq!(reader.u8(), u8::from(host > client), "channel_flags: from the host, enabled");
        let policy = Self {
            short_channel_id: scid,
            cltv_expiry_delta: reader.u16(),
            htlc_minimum_msat: reader.u64(),
            fee_base_msat: reader.u32(),
            fee_proportional_millionths: reader.u32(),
            htlc_maximum_msat: reader.u64(),
        };
        reader.end();
        policy
    }

    /// Returns the fee that the host keeps for forwarding `amount_msat` to us.
    pub(crate) fn fee_msat(&self, amount_msat: u64) -> u64 {
        let proportional = u64::from(self.fee_proportional_millionths) * amount_msat / 1_000_000;
        u64::from(self.fee_base_msat) + proportional
    }
}
