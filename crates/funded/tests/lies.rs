//! A peer that lies in each message: a warning and a new connection where nothing signed is
//! touched, an error and a request to close where both sides differ for good.

mod opponent;

use opponent::world::{World, terms};
use steward_funded::{CHANNEL_TYPE, Channel, CloseReason, Input, Output, Phase};
use steward_htlc::{LinkEvent, LinkInput};
use steward_wire::{
    ChannelMessage, ChannelReestablish, OpenChannel, Point, Preimage, Signature, UpdateFee,
    UpdateFulfillHtlc, WireError,
};

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Nothing,
    Warning,
    Error,
}

fn answer(outputs: &[Output]) -> Answer {
    let sent = |wanted: fn(&ChannelMessage) -> bool| {
        outputs.iter().any(|output| matches!(output, Output::Send(message) if wanted(message)))
    };
    let hangs_up =
        outputs.iter().any(|output| matches!(output, Output::Link(LinkEvent::Reconnect(_))));
    let closes = outputs.iter().any(|output| matches!(output, Output::Closing(_)));
    let warns = sent(|message| matches!(message, ChannelMessage::Warning(_)));
    let errs = sent(|message| matches!(message, ChannelMessage::Error(_)));
    match (warns, errs, hangs_up, closes) {
        (false, false, false, false) => Answer::Nothing,
        (true, false, true, false) => Answer::Warning,
        (false, true, false, true) => Answer::Error,
        other => panic!("no right answer: {other:?}"),
    }
}

/// Handles one message without the world's own reactions, on a copy of the channel.
fn tell(world: &World, messages: &[ChannelMessage]) -> (Channel, Vec<Output>) {
    let mut channel = world.channel().clone();
    let mut outputs = Vec::new();
    for message in messages {
        outputs.extend(world.with_env(|env| channel.handle(env, Input::Message(message.clone()))));
    }
    (channel, outputs)
}

/// A world in which LDK's add and its commitment_signed are on their way to us.
fn with_add() -> (World, ChannelMessage, ChannelMessage) {
    let mut world = World::open(3);
    world.ldk_pays(50_000_000);
    let add = world.to_us.pop_front().unwrap();
    let signed = world.to_us.pop_front().unwrap();
    assert!(matches!(add, ChannelMessage::UpdateAddHtlc(_)));
    assert!(matches!(signed, ChannelMessage::CommitmentSigned(_)));
    (world, add, signed)
}

fn altered(message: &ChannelMessage, alter: impl FnOnce(&mut ChannelMessage)) -> ChannelMessage {
    let mut message = message.clone();
    alter(&mut message);
    message
}

macro_rules! alter {
    ($message:expr, $kind:ident, $body:ident => $change:expr) => {
        altered($message, |message| {
            let ChannelMessage::$kind($body) = message else { panic!("another message") };
            $change;
        })
    };
}

#[test]
fn an_add_against_our_terms_is_answered_with_a_warning() {
    let (world, add, signed) = with_add();
    assert_eq!(answer(&tell(&world, &[add.clone(), signed.clone()]).1), Answer::Nothing);
    let lies = [
        alter!(&add, UpdateAddHtlc, add => add.id += 1),
        alter!(&add, UpdateAddHtlc, add => add.amount_msat = 0),
        alter!(&add, UpdateAddHtlc, add => add.amount_msat = 1_000_000_001),
        alter!(&add, UpdateAddHtlc, add => add.cltv_expiry = 500_000_000),
    ];
    for lie in lies {
        let (channel, outputs) = tell(&world, std::slice::from_ref(&lie));
        assert_eq!(answer(&outputs), Answer::Warning, "{lie:?}");
        assert_eq!(channel.record(), world.channel().record(), "nothing is changed");
        assert_eq!(channel.phase(), Phase::Offline, "the connection is given up");
        // What comes after it is ignored.
        let (_, outputs) = tell(&world, &[lie, signed.clone()]);
        assert_eq!(answer(&outputs), Answer::Warning);
    }
    for amount_msat in [600_000_000, 595_000_000] {
        let lie = alter!(&add, UpdateAddHtlc, add => add.amount_msat = amount_msat);
        let (channel, outputs) = tell(&world, &[lie, signed.clone()]);
        assert_eq!(answer(&outputs), Answer::Warning, "{amount_msat} is more than it may spend");
        assert_eq!(channel.record(), world.channel().record());
    }
}

