//! The rows of the database, and the batch that writes them (docs/state-format.md).

use std::collections::BTreeMap;

use steward_hosted::{Phase, Role};
use steward_htlc::{IncomingHtlcId, OutgoingHtlcId, Settlement};
use steward_wire::{Framing, LinkId, NodeId, PaymentHash, PaymentId, Preimage, ShortChannelId};

use crate::face::event::Event;

/// The key of ours by which we are known in a channel. It is chosen when the channel is opened and
/// never changes: the channel's id follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LocalIdentity {
    /// The node's own key. Hosts are known by it, and so is a node that wants to be found.
    Node,
    /// A key derived for one host: no two hosts can tell that they serve the same client.
    PerHost,
}

/// A row of table `channel`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRow {
    /// The channel, which is the row's key.
    pub link: LinkId,
    /// The peer.
    pub peer: NodeId,
    /// Our key in the channel.
    pub identity: LocalIdentity,
    /// Our role.
    pub role: Role,
    /// The channel's phase, for queries only: the record decides.
    pub phase: Phase,
    /// The short channel id, computed from the pair of node ids.
    pub short_channel_id: ShortChannelId,
    /// Our balance in the signed state, in millisatoshi.
    pub local_balance_msat: u64,
    /// The peer's balance in the signed state, in millisatoshi.
    pub remote_balance_msat: u64,
    /// The channel's record ([`steward_hosted::Channel::record`]).
    pub record: Vec<u8>,
}

/// The origin of an outgoing HTLC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The HTLC forwards this incoming HTLC.
    Forward(IncomingHtlcId),
    /// The HTLC is a part of our own payment.
    Payment {
        /// The payment.
        payment: PaymentId,
        /// The part's number.
        part: u32,
    },
}

/// The status of a payment that we make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PaymentStatus {
    /// It has not ended.
    Pending,
    /// It was paid: the preimage is known.
    Complete,
    /// It ended, and nothing was paid.
    Failed,
    /// Our data was an old copy, so that the payment may be paid or not. Only its preimage ends it.
    Unknown,
}

/// The request that a payment answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentKind {
    /// An invoice as in BOLT 11, with its text.
    Bolt11(String),
    /// No request: the preimage went along with the payment.
    Keysend,
}

impl PaymentKind {
    /// The invoice's text, if there is one.
    pub fn bolt11(&self) -> Option<&str> {
        match self {
            Self::Bolt11(text) => Some(text),
            Self::Keysend => None,
        }
    }
}

/// The status of an invoice. One that expires stays open, and is not paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InvoiceStatus {
    /// It was not paid.
    Open,
    /// It was paid, and our claim is decided.
    Paid,
}

/// A row of table `payment`: a payment that we make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRow {
    /// The payment hash, which is the row's key.
    pub payment_hash: PaymentHash,
    /// The payee.
    pub destination: NodeId,
    /// The amount that the payee gets, in millisatoshi.
    pub amount_msat: u64,
    /// The fees of the parts that are in flight or paid, in millisatoshi.
    pub fee_msat: u64,
    /// The highest fee allowed, in millisatoshi.
    pub max_fee_msat: u64,
    /// The payment's status.
    pub status: PaymentStatus,
    /// The proof of payment.
    pub preimage: Option<Preimage>,
    /// The code and sentence that tell why it failed, or why its end is not known.
    pub failure: Option<(String, String)>,
    /// The request that it answers.
    pub kind: PaymentKind,
    /// The Unix time at which it was begun, in milliseconds.
    pub created_ms: u64,
    /// The Unix time at which it ended, in milliseconds.
    pub ended_ms: Option<u64>,
}

impl PaymentRow {
    /// The payment's id.
    pub fn id(&self) -> PaymentId {
        self.payment_hash.into()
    }
}

