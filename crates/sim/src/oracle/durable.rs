//! Rules 1 and 2: what leaves a node is on its disk already, preimages first of all.

use steward_engine::row::{Row, RowKey};
use steward_engine::{Event, Reply};
use steward_hosted::Channel;
use steward_htlc::{IncomingSettlement, OutgoingHtlcId};
use steward_wire::{
    LastCrossSignedState, LinkId, Message, PaymentHash, ResizeChannel, StateOverride, StateUpdate,
    UpdateAddHtlc, UpdateFulfillHtlc,
};

use super::{Rule, Violation};
use crate::disk::Disk;

/// Checks that a message says nothing that a restart would not know.
pub(super) fn message_is_backed(
    node: usize,
    link: &LinkId,
    message: &Message,
    disk: &Disk,
) -> Result<(), Violation> {
    let Some(channel) = disk.channel(link) else {
        // A host remembers nothing of an opening until both have signed.
        let text = || format!("{} without a stored channel", message.name());
        return holds(!needs_channel(message), node, text);
    };
    match message {
        Message::UpdateAddHtlc(add) => {
            let text = || format!("HTLC {} is offered and not stored", add.id);
            holds(add_is_stored(link, channel, add, disk), node, text)
        }
        Message::UpdateFulfillHtlc(fulfill) => fulfill_is_backed(node, channel, fulfill, disk),
        Message::UpdateFailHtlc(fail) => fail_is_backed(node, channel, fail.id),
        Message::UpdateFailMalformedHtlc(fail) => fail_is_backed(node, channel, fail.id),
        Message::StateUpdate(update) => signature_is_backed(node, channel, update),
        Message::LastCrossSignedState(shown) => {
            let is_stored = channel.state().is_some_and(|state| is_or_follows(state, shown));
            holds(is_stored, node, || "it shows a state that is not stored".to_owned())
        }
        Message::StateOverride(proposal) => {
            let text = || "it proposes an override that is not stored".to_owned();
            holds(override_is_stored(channel, proposal), node, text)
        }
        Message::ResizeChannel(resize) => {
            let text = || "it asks for a resize that is not stored".to_owned();
            holds(resize_is_stored(channel, resize), node, text)
        }
        _ => Ok(()),
    }
}

/// Returns a violation of rule 1 if the condition does not hold.
fn holds(condition: bool, node: usize, text: impl FnOnce() -> String) -> Result<(), Violation> {
    if condition {
        return Ok(());
    }
    Err(Violation::new(Rule::DurableBeforeVisible, node, text()))
}

/// Returns true for messages that only a stored channel can send.
fn needs_channel(message: &Message) -> bool {
    matches!(
        message,
        Message::UpdateAddHtlc(_)
            | Message::UpdateFulfillHtlc(_)
            | Message::UpdateFailHtlc(_)
            | Message::UpdateFailMalformedHtlc(_)
            | Message::LastCrossSignedState(_)
            | Message::StateOverride(_)
            | Message::ResizeChannel(_)
    )
}

/// Returns true if an offered HTLC is stored with its origin.
fn add_is_stored(link: &LinkId, channel: &Channel, add: &UpdateAddHtlc, disk: &Disk) -> bool {
    let stored = channel.outgoing_htlcs().find(|htlc| htlc.htlc == add);
    let key = OutgoingHtlcId { link: *link, id: add.id };
    let has_origin = disk.row(&RowKey::Origin(key)).is_some();
    // The origin of an HTLC that is paid already has been told so, and is gone.
    let is_backed = stored.is_some_and(|htlc| htlc.preimage.is_some() || has_origin);
    // It may even have ended in this batch.
    is_backed || channel.state().is_some_and(|s| u64::from(s.local_updates) >= add.id)
}

fn fulfill_is_backed(
    node: usize,
    channel: &Channel,
    fulfill: &UpdateFulfillHtlc,
    disk: &Disk,
) -> Result<(), Violation> {
    if !is_preimage_stored(disk, &fulfill.preimage.hash()) {
        let text = format!("the preimage of HTLC {} is given and not stored", fulfill.id);
        return Err(Violation::new(Rule::PreimageKept, node, text));
    }
    let settlement = settlement_of(channel, fulfill.id);
    let is_stored =
        settlement.is_none_or(|s| s == Some(IncomingSettlement::Fulfill(fulfill.preimage)));
    holds(is_stored, node, || format!("the fulfill of HTLC {} is not stored", fulfill.id))
}

