//! What a record must fulfill before a monitor is written from it: limits, and numbers that follow
//! each other. It costs no cryptography, since it is done at a channel's death too.

use std::collections::BTreeSet;

use crate::limits::{
    COMMITMENT_NUMBERS, MAX_DESTINATION_SCRIPT_BYTES, MAX_HTLCS, MAX_PREIMAGES, MAX_SECRETS,
};
use crate::not_defendable::NotDefendable;
use crate::record::{ChannelAtDeath, Commitment};

/// Checks limits and numbers.
pub(crate) fn check(record: &ChannelAtDeath) -> Result<(), NotDefendable> {
    limits(record)?;
    follow_each_other(record)?;
    revoked(record)
}

fn limit(is_within: bool, what: &'static str) -> Result<(), NotDefendable> {
    if is_within { Ok(()) } else { Err(NotDefendable::Limit { what }) }
}

fn limits(record: &ChannelAtDeath) -> Result<(), NotDefendable> {
    limit(record.secrets.len() <= MAX_SECRETS, "revocation secrets")?;
    limit(record.preimages.len() <= MAX_PREIMAGES, "preimages")?;
    limit(record.fulfilled.len() <= MAX_PREIMAGES, "fulfilled HTLCs")?;
    limit(
        record.destination.len() <= MAX_DESTINATION_SCRIPT_BYTES,
        "bytes in the wallet's script",
    )?;
    // Above it LDK cannot turn satoshi into millisatoshi.
    let all_bitcoin_sat = bitcoin::Amount::MAX_MONEY.to_sat();
    limit(record.parameters.funding_sat <= all_bitcoin_sat, "satoshi in the funding output")?;
    let remote = record.unrevoked().map(|commitment| &commitment.content);
    remote.chain([&record.local.content]).try_for_each(commitment_limits)?;
    if let Some(revoked) = &record.revoked {
        limit(revoked.htlcs.len() <= MAX_HTLCS, "HTLCs in the revoked commitment")?;
        limit(revoked.number < COMMITMENT_NUMBERS, "commitments")?;
    }
    let ids: BTreeSet<u64> = record.fulfilled.iter().map(|htlc| htlc.id).collect();
    limit(ids.len() == record.fulfilled.len(), "fulfilled HTLCs with one number")?;
    record.secrets.iter().try_for_each(|one| limit(one.number < COMMITMENT_NUMBERS, "commitments"))
}

fn commitment_limits(content: &Commitment) -> Result<(), NotDefendable> {
    limit(content.htlcs.len() <= MAX_HTLCS, "HTLCs in a commitment")?;
    limit(content.number < COMMITMENT_NUMBERS, "commitments")?;
    let names: BTreeSet<_> =
        content.htlcs.iter().map(|htlc| (htlc.terms.direction, htlc.id)).collect();
    limit(names.len() == content.htlcs.len(), "HTLCs with one number")
}

fn follow_each_other(record: &ChannelAtDeath) -> Result<(), NotDefendable> {
    let Some(previous) = &record.remote_previous else { return Ok(()) };
    let (previous, current) = (previous.content.number, record.remote.content.number);
    if previous.checked_add(1) == Some(current) {
        Ok(())
    } else {
        Err(NotDefendable::Numbers { previous, current })
    }
}

/// Checks that a revoked commitment is one: the secrets are checked where they are written.
fn revoked(record: &ChannelAtDeath) -> Result<(), NotDefendable> {
    match &record.revoked {
        Some(revoked) if revoked.number >= record.oldest_unrevoked() => {
            Err(NotDefendable::SecretMissing { number: revoked.number })
        }
        _ => Ok(()),
    }
}
