//! One funded channel: its record, and a peer with its key and no scruples.

use std::collections::BTreeSet;

use steward_funded::bolt3::{HtlcKey, Side};
use steward_funded::{Channel, Input, Output};
use steward_htlc::{AddToken, Failure, LinkEvent, LinkInput, NewHtlc};
use steward_testkit::funded::{FUNDING_SAT, Funded};
use steward_wire::{
    ChannelMessage, Preimage, UpdateAddHtlc, UpdateFailHtlc, UpdateFee, UpdateFulfillHtlc,
};

use crate::bytes::Bytes;

const PREIMAGE: Preimage = Preimage([7; 32]);

/// Reads bytes as a record with its rows: refused, or restored and stored the same.
pub(crate) fn record(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let rows: Vec<(HtlcKey, Vec<u8>)> = (0..bytes.below(8))
        .map(|_| {
            let offered_by = if bytes.flag() { Side::Remote } else { Side::Local };
            let key = HtlcKey { offered_by, id: bytes.u64() };
            let len = usize::from(bytes.u16());
            (key, bytes.take(len).to_vec())
        })
        .collect();
    let record = bytes.take(usize::MAX);
    let read = |record: &[u8]| {
        Channel::from_record(record, rows.iter().map(|(key, row)| (*key, row.as_slice())))
    };
    let Ok(channel) = read(record) else { return };
    assert_eq!(channel.record().as_deref(), Some(record));
    channel.summary().expect("a stored channel has balances");
    let defence = channel.defence().expect("a stored channel can be defended");
    for remote in &defence.remote {
        defence.build_remote(remote);
    }
}

/// What a channel has told, and what must not happen after.
#[derive(Default)]
struct Watch {
    incoming: BTreeSet<u64>,
    added: BTreeSet<u64>,
    ended: BTreeSet<u64>,
    has_ended: bool,
}

impl Watch {
    fn look(&mut self, funded: &Funded, outputs: &[Output]) {
        for output in outputs {
            match output {
                Output::Link(LinkEvent::HtlcIncoming { add, .. }) | Output::Refuse { add, .. } => {
                    assert!(self.incoming.insert(add.id), "{} was reported twice", add.id);
                }
                Output::Link(LinkEvent::HtlcAdded { id, .. }) => {
                    assert!(self.added.insert(*id), "{id} was added twice");
                }
                Output::Link(
                    LinkEvent::HtlcFulfilled { id, .. } | LinkEvent::HtlcFailed { id, .. },
                ) => {
                    assert!(self.added.contains(id) && self.ended.insert(*id), "{id} ends twice");
                }
                Output::Send(message) if self.has_ended => {
                    let is_harmless = matches!(
                        message,
                        ChannelMessage::Error(_) | ChannelMessage::ChannelReestablish(_)
                    );
                    assert!(is_harmless, "{message:?} after the decision");
                }
                Output::Closing(_) => self.has_ended = true,
                _ => {}
            }
        }
        let stored = funded.stored().expect("what is stored can be read");
        assert_eq!(stored.record(), funded.record, "the record is what was stored");
        assert_eq!(funded.channel.record(), funded.record, "every change was reported");
        let defence = funded.channel.defence().expect("the channel is open");
        assert_eq!(defence.local.contents.total_msat(), Some(FUNDING_SAT * 1_000));
    }
}

