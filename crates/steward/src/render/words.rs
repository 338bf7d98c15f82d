//! The words that several answers share: amounts, empty lists, short ids, the hint to the next page.

use steward_api::model::ConnectionFailure;

use super::foreign::visible;
use super::when::distance_from_now;
use crate::amount::Amount;

pub(super) fn msat(msat: u64) -> Amount {
    Amount::from_msat(msat)
}

pub(super) fn or_none(text: &str) -> &str {
    if text.is_empty() { "(none)" } else { text }
}

pub(super) fn short(id: &str) -> &str {
    id.get(..10).unwrap_or(id)
}

pub(super) fn next_page(next: Option<u64>) -> Option<String> {
    next.map(|cursor| format!("more: --before {cursor}"))
}

pub(super) fn unreached(failure: &ConnectionFailure) -> String {
    format!(
        "not reached at {} {}: {}; next attempt {}",
        visible(&failure.address),
        distance_from_now(failure.failed_ms),
        visible(&failure.reason),
        distance_from_now(failure.next_attempt_ms)
    )
}
