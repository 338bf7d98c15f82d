//! The steps: requests of one part of the engine to another. A part changes itself only. Everything
//! else that follows is a step, and its owner takes it when its turn comes: first in, first out.

use std::sync::Arc;

use steward_hosted::{Channel, Evidence};
use steward_htlc::{
    AddRefusal, AddToken, DropCause, Failure as ChannelFailure, IncomingHtlcId, LinkInput,
    OutgoingHtlcId,
};
use steward_onion::{Forward as Layer, PeelError, Received};
use steward_wire::{
    Identity, InvokeHostedChannel, LinkId, Message, NodeId, Onion, PaymentHash, PaymentId,
    Preimage, UpdateAddHtlc,
};

use crate::face::io::ConnId;
use crate::face::row::Origin;

/// A request of one part of the engine to another.
pub(crate) enum Step {
    // For `links`.
    /// Gives an input to a channel.
    Drive(LinkId, Box<LinkInput>),
    /// As client: the host does not give the capacity we asked for, for this reason.
    ResizeRefused(LinkId, String),
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
    /// Suspends the channel of an incoming HTLC that may have been forwarded, with an unknown
    /// outcome.
    Hold(IncomingHtlcId),

    // For `connections`.
    /// Sends a message on a connection, if it is still there.
    Send(ConnId, Box<Message>),
    /// Charges a connection for a message of no use, or hangs up.
    Bear(ConnId, u32),
    /// Ends a connection.
    HangUp(ConnId, String),
    /// No longer keeps a connection to a peer.
    DropPeer { peer: NodeId, local: NodeId },

    // For `openings`.
    /// A peer asks for a channel.
    Invoked(Box<Invocation>),
    /// A peer goes on with an opening, but another channel has got its refund script meanwhile.
    Outrun(ConnId, LinkId, NodeId),
    /// An opening ended, with a channel or without.
    OpeningEnded { link: LinkId, is_open: bool },

    // For `incoming`.
    /// Both sides have signed an HTLC that the peer offers.
    Offered(Box<Offered>),
    /// An incoming HTLC waits until the chain is known and its next channel or node is back.
    Defer(IncomingHtlcId, Option<Next>),
    /// Decides an incoming HTLC.
    Settle(IncomingHtlcId, Answer),
    /// A settlement is in the record of its channel.
    SettlementRecorded(IncomingHtlcId),

    // For `outgoing`.
    /// Offers an HTLC to a channel.
    Offer(Box<Offer>),
    /// An HTLC that we offer has got its id.
    Added(AddToken, OutgoingHtlcId),
    /// An HTLC was not, and will never be, offered.
    Refused(AddToken, LinkId, AddRefusal),
    /// An HTLC that we offered has ended.
    Ended(OutgoingHtlcId, Ending),

    // For `forwards`.
    /// An incoming HTLC is to be forwarded.
    Forward(Box<Forward>),
    /// The outgoing half of a forward has ended.
    ForwardEnded(IncomingHtlcId, Ending),
    /// The outgoing half of a forward was not, and will never be, offered.
    ForwardRefused(IncomingHtlcId, LinkId, AddRefusal),
    /// People have settled a forward: the engine will hear nothing more of it.
    ForwardSettled(IncomingHtlcId),

    // For `receives`.
    /// An incoming HTLC is a part of a payment to us.
    Receive(Box<Receive>),
    /// Some claims are in no signed state.
    ClaimsInDoubt(ClaimsInDoubt),

    // For `payments`.
    /// A part of a payment has ended.
    PartEnded(PaymentId, u32, Ending),
    /// A part of a payment never left us.
    PartRefused(PaymentId, u32, AddRefusal),
    /// Parts found at start never left us.
    PartsLost(PaymentId, Vec<u32>),
    /// A preimage was shown for which no part of ours waits.
    PaymentProved(Preimage),
    /// It is unknown how a payment ended.
    OutcomeUnknown(PaymentId),

