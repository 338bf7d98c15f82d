//! Messages that are cut short, or that from some moment on never arrive, while the connection
//! seems to live.

use steward_engine::io::Action;
use steward_engine::row::Origin;
use steward_htlc::{IncomingHtlcId, OutgoingHtlcId};
use steward_wire::{Framing, Message, framing};

use super::{Injector, Mutation, Runtime};
use crate::link::Frame;
use crate::oracle::Oracles;
use crate::topology::Topology;

/// The defect of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// They are cut short by their sender.
    Garbage,
    /// Signatures have one bit turned, but for the first of a channel.
    BadSignatures,
    /// The first channel's host is never heard.
    HostNeverHeard,
    /// The messages of a forwarder that owes a fulfill no longer arrive.
    ForwarderFallsSilent,
    /// The messages of a payee no longer arrive once it has claimed.
    PayeeFallsSilent,
    /// In the end no add arrives any more.
    AddsUnheardInTheEnd,
}

impl Wire {
    pub(super) fn corrupt_actions(self, actions: &mut [Action]) {
        let sent = actions.iter_mut().filter_map(|action| match action {
            Action::Send { frames, .. } => Some(frames),
            _ => None,
        });
        for frame in sent.flatten() {
            match self {
                Self::Garbage => frame.1.truncate(frame.1.len() / 2),
                Self::BadSignatures => {
                    if let Some(Message::StateUpdate(update)) = message_in(frame)
                        && update.local_updates + update.remote_updates > 0
                        && let Some(last) = frame.1.last_mut()
                    {
                        *last ^= 1;
                    }
                }
                _ => {}
            }
        }
    }
}

impl Injector {
    /// True if this message is to be lost.
    pub(crate) fn swallows(
        &mut self,
        node: usize,
        edge: usize,
        frames: &[Frame],
        oracles: &Oracles,
        topology: &Topology,
    ) -> bool {
        let plan = &topology.edges[edge];
        let silences = |message: &Message| match (self.mutation, message) {
            (Mutation::Wire(Wire::HostNeverHeard), _) => plan.host == node && edge == 0,
            (Mutation::Wire(Wire::AddsUnheardInTheEnd), Message::UpdateAddHtlc(_)) => self.is_over,
            (mutation, Message::UpdateFulfillHtlc(fulfill)) => {
                let (link, id) = (plan.link, fulfill.id);
                let key = IncomingHtlcId { link, id };
                let is_forward = oracles.books[node].offered.contains_key(&key);
                let far = OutgoingHtlcId { link, id };
                let origin = oracles.books[plan.other(node)].origins.get(&far);
                match mutation {
                    Mutation::Wire(Wire::ForwarderFallsSilent) => is_forward,
                    Mutation::Wire(Wire::PayeeFallsSilent) => !is_forward,
                    Mutation::Runtime(Runtime::FindsNothing) => {
                        matches!(origin, Some(Origin::Forward(_)))
                    }
                    _ => false,
                }
            }
            _ => false,
        };
        if frames.iter().filter_map(message_in).any(|message| silences(&message)) {
            self.silenced.insert((edge, node));
        }
        self.silenced.contains(&(edge, node))
    }
}

fn message_in((message_type, payload): &Frame) -> Option<Message> {
    [Framing::Legacy, Framing::Modern]
        .into_iter()
        .find_map(|framing| framing::decode(&mut Some(framing), *message_type, payload).ok()?)
}
