//! Whatever a hostile peer sends, and in whatever order: no panic, no unbounded growth, no state
//! that does not add up, and no signature on a worse state for us than the last.

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use steward_hosted::limits::{MAX_EVIDENCE_PER_CONNECTION, MAX_STATE_BYTES};
use steward_hosted::{Channel, Command, Output};
use steward_htlc::{Failure, LinkInput};
use steward_testkit::hosted::*;
use steward_wire::{
    ChannelId, InvokeHostedChannel, Message, Onion, ResizeChannel, Signature, StateOverride,
    StateUpdate, UpdateAddHtlc, UpdateFailHtlc, UpdateFailMalformedHtlc, UpdateFulfillHtlc,
    WireError,
};

/// Numbers near the ones that matter.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0u64..6, 1 => Just(u64::from(u32::MAX)), 1 => any::<u64>()]
}

fn counter() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0u32..6, 1 => Just(u32::MAX), 1 => Just(u32::MAX - 1)]
}

const CHANNEL_ID: ChannelId = ChannelId([4; 32]);

fn add() -> impl Strategy<Value = Message> {
    let amount_msat =
        prop_oneof![4 => 1_000u64..5_000_000_000, 1 => Just(0), 1 => Just((1 << 63) - 1)];
    (number(), amount_msat, any::<u32>(), 0u64..4, 0usize..2).prop_map(
        |(id, amount_msat, cltv_expiry, seed, tlvs)| {
            Message::UpdateAddHtlc(UpdateAddHtlc {
                channel_id: CHANNEL_ID,
                id,
                amount_msat,
                payment_hash: preimage(seed).hash(),
                cltv_expiry,
                onion: Onion([0; 1366].into()),
                tlvs: if tlvs == 0 { vec![] } else { vec![1, 1, 0] },
            })
        },
    )
}

/// A settlement of any HTLC, right or wrong.
fn settlement() -> impl Strategy<Value = Message> {
    let channel_id = CHANNEL_ID;
    prop_oneof![
        (number(), 0u64..4).prop_map(move |(id, seed)| {
            let preimage = preimage(seed);
            Message::UpdateFulfillHtlc(UpdateFulfillHtlc { channel_id, id, preimage, tlvs: vec![] })
        }),
        (number(), 0usize..70_000).prop_map(move |(id, len)| {
            let reason = vec![0; len];
            Message::UpdateFailHtlc(UpdateFailHtlc { channel_id, id, reason, tlvs: vec![] })
        }),
        (number(), any::<u16>()).prop_map(move |(id, failure_code)| {
            Message::UpdateFailMalformedHtlc(UpdateFailMalformedHtlc {
                channel_id,
                id,
                sha256_of_onion: [0; 32],
                failure_code,
                tlvs: vec![],
            })
        }),
    ]
}

/// Any counters, balances and capacities, under signatures that are none.
fn signed() -> impl Strategy<Value = Message> {
    let signature = prop_oneof![Just(Signature::ZERO), Just(Signature([0x11; 64]))];
    prop_oneof![
        (counter(), counter(), counter(), signature.clone()).prop_map(
            |(block_day, local_updates, remote_updates, local_sig_of_remote)| {
                Message::StateUpdate(StateUpdate {
                    block_day: HEIGHT / 144 + block_day % 3,
                    local_updates,
                    remote_updates,
                    local_sig_of_remote,
                })
            }
        ),
        (counter(), number(), counter(), counter(), signature.clone()).prop_map(
            |(block_day, local_balance_msat, local_updates, remote_updates, signature)| {
                Message::StateOverride(StateOverride {
                    block_day,
                    local_balance_msat,
                    local_updates,
                    remote_updates,
                    local_sig_of_remote: signature,
                })
            }
        ),
        (number(), signature).prop_map(|(new_capacity_sat, client_sig)| {
            Message::ResizeChannel(ResizeChannel { new_capacity_sat, client_sig })
        }),
    ]
}