    // For every part that needs to know.
    /// HTLCs can flow in a channel from now on: both sides hold the same state.
    LinkUp(LinkId),
    /// A channel was suspended, for a reason with this code.
    LinkSuspended(LinkId, Option<u16>),
    /// We had lost data of a channel, and have taken the peer's state, which we signed.
    DataLost(LinkId),
    /// An override ended a channel's suspension: both sides agree on the outcome of its HTLCs.
    Overridden(LinkId),
    /// A peer has sent something that proves, or hints at, its misbehaviour.
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

/// A connection that is gone, as a channel of its peer hears of it.
pub(crate) struct Disconnect {
    pub(crate) link: LinkId,
    pub(crate) conn: ConnId,
    /// True if the peer never showed how it frames its messages.
    pub(crate) is_unanswered: bool,
    /// True if a newer connection has taken its place.
    pub(crate) is_replaced: bool,
}

/// A request for a channel, and the connection on which it came.
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
    /// True if it was taken over with a state of the peer's: we may have acted on it before our
    /// data was lost.
    pub(crate) taken_over: bool,
}

/// The place to forward an incoming HTLC to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// This channel.
    Link(LinkId),
    /// Any channel with this node.
    Node(NodeId),
}

/// An incoming HTLC that its onion forwards.
pub(crate) struct Forward {
    pub(crate) htlc: IncomingHtlcId,
    pub(crate) add: UpdateAddHtlc,
    /// The layer of the onion that was made for us.
    pub(crate) layer: Layer,
    /// The secret that we share with the payer.
    pub(crate) shared_secret: [u8; 32],
}

/// A part of a payment to us.
pub(crate) struct Receive {
    pub(crate) htlc: IncomingHtlcId,
    pub(crate) add: UpdateAddHtlc,
    /// The layer of the onion that was made for us.
    pub(crate) received: Received,
}

/// Claims that are in no signed state: people have to settle whether the money is ours.
pub(crate) struct ClaimsInDoubt {
    pub(crate) hashes: Vec<PaymentHash>,
    /// The stable code of the failure of the invoice, in snake_case. It is no code of the log.
    pub(crate) failure_code: &'static str,
    /// One sentence.
    pub(crate) message: &'static str,
}

/// An HTLC to offer.
pub(crate) struct Offer {
    /// The HTLC's origin.
    pub(crate) origin: Origin,
    pub(crate) link: LinkId,
    pub(crate) amount_msat: u64,
    pub(crate) payment_hash: PaymentHash,
    pub(crate) cltv_expiry: u32,
    pub(crate) onion: Onion,
    pub(crate) tlvs: Vec<u8>,
    /// The moment at which it is given up if it has found no free slot, by `now_ms`.
    pub(crate) give_up_ms: u64,
}

/// The way in which an outgoing HTLC ended.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// The peer showed its preimage, with this TLV stream, or the preimage was learned elsewhere.
    Fulfilled(Preimage, Vec<u8>),
    /// The peer failed it, and its removal is cross-signed.
    Failed(ChannelFailure),
    /// Its channel dropped it without an answer of the peer's.
    Dropped(DropCause),
}

/// The answer to an incoming HTLC.
pub(crate) enum Answer {
    /// Claims it: its preimage is known.
    Fulfill {
        preimage: Preimage,
        /// The data for our attribution data, if they are known.
        hop: Option<OurHop>,
        /// The TLV stream that came with the preimage from the outgoing HTLC.
        downstream: Vec<u8>,
    },
    /// Wraps a failure of the outgoing HTLC in our layer.
    PassBack {
        reason: Vec<u8>,
        hop: OurHop,
        /// The TLV stream that came with the failure.
        downstream: Vec<u8>,
    },
    /// Fails it with a failure of our own. We took it at `since_ms`.
    Refuse { refusal: PeelError, since_ms: u64 },
}

/// The data that a node on the way of an HTLC needs for its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OurHop {
    /// The secret that we share with the payer.
    pub(crate) shared_secret: [u8; 32],
    /// The moment at which we took the HTLC or, after a restart, found it again, by `now_ms`.
    pub(crate) since_ms: u64,
}
