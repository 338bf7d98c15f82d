//! Payments out: pay an invoice or a node, list, show, wait.

use axum::Json;
use axum::extract::State;
use steward_engine::row::PaymentStatus;
use steward_engine::{Command, EventKind, Reply};
use steward_store::PaymentWithParts;
use steward_wire::PaymentHash;

use super::invoices::parse;
use super::{Errors, bug, read, wait_for_event};
use crate::backend::{PayInvoice, PayNode};
use crate::error::ApiError;
use crate::extract::{Body, PathPaymentHash, Query, node_id, page, wait};
use crate::limits::DEFAULT_WAIT_MS;
use crate::model::{Keysend, Pay, Payment, PaymentDetails, Payments, StatusPageQuery, WaitQuery};
use crate::server::Shared;

/// Pays an invoice, once: asking again, even at the same time, tells how the first time goes or
/// went. Only a payment that failed is tried again.
#[utoipa::path(post, path = "/v1/payments", tag = "payments", request_body = Pay,
    responses((status = 200, body = Payment, description = "The payment as it stands: complete, failed, or still pending when the time was over."), Errors))]
pub(crate) async fn pay(
    State(shared): State<Shared>,
    Body(request): Body<Pay>,
) -> Result<Json<Payment>, ApiError> {
    let wait = wait(request.wait_ms, DEFAULT_WAIT_MS)?;
    let invoice = parse(&request.invoice)?;
    let amount_msat = match request.all {
        true => Some(everything(&shared, &invoice, request.amount_msat).await?),
        false => request.amount_msat,
    };
    let request = PayInvoice { invoice, amount_msat, max_fee_msat: request.max_fee_msat };
    Ok(Json(shared.backend.pay(request, wait).await?.into()))
}

/// All that can be sent to this payee now.
async fn everything(
    shared: &Shared,
    invoice: &steward_invoice::Invoice,
    amount_msat: Option<u64>,
) -> Result<u64, ApiError> {
    if amount_msat.is_some() {
        return Err(ApiError::of("bad_amount", "`all` and an amount were given"));
    }
    let command = Command::MostPayable { invoice: Box::new(invoice.clone()) };
    match shared.backend.command(command).await? {
        Reply::Amount(amount_msat) => Ok(amount_msat),
        _ => Err(bug("the engine did not answer with an amount")),
    }
}

/// Pays a node without an invoice. Each request is a payment of its own: after an error without
/// an answer, look at the list before asking again.
#[utoipa::path(post, path = "/v1/keysend", tag = "payments", request_body = Keysend,
    responses((status = 200, body = Payment, description = "The payment as it stands: complete, failed, or still pending when the time was over."), Errors))]
pub(crate) async fn keysend(
    State(shared): State<Shared>,
    Body(request): Body<Keysend>,
) -> Result<Json<Payment>, ApiError> {
    let wait = wait(request.wait_ms, DEFAULT_WAIT_MS)?;
    let request = PayNode {
        destination: node_id(&request.destination)?,
        via: request.via.as_deref().map(node_id).transpose()?,
        amount_msat: request.amount_msat,
        max_fee_msat: request.max_fee_msat,
    };
    Ok(Json(shared.backend.keysend(request, wait).await?.into()))
}

/// Our payments, newest first.
#[utoipa::path(get, path = "/v1/payments", tag = "payments", params(StatusPageQuery),
    responses((status = 200, body = Payments), Errors))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<StatusPageQuery>,
) -> Result<Json<Payments>, ApiError> {
    let page = page(query.limit, query.before)?;
    let status = query.status.map(PaymentStatus::from);
    let page = read(&shared, move |history| history.payments(status, page)).await?;
    Ok(Json(Payments {
        payments: page.rows.into_iter().map(Payment::from).collect(),
        next: page.next.map(|cursor| cursor.0),
    }))
}

/// One payment with its parts; with `wait_ms`, once it has ended. One whose outcome is unknown is
/// not waited for.
#[utoipa::path(get, path = "/v1/payments/{payment_hash}", tag = "payments",
    params(("payment_hash" = String, Path, description = "Its name."), WaitQuery),
    responses((status = 200, body = PaymentDetails), Errors))]
pub(crate) async fn show(
    State(shared): State<Shared>,
    PathPaymentHash(hash): PathPaymentHash,
    Query(query): Query<WaitQuery>,
) -> Result<Json<PaymentDetails>, ApiError> {
    let wait = wait(query.wait_ms, 0)?;
    let mut events = shared.backend.events();
    let payment = stored(&shared, hash).await?;
    let will_end =
        payment.payment.status == PaymentStatus::Pending && !payment.payment.is_outcome_unknown();
    if !will_end || wait.is_zero() {
        return Ok(Json(payment.into()));
    }
    wait_for_event(&shared, &mut events, wait, |kind| match kind {
        EventKind::PaymentSent { payment_hash, .. }
        | EventKind::PaymentFailed { payment_hash, .. } => (*payment_hash == hash).then_some(()),
        _ => None,
    })
    .await;
    Ok(Json(stored(&shared, hash).await?.into()))
}

async fn stored(shared: &Shared, hash: PaymentHash) -> Result<PaymentWithParts, ApiError> {
    let payment = read(shared, move |history| history.payment(&hash)).await?;
    payment.ok_or_else(|| ApiError::of("unknown_payment", "we made no payment with this hash"))
}
