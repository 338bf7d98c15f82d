//! Payments and invoices, as people read them.

use steward_api::model::{
    DecodedInvoice, Invoice, InvoiceState, Invoices, Payment, PaymentDetails, PaymentState,
    Payments,
};

use super::foreign::visible;
use super::table::Table;
use super::when::{date, date_and_distance};
use super::words::{msat, next_page, or_none, short};

/// `steward invoice list`
pub fn invoices(invoices: &Invoices) -> String {
    if invoices.invoices.is_empty() {
        return "no invoices".to_owned();
    }
    let headers = ["STATUS", "MADE", "AMOUNT", "RECEIVED", "PAYMENT HASH", "DESCRIPTION"];
    let mut table = Table::new(headers);
    for invoice in &invoices.invoices {
        let is_paid = invoice.status == InvoiceState::Complete;
        table.push([
            invoice_state(invoice.status).to_owned(),
            date(invoice.created_ms),
            invoice_amount(invoice.amount_msat),
            if is_paid { msat(invoice.received_msat).to_string() } else { String::new() },
            invoice.payment_hash.clone(),
            visible(&invoice.description),
        ]);
    }
    let mut lines = table.lines();
    lines.extend(next_page(invoices.next));
    lines.join("\n")
}

/// Shows one invoice, with what is to be copied alone on its last line.
pub fn invoice(invoice: &Invoice) -> String {
    let mut lines = vec![
        format!("payment hash  {}", invoice.payment_hash),
        format!("amount        {}", invoice_amount(invoice.amount_msat)),
        format!("description   {}", visible(&invoice.description)),
        format!("status        {}", invoice_state(invoice.status)),
        format!("made          {}", date(invoice.created_ms)),
    ];
    match invoice.paid_ms {
        Some(paid_ms) => lines.push(format!("paid          {}", date_and_distance(paid_ms))),
        None => lines.push(format!("expires       {}", date_and_distance(invoice.expires_ms))),
    }
    if invoice.status == InvoiceState::Complete {
        lines.push(format!("received      {}", msat(invoice.received_msat)));
    }
    lines.extend(invoice.preimage.iter().map(|preimage| format!("preimage      {preimage}")));
    lines.extend(invoice.bolt11.clone());
    lines.join("\n")
}

/// `steward decode`
pub fn decoded(invoice: &DecodedInvoice) -> String {
    let description = match (&invoice.description, &invoice.description_hash) {
        (Some(text), _) => visible(text),
        (None, Some(hash)) => format!("sha256 {hash}"),
        (None, None) => String::new(),
    };
    let expires = if invoice.expired { "expired       " } else { "expires       " };
    let mut lines = vec![
        format!("network       {}", invoice.network),
        format!("payee         {}", invoice.payee),
        format!("amount        {}", invoice_amount(invoice.amount_msat)),
        format!("description   {description}"),
        format!("payment hash  {}", invoice.payment_hash),
        format!("made          {}", date_and_distance(invoice.created_ms)),
        format!("{expires}{}", date_and_distance(invoice.expires_ms)),
        format!("last expiry   {} blocks", invoice.min_final_cltv_expiry_delta_blocks),
        format!("in parts      {}", if invoice.multi_part { "yes" } else { "no" }),
        format!("features      {}", or_none(&features(&invoice.features))),
    ];
    for address in &invoice.fallback_addresses {
        lines.push(format!("fallback      {address}, on chain: Steward does not pay there"));
    }
    lines.extend(invoice.metadata.iter().map(|metadata| format!("metadata      {metadata}")));
    for hint in &invoice.route_hints {
        let hops = hint.iter().map(|hop| {
            let (base, ppm) = (msat(u64::from(hop.fee_base_msat)), hop.fee_ppm);
            format!("{} by {} (fee {base} and {ppm} ppm)", hop.node_id, hop.short_channel_id)
        });
        lines.push(format!("route hint    {}", hops.collect::<Vec<_>>().join(" -> ")));
    }
    lines.join("\n")
}

