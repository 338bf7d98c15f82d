//! Our channels as the start of a route.

use crate::face::code::Code;
use crate::face::error::{Error, sat};
use crate::face::io::FirstHop;
use crate::link::links::Links;

/// Channels that can carry something now.
pub(crate) fn first_hops(links: &Links) -> Vec<FirstHop> {
    links
        .connected_or_in_flight()
        .filter(|(_, entry)| entry.is_active())
        .map(|(link, entry)| {
            let channel = entry.channel();
            let summary = channel.summary();
            FirstHop {
                link: *link,
                peer: channel.remote(),
                short_channel_id: channel.scid(),
                spendable_msat: summary.spendable_msat,
                htlc_minimum_msat: summary.terms.htlc_minimum_msat,
                capacity_msat: summary.capacity_msat,
            }
        })
        .collect()
}

/// As [`first_hops`], or why there are none.
pub(crate) fn usable_first_hops(links: &Links) -> Result<Vec<FirstHop>, Error> {
    let first_hops = first_hops(links);
    if first_hops.is_empty() {
        return Err(no_channel(links));
    }
    Ok(first_hops)
}

/// Refuses an amount that cannot be sent now.
pub(crate) fn check_balance(links: &Links, amount_msat: u64) -> Result<(), Error> {
    let first_hops = usable_first_hops(links)?;
    let spendable_msat: u64 =
        first_hops.iter().fold(0, |sum, hop| sum.saturating_add(hop.spendable_msat));
    if spendable_msat < amount_msat {
        let text =
            format!("{} can be sent now, {} are needed", sat(spendable_msat), sat(amount_msat));
        return Err(Error::new(Code::InsufficientBalance, text));
    }
    Ok(())
}

/// Why no channel can carry anything: waiting helps, or only a person does.
fn no_channel(links: &Links) -> Error {
    if links.iter().any(|(_, entry)| entry.awaits_peer()) {
        return Error::new(Code::NoActiveChannel, "no channel is active at the moment")
            .hint("wait until a peer is connected again; the list of channels tells more");
    }
    Error::new(Code::NoUsableChannel, "there is no channel, or all of them wait for a person")
}
