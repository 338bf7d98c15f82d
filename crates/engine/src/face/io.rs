//! Inputs, effects and actions (docs/design.md section 3).

use steward_invoice::HintHop;
use steward_onion::PathHop;
use steward_wire::{LinkId, NodeId, PaymentHash, PaymentId, Preimage, ShortChannelId};

use crate::face::command::{Command, Reply};
use crate::face::error::Error;
use crate::face::event::Event;
use crate::face::hold_report::HoldReport;
use crate::face::row::{LocalIdentity, WriteBatch};

/// One connection of one peer. A later connection of the same peer has a higher number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// Identifies the command that a reply answers. The runtime chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyId(pub u64);

/// One moment, by both clocks, which are never compared with each other. Waiting goes by `now_ms`;
/// everything that has a date goes by `wall_ms`. Only wall times are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// The time on a clock that no person sets, that counts the machine's sleep and never goes
    /// back, in milliseconds. It begins anywhere, and again with each start.
    pub now_ms: u64,
    /// The Unix time that the machine believes in, in milliseconds. It may jump either way.
    pub wall_ms: u64,
}

/// An event outside of the engine, to which it reacts.
#[derive(Debug)]
pub enum Input {
    /// A peer is connected: the transport's handshake and the exchange of `init` are done.
    PeerConnected {
        /// The connection.
        conn: ConnId,
        /// The peer.
        peer: NodeId,
        /// Our identity on this connection.
        local: NodeId,
        /// The features in its `init`, big-endian.
        features: Vec<u8>,
        /// True if it connected to us.
        inbound: bool,
        /// Its IP address and port, for quotas and for people.
        address: String,
    },
    /// A connection is gone.
    PeerDisconnected {
        /// The connection.
        conn: ConnId,
    },
    /// A peer has sent custom messages, here in the order in which they came.
    Frames {
        /// The connection on which they came.
        conn: ConnId,
        /// Each message's type and payload, still framed.
        frames: Vec<(u16, Vec<u8>)>,
    },
    /// The operator gives a command.
    Command {
        /// The command's number, for its reply.
        reply: ReplyId,
        /// The command itself.
        command: Command,
    },
    /// The chain source has news.
    Chain {
        /// The best height. It is lower than before only after a real reorg.
        height: u32,
        /// True if no block came for too long, or there is no source: forwards stop.
        stale: bool,
        /// The moment of the last question that the source answered, by [`Time::now_ms`]; `None` if
        /// it has answered none yet. The moment of the answer would say nothing about blocks found
        /// between the two.
        asked_ms: Option<u64>,
    },
    /// The peer at the other end of a connection says something about it by a BOLT1 `warning`.
    PeerWarning {
        /// The connection.
        conn: ConnId,
        /// The peer's words, of bounded length.
        text: String,
    },
    /// The clocks have gone on.
    Tick(Time),
    /// The runtime answers [`Action::FindRoute`].
    Route {
        /// The payment that needs the route.
        payment: PaymentId,
        /// The attempt that the request named. Stale answers are dropped.
        attempt: u32,
        /// The HTLCs, ready to be offered, or the reason why there are none.
        result: Result<Vec<RoutedPart>, NoRoute>,
    },
    /// The runtime answers [`Action::SearchBlocks`]: it has searched every block from the first one
    /// asked for up to this height. The engine requests the missing ones again.
    Searched {
        /// The last height searched: that of the request, or lower if a block above it is missing.
        to_height: u32,
        /// All preimages these blocks publish (docs/protocol.md section 6.1), each with its height.
        preimages: Vec<(u32, Preimage)>,
    },
}

/// The effects of one batch. No action but an inward one ([`Action::is_inward`]) may happen before
/// `writes` are durable.
#[derive(Debug, Default)]
pub struct Effects {
    /// The runtime commits these atomically.
    pub writes: WriteBatch,
    /// The runtime carries these out in order, afterwards.
    pub actions: Vec<Action>,
    /// The latest moment at which the engine needs an [`Input::Tick`], by [`Time::now_ms`].
    pub wakeup_ms: Option<u64>,
}

/// An effect outside the database, which the runtime carries out.
#[derive(Debug)]
pub enum Action {
    /// Sends custom messages on this very connection; if it is gone, drops them.
    Send {
        /// The connection.
        conn: ConnId,
        /// Each message's type and payload, framed.
        frames: Vec<(u16, Vec<u8>)>,
    },
    /// Closes a connection.
    Disconnect {
        /// The connection.
        conn: ConnId,
        /// The reason, for the log.
        reason: String,
        /// True if the peer floods us: its address must not be let in again at once.
        back_off: bool,
    },
    /// Keeps a connection to this peer from now on.
    KeepConnected {
        /// The peer.
        peer: NodeId,
        /// The key under which we meet it.
        identity: LocalIdentity,
        /// The addresses to try, each as `host:port`, best first.
        addresses: Vec<String>,
    },
    /// No longer keeps a connection to this peer, and ends the present one.
    ForgetPeer {
        /// The peer.
        peer: NodeId,
        /// Our identity towards it.
        local: NodeId,
    },
    /// Answers the operator.
    Reply {
        /// The command that is answered.
        reply: ReplyId,
        /// The answer, or the error.
        result: Result<Reply, Error>,
    },
    /// Finds a route and builds its onions. The answer is an [`Input::Route`].
    FindRoute(Box<RouteRequest>),
    /// Tells the scorer how a path did.
    PathResult(PathResult),
    /// Writes to the log how long the hops of a part held it.
    HoldTimes(Box<HoldReport>),
    /// Searches these blocks of the best chain, both ends included, for published preimages. The
    /// answer is an [`Input::Searched`]. There is at most one unanswered request, and none survives
    /// a restart.
    SearchBlocks {
        /// The first block.
        from_height: u32,
        /// The last block.
        to_height: u32,
    },
    /// Asks the chain source at once instead of at its next turn. The answer is an
    /// [`Input::Chain`], with news or without. Asking again before it comes does no harm.
    AskChain,
    /// Tells operators and wallets of an event.
    Notice(Event),
    /// Writes a line to the log.
    Log {
        /// The line's level.
        level: Level,
        /// A stable code in snake_case.
        code: &'static str,
        /// The peer that the line is about.
        peer: Option<NodeId>,
        /// One sentence.
        text: String,
    },
}

