//! What happens on chain after each way in which a channel can die.

mod common;

use bitcoin::Transaction;
use bitcoin::absolute::LockTime;
use common::chain::Dying;
use common::{Pair, incoming, outgoing, preimage};
use steward_resolver::{Balance, ChannelAtDeath, Input, Purpose, RevokedCommitment};

fn spends(transaction: &Transaction, of: &Transaction, output: Option<u32>) -> bool {
    transaction.input.iter().any(|input| {
        input.previous_output.txid == of.compute_txid()
            && Some(input.previous_output.vout) == output
    })
}

fn output_of(record: &ChannelAtDeath, id: u64) -> Option<u32> {
    let htlcs = &record.remote.content.htlcs;
    htlcs.iter().find(|htlc| htlc.id == id).unwrap().terms.output_index
}

#[test]
fn on_the_peers_commitment_a_known_preimage_claims_and_an_expired_htlc_returns() {
    let pair = Pair::new();
    let mut record = pair.with_htlcs();
    record.preimages = vec![preimage(2)];
    let mut dying = Dying::new(&pair, &record);
    let commitment = pair.published(&record.remote.content, false);
    dying.block(&[&commitment]);
    let claims = dying.take_spends(&commitment);
    assert!(claims.iter().any(|claim| spends(claim, &commitment, output_of(&record, 5))));
    dying.blocks_to(299);
    assert!(dying.resolved.is_empty());
    dying.blocks_to(300);
    let timeout = dying.take_spends(&commitment);
    let timeout: Vec<_> =
        timeout.iter().filter(|claim| spends(claim, &commitment, output_of(&record, 77))).collect();
    assert!(!timeout.is_empty());
    assert_eq!(timeout[0].lock_time, LockTime::from_height(300).unwrap());
    let timeout = timeout[0].clone();
    dying.block(&[&timeout]);
    for _ in 0..4 {
        dying.block(&[]);
    }
    assert!(dying.resolved.is_empty(), "five confirmations are not enough");
    dying.block(&[]);
    assert_eq!(dying.resolved, [(77, None)]);
    assert!(!dying.is_done, "the incoming HTLC is not claimed yet");
}

#[test]
fn a_revoked_commitment_loses_all_its_outputs_to_us() {
    let pair = Pair::new();
    let htlcs = [outgoing(77, 50_000, 300, 1), incoming(5, 40_000, 400, 2)];
    let revoked = pair.remote(1, (350_000, 540_000), &htlcs);
    let local = pair.local(2, (400_000, 590_000), &[]);
    let mut record = pair.record(local, pair.remote(2, (400_000, 590_000), &[]));
    let commitment = pair.published(&revoked.content, false);
    record.revoked = Some(RevokedCommitment {
        number: 1,
        txid: commitment.compute_txid(),
        htlcs: revoked.content.htlcs.iter().map(|htlc| htlc.terms.clone()).collect(),
    });
    let mut dying = Dying::new(&pair, &record);
    dying.block(&[&commitment]);
    let penalties = dying.take_spends(&commitment);
    // Two anchors and what is ours anyway are not taken.
    let taken: usize = penalties.iter().map(|penalty| penalty.input.len()).sum();
    assert_eq!(taken, 3);
    let punished = dying.resolver.balances();
    for sat in [540_000, 50_000, 40_000] {
        assert!(punished.contains(&Balance::Punished { amount_sat: sat }), "{punished:?}");
    }
    let penalties: Vec<&Transaction> = penalties.iter().collect();
    dying.block(&penalties);
    dying.blocks_to(120);
    let sweeps = dying.take();
    let to_remote =
        sweeps.iter().find(|sweep| spends(sweep, &commitment, output_to_us(&commitment)));
    dying.block(&[to_remote.unwrap()]);
    assert!(!dying.is_done);
    dying.blocks_to(dying.height() + 5);
    assert!(dying.is_done);
}

fn output_to_us(commitment: &Transaction) -> Option<u32> {
    let value = bitcoin::Amount::from_sat(350_000);
    let at = commitment.output.iter().position(|output| output.value == value)?;
    u32::try_from(at).ok()
}

