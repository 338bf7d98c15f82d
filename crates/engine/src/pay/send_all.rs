//! The most that can be sent to a payee, fees included, as far as they are known.

use steward_invoice::{HintHop, Invoice};

use crate::face::code::Code;
use crate::face::error::Error;
use crate::face::io::FirstHop;
use crate::link::links::Links;
use crate::pay::first_hops::usable_first_hops;

/// The fee that the node after ours asks for forwarding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fee {
    base_msat: u64,
    ppm: u64,
}

const MILLION: u64 = 1_000_000;

/// The most that the payee of an open invoice can get from us now. Exact if our channels lead to
/// the payee's host, or to the payee; otherwise only the fee of our own host is known.
pub(crate) fn most_payable(links: &Links, invoice: &Invoice) -> Result<u64, Error> {
    if invoice.amount_msat.is_some() {
        let text = "the invoice names its amount";
        return Err(Error::new(Code::AmountFixed, text)
            .hint("everything can be sent only to an invoice that leaves the amount open"));
    }
    let hops = usable_first_hops(links)?;
    let leads = |hop: &FirstHop| fee_to(invoice, hop);
    let has_direct = hops.iter().any(|hop| leads(hop).is_some());
    let amounts = hops.iter().filter_map(|hop| {
        let fee = match (leads(hop), has_direct) {
            (Some(fee), _) => fee,
            (None, true) => return None,
            (None, false) => fee_of_host(links, hop),
        };
        let amount_msat = most_after_fee(hop.spendable_msat, fee);
        Some(amount_msat).filter(|amount_msat| *amount_msat >= hop.htlc_minimum_msat.max(1))
    });
    let most_msat = match invoice.basic_mpp {
        true => amounts.fold(0, u64::saturating_add),
        false => amounts.max().unwrap_or(0),
    };
    if most_msat == 0 {
        return Err(Error::new(Code::InsufficientBalance, "nothing can be sent now"));
    }
    Ok(most_msat)
}

fn fee_of_host(links: &Links, hop: &FirstHop) -> Fee {
    let policy = links.get(&hop.link).and_then(|entry| entry.channel().peer_policy());
    policy.map_or(Fee::default(), |policy| Fee {
        base_msat: policy.fee_base_msat.into(),
        ppm: policy.fee_proportional_millionths.into(),
    })
}

/// The fee on the way over this channel, if it leads to the payee or to its host.
fn fee_to(invoice: &Invoice, hop: &FirstHop) -> Option<Fee> {
    if hop.peer == invoice.payee {
        return Some(Fee::default());
    }
    let is_next =
        |hint: &&Vec<HintHop>| matches!(hint.as_slice(), [only] if only.node_id == hop.peer);
    invoice
        .hints
        .iter()
        .find(is_next)
        .and_then(|hint| hint.first())
        .map(|hint| Fee { base_msat: hint.fee_base_msat.into(), ppm: hint.fee_ppm.into() })
}

/// The largest amount that leaves room for its fee (BOLT7: base and millionths, rounded down).
fn most_after_fee(spendable_msat: u64, fee: Fee) -> u64 {
    let Some(left_msat) = spendable_msat.checked_sub(fee.base_msat) else { return 0 };
    let parts = u128::from(MILLION) + u128::from(fee.ppm);
    let amount_msat = u128::from(left_msat) * u128::from(MILLION) / parts;
    let fits = |amount_msat: u128| {
        amount_msat + amount_msat * u128::from(fee.ppm) / u128::from(MILLION)
            <= u128::from(left_msat)
    };
    // Rounding down the fee may leave one more.
    let amount_msat = if fits(amount_msat + 1) { amount_msat + 1 } else { amount_msat };
    u64::try_from(amount_msat).unwrap_or(spendable_msat)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amount_and_fee_use_up_what_can_be_sent_and_no_more() {
        for spendable_msat in (0..5_000).chain([246_647_656, 1_000_000_007, u64::MAX / 2]) {
            for (base_msat, ppm) in [(0, 0), (1_000, 1_000), (1, 999_999), (0, 4_294_967_295)] {
                let amount = most_after_fee(spendable_msat, Fee { base_msat, ppm });
                let total = |amount: u64| {
                    let amount = u128::from(amount);
                    amount + u128::from(base_msat) + amount * u128::from(ppm) / 1_000_000
                };
                assert!(amount == 0 || total(amount) <= u128::from(spendable_msat));
                assert!(total(amount.saturating_add(1)) > u128::from(spendable_msat));
            }
        }
    }
}