/// A channel against a peer that has its key and no scruples.
pub(crate) fn messages(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let mut funded = Funded::open();
    let mut watch = Watch::default();
    // HTLCs of the peer's that it has sent and not signed.
    let mut unsigned: Vec<UpdateAddHtlc> = Vec::new();
    let mut next_id = 0;
    let mut token = 0;
    while !bytes.is_empty() {
        let outputs = match bytes.below(12) {
            0 => {
                let add = funded.add(next_id, u64::from(bytes.u32()), 100 + u32::from(bytes.u8()));
                next_id += 1;
                unsigned.push(add.clone());
                funded.tell(ChannelMessage::UpdateAddHtlc(add))
            }
            1 => {
                let next = Funded::with_adds(&funded.contents(), &unsigned);
                unsigned.clear();
                let message = funded.commitment_signed(&next);
                funded.tell(message)
            }
            2 => {
                let message = funded.revoke_and_ack();
                funded.tell(message)
            }
            3 => {
                token += 1;
                let add = new_htlc(token, u64::from(bytes.u32()), &bytes.u8());
                funded.input(Input::Link(LinkInput::Add(add)))
            }
            4 => {
                let message = removal(&funded, bytes.u8());
                funded.tell(message)
            }
            5 => funded.input(Input::Link(answer(bytes.u8()))),
            6 => reconnect(&mut funded, bytes.u8(), &mut watch, &mut unsigned, &mut next_id),
            7 => {
                funded.height += u32::from(bytes.u8());
                funded.input(Input::Link(LinkInput::Block))
            }
            8 => raw(&mut funded, &mut bytes),
            9 => funded.input(Input::Link(LinkInput::Flush)),
            10 => {
                let feerate_per_kw = bytes.u32();
                let channel_id = funded.channel.channel_id();
                let fee = UpdateFee { channel_id, feerate_per_kw, tlvs: Vec::new() };
                funded.tell(ChannelMessage::UpdateFee(fee))
            }
            _ => match bytes.u8() {
                0 => funded.input(Input::Shutdown),
                1 => funded.input(Input::ForceClose { is_current: false }),
                2 => funded.input(Input::Restored),
                3 => funded.input(Input::FundingReorged),
                id => funded.input(Input::Resolved { id: u64::from(id), preimage: None }),
            },
        };
        watch.look(&funded, &outputs);
    }
}

fn new_htlc(token: u64, amount_msat: u64, expiry: &u8) -> NewHtlc {
    NewHtlc {
        token: AddToken(token),
        amount_msat,
        payment_hash: PREIMAGE.hash(),
        cltv_expiry: 100 + u32::from(*expiry),
        onion: steward_wire::Onion(std::sync::Arc::new([0; steward_wire::limits::ONION_BYTES])),
        tlvs: Vec::new(),
        give_up_ms: 1,
    }
}

fn removal(funded: &Funded, choice: u8) -> ChannelMessage {
    let (channel_id, id) = (funded.channel.channel_id(), u64::from(choice / 2));
    let tlvs = Vec::new();
    if choice.is_multiple_of(2) {
        let preimage = PREIMAGE;
        ChannelMessage::UpdateFulfillHtlc(UpdateFulfillHtlc { channel_id, id, preimage, tlvs })
    } else {
        let reason = vec![1; 10];
        ChannelMessage::UpdateFailHtlc(UpdateFailHtlc { channel_id, id, reason, tlvs })
    }
}

fn answer(choice: u8) -> LinkInput {
    let id = u64::from(choice / 2);
    if choice.is_multiple_of(2) {
        LinkInput::Fulfill { id, preimage: PREIMAGE, tlvs: Vec::new() }
    } else {
        LinkInput::Fail { id, failure: Failure::Reason { reason: vec![2; 10], tlvs: Vec::new() } }
    }
}

/// A new connection, maybe after a kill; what the peer says it has is true, or it lost something.
fn reconnect(
    funded: &mut Funded,
    choice: u8,
    watch: &mut Watch,
    unsigned: &mut Vec<UpdateAddHtlc>,
    next_id: &mut u64,
) -> Vec<Output> {
    let mut outputs = funded.input(Input::Link(LinkInput::Disconnected));
    *next_id -= u64::try_from(unsigned.len()).expect("a few");
    unsigned.clear();
    if choice & 1 == 1 {
        watch.look(funded, &outputs);
        funded.channel = funded.stored().expect("what is stored can be read");
        outputs.clear();
    }
    outputs.extend(funded.input(Input::Link(LinkInput::Connected)));
    let message = funded.reestablish(choice & 2 == 2, choice & 4 == 4);
    outputs.extend(funded.tell(message));
    outputs
}

/// Any bytes as a message of this channel.
fn raw(funded: &mut Funded, bytes: &mut Bytes<'_>) -> Vec<Output> {
    let message_type = u16::from(bytes.u8());
    let len = usize::from(bytes.u16());
    let payload = bytes.take(len);
    match ChannelMessage::decode(message_type, payload) {
        Ok(Some(message)) => funded.tell(message),
        _ => Vec::new(), // The connection above it answers what cannot be read.
    }
}
