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

/// An invoice of ours, or a payment that came without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invoice {
    /// The hash, which names it.
    pub payment_hash: String,
    /// The status: open, paid or expired.
    pub status: InvoiceState,
    /// The text for the payer; absent for a payment that came without an invoice.
    pub bolt11: Option<String>,
    /// The amount that is asked for; absent: the payer chooses.
    pub amount_msat: Option<u64>,
    /// The description, as the payer sees it.
    pub description: String,
    /// The amount that came in.
    pub received_msat: u64,
    /// The payer's proof; absent until paid, because it is worth the amount.
    pub preimage: Option<String>,
    /// The time when it was made.
    pub created_ms: u64,
    /// The time when it expires.
    pub expires_ms: u64,
    /// The time when it was paid.
    pub paid_ms: Option<u64>,
    /// The reason why the payment is in doubt although we gave the preimage: the channel did not
    /// sign the claim in time. Absent otherwise.
    pub failure: Option<InvoiceFailure>,
}

/// The reason why a payment is in doubt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InvoiceFailure {
    /// The code of the reason: stable.
    pub code: String,
    /// A sentence.
    pub message: String,
}

/// The status of an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceState {
    /// It is not paid yet.
    Pending,
    /// It is paid.
    Complete,
    /// It is not paid, and it is too late.
    Expired,
}

/// An invoice of another node, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecodedInvoice {
    /// The invoice, lower case and without a scheme.
    pub bolt11: String,
    /// The network: mainnet, testnet, signet or regtest.
    pub network: String,
    /// The payee.
    pub payee: String,
    /// The hash, which names it.
    pub payment_hash: String,
    /// The amount to pay; absent: the payer chooses.
    pub amount_msat: Option<u64>,
    /// The description, in the payee's words: anything may be in it.
    pub description: Option<String>,
    /// The SHA-256 of a description told elsewhere.
    pub description_hash: Option<String>,
    /// The time when it was made.
    pub created_ms: u64,
    /// The time when it expires.
    pub expires_ms: u64,
    /// True if it has expired.
    pub expired: bool,
    /// The number of blocks that the last HTLC must have left.
    pub min_final_cltv_expiry_delta_blocks: u32,
    /// True if the payment may come in parts.
    pub multi_part: bool,
    /// Feature bits that are set (BOLT9), in rising order.
    pub features: Vec<u16>,
    /// Addresses that the payee also takes the payment at.
    pub fallback_addresses: Vec<String>,
    /// The metadata that the payee wants to be sent along, in hexadecimal.
    pub metadata: Option<String>,
    /// Ways to the payee over channels that are not announced.
    pub route_hints: Vec<Vec<RouteHint>>,
}

/// One hop of a way to the payee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteHint {
    /// The node at which the channel starts.
    pub node_id: String,
    /// The channel.
    pub short_channel_id: String,
    /// The fixed fee.
    pub fee_base_msat: u32,
    /// The proportional fee, in millionths.
    pub fee_ppm: u32,
    /// The number of blocks between two expiries.
    pub cltv_expiry_delta_blocks: u16,
}

impl Invoice {
    /// Returns the row as it is to be shown at `now_ms`, unix time in milliseconds.
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
    /// Returns the invoice as it is to be shown at `now_ms`, unix time in milliseconds.
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
