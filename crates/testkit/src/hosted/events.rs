//! Ids read out of a channel's outputs.

use steward_hosted::Output;
use steward_htlc::LinkEvent;

/// Ids of the HTLCs reported as offered by the peer.
pub fn incoming(events: &[Output]) -> Vec<u64> {
    events
        .iter()
        .filter_map(|event| match event {
            Output::Link(LinkEvent::HtlcIncoming { add, .. }) => Some(add.id),
            _ => None,
        })
        .collect()
}

/// Ids of own HTLCs reported as fulfilled.
pub fn fulfilled(events: &[Output]) -> Vec<u64> {
    events
        .iter()
        .filter_map(|event| match event {
            Output::Link(LinkEvent::HtlcFulfilled { id, .. }) => Some(*id),
            _ => None,
        })
        .collect()
}

/// Ids of own HTLCs reported as failed.
pub fn failed(events: &[Output]) -> Vec<u64> {
    events
        .iter()
        .filter_map(|event| match event {
            Output::Link(LinkEvent::HtlcFailed { id, .. }) => Some(*id),
            _ => None,
        })
        .collect()
}

/// Ids of own HTLCs reported as dropped.
pub fn dropped(events: &[Output]) -> Vec<u64> {
    events
        .iter()
        .filter_map(|event| match event {
            Output::Link(LinkEvent::HtlcDropped { id, .. }) => Some(*id),
            _ => None,
        })
        .collect()
}
