//! How an outgoing HTLC of ours is named inside the monitor, and found again in what it reports.
//!
//! LDK's `HTLCSource::PreviousHopData` names the incoming half of a forward by two numbers. To us they
//! are a mark of our own and the id of the outgoing HTLC: the monitor compares them and gives them
//! back, and does nothing else with them.

use lightning::chain::channelmonitor::MonitorEvent;
use lightning::chain::transaction::OutPoint;
use lightning::ln::types::ChannelId;
use lightning::util::ser::Writeable;
use steward_wire::Preimage;

use crate::encoding::{Bytes, field};

/// "STEWARD1": where LDK has the short channel id of the incoming half.
const MARK: u64 = 0x5354_4557_4152_4431;
/// `HTLCSource::PreviousHopData`.
const PREVIOUS_HOP: u8 = 1;
/// `SentHTLCId::PreviousHopData`.
const SENT_PREVIOUS_HOP: u8 = 0;

/// Writes the source of the outgoing HTLC `id`. `cltv_expiry` (5) stays away: with it, the monitor
/// would fail the HTLC on its own when that height comes near.
pub(crate) fn source(id: u64, funding: &OutPoint, channel: &ChannelId) -> Vec<u8> {
    let mut bytes = Bytes::default();
    bytes.raw(&[PREVIOUS_HOP]).tlvs(&[
        (0, MARK.encode()),
        (2, funding.encode()),
        (4, id.encode()),
        (6, vec![0; 32]),
        (9, channel.encode()),
    ]);
    bytes.0
}

/// Writes the short name of the outgoing HTLC `id`, which the monitor uses for those that were
/// fulfilled.
pub(crate) fn sent_id(id: u64) -> Vec<u8> {
    let mut bytes = Bytes::default();
    bytes.raw(&[SENT_PREVIOUS_HOP]).tlvs(&[(0, MARK.encode()), (2, id.encode())]);
    bytes.0
}

/// What became of an outgoing HTLC.
pub(crate) struct Outcome {
    pub(crate) id: u64,
    pub(crate) preimage: Option<Preimage>,
}

/// Reads what an event says of an outgoing HTLC. `None` if it is of something else, or of nothing
/// that we wrote.
pub(crate) fn outcome(event: &MonitorEvent) -> Option<Outcome> {
    let MonitorEvent::HTLCEvent(update) = event else { return None };
    let bytes = update.encode();
    let (kind, source) = field(&bytes, 2)?.split_first()?;
    if *kind != PREVIOUS_HOP || number(field(source, 0)?)? != MARK {
        return None;
    }
    let preimage = match field(&bytes, 4) {
        None => None,
        Some(preimage) => Some(Preimage(preimage.try_into().ok()?)),
    };
    Some(Outcome { id: number(field(source, 4)?)?, preimage })
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}