/// A row of table `payment_part`: one HTLC of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRow {
    /// The payment.
    pub payment: PaymentId,
    /// The part's number, counted from 0 over all attempts.
    pub part: u32,
    /// The channel that carries it.
    pub link: LinkId,
    /// The amount without fees, in millisatoshi.
    pub amount_msat: u64,
    /// The fee, in millisatoshi.
    pub fee_msat: u64,
    /// The session key of its onion, with which failures are read.
    pub session_key: [u8; 32],
    /// The nodes and channels it goes through, first hop first.
    pub path: Vec<(NodeId, ShortChannelId)>,
    /// The part's status.
    pub status: PaymentStatus,
}

/// A row of table `invoice`: a payment that we ask for, or asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceRow {
    /// The payment hash, which is the row's key.
    pub payment_hash: PaymentHash,
    /// The preimage that we show for the payment.
    pub preimage: Preimage,
    /// The secret that a payer must show; zeros for a keysend.
    pub payment_secret: [u8; 32],
    /// The amount, in millisatoshi; `None` if the payer chose it.
    pub amount_msat: Option<u64>,
    /// The text that the payer sees.
    pub description: String,
    /// The kind of request.
    pub kind: PaymentKind,
    /// The Unix time at which it was made, in milliseconds.
    pub created_ms: u64,
    /// The Unix time at which it expires, in milliseconds.
    pub expires_ms: u64,
    /// The invoice's status.
    pub status: InvoiceStatus,
    /// The amount that came in, in millisatoshi.
    pub received_msat: u64,
    /// The Unix time at which it was paid, in milliseconds.
    pub paid_ms: Option<u64>,
    /// The code and sentence of a claim that its channel did not sign: people have to settle
    /// whether the money is ours.
    pub failure: Option<(String, String)>,
}

/// The part of an open invoice's row by which its payment is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenInvoice {
    /// The preimage that we show for the payment; its hash is the row's key.
    pub preimage: Preimage,
    /// The secret that a payer must show.
    pub payment_secret: [u8; 32],
    /// The amount, in millisatoshi; `None` if the payer chooses it.
    pub amount_msat: Option<u64>,
    /// The Unix time at which it expires, in milliseconds.
    pub expires_ms: u64,
}

impl OpenInvoice {
    /// The part of a row; `None` if it is paid, or a keysend: the parts of one that is not claimed
    /// bring it again.
    pub fn of(row: &InvoiceRow) -> Option<Self> {
        let is_open = row.status == InvoiceStatus::Open && row.kind != PaymentKind::Keysend;
        is_open.then_some(Self {
            preimage: row.preimage,
            payment_secret: row.payment_secret,
            amount_msat: row.amount_msat,
            expires_ms: row.expires_ms,
        })
    }
}

/// A row of table `forward`: one HTLC forwarded from one channel to another, for the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardRow {
    /// The incoming HTLC, which is the row's key.
    pub incoming: IncomingHtlcId,
    /// The peer of the incoming channel.
    pub incoming_peer: NodeId,
    /// The outgoing channel.
    pub outgoing: LinkId,
    /// The peer of the outgoing channel.
    pub outgoing_peer: NodeId,
    /// The amount of the incoming HTLC, in millisatoshi.
    pub amount_in_msat: u64,
    /// The amount of the outgoing HTLC, in millisatoshi.
    pub amount_out_msat: u64,
    /// True if it was fulfilled.
    pub fulfilled: bool,
    /// The Unix time at which it ended, in milliseconds.
    pub ended_ms: u64,
}

/// A row of table `evidence`: a message that may have to be shown to a person or a court.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceRow {
    /// The sender.
    pub peer: NodeId,
    /// The channel it is about; `None` if it was kept by a version that did not name it.
    pub link: Option<LinkId>,
    /// The Unix time at which it was kept, in milliseconds.
    pub time_ms: u64,
    /// A sentence about its meaning.
    pub what: String,
    /// The message's type.
    pub message_type: u16,
    /// The message's body.
    pub body: Vec<u8>,
}

/// A row of table `peer`: a peer to which we keep a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRow {
    /// The peer, which is the first half of the row's key.
    pub peer: NodeId,
    /// Our key towards it, which is the second half of the row's key.
    pub identity: LocalIdentity,
    /// The peer's addresses, each as `host:port`, best first.
    pub addresses: Vec<String>,
    /// The peer's framing of messages, once it has shown it.
    pub framing: Option<Framing>,
}