/// What opens or ends a channel, at any moment.
fn beginning_or_end() -> impl Strategy<Value = Message> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..600).prop_map(|data| {
            Message::Error(WireError { channel_id: CHANNEL_ID, data, tlvs: vec![] })
        }),
        prop::collection::vec(any::<u8>(), 0..60).prop_map(|refund_scriptpubkey| {
            let (chain_hash, secret) = ([7; 32], vec![]);
            Message::InvokeHostedChannel(InvokeHostedChannel {
                chain_hash,
                refund_scriptpubkey,
                secret,
            })
        }),
        Just(Message::InitHostedChannel(offer())),
    ]
}

/// Each of the ten kinds is as likely as any other.
fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        1 => add(),
        3 => settlement(),
        3 => signed(),
        3 => beginning_or_end(),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Forge {
        to: bool,
        message: Box<Message>,
    },
    /// A message the peer really sent, now or earlier.
    Replay {
        to: bool,
        nth: usize,
    },
    /// A real state with one number changed.
    ForgeState {
        to: bool,
        nth: usize,
        local: u32,
        balance_msat: u64,
    },
    Deliver {
        from: bool,
    },
    Input {
        by: bool,
        which: u8,
        id: u64,
        seed: u64,
    },
    Reconnect,
    Restart {
        by: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (any::<bool>(), message()).prop_map(|(to, message)| Step::Forge { to, message: Box::new(message) }),
        3 => (any::<bool>(), 0usize..40).prop_map(|(to, nth)| Step::Replay { to, nth }),
        1 => (any::<bool>(), 0usize..40, 0u32..5, number())
            .prop_map(|(to, nth, local, balance_msat)| Step::ForgeState { to, nth, local, balance_msat }),
        8 => any::<bool>().prop_map(|from| Step::Deliver { from }),
        6 => (any::<bool>(), 0u8..12, 0u64..6, 0u64..4)
            .prop_map(|(by, which, id, seed)| Step::Input { by, which, id, seed }),
        1 => Just(Step::Reconnect),
        1 => any::<bool>().prop_map(|by| Step::Restart { by }),
    ]
}

fn side(is_bob: bool) -> Side {
    if is_bob { Bob } else { Alice }
}

fn take(pair: &mut Pair, step: Step) {
    match step {
        Step::Forge { to, message } => drop(pair.give(side(to), LinkInput::Message(*message))),
        Step::Replay { to, nth } => {
            let from = side(to).other();
            let past: Vec<_> = pair.sent.iter().filter(|(by, _)| *by == from).collect();
            if let Some((_, message)) = past.get(nth) {
                let message = message.clone();
                pair.give(side(to), LinkInput::Message(message));
            }
        }
        Step::ForgeState { to, nth, local, balance_msat } => {
            let from = side(to).other();
            let states = pair.sent.iter().filter(|(by, _)| *by == from);
            let mut states = states.filter_map(|(_, message)| match message {
                Message::LastCrossSignedState(state) => Some(state.clone()),
                _ => None,
            });
            if let Some(mut state) = states.nth(nth) {
                state.local_updates = state.local_updates.wrapping_add(local);
                state.local_balance_msat = balance_msat;
                pair.give(side(to), LinkInput::Message(Message::LastCrossSignedState(state)));
            }
        }
        Step::Deliver { from } => drop(pair.deliver(side(from))),
        Step::Input { by, which, id, seed } => give(pair, side(by), which, id, seed),
        Step::Reconnect => pair.reconnect(),
        Step::Restart { by } => {
            if pair.node(side(by)).disk.is_some() {
                pair.restart(side(by));
                pair.connect();
            }
        }
    }
}