#[test]
fn more_htlcs_than_we_accept_are_answered_with_a_warning() {
    let (world, add, _) = with_add();
    let adds: Vec<ChannelMessage> = (0..31)
        .map(|id| {
            alter!(&add, UpdateAddHtlc, add => {
                add.id = id;
                add.amount_msat = 1_000;
            })
        })
        .collect();
    assert_eq!(answer(&tell(&world, &adds[..30]).1), Answer::Nothing);
    assert_eq!(answer(&tell(&world, &adds).1), Answer::Warning);
}

#[test]
fn a_wrong_signature_ends_the_channel_and_revokes_nothing() {
    let (world, add, signed) = with_add();
    let lies = [
        alter!(&signed, CommitmentSigned, signed => signed.signature = Signature::ZERO),
        alter!(&signed, CommitmentSigned, signed => signed.signature.0[40] ^= 1),
        alter!(&signed, CommitmentSigned, signed => signed.htlc_signatures.clear()),
        alter!(&signed, CommitmentSigned, signed => signed.htlc_signatures[0].0[5] ^= 1),
        alter!(&signed, CommitmentSigned, signed => {
            let again = signed.htlc_signatures[0];
            signed.htlc_signatures.push(again);
        }),
        // The signature is right for another amount.
        signed.clone(),
    ];
    for (at, lie) in lies.iter().enumerate() {
        let add = if at == 5 {
            alter!(&add, UpdateAddHtlc, add => add.amount_msat += 1_000)
        } else {
            add.clone()
        };
        let (channel, outputs) = tell(&world, &[add, lie.clone()]);
        assert_eq!(answer(&outputs), Answer::Error, "{at}");
        let revokes =
            |output: &Output| matches!(output, Output::Send(ChannelMessage::RevokeAndAck(_)));
        assert!(!outputs.iter().any(revokes), "{at}");
        assert_eq!(channel.phase(), Phase::Closing);
        assert_eq!(channel.defence().unwrap().local, world.channel().defence().unwrap().local);
        check_that_it_stays_closed(&world, channel, &signed);
    }
}

/// After the decision nothing is signed and nothing revoked, whatever comes, also after a restart.
fn check_that_it_stays_closed(world: &World, mut channel: Channel, signed: &ChannelMessage) {
    let mut outputs = Vec::new();
    for input in [
        Input::Message(signed.clone()),
        Input::Link(LinkInput::Flush),
        Input::Link(LinkInput::Disconnected),
        Input::Link(LinkInput::Connected),
        Input::Message(signed.clone()),
        Input::Link(LinkInput::Flush),
    ] {
        outputs.extend(world.with_env(|env| channel.handle(env, input)));
    }
    for output in &outputs {
        let Output::Send(message) = output else { continue };
        let is_harmless = match message {
            ChannelMessage::Error(_) => true,
            ChannelMessage::ChannelReestablish(message) => message.next_commitment_number == 0,
            _ => false,
        };
        assert!(is_harmless, "{message:?}");
    }
}

#[test]
fn a_commitment_that_changes_nothing_has_to_be_signed_all_the_same() {
    let mut world = World::open(4);
    world.ldk_pays(50_000_000);
    world.pump();
    let signed = ChannelMessage::CommitmentSigned(steward_wire::CommitmentSigned {
        channel_id: world.channel().channel_id(),
        signature: Signature::ZERO,
        htlc_signatures: Vec::new(),
        tlvs: Vec::new(),
    });
    assert_eq!(answer(&tell(&world, &[signed]).1), Answer::Error);
}

#[test]
fn a_revocation_that_nobody_asked_for_or_with_a_wrong_secret_ends_the_channel() {
    let mut world = World::open(6);
    world.we_pay(20_000_000, true);
    world.flush();
    let (add, signed) = (world.to_ldk.pop_front().unwrap(), world.to_ldk.pop_front().unwrap());
    world.ldk.deliver(&add);
    world.ldk.deliver(&signed);
    world.collect();
    let revocation = world.to_us.pop_front().unwrap();
    assert!(matches!(revocation, ChannelMessage::RevokeAndAck(_)));
    assert_eq!(answer(&tell(&world, std::slice::from_ref(&revocation)).1), Answer::Nothing);
    let lies = [
        alter!(&revocation, RevokeAndAck, message => message.per_commitment_secret[0] ^= 1),
        alter!(&revocation, RevokeAndAck, message => message.per_commitment_secret = [0; 32]),
        alter!(&revocation, RevokeAndAck, message => {
            message.next_per_commitment_point = Point([0; 33]);
        }),
    ];
    for lie in lies {
        assert_eq!(answer(&tell(&world, &[lie]).1), Answer::Error);
    }
    assert_eq!(answer(&tell(&world, &[revocation.clone(), revocation]).1), Answer::Error);
}

