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

/// Both sides at the edge of what the funder may spend: each amount passes, and one millisatoshi more
/// does not.
#[test]
fn the_funder_keeps_its_reserve_and_the_fee_to_the_last_millisatoshi_also_beside_dust() {
    // 600 000 sat less the reserve, both anchors, and the fee of a commitment with that many outputs.
    let most = |outputs: u64| 600_000_000 - 10_000_000 - 660_000 - (1_124 + 172 * outputs) * 1_000;
    let cases: [(&[u64], u64); 4] = [
        (&[], most(1)),
        (&[353_999], most(1) - 353_999),
        (&[354_000], most(2) - 354_000),
        (&[353_999, 354_000, 354_001], most(3) - 353_999 - 354_000 - 354_001),
    ];
    for (before, last) in cases {
        for (more, expected) in [(0, "RevokeAndAck"), (1, "Warning")] {
            let mut funded = Funded::open();
            let amounts = before.iter().copied().chain([last + more]);
            let adds: Vec<_> =
                (0..).zip(amounts).map(|(id, amount)| funded.add(id, amount, 500)).collect();
            for add in &adds {
                funded.tell(ChannelMessage::UpdateAddHtlc(add.clone()));
            }
            let signed = funded.commitment_signed(&Funded::with_adds(&funded.contents(), &adds));
            assert_eq!(sent(&funded.tell(signed))[0], expected, "{before:?} {more}");
        }
    }
}

#[test]
fn a_fee_rate_above_what_the_funder_has_is_refused_when_it_is_signed() {
    let mut funded = Funded::open();
    let adds: Vec<_> = (0..400).map(|id| funded.add(id, 354_000, 500)).collect();
    for add in &adds {
        funded.tell(ChannelMessage::UpdateAddHtlc(add.clone()));
    }
    let next = Funded::with_adds(&funded.contents(), &adds);
    let fee = steward_wire::UpdateFee {
        channel_id: funded.channel.channel_id(),
        feerate_per_kw: 50_000,
        tlvs: Vec::new(),
    };
    funded.tell(ChannelMessage::UpdateFee(fee));
    let next = steward_funded::bolt3::Contents { feerate_per_kw: 50_000, ..next };
    let signed = funded.commitment_signed(&next);
    assert_eq!(sent(&funded.tell(signed)), ["Warning"]);
}

#[test]
fn a_funding_id_of_zeros_is_an_opening_like_any_other_that_never_confirms() {
    use bitcoin::hashes::Hash;
    let mut funded = Funded::open_on(bitcoin::Txid::from_byte_array([0; 32]));
    assert_eq!(funded.channel.phase(), Phase::Funding);
    assert_eq!(funded.stored().unwrap().record(), funded.record);
    funded.height += 2_017;
    let outputs = funded.input(Input::Link(LinkInput::Block));
    assert!(matches!(outputs[..], [Output::OpeningFailed(_)]));
}

#[test]
fn a_coinbase_is_no_funding_before_it_can_be_spent() {
    use bitcoin::hashes::Hash;
    let mut funded = Funded::open_on(bitcoin::Txid::from_byte_array([8; 32]));
    let scid = steward_wire::ShortChannelId(1);
    let mut deep = |depth| {
        sent(&funded.input(Input::FundingDepth { depth, scid, is_ours: true, is_coinbase: true }))
    };
    assert!(deep(1).is_empty() && deep(99).is_empty());
    assert_eq!(deep(100), ["ChannelReady"]);
}
