//! What goes into a channel and comes out of it, and what it knows of the world.

use bitcoin::{OutPoint, ScriptBuf, Transaction, Txid};
use steward_htlc::{LinkEvent, LinkInput};
use steward_wire::{ChannelMessage, NodeId, Preimage, ShortChannelId, UpdateAddHtlc};

use crate::bolt3::{ChannelSigner, HtlcKey};

/// What a channel knows of the world at one input. Time, height and keys come from outside.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// Our keys of this channel.
    pub signer: &'a dyn ChannelSigner,
    /// Our node id towards the peer.
    pub local: &'a NodeId,
    /// Hash of our chain's genesis block, in internal byte order.
    pub chain_hash: &'a [u8; 32],
    /// Height of the best block.
    pub height: u32,
    /// Milliseconds on a clock that nobody sets: it never goes back, and it is not a date.
    pub now_ms: u64,
}

/// An event that a channel reacts to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "moved a few times, never stored in bulk")]
pub enum Input {
    /// What a channel of any kind reacts to. A funded channel gets its messages by
    /// [`Input::Message`] instead.
    Link(LinkInput),
    /// A message of this channel arrived.
    Message(ChannelMessage),
    /// The funding transaction is in the best chain, or deeper in it than before.
    FundingDepth {
        /// Confirmations, at least 1.
        depth: u32,
        /// Block, transaction and output of the funding output.
        scid: ShortChannelId,
        /// Tells whether the output has our script and the whole amount.
        is_ours: bool,
        /// Tells whether the transaction is a coinbase, which nothing can spend at first.
        is_coinbase: bool,
    },
    /// A reorganisation took the funding transaction out of the best chain.
    FundingReorged,
    /// A transaction in the best chain spends the funding output.
    FundingSpent {
        /// The transaction.
        transaction: Transaction,
    },
    /// The record may be an old copy: nothing is published before the peer has proved that it is
    /// not (or, after [`Input::ForceClose`], an operator has sworn it).
    Restored,
    /// The operator wants a cooperative close.
    Shutdown,
    /// The operator wants our commitment published.
    ForceClose {
        /// True if the operator swears that the record is no old copy.
        is_current: bool,
    },
    /// On chain, an HTLC of ours was claimed with this preimage, or its failure is final.
    Resolved {
        /// Our id.
        id: u64,
        /// The preimage, unless the HTLC failed.
        preimage: Option<Preimage>,
    },
}

/// What a funded channel wants done, or reports. As with [`LinkEvent`], none may leave before the
/// record is durable, if the call said [`LinkEvent::Changed`]; rows are written with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "moved a few times, never stored in bulk")]
pub enum Output {
    /// A report that a channel of any kind makes; never [`LinkEvent::Send`].
    Link(LinkEvent),
    /// The message is to be sent to the peer, in this order.
    Send(ChannelMessage),
    /// The row of an HTLC is to be written.
    PutHtlc {
        /// Its name.
        key: HtlcKey,
        /// Its bytes.
        row: Vec<u8>,
    },
    /// The row of an HTLC is to be deleted.
    DeleteHtlc {
        /// Its name.
        key: HtlcKey,
    },
    /// The row of a commitment of the peer's is to be kept until the channel is buried: it is what
    /// punishes the commitment once it is revoked.
    Archive {
        /// The commitment's number.
        number: u64,
        /// The row's bytes.
        row: Vec<u8>,
    },
    /// The output is to be watched for its confirmations and for what spends it.
    Watch {
        /// The funding output.
        outpoint: OutPoint,
        /// Its script.
        script: ScriptBuf,
    },
    /// Both sides have said that the channel is ready.
    Opened,
    /// The channel will never exist, and may be forgotten.
    OpeningFailed(String),
    /// An HTLC of the peer's is irrevocable and is to be failed at once, not forwarded.
    Refuse {
        /// The HTLC.
        add: UpdateAddHtlc,
        /// The reason.
        reason: RefuseReason,
    },
    /// An HTLC of the peer's is close to its expiry and has no answer: the peer will close the
    /// channel over it.
    Unanswered {
        /// The peer's id.
        id: u64,
        /// Its expiry, block height.
        cltv_expiry: u32,
    },
    /// The channel ends: from now on nothing is signed and nothing revoked. Reported once.
    Closing(CloseReason),
    /// The resolver is to be started, once what precedes this is durable.
    Resolve(Resolve),
    /// A preimage of an HTLC of the peer's, for the resolver of this channel.
    ResolverPreimage(Preimage),
    /// Both sides have signed this closing transaction; it is to be published.
    PublishClose(Transaction),
    /// One of the closing transactions is in the best chain.
    ClosedByAgreement(Txid),
    /// On chain, the failure of this HTLC of ours is final.
    FailedOnChain {
        /// Our id.
        id: u64,
    },
    /// The peer has proved that our record is an old copy. Our commitment is never published.
    DataLost,
}

/// The reason why an HTLC of the peer's is failed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefuseReason {
    /// The HTLCs too small for an output are worth too much together.
    DustExposure,
}

/// What the resolver is started for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolve {
    /// Our commitment is to be published.
    Publish,
    /// A commitment is in the best chain.
    Seen {
        /// The commitment.
        transaction: Transaction,
        /// Which one it is.
        spend: Spend,
    },
}

/// A transaction that spends the funding output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spend {
    /// A closing transaction that we signed.
    Close,
    /// Our current commitment.
    Local,
    /// A commitment of the peer's that it has not revoked, by its number.
    Remote(u64),
    /// A commitment that was revoked, by its number: the archive has it.
    Revoked(u64),
    /// A commitment newer than all that we know, by its number: our record is an old copy.
    Newer(u64),
}

/// The reason why a channel ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The operator wanted it.
    Operator,
    /// The peer broke the protocol, as this sentence says.
    PeerFault(String),
    /// The peer sent an error.
    PeerError(String),
    /// An HTLC of ours has expired and the peer has not removed it.
    OutgoingExpired {
        /// Our id.
        id: u64,
    },
    /// An HTLC of the peer's has to be claimed on chain before it expires.
    IncomingAtRisk {
        /// The peer's id.
        id: u64,
    },
    /// The peer has proved that our record is an old copy.
    DataLost,
    /// The peer's record is older than ours.
    PeerBehind,
    /// The funding output is spent.
    Spent,
    /// The funding output does not have our script and the whole amount.
    WrongFunding,
}