fn give(pair: &mut Pair, by: Side, which: u8, id: u64, seed: u64) {
    let preimage = preimage(seed);
    let command = match which {
        6 => Some(Command::Suspend),
        8 => Some(Command::Resize { new_capacity_sat: CAPACITY_MSAT / 1000 + seed }),
        9 => Some(Command::ProposeOverride { local_balance_msat: seed * 1_000 }),
        10 => Some(Command::AcceptOverride),
        _ => None,
    };
    if let Some(command) = command {
        return drop(pair.try_command(by, command));
    }
    let input = match which {
        0..=3 => LinkInput::Add(pair.new_htlc(by, 1_000 + seed * 1_000_000_000, seed)),
        4 => LinkInput::Fulfill { id, preimage, tlvs: Vec::new() },
        5 => LinkInput::Fail { id, failure: Failure::Reason { reason: vec![1], tlvs: vec![] } },
        7 => LinkInput::ExternalFulfill { id, preimage },
        _ => {
            let height = pair.node(by).height + 60;
            return pair.set_height_of(by, height);
        }
    };
    pair.give(by, input);
}

fn check(pair: &Pair) {
    for node in [&pair.alice, &pair.bob] {
        let record = node.channel.record();
        assert!(record.len() < 1_000_000, "the record grows without bound");
        assert_eq!(Channel::from_record(&record).unwrap().record(), record);
        if let Some(state) = node.channel.state() {
            assert!(state.is_balanced());
            assert!(state.encoded_len() <= MAX_STATE_BYTES);
            assert!(state.verify_remote_sig(&node.channel.remote().public_key().unwrap()));
        }
        let summary = node.channel.summary();
        assert!(summary.spendable_msat <= summary.capacity_msat);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_message_breaks_a_channel(
        opened in any::<bool>(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut offer = offer();
        offer.initial_client_balance_msat = CAPACITY_MSAT / 2;
        let mut pair = Pair::new(offer);
        pair.connect();
        if opened {
            pair.run();
        }
        for step in steps {
            take(&mut pair, step);
            check(&pair);
        }
    }

    #[test]
    fn damaged_records_are_refused_without_panic(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut pair = Pair::open();
        pair.add(Alice, 1_000_000, 1);
        let mut record = pair.alice.channel.record();
        let at = at.index(record.len());
        record[at] = byte;
        let _ = Channel::from_record(&record);
        record.truncate(cut.index(record.len()));
        prop_assert!(Channel::from_record(&record).is_err());
    }
}

#[test]
fn a_record_of_a_newer_program_is_refused() {
    let mut record = Pair::open().alice.channel.record();
    record[0] = 200;
    let error = Channel::from_record(&record).unwrap_err();
    assert_eq!(error.to_string(), "the record has version 200, which this program does not know");
}

#[test]
fn a_wrong_preimage_suspends_and_is_kept() {
    let mut pair = Pair::open();
    let id = pair.add_and_run(Alice, 1_000_000, 1);
    pair.clear();
    let wrong = UpdateFulfillHtlc {
        channel_id: pair.alice.channel.channel_id(),
        id,
        preimage: preimage(2),
        tlvs: vec![],
    };
    let outputs = pair.give(Alice, LinkInput::Message(Message::UpdateFulfillHtlc(wrong)));
    assert!(outputs.iter().any(|output| matches!(output, Output::Evidence(_))));
    pair.assert_suspended(Alice, true, None);
    assert_eq!(pair.alice.channel.outgoing_htlcs().count(), 1);
}

#[test]
fn evidence_of_one_connection_is_bounded() {
    let mut pair = Pair::open();
    let channel_id = pair.alice.channel.channel_id();
    let id = pair.add_and_run(Alice, 100_000, 1);
    for _ in 0..1_000 {
        let preimage = preimage(2);
        let wrong = UpdateFulfillHtlc { channel_id, id, preimage, tlvs: vec![] };
        pair.give(Alice, LinkInput::Message(Message::UpdateFulfillHtlc(wrong)));
    }
    let events = pair.events(Alice);
    let kept = events.iter().filter(|event| matches!(event, Output::Evidence(_))).count();
    assert_eq!(kept, usize::from(MAX_EVIDENCE_PER_CONNECTION));
}

#[test]
fn an_idle_channel_takes_less_than_two_kilobytes() {
    let pair = Pair::open();
    let on_heap = pair.channel(Alice).record().len();
    assert!(std::mem::size_of::<Channel>() + on_heap < 2_000);
}
