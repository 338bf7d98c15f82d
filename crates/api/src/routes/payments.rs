//! Payments out: pay an invoice or a node, list, show, wait.

use axum::Json;
use axum::extract::State;
use steward_engine::Code;
use steward_engine::row::PaymentStatus;
use steward_node::ops::requests::{PayAmount, PayInvoice, PayNode};

use crate::answers::Errors;
use crate::error::ApiError;
use crate::extract::{Body, PathPaymentHash, Query, invoice, node_id, page, wait};
use crate::limits::DEFAULT_WAIT_MS;
use crate::model::{Keysend, Pay, Payment, PaymentDetails, Payments, StatusPageQuery, WaitQuery};
use crate::state::Shared;

/// Pays an invoice, once: asking again, even at the same time, tells how the first time goes or
/// went. Only a payment that failed is tried again.
#[utoipa::path(post, path = "/v1/payments", tag = "payments", request_body = Pay,
    responses((status = 200, body = Payment, description = "The payment as it stands: complete, failed, or still pending when the time was over."), Errors))]
pub(crate) async fn pay(
    State(shared): State<Shared>,
    Body(request): Body<Pay>,
) -> Result<Json<Payment>, ApiError> {
    let wait = wait(request.wait_ms, DEFAULT_WAIT_MS)?;
    let invoice = invoice(&request.invoice)?;
    let amount = pay_amount(&request)?;
    let request = PayInvoice { invoice, amount, max_fee_msat: request.max_fee_msat };
    Ok(Json(shared.node.pay(request, wait).await?.into()))
}

fn pay_amount(request: &Pay) -> Result<PayAmount, ApiError> {
    match (request.all, request.amount_msat) {
        (true, Some(_)) => Err(ApiError::of(Code::BadAmount, "`all` and an amount were given")),
        (true, None) => Ok(PayAmount::All),
        (false, Some(amount_msat)) => Ok(PayAmount::Msat(amount_msat)),
        (false, None) => Ok(PayAmount::AsInvoiced),
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
    Ok(Json(shared.node.keysend(request, wait).await?.into()))
}

/// Lists our payments, newest first.
#[utoipa::path(get, path = "/v1/payments", tag = "payments", params(StatusPageQuery),
    responses((status = 200, body = Payments), Errors))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<StatusPageQuery>,
) -> Result<Json<Payments>, ApiError> {
    let page = page(query.limit, query.before)?;
    let status = query.status.map(PaymentStatus::from);
    let page = shared.node.payments(status, page).await?;
    Ok(Json(Payments {
        payments: page.rows.into_iter().map(Payment::from).collect(),
        next: page.next.map(|cursor| cursor.0),
    }))
}

/// Shows one payment with its parts; with `wait_ms`, once it has ended. One whose outcome is
/// unknown is not waited for.
#[utoipa::path(get, path = "/v1/payments/{payment_hash}", tag = "payments",
    params(("payment_hash" = String, Path, description = "Its name."), WaitQuery),
    responses((status = 200, body = PaymentDetails), Errors))]
pub(crate) async fn show(
    State(shared): State<Shared>,
    PathPaymentHash(hash): PathPaymentHash,
    Query(query): Query<WaitQuery>,
) -> Result<Json<PaymentDetails>, ApiError> {
    let wait = wait(query.wait_ms, 0)?;
    let payment = shared.node.wait_payment(hash, shared.wait(wait)).await?;
    Ok(Json(payment.into()))
}
