//! What the failure of a part means for its payment: whom to avoid, and whether to try again.

use steward_hosted::Failure as ChannelFailure;
use steward_onion::{DecodedFailure, decode_failure};
use steward_wire::{NodeId, ShortChannelId};

use crate::row::PartRow;

/// What a failure means for the payment.
pub(crate) struct Verdict {
    /// The channel to avoid, if one is to blame.
    pub(crate) failed_scid: Option<ShortChannelId>,
    /// No other route can help.
    pub(crate) is_final: bool,
    /// Stable, snake_case.
    pub(crate) code: &'static str,
    /// A sentence.
    pub(crate) message: String,
}

/// Reads the failure of a part of ours.
pub(crate) fn judge(part: &PartRow, failure: Option<&ChannelFailure>) -> Verdict {
    let hops: Vec<NodeId> = part.path.iter().map(|(node, _)| *node).collect();
    let decoded = match failure {
        Some(ChannelFailure::Reason { reason, .. }) => {
            decode_failure(&part.session_key, &hops, reason)
        }
        Some(ChannelFailure::Malformed { failure_code, .. }) => {
            let message = format!("the first hop could not read the onion (0x{failure_code:04x})");
            return first_hop_verdict(part, "malformed_onion", message);
        }
        None => {
            let message = "the HTLC expired or was dropped by the first hop".to_owned();
            return first_hop_verdict(part, "htlc_dropped", message);
        }
    };
    match decoded {
        Some(decoded) => read_verdict(part, &decoded),
        None => {
            let message = "a node on the way spoiled the failure message".to_owned();
            let last_but_one = part.path.len().checked_sub(2);
            let scid = last_but_one.and_then(|index| part.path.get(index)).map(|(_, scid)| *scid);
            Verdict { failed_scid: scid, is_final: false, code: "unreadable_failure", message }
        }
    }
}

fn first_hop_verdict(part: &PartRow, code: &'static str, message: String) -> Verdict {
    let failed_scid = part.path.first().map(|(_, scid)| *scid);
    Verdict { failed_scid, is_final: false, code, message }
}

fn read_verdict(part: &PartRow, decoded: &DecodedFailure) -> Verdict {
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
    Verdict { failed_scid, is_final: is_payee && !may_succeed_later, code: failure.name(), message }
}