#[test]
fn our_own_commitment_is_published_with_a_child_and_its_htlcs_are_paid_for_with_coins() {
    let pair = Pair::new();
    let mut record = pair.with_htlcs();
    record.preimages = vec![preimage(2)];
    let mut dying = Dying::new(&pair, &record);
    dying.feerates.urgent_per_kw = 20_000;
    dying.give(&Input::Publish);
    let packages = std::mem::take(&mut dying.published);
    let (purpose, package) = &packages[0];
    assert_eq!((*purpose, package.len()), (Purpose::Commitment, 2), "{packages:?}");
    let commitment = pair.published(&record.local.content, true);
    assert_eq!(package[0].compute_txid(), commitment.compute_txid());
    dying.block(&[&package[0], &package[1]]);
    let claims = dying.take_spends(&commitment);
    let success = claims.iter().find(|claim| claim.input.len() == 2).unwrap();
    assert!(!dying.lacked_coins);
    dying.block(&[success]);
    dying.blocks_to(300);
    let claims = dying.take_spends(&commitment);
    let expired = LockTime::from_height(300).unwrap();
    let timeout = claims.iter().find(|claim| claim.lock_time == expired).unwrap();
    dying.block(&[timeout]);
    dying.blocks_to(306);
    assert_eq!(dying.resolved, [(77, None)]);
    // The remote side's delay of 144 blocks, for our balance and both HTLCs.
    dying.blocks_to(301 + 144);
    let sweeps: Vec<_> =
        dying.published.iter().filter(|(purpose, _)| *purpose == Purpose::Sweep).collect();
    assert!(!sweeps.is_empty());
    let mut swept: Vec<_> = sweeps.iter().flat_map(|(_, package)| package.clone()).collect();
    swept.sort_by_key(Transaction::compute_txid);
    swept.dedup_by_key(|sweep| sweep.compute_txid());
    let inputs: usize = swept.iter().map(|sweep| sweep.input.len()).sum();
    assert!(inputs >= 3, "{swept:?}");
    let sum: u64 = dying.sweepable.iter().map(|(_, value_sat)| value_sat).sum();
    assert_eq!(sum, 350_000 + 50_000 + 40_000);
}

#[test]
fn without_coins_our_commitment_is_published_alone_and_the_lack_is_told() {
    let pair = Pair::new();
    let record = pair.with_htlcs();
    let mut dying = Dying::new(&pair, &record);
    dying.wallet.previous.clear();
    dying.feerates.urgent_per_kw = 20_000;
    dying.give(&Input::Publish);
    assert!(dying.lacked_coins);
    let commitment = pair.published(&record.local.content, true);
    let published: Vec<_> = dying.take().iter().map(Transaction::compute_txid).collect();
    assert_eq!(published, [commitment.compute_txid()]);
}

#[test]
fn an_htlc_that_is_absent_from_the_older_of_two_commitments_fails_six_deep() {
    let pair = Pair::new();
    let htlcs = [outgoing(77, 50_000, 300, 1), incoming(5, 40_000, 400, 2)];
    let local = pair.local(0, (400_000, 590_000), &[]);
    let previous = pair.remote(0, (400_000, 590_000), &[]);
    let mut record = pair.record(local, pair.remote(1, (350_000, 540_000), &htlcs));
    let commitment = pair.published(&previous.content, false);
    record.remote_previous = Some(previous);
    record.secrets = vec![];
    let mut dying = Dying::new(&pair, &record);
    dying.block(&[&commitment]);
    for _ in 0..4 {
        dying.block(&[]);
    }
    assert!(dying.resolved.is_empty());
    dying.block(&[]);
    assert_eq!(dying.resolved, [(77, None)]);
}

#[test]
fn an_htlc_that_was_fulfilled_is_never_reported_as_failed() {
    let pair = Pair::new();
    let htlcs = [outgoing(77, 50_000, 300, 1)];
    let local = pair.local(0, (400_000, 590_000), &[]);
    let previous = pair.remote(0, (400_000, 590_000), &[]);
    let mut record = pair.record(local, pair.remote(1, (350_000, 590_000), &htlcs));
    let commitment = pair.published(&previous.content, false);
    record.remote_previous = Some(previous);
    record.secrets = vec![];
    record.fulfilled = vec![steward_resolver::FulfilledHtlc { id: 77, preimage: preimage(1) }];
    let mut dying = Dying::new(&pair, &record);
    dying.block(&[&commitment]);
    dying.blocks_to(dying.height() + 20);
    assert!(dying.resolved.is_empty());
}

