//! What is stored, and the batch that stores it (docs/state-format.md).

use std::collections::BTreeMap;

use steward_hosted::{Failure, Phase, Role};
use steward_wire::{
    Framing, IncomingHtlcId, LinkId, NodeId, OutgoingHtlcId, PaymentHash, PaymentId, Preimage,
    ShortChannelId,
};

use crate::face::event::Event;

/// Which of our keys we are known by in a channel. Chosen when the channel is opened, and never
/// changed: the channel's id follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LocalIdentity {
    /// The node's own key. Hosts are known by it, and so is whoever wants to be found.
    Node,
    /// A key derived for one host: no two hosts can tell that they serve the same client.
    PerHost,
}

/// Table `channel`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRow {
    /// The key.
    pub link: LinkId,
    /// The other side.
    pub peer: NodeId,
    /// Our key in it.
    pub identity: LocalIdentity,
    /// Our side.
    pub role: Role,
    /// For queries; the record decides.
    pub phase: Phase,
    /// From the pair of node ids.
    pub short_channel_id: ShortChannelId,
    /// Our balance in the signed state, in millisatoshi.
    pub local_balance_msat: u64,
    /// The peer's balance in the signed state, in millisatoshi.
    pub remote_balance_msat: u64,
    /// [`steward_hosted::Channel::record`].
    pub record: Vec<u8>,
}

/// Where an HTLC that we offered comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A forward of this incoming HTLC.
    Forward(IncomingHtlcId),
    /// Part of our own payment.
    Payment {
        /// The payment.
        payment: PaymentId,
        /// Which of its parts.
        part: u32,
    },
}

/// What the outgoing half of a forward tells the incoming half; table `outbox`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Claim it.
    Fulfill {
        /// The proof of payment.
        preimage: Preimage,
        /// TLV stream, such as attribution data.
        tlvs: Vec<u8>,
    },
    /// Fail it.
    Fail(Failure),
}

/// How far a payment that we make has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PaymentStatus {
    /// It has not ended.
    Pending,
    /// It was paid: the preimage is known.
    Complete,
    /// It ended, and nothing was paid.
    Failed,
    /// Our data was an old copy, and what happened to it since is not known: it was paid or not.
    /// Only its preimage ends it.
    Unknown,
}

/// What asked for a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentKind {
    /// An invoice as in BOLT 11: its text.
    Bolt11(String),
    /// Nothing: its preimage went along with it.
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

/// How far an invoice has come. One that expires stays open, and is not paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InvoiceStatus {
    /// It was not paid.
    Open,
    /// It was paid, and our claim is decided.
    Paid,
}

/// Table `payment`: what we pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRow {
    /// The key.
    pub payment_hash: PaymentHash,
    /// Who is paid.
    pub destination: NodeId,
    /// What the payee gets, in millisatoshi.
    pub amount_msat: u64,
    /// Fees of the parts that are out or paid, in millisatoshi.
    pub fee_msat: u64,
    /// Most fee allowed, in millisatoshi.
    pub max_fee_msat: u64,
    /// How far it has come.
    pub status: PaymentStatus,
    /// Proof of payment.
    pub preimage: Option<Preimage>,
    /// Code and sentence: why it failed, or why its end is not known.
    pub failure: Option<(String, String)>,
    /// What asked for it.
    pub kind: PaymentKind,
    /// Unix time, milliseconds.
    pub created_ms: u64,
    /// Unix time, milliseconds.
    pub ended_ms: Option<u64>,
}

impl PaymentRow {
    /// The payment's name.
    pub fn id(&self) -> PaymentId {
        self.payment_hash.into()
    }
}

/// Table `payment_part`: one HTLC of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRow {
    /// The payment.
    pub payment: PaymentId,
    /// Counts from 0 over all attempts.
    pub part: u32,
    /// The channel in which it went out.
    pub link: LinkId,
    /// Without fees, in millisatoshi.
    pub amount_msat: u64,
    /// In millisatoshi.
    pub fee_msat: u64,
    /// Session key of its onion, to read failures with.
    pub session_key: [u8; 32],
    /// The nodes and channels it goes through, first hop first.
    pub path: Vec<(NodeId, ShortChannelId)>,
    /// How far it has come.
    pub status: PaymentStatus,
}

/// Table `invoice`: what we are, or were, to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceRow {
    /// The key.
    pub payment_hash: PaymentHash,
    /// What we give for it.
    pub preimage: Preimage,
    /// What a payer must show; zeros for a keysend.
    pub payment_secret: [u8; 32],
    /// `None`: the payer chose.
    pub amount_msat: Option<u64>,
    /// As shown to the payer.
    pub description: String,
    /// What asked for it.
    pub kind: PaymentKind,
    /// Unix time, milliseconds.
    pub created_ms: u64,
    /// Unix time, milliseconds.
    pub expires_ms: u64,
    /// Whether it was paid.
    pub status: InvoiceStatus,
    /// What came in, in millisatoshi.
    pub received_msat: u64,
    /// Unix time, milliseconds.
    pub paid_ms: Option<u64>,
    /// Code and sentence, if a claim of it was not signed by its channel: whether the money is
    /// ours is for people to settle.
    pub failure: Option<(String, String)>,
}