fn fail_is_backed(node: usize, channel: &Channel, id: u64) -> Result<(), Violation> {
    let is_stored = settlement_of(channel, id) != Some(None);
    holds(is_stored, node, || format!("the fail of HTLC {id} is not stored"))
}

/// Checks that a signature covers no update that the disk does not know.
fn signature_is_backed(
    node: usize,
    channel: &Channel,
    update: &StateUpdate,
) -> Result<(), Violation> {
    let (local, remote) = channel.unsigned_updates();
    let Some(state) = channel.state() else { return Ok(()) };
    let most = (state.local_updates + local as u32, state.remote_updates + remote as u32);
    let signed = (update.local_updates, update.remote_updates);
    holds(signed.0 <= most.0 && signed.1 <= most.1, node, || {
        format!("it signs {signed:?}, but knows only up to {most:?}")
    })
}

fn override_is_stored(channel: &Channel, proposal: &StateOverride) -> bool {
    let is_over = channel.state().is_some_and(|s| s.local_updates >= proposal.local_updates);
    // Another one, with higher counters, may have taken its place in this batch.
    let is_stored = channel
        .pending_override()
        .is_some_and(|p| p == proposal || p.local_updates > proposal.local_updates);
    is_stored || is_over
}

fn resize_is_stored(channel: &Channel, resize: &ResizeChannel) -> bool {
    let capacity_msat =
        channel.state().map(|state| state.init_hosted_channel.channel_capacity_msat);
    channel.pending_resize() == Some(resize) || capacity_msat >= resize.new_capacity_msat()
}

/// Returns true if `state` is the shown one, or one that follows it within the same batch.
fn is_or_follows(state: &LastCrossSignedState, shown: &LastCrossSignedState) -> bool {
    let counters = |state: &LastCrossSignedState| (state.local_updates, state.remote_updates);
    let capacity_msat =
        |state: &LastCrossSignedState| state.init_hosted_channel.channel_capacity_msat;
    super::contents::same(state, shown)
        || counters(state) > counters(shown)
        || (counters(state) == counters(shown)
            && (capacity_msat(state), state.block_day) > (capacity_msat(shown), shown.block_day))
}

/// Returns how an incoming HTLC is settled, if it is; `None` if there is no such HTLC.
fn settlement_of(channel: &Channel, id: u64) -> Option<Option<IncomingSettlement>> {
    channel.incoming_htlcs().find(|htlc| htlc.htlc.id == id).map(|htlc| htlc.settlement)
}

/// Checks that an answer tells nothing that a restart would not know.
pub(super) fn reply_is_backed(node: usize, reply: &Reply, disk: &Disk) -> Result<(), Violation> {
    let broken = |text: &str| Err(Violation::new(Rule::DurableBeforeVisible, node, text));
    match reply {
        Reply::Payment(row) | Reply::EarlierPayment(row) => {
            match disk.row(&RowKey::Payment(row.id())) {
                Some(Row::Payment(_)) => Ok(()),
                _ => broken("a payment is confirmed and not stored"),
            }
        }
        Reply::Invoice(row) => match disk.row(&RowKey::Invoice(row.payment_hash)) {
            Some(Row::Invoice(_)) => Ok(()),
            _ => broken("an invoice is handed out and not stored"),
        },
        _ => Ok(()),
    }
}

/// Checks that an event that is told is stored.
pub(super) fn event_is_backed(node: usize, event: &Event, disk: &Disk) -> Result<(), Violation> {
    if disk.row(&RowKey::Event(event.number)).is_some() {
        return Ok(());
    }
    let text = format!("event {} is told and not stored", event.number);
    Err(Violation::new(Rule::DurableBeforeVisible, node, text))
}

/// Checks that every preimage that a peer showed for an HTLC of ours is in its table.
pub(super) fn preimages_kept(node: usize, channel: &Channel, disk: &Disk) -> Result<(), Violation> {
    for htlc in channel.outgoing_htlcs() {
        let Some(preimage) = htlc.preimage else { continue };
        if !is_preimage_stored(disk, &preimage.hash()) {
            let text =
                format!("the preimage of its HTLC {} was learned and not stored", htlc.htlc.id);
            return Err(Violation::new(Rule::PreimageKept, node, text));
        }
    }
    Ok(())
}

pub(super) fn is_preimage_stored(disk: &Disk, hash: &PaymentHash) -> bool {
    disk.row(&RowKey::Preimage(*hash)).is_some()
}