#[test]
fn a_trimmed_htlc_fails_six_deep_whoever_published() {
    for is_ours in [false, true] {
        let pair = Pair::new();
        let htlcs = [outgoing(78, 200, 300, 1), outgoing(77, 50_000, 300, 3)];
        let local = pair.local(1, (349_800, 590_000), &htlcs);
        let record = pair.record(local, pair.remote(1, (349_800, 590_000), &htlcs));
        let content = if is_ours { &record.local.content } else { &record.remote.content };
        let commitment = pair.published(content, is_ours);
        let mut dying = Dying::new(&pair, &record);
        dying.block(&[&commitment]);
        dying.blocks_to(dying.height() + 4);
        assert!(dying.resolved.is_empty());
        dying.block(&[]);
        assert_eq!(dying.resolved, [(78, None)]);
    }
}

#[test]
fn a_preimage_that_the_peer_shows_on_chain_is_reported_at_once() {
    let pair = Pair::new();
    let record = pair.with_htlcs();
    let commitment = pair.published(&record.remote.content, false);
    let mut dying = Dying::new(&pair, &record);
    dying.block(&[&commitment]);
    let claim = claim_with_preimage(&commitment, output_of(&record, 77).unwrap(), [1; 32]);
    dying.block(&[&claim]);
    assert_eq!(dying.resolved, [(77, Some(preimage(1)))]);
    dying.disconnect(1);
    dying.block(&[&claim]);
    dying.blocks_to(dying.height() + 8);
    assert_eq!(dying.resolved.len(), 1, "a reorg does not take a preimage back, nor repeat it");
}

/// A transaction of the shape of an HTLC-success transaction of the peer. Nobody here runs scripts.
fn claim_with_preimage(of: &Transaction, vout: u32, preimage: [u8; 32]) -> Transaction {
    let mut claim = of.clone();
    claim.lock_time = LockTime::ZERO;
    claim.input[0].previous_output = bitcoin::OutPoint { txid: of.compute_txid(), vout };
    // An accepted HTLC's script with anchors has 140 bytes; LDK tells the kinds apart by that.
    let script = vec![0; 140];
    claim.input[0].witness = bitcoin::Witness::from_slice(&[
        vec![],
        vec![1; 71],
        vec![1; 71],
        preimage.to_vec(),
        script,
    ]);
    claim.output.truncate(1);
    claim
}

#[test]
fn after_a_reorg_our_commitment_may_confirm_in_place_of_the_peers() {
    let pair = Pair::new();
    let mut record = pair.with_htlcs();
    record.preimages = vec![preimage(2)];
    let mut dying = Dying::new(&pair, &record);
    let theirs = pair.published(&record.remote.content, false);
    let ours = pair.published(&record.local.content, true);
    dying.block(&[&theirs]);
    dying.block(&[]);
    dying.take();
    dying.disconnect(2);
    dying.take();
    dying.block(&[&ours]);
    let claims = dying.take_spends(&ours);
    assert!(claims.iter().any(|claim| claim.input.len() == 2), "{claims:?}");
    assert!(dying.take_spends(&theirs).is_empty());
}

#[test]
fn a_commitment_newer_than_we_know_pays_us_and_ours_is_never_published() {
    let pair = Pair::new();
    let local = pair.local(0, (400_000, 590_000), &[]);
    let mut record = pair.record(local, pair.remote(0, (400_000, 590_000), &[]));
    record.may_publish = false;
    let newer = pair.content(
        false,
        1,
        (350_000, 540_000),
        &[outgoing(77, 50_000, 300, 1), incoming(5, 40_000, 400, 2)],
    );
    let commitment = pair.published(&newer, false);
    let mut dying = Dying::new(&pair, &record);
    dying.block(&[&commitment]);
    dying.blocks_to(dying.height() + 6);
    assert_eq!(dying.sweepable.len(), 1);
    assert_eq!(dying.sweepable[0].1, 350_000);
    let sweep = dying.take_spends(&commitment).pop().unwrap();
    dying.block(&[&sweep]);
    dying.blocks_to(dying.height() + 5);
    assert!(dying.is_done);
}

