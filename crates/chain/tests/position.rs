//! A position in a chain, as a value: what connects, what is cut off, what is stored.

mod support;

use bitcoin::block::{Header, Version};
use bitcoin::constants::genesis_block;
use bitcoin::{CompactTarget, Network};
use proptest::prelude::*;
use steward_chain::limits::POSITION_BLOCKS;
use steward_chain::{Lie, Position};
use support::ledger::make_block;

const REGTEST: Network = Network::Regtest;

/// Headers above regtest's genesis block.
fn headers(count: u32, salt: u64) -> Vec<Header> {
    above(&genesis_block(REGTEST).header, 0, count, salt)
}

fn above(below: &Header, height: u32, count: u32, salt: u64) -> Vec<Header> {
    let mut headers = vec![*below];
    for height in height + 1..=height + count {
        headers.push(make_block(headers.last().unwrap(), height, salt, &[]).header);
    }
    headers
}

fn follow(headers: &[Header]) -> Position {
    let mut position = Position::start(REGTEST, 0, &headers[0]).unwrap();
    for header in &headers[1..] {
        position.connect(header).unwrap();
    }
    position
}

/// The second header of Bitcoin.
fn block_one() -> Header {
    Header {
        version: Version::ONE,
        prev_blockhash: genesis_block(Network::Bitcoin).block_hash(),
        merkle_root: "0e3e2357e806b6cdb1f70b54c3a3a17b6714ee1f0e68bebb44a74b1efd512098"
            .parse()
            .unwrap(),
        time: 1_231_469_665,
        bits: CompactTarget::from_consensus(0x1d00_ffff),
        nonce: 2_573_394_689,
    }
}

#[test]
fn real_headers_of_bitcoin_connect() {
    let genesis = genesis_block(Network::Bitcoin).header;
    let mut position = Position::start(Network::Bitcoin, 0, &genesis).unwrap();
    position.connect(&block_one()).unwrap();
    assert_eq!(position.last().height, 1);
    // The expected work of difficulty 1: 2^32 and a little, twice.
    assert_eq!(position.cut(0).unwrap().work_above(0), 0);
    assert_eq!(position.work_above(0), 0x1_0001_0001);
}

#[test]
fn the_difficulty_changes_only_between_periods_and_at_most_fourfold() {
    let genesis = genesis_block(Network::Bitcoin).header;
    let judge = |height: u32, bits: u32| {
        let mut position = Position::start(Network::Bitcoin, height - 1, &genesis).unwrap();
        let bits = CompactTarget::from_consensus(bits);
        let mut header = Header { bits, ..block_one() };
        if bits == genesis.bits {
            header.nonce += 1;
        }
        position.connect(&header).unwrap_err()
    };
    // No header here has work: what is allowed falls at that.
    assert_eq!(judge(2015, 0x1d00_ffff), Lie::NoProofOfWork);
    assert_eq!(judge(2015, 0x1d00_fffe), Lie::WrongDifficulty);
    assert_eq!(judge(2016, 0x1d00_fffe), Lie::NoProofOfWork);
    assert_eq!(judge(2016, 0x1c3f_ffc0), Lie::NoProofOfWork);
    assert_eq!(judge(2016, 0x1c3f_ffbf), Lie::WrongDifficulty);
    assert_eq!(judge(2016, 0x1d01_0000), Lie::WrongDifficulty, "above the limit of the network");
    assert_eq!(judge(2017, 0x1c3f_ffc0), Lie::WrongDifficulty);
}

#[test]
fn a_header_of_another_network_begins_nothing() {
    let regtest = genesis_block(REGTEST).header;
    for network in [Network::Bitcoin, Network::Testnet] {
        for height in [0, 5, 2016] {
            let started = Position::start(network, height, &regtest);
            assert_eq!(started, Err(Lie::WrongDifficulty), "{network} {height}");
        }
    }
}

