//! The properties that must hold of a channel after every step, whatever its peer does.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::secp256k1::SecretKey;
use steward_hosted::limits::{MAX_EVIDENCE_PER_CONNECTION, MAX_STATE_BYTES};
use steward_hosted::{Channel, Output, Phase};
use steward_htlc::LinkEvent;
use steward_wire::{Framing, LastCrossSignedState, Message, PaymentHash, framing};

/// The largest record of a channel, in bytes: two full directions with failures of full length.
const MAX_RECORD_BYTES: usize = 1_000_000;
/// The most outputs that one input may cause.
const MAX_OUTPUTS: usize = 5_000;

/// The data that an engine would remember of a channel, to compare later outputs with them.
#[derive(Default)]
pub(crate) struct Watch {
    /// Our balance and what we have in flight, in the first state or the last override, in
    /// millisatoshi.
    least_msat: Option<u64>,
    /// The sum of own HTLCs that were paid since then, in millisatoshi.
    paid_msat: u64,
    /// The payment hash and amount of own HTLCs.
    own: BTreeMap<u64, (PaymentHash, u64)>,
    ended: BTreeSet<u64>,
    incoming: BTreeSet<u64>,
    counters: (u32, u32),
    evidence: u8,
}

impl Watch {
    /// Checks the outputs of an input or of a command.
    pub(crate) fn after(
        &mut self,
        is_other_connection: bool,
        outputs: &[Output],
        channel: &Channel,
        key: &SecretKey,
    ) {
        if is_other_connection {
            self.evidence = 0;
        }
        assert!(outputs.len() <= MAX_OUTPUTS, "{} outputs", outputs.len());
        self.note_own(channel);
        for output in outputs {
            self.note(output, channel);
        }
        self.check_record(channel);
        if let Some(state) = channel.state() {
            self.check_state(state, channel, key);
        }
        let summary = channel.summary();
        assert!(summary.spendable_msat <= summary.capacity_msat);
        assert!(summary.receivable_msat <= summary.capacity_msat);
        assert_eq!(summary.phase, channel.phase());
    }

    fn note_own(&mut self, channel: &Channel) {
        for own in channel.outgoing_htlcs() {
            self.own.insert(own.htlc.id, (own.htlc.payment_hash, own.htlc.amount_msat));
        }
    }

    fn note(&mut self, output: &Output, channel: &Channel) {
        match output {
            Output::Link(LinkEvent::Send(message)) => {
                framing::encode(Framing::Legacy, message).expect("every message fits a frame");
                let (message_type, body) = message.encode();
                assert_eq!(Message::decode(message_type, &body).as_ref(), Ok(message));
            }
            Output::Link(LinkEvent::HtlcIncoming { add: htlc, .. }) => {
                assert!(self.incoming.insert(htlc.id), "HTLC {} came twice", htlc.id);
                let state = channel.state().expect("an HTLC needs a state");
                assert!(state.incoming_htlcs.contains(htlc), "it is not signed");
            }
            // The id of an HTLC that was dropped may come again.
            Output::Link(LinkEvent::HtlcAdded { id, .. }) => drop(self.ended.remove(id)),
            Output::Link(LinkEvent::HtlcFulfilled { id, preimage, .. }) => {
                let (hash, amount_msat) = self.own[id];
                assert_eq!(preimage.hash(), hash, "not the preimage of HTLC {id}");
                self.paid_msat += amount_msat;
                self.end(*id);
            }
            Output::Link(LinkEvent::HtlcFailed { id, .. }) => {
                self.end(*id);
                let state = channel.state().expect("an HTLC needs a state");
                let is_signed = state.outgoing_htlcs.iter().any(|htlc| htlc.id == *id);
                assert!(!is_signed, "HTLC {id} failed before its removal was signed");
            }
            Output::Link(LinkEvent::HtlcDropped { id, .. }) => self.end(*id),
            Output::Overridden => {
                self.least_msat = None;
                self.paid_msat = 0;
            }
            Output::Evidence(_) => {
                self.evidence += 1;
                assert!(self.evidence <= MAX_EVIDENCE_PER_CONNECTION);
            }
            Output::Link(LinkEvent::Active) => assert_eq!(channel.state().map(|_| ()), Some(())),
            _ => {}
        }
    }

    fn end(&mut self, id: u64) {
        assert!(self.own.contains_key(&id), "HTLC {id} was never ours");
        assert!(self.ended.insert(id), "HTLC {id} ended twice");
    }

    fn check_record(&self, channel: &Channel) {
        let record = channel.record();
        assert!(record.len() < MAX_RECORD_BYTES, "the record grows without bound");
        let again = Channel::from_record(&record).expect("a record can be read");
        assert_eq!(again.record(), record, "a record must survive a restart unchanged");
        assert_eq!(again.state(), channel.state());
        assert_eq!(again.suspension(), channel.suspension());
        if let Some(suspension) = channel.suspension() {
            assert!(!suspension.text.contains(char::is_control), "a peer's words, shown to people");
        }
        assert!(again.outgoing_htlcs().eq(channel.outgoing_htlcs()));
        if channel.phase() == Phase::Suspended || channel.phase() == Phase::Opening {
            assert_eq!(again.phase(), channel.phase());
        } else {
            assert_eq!(again.phase(), Phase::Offline);
        }
    }

    fn check_state(&mut self, state: &LastCrossSignedState, channel: &Channel, key: &SecretKey) {
        assert!(state.is_balanced());
        assert!(state.encoded_len() <= MAX_STATE_BYTES);
        for htlcs in [&state.incoming_htlcs, &state.outgoing_htlcs] {
            assert!(htlcs.is_sorted_by(|a, b| a.id < b.id));
        }
        let counters = (state.local_updates, state.remote_updates);
        assert!(counters.0 >= self.counters.0 && counters.1 >= self.counters.1);
        if counters != self.counters || self.least_msat.is_none() {
            let export = channel.export(key).expect("there is a state");
            assert!(export.verify_remote_sig(&channel.remote().public_key().unwrap()));
            assert!(export.verify_local_sig(&channel.local().public_key().unwrap()));
        }
        self.counters = counters;
        let in_flight_msat: u64 = state.outgoing_htlcs.iter().map(|htlc| htlc.amount_msat).sum();
        let ours_msat = state.local_balance_msat + in_flight_msat;
        let least_msat = *self.least_msat.get_or_insert(ours_msat);
        assert!(ours_msat + self.paid_msat >= least_msat, "money was given away");
    }
}