#[test]
fn a_preimage_that_comes_after_the_death_claims_in_the_next_step() {
    let pair = Pair::new();
    let record = pair.with_htlcs();
    let mut dying = Dying::new(&pair, &record);
    let commitment = pair.published(&record.remote.content, false);
    dying.block(&[&commitment]);
    dying.blocks_to(110);
    assert!(
        !dying
            .take_spends(&commitment)
            .iter()
            .any(|claim| { spends(claim, &commitment, output_of(&record, 5)) })
    );
    dying.give(&Input::Preimage(preimage(2)));
    let claims = dying.take_spends(&commitment);
    assert!(claims.iter().any(|claim| spends(claim, &commitment, output_of(&record, 5))));
}

#[test]
fn a_sweep_that_waits_pays_more() {
    let pair = Pair::new();
    let record = pair.with_htlcs();
    let commitment = pair.published(&record.remote.content, false);
    let mut dying = Dying::new(&pair, &record);
    dying.block(&[&commitment]);
    dying.blocks_to(106);
    let value = |sweeps: Vec<Transaction>| sweeps.last().map(|one| one.output[0].value);
    let early = value(dying.take());
    dying.blocks_to(120);
    let late = value(dying.take());
    assert!(early.is_some() && late < early, "{early:?} {late:?}");
}

#[test]
fn twins_in_a_revoked_commitment_are_each_reported() {
    let pair = Pair::new();
    let twins = [outgoing(7, 50_000, 300, 1), outgoing(9, 50_000, 310, 1)];
    let revoked = pair.remote(1, (300_000, 590_000), &twins);
    let local = pair.local(2, (300_000, 590_000), &twins);
    let mut record = pair.record(local, pair.remote(2, (300_000, 590_000), &twins));
    let commitment = pair.published(&revoked.content, false);
    record.revoked = Some(RevokedCommitment {
        number: 1,
        txid: commitment.compute_txid(),
        htlcs: revoked.content.htlcs.iter().map(|htlc| htlc.terms.clone()).collect(),
    });
    let mut dying = Dying::new(&pair, &record);
    dying.block(&[&commitment]);
    for htlc in &revoked.content.htlcs {
        let claim = claim_with_preimage(&commitment, htlc.terms.output_index.unwrap(), [1; 32]);
        dying.block(&[&claim]);
    }
    assert_eq!(dying.resolved, [(7, Some(preimage(1))), (9, Some(preimage(1)))]);
}

#[test]
fn a_commitment_that_may_be_revoked_is_not_published_even_when_an_htlc_expires() {
    for may_publish in [true, false] {
        let pair = Pair::new();
        let mut record = pair.with_htlcs();
        record.may_publish = may_publish;
        let mut dying = Dying::new(&pair, &record);
        dying.blocks_to(310);
        let ours = pair.published(&record.local.content, true).compute_txid();
        let is_published = dying.take().iter().any(|one| one.compute_txid() == ours);
        assert_eq!(is_published, may_publish);
    }
}

#[test]
fn a_source_of_blocks_that_repeats_itself_does_no_harm() {
    let pair = Pair::new();
    let record = pair.with_htlcs();
    let mut dying = Dying::new(&pair, &record);
    let theirs = pair.published(&record.remote.content, false);
    let ours = pair.published(&record.local.content, true);
    dying.block(&[&theirs]);
    let balances = dying.resolver.balances();
    dying.block(&[&theirs]);
    dying.block(&[&ours]);
    assert_eq!(dying.resolver.balances(), balances);
    let best = dying.resolver.best_block();
    let header = common::chain::header(best.hash, 1);
    dying.give(&Input::Block { header: &header, transactions: &[], height: best.height });
    assert_eq!(dying.resolver.best_block(), best, "a height that was fed is not fed again");
}