impl Action {
    /// True if nothing of it leaves the node: it may be carried out before the batch's writes are
    /// durable.
    pub fn is_inward(&self) -> bool {
        matches!(self, Self::FindRoute(_) | Self::PathResult(_))
    }
}

/// The level of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A person has to act.
    Error,
    /// A person may have to act.
    Warn,
    /// The line is worth knowing.
    Info,
    /// The line helps to find the cause of a problem.
    Debug,
}

/// A payment that needs a route.
#[derive(Clone, Debug)]
pub struct RouteRequest {
    /// The payment.
    pub payment: PaymentId,
    /// The hash that locks its HTLCs.
    pub payment_hash: PaymentHash,
    /// The number of this attempt. It comes back with the answer.
    pub attempt: u32,
    /// The payee.
    pub destination: NodeId,
    /// The amount that is still to be sent, in millisatoshi.
    pub amount_msat: u64,
    /// The highest fee for that amount, in millisatoshi.
    pub max_fee_msat: u64,
    /// The distance that the payee asks for between now and the HTLC's expiry, in blocks.
    pub final_cltv_expiry_delta_blocks: u32,
    /// The best height. Expiries are relative to it.
    pub height: u32,
    /// The private last hops that the invoice names.
    pub hints: Vec<Vec<HintHop>>,
    /// Our channels, each with the most that it can carry now.
    pub first_hops: Vec<FirstHop>,
    /// The channels that failed for this payment.
    pub avoid: Vec<ShortChannelId>,
    /// The paths of the parts in flight, each with its amount, in millisatoshi.
    pub in_flight: Vec<(Vec<(NodeId, ShortChannelId)>, u64)>,
    /// True if the payment may be split.
    pub mpp: bool,
    /// The contents of the payee's layer of the onion.
    pub recipient: Recipient,
}

/// The contents of the payee's layer of the onion.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// The invoice's payment secret.
    pub payment_secret: Option<[u8; 32]>,
    /// The sum of all parts, in millisatoshi.
    pub total_msat: u64,
    /// The invoice's metadata.
    pub metadata: Option<Vec<u8>>,
    /// The preimage that goes along with a payment without an invoice.
    pub keysend_preimage: Option<Preimage>,
}

/// One of our channels as the start of a route.
#[derive(Clone, Debug)]
pub struct FirstHop {
    /// The channel.
    pub link: LinkId,
    /// The node at its other end.
    pub peer: NodeId,
    /// The id by which a route names the channel.
    pub short_channel_id: ShortChannelId,
    /// The largest HTLC that it can carry now, in millisatoshi.
    pub spendable_msat: u64,
    /// The smallest HTLC that it carries, in millisatoshi.
    pub htlc_minimum_msat: u64,
    /// Its capacity, in millisatoshi.
    pub capacity_msat: u64,
}

/// One HTLC of a route, ready to be offered.
#[derive(Clone, Debug)]
pub struct RoutedPart {
    /// The hops with their fees, as LDK counts them: the last one's fee is the amount.
    pub path: Vec<PathHop>,
    /// The amount of the first HTLC, in millisatoshi.
    pub amount_msat: u64,
    /// The share of it that is fee, in millisatoshi.
    pub fee_msat: u64,
    /// The expiry of the first HTLC, a block height.
    pub cltv_expiry: u32,
    /// The onion for the first hop.
    pub onion: Box<[u8; 1366]>,
    /// The key that reads failures of this onion.
    pub session_key: [u8; 32],
}

/// The reason why there is no route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRoute {
    /// A stable code in snake_case, with which the payment fails.
    pub code: &'static str,
    /// One sentence.
    pub text: String,
}

/// The code if no reason is known.
pub const NO_ROUTE: &str = "no_route";

impl From<String> for NoRoute {
    fn from(text: String) -> Self {
        Self { code: NO_ROUTE, text }
    }
}

/// The result of an HTLC on one path, for the scorer.
#[derive(Clone, Debug)]
pub struct PathResult {
    /// The path.
    pub path: Vec<(NodeId, ShortChannelId)>,
    /// The amount that was sent over it, in millisatoshi.
    pub amount_msat: u64,
    /// `None` if the payment arrived; otherwise the channel that refused, if it is known.
    pub failed: Option<Option<ShortChannelId>>,
}
