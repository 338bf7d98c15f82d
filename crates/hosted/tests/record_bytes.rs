//! A record is the same bytes in every version of the program: each kind of channel is made step by
//! step, signatures being deterministic, and the SHA-256 of its record is compared with that of the
//! version that stored it first. A change of layout raises the record's version instead.

use bitcoin::hashes::{Hash, sha256};
use steward_hosted::{Channel, Command};
use steward_htlc::LinkInput;
use steward_testkit::hosted::*;

fn assert_bytes(pair: &Pair, side: Side, expected: &str) {
    let record = pair.channel(side).record();
    assert_eq!(sha256::Hash::hash(&record).to_string(), expected, "{side:?}: {record:02x?}");
    assert_eq!(Channel::from_record(&record).unwrap().record(), record);
}

#[test]
fn the_record_of_an_opening_keeps_its_bytes() {
    let pair = Pair::default();
    assert_bytes(&pair, Bob, "b27d0a37aa50b0f9d465f95e683d598f8a2570baa2425e018cac3bd592a0d755");
}

#[test]
fn the_record_of_an_idle_channel_keeps_its_bytes() {
    let pair = Pair::open();
    assert_bytes(&pair, Alice, "c80597eb91f19076371db0d89ef884af0accf56551c7953f0db900f158fa7944");
    assert_bytes(&pair, Bob, "46de3edd34ee9ffca8d1c3b1c67306085ce470db6c761fc50fbf651aea5ef9a4");
}

#[test]
fn the_record_of_htlcs_signed_and_unsigned_in_both_directions_keeps_its_bytes() {
    let mut pair = Pair::funded(5_000_000);
    let first = pair.add_and_run(Alice, 1_000_000, 1);
    let second = pair.add_and_run(Alice, 1_100_000, 2);
    pair.add_and_run(Bob, 1_200_000, 3);
    pair.fulfill(Bob, first, 1);
    pair.deliver(Bob);
    pair.fail(Bob, second);
    pair.add(Alice, 1_300_000, 4);
    assert_eq!(pair.channel(Alice).unsigned_updates(), (1, 1));
    assert_bytes(&pair, Alice, "e31688d802a12d5fb56c3af17f7feea3b70c5fd090b01db033787fffb4af0928");
    assert_bytes(&pair, Bob, "ec4c9a427dadfe07dd1e7d8ad5b6070e77dc873dec94e72aecf9f0d8e71d3de4");
}

#[test]
fn the_record_of_a_resize_that_is_not_signed_keeps_its_bytes() {
    let mut pair = Pair::open();
    pair.command(Bob, Command::Resize { new_capacity_sat: 2 * CAPACITY_MSAT / 1000 });
    pair.deliver(Bob);
    assert_bytes(&pair, Alice, "77d82580bae8ca3e71710ddbabccfceda38865e0e12578b3709b4f6c196c843b");
    assert_bytes(&pair, Bob, "e3e0e5902bab3c1128123f4b3a4f2a58eefd3e71fd3e8a17b047d95eb1fd66f9");
}

#[test]
fn the_record_of_a_suspended_channel_with_an_override_proposed_keeps_its_bytes() {
    let mut pair = Pair::funded(5_000_000);
    let published = pair.add_and_run(Alice, 1_000_000, 1);
    pair.add_and_run(Alice, 1_100_000, 2);
    pair.give(Alice, LinkInput::ExternalFulfill { id: published, preimage: preimage(1) });
    pair.set_height_of(Alice, HEIGHT + CLTV_DELTA + 1);
    pair.command(Alice, Command::ProposeOverride { local_balance_msat: 7_000 });
    pair.run();
    assert_bytes(&pair, Alice, "38e73154348e0edfa8ba27d0a14ff3c96ba8952226f5a523dca65d478e29d7ca");
    assert_bytes(&pair, Bob, "66a48a716d94054971053942ffafe829a6fa683e799c359dcc2ba8e7341d3d2f");
}
