//! Hosted-channel messages, ids, framing and state signatures, and the messages of funded channels:
//! bytes in, structs out.
//!
//! This is the lowest layer. It knows the wire (docs/protocol.md sections 1 and 2, BOLT 1, BOLT 2
//! and BOLT 7) and not what the messages mean; it does no I/O, reads no clock and no randomness, and
//! accepts any bytes a peer may send without panicking or allocating more than the input's own size.
//!
//! Layout
//! - [`amount`]: amounts in the form in which people read them
//! - `ids`: names of nodes, channels and payments; hashes and preimages
//! - `identity`: one of our keys, by what it is used for
//! - `message`: every message as a struct, and [`Message`], the enum of all of them
//! - `terms`: `init_hosted_channel`, the terms of a channel, which are also a part of each state
//! - [`codec`]: the primitive readers and writers that the messages share
//! - [`bolt1`]: the `warning` message
//! - `bolt2`: the bodies of BOLT 2, some of which hosted channels reuse
//! - `bolt7`: announcements of channels and nodes, and `channel_update`
//! - `channel_message`: [`ChannelMessage`], the enum of a funded channel's messages
//! - `tlvs`: the TLV stream at the end of a message
//! - [`framing`]: legacy and modern framing of a custom message
//! - `state`: `last_cross_signed_state`, its hash, `reverse`, signing and verifying
//! - `trampoline`: the messages in which wallets offer to route for others
//! - [`features`]: feature bits
//! - `snapshot`: a state exported for a third party to verify
//! - [`proof`]: what such a state proves, against which side, and what it leaves open
//! - `error_code`: the text of an `error`, for people
//! - [`onchain`]: preimages published in transaction outputs
//! - [`mod@invariant`]: conditions that always hold, and a loud report if one does not
//! - [`limits`]: every limit of this layer
//!
//! A message is sent in the framing that its receiver speaks, and read in the framing that its
//! sender has shown:
//!
//! ```
//! use steward_wire::{Framing, Message, Signature, StateUpdate, framing};
//!
//! let update = Message::StateUpdate(StateUpdate {
//!     block_day: 5_000,
//!     local_updates: 1,
//!     remote_updates: 0,
//!     local_sig_of_remote: Signature::ZERO,
//! });
//! let (message_type, payload) = framing::encode(Framing::Legacy, &update)?;
//! assert_eq!((message_type, payload.len()), (65_529, 2 + 76));
//!
//! let mut peer_framing = None;
//! assert_eq!(framing::decode(&mut peer_framing, message_type, &payload)?, Some(update));
//! assert_eq!(peer_framing, Some(Framing::Legacy));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

pub mod amount;
pub mod bolt1;
mod bolt2;
mod bolt7;
mod channel_message;
pub mod codec;
mod error_code;
pub mod features;
pub mod framing;
mod identity;
mod ids;
pub mod invariant;
pub mod limits;
mod message;
pub mod onchain;
pub mod proof;
mod snapshot;
mod state;
mod terms;
mod tlvs;
mod trampoline;

pub use bolt2::{
    AcceptChannel, CHANNEL_FLAG_ANNOUNCE, ChannelReady, ChannelReestablish, ClosingSigned,
    CommitmentSigned, FeeRange, FundingCreated, FundingSigned, Onion, OpenChannel, RevokeAndAck,
    Shutdown, UpdateAddHtlc, UpdateFailHtlc, UpdateFailMalformedHtlc, UpdateFee, UpdateFulfillHtlc,
    WireError, attribution_in, attribution_tlv,
};
pub use bolt7::{
    AnnouncementSignatures, CHANNEL_FLAG_DIRECTION, CHANNEL_FLAG_DISABLED, ChannelAnnouncement,
    ChannelUpdate, MESSAGE_FLAG_MUST_BE_ONE, NodeAddress, NodeAddresses, NodeAnnouncement,
};
pub use channel_message::ChannelMessage;
pub use codec::DecodeError;
pub use error_code::{ErrorCode, ErrorText};
pub use framing::Framing;
pub use identity::Identity;
pub use ids::{
    ChannelId, LinkId, NodeId, ParseIdError, PaymentHash, PaymentId, Point, Preimage,
    ShortChannelId, Signature,
};
pub use message::{
    AnnouncementSignature, AskBrandingInfo, HostedChannelBranding, InvokeHostedChannel, Message,
    QueryPreimages, QueryPublicHostedChannels, ReplyPreimages, ReplyPublicHostedChannelsEnd,
    ResizeChannel, StateOverride, StateUpdate,
};
pub use snapshot::Snapshot;
pub use state::LastCrossSignedState;
pub use terms::InitHostedChannel;
pub use trampoline::{
    Exponent, NodeIdTrampolineParams, TrampolineOn, TrampolineRoute, TrampolineStatusInit,
    TrampolineStatusUpdate, TrampolineUndesired,
};
