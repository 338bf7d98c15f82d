//! Which terms, and which refund script, a channel may have.

use bitcoin::{Script, WitnessVersion};
use steward_wire::InitHostedChannel;

use crate::io::Env;
use crate::limits::{
    MAX_INIT_FEATURES, MAX_OFFERED_HTLC_MINIMUM_MSAT, MAX_REFUND_SCRIPT_BYTES,
    MIN_OFFERED_IN_FLIGHT_MSAT,
};

/// As client: whether the terms make a usable channel, by immortan's measure (docs/protocol.md
/// section 3.2).
pub(crate) fn check_offer(init: &InitHostedChannel) -> Result<(), &'static str> {
    if init.initial_client_balance_msat > init.channel_capacity_msat {
        return Err("the initial balance exceeds the capacity");
    }
    if init.max_htlc_value_in_flight_msat < MIN_OFFERED_IN_FLIGHT_MSAT {
        return Err("the in-flight limit is too low");
    }
    if init.htlc_minimum_msat > MAX_OFFERED_HTLC_MINIMUM_MSAT {
        return Err("the HTLC minimum is too high");
    }
    if init.max_accepted_htlcs == 0 {
        return Err("no HTLCs are allowed");
    }
    if init.features.len() > MAX_INIT_FEATURES {
        return Err("too many features");
    }
    Ok(())
}

/// As host: whether a state's terms, most of them unsigned, ask for no more than we would offer.
pub(crate) fn is_within_offer(
    terms: &InitHostedChannel,
    offer: &InitHostedChannel,
    env: &Env<'_>,
) -> bool {
    let max_capacity_msat =
        offer.channel_capacity_msat.max(env.max_capacity_sat.saturating_mul(1000));
    terms.channel_capacity_msat <= max_capacity_msat
        && terms.max_htlc_value_in_flight_msat <= max_capacity_msat
        && terms.htlc_minimum_msat >= offer.htlc_minimum_msat
        && terms.max_accepted_htlcs <= offer.max_accepted_htlcs
        && terms.features.iter().all(|feature| offer.features.contains(feature))
        && terms.features.len() <= MAX_INIT_FEATURES
}

/// P2PKH, P2SH or any witness program (docs/protocol.md section 3.2: the eclair plugin refuses P2TR, we do not).
pub(crate) fn is_standard_refund_script(script: &[u8]) -> bool {
    if script.len() > MAX_REFUND_SCRIPT_BYTES {
        return false;
    }
    let script = Script::from_bytes(script);
    match script.witness_version() {
        Some(WitnessVersion::V0) => script.is_p2wpkh() || script.is_p2wsh(),
        Some(_) => script.is_witness_program(),
        None => script.is_p2pkh() || script.is_p2sh(),
    }
}
