//! What is lost to miners if a commitment confirms: the HTLCs too small for an output.

use crate::bolt3::{Contents, Side};
use crate::ledger::View;
use crate::limits::MAX_DUST_EXPOSURE_MSAT;
use crate::live::Live;

/// The worth of the HTLCs that have no output in one of the two commitments, in millisatoshi: the
/// larger of both sums.
pub(crate) fn dust_msat(live: &Live, contents: &Contents) -> u64 {
    let format = live.parameters.format;
    let of = |owner: Side| {
        let dust_limit = live.parameters.terms(owner).dust_limit_sat;
        let trimmed = contents
            .htlcs
            .iter()
            .filter(|htlc| contents.is_trimmed(htlc, format, owner, dust_limit));
        trimmed.fold(0u64, |sum, htlc| sum.saturating_add(htlc.amount_msat))
    };
    of(Side::Local).max(of(Side::Remote))
}

/// Tells whether an HTLC of the peer's is too small for an output, and all such HTLCs up to it are
/// worth too much.
pub(crate) fn is_dust_too_much(live: &Live, id: u64) -> bool {
    let mut with = live.contents(View::Worst);
    with.htlcs.retain(|htlc| htlc.key.offered_by == Side::Local || htlc.key.id <= id);
    let mut without = with.clone();
    without.htlcs.retain(|htlc| htlc.key.offered_by == Side::Local || htlc.key.id < id);
    let sum = dust_msat(live, &with);
    sum > MAX_DUST_EXPOSURE_MSAT && sum > dust_msat(live, &without)
}
