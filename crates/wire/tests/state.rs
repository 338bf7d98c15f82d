//! The signed state: hash, reverse, signatures (docs/protocol.md section 2). A line number names
//! the test in `HostedChannelTypesSpec.scala` of the eclair plugin's suite that checks the same.

#[path = "support/arbitrary_state.rs"]
mod arbitrary_state;
#[path = "support/oracle.rs"]
mod oracle;

use arbitrary_state::any_state;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
use oracle::sighash_preimage;
use proptest::prelude::*;
use steward_wire::limits::ONION_BYTES;
use steward_wire::{
    ChannelId, InitHostedChannel, LastCrossSignedState, Onion, PaymentHash, ResizeChannel,
    Signature, UpdateAddHtlc,
};

fn alice() -> SecretKey {
    SecretKey::from_slice(&[0xa1; 32]).unwrap()
}

fn bob() -> SecretKey {
    SecretKey::from_slice(&[0xb0; 32]).unwrap()
}

fn public(key: SecretKey) -> PublicKey {
    key.public_key(SECP256K1)
}

fn add(id: u64, amount_msat: u64) -> UpdateAddHtlc {
    UpdateAddHtlc {
        channel_id: ChannelId([7; 32]),
        id,
        amount_msat,
        payment_hash: PaymentHash([id as u8; 32]),
        cltv_expiry: 40,
        onion: Onion([0; ONION_BYTES].into()),
        tlvs: Vec::new(),
    }
}

/// Makes Alice's copy, unsigned: she is the host, and two HTLCs go each way.
fn unsigned_state() -> LastCrossSignedState {
    LastCrossSignedState {
        is_host: true,
        last_refund_scriptpubkey: vec![5; 22],
        init_hosted_channel: InitHostedChannel {
            max_htlc_value_in_flight_msat: 90_000,
            htlc_minimum_msat: 10,
            max_accepted_htlcs: 3,
            channel_capacity_msat: 1_000_000,
            initial_client_balance_msat: 0,
            features: vec![32_972],
        },
        block_day: 100,
        local_balance_msat: 100_000,
        remote_balance_msat: 840_000,
        local_updates: 201,
        remote_updates: 101,
        incoming_htlcs: vec![add(102, 10_000), add(103, 20_000)],
        outgoing_htlcs: vec![add(200, 10_000), add(201, 20_000)],
        remote_sig_of_local: Signature::ZERO,
        local_sig_of_remote: Signature::ZERO,
    }
}

fn signed_state() -> LastCrossSignedState {
    let mut state = unsigned_state();
    state.local_sig_of_remote = state.sign_remote(&alice());
    state.remote_sig_of_local = state.reverse().sign_remote(&bob());
    state
}

/// Line 43.
#[test]
fn htlcs_sorted_by_id_give_the_same_hash_whatever_their_order_before() {
    let state = unsigned_state();
    let mut shuffled = state.clone();
    shuffled.incoming_htlcs.reverse();
    shuffled.outgoing_htlcs.reverse();
    assert_ne!(shuffled.sighash(), state.sighash(), "the hash covers the order received");
    shuffled.sort_htlcs();
    assert_eq!(shuffled.sighash(), state.sighash());
}

/// Line 48, and every other signed field.
#[test]
fn a_change_of_any_signed_field_changes_the_hash() {
    let changes: [fn(&mut LastCrossSignedState); 12] = [
        |state| state.is_host = false,
        |state| state.last_refund_scriptpubkey.push(0),
        |state| state.init_hosted_channel.channel_capacity_msat += 1,
        |state| state.init_hosted_channel.initial_client_balance_msat += 1,
        |state| state.block_day += 1,
        |state| state.local_balance_msat += 1,
        |state| state.remote_balance_msat += 1,
        |state| state.local_updates -= 1,
        |state| state.remote_updates -= 1,
        |state| state.incoming_htlcs[0].tlvs.extend([1, 0]),
        |state| state.outgoing_htlcs[1].onion = Onion([9; ONION_BYTES].into()),
        |state| state.outgoing_htlcs.truncate(1),
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut state = unsigned_state();
        change(&mut state);
        assert_ne!(state.sighash(), unsigned_state().sighash(), "change {number}");
    }
}

#[test]
fn limits_and_features_are_not_signed() {
    let mut state = unsigned_state();
    state.init_hosted_channel.max_htlc_value_in_flight_msat += 1;
    state.init_hosted_channel.htlc_minimum_msat += 1;
    state.init_hosted_channel.max_accepted_htlcs += 1;
    state.init_hosted_channel.features.clear();
    assert_eq!(state.sighash(), unsigned_state().sighash());
}

