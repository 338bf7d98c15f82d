//! `init_hosted_channel`: the terms of a channel, which are a message and a part of each state
//! (docs/protocol.md section 1.4).

use crate::codec::{DecodeError, Reader, Wire, put_list};
use crate::features::INIT_RESIZABLE;

/// 65533, host to client: the terms of a new channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitHostedChannel {
    /// The most that may be in flight in one direction, in millisatoshi.
    pub max_htlc_value_in_flight_msat: u64,
    /// The smallest HTLC, in millisatoshi.
    pub htlc_minimum_msat: u64,
    /// The most HTLCs in one direction.
    pub max_accepted_htlcs: u16,
    /// The sum of both balances and all HTLCs, in millisatoshi.
    pub channel_capacity_msat: u64,
    /// The balance with which the client begins, in millisatoshi.
    pub initial_client_balance_msat: u64,
    /// The numbers of features, such as [`INIT_RESIZABLE`].
    pub features: Vec<u16>,
}

impl InitHostedChannel {
    /// Returns true if the client may ask for a larger capacity.
    pub fn is_resizable(&self) -> bool {
        self.features.contains(&INIT_RESIZABLE)
    }
}

impl Wire for InitHostedChannel {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.max_htlc_value_in_flight_msat.to_be_bytes());
        out.extend_from_slice(&self.htlc_minimum_msat.to_be_bytes());
        out.extend_from_slice(&self.max_accepted_htlcs.to_be_bytes());
        out.extend_from_slice(&self.channel_capacity_msat.to_be_bytes());
        out.extend_from_slice(&self.initial_client_balance_msat.to_be_bytes());
        put_list(out, &self.features, |feature, out| {
            out.extend_from_slice(&feature.to_be_bytes());
        });
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            max_htlc_value_in_flight_msat: reader.u64()?,
            htlc_minimum_msat: reader.msat()?,
            max_accepted_htlcs: reader.u16()?,
            channel_capacity_msat: reader.msat()?,
            initial_client_balance_msat: reader.msat()?,
            features: reader.list(2, Reader::u16)?,
        })
    }
}
