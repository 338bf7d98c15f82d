//! Inputs, effects and actions (docs/design.md section 3).

use steward_invoice::HintHop;
use steward_onion::PathHop;
use steward_wire::{LinkId, NodeId, PaymentHash, PaymentId, Preimage, ShortChannelId};

use crate::face::command::{Command, Reply};
use crate::face::error::Error;
use crate::face::event::Event;
use crate::face::hold_report::HoldReport;
use crate::face::row::{LocalIdentity, WriteBatch};

/// One connection of one peer: a later connection of the same peer has a higher number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// Identifies the command that a reply answers. The runtime chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyId(pub u64);

/// One moment, by both clocks. They are never compared with each other: what is waited for goes
/// by `now_ms`, what has a date goes by `wall_ms`. Only wall times are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// Milliseconds on a clock that nobody sets, that counts the machine's sleep and never goes
    /// back; it begins anywhere, and again with each start.
    pub now_ms: u64,
    /// Unix time, milliseconds, as the machine believes it to be: it may jump either way.
    pub wall_ms: u64,
}

/// What the engine reacts to.
#[derive(Debug)]
pub enum Input {
    /// A peer is connected, transport and init done.
    PeerConnected {
        /// The connection.
        conn: ConnId,
        /// The peer.
        peer: NodeId,
        /// Our identity on this connection.
        local: NodeId,
        /// Its init features, big-endian.
        features: Vec<u8>,
        /// True if it connected to us.
        inbound: bool,
        /// Its IP address and port, for quotas and for people.
        address: String,
    },
    /// The connection is gone.
    PeerDisconnected {
        /// The connection.
        conn: ConnId,
    },
    /// Custom messages, in order.
    Frames {
        /// From where.
        conn: ConnId,
        /// Type and payload, still framed.
        frames: Vec<(u16, Vec<u8>)>,
    },
    /// The operator asks.
    Command {
        /// The command's number, for its reply.
        reply: ReplyId,
        /// What.
        command: Command,
    },
    /// News from the chain source.
    Chain {
        /// Best height; never lower than before except for a real reorg.
        height: u32,
        /// No block for too long, or no source: forwards stop.
        stale: bool,
        /// When the source was last asked and then answered, by [`Time::now_ms`]: the moment of
        /// the question, as that of the answer says nothing about blocks found meanwhile. `None`:
        /// it has not answered yet.
        asked_ms: Option<u64>,
    },
    /// The peer at the other end of a connection says something about it by a BOLT1 `warning`.
    PeerWarning {
        /// The connection.
        conn: ConnId,
        /// The peer's words, bounded.
        text: String,
    },
    /// The clocks.
    Tick(Time),
    /// The answer to [`Action::FindRoute`].
    Route {
        /// For which payment.
        payment: PaymentId,
        /// As in the request; stale answers are dropped.
        attempt: u32,
        /// Ready-made HTLCs, or why there are none.
        result: Result<Vec<RoutedPart>, NoRoute>,
    },
    /// The answer to [`Action::SearchBlocks`]: every block from the first one asked for up to this
    /// height was searched. What is missing up to the last one asked for is requested again.
    Searched {
        /// At most as in the request; lower if a block further up could not be had.
        to_height: u32,
        /// All preimages these blocks publish (protocol.md section 6.1), each with its height.
        preimages: Vec<(u32, Preimage)>,
    },
}

/// One batch: nothing in `actions` may happen before `writes` are durable.
#[derive(Debug, Default)]
pub struct Effects {
    /// To be committed atomically.
    pub writes: WriteBatch,
    /// To be carried out in order, afterwards.
    pub actions: Vec<Action>,
    /// When the engine wants a [`Input::Tick`] at the latest, by [`Time::now_ms`].
    pub wakeup_ms: Option<u64>,
}

/// What the runtime does for the engine.
#[derive(Debug)]
pub enum Action {
    /// Send custom messages on this very connection; if it is gone, drop them.
    Send {
        /// Where to.
        conn: ConnId,
        /// Type and payload, framed.
        frames: Vec<(u16, Vec<u8>)>,
    },
    /// Close the connection.
    Disconnect {
        /// Which.
        conn: ConnId,
        /// For the log.
        reason: String,
        /// True: the peer floods us; its address is not to be let in again at once.
        back_off: bool,
    },
    /// Keep a connection to this peer from now on.
    KeepConnected {
        /// The peer.
        peer: NodeId,
        /// The key under which we meet it.
        identity: LocalIdentity,
        /// `host:port`, best first.
        addresses: Vec<String>,
    },
    /// No longer keep a connection to this peer, and end the one there is.
    ForgetPeer {
        /// The peer.
        peer: NodeId,
        /// Our identity towards it.
        local: NodeId,
    },
    /// Answer the operator.
    Reply {
        /// The command that is answered.
        reply: ReplyId,
        /// What.
        result: Result<Reply, Error>,
    },
    /// Find a route and build its onions; answer with [`Input::Route`].
    FindRoute(Box<RouteRequest>),
    /// What a path was worth, for the scorer.
    PathResult(PathResult),
    /// How long the hops of a part held it: a line in the log for whoever looks for it.
    HoldTimes(Box<HoldReport>),
    /// Look for published preimages in these blocks of the best chain, both ends included;
    /// answer with [`Input::Searched`]. There is at most one unanswered request, and none
    /// survives a restart.
    SearchBlocks {
        /// The first block.
        from_height: u32,
        /// The last block.
        to_height: u32,
    },
    /// Ask the chain source at once instead of at its next turn; the answer is an
    /// [`Input::Chain`], news or not. Asking again before it is harmless.
    AskChain,
    /// Something an operator or a wallet wants to know.
    Notice(Event),
    /// A line for the log.
    Log {
        /// How bad.
        level: Level,
        /// Stable, snake_case.
        code: &'static str,
        /// The peer that the line is about.
        peer: Option<NodeId>,
        /// A sentence.
        text: String,
    },
}

