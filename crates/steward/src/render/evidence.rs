//! Evidence about peers, as people read it.

use steward_api::model::{Channel, EvidenceDetails, EvidenceList, EvidenceState};

use super::channel::proof;
use super::foreign::visible;
use super::table::Table;
use super::when::{date, date_and_distance};
use super::words::{msat, next_page};

/// `steward evidence list`
pub fn evidence_list(list: &EvidenceList) -> String {
    if list.evidence.is_empty() {
        return "nothing was kept".to_owned();
    }
    let mut table = Table::new(["NUMBER", "KEPT", "PEER", "WHAT"]);
    for kept in &list.evidence {
        let what = visible(&kept.what);
        let kept_at = date(kept.time_ms);
        table.push([kept.number.to_string(), kept_at, kept.peer_id.clone(), what]);
    }
    let mut lines = table.lines();
    lines.extend(next_page(list.next));
    lines.push("`steward evidence show NUMBER` tells what it proves".to_owned());
    lines.join("\n")
}

/// `steward evidence show`
pub fn evidence(details: &EvidenceDetails) -> String {
    let kept = &details.evidence;
    let name = kept.message.as_deref().unwrap_or("unknown, or cut");
    let mut lines = vec![
        format!("evidence {}, about {}", kept.number, kept.peer_id),
        format!("  {}", visible(&kept.what)),
        format!("  kept {}", date_and_distance(kept.time_ms)),
        format!("  message {name} (type {})", details.message_type),
    ];
    match &details.state {
        Some(state) => lines.extend(state_lines(state)),
        None => lines.push(format!("  bytes {}", details.body)),
    }
    lines.extend(details.proof.as_ref().map(proof));
    if let Some(snapshot) = &details.snapshot {
        lines.push("  to be checked with `steward verify`:".to_owned());
        lines.push(snapshot.clone());
    }
    lines.join("\n")
}

fn state_lines(state: &EvidenceState) -> Vec<String> {
    let holds = |holds: bool| if holds { "holds" } else { "DOES NOT HOLD" };
    let newer = match state.newer_than_ours {
        Some(true) => "newer than the state we have",
        Some(false) => "not newer than the state we have",
        None => "we have no state of this channel",
    };
    let mut lines = vec![
        format!(
            "  state: {} ours, {} theirs, of {}",
            msat(state.our_balance_msat),
            msat(state.peer_balance_msat),
            msat(state.capacity_msat)
        ),
        format!("  {} HTLCs with {} in flight", state.htlcs, msat(state.in_flight_msat)),
        format!(
            "  {} updates of ours, {} of theirs, signed around block {}: {newer}",
            state.our_updates,
            state.peer_updates,
            u64::from(state.block_day) * 144
        ),
        format!(
            "  our signature {}, theirs {}",
            holds(state.our_signature_holds),
            holds(state.peer_signature_holds)
        ),
    ];
    lines.extend(state.flaws.iter().map(|flaw| format!("  no channel can have it: {flaw}")));
    lines
}

/// Says what `steward channel override --as-proved` would do.
pub fn proved_override(number: u64, state: &EvidenceState, ours: &Channel) -> String {
    let now = match &ours.balances {
        Some(now) => format!(
            "{} ours and {} the client's",
            msat(now.local_balance_msat),
            msat(now.remote_balance_msat)
        ),
        None => "nothing".to_owned(),
    };
    format!(
        "evidence {number} is a state with {} ours and {} the client's; our own state has {now}. The \
         channel would go on with the balances of the evidence and without HTLCs, and what was \
         signed before is worth nothing once the client accepts",
        msat(state.our_balance_msat),
        msat(state.peer_balance_msat)
    )
}
