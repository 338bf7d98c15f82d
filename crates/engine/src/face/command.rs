//! The operator's commands and the answers to them.

use steward_hosted::{Summary, Suspension};
use steward_invoice::Invoice;
use steward_wire::{LastCrossSignedState, LinkId, NodeId, PaymentHash, Preimage, ShortChannelId};

use crate::face::config::Config;
use crate::face::row::{InvoiceRow, LocalIdentity, PaymentRow};

/// The way in which an operator names a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelRef {
    /// The channel with this id.
    Link(LinkId),
    /// The only channel with this peer.
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

/// A command of the operator's. Secrets and randomness come with it: the engine has none.
#[derive(Clone, Debug)]
pub enum Command {
    /// Shows numbers about the node as a whole.
    Status,
    /// Takes over the settings that may change while the node runs: the terms of new channels, the
    /// policy, whether keysends are accepted. A changed policy is told to the clients.
    Reconfigure {
        /// The whole configuration. Its chain must be the same.
        config: Box<Config>,
    },
    /// Opens a hosted channel with a host, as client, or resumes the opening.
    InvokeChannel {
        /// The host.
        host: NodeId,
        /// The host's addresses, each as `host:port`, best first.
        addresses: Vec<String>,
        /// Our key in the channel, which never changes. A channel that exists under it is resumed.
        identity: LocalIdentity,
        /// The secret that the host gave us to open with.
        secret: Vec<u8>,
    },
    /// Lists channels in the order of their ids, at most [`MAX_CHANNELS_PER_PAGE`]. A list that is
    /// shorter than that is the last page.
    ///
    /// [`MAX_CHANNELS_PER_PAGE`]: crate::limits::MAX_CHANNELS_PER_PAGE
    ListChannels {
        /// The last channel of the page before, which may be gone; `None` for the first page.
        after: Option<LinkId>,
    },
    /// Shows one channel, with its signed state.
    ShowChannel {
        /// The channel.
        channel: ChannelRef,
    },
    /// Suspends a channel: it takes no new HTLCs until an override.
    SuspendChannel {
        /// The channel.
        channel: ChannelRef,
    },
    /// As host: proposes a fresh state without HTLCs for a suspended channel. Refused while HTLCs
    /// of this client are forwarded and their outcome is not known.
    ProposeOverride {
        /// The channel.
        channel: ChannelRef,
        /// Our balance in that state, out of the capacity that both have signed, in millisatoshi.
        /// An increase by a resize under way is ours as well.
        local_balance_msat: u64,
    },
    /// As client: accepts the fresh state that our host proposes, if it gives us this balance.
    /// Refused as [`Self::ProposeOverride`].
    AcceptOverride {
        /// The channel.
        channel: ChannelRef,
        /// Our balance in that state ([`ChannelInfo::override_balance_msat`]), in millisatoshi.
        our_balance_msat: u64,
    },
    /// As client: asks our host for a larger capacity.
    ResizeChannel {
        /// The channel.
        channel: ChannelRef,
        /// The capacity asked for, in satoshi.
        new_capacity_sat: u64,
    },
    /// Forgets a channel that was never signed, or in which the client's balance is 0 and no HTLC
    /// is in flight.
    ForgetChannel {
        /// The channel.
        channel: ChannelRef,
    },
    /// No longer keeps a connection to a peer.
    ForgetPeer {
        /// The peer.
        peer: NodeId,
    },
    /// Hands in a preimage that was learned elsewhere. It claims the HTLCs that wait for it.
    SubmitPreimage {
        /// The preimage.
        preimage: Preimage,
    },
    /// Keeps a connection to a peer.
    Connect {
        /// The peer.
        peer: NodeId,
        /// The peer's addresses, each as `host:port`, best first.
        addresses: Vec<String>,
    },
    /// Lists the peers that are connected or kept.
    ListPeers,
    /// Makes an invoice.
    CreateInvoice {
        /// The amount, in millisatoshi; `None` if the payer chooses it.
        amount_msat: Option<u64>,
        /// The text that the payer sees.
        description: String,
        /// The invoice's lifetime, in seconds.
        expiry_s: u32,
        /// A random preimage from the runtime.
        preimage: Preimage,
        /// A random secret from the runtime.
        payment_secret: [u8; 32],
    },
    /// Pays an invoice. Paying the same invoice again tells how the first attempt did.
    Pay {
        /// The invoice.
        invoice: Box<Invoice>,
        /// The amount, in millisatoshi. It is required if the invoice leaves the amount open;
        /// otherwise it is refused unless equal.
        amount_msat: Option<u64>,
        /// The highest fee, in millisatoshi; `None` stands for 1 % and at least 10 sat.
        max_fee_msat: Option<u64>,
        /// The moment of the answer.
        answer: AnswerAt,
    },
    /// Computes the most that can be sent to the payee of an invoice without an amount.
    MostPayable {
        /// The invoice.
        invoice: Box<Invoice>,
    },
    /// Pays a node without an invoice.
    Keysend {
        /// The payee.
        destination: NodeId,
        /// The host through which the payee is reached, if it is not a direct peer.
        via: Option<NodeId>,
        /// The amount, in millisatoshi.
        amount_msat: u64,
        /// The highest fee, in millisatoshi; `None` stands for 1 % and at least 10 sat.
        max_fee_msat: Option<u64>,
        /// A random preimage from the runtime.
        preimage: Preimage,
        /// The moment of the answer.
        answer: AnswerAt,
    },
    /// Waits until a payment ends; one that ended lately is answered at once.
    AwaitPayment {
        /// The payment's hash.
        payment_hash: PaymentHash,
    },
    /// Shows the live state of one payment that has not ended, or ended lately.
    GetPayment {
        /// The payment's hash.
        payment_hash: PaymentHash,
    },
}

