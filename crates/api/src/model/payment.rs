//! Payments out, in JSON.

use serde::{Deserialize, Serialize};
use steward_engine::row::{PartRow, PaymentRow, PaymentStatus};
use steward_node::ops::requests::Paid;
use steward_store::PaymentWithParts;
use utoipa::ToSchema;

/// Part of the list of payments, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Payments {
    /// The payments.
    pub payments: Vec<Payment>,
    /// The next page's `before`; absent at the end.
    pub next: Option<u64>,
}

/// A payment out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Payment {
    /// The hash, which names it.
    pub payment_hash: String,
    /// The progress so far. `pending` and `unknown` are not failure: never
    /// pay again by other means meanwhile.
    pub status: PaymentState,
    /// The payee.
    pub destination: String,
    /// The amount that the payee gets.
    pub amount_msat: u64,
    /// The fees of the parts that are in flight or paid.
    pub fee_msat: u64,
    /// The largest fee allowed.
    pub max_fee_msat: u64,
    /// The proof of payment, once complete.
    pub preimage: Option<String>,
    /// The reason why it failed, or why it is not known how it ended.
    pub failure: Option<PaymentFailure>,
    /// The invoice; absent if it was paid without one.
    pub bolt11: Option<String>,
    /// The time when it was started.
    pub created_ms: u64,
    /// The time when it ended.
    pub ended_ms: Option<u64>,
    /// In answer to a request to pay: true if the invoice is paid and an earlier request began
    /// that, so that this one has paid nothing. Otherwise false.
    #[serde(default)]
    #[schema(required)]
    pub already_paid: bool,
}

/// The progress of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// It has not ended.
    Pending,
    /// It is paid.
    Complete,
    /// It ended without effect: nothing was paid.
    Failed,
    /// Our data was restored from an old copy, and it is not known how the payment ended. It was
    /// paid or it was not: never pay again by other means. Handing in its preimage ends it.
    Unknown,
}

/// The reason why a payment failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentFailure {
    /// The code of the reason: stable, snake_case.
    pub code: String,
    /// A sentence.
    pub message: String,
}

/// A payment with everything tried for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentDetails {
    /// The payment.
    #[serde(flatten)]
    pub payment: Payment,
    /// Every HTLC sent for it.
    pub parts: Vec<PaymentPart>,
}

/// One HTLC of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentPart {
    /// The part's number, from 0 over all attempts.
    pub part: u32,
    /// The progress so far.
    pub status: PaymentState,
    /// The share of the amount that it carries.
    pub amount_msat: u64,
    /// The fee on top.
    pub fee_msat: u64,
    /// The path, first hop first.
    pub path: Vec<Hop>,
}

/// One hop of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hop {
    /// The node the hop ends at.
    pub node_id: String,
    /// The channel to it.
    pub short_channel_id: String,
}

/// A preimage that was handed in and used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubmittedPreimage {
    /// The hash that it is the preimage of.
    pub payment_hash: String,
}

impl From<PaymentStatus> for PaymentState {
    fn from(status: PaymentStatus) -> Self {
        match status {
            PaymentStatus::Pending => Self::Pending,
            PaymentStatus::Complete => Self::Complete,
            PaymentStatus::Failed => Self::Failed,
            PaymentStatus::Unknown => Self::Unknown,
        }
    }
}

impl From<PaymentState> for PaymentStatus {
    fn from(state: PaymentState) -> Self {
        match state {
            PaymentState::Pending => Self::Pending,
            PaymentState::Complete => Self::Complete,
            PaymentState::Failed => Self::Failed,
            PaymentState::Unknown => Self::Unknown,
        }
    }
}

impl From<PaymentRow> for Payment {
    fn from(row: PaymentRow) -> Self {
        Self {
            payment_hash: row.payment_hash.to_string(),
            status: row.status.into(),
            destination: row.destination.to_string(),
            amount_msat: row.amount_msat,
            fee_msat: row.fee_msat,
            max_fee_msat: row.max_fee_msat,
            preimage: row.preimage.map(|preimage| preimage.to_string()),
            failure: row.failure.map(|(code, message)| PaymentFailure { code, message }),
            bolt11: row.kind.bolt11().map(str::to_owned),
            created_ms: row.created_ms,
            ended_ms: row.ended_ms,
            already_paid: false,
        }
    }
}

impl From<Paid> for Payment {
    fn from(paid: Paid) -> Self {
        let already_paid = paid.begun_earlier && paid.payment.status == PaymentStatus::Complete;
        Self { already_paid, ..paid.payment.into() }
    }
}

impl From<PartRow> for PaymentPart {
    fn from(row: PartRow) -> Self {
        let hop = |(node_id, scid): &(steward_wire::NodeId, steward_wire::ShortChannelId)| Hop {
            node_id: node_id.to_string(),
            short_channel_id: scid.to_string(),
        };
        Self {
            part: row.part,
            status: row.status.into(),
            amount_msat: row.amount_msat,
            fee_msat: row.fee_msat,
            path: row.path.iter().map(hop).collect(),
        }
    }
}

impl From<PaymentWithParts> for PaymentDetails {
    fn from(row: PaymentWithParts) -> Self {
        Self {
            payment: row.payment.into(),
            parts: row.parts.into_iter().map(PaymentPart::from).collect(),
        }
    }
}
