//! What an operator or a wallet wants to know.

use steward_hosted::{Role, Suspension};
use steward_wire::{LinkId, NodeId, PaymentHash, Preimage};

/// Something an operator or a wallet wants to know; kept in table `event`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Counts up.
    pub number: u64,
    /// Unix time, milliseconds.
    pub time_ms: u64,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Both sides signed a first state.
    ChannelOpened {
        /// The other side.
        peer: NodeId,
        /// The channel; `None`: told by a version that did not say.
        link: Option<LinkId>,
        /// Our side.
        role: Role,
        /// In millisatoshi.
        capacity_msat: u64,
    },
    /// A host refused, or the opening went wrong.
    ChannelOpeningFailed {
        /// The other side.
        peer: NodeId,
        /// The channel; `None`: told by a version that did not say.
        link: Option<LinkId>,
        /// A sentence.
        reason: String,
    },
    /// No new HTLCs until a person acts.
    ChannelSuspended {
        /// The other side.
        peer: NodeId,
        /// The channel; `None`: told by a version that did not say.
        link: Option<LinkId>,
        /// The reason, and the side that began it.
        suspension: Suspension,
    },
    /// The host proposes a fresh balance; the client's operator must decide.
    OverrideProposed {
        /// The host.
        peer: NodeId,
        /// The channel; `None`: told by a version that did not say.
        link: Option<LinkId>,
        /// What would be ours, in millisatoshi.
        our_balance_msat: u64,
    },
    /// A suspended channel goes on.
    ChannelOverridden {
        /// The other side.
        peer: NodeId,
        /// The channel; `None`: told by a version that did not say.
        link: Option<LinkId>,
    },
    /// An operator of ours forgot a channel in which nobody had anything.
    ChannelForgotten {
        /// The other side.
        peer: NodeId,
        /// The channel; `None`: told by a version that did not say.
        link: Option<LinkId>,
        /// Our side.
        role: Role,
    },
    /// As client: the host gives no such capacity. The request is withdrawn; the channel goes on.
    ResizeRefused {
        /// The host.
        peer: NodeId,
        /// The channel; `None`: told by a version that did not say.
        link: Option<LinkId>,
        /// In the host's words.
        reason: String,
    },
    /// The capacity changed.
    ChannelResized {
        /// The other side.
        peer: NodeId,
        /// The channel; `None`: told by a version that did not say.
        link: Option<LinkId>,
        /// In millisatoshi.
        capacity_msat: u64,
    },
    /// A payment came in.
    InvoicePaid {
        /// Which.
        payment_hash: PaymentHash,
        /// What came in, in millisatoshi.
        received_msat: u64,
    },
    /// A payment went out.
    PaymentSent {
        /// Which.
        payment_hash: PaymentHash,
        /// Proof of payment.
        preimage: Preimage,
        /// What the payee got, in millisatoshi.
        amount_msat: u64,
        /// In millisatoshi.
        fee_msat: u64,
    },
    /// A payment ended without effect.
    PaymentFailed {
        /// Which.
        payment_hash: PaymentHash,
        /// Stable, snake_case.
        code: String,
        /// A sentence.
        message: String,
    },
    /// The preimage of an incoming HTLC was shown, its expiry comes close, and the peer has not
    /// signed: publish it on chain.
    PreimageAtRisk {
        /// The other side.
        peer: NodeId,
        /// The channel; `None`: told by a version that did not say.
        link: Option<LinkId>,
        /// What to publish (protocol.md section 6.1). `None`: told by a program that did not say.
        preimage: Option<Preimage>,
        /// Block height.
        cltv_expiry: u32,
    },
    /// The machine's wall clock was set, or the machine was stopped without counting it.
    ClockJumped {
        /// By how much, in milliseconds; negative: back.
        by_ms: i64,
    },
}
