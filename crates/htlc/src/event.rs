//! The events that a channel reports.

use steward_wire::{ChannelUpdate, Message, Preimage, UpdateAddHtlc};

use crate::add::{AddRefusal, AddToken};
use crate::settlement::Failure;

/// What a channel of any kind wants done, or reports. Events depend on the record as it is after the
/// whole call: none may leave before the record is durable, if the call said [`LinkEvent::Changed`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "moved a few times, never stored in bulk")]
pub enum LinkEvent {
    /// The message is to be sent to the peer, in this order.
    Send(Message),
    /// The record differs from what was stored last.
    Changed,
    /// HTLCs can flow from now on.
    Active,
    /// HTLCs cannot flow any more.
    Inactive,
    /// The peer sent this error, as text for people.
    PeerError(String),
    /// The exchange is out of step: the connection is to be dropped and made again.
    Reconnect(String),
    /// The peer's terms for forwarding to us; authenticated.
    PeerPolicy(ChannelUpdate),
    /// An HTLC offered by the peer is cross-signed. Reported once: it is to be acted upon.
    HtlcIncoming {
        /// The HTLC.
        add: UpdateAddHtlc,
        /// True if it comes with a state of the peer's that replaces ours, since our data was lost:
        /// we may have acted on it before.
        taken_over: bool,
    },
    /// An HTLC of ours got its id and is in flight, and in the record from now on. The id of an HTLC
    /// that was dropped may be used again, if the peer never saw it.
    HtlcAdded {
        /// As given in [`NewHtlc`](crate::NewHtlc).
        token: AddToken,
        /// Its id.
        id: u64,
    },
    /// An HTLC of ours was not sent, and never will be.
    HtlcRefused {
        /// As given in [`NewHtlc`](crate::NewHtlc).
        token: AddToken,
        /// The reason.
        reason: AddRefusal,
    },
    /// The preimage of an HTLC of ours is known: the peer showed it, or it was learned elsewhere.
    /// It may be reported before the HTLC's removal is signed.
    HtlcFulfilled {
        /// Our id.
        id: u64,
        /// The proof of payment.
        preimage: Preimage,
        /// The TLV stream that came with it, such as attribution data; empty if it came otherwise.
        tlvs: Vec<u8>,
    },
    /// The peer failed an HTLC of ours, and its removal is cross-signed.
    HtlcFailed {
        /// Our id.
        id: u64,
        /// The failure that the peer sent.
        failure: Failure,
    },
    /// An HTLC of ours ended without an answer of the peer's.
    HtlcDropped {
        /// Our id.
        id: u64,
        /// What ended it.
        cause: DropCause,
    },
    /// Our fulfill or fail of this incoming HTLC is in the record: the channel repeats it until it
    /// is signed, and the caller need not remember it. Also reported when there is nothing left to
    /// settle, because the HTLC is gone.
    SettlementRecorded {
        /// The peer's id.
        id: u64,
    },
}

/// The reason why an HTLC of ours ended without the peer's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropCause {
    /// The chain has passed its expiry.
    Expired,
    /// An override does not have it.
    Override,
    /// We had lost data, and the peer's newer state, signed by us, does not have it. Whether it
    /// was paid is not known.
    NewerState,
}
