//! The JSON of requests and answers. Conversions from the engine's types are beside each type.

mod channel;
mod event;
mod evidence;
mod invoice;
mod node;
mod payment;
mod proof;
mod request;

pub use channel::{
    Channel, ChannelBalances, ChannelDetails, Channels, Phase, Policy, Role, Suspension, Terms,
};
pub use event::{Event, EventKind};
pub use evidence::{Evidence, EvidenceDetails, EvidenceList, EvidenceState};
pub use invoice::{DecodedInvoice, Invoice, InvoiceState, Invoices, RouteHint};
pub use node::{
    Backup, ChannelCounts, ConnectionFailure, EngineMetrics, Forward, ForwardTotals, Forwards,
    Metrics, Peer, PeerMetrics, Peers, QueueMetrics, Status, Stopping, StoreMetrics,
};
pub use payment::{
    Hop, Payment, PaymentDetails, PaymentFailure, PaymentPart, PaymentState, Payments,
    SubmittedPreimage,
};
pub use proof::ProofWords;
pub use request::{
    AcceptOverride, BackupRequest, Connect, CreateInvoice, DecodeQuery, EventsQuery,
    EvidencePageQuery, InvoicePageQuery, InvokeChannel, Keysend, PageQuery, Pay, ProposeOverride,
    ResizeChannel, StatusPageQuery, SubmitPreimage, WaitQuery,
};