/// Line 56.
#[test]
fn fully_signed_copies_verify_on_both_sides() {
    let at_alice = signed_state();
    let at_bob = at_alice.reverse();
    assert_eq!(at_alice.local_updates, at_bob.remote_updates);
    assert_eq!(at_bob.local_updates, at_alice.remote_updates);
    assert!(at_alice.verify_remote_sig(&public(bob())));
    assert!(at_bob.verify_remote_sig(&public(alice())));
    assert!(at_alice.verify_local_sig(&public(alice())));
    assert!(at_bob.verify_local_sig(&public(bob())));
}

/// Line 67.
#[test]
fn a_half_signed_copy_verifies_when_the_other_side_reverses_it() {
    let mut at_alice = unsigned_state();
    at_alice.local_sig_of_remote = at_alice.sign_remote(&alice());
    let mut at_bob = unsigned_state().reverse();
    at_bob.local_sig_of_remote = at_bob.sign_remote(&bob());
    assert!(at_alice.reverse().verify_remote_sig(&public(alice())));
    assert!(at_bob.reverse().verify_remote_sig(&public(bob())));
    assert!(!at_alice.verify_remote_sig(&public(bob())), "bob has not signed this one");
}

/// Line 141.
#[test]
fn a_resize_verifies_with_its_signers_key_only() {
    let resize = ResizeChannel::signed(100_000, &alice());
    assert!(resize.is_signed_by(&public(alice())));
    assert!(!resize.is_signed_by(&public(bob())));
    assert!(!ResizeChannel { new_capacity_sat: 100_001, ..resize }.is_signed_by(&public(alice())));
}

#[test]
fn a_signature_does_not_verify_for_another_key_or_another_state() {
    let state = signed_state();
    assert!(!state.verify_remote_sig(&public(alice())));
    assert!(!state.verify_local_sig(&public(bob())));
    let changed = LastCrossSignedState { block_day: 101, ..state };
    assert!(!changed.verify_remote_sig(&public(bob())));
    assert!(!changed.verify_local_sig(&public(alice())));
}

#[test]
fn a_zero_or_high_s_signature_is_refused() {
    let mut state = signed_state();
    let low_s = state.remote_sig_of_local;
    state.remote_sig_of_local = Signature::ZERO;
    assert!(!state.verify_remote_sig(&public(bob())));

    let s = SecretKey::from_slice(&low_s.0[32..]).unwrap();
    let mut high_s = low_s;
    high_s.0[32..].copy_from_slice(&s.negate().secret_bytes());
    state.remote_sig_of_local = high_s;
    assert!(!state.verify_remote_sig(&public(bob())));
}

#[test]
fn signing_twice_gives_the_same_signature() {
    assert_eq!(unsigned_state().sign_remote(&alice()), unsigned_state().sign_remote(&alice()));
}

#[test]
fn a_state_is_balanced_only_if_every_millisatoshi_is_accounted_for() {
    assert!(unsigned_state().is_balanced());
    let mut state = unsigned_state();
    state.local_balance_msat += 1;
    assert!(!state.is_balanced());

    let mut wraps_around = unsigned_state();
    wraps_around.local_balance_msat += 1 << 63;
    wraps_around.remote_balance_msat += 1 << 63;
    assert!(!wraps_around.is_balanced());
}

proptest! {
    /// Line 52.
    #[test]
    fn reversing_twice_changes_nothing(state in any_state()) {
        prop_assert_eq!(state.reverse().reverse(), state);
    }

    #[test]
    fn the_streamed_hash_is_that_of_the_written_preimage(state in any_state()) {
        let hash = |state| sha256::Hash::hash(&sighash_preimage(state)).to_byte_array();
        let reversed = state.reverse();
        prop_assert_eq!(state.sighash(), hash(&state));
        prop_assert_eq!(state.reverse_sighash(), hash(&reversed));
        prop_assert_eq!(state.reverse_sighash(), reversed.sighash());
    }

    #[test]
    fn any_signed_state_verifies_in_both_presentations(mut state in any_state()) {
        state.local_sig_of_remote = state.sign_remote(&alice());
        state.remote_sig_of_local = state.reverse().sign_remote(&bob());
        prop_assert!(state.verify_local_sig(&public(alice())));
        prop_assert!(state.verify_remote_sig(&public(bob())));
        prop_assert!(state.reverse().verify_local_sig(&public(bob())));
        prop_assert!(state.reverse().verify_remote_sig(&public(alice())));
    }
}
