//! What one part of the engine asks of another. A part changes itself only; whatever else follows
//! is a step, and its owner takes it when its turn comes: first in, first out.

use std::sync::Arc;

use steward_hosted::{
    AddRefusal, AddToken, Channel, DropCause, Evidence, Failure as ChannelFailure, Input,
};
use steward_onion::{Forward as Layer, PeelError, Received};
use steward_wire::{
    Identity, IncomingHtlcId, InvokeHostedChannel, LinkId, Message, NodeId, Onion, OutgoingHtlcId,
    PaymentHash, PaymentId, Preimage, UpdateAddHtlc,
};

use crate::face::io::ConnId;
use crate::face::row::Origin;

/// What one part of the engine asks of another.
pub(crate) enum Step {
    // For `links`.
    /// Gives an input to a channel.
    Drive(LinkId, Box<Input>),
    /// Adds a channel.
    Open(Box<NewLink>),
    /// The peer of a channel is connected.
    Connect(LinkId, ConnId),
    /// A connection of a channel's peer is gone.
    Disconnect(Disconnect),
    /// A client that is opening a channel names its refund script.
    WantScript(LinkId, Vec<u8>),
    /// Drops a channel without a signed state, as host.
    ForgetOpening(LinkId),
    /// An opening ended without a channel.
    OpeningFailed(LinkId, String),
    /// Suspends the channel of an incoming HTLC that may have been forwarded, nobody knows how.
    Hold(IncomingHtlcId),

    // For `connections`.
    /// Sends a message on a connection, if it is still there.
    Send(ConnId, Box<Message>),
    /// Puts up with something of no use, or hangs up.
    Bear(ConnId, u32),
    /// Ends a connection.
    HangUp(ConnId, String),
    /// Keeps no connection to a peer any more.
    DropPeer { peer: NodeId, local: NodeId },

    // For `openings`.
    /// A peer asks for a channel.
    Invoked(Box<Invocation>),
    /// A peer goes on with an opening whose refund script another channel has got meanwhile.
    Outrun(ConnId, LinkId, NodeId),
    /// An opening ended, with a channel or without.
    OpeningEnded { link: LinkId, is_open: bool },

    // For `incoming`.
    /// Both sides have signed an HTLC of the peer's.
    Offered(Box<Offered>),
    /// An incoming HTLC waits until the chain is known and whom it is for is back.
    Defer(IncomingHtlcId, Option<Next>),
    /// Decides an incoming HTLC.
    Settle(IncomingHtlcId, Answer),
    /// A settlement is in the record of its channel.
    SettlementRecorded(IncomingHtlcId),

    // For `outgoing`.
    /// Offers an HTLC to a channel.
    Offer(Box<Offer>),
    /// An HTLC that we offer got its id.
    Added(AddToken, OutgoingHtlcId),
    /// An HTLC was not, and will never be, offered.
    Refused(AddToken, LinkId, AddRefusal),
    /// An HTLC that we offered has ended.
    Ended(OutgoingHtlcId, Ending),

    // For `forwards`.
    /// An incoming HTLC is for somebody else.
    Forward(Box<Forward>),
    /// The outgoing half of a forward has ended.
    ForwardEnded(IncomingHtlcId, Ending),
    /// The outgoing half of a forward was not, and will never be, offered.
    ForwardRefused(IncomingHtlcId, LinkId, AddRefusal),
    /// People have settled a forward: nothing more will be heard of it.
    ForwardSettled(IncomingHtlcId),

    // For `receives`.
    /// An incoming HTLC is a part of a payment to us.
    Receive(Box<Receive>),
    /// Claims that no state shows.
    ClaimsInDoubt(ClaimsInDoubt),

    // For `payments`.
    /// A part of a payment has ended.
    PartEnded(PaymentId, u32, Ending),
    /// A part of a payment never left us.
    PartRefused(PaymentId, u32, AddRefusal),
    /// Parts found at start never left us.
    PartsLost(PaymentId, Vec<u32>),
    /// A preimage was shown that no part of ours waits for.
    PaymentProved(Preimage),
    /// Nobody knows how a payment ended.
    OutcomeUnknown(PaymentId),

    // For whoever cares.
    /// HTLCs can flow in a channel from now on: both sides hold the same state.
    LinkUp(LinkId),
    /// A channel was suspended, with this code.
    LinkSuspended(LinkId, Option<u16>),
    /// A channel of which we had lost data: the peer's state, signed by us, is taken.
    DataLost(LinkId),
    /// A suspended channel goes on, and what its HTLCs were worth is agreed.
    Overridden(LinkId),
    /// Something that proves, or hints at, a peer's misbehaviour.
    Evidence(LinkId, NodeId, Box<Evidence>),
}

