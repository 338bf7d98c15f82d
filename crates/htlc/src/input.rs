//! The inputs of a channel.

use steward_wire::{ChannelUpdate, Message, Preimage};

use crate::add::NewHtlc;
use crate::settlement::Failure;

/// An event that a channel reacts to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "moved a few times, never stored in bulk")]
pub enum LinkInput {
    /// The peer is connected.
    Connected,
    /// The connection is gone.
    Disconnected,
    /// A message of this channel arrived, unframed and decoded.
    Message(Message),
    /// The engine offers an HTLC. It is sent at the next flush that has room for it.
    Add(NewHtlc),
    /// The engine claims an incoming HTLC. Idempotent; ignored if the HTLC is gone.
    Fulfill {
        /// The HTLC, by the peer's id.
        id: u64,
        /// Its preimage.
        preimage: Preimage,
        /// TLV stream, such as attribution data.
        tlvs: Vec<u8>,
    },
    /// The engine fails an incoming HTLC. Idempotent; it never replaces a fulfill.
    Fail {
        /// The HTLC, by the peer's id.
        id: u64,
        /// The reason.
        failure: Failure,
    },
    /// The best height, or the height up to which blocks were searched, changed.
    Block,
    /// The clock advanced: unanswered messages and waiting HTLCs may have timed out.
    Tick,
    /// A preimage of one of our outgoing HTLCs was learned outside the channel. A hosted channel
    /// whose peer does not fulfill the HTLC itself is suspended shortly before its expiry (code
    /// 0006). Ignored if the HTLC has ended, or its hash is another.
    ExternalFulfill {
        /// The HTLC, by our id.
        id: u64,
        /// Its preimage.
        preimage: Preimage,
    },
    /// Our own terms for forwarding to the peer, signed. They are sent if the channel is active,
    /// else dropped: give them at each [`LinkEvent::Active`](crate::LinkEvent::Active) and whenever
    /// they change.
    OwnPolicy(ChannelUpdate),
    /// A batch of inputs ends: waiting updates get their ids and leave, and the channel signs once
    /// for everything that is owed.
    Flush,
}