/// A client whose used channel was forgotten, as setting `forgotten_clients` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForgottenClient {
    /// The client.
    pub peer: NodeId,
    /// The SHA-256 of the script in the states we signed, which is their only name of the client.
    pub refund_script_hash: [u8; 32],
}

/// A row of table `setting` that belongs to the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The best height ever stored.
    Height(u32),
    /// The height up to which blocks were searched for published preimages.
    SearchedHeight(u32),
    /// The clients whose used channels were forgotten.
    ForgottenClients(Vec<ForgottenClient>),
}

/// The name of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SettingName {
    /// `height`
    Height,
    /// `searched_height`
    SearchedHeight,
    /// `forgotten_clients`
    ForgottenClients,
}

impl Setting {
    /// The setting's name.
    pub fn name(&self) -> SettingName {
        match self {
            Self::Height(_) => SettingName::Height,
            Self::SearchedHeight(_) => SettingName::SearchedHeight,
            Self::ForgottenClients(_) => SettingName::ForgottenClients,
        }
    }
}

/// The table of a row, and the row's key in it. Within a batch the last write to a row wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKey {
    /// `channel`
    Channel(LinkId),
    /// `htlc_origin`
    Origin(OutgoingHtlcId),
    /// `outbox`
    Outbox(IncomingHtlcId),
    /// `preimage`
    Preimage(PaymentHash),
    /// `payment`
    Payment(PaymentId),
    /// `payment_part`
    Part(PaymentId, u32),
    /// `invoice`
    Invoice(PaymentHash),
    /// `invoice`: its payment, if there is such a row
    InvoicePaid(PaymentHash),
    /// `invoice`: the failure of its claim, if there is such a row
    InvoiceFailure(PaymentHash),
    /// `forward`
    Forward(IncomingHtlcId),
    /// `evidence`: numbered by the engine, never overwritten
    Evidence(u64),
    /// `event`: numbered by the engine, never overwritten
    Event(u64),
    /// `peer`
    Peer(NodeId, LocalIdentity),
    /// `setting`
    Setting(SettingName),
}

/// One row of one table, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// `channel`
    Channel(ChannelRow),
    /// `htlc_origin`: the origin of this outgoing HTLC
    Origin(OutgoingHtlcId, Origin),
    /// `outbox`: the answer to this incoming HTLC
    Outbox(IncomingHtlcId, Settlement),
    /// `preimage`; its hash is the key
    Preimage {
        /// The preimage.
        preimage: Preimage,
        /// The Unix time at which it was learned, in milliseconds.
        learned_ms: u64,
    },
    /// `payment`
    Payment(PaymentRow),
    /// `payment_part`
    Part(PartRow),
    /// `invoice`: a row that is paid stays as it is, and no keysend replaces an invoice
    Invoice(InvoiceRow),
    /// `invoice`: a row that is open is paid
    InvoicePaid {
        /// The payment hash of the invoice.
        payment_hash: PaymentHash,
        /// The amount that came in, in millisatoshi.
        received_msat: u64,
        /// The Unix time at which it was paid, in milliseconds.
        paid_ms: u64,
    },
    /// `invoice`: the failure of the claim in a row that may be paid
    InvoiceFailure {
        /// The payment hash of the invoice.
        payment_hash: PaymentHash,
        /// A stable code.
        code: String,
        /// One sentence.
        message: String,
    },
    /// `forward`
    Forward(ForwardRow),
    /// `evidence`, with its number
    Evidence(u64, EvidenceRow),
    /// `event`
    Event(Event),
    /// `peer`
    Peer(PeerRow),
    /// `setting`
    Setting(Setting),
}

