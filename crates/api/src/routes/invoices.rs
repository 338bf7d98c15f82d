//! Invoices: create, list, show; and taking apart those of others.

use axum::Json;
use axum::extract::State;
use steward_engine::row::InvoiceStatus;
use steward_node::clock::wall_ms;
use steward_node::ops::requests::NewInvoice;

use crate::answers::Errors;
use crate::error::ApiError;
use crate::extract::{Body, PathPaymentHash, Query, invoice, page};
use crate::limits::DEFAULT_INVOICE_EXPIRY_S;
use crate::model::{
    CreateInvoice, DecodeQuery, DecodedInvoice, Invoice, InvoicePageQuery, Invoices,
};
use crate::state::Shared;

/// Makes an invoice.
#[utoipa::path(post, path = "/v1/invoices", tag = "invoices", request_body = CreateInvoice,
    responses((status = 200, body = Invoice), Errors))]
pub(crate) async fn create(
    State(shared): State<Shared>,
    Body(request): Body<CreateInvoice>,
) -> Result<Json<Invoice>, ApiError> {
    let request = NewInvoice {
        amount_msat: request.amount_msat,
        description: request.description,
        expiry_s: request.expiry_s.unwrap_or(DEFAULT_INVOICE_EXPIRY_S),
    };
    let row = shared.node.create_invoice(request).await?;
    Ok(Json(Invoice::at(row, wall_ms())))
}

/// Lists our invoices, newest first.
#[utoipa::path(get, path = "/v1/invoices", tag = "invoices", params(InvoicePageQuery),
    responses((status = 200, body = Invoices), Errors))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<InvoicePageQuery>,
) -> Result<Json<Invoices>, ApiError> {
    let page = page(query.limit, query.before)?;
    let status = query.paid.map(|paid| match paid {
        true => InvoiceStatus::Paid,
        false => InvoiceStatus::Open,
    });
    let page = shared.node.invoices(status, page).await?;
    let wall_ms = wall_ms();
    Ok(Json(Invoices {
        invoices: page.rows.into_iter().map(|row| Invoice::at(row, wall_ms)).collect(),
        next: page.next.map(|cursor| cursor.0),
    }))
}

/// Shows one of our invoices.
#[utoipa::path(get, path = "/v1/invoices/{payment_hash}", tag = "invoices",
    params(("payment_hash" = String, Path, description = "Its name.")),
    responses((status = 200, body = Invoice), Errors))]
pub(crate) async fn show(
    State(shared): State<Shared>,
    PathPaymentHash(hash): PathPaymentHash,
) -> Result<Json<Invoice>, ApiError> {
    let row = shared.node.invoice(hash).await?;
    Ok(Json(Invoice::at(row, wall_ms())))
}

/// Takes an invoice apart, without paying it.
#[utoipa::path(get, path = "/v1/decode", tag = "invoices", params(DecodeQuery),
    responses((status = 200, body = DecodedInvoice), Errors))]
pub(crate) async fn decode(
    Query(query): Query<DecodeQuery>,
) -> Result<Json<DecodedInvoice>, ApiError> {
    let invoice = invoice(&query.invoice)?;
    Ok(Json(DecodedInvoice::at(&invoice, wall_ms())))
}
