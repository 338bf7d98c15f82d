//! Invoices, our own and others', in JSON.

use hex::DisplayHex;
use serde::{Deserialize, Serialize};
use steward_engine::row::{InvoiceRow, InvoiceStatus};
use steward_invoice::{Description, HintHop};
use utoipa::ToSchema;

/// Part of the list of invoices, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invoices {
    /// The invoices.
    pub invoices: Vec<Invoice>,
    /// The next page's `before`; absent at the end.
    pub next: Option<u64>,
}

/// What we are, or were, to be paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invoice {
    /// Its name.
    pub payment_hash: String,
    /// Whether it was paid.
    pub status: InvoiceState,
    /// What to give to the payer; absent for a payment that came without an invoice.
    pub bolt11: Option<String>,
    /// What is asked for; absent: the payer chooses.
    pub amount_msat: Option<u64>,
    /// As the payer sees it.
    pub description: String,
    /// What came in.
    pub received_msat: u64,
    /// What the payer got as proof; absent until paid, because it is worth the amount.
    pub preimage: Option<String>,
    /// When it was made.
    pub created_ms: u64,
    /// When it ends.
    pub expires_ms: u64,
    /// When it was paid.
    pub paid_ms: Option<u64>,
    /// Why the payment is in doubt although we gave the preimage: the channel did not sign the
    /// claim in time. Absent otherwise.
    pub failure: Option<InvoiceFailure>,
}

/// Why a payment is in doubt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InvoiceFailure {
    /// Stable.
    pub code: String,
    /// A sentence.
    pub message: String,
}

/// Whether an invoice was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceState {
    /// Not yet.
    Pending,
    /// Yes.
    Complete,
    /// No, and it is too late.
    Expired,
}

/// An invoice somebody gave us, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecodedInvoice {
    /// The invoice, lower case and without a scheme.
    pub bolt11: String,
    /// mainnet, testnet, signet or regtest.
    pub network: String,
    /// Who gets the payment.
    pub payee: String,
    /// Its name.
    pub payment_hash: String,
    /// What to pay; absent: the payer chooses.
    pub amount_msat: Option<u64>,
    /// In the payee's words: anything may be in it.
    pub description: Option<String>,
    /// SHA-256 of words told elsewhere.
    pub description_hash: Option<String>,
    /// When it was made.
    pub created_ms: u64,
    /// When it ends.
    pub expires_ms: u64,
    /// True if it has ended.
    pub expired: bool,
    /// Blocks the last HTLC must have left.
    pub min_final_cltv_expiry_delta_blocks: u32,
    /// True if the payment may come in parts.
    pub multi_part: bool,
    /// Feature bits that are set (BOLT9), in rising order.
    pub features: Vec<u16>,
    /// Addresses that the payee also takes the payment at.
    pub fallback_addresses: Vec<String>,
    /// What the payee wants to be sent along, in hex.
    pub metadata: Option<String>,
    /// Ways to the payee over channels that are not announced.
    pub route_hints: Vec<Vec<RouteHint>>,
}

/// One hop of a way to the payee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteHint {
    /// Where the channel starts.
    pub node_id: String,
    /// The channel.
    pub short_channel_id: String,
    /// Fixed fee.
    pub fee_base_msat: u32,
    /// Proportional fee, in millionths.
    pub fee_ppm: u32,
    /// Blocks between two expiries.
    pub cltv_expiry_delta_blocks: u16,
}

impl Invoice {
    /// The row as it is to be shown at `now_ms`, unix time in milliseconds.
    pub fn at(row: InvoiceRow, now_ms: u64) -> Self {
        let status = match row.status {
            InvoiceStatus::Paid => InvoiceState::Complete,
            _ if row.expires_ms <= now_ms => InvoiceState::Expired,
            _ => InvoiceState::Pending,
        };
        let is_paid = status == InvoiceState::Complete;
        Self {
            payment_hash: row.payment_hash.to_string(),
            status,
            bolt11: row.kind.bolt11().map(str::to_owned),
            amount_msat: row.amount_msat,
            description: row.description,
            received_msat: row.received_msat,
            preimage: is_paid.then(|| row.preimage.to_string()),
            created_ms: row.created_ms,
            expires_ms: row.expires_ms,
            paid_ms: row.paid_ms,
            failure: row.failure.map(|(code, message)| InvoiceFailure { code, message }),
        }
    }
}

impl DecodedInvoice {
    /// The invoice as it is to be shown at `now_ms`, unix time in milliseconds.
    pub fn at(invoice: &steward_invoice::Invoice, now_ms: u64) -> Self {
        let (description, description_hash) = match &invoice.description {
            Description::Text(text) => (Some(text.clone()), None),
            Description::Hash(hash) => (None, Some(steward_wire::PaymentHash(*hash).to_string())),
        };
        Self {
            bolt11: invoice.text.clone(),
            network: steward_chain::network_name(invoice.network).to_owned(),
            payee: invoice.payee.to_string(),
            payment_hash: invoice.payment_hash.to_string(),
            amount_msat: invoice.amount_msat,
            description,
            description_hash,
            created_ms: invoice.created_at_unix.saturating_mul(1000),
            expires_ms: invoice.expires_at_unix().saturating_mul(1000),
            expired: invoice.is_expired(now_ms / 1000),
            min_final_cltv_expiry_delta_blocks: invoice.min_final_cltv_expiry_delta,
            multi_part: invoice.basic_mpp,
            features: invoice.features.clone(),
            fallback_addresses: invoice.fallback_addresses.clone(),
            metadata: invoice.metadata.as_ref().map(|bytes| bytes.to_lower_hex_string()),
            route_hints: invoice
                .hints
                .iter()
                .map(|hops| hops.iter().map(RouteHint::from).collect())
                .collect(),
        }
    }
}

impl From<&HintHop> for RouteHint {
    fn from(hop: &HintHop) -> Self {
        Self {
            node_id: hop.node_id.to_string(),
            short_channel_id: hop.scid.to_string(),
            fee_base_msat: hop.fee_base_msat,
            fee_ppm: hop.fee_ppm,
            cltv_expiry_delta_blocks: hop.cltv_expiry_delta,
        }
    }
}
