//! What the operator asks and what is answered.

use steward_hosted::{Summary, Suspension};
use steward_invoice::Invoice;
use steward_wire::{LastCrossSignedState, LinkId, NodeId, PaymentHash, Preimage, ShortChannelId};

use crate::face::config::Config;
use crate::face::row::{InvoiceRow, LocalIdentity, PaymentRow};

/// How an operator names a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelRef {
    /// By its id.
    Link(LinkId),
    /// By its other side, with which there must be no other channel.
    Peer(NodeId),
}

impl From<LinkId> for ChannelRef {
    fn from(link: LinkId) -> Self {
        Self::Link(link)
    }
}

impl From<NodeId> for ChannelRef {
    fn from(peer: NodeId) -> Self {
        Self::Peer(peer)
    }
}

/// What the operator asks. Secrets and randomness come with it: the engine has none.
#[derive(Clone, Debug)]
pub enum Command {
    /// Numbers about the node as a whole.
    Status,
    /// Takes over what an operator may change while the node runs: what new channels get, the
    /// policy, whether keysends are accepted. Clients are told the policy if it changed.
    Reconfigure {
        /// All of it; the chain must be the same.
        config: Box<Config>,
    },
    /// Opens a hosted channel with a host, as client, or resumes the opening.
    InvokeChannel {
        /// The host.
        host: NodeId,
        /// Where it listens, `host:port`, best first.
        addresses: Vec<String>,
        /// Our key in the channel, for good. If there is a channel under it already, that one is
        /// resumed.
        identity: LocalIdentity,
        /// What the host gave us to open with.
        secret: Vec<u8>,
    },
    /// All channels.
    ListChannels,
    /// One channel, with its signed state.
    ShowChannel {
        /// Which.
        channel: ChannelRef,
    },
    /// Stops a channel: no new HTLCs until an override.
    SuspendChannel {
        /// Which.
        channel: ChannelRef,
    },
    /// As host: proposes a fresh state without HTLCs for a suspended channel. Refused while
    /// HTLCs of this client are on their way to others, whose outcome is not known.
    ProposeOverride {
        /// Which.
        channel: ChannelRef,
        /// Our balance in that state, in millisatoshi, of the capacity that both have signed:
        /// what a resize under way adds is ours as well.
        local_balance_msat: u64,
    },
    /// As client: accepts the fresh state our host proposes, if it gives us this balance. Refused
    /// as [`Self::ProposeOverride`].
    AcceptOverride {
        /// Which.
        channel: ChannelRef,
        /// Our balance in that state, in millisatoshi: [`ChannelInfo::override_balance_msat`].
        our_balance_msat: u64,
    },
    /// As client: asks our host for a larger capacity.
    ResizeChannel {
        /// Which.
        channel: ChannelRef,
        /// In satoshi.
        new_capacity_sat: u64,
    },
    /// Forgets a channel in which nobody has anything: never signed, or the client's balance is 0
    /// and nothing is in flight.
    ForgetChannel {
        /// Which.
        channel: ChannelRef,
    },
    /// No longer keeps a connection to a peer.
    ForgetPeer {
        /// The peer.
        peer: NodeId,
    },
    /// Hands in a preimage that was learned elsewhere. It claims what waits for it.
    SubmitPreimage {
        /// The preimage.
        preimage: Preimage,
    },
    /// Keeps a connection to a peer.
    Connect {
        /// The peer.
        peer: NodeId,
        /// Where it listens, `host:port`, best first.
        addresses: Vec<String>,
    },
    /// Connected and wanted peers.
    ListPeers,
    /// Makes an invoice.
    CreateInvoice {
        /// `None`: the payer chooses.
        amount_msat: Option<u64>,
        /// Shown to the payer.
        description: String,
        /// Seconds until it expires.
        expiry_s: u32,
        /// Random, from the runtime.
        preimage: Preimage,
        /// Random, from the runtime.
        payment_secret: [u8; 32],
    },
    /// Pays an invoice. Paying the same invoice again tells how the first attempt went.
    Pay {
        /// The invoice.
        invoice: Box<Invoice>,
        /// Required if the invoice leaves the amount open, else refused unless equal.
        amount_msat: Option<u64>,
        /// Most fee to pay, in millisatoshi; `None`: 1 % and at least 10 sat.
        max_fee_msat: Option<u64>,
        /// When to answer.
        answer: AnswerAt,
    },
    /// The most that can be sent to the payee of an invoice that leaves the amount open.
    MostPayable {
        /// The invoice.
        invoice: Box<Invoice>,
    },
    /// Pays a node without an invoice.
    Keysend {
        /// Who is paid.
        destination: NodeId,
        /// The host through which it is reached, if it is not a direct peer.
        via: Option<NodeId>,
        /// Amount, in millisatoshi.
        amount_msat: u64,
        /// Most fee to pay, in millisatoshi.
        max_fee_msat: Option<u64>,
        /// Random, from the runtime.
        preimage: Preimage,
        /// When to answer.
        answer: AnswerAt,
    },
    /// Answered when the payment ends, or at once if it ended lately.
    AwaitPayment {
        /// Which.
        payment_hash: PaymentHash,
    },
    /// The live state of one payment that has not ended, or ended lately.
    GetPayment {
        /// Which.
        payment_hash: PaymentHash,
    },
}