/// A channel to add.
pub(crate) struct NewLink {
    pub(crate) channel: Channel,
    /// Our identity in it, if it is not the node's.
    pub(crate) local: Option<Arc<dyn Identity>>,
    /// The refund script that it would have, if a client opens it.
    pub(crate) wanted_script: Option<Vec<u8>>,
}

/// A connection of a channel's peer that is gone.
pub(crate) struct Disconnect {
    pub(crate) link: LinkId,
    pub(crate) conn: ConnId,
    /// The peer never showed how it frames its messages.
    pub(crate) is_unanswered: bool,
    /// A newer connection has taken its place.
    pub(crate) is_replaced: bool,
}

/// A request for a channel, and how it came.
pub(crate) struct Invocation {
    pub(crate) conn: ConnId,
    pub(crate) link: LinkId,
    pub(crate) peer: NodeId,
    /// Our identity on the connection.
    pub(crate) local: NodeId,
    /// The peer's IP address and port.
    pub(crate) address: String,
    pub(crate) invoke: InvokeHostedChannel,
}

/// An incoming HTLC that both sides have signed.
pub(crate) struct Offered {
    pub(crate) htlc: IncomingHtlcId,
    pub(crate) add: UpdateAddHtlc,
    /// It was taken over with a state of the peer's: we may have acted on it before our data was
    /// lost.
    pub(crate) taken_over: bool,
}

/// Where an incoming HTLC is to be forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// In this channel.
    Link(LinkId),
    /// In any channel with this node.
    Node(NodeId),
}

/// An incoming HTLC that its onion forwards.
pub(crate) struct Forward {
    pub(crate) htlc: IncomingHtlcId,
    pub(crate) add: UpdateAddHtlc,
    /// What the onion says to us.
    pub(crate) layer: Layer,
    /// Shared with the payer.
    pub(crate) shared_secret: [u8; 32],
}

/// A part of a payment to us.
pub(crate) struct Receive {
    pub(crate) htlc: IncomingHtlcId,
    pub(crate) add: UpdateAddHtlc,
    /// What the onion says to us.
    pub(crate) received: Received,
}

/// Claims that no state shows: whether the money is ours is for people to settle.
pub(crate) struct ClaimsInDoubt {
    pub(crate) hashes: Vec<PaymentHash>,
    /// The code of the invoice's failure, stable, snake_case. It is no code of the log.
    pub(crate) failure_code: &'static str,
    /// A sentence.
    pub(crate) message: &'static str,
}

/// An HTLC to offer.
pub(crate) struct Offer {
    /// What it is offered for.
    pub(crate) origin: Origin,
    pub(crate) link: LinkId,
    pub(crate) amount_msat: u64,
    pub(crate) payment_hash: PaymentHash,
    pub(crate) cltv_expiry: u32,
    pub(crate) onion: Onion,
    pub(crate) tlvs: Vec<u8>,
    /// When it is given up if it found no free slot, by `now_ms`.
    pub(crate) give_up_ms: u64,
}

/// How an HTLC that we offered ended.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// With its preimage, and the TLV stream that came with it: the peer showed it, or it was
    /// learned elsewhere.
    Fulfilled(Preimage, Vec<u8>),
    /// Failed by the peer, and its removal is cross-signed.
    Failed(ChannelFailure),
    /// Without an answer of the peer's.
    Dropped(DropCause),
}

/// How an incoming HTLC is answered.
pub(crate) enum Answer {
    /// Its preimage is known.
    Fulfill {
        preimage: Preimage,
        /// What attribution data is made with, if that is known.
        hop: Option<OurHop>,
        /// The TLV stream that came with the preimage from where we forwarded the HTLC.
        downstream: Vec<u8>,
    },
    /// A failure from where we forwarded it gets our layer.
    PassBack {
        reason: Vec<u8>,
        hop: OurHop,
        /// The TLV stream that came with the failure.
        downstream: Vec<u8>,
    },
    /// A failure of our own, of an HTLC that we took at `since_ms`.
    Refuse { refusal: PeelError, since_ms: u64 },
}

/// What a node on the way of an HTLC adds to its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OurHop {
    /// Shared with the payer.
    pub(crate) shared_secret: [u8; 32],
    /// When we took the HTLC, by `now_ms`; after a restart, when we found it again.
    pub(crate) since_ms: u64,
}
