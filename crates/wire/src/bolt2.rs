//! The messages of BOLT 2. Hosted channels reuse the bodies of `update_*` and `error`
//! (docs/protocol.md section 1.4); funded channels speak all of them.
//!
//! They are kept byte-exact: keys that are no curve points and unknown odd TLVs survive decoding,
//! because the signed state of a hosted channel covers the very bytes of an add, and because a
//! funded channel repeats lost messages as they were. Unknown even TLVs are refused (BOLT 1).
//!
//! Layout
//! - `updates`: offers and settles HTLCs
//! - `error`: the body of `error` and `warning`
//! - `opening`: from `open_channel` to `channel_ready`
//! - `commitment`: `commitment_signed`, `revoke_and_ack` and `update_fee`
//! - `reestablish`: `channel_reestablish`
//! - `closing`: `shutdown` and `closing_signed`

mod closing;
mod commitment;
mod error;
mod opening;
mod reestablish;
mod updates;

pub use closing::{ClosingSigned, FeeRange, Shutdown};
pub use commitment::{CommitmentSigned, RevokeAndAck, UpdateFee};
pub use error::WireError;
pub use opening::{
    AcceptChannel, CHANNEL_FLAG_ANNOUNCE, ChannelReady, FundingCreated, FundingSigned, OpenChannel,
};
pub use reestablish::ChannelReestablish;
pub use updates::{
    Onion, UpdateAddHtlc, UpdateFailHtlc, UpdateFailMalformedHtlc, UpdateFulfillHtlc,
    attribution_in, attribution_tlv,
};