/// `steward payments`
pub fn payments(payments: &Payments) -> String {
    if payments.payments.is_empty() {
        return "no payments".to_owned();
    }
    let mut table = Table::new(["STATUS", "BEGUN", "AMOUNT", "FEE", "PAYMENT HASH"]);
    for payment in &payments.payments {
        table.push([
            payment_state(payment.status).to_owned(),
            date(payment.created_ms),
            msat(payment.amount_msat).to_string(),
            msat(payment.fee_msat).to_string(),
            payment.payment_hash.clone(),
        ]);
    }
    let mut lines = table.lines();
    lines.extend(next_page(payments.next));
    lines.join("\n")
}

/// Shows one payment.
pub fn payment(payment: &Payment) -> String {
    let first = match payment.already_paid {
        true => format!("already paid before, nothing was paid now: {}", msat(payment.amount_msat)),
        false => format!("{}: {}", payment_state(payment.status), msat(payment.amount_msat)),
    };
    let mut lines = vec![
        first,
        format!("fee           {}", msat(payment.fee_msat)),
        format!("payment hash  {}", payment.payment_hash),
    ];
    lines.push(format!("begun         {}", date(payment.created_ms)));
    lines.extend(payment.ended_ms.map(|ended_ms| format!("ended         {}", date(ended_ms))));
    if let Some(preimage) = &payment.preimage {
        lines.push(format!("proof         {preimage}"));
    }
    if let Some(failure) = &payment.failure {
        lines.push(format!("failure       {} ({})", visible(&failure.message), failure.code));
    }
    match payment.status {
        PaymentState::Pending => {
            lines.push("It goes on; do not pay by other means before it has ended.".to_owned());
        }
        PaymentState::Unknown => lines.push(
            "Ask the payee. If it was paid, hand in the proof with `steward preimage`; do not pay by \
             other means before you know."
                .to_owned(),
        ),
        PaymentState::Complete | PaymentState::Failed => {}
    }
    lines.join("\n")
}

/// Shows one payment with everything tried for it.
pub fn payment_details(details: &PaymentDetails) -> String {
    let mut lines = vec![payment(&details.payment)];
    lines.extend(details.parts.iter().map(|part| {
        let path: Vec<&str> = part.path.iter().map(|hop| short(&hop.node_id)).collect();
        format!(
            "part {}        {}: {}, fee {}, over {}",
            part.part,
            payment_state(part.status),
            msat(part.amount_msat),
            msat(part.fee_msat),
            path.join(" -> ")
        )
    }));
    lines.join("\n")
}

/// Returns feature bits by their names (BOLT9); an even bit is required.
fn features(bits: &[u16]) -> String {
    let names = bits.iter().map(|bit| {
        let name = match bit & !1 {
            8 => "variable onion",
            14 => "payment secret",
            16 => "parts",
            24 => "route blinding",
            48 => "metadata",
            54 => "keysend",
            _ => return format!("feature {bit}"),
        };
        if bit & 1 == 0 { format!("{name} (required)") } else { name.to_owned() }
    });
    names.collect::<Vec<_>>().join(", ")
}

fn invoice_amount(amount_msat: Option<u64>) -> String {
    amount_msat.map_or_else(|| "any".to_owned(), |amount_msat| msat(amount_msat).to_string())
}

fn payment_state(state: PaymentState) -> &'static str {
    match state {
        PaymentState::Pending => "pending",
        PaymentState::Complete => "complete",
        PaymentState::Failed => "failed",
        PaymentState::Unknown => "unknown",
    }
}

fn invoice_state(state: InvoiceState) -> &'static str {
    match state {
        InvoiceState::Pending => "pending",
        InvoiceState::Complete => "complete",
        InvoiceState::Expired => "expired",
    }
}
