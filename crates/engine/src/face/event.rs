//! Events: the operator and programs are told of them.

use steward_hosted::{Role, Suspension};
use steward_wire::{LinkId, NodeId, PaymentHash, Preimage};

/// An event that operators and wallets are told of. Table `event` keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The event's number. A later event has a higher one.
    pub number: u64,
    /// The Unix time of the event, in milliseconds.
    pub time_ms: u64,
    /// The event itself.
    pub kind: EventKind,
}

/// The kinds of events, with their details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Both sides signed a first state.
    ChannelOpened {
        /// The peer.
        peer: NodeId,
        /// The channel; `None` if the event is of a version that did not name it.
        link: Option<LinkId>,
        /// Our role.
        role: Role,
        /// The capacity, in millisatoshi.
        capacity_msat: u64,
    },
    /// The host refused, or the opening went wrong.
    ChannelOpeningFailed {
        /// The peer.
        peer: NodeId,
        /// The channel; `None` if the event is of a version that did not name it.
        link: Option<LinkId>,
        /// One sentence.
        reason: String,
    },
    /// The channel takes no new HTLCs until a person acts.
    ChannelSuspended {
        /// The peer.
        peer: NodeId,
        /// The channel; `None` if the event is of a version that did not name it.
        link: Option<LinkId>,
        /// The reason, and the side that began it.
        suspension: Suspension,
    },
    /// The host proposes a fresh balance, and the client's operator must decide.
    OverrideProposed {
        /// The host.
        peer: NodeId,
        /// The channel; `None` if the event is of a version that did not name it.
        link: Option<LinkId>,
        /// Our balance after the override, in millisatoshi.
        our_balance_msat: u64,
    },
    /// An override ended the channel's suspension.
    ChannelOverridden {
        /// The peer.
        peer: NodeId,
        /// The channel; `None` if the event is of a version that did not name it.
        link: Option<LinkId>,
    },
    /// Our operator forgot a channel without any money of the client's.
    ChannelForgotten {
        /// The peer.
        peer: NodeId,
        /// The channel; `None` if the event is of a version that did not name it.
        link: Option<LinkId>,
        /// Our role.
        role: Role,
    },
    /// Our host does not give the capacity asked for. The request is withdrawn; the channel goes
    /// on.
    ResizeRefused {
        /// The host.
        peer: NodeId,
        /// The channel; `None` if the event is of a version that did not name it.
        link: Option<LinkId>,
        /// The reason, in the host's words.
        reason: String,
    },
    /// The channel's capacity changed.
    ChannelResized {
        /// The peer.
        peer: NodeId,
        /// The channel; `None` if the event is of a version that did not name it.
        link: Option<LinkId>,
        /// The new capacity, in millisatoshi.
        capacity_msat: u64,
    },
    /// A payment to us came in.
    InvoicePaid {
        /// The payment hash of the invoice.
        payment_hash: PaymentHash,
        /// The amount that came in, in millisatoshi.
        received_msat: u64,
    },
    /// A payment of ours reached the payee.
    PaymentSent {
        /// The payment's hash.
        payment_hash: PaymentHash,
        /// The proof of payment.
        preimage: Preimage,
        /// The amount that the payee got, in millisatoshi.
        amount_msat: u64,
        /// The fee, in millisatoshi.
        fee_msat: u64,
    },
    /// A payment of ours ended, and nothing was paid.
    PaymentFailed {
        /// The payment's hash.
        payment_hash: PaymentHash,
        /// A stable code in snake_case.
        code: String,
        /// One sentence.
        message: String,
    },
    /// We have shown the preimage of an incoming HTLC, its expiry comes close, and the peer has not
    /// signed. The operator should publish the preimage on chain.
    PreimageAtRisk {
        /// The peer.
        peer: NodeId,
        /// The channel; `None` if the event is of a version that did not name it.
        link: Option<LinkId>,
        /// The preimage to publish (docs/protocol.md section 6.1); `None` if the event is of a
        /// version that did not name it.
        preimage: Option<Preimage>,
        /// The HTLC's expiry, a block height.
        cltv_expiry: u32,
    },
    /// The machine's wall clock was set, or the machine was stopped without counting the time.
    ClockJumped {
        /// The length of the jump, in milliseconds; negative if it went back.
        by_ms: i64,
    },
}
