//! Crate `funded` plays against LDK's node; after every step its channel could be defended, and every
//! revoked commitment in its archive is punished.

mod common;
#[path = "../../funded/tests/opponent/mod.rs"]
mod opponent;

use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, Transaction, Witness};
use common::chain::Dying;
use common::destination;
use opponent::world::World;
use steward_funded::ArchivedCommitment;
use steward_funded::bolt3::{Commitment, Side};
use steward_resolver::{Balance, BestBlock, ChannelAtDeath, ChannelKeys, dry_run};

fn act(world: &mut World) {
    match world.rng.below(10) {
        0..=2 => {
            let amount_msat = 100_000 + world.rng.below(40_000_000);
            world.ldk_pays(amount_msat);
        }
        3..=5 => {
            let amount_msat = 100_000 + world.rng.below(40_000_000);
            world.we_pay(amount_msat, true);
        }
        6 | 7 => world.settle_one(),
        8 => {
            let per_kw = 253 + u32::try_from(world.rng.below(4_000)).unwrap();
            world.set_feerate(per_kw);
        }
        _ => world.flush(),
    }
    for _ in 0..world.rng.below(4) {
        world.deliver_one();
    }
}

fn best(world: &World) -> BestBlock {
    BestBlock { hash: BlockHash::from_byte_array([1; 32]), height: world.height }
}

fn record(
    world: &World,
    keys: &ChannelKeys,
    revoked: Option<(u64, &ArchivedCommitment)>,
) -> ChannelAtDeath {
    let defence = world.channel().defence().unwrap();
    ChannelAtDeath::new(&defence, revoked, best(world), destination(), keys).unwrap()
}

#[test]
fn a_channel_is_defendable_after_every_step_of_its_life() {
    let keys = ChannelKeys::new(&[7; 32]);
    let mut most_htlcs = 0;
    for seed in 0..3 {
        let mut world = World::open(seed);
        for _ in 0..80 {
            act(&mut world);
            let record = record(&world, &keys, None);
            most_htlcs = most_htlcs.max(record.remote.content.htlcs.len());
            dry_run(&record, &keys).unwrap();
        }
    }
    assert!(most_htlcs > 3, "{most_htlcs}");
}

#[test]
fn every_revoked_commitment_of_the_archive_loses_all_that_is_the_peers() {
    let keys = ChannelKeys::new(&[7; 32]);
    let mut world = World::open(5);
    for _ in 0..60 {
        act(&mut world);
    }
    let live = record(&world, &keys, None);
    let oldest = live.remote_previous.as_ref().unwrap_or(&live.remote).content.number;
    let mut with_htlcs = 0;
    let archive = world.database.archive.clone();
    for (number, row) in archive.iter().filter(|(number, _)| **number < oldest) {
        let archived = ArchivedCommitment::decode(row).unwrap();
        let defence = world.channel().defence().unwrap();
        let (owner, number) = (Side::Remote, *number);
        let built = Commitment {
            parameters: &defence.parameters,
            owner,
            number,
            point: archived.point,
            contents: &archived.contents,
        }
        .build();
        let mut transaction: Transaction = built.transaction();
        let signature = vec![1; 71];
        transaction.input[0].witness =
            Witness::from_slice(&[vec![], signature.clone(), signature.clone(), signature]);
        let record = record(&world, &keys, Some((number, &archived)));
        let mut dying = Dying::with_keys(&keys, &record);
        dying.block(&[&transaction]);
        let htlcs = built.htlcs().iter().filter(|(_, output)| output.is_some()).count();
        with_htlcs += usize::from(htlcs > 0);
        let outputs = htlcs + usize::from(built.to_owner_sat() > 0);
        let balances = dying.resolver.balances();
        let punished =
            balances.iter().filter(|one| matches!(one, Balance::Punished { .. })).count();
        assert_eq!(punished, outputs, "commitment {number}: {balances:?}");
        let spent: usize = dying.take_spends(&transaction).iter().map(|one| one.input.len()).sum();
        assert!(spent >= outputs, "commitment {number}");
    }
    assert!(with_htlcs > 3, "{with_htlcs}");
}