impl Row {
    /// The row's key.
    pub fn key(&self) -> RowKey {
        match self {
            Self::Channel(row) => RowKey::Channel(row.link),
            Self::Origin(htlc, _) => RowKey::Origin(*htlc),
            Self::Outbox(htlc, _) => RowKey::Outbox(*htlc),
            Self::Preimage { preimage, .. } => RowKey::Preimage(preimage.hash()),
            Self::Payment(row) => RowKey::Payment(row.id()),
            Self::Part(row) => RowKey::Part(row.payment, row.part),
            Self::Invoice(row) => RowKey::Invoice(row.payment_hash),
            Self::InvoicePaid { payment_hash, .. } => RowKey::InvoicePaid(*payment_hash),
            Self::InvoiceFailure { payment_hash, .. } => RowKey::InvoiceFailure(*payment_hash),
            Self::Forward(row) => RowKey::Forward(row.incoming),
            Self::Evidence(number, _) => RowKey::Evidence(*number),
            Self::Event(event) => RowKey::Event(event.number),
            Self::Peer(row) => RowKey::Peer(row.peer, row.identity),
            Self::Setting(setting) => RowKey::Setting(setting.name()),
        }
    }
}

/// All writes of one batch: atomic, one state per row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteBatch {
    /// The new value of each row; `None` deletes it.
    rows: BTreeMap<RowKey, Option<Row>>,
}

impl WriteBatch {
    /// Sets a row.
    pub fn put(&mut self, row: Row) {
        self.rows.insert(row.key(), Some(row));
    }

    /// Removes a row.
    pub fn delete(&mut self, key: RowKey) {
        self.rows.insert(key, None);
    }

    /// Takes back a write of this batch, to a row that is in no earlier one.
    pub fn forget(&mut self, key: &RowKey) {
        self.rows.remove(key);
    }

    /// Adds a later batch: its rows win.
    pub fn merge(&mut self, later: Self) {
        self.rows.extend(later.rows);
    }

    /// True if there is nothing to make durable.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All writes, ordered by key: each row's new value, or `None` if the row is deleted.
    pub fn iter(&self) -> impl Iterator<Item = (&RowKey, Option<&Row>)> {
        self.rows.iter().map(|(key, row)| (key, row.as_ref()))
    }

    /// The rows that are set, ordered by key.
    pub fn puts(&self) -> impl Iterator<Item = &Row> {
        self.rows.values().flatten()
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }
}

/// Everything that the engine must know to go on after a restart.
#[derive(Clone, Debug, Default)]
pub struct StoredState {
    /// All channels.
    pub channels: Vec<ChannelRow>,
    /// All rows of `htlc_origin`.
    pub origins: Vec<(OutgoingHtlcId, Origin)>,
    /// All rows of `outbox`.
    pub outbox: Vec<(IncomingHtlcId, Settlement)>,
    /// The newest preimages, up to a limit of the store; older ones are no longer in flight.
    pub preimages: Vec<Preimage>,
    /// The payments that have not ended, or of which parts are still in flight.
    pub payments: Vec<PaymentRow>,
    /// Their parts.
    pub parts: Vec<PartRow>,
    /// The invoices that are not paid and expired less than a day ago, without keysends.
    pub invoices: Vec<OpenInvoice>,
    /// All rows of `peer`.
    pub peers: Vec<PeerRow>,
    /// Setting `height`: the best height ever stored.
    pub height: u32,
    /// Setting `searched_height`: blocks up to it were searched for published preimages.
    pub searched_height: u32,
    /// Setting `forgotten_clients`: clients whose used channels were forgotten.
    pub forgotten_clients: Vec<ForgottenClient>,
    /// The highest number used in `event`.
    pub last_event: u64,
    /// The highest number used in `evidence`.
    pub last_evidence: u64,
    /// The rows of `evidence` without their messages, oldest first.
    pub evidence: Vec<EvidenceSummary>,
}

/// A row of `evidence` without its message, to count with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceSummary {
    /// The row's number.
    pub number: u64,
    /// The sender.
    pub peer: NodeId,
    /// A sentence about its meaning.
    pub what: String,
    /// The message's type.
    pub message_type: u16,
    /// The size of the message's body, in bytes.
    pub body_bytes: u64,
}

impl EvidenceSummary {
    /// The summary of a whole row.
    pub fn of(number: u64, row: &EvidenceRow) -> Self {
        Self {
            number,
            peer: row.peer,
            what: row.what.clone(),
            message_type: row.message_type,
            body_bytes: row.body.len() as u64,
        }
    }
}