#[test]
fn the_memory_of_a_position_is_bounded_and_so_are_its_bytes() {
    let count = POSITION_BLOCKS as u32 + 20;
    let position = follow(&headers(count, 0));
    assert_eq!(position.lowest(), count + 1 - POSITION_BLOCKS as u32);
    assert_eq!(position.hash_at(position.lowest() - 1), None);
    assert!(position.cut(position.lowest() - 1).is_none());
    assert_eq!(position.encode().len(), 9 + 36 * POSITION_BLOCKS);
    assert_eq!(Position::decode(REGTEST, &position.encode()), Ok(position));
}

#[test]
fn a_position_with_a_target_that_no_block_has_is_not_read() {
    let mut bytes = follow(&headers(2, 0)).encode();
    let at = bytes.len() - 4;
    bytes[at..].copy_from_slice(&0x2100_ffff_u32.to_be_bytes());
    assert!(Position::decode(REGTEST, &bytes).is_err());
}

#[test]
fn a_position_of_another_network_is_not_read() {
    let bytes = follow(&headers(2, 0)).encode();
    assert!(Position::decode(Network::Signet, &bytes).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A position that was cut is the one that stopped there, as far as both remember.
    #[test]
    fn a_cut_position_is_the_one_that_stopped_there(count in 1_u32..40, at in 0_u32..40) {
        let headers = headers(count, 1);
        let position = follow(&headers);
        match position.cut(at) {
            Some(cut) => prop_assert_eq!(cut, follow(&headers[..=at as usize])),
            None => prop_assert!(at > count),
        }
    }

    #[test]
    fn another_branch_leaves_at_the_cut_and_the_work_tells_which_is_longer(
        common in 0_u32..10, ours in 0_u32..10, theirs in 0_u32..10,
    ) {
        let trunk = headers(common, 1);
        let end = trunk[common as usize];
        let follow_on = |branch: &[Header]| {
            let mut position = follow(&trunk);
            branch[1..].iter().for_each(|header| position.connect(header).unwrap());
            position
        };
        let ours = follow_on(&above(&end, common, ours, 2));
        let theirs = follow_on(&above(&end, common, theirs, 3));
        prop_assert_eq!(ours.cut(common).unwrap(), follow(&trunk));
        for height in 0..25 {
            let same = ours.hash_at(height).is_some() && ours.hash_at(height) == theirs.hash_at(height);
            prop_assert_eq!(same, height <= common);
        }
        let [mine, other] = [&ours, &theirs].map(|branch| branch.work_above(common));
        prop_assert_eq!(mine.cmp(&other), ours.last().height.cmp(&theirs.last().height));
        let above: Vec<u32> = ours.above(common).iter().map(|block| block.height).collect();
        prop_assert_eq!(above, (common + 1..=ours.last().height).rev().collect::<Vec<_>>());
    }

    #[test]
    fn a_header_that_does_not_connect_changes_nothing(count in 2_u32..20, skipped in 1_u32..20) {
        let headers = headers(count, 1);
        let mut position = follow(&headers[..=(count - skipped.min(count)) as usize]);
        let before = position.clone();
        let mut stranger = headers[count as usize];
        if skipped == 1 {
            stranger = headers[(count - 2) as usize];
        }
        prop_assert_eq!(position.connect(&stranger), Err(Lie::DoesNotConnect));
        prop_assert_eq!(position, before);
    }

    #[test]
    fn what_was_written_is_read_again(count in 0_u32..40) {
        let position = follow(&headers(count, 4));
        prop_assert_eq!(Position::decode(REGTEST, &position.encode()), Ok(position));
    }

    #[test]
    fn any_bytes_are_a_position_that_writes_them_or_an_error(
        bytes in proptest::collection::vec(any::<u8>(), 0..200), count in 0_u32..4, at in 0_usize..150,
    ) {
        let mut near = follow(&headers(count, 4)).encode();
        if let (Some(byte), Some(other)) = (near.get_mut(at), bytes.first()) {
            *byte = *other;
        }
        for bytes in [bytes, near] {
            if let Ok(position) = Position::decode(REGTEST, &bytes) {
                prop_assert_eq!(position.encode(), bytes);
                let _ = position.work_above(0);
            }
        }
    }
}
