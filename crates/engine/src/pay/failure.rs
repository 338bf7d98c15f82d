//! The meaning of a part's failure for its payment: the nodes and channels to avoid, and whether to
//! try again.

use steward_htlc::Failure as ChannelFailure;
use steward_onion::{DecodedFailure, decode_failure};
use steward_wire::{NodeId, ShortChannelId};

use crate::face::hold_report::HoldReport;
use crate::face::row::PartRow;

/// The code of a failure that no hop signed.
const UNREADABLE_FAILURE: &str = "unreadable_failure";

/// The meaning of a failure for the payment.
pub(crate) struct Meaning {
    /// The channel to avoid, if one is to blame.
    pub(crate) failed_scid: Option<ShortChannelId>,
    /// True if no other route can help.
    pub(crate) is_final: bool,
    /// A stable code in snake_case.
    pub(crate) code: &'static str,
    /// One sentence.
    pub(crate) message: String,
    /// The times for which the hops held it, as they say.
    pub(crate) report: Option<HoldReport>,
}

/// Reads the failure of a part of ours.
pub(crate) fn meaning_of(part: &PartRow, failure: Option<&ChannelFailure>) -> Meaning {
    let hops: Vec<NodeId> = part.path.iter().map(|(node, _)| *node).collect();
    let decoded = match failure {
        Some(ChannelFailure::Reason { reason, .. }) => {
            decode_failure(&part.session_key, &hops, reason)
        }
        Some(ChannelFailure::Malformed { failure_code, .. }) => {
            let message = format!("the first hop could not read the onion (0x{failure_code:04x})");
            return first_hop_meaning(part, "malformed_onion", message);
        }
        None => {
            let message = "the HTLC expired or was dropped by the first hop".to_owned();
            return first_hop_meaning(part, "htlc_dropped", message);
        }
    };
    let report = HoldReport::of_failure(part, failure, decoded.as_ref());
    let meaning = match decoded {
        Some(decoded) => read_meaning(part, &decoded),
        None => unreadable_meaning(part, report.as_ref()),
    };
    Meaning { report, ..meaning }
}

/// No hop signed the failure. Attribution data names the two nodes of which one spoiled it, or the
/// first one that has none; without any, the one before the payee is the best guess.
fn unreadable_meaning(part: &PartRow, report: Option<&HoldReport>) -> Meaning {
    let spoiled_at = report.and_then(HoldReport::read).and_then(|times| times.spoiled_at);
    let blamed = spoiled_at.or_else(|| part.path.len().checked_sub(2));
    let failed_scid = blamed.and_then(|index| part.path.get(index)).map(|(_, scid)| *scid);
    let message = match spoiled_at.and_then(|index| part.path.get(index)) {
        Some((node, _)) => format!("{node}, or the node before it, spoiled the failure message"),
        None => "a node on the way spoiled the failure message".to_owned(),
    };
    Meaning { failed_scid, is_final: false, code: UNREADABLE_FAILURE, message, report: None }
}

fn first_hop_meaning(part: &PartRow, code: &'static str, message: String) -> Meaning {
    let failed_scid = part.path.first().map(|(_, scid)| *scid);
    Meaning { failed_scid, is_final: false, code, message, report: None }
}

fn read_meaning(part: &PartRow, decoded: &DecodedFailure) -> Meaning {
    let failure = &decoded.failure;
    let is_payee = decoded.hop_index + 1 == part.path.len();
    let who =
        part.path.get(decoded.hop_index).map_or_else(String::new, |(node, _)| node.to_string());
    let message =
        format!("{} from {}{who}", failure.name(), if is_payee { "the payee " } else { "" });
    // A hop speaks of the channel after it; its own failure makes the channel before it useless.
    let blamed =
        if failure.is_node() || is_payee { decoded.hop_index } else { decoded.hop_index + 1 };
    let failed_scid = part.path.get(blamed).map(|(_, scid)| *scid).filter(|_| !is_payee);
    let may_succeed_later = failure.code == steward_onion::code::MPP_TIMEOUT;
    let is_final = is_payee && !may_succeed_later;
    Meaning { failed_scid, is_final, code: failure.name(), message, report: None }
}