/// How bad a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Needs a person.
    Error,
    /// May need a person.
    Warn,
    /// Worth knowing.
    Info,
    /// For those who look for something.
    Debug,
}

/// A payment that needs a route.
#[derive(Clone, Debug)]
pub struct RouteRequest {
    /// The payment.
    pub payment: PaymentId,
    /// What its HTLCs are locked with.
    pub payment_hash: PaymentHash,
    /// Comes back with the answer.
    pub attempt: u32,
    /// Who is paid.
    pub destination: NodeId,
    /// What is still to be sent, in millisatoshi.
    pub amount_msat: u64,
    /// Most fee for that, in millisatoshi.
    pub max_fee_msat: u64,
    /// Blocks the payee wants between now and the HTLC's expiry.
    pub final_cltv_expiry_delta_blocks: u32,
    /// Best height: expiries are relative to it.
    pub height: u32,
    /// From the invoice: private last hops.
    pub hints: Vec<Vec<HintHop>>,
    /// Our channels, with what each can carry now.
    pub first_hops: Vec<FirstHop>,
    /// Channels that failed for this payment.
    pub avoid: Vec<ShortChannelId>,
    /// Paths of parts still in flight, with their amounts, in millisatoshi.
    pub in_flight: Vec<(Vec<(NodeId, ShortChannelId)>, u64)>,
    /// May it be split.
    pub mpp: bool,
    /// For the payee's layer of the onion.
    pub recipient: Recipient,
}

/// What the payee finds in its layer of the onion.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// From the invoice.
    pub payment_secret: Option<[u8; 32]>,
    /// Sum of all parts, in millisatoshi.
    pub total_msat: u64,
    /// From the invoice.
    pub metadata: Option<Vec<u8>>,
    /// For a payment without an invoice.
    pub keysend_preimage: Option<Preimage>,
}

/// One of our channels as the start of a route.
#[derive(Clone, Debug)]
pub struct FirstHop {
    /// The channel.
    pub link: LinkId,
    /// The other side.
    pub peer: NodeId,
    /// How a route names the channel.
    pub short_channel_id: ShortChannelId,
    /// Most one HTLC can carry now, in millisatoshi.
    pub spendable_msat: u64,
    /// Least one HTLC can carry, in millisatoshi.
    pub htlc_minimum_msat: u64,
    /// Capacity, in millisatoshi.
    pub capacity_msat: u64,
}

/// One HTLC of a route, ready to be offered.
#[derive(Clone, Debug)]
pub struct RoutedPart {
    /// Hops with fees, in LDK's sense: the last one's fee is the amount.
    pub path: Vec<PathHop>,
    /// What the first channel carries, in millisatoshi.
    pub amount_msat: u64,
    /// What of it is fee, in millisatoshi.
    pub fee_msat: u64,
    /// Expiry of the first HTLC, block height.
    pub cltv_expiry: u32,
    /// For the first hop.
    pub onion: Box<[u8; 1366]>,
    /// To read failures with.
    pub session_key: [u8; 32],
}

/// Why there is no route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRoute {
    /// Stable, snake_case: the payment fails with it.
    pub code: &'static str,
    /// A sentence.
    pub text: String,
}

/// The code if nothing is known but that there is none.
pub const NO_ROUTE: &str = "no_route";

impl From<String> for NoRoute {
    fn from(text: String) -> Self {
        Self { code: NO_ROUTE, text }
    }
}

/// What a path was worth.
#[derive(Clone, Debug)]
pub struct PathResult {
    /// The path.
    pub path: Vec<(NodeId, ShortChannelId)>,
    /// What was sent over it, in millisatoshi.
    pub amount_msat: u64,
    /// `None`: the payment arrived. Otherwise the channel that refused, if it is known.
    pub failed: Option<Option<ShortChannelId>>,
}