/// What the operator wants of an invoice.
pub(crate) struct InvoiceRequest {
    pub(crate) amount_msat: Option<u64>,
    pub(crate) description: String,
    pub(crate) expiry_s: u32,
    pub(crate) preimage: Preimage,
    pub(crate) payment_secret: [u8; 32],
}

/// When a command to pay is answered. An error is always answered at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerAt {
    /// As soon as the payment is begun, durably.
    Start,
    /// When it has ended.
    End,
}

/// What a command is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// To [`Command::Status`].
    Status(Status),
    /// To every command about one channel: the channel as it stands.
    Channel(Box<ChannelInfo>),
    /// To [`Command::ListChannels`].
    Channels(Vec<ChannelInfo>),
    /// To [`Command::ListPeers`].
    Peers(Vec<PeerInfo>),
    /// To [`Command::CreateInvoice`].
    Invoice(InvoiceRow),
    /// To [`Command::Pay`], [`Command::Keysend`] and [`Command::GetPayment`]: the payment as it
    /// stands. To [`Command::AwaitPayment`]: how it ended.
    Payment(PaymentRow),
    /// To [`Command::Pay`], if an earlier request began the payment: as it stands, or how it ended.
    EarlierPayment(PaymentRow),
    /// To [`Command::MostPayable`], in millisatoshi.
    Amount(u64),
    /// Done, nothing to tell.
    Done,
}

/// Numbers about the node as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Our identity as host.
    pub node_id: NodeId,
    /// Best block height.
    pub height: u32,
    /// True if the chain source shows no news: no forwards are accepted.
    pub tip_is_stale: bool,
    /// How long ago the chain source was asked for it, in milliseconds; `None`: it has not
    /// answered, or not since the wall clock jumped.
    pub chain_age_ms: Option<u64>,
    /// Connected peers.
    pub peers: u32,
    /// Channels by phase: opening, offline, syncing, active, suspended.
    pub channels: [u32; 5],
    /// What we owe clients, signed, in millisatoshi.
    pub owed_to_clients_msat: u64,
    /// What hosts owe us, signed, in millisatoshi.
    pub owed_by_hosts_msat: u64,
    /// Sum we could send now, in millisatoshi.
    pub spendable_msat: u64,
    /// Sum we could receive now over hosts, in millisatoshi.
    pub receivable_msat: u64,
    /// Payments out that have not ended.
    pub pending_payments: u32,
    /// Forwards that have not ended.
    pub pending_forwards: u32,
}

/// One channel.
#[derive(Clone, Debug)]
pub struct ChannelInfo {
    /// Its name.
    pub link: LinkId,
    /// The other side.
    pub peer: NodeId,
    /// Our own identity in this channel.
    pub local: NodeId,
    /// From the pair of node ids.
    pub short_channel_id: ShortChannelId,
    /// `None` while it opens.
    pub summary: Option<Summary>,
    /// Where it is in its life.
    pub phase: steward_hosted::Phase,
    /// Our side.
    pub role: steward_hosted::Role,
    /// Why it is suspended, if it is.
    pub suspension: Option<Suspension>,
    /// As client: what the host asks for forwarding to us.
    pub peer_policy: Option<steward_wire::ChannelUpdate>,
    /// As client: balance the host proposes after a suspension, in millisatoshi.
    pub override_balance_msat: Option<u64>,
    /// The last state both signed. Only in answer to [`Command::ShowChannel`].
    pub state: Option<LastCrossSignedState>,
    /// True if both signatures of `state` hold. Only in answer to [`Command::ShowChannel`].
    pub signatures_valid: Option<bool>,
}

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// The peer.
    pub peer: NodeId,
    /// Our identity towards it.
    pub local: NodeId,
    /// Connected now.
    pub connected: bool,
    /// True if it connected to us.
    pub inbound: bool,
    /// Its address on the present connection, or those we try.
    pub addresses: Vec<String>,
    /// How it frames messages, once known: `modern` or `legacy`.
    pub framing: Option<&'static str>,
    /// True if it advertises hosted channels.
    pub supports_hosted_channels: bool,
}