#[test]
fn settlements_and_fees_that_are_nonsense_are_answered_with_a_warning() {
    let mut world = World::open(7);
    world.we_pay(20_000_000, true);
    world.pump();
    let channel_id = world.channel().channel_id();
    let fulfill = |id, preimage| {
        let tlvs = Vec::new();
        ChannelMessage::UpdateFulfillHtlc(UpdateFulfillHtlc { channel_id, id, preimage, tlvs })
    };
    let fail = |id| {
        let (reason, tlvs) = (vec![1; 292], Vec::new());
        ChannelMessage::UpdateFailHtlc(steward_wire::UpdateFailHtlc {
            channel_id,
            id,
            reason,
            tlvs,
        })
    };
    let malformed = |failure_code| {
        let body = steward_wire::UpdateFailMalformedHtlc {
            channel_id,
            id: 0,
            sha256_of_onion: [0; 32],
            failure_code,
            tlvs: Vec::new(),
        };
        ChannelMessage::UpdateFailMalformedHtlc(body)
    };
    let fee = |feerate_per_kw| {
        let tlvs = Vec::new();
        ChannelMessage::UpdateFee(UpdateFee { channel_id, feerate_per_kw, tlvs })
    };
    let lies = [
        vec![fulfill(0, Preimage([0; 32]))],
        vec![fulfill(5, Preimage([0; 32]))],
        vec![fail(1)],
        vec![fail(0), fail(0)],
        vec![malformed(0x4000)],
        vec![fee(252)],
        vec![fee(0)],
        vec![fee(50_001)],
        vec![fee(u32::MAX)],
    ];
    for lie in lies {
        let (channel, outputs) = tell(&world, &lie);
        assert_eq!(answer(&outputs), Answer::Warning, "{lie:?}");
        assert_eq!(channel.record(), world.channel().record());
    }
    assert_eq!(answer(&tell(&world, &[fail(0)]).1), Answer::Nothing);
    assert_eq!(answer(&tell(&world, &[malformed(0x8000 | 5)]).1), Answer::Nothing);
}

/// A world whose peer has just connected, with some commitments behind both, and its true
/// channel_reestablish.
fn reconnected() -> (World, ChannelReestablish) {
    let mut world = World::open(8);
    for _ in 0..3 {
        world.ldk_pays(10_000_000);
        world.pump();
    }
    world.disconnect();
    world.connect();
    let Some(ChannelMessage::ChannelReestablish(message)) = world.to_us.pop_front() else {
        panic!("LDK says what it has first");
    };
    (world, message)
}

fn reestablish(world: &World, message: ChannelReestablish) -> (Channel, Vec<Output>) {
    tell(world, &[ChannelMessage::ChannelReestablish(message)])
}

#[test]
fn reestablish_numbers_that_cannot_be_end_the_channel() {
    let (world, true_one) = reconnected();
    assert_eq!(answer(&reestablish(&world, true_one.clone()).1), Answer::Nothing);
    let with = |alter: &dyn Fn(&mut ChannelReestablish)| {
        let mut message = true_one.clone();
        alter(&mut message);
        reestablish(&world, message)
    };
    let lies: [&dyn Fn(&mut ChannelReestablish); 8] = [
        &|message| message.next_commitment_number += 1,
        &|message| message.next_commitment_number -= 1,
        &|message| message.next_commitment_number = 0,
        &|message| message.next_commitment_number = u64::MAX,
        &|message| message.next_revocation_number = u64::MAX,
        // Too high without the secret that would prove it.
        &|message| message.next_revocation_number += 1,
        &|message| message.your_last_per_commitment_secret[3] ^= 1,
        &|message| message.next_revocation_number = 0,
    ];
    for (at, lie) in lies.into_iter().enumerate() {
        let (channel, outputs) = with(lie);
        assert_eq!(answer(&outputs), Answer::Error, "{at}");
        let ending = channel.ending().unwrap();
        assert!(!ending.is_published, "{at}: nothing is published at once");
        assert_ne!(ending.reason, CloseReason::DataLost, "{at}: it proves no loss");
    }
    let twice = [true_one.clone(), true_one].map(ChannelMessage::ChannelReestablish);
    assert_eq!(answer(&tell(&world, &twice).1), Answer::Warning);
}

#[test]
fn an_update_before_reestablish_is_answered_with_a_warning() {
    let (world, _) = reconnected();
    let fee = ChannelMessage::UpdateFee(UpdateFee {
        channel_id: world.channel().channel_id(),
        feerate_per_kw: 1_000,
        tlvs: Vec::new(),
    });
    assert_eq!(answer(&tell(&world, &[fee]).1), Answer::Warning);
}