/// Table `forward`: one HTLC carried from one channel to another, for the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardRow {
    /// The incoming HTLC; the key.
    pub incoming: IncomingHtlcId,
    /// The other side of the incoming channel.
    pub incoming_peer: NodeId,
    /// The outgoing channel.
    pub outgoing: LinkId,
    /// The other side of the outgoing channel.
    pub outgoing_peer: NodeId,
    /// In millisatoshi.
    pub amount_in_msat: u64,
    /// In millisatoshi.
    pub amount_out_msat: u64,
    /// How it ended.
    pub fulfilled: bool,
    /// Unix time, milliseconds.
    pub ended_ms: u64,
}

/// Table `evidence`: a message that may have to be shown to someone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceRow {
    /// Who sent it.
    pub peer: NodeId,
    /// The channel it is about; `None`: kept by a version that did not say.
    pub link: Option<LinkId>,
    /// Unix time, milliseconds.
    pub time_ms: u64,
    /// What it shows.
    pub what: String,
    /// Its type.
    pub message_type: u16,
    /// Its body.
    pub body: Vec<u8>,
}

/// A row of table `peer`: a peer to which we keep a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRow {
    /// The key.
    pub peer: NodeId,
    /// Our key towards it; the second half of the key.
    pub identity: LocalIdentity,
    /// `host:port`, best first.
    pub addresses: Vec<String>,
    /// How it frames its messages, once it has shown.
    pub framing: Option<Framing>,
}

/// In setting `forgotten_clients`: a client whose used channel was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForgottenClient {
    /// The client.
    pub peer: NodeId,
    /// SHA-256 of the script in the states we signed: their only name of the client.
    pub refund_script_hash: [u8; 32],
}

/// Table `setting`: the engine's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The best height ever stored.
    Height(u32),
    /// Blocks up to this height were searched for published preimages.
    SearchedHeight(u32),
    /// Clients whose used channels were forgotten.
    ForgottenClients(Vec<ForgottenClient>),
}

/// Which setting.
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
    /// Which one it is.
    pub fn name(&self) -> SettingName {
        match self {
            Self::Height(_) => SettingName::Height,
            Self::SearchedHeight(_) => SettingName::SearchedHeight,
            Self::ForgottenClients(_) => SettingName::ForgottenClients,
        }
    }
}

/// Which row a write is about: its table, and its key there. Within a batch the last write to a row
/// wins.
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
    /// `invoice`: what became of its claim, if there is such a row
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
    /// `htlc_origin`: of the HTLC that we offered
    Origin(OutgoingHtlcId, Origin),
    /// `outbox`: for the incoming HTLC
    Outbox(IncomingHtlcId, Settlement),
    /// `preimage`; its hash is the key
    Preimage {
        /// The preimage.
        preimage: Preimage,
        /// Unix time, milliseconds.
        learned_ms: u64,
    },
    /// `payment`
    Payment(PaymentRow),
    /// `payment_part`
    Part(PartRow),
    /// `invoice`: a row that is paid stays as it is, and no keysend replaces an invoice
    Invoice(InvoiceRow),
    /// `invoice`: of a row that may be paid
    InvoiceFailure {
        /// The invoice's.
        payment_hash: PaymentHash,
        /// Stable.
        code: String,
        /// A sentence.
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
    /// Which row it is.
    pub fn key(&self) -> RowKey {
        match self {
            Self::Channel(row) => RowKey::Channel(row.link),
            Self::Origin(htlc, _) => RowKey::Origin(*htlc),
            Self::Outbox(htlc, _) => RowKey::Outbox(*htlc),
            Self::Preimage { preimage, .. } => RowKey::Preimage(preimage.hash()),
            Self::Payment(row) => RowKey::Payment(row.id()),
            Self::Part(row) => RowKey::Part(row.payment, row.part),
            Self::Invoice(row) => RowKey::Invoice(row.payment_hash),
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
    /// What each row becomes; `None`: it goes.
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

    /// All writes, ordered by key: what each row becomes, `None` if it goes.
    pub fn iter(&self) -> impl Iterator<Item = (&RowKey, Option<&Row>)> {
        self.rows.iter().map(|(key, row)| (key, row.as_ref()))
    }

    /// The rows that are set, ordered by key.
    pub fn puts(&self) -> impl Iterator<Item = &Row> {
        self.rows.values().flatten()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }
}

/// Everything the engine must know to go on after a restart.
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
    /// Payments that have not ended, or of which parts are still out.
    pub payments: Vec<PaymentRow>,
    /// Their parts.
    pub parts: Vec<PartRow>,
    /// Invoices that are not paid and expired less than a day ago.
    pub invoices: Vec<InvoiceRow>,
    /// All rows of `peer`.
    pub peers: Vec<PeerRow>,
    /// Setting `height`: the best height ever stored.
    pub height: u32,
    /// Setting `searched_height`: blocks up to it were searched for published preimages.
    pub searched_height: u32,
    /// Setting `forgotten_clients`: clients whose used channels were forgotten.
    pub forgotten_clients: Vec<ForgottenClient>,
    /// Highest number used in `event`.
    pub last_event: u64,
    /// Highest number used in `evidence`.
    pub last_evidence: u64,
    /// What is kept in `evidence`, oldest first.
    pub evidence: Vec<EvidenceSummary>,
}

/// A row of `evidence` without its message, to count with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceSummary {
    /// The row's number.
    pub number: u64,
    /// Who sent it.
    pub peer: NodeId,
    /// What it shows.
    pub what: String,
    /// Its type.
    pub message_type: u16,
    /// Size of its body, in bytes.
    pub body_bytes: u64,
}

impl EvidenceSummary {
    /// Of a whole row.
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
