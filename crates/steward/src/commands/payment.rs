//! `steward pay`, `keysend` and `payments`.

use std::time::Instant;

use steward_api::model::{Keysend, Pay, Payment, PaymentDetails, PaymentState, Payments};
use steward_engine::Code;

use super::channel::path_segment;
use super::{Context, page_query};
use crate::amount::Amount;
use crate::cli::{self, Page};
use crate::client::Client;
use crate::failure::Failure;
use crate::limits::{MAX_PAYMENT_WATCH, WAIT_SLICE};
use crate::render;

pub(super) fn pay(context: &Context, pay: cli::Pay) -> Result<(), Failure> {
    let client = context.client()?;
    let request = Pay {
        invoice: pay.invoice,
        amount_msat: pay.amount.map(|amount| amount.msat),
        all: pay.all,
        max_fee_msat: pay.max_fee.map(|amount| amount.msat),
        wait_ms: Some(wait_ms()),
    };
    let payment: Payment = client.post_for("/v1/payments", &request, WAIT_SLICE)?;
    watch(context, &client, payment)
}

pub(super) fn keysend(context: &Context, keysend: cli::Keysend) -> Result<(), Failure> {
    let client = context.client()?;
    let request = Keysend {
        destination: keysend.node_id,
        amount_msat: keysend.amount.msat,
        via: keysend.via,
        max_fee_msat: keysend.max_fee.map(|amount| amount.msat),
        wait_ms: Some(wait_ms()),
    };
    let payment: Payment = client.post_for("/v1/keysend", &request, WAIT_SLICE)?;
    watch(context, &client, payment)
}

pub(super) fn list(context: &Context, page: Page) -> Result<(), Failure> {
    let payments: Payments = context.client()?.get("/v1/payments", &page_query(page))?;
    context.output.answer(&payments, render::payments)
}

pub(super) fn show(context: &Context, hash: &str) -> Result<(), Failure> {
    let path = format!("/v1/payments/{}", path_segment(hash)?);
    let payment: PaymentDetails = context.client()?.get(&path, &[])?;
    context.output.answer(&payment, render::payment_details)
}

/// Tells how the payment goes until it ends.
fn watch(context: &Context, client: &Client, payment: Payment) -> Result<(), Failure> {
    let deadline = Instant::now() + MAX_PAYMENT_WATCH;
    let mut payment = payment;
    while is_under_way(&payment) && Instant::now() < deadline {
        context.output.progress(&format!(
            "{} are on their way, fee so far {}; still waiting (Ctrl-C ends the waiting, not the payment)",
            Amount::from_msat(payment.amount_msat),
            Amount::from_msat(payment.fee_msat),
        ));
        let path = format!("/v1/payments/{}", payment.payment_hash);
        let details: PaymentDetails = client.get(&path, &[("wait_ms", wait_ms().to_string())])?;
        payment = details.payment;
    }
    if payment.status == PaymentState::Complete || is_under_way(&payment) {
        return context.output.answer(&payment, render::payment);
    }
    if context.output.is_json() {
        context.output.answer(&payment, render::payment)?;
    }
    Err(failed(&payment).in_answer())
}

fn is_under_way(payment: &Payment) -> bool {
    payment.status == PaymentState::Pending
}

fn failed(payment: &Payment) -> Failure {
    let (code, reason) = match &payment.failure {
        Some(failure) => (failure.code.as_str(), failure.message.as_str()),
        None => (Code::PaymentFailed.name(), "no reason was given"),
    };
    if payment.status == PaymentState::Unknown {
        let hint = "ask the payee; if it was paid, hand in the proof with `steward preimage`, and \
                    never pay it by other means before you know";
        return Failure::said(code, format!("the payment may have been made: {reason}"), hint);
    }
    Failure::said(
        code,
        format!("the payment failed, nothing was paid: {reason}"),
        format!("`steward payments {}` shows what was tried", payment.payment_hash),
    )
}

fn wait_ms() -> u64 {
    u64::try_from(WAIT_SLICE.as_millis()).unwrap_or(u64::MAX)
}