#[test]
fn errors_end_the_channel_except_those_after_which_lnd_goes_on() {
    let world = World::open(9);
    let error = |text: &str| {
        ChannelMessage::Error(WireError {
            channel_id: world.channel().channel_id(),
            data: text.as_bytes().to_vec(),
            tlvs: Vec::new(),
        })
    };
    let (channel, outputs) = tell(&world, &[error("internal error")]);
    assert!(channel.ending().is_none());
    assert!(outputs.iter().any(|o| matches!(o, Output::Link(LinkEvent::Reconnect(_)))));
    let (channel, outputs) = tell(&world, &[error(&"é".repeat(2_000))]);
    assert!(matches!(channel.ending().unwrap().reason, CloseReason::PeerError(_)));
    assert!(outputs.iter().any(|o| matches!(o, Output::Closing(_))));
}

/// The offer that LDK makes.
fn offer() -> (World, OpenChannel) {
    let world = World::opening(2);
    let offer = world.ldk.manager.list_channels();
    assert_eq!(offer.len(), 1);
    let offer = world.offer.clone().unwrap();
    (world, offer)
}

#[test]
fn an_offer_against_our_terms_is_refused() {
    let (world, true_one) = offer();
    let accept = |alter: &dyn Fn(&mut OpenChannel)| {
        let mut offer = true_one.clone();
        alter(&mut offer);
        let peer = world.channel().peer();
        world.with_env(|env| Channel::accept(env, &terms(), peer, 1, &offer).map(|_| ()))
    };
    assert_eq!(accept(&|_| {}), Ok(()));
    let lies: [&dyn Fn(&mut OpenChannel); 22] = [
        &|offer| offer.chain_hash[0] ^= 1,
        &|offer| offer.tlvs = Vec::new(),
        &|offer| offer.tlvs = OpenChannel::tlvs(&[], &[0x10, 0]),
        &|offer| offer.tlvs = OpenChannel::tlvs(&[0x51], &CHANNEL_TYPE),
        &|offer| offer.funding_sat = 99_999,
        &|offer| offer.funding_sat = 2_000_001,
        &|offer| offer.funding_sat = u64::MAX,
        &|offer| offer.push_msat = 1_000_000_001,
        &|offer| offer.push_msat = u64::MAX,
        &|offer| offer.push_msat = 999_000_000,
        &|offer| offer.dust_limit_sat = 353,
        &|offer| offer.dust_limit_sat = 10_001,
        &|offer| offer.to_self_delay = 2_017,
        &|offer| offer.max_accepted_htlcs = 0,
        &|offer| offer.max_accepted_htlcs = 484,
        &|offer| offer.feerate_per_kw = 252,
        &|offer| offer.feerate_per_kw = u32::MAX,
        &|offer| offer.channel_reserve_sat = 200_001,
        &|offer| offer.channel_reserve_sat = 353,
        &|offer| offer.max_htlc_value_in_flight_msat = 0,
        &|offer| offer.htlc_basepoint = Point([2; 33]),
        &|offer| offer.channel_flags = 1,
    ];
    for (at, lie) in lies.into_iter().enumerate() {
        // The last byte of [2; 33] may be a point: one that is none is taken.
        if at == 20 {
            assert!(accept(&|offer| offer.htlc_basepoint = Point([0; 33])).is_err());
            continue;
        }
        assert!(accept(lie).is_err(), "{at}");
    }
}

#[test]
fn a_funding_with_a_wrong_signature_is_refused() {
    let mut world = World::opening(2);
    let accept = world.to_ldk.pop_front().unwrap();
    world.ldk.deliver(&accept);
    world.collect();
    world.collect();
    let created = world.to_us.pop_front().unwrap();
    assert!(matches!(created, ChannelMessage::FundingCreated(_)));
    for lie in [
        alter!(&created, FundingCreated, created => created.signature.0[9] ^= 1),
        alter!(&created, FundingCreated, created => created.signature = Signature::ZERO),
        alter!(&created, FundingCreated, created => created.funding_output_index ^= 1),
    ] {
        let (channel, outputs) = tell(&world, &[lie]);
        assert_eq!(channel.phase(), Phase::Opening);
        assert!(outputs.iter().any(|o| matches!(o, Output::OpeningFailed(_))));
        assert!(outputs.iter().any(|o| matches!(o, Output::Send(ChannelMessage::Error(_)))));
        assert!(channel.record().is_none());
    }
    let (channel, _) = tell(&world, &[created]);
    assert_eq!(channel.phase(), Phase::Funding);
    assert!(channel.record().is_some());
}
