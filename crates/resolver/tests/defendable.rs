//! The dry run: a channel that can be defended, and each reason why one could not be.

mod common;

use bitcoin::secp256k1::ecdsa::Signature;
use common::{Pair, incoming, outgoing, preimage};
use steward_resolver::{Balance, ChannelAtDeath, ChannelKeys, NotDefendable, dry_run};

fn why(pair: &Pair, change: impl FnOnce(&mut ChannelAtDeath)) -> NotDefendable {
    let mut record = pair.with_htlcs();
    record.preimages = vec![preimage(2)];
    change(&mut record);
    dry_run(&record, &pair.keys).unwrap_err()
}

#[test]
fn a_channel_with_htlcs_both_ways_is_defendable() {
    let pair = Pair::new();
    let mut record = pair.with_htlcs();
    let without = dry_run(&record, &pair.keys).unwrap();
    assert!(without.balances.contains(&Balance::OnClose { amount_sat: 350_000 }));
    record.preimages = vec![preimage(2)];
    let with = dry_run(&record, &pair.keys).unwrap();
    assert!(with.balances.contains(&Balance::OnClose { amount_sat: 390_000 }));
}

#[test]
fn many_htlcs_of_one_hash_two_unrevoked_commitments_and_trimmed_htlcs_are_defendable() {
    let pair = Pair::new();
    let many: Vec<_> = (0..8)
        .flat_map(|id| [outgoing(id, 10_000, 300, 1), incoming(id, 9_000 + id % 3, 400, 2)])
        .chain([outgoing(8, 100, 300, 3), incoming(8, 353, 400, 4)])
        .collect();
    let mut record = pair.record(
        pair.local(7, (300_000, 500_000), &many),
        pair.remote(9, (300_000, 500_000), &many),
    );
    record.remote_previous = Some(pair.remote(8, (300_000, 500_000), &many[..9]));
    record.secrets = pair.secrets(8);
    record.preimages = vec![preimage(2), preimage(2)];
    dry_run(&record, &pair.keys).unwrap();
}

#[test]
fn a_side_without_an_output_is_no_reason() {
    let pair = Pair::new();
    let record = pair.record(pair.local(1, (0, 980_000), &[]), pair.remote(1, (0, 980_000), &[]));
    dry_run(&record, &pair.keys).unwrap();
}

#[test]
fn keys_of_another_seed_or_channel_are_found() {
    let pair = Pair::new();
    let record = pair.with_htlcs();
    let other = ChannelKeys::new(&[8; 32]);
    assert_eq!(dry_run(&record, &other), Err(NotDefendable::Keys));
    assert_eq!(why(&pair, |record| record.keys_id = 2), NotDefendable::Keys);
    let keys_id = 1 << 31;
    assert_eq!(why(&pair, |record| record.keys_id = keys_id), NotDefendable::KeysId { keys_id });
}

#[test]
fn signatures_that_are_wrong_or_missing_are_found() {
    let pair = Pair::new();
    let wrong = Signature::from_compact(&[1; 64]).unwrap();
    assert_eq!(why(&pair, |record| record.local.signature = wrong), NotDefendable::Signature);
    let found = why(&pair, |record| record.local.htlc_signatures[1] = wrong);
    assert!(matches!(found, NotDefendable::HtlcSignature { .. }), "{found}");
    let found = why(&pair, |record| {
        record.local.htlc_signatures.pop();
    });
    assert_eq!(found, NotDefendable::HtlcSignatures { expected: 2, found: 1 });
}

#[test]
fn a_missing_secret_a_false_one_and_one_of_an_unrevoked_commitment_are_found() {
    let pair = Pair::new();
    let missing = NotDefendable::SecretMissing { number: 0 };
    assert_eq!(why(&pair, |record| record.secrets.clear()), missing);
    let mut record = pair.record(pair.local(9, (1, 2), &[]), pair.remote(9, (1, 2), &[]));
    dry_run(&record, &pair.keys).unwrap();
    record.secrets.retain(|one| one.number != 7);
    let missing = NotDefendable::SecretMissing { number: 7 };
    assert_eq!(dry_run(&record, &pair.keys), Err(missing));
    let unrevoked = NotDefendable::SecretOfUnrevoked { number: 1 };
    assert_eq!(why(&pair, |record| record.secrets = pair.secrets(2)), unrevoked);
    let mut record = pair.record(pair.local(6, (1, 2), &[]), pair.remote(6, (1, 2), &[]));
    let in_between = record.secrets.iter_mut().find(|one| one.number == 4).unwrap();
    in_between.secret[0] ^= 1;
    assert_eq!(dry_run(&record, &pair.keys), Err(NotDefendable::Secrets));
}

#[test]
fn an_htlc_at_another_output_or_too_much_money_is_found() {
    let pair = Pair::new();
    let found = why(&pair, |record| {
        let htlcs = &mut record.remote.content.htlcs;
        let first = htlcs[0].terms.output_index;
        htlcs[0].terms.output_index = htlcs[1].terms.output_index;
        htlcs[1].terms.output_index = first;
    });
    assert!(matches!(found, NotDefendable::Output { .. }), "{found}");
    let found = why(&pair, |record| record.remote.content.local_sat = 420_001);
    assert_eq!(found, NotDefendable::Overspent { number: 1 });
    let found = why(&pair, |record| record.local.content.htlcs[0].terms.amount_msat = u64::MAX);
    assert_eq!(found, NotDefendable::Overspent { number: 1 });
}

#[test]
fn an_htlc_that_only_one_list_trims_is_found() {
    let pair = Pair::new();
    let found = why(&pair, |record| record.remote.content.htlcs[0].terms.output_index = None);
    assert!(
        matches!(found, NotDefendable::Output { .. } | NotDefendable::Transaction { .. }),
        "{found}"
    );
    let found = why(&pair, |record| record.remote.content.local_sat = 349_999);
    assert_eq!(found, NotDefendable::Transaction { number: 1 });
}

#[test]
fn numbers_that_do_not_follow_and_doubles_are_found() {
    let pair = Pair::new();
    let found = why(&pair, |record| {
        record.remote_previous = Some(pair.remote(3, (400_000, 590_000), &[]));
    });
    assert_eq!(found, NotDefendable::Numbers { previous: 3, current: 1 });
    let found = why(&pair, |record| {
        let twin = record.local.content.htlcs[0].clone();
        record.local.content.htlcs.push(twin);
    });
    assert_eq!(found, NotDefendable::Limit { what: "HTLCs with one number" });
}
