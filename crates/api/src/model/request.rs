//! The requests of callers, in JSON and in queries. An unknown field is refused, not ignored.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::payment::PaymentState;

/// Opens a hosted channel, as client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvokeChannel {
    /// The host and where it listens, `node_id@host:port`.
    pub host: String,
    /// The secret that the host gave us for the opening: text, or bytes after `hex:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// True: we are known by the node's own id in this channel, for good. Otherwise, by an id derived
    /// for this host alone, so that no two hosts can tell that they serve the same client.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub as_node: bool,
    /// The longest wait until it is open; default 60 000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// As host: proposes balances for a suspended channel. Exactly one of the fields is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposeOverride {
    /// The balance that would be ours; the rest of the capacity would be the client's. What a
    /// resize under way adds is ours as well, here and below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub our_balance_msat: Option<u64>,
    /// The balance that would be the client's; the rest of the capacity would be ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_balance_msat: Option<u64>,
    /// The number of evidence that proves the balances: a state that both sides signed, newer than
    /// ours, without HTLCs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_proved: Option<u64>,
}

/// As client: accepts the balances the host proposes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptOverride {
    /// The balance that would be ours: `override_balance_msat` of the channel. Refused if the host
    /// proposes anything else by now.
    pub our_balance_msat: u64,
}

/// As client: asks for a larger channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResizeChannel {
    /// The capacity that the channel shall have: more than now, in whole satoshi.
    pub capacity_msat: u64,
    /// The longest wait until the host has signed; default 60 000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// Hands in a preimage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitPreimage {
    /// 32 bytes in hexadecimal.
    pub preimage: String,
}

/// Keeps a connection to a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Connect {
    /// The peer and where it listens, `node_id@host:port`.
    pub peer: String,
}

/// Makes an invoice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInvoice {
    /// The amount to ask for; absent: the payer chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_msat: Option<u64>,
    /// The description for the payer, at most 639 bytes.
    #[serde(default)]
    pub description: String,
    /// The time until it expires, in seconds; default 3600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_s: Option<u32>,
}

/// Pays an invoice, once: asking again tells how the first time went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pay {
    /// The BOLT11 invoice.
    pub invoice: String,
    /// The amount to pay: needed if the invoice leaves it open, otherwise left out or equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_msat: Option<u64>,
    /// Pays everything that can be sent, in place of an amount, if the invoice leaves it open.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// The largest fee; default 1 % and at least 10 sat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_fee_msat: Option<u64>,
    /// The longest wait for the end; default 60 000. When it is over, the payment is still
    /// `pending`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// Pays a node without an invoice. Each request is a payment of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Keysend {
    /// The payee; a client by the id under which its host knows it, its channel's `local_id`.
    pub destination: String,
    /// The amount that the payee gets.
    pub amount_msat: u64,
    /// The host of ours through which it is reached, if it is not public: its node id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// The largest fee; default 1 % and at least 10 sat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_fee_msat: Option<u64>,
    /// The longest wait for the end; default 60 000. When it is over, the payment is still
    /// `pending`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// Writes a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupRequest {
    /// A file that does not exist yet, absolute, on the node's machine.
    pub path: String,
}

/// The part of a list that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The most rows, 1 to 1000; default 100.
    pub limit: Option<usize>,
    /// Selects only rows older than this: `next` of the page before.
    pub before: Option<u64>,
}

/// The part of a list that is asked for, and the status of its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatusPageQuery {
    /// The most rows, 1 to 1000; default 100.
    pub limit: Option<usize>,
    /// Selects only rows older than this: `next` of the page before.
    pub before: Option<u64>,
    /// Selects only rows of this status.
    #[param(inline)]
    pub status: Option<PaymentState>,
}

/// The part of the list of evidence that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EvidencePageQuery {
    /// The most rows, 1 to 1000; default 100.
    pub limit: Option<usize>,
    /// Selects only rows older than this: `next` of the page before.
    pub before: Option<u64>,
    /// Selects only what is about this peer.
    pub peer_id: Option<String>,
}

/// The part of the list of invoices that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InvoicePageQuery {
    /// The most rows, 1 to 1000; default 100.
    pub limit: Option<usize>,
    /// Selects only rows older than this: `next` of the page before.
    pub before: Option<u64>,
    /// Selects only those that are paid, or only those that are not.
    pub paid: Option<bool>,
}

/// The invoice to take apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DecodeQuery {
    /// The BOLT11 invoice.
    pub invoice: String,
}

/// The wait for the end of a payment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WaitQuery {
    /// The longest wait for the end; default 0.
    pub wait_ms: Option<u64>,
}

/// The place in the stream of events to start at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// The last event already known; 0 for all that are kept. The header `Last-Event-ID` says the
    /// same and wins. Neither: only what happens from now on.
    pub after: Option<u64>,
}