/// An operator's wish for an invoice.
pub(crate) struct InvoiceRequest {
    pub(crate) amount_msat: Option<u64>,
    pub(crate) description: String,
    pub(crate) expiry_s: u32,
    pub(crate) preimage: Preimage,
    pub(crate) payment_secret: [u8; 32],
}

/// The moment at which a command to pay is answered. An error is always answered at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerAt {
    /// The payment is begun, durably.
    Start,
    /// The payment has ended.
    End,
}

/// The answer to a command.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Answers [`Command::Status`].
    Status(Status),
    /// Answers every command about one channel: the channel as it is now.
    Channel(Box<ChannelInfo>),
    /// Answers [`Command::ListChannels`].
    Channels(Vec<ChannelInfo>),
    /// Answers [`Command::ListPeers`].
    Peers(Vec<PeerInfo>),
    /// Answers [`Command::CreateInvoice`].
    Invoice(InvoiceRow),
    /// Answers [`Command::Pay`], [`Command::Keysend`] and [`Command::GetPayment`] with the payment
    /// as it is now, and [`Command::AwaitPayment`] with the payment as it ended.
    Payment(PaymentRow),
    /// Answers [`Command::Pay`] if an earlier request began the payment, which may have ended.
    EarlierPayment(PaymentRow),
    /// Answers [`Command::MostPayable`] with an amount, in millisatoshi.
    Amount(u64),
    /// The command is carried out, and there is nothing to tell.
    Done,
}

/// Numbers about the node as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Our identity as host.
    pub node_id: NodeId,
    /// The best block height.
    pub height: u32,
    /// True if the chain source shows no news: no forwards are accepted.
    pub tip_is_stale: bool,
    /// The time since the chain source was asked for that height, in milliseconds; `None` if it has
    /// not answered, or not since the wall clock jumped.
    pub chain_age_ms: Option<u64>,
    /// The number of connected peers.
    pub peers: u32,
    /// The number of channels in each phase: opening, offline, syncing, active, suspended.
    pub channels: [u32; 5],
    /// The sum that we owe clients by signed states, in millisatoshi.
    pub owed_to_clients_msat: u64,
    /// The sum that hosts owe us by signed states, in millisatoshi.
    pub owed_by_hosts_msat: u64,
    /// The sum that we could send now, in millisatoshi.
    pub spendable_msat: u64,
    /// The sum that we could receive now over hosts, in millisatoshi.
    pub receivable_msat: u64,
    /// The number of our payments that have not ended.
    pub pending_payments: u32,
    /// The number of forwards that have not ended.
    pub pending_forwards: u32,
}

/// One channel.
#[derive(Clone, Debug)]
pub struct ChannelInfo {
    /// The channel's id.
    pub link: LinkId,
    /// The peer.
    pub peer: NodeId,
    /// Our own identity in this channel.
    pub local: NodeId,
    /// The short channel id, computed from the pair of node ids.
    pub short_channel_id: ShortChannelId,
    /// The channel in numbers; `None` while it opens.
    pub summary: Option<Summary>,
    /// The channel's phase.
    pub phase: steward_hosted::Phase,
    /// Our role.
    pub role: steward_hosted::Role,
    /// The reason of its suspension, if it is suspended.
    pub suspension: Option<Suspension>,
    /// As client: the host's terms for forwarding to us.
    pub peer_policy: Option<steward_wire::ChannelUpdate>,
    /// As client: the balance that the host proposes after a suspension, in millisatoshi.
    pub override_balance_msat: Option<u64>,
    /// The last state that both signed, only in answer to [`Command::ShowChannel`].
    pub state: Option<LastCrossSignedState>,
    /// True if both signatures of `state` hold; only in answer to [`Command::ShowChannel`].
    pub signatures_valid: Option<bool>,
}

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// The peer.
    pub peer: NodeId,
    /// Our identity towards it.
    pub local: NodeId,
    /// True if it is connected now.
    pub connected: bool,
    /// True if it connected to us.
    pub inbound: bool,
    /// Its address on the present connection, or the addresses that we try.
    pub addresses: Vec<String>,
    /// Its framing of messages, once known: `modern` or `legacy`.
    pub framing: Option<&'static str>,
    /// True if it advertises hosted channels.
    pub supports_hosted_channels: bool,
}
