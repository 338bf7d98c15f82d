//! Attribution data (BOLT 4): made where an HTLC ends, and passed on with our own hold time where it
//! was forwarded. It is sent to peers that offer it, and never inside a blinded path, where it would
//! tell the payer about nodes that it must not know.

use steward_htlc::{Failure as ChannelFailure, Settlement};
use steward_onion::{
    AttributedFailure, Attribution, Failure, PeelError, attribute_fulfill,
    build_attributed_failure, build_failure, wrap_attributed_failure, wrap_failure,
};
use steward_wire::{Message, UpdateFailHtlc, UpdateFulfillHtlc, attribution_tlv, features};

use crate::face::hold_report::received;
use crate::step::{Answer, OurHop};

/// Puts an answer into the words of the channel. `attributed`: with attribution data.
pub(crate) fn settlement(answer: Answer, attributed: bool, now_ms: u64) -> Settlement {
    match answer {
        Answer::Fulfill { preimage, hop, downstream } => {
            let tlvs = hop.filter(|_| attributed).map(|OurHop { shared_secret, since_ms }| {
                let downstream = received(&downstream);
                let held_ms = now_ms.saturating_sub(since_ms);
                tlv(&attribute_fulfill(&shared_secret, downstream.as_ref(), held_ms))
            });
            Settlement::Fulfill { preimage, tlvs: tlvs.unwrap_or_default() }
        }
        Answer::PassBack { reason, hop, downstream } => {
            let OurHop { shared_secret, since_ms } = hop;
            if !attributed {
                let reason = wrap_failure(&shared_secret, &reason);
                return Settlement::Fail(ChannelFailure::Reason { reason, tlvs: Vec::new() });
            }
            let downstream = received(&downstream);
            let held_ms = now_ms.saturating_sub(since_ms);
            Settlement::Fail(with_tlv(wrap_attributed_failure(
                &shared_secret,
                &reason,
                downstream.as_ref(),
                held_ms,
            )))
        }
        Answer::Refuse { refusal, since_ms } => Settlement::Fail(match refusal {
            PeelError::Malformed { code, sha256_of_onion } => {
                ChannelFailure::Malformed { sha256_of_onion, failure_code: code }
            }
            PeelError::Failure { shared_secret, failure } if attributed => {
                let held_ms = now_ms.saturating_sub(since_ms);
                with_tlv(build_attributed_failure(&shared_secret, &failure, held_ms))
            }
            PeelError::Failure { shared_secret, failure } => plain(&shared_secret, &failure),
        }),
    }
}

/// A settlement without what its receiver does not offer to read; `None` if it can go as it is.
pub(crate) fn fit_for(peer_features: &[u8], message: &Message) -> Option<Message> {
    let is_offered = features::has_pair(peer_features, features::ATTRIBUTION_DATA);
    match message {
        Message::UpdateFulfillHtlc(fulfill) if !is_offered && !fulfill.tlvs.is_empty() => {
            let bare = UpdateFulfillHtlc { tlvs: Vec::new(), ..fulfill.clone() };
            Some(Message::UpdateFulfillHtlc(bare))
        }
        Message::UpdateFailHtlc(fail) if !is_offered && !fail.tlvs.is_empty() => {
            let bare = UpdateFailHtlc { tlvs: Vec::new(), ..fail.clone() };
            Some(Message::UpdateFailHtlc(bare))
        }
        _ => None,
    }
}

fn tlv(attribution: &Attribution) -> Vec<u8> {
    attribution_tlv(&attribution.0)
}

fn with_tlv(attributed: AttributedFailure) -> ChannelFailure {
    let AttributedFailure { reason, attribution } = attributed;
    ChannelFailure::Reason { reason, tlvs: tlv(&attribution) }
}

fn plain(shared_secret: &[u8; 32], failure: &Failure) -> ChannelFailure {
    ChannelFailure::Reason { reason: build_failure(shared_secret, failure), tlvs: Vec::new() }
}
