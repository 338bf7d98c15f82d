//! A funder that signs what no honest node signs; and damaged records.

use steward_funded::{Channel, CloseReason, Input, Output, Phase, RefuseReason};
use steward_htlc::{LinkEvent, LinkInput};
use steward_testkit::funded::{Funded, terms};
use steward_wire::{ChannelMessage, ClosingSigned, Shutdown, Signature};

fn sent(outputs: &[Output]) -> Vec<&'static str> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Send(message) => Some(message.name()),
            _ => None,
        })
        .collect()
}

#[test]
fn an_empty_commitment_is_taken_once() {
    let mut funded = Funded::open();
    assert_eq!(funded.channel.phase(), Phase::Active);
    let message = funded.commitment_signed(&funded.contents());
    assert_eq!(sent(&funded.tell(message)), ["RevokeAndAck"]);
    let message = funded.commitment_signed(&funded.contents());
    assert_eq!(sent(&funded.tell(message)), ["Warning"]);
    // One with a change in between is another matter.
    let mut funded = Funded::open();
    for id in 0..3 {
        let message = funded.commitment_signed(&funded.contents());
        assert_eq!(sent(&funded.tell(message)), ["RevokeAndAck"]);
        add(&mut funded, id, 1_000_000);
    }
}

/// The peer offers an HTLC and both commit to it.
fn add(funded: &mut Funded, id: u64, amount_msat: u64) -> Vec<Output> {
    let add = funded.add(id, amount_msat, 500);
    let next = Funded::with_adds(&funded.contents(), std::slice::from_ref(&add));
    assert!(sent(&funded.tell(ChannelMessage::UpdateAddHtlc(add))).is_empty());
    let signed = funded.commitment_signed(&next);
    assert_eq!(sent(&funded.tell(signed)), ["RevokeAndAck", "CommitmentSigned"]);
    let revocation = funded.revoke_and_ack();
    funded.tell(revocation)
}

#[test]
fn an_htlc_is_reported_when_it_is_irrevocable_and_not_before() {
    let mut funded = Funded::open();
    let outputs = add(&mut funded, 0, 1_000_000);
    let is_incoming =
        |output: &Output| matches!(output, Output::Link(LinkEvent::HtlcIncoming { .. }));
    assert_eq!(outputs.iter().filter(|output| is_incoming(output)).count(), 1);
}

#[test]
fn dust_of_the_peers_is_refused_beyond_its_limit() {
    let mut funded = Funded::open();
    for id in 0..141 {
        let outputs = add(&mut funded, id, 353_999);
        let is_refused = outputs.iter().any(|output| {
            matches!(output, Output::Refuse { reason: RefuseReason::DustExposure, .. })
        });
        // 141 × 353.999 sat are just below 50 000 sat.
        assert!(!is_refused, "{id}");
    }
    let outputs = add(&mut funded, 141, 353_999);
    assert!(outputs.iter().any(|output| matches!(output, Output::Refuse { .. })));
    assert_eq!(funded.channel.refusal_of(140), None);
    let stored = funded.stored().unwrap();
    assert_eq!(stored.refusal_of(141), Some(RefuseReason::DustExposure), "after a restart");
    let outputs = add(&mut funded, 142, 10_000_000);
    assert!(!outputs.iter().any(|output| matches!(output, Output::Refuse { .. })), "it is no dust");
}

#[test]
fn as_many_htlcs_as_the_protocol_allows_fit_a_record_and_come_back() {
    let mut funded = Funded::open();
    let adds: Vec<_> = (0..483).map(|id| funded.add(id, 400_000, 500)).collect();
    for add in &adds {
        funded.tell(ChannelMessage::UpdateAddHtlc(add.clone()));
    }
    let next = Funded::with_adds(&funded.contents(), &adds);
    let signed = funded.commitment_signed(&next);
    assert_eq!(sent(&funded.tell(signed)), ["RevokeAndAck", "CommitmentSigned"]);
    let revocation = funded.revoke_and_ack();
    funded.tell(revocation);
    assert_eq!(funded.rows.len(), 483);
    let record = funded.record.clone().unwrap();
    assert!(record.len() < 50_000, "{}", record.len());
    assert_eq!(funded.stored().unwrap().record(), Some(record));
    let one_more = funded.add(483, 400_000, 500);
    assert_eq!(sent(&funded.tell(ChannelMessage::UpdateAddHtlc(one_more))), ["Warning"]);
}

