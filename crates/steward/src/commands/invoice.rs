//! `steward invoice` and `steward decode`.

use steward_api::model::{CreateInvoice, DecodedInvoice, Invoice, Invoices};
use steward_engine::Code;
use steward_node::clock::now_ms;

use super::channel::path_segment;
use super::{Context, page_query};
use crate::cli::{self, InvoiceArguments, InvoiceCommand};
use crate::failure::Failure;
use crate::output::Output;
use crate::render;

pub(super) fn run(context: &Context, arguments: InvoiceArguments) -> Result<(), Failure> {
    match (arguments.command, arguments.create) {
        (Some(InvoiceCommand::Create(create)), _) | (None, Some(create)) => {
            self::create(context, create)
        }
        (Some(InvoiceCommand::List { paid, page }), _) => {
            let mut query = page_query(page);
            query.extend(paid.then(|| ("paid", "true".to_owned())));
            let invoices: Invoices = context.client()?.get("/v1/invoices", &query)?;
            context.output.answer(&invoices, render::invoices)
        }
        (Some(InvoiceCommand::Show { payment_hash }), _) => {
            let path = format!("/v1/invoices/{}", path_segment(&payment_hash)?);
            let invoice: Invoice = context.client()?.get(&path, &[])?;
            context.output.answer(&invoice, render::invoice)
        }
        // The parser asks for one of them.
        (None, None) => Err(Failure::new(
            Code::Usage,
            "an amount is missing",
            "for example `steward invoice 1000sat`, or `steward invoice any`",
        )),
    }
}

fn create(context: &Context, create: cli::CreateInvoice) -> Result<(), Failure> {
    let request = CreateInvoice {
        amount_msat: create.amount.0.map(|amount| amount.msat),
        description: create.description,
        expiry_s: Some(create.expiry),
    };
    let invoice: Invoice = context.client()?.post("/v1/invoices", &request)?;
    context.output.answer(&invoice, render::invoice)
}

/// Takes an invoice apart. This needs no daemon: everything is in the invoice.
pub(super) fn decode(output: Output, text: &str) -> Result<(), Failure> {
    let invoice = steward_invoice::pasted::read(text)
        .map_err(|error| Failure::new(Code::BadInvoice, error.to_string(), error.hint()))?;
    output.answer(&DecodedInvoice::at(&invoice, now_ms()), render::decoded)
}
