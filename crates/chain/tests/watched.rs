//! Which transactions of a block touch what is watched.

mod support;

use std::collections::BTreeSet;

use bitcoin::constants::genesis_block;
use bitcoin::hashes::Hash;
use bitcoin::{Block, Network, OutPoint, ScriptBuf, Transaction, Txid};
use proptest::prelude::*;
use steward_chain::limits::MAX_WATCHED_SCRIPTS;
use steward_chain::{BlockScan, Watched, WatchedFull};
use support::ledger::{first_output, make_block, spend};

/// The outputs of long ago.
fn old(n: u8) -> OutPoint {
    OutPoint { txid: Txid::from_byte_array([n; 32]), vout: 0 }
}

fn script(n: u8) -> ScriptBuf {
    ScriptBuf::from_bytes(vec![0x51 + n])
}

fn block(transactions: &[Transaction]) -> Block {
    make_block(&genesis_block(Network::Regtest).header, 1, 0, transactions)
}

fn indexes(block: &Block, watched: &mut Watched) -> Vec<usize> {
    let mut scan = BlockScan::new(block);
    let found = scan.find(watched).unwrap();
    assert!(scan.find(watched).unwrap().is_empty(), "nothing is returned twice");
    found.iter().map(|(index, _)| *index).collect()
}

#[test]
fn a_payment_to_a_watched_script_and_its_spend_in_the_same_block_are_found() {
    let payment = spend(&[old(1)], 10, script(1));
    let onward = spend(&[first_output(&payment)], 9, script(2));
    let block = block(&[spend(&[old(2)], 8, script(3)), payment.clone(), onward]);
    let mut watched = Watched::default();
    watched.watch_script(script(1)).unwrap();
    assert_eq!(indexes(&block, &mut watched), [2, 3]);
    assert!(watched.is_watched(&first_output(&payment)));
    assert!(!watched.is_watched(&old(1)), "only what pays the script, not what it spends");
}

#[test]
fn a_script_that_is_watched_because_of_a_transaction_counts_for_that_one_too() {
    let payment = spend(&[old(1)], 10, script(1));
    let onward = spend(&[first_output(&payment)], 9, script(2));
    let block = block(&[payment, onward]);
    let mut watched = Watched::default();
    watched.watch_outpoint(old(1)).unwrap();
    let mut scan = BlockScan::new(&block);
    assert_eq!(scan.find(&mut watched).unwrap().len(), 1);
    watched.watch_script(script(1)).unwrap();
    let found = scan.find(&mut watched).unwrap();
    assert_eq!(found.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [2]);
}

#[test]
fn what_is_forgotten_is_not_found() {
    let block = block(&[spend(&[old(1)], 10, script(1)), spend(&[old(2)], 10, script(2))]);
    let mut watched = Watched::default();
    assert!(watched.watch_outpoint(old(1)).unwrap());
    assert!(!watched.watch_outpoint(old(1)).unwrap(), "it is watched already");
    watched.watch_script(script(2)).unwrap();
    assert!(watched.forget_outpoint(&old(1)) && !watched.forget_outpoint(&old(1)));
    assert!(watched.forget_script(&script(2)) && !watched.forget_script(&script(2)));
    assert!(indexes(&block, &mut watched).is_empty());
}

#[test]
fn one_more_than_there_is_room_for_is_refused_and_nothing_is_forgotten() {
    let mut watched = Watched::default();
    let numbered = |n: usize| ScriptBuf::from_bytes(n.to_be_bytes().to_vec());
    for n in 0..MAX_WATCHED_SCRIPTS {
        watched.watch_script(numbered(n)).unwrap();
    }
    assert_eq!(watched.watch_script(numbered(MAX_WATCHED_SCRIPTS)), Err(WatchedFull));
    assert_eq!(watched.watch_script(numbered(0)), Ok(false), "this one is watched");
}

proptest! {
    /// Transactions that spend old outputs or each other's: found is what the definition says, in
    /// whatever order things are watched.
    #[test]
    fn found_are_the_spends_of_watched_outputs_and_the_payments_to_watched_scripts(
        shapes in proptest::collection::vec((any::<bool>(), 0_u8..12, 0_u8..6), 1..12),
        outputs in proptest::collection::btree_set(0_u8..12, 0..5),
        scripts in proptest::collection::btree_set(0_u8..6, 0..3),
        is_late in any::<bool>(),
    ) {
        let mut transactions: Vec<Transaction> = Vec::new();
        for (n, (chains, input, paid)) in (0_u64..).zip(shapes) {
            let parent = transactions.get(usize::from(input) % transactions.len().max(1));
            let spent = match parent {
                Some(parent) if chains => first_output(parent),
                _ => old(input),
            };
            transactions.push(spend(&[spent], 1000 + n, script(paid)));
        }
        let block = block(&transactions);
        let mut wanted: BTreeSet<OutPoint> = outputs.iter().map(|n| old(*n)).collect();
        let mut expected = Vec::new();
        for (index, transaction) in block.txdata.iter().enumerate().skip(1) {
            let pays = scripts.iter().any(|n| transaction.output[0].script_pubkey == script(*n));
            if pays || wanted.contains(&transaction.input[0].previous_output) {
                expected.push(index);
            }
            if pays {
                wanted.insert(first_output(transaction));
            }
        }
        let mut watched = Watched::default();
        let mut scan = BlockScan::new(&block);
        let mut found = Vec::new();
        for n in &outputs {
            watched.watch_outpoint(old(*n)).unwrap();
        }
        if is_late {
            found.extend(scan.find(&mut watched).unwrap());
        }
        for n in &scripts {
            watched.watch_script(script(*n)).unwrap();
        }
        found.extend(scan.find(&mut watched).unwrap());
        let mut found: Vec<usize> = found.iter().map(|(index, _)| *index).collect();
        found.sort_unstable();
        prop_assert_eq!(found, expected);
        let watched: BTreeSet<OutPoint> = watched.outpoints().copied().collect();
        prop_assert_eq!(watched, wanted);
    }
}