#[test]
fn an_add_after_shutdown_and_a_bad_script_are_answered_with_a_warning() {
    let shutdown = |funded: &Funded, script: Vec<u8>| {
        let channel_id = funded.channel.channel_id();
        ChannelMessage::Shutdown(Shutdown { channel_id, scriptpubkey: script, tlvs: Vec::new() })
    };
    let good = [vec![0, 20], vec![6; 20]].concat();
    let mut funded = Funded::open();
    let message = shutdown(&funded, good.clone());
    assert_eq!(sent(&funded.tell(message)), ["Shutdown"]);
    let add = funded.add(0, 1_000_000, 500);
    assert_eq!(sent(&funded.tell(ChannelMessage::UpdateAddHtlc(add))), ["Warning"]);
    let bad = [
        vec![],
        vec![0x6a, 1, 1],
        vec![0, 19],
        [vec![0x76, 0xa9, 20], vec![1; 20], vec![0x88, 0xac]].concat(),
        [vec![0, 21], vec![1; 21]].concat(),
    ];
    for script in bad {
        let mut funded = Funded::open();
        let message = shutdown(&funded, script);
        assert_eq!(sent(&funded.tell(message)), ["Warning"]);
    }
    // A close with a fee that is nonsense, or a signature that is.
    for (fee_sat, answer) in
        [(1, "Warning"), (600_001, "Warning"), (u64::MAX, "Warning"), (500, "Error")]
    {
        let mut funded = Funded::open();
        let message = shutdown(&funded, good.clone());
        funded.tell(message);
        let close = ClosingSigned {
            channel_id: funded.channel.channel_id(),
            fee_sat,
            signature: Signature::ZERO,
            tlvs: Vec::new(),
        };
        assert_eq!(sent(&funded.tell(ChannelMessage::ClosingSigned(close))), [answer], "{fee_sat}");
    }
    let mut funded = Funded::open();
    let early = ClosingSigned {
        channel_id: funded.channel.channel_id(),
        fee_sat: 500,
        signature: Signature::ZERO,
        tlvs: Vec::new(),
    };
    assert_eq!(sent(&funded.tell(ChannelMessage::ClosingSigned(early))), ["Warning"]);
    assert_eq!(terms().shutdown_script.len(), 22);
}

#[test]
fn a_second_channel_ready_with_another_point_ends_the_channel() {
    let mut funded = Funded::open();
    let ready = |point| {
        ChannelMessage::ChannelReady(steward_wire::ChannelReady {
            channel_id: funded.channel.channel_id(),
            second_per_commitment_point: point,
            tlvs: Vec::new(),
        })
    };
    let other = funded.channel.defence().unwrap().remote[0].point;
    let same = funded.channel.defence().unwrap().remote_next_point.unwrap();
    let (same, other) = (ready(same.into()), ready(other.into()));
    assert!(sent(&funded.tell(same)).is_empty());
    assert_eq!(sent(&funded.tell(other)), ["Error"]);
    assert!(matches!(funded.channel.ending().unwrap().reason, CloseReason::PeerFault(_)));
}

/// A channel in the middle of everything.
fn busy() -> Funded {
    let mut funded = Funded::open();
    for id in 0..3 {
        add(&mut funded, id, 20_000_000 + id);
    }
    let preimage = steward_wire::Preimage([7; 32]);
    funded.input(Input::Link(LinkInput::Fulfill { id: 0, preimage, tlvs: vec![1, 1, 1] }));
    funded.input(Input::Link(LinkInput::Flush));
    funded.input(Input::Link(LinkInput::Fail {
        id: 1,
        failure: steward_htlc::Failure::Reason { reason: vec![1; 30], tlvs: Vec::new() },
    }));
    let next = funded.add(3, 5_000_000, 600);
    funded.tell(ChannelMessage::UpdateAddHtlc(next));
    funded
}

#[test]
fn a_damaged_record_is_refused_or_says_the_same() {
    let funded = busy();
    let record = funded.record.clone().unwrap();
    let rows = || funded.rows.iter().map(|(key, row)| (*key, row.as_slice()));
    assert_eq!(funded.stored().unwrap().record(), Some(record.clone()));
    for end in 0..record.len() {
        assert!(Channel::from_record(&record[..end], rows()).is_err(), "{end}");
    }
    let longer = [record.clone(), vec![0]].concat();
    assert!(Channel::from_record(&longer, rows()).is_err());
    let mut accepted = 0;
    for at in 0..record.len() {
        for bit in [1, 0x10, 0x80] {
            let mut damaged = record.clone();
            damaged[at] ^= bit;
            if let Ok(channel) = Channel::from_record(&damaged, rows()) {
                accepted += 1;
                assert_eq!(channel.record(), Some(damaged), "{at}");
                channel.summary().unwrap();
                channel.defence().unwrap();
            }
        }
    }
    // Keys, terms and signatures are bytes of their own: another one is another record.
    assert!(accepted > 0);
}

#[test]
fn rows_that_do_not_go_with_the_record_are_refused() {
    let funded = busy();
    let record = funded.record.clone().unwrap();
    let with = |rows: &std::collections::BTreeMap<_, Vec<u8>>| {
        Channel::from_record(&record, rows.iter().map(|(key, row)| (*key, row.as_slice())))
    };
    assert!(with(&funded.rows).is_ok());
    for key in funded.rows.keys() {
        let mut fewer = funded.rows.clone();
        fewer.remove(key);
        assert!(with(&fewer).is_err(), "{key:?}");
        let mut more = funded.rows.clone();
        let row = more[key].clone();
        more.insert(steward_funded::bolt3::HtlcKey { id: key.id + 90, ..*key }, row);
        assert!(with(&more).is_err(), "{key:?}");
        for at in 0..funded.rows[key].len() {
            let mut damaged = funded.rows.clone();
            damaged.get_mut(key).unwrap()[at] ^= 1;
            let _ = with(&damaged); // It may be an onion's byte; it must not panic.
        }
    }
}
