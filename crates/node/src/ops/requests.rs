//! Requests to pay and to be paid, and what comes of them.

use steward_engine::row::PaymentRow;
use steward_invoice::Invoice;
use steward_wire::NodeId;

/// An invoice to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayInvoice {
    /// The invoice.
    pub invoice: Invoice,
    /// The amount to pay.
    pub amount: PayAmount,
    /// The most fee to pay; `None`: 1 % and at least 10 sat. In millisatoshi.
    pub max_fee_msat: Option<u64>,
}

/// The amount that an invoice is paid with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayAmount {
    /// The amount that the invoice states.
    AsInvoiced,
    /// This amount, which is needed if the invoice leaves the amount open, and otherwise must be
    /// the invoice's. In millisatoshi.
    Msat(u64),
    /// All that can be sent to the payee now, if the invoice leaves the amount open.
    All,
}

/// A node to be paid without an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayNode {
    /// The payee.
    pub destination: NodeId,
    /// The host through which the payee is reached, if it is not a direct peer.
    pub via: Option<NodeId>,
    /// The amount, in millisatoshi.
    pub amount_msat: u64,
    /// The most fee to pay; `None`: 1 % and at least 10 sat. In millisatoshi.
    pub max_fee_msat: Option<u64>,
}

/// A payment, and whether this request began it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// The payment as it stands, or how it ended.
    pub payment: PaymentRow,
    /// True if an earlier request began it: this one has paid nothing.
    pub begun_earlier: bool,
}

/// An invoice to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInvoice {
    /// The amount; `None`: the payer chooses. In millisatoshi.
    pub amount_msat: Option<u64>,
    /// The text that the payer sees.
    pub description: String,
    /// The time until it expires, in seconds.
    pub expiry_s: u32,
}
