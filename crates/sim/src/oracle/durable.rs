//! Rules 1 and 2: what anybody can see is on the disk already, preimages first of all.

use steward_engine::row::{Row, RowKey};
use steward_engine::{Event, Reply};
use steward_hosted::{Channel, IncomingSettlement};
use steward_wire::{LastCrossSignedState, LinkId, Message, OutgoingHtlcId, PaymentHash};

use super::{Rule, Violation};
use crate::disk::Disk;

/// A message says nothing that a restart would not know.
pub(super) fn message_is_backed(
    node: usize,
    link: &LinkId,
    message: &Message,
    disk: &Disk,
) -> Result<(), Violation> {
    let broken = |text: String| Err(Violation::new(Rule::DurableBeforeVisible, node, text));
    let name = message.name();
    let needs_channel = matches!(
        message,
        Message::UpdateAddHtlc(_)
            | Message::UpdateFulfillHtlc(_)
            | Message::UpdateFailHtlc(_)
            | Message::UpdateFailMalformedHtlc(_)
            | Message::LastCrossSignedState(_)
            | Message::StateOverride(_)
            | Message::ResizeChannel(_)
    );
    let Some(channel) = disk.channel(link) else {
        // A host remembers nothing of an opening until both have signed.
        return if needs_channel {
            broken(format!("{name} without a stored channel"))
        } else {
            Ok(())
        };
    };
    let key = |id| OutgoingHtlcId { link: *link, id };
    match message {
        Message::UpdateAddHtlc(add) => {
            let stored = channel.outgoing_htlcs().find(|htlc| htlc.htlc == add);
            let has_origin = disk.row(&RowKey::Origin(key(add.id))).is_some();
            // What came of an HTLC that is paid already has been told to its origin.
            let is_backed = stored.is_some_and(|htlc| htlc.preimage.is_some() || has_origin);
            // It may even have come to its end in this batch.
            let is_over = channel.state().is_some_and(|s| u64::from(s.local_updates) >= add.id);
            if !is_backed && !is_over {
                return broken(format!("HTLC {} is offered and not stored", add.id));
            }
        }
        Message::UpdateFulfillHtlc(fulfill) => {
            if !is_preimage_stored(disk, &fulfill.preimage.hash()) {
                let text = format!("the preimage of HTLC {} is given and not stored", fulfill.id);
                return Err(Violation::new(Rule::PreimageKept, node, text));
            }
            if settlement_of(channel, fulfill.id)
                .is_some_and(|s| s != Some(IncomingSettlement::Fulfill(fulfill.preimage)))
            {
                return broken(format!("the fulfill of HTLC {} is not stored", fulfill.id));
            }
        }
        Message::UpdateFailHtlc(fail) => return fail_is_backed(node, channel, fail.id),
        Message::UpdateFailMalformedHtlc(fail) => return fail_is_backed(node, channel, fail.id),
        Message::StateUpdate(update) => {
            let (own, theirs) = channel.unsigned_updates();
            let Some(state) = channel.state() else { return Ok(()) };
            let most = (state.local_updates + own as u32, state.remote_updates + theirs as u32);
            if update.local_updates > most.0 || update.remote_updates > most.1 {
                let signed = (update.local_updates, update.remote_updates);
                return broken(format!("it signs {signed:?}, but knows only up to {most:?}"));
            }
        }
        Message::LastCrossSignedState(shown)
            if !channel.state().is_some_and(|state| is_or_follows(state, shown)) =>
        {
            return broken("it shows a state that is not stored".to_owned());
        }
        Message::StateOverride(proposal) => {
            let is_over =
                channel.state().is_some_and(|s| s.local_updates >= proposal.local_updates);
            // Another one, with higher counters, may have taken its place in this batch.
            let is_stored = channel
                .pending_override()
                .is_some_and(|p| p == proposal || p.local_updates > proposal.local_updates);
            if !is_stored && !is_over {
                return broken("it proposes an override that is not stored".to_owned());
            }
        }
        Message::ResizeChannel(resize) => {
            let capacity_msat =
                channel.state().map(|state| state.init_hosted_channel.channel_capacity_msat);
            let is_over = capacity_msat >= resize.new_capacity_msat();
            if channel.pending_resize() != Some(resize) && !is_over {
                return broken("it asks for a resize that is not stored".to_owned());
            }
        }
        _ => {}
    }
    Ok(())
}

/// True if `state` is the shown one, or one that the same batch went on to.
fn is_or_follows(state: &LastCrossSignedState, shown: &LastCrossSignedState) -> bool {
    let counters = |state: &LastCrossSignedState| (state.local_updates, state.remote_updates);
    let capacity_msat =
        |state: &LastCrossSignedState| state.init_hosted_channel.channel_capacity_msat;
    super::contents::same(state, shown)
        || counters(state) > counters(shown)
        || (counters(state) == counters(shown)
            && (capacity_msat(state), state.block_day) > (capacity_msat(shown), shown.block_day))
}

fn fail_is_backed(node: usize, channel: &Channel, id: u64) -> Result<(), Violation> {
    match settlement_of(channel, id) {
        Some(None) => {
            let text = format!("the fail of HTLC {id} is not stored");
            Err(Violation::new(Rule::DurableBeforeVisible, node, text))
        }
        _ => Ok(()),
    }
}

/// `None` if there is no such HTLC; else how it is settled, if it is.
fn settlement_of(channel: &Channel, id: u64) -> Option<Option<IncomingSettlement>> {
    channel.incoming_htlcs().find(|htlc| htlc.htlc.id == id).map(|htlc| htlc.settlement)
}

/// An answer tells nothing that a restart would not know.
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

/// An event that is told is stored.
pub(super) fn event_is_backed(node: usize, event: &Event, disk: &Disk) -> Result<(), Violation> {
    if disk.row(&RowKey::Event(event.number)).is_some() {
        return Ok(());
    }
    let text = format!("event {} is told and not stored", event.number);
    Err(Violation::new(Rule::DurableBeforeVisible, node, text))
}

/// Every preimage that a peer showed for an HTLC of ours is in its table.
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
