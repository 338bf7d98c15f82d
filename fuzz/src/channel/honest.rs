//! Two honest channels, a link that loses what a disconnection cuts off, and restarts. The world
//! and its oracles are those of the channel's own random histories.

use crate::bytes::Bytes;
use steward_testkit::hosted::CAPACITY_MSAT;
use steward_testkit::hosted::world::{Step, World};

/// The longest history, in steps: a few milliseconds of signatures.
const MAX_STEPS: usize = 60;

/// Checks that nothing ends in a suspension.
pub(crate) fn honest(data: &[u8]) {
    run(data, false);
}

/// Adds suspensions, time-outs and overrides to the steps.
pub(crate) fn rough(data: &[u8]) {
    run(data, true);
}

fn run(data: &[u8], rough: bool) {
    let mut input = Bytes::new(data);
    let mut world = World::new(input.flag(), rough);
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        world.take(step(&mut input, rough));
    }
    world.finish();
}

fn step(input: &mut Bytes<'_>, rough: bool) -> Step {
    let choice = input.u8();
    let by = choice & 0x80 != 0;
    match choice & 0x7f {
        0..=23 => {
            // The channel accepts these amounts, from the minimum to almost all of it.
            let amount_msat = 1_000 + u64::from(input.u16()) * 61_000;
            Step::Add { by, amount_msat }
        }
        24..=47 => Step::Settle { by, nth: input.below(4), fulfill: input.flag() },
        48..=79 => Step::Deliver { from: by, count: 1 + usize::from(choice & 3) },
        80..=87 => Step::Flush { by },
        88..=95 => {
            let (alice_delivers, bob_delivers) = (input.below(4), input.below(4));
            Step::Disconnect { alice_delivers, bob_delivers }
        }
        96..=103 => Step::Connect,
        104..=107 => Step::Restart { by },
        108 => Step::Block {
            blocks: u32::from(input.u8()) % 40,
            bob_lags: u32::from(input.u8()) % 100,
        },
        109..=110 => Step::Tick,
        111..=112 => Step::Resize { grow_sat: u64::from(input.u16()) * 16 },
        113..=115 if rough => Step::Suspend { by },
        116..=119 if rough => {
            let local_balance_msat = CAPACITY_MSAT / 256 * u64::from(input.u8());
            Step::ProposeOverride { local_balance_msat }
        }
        120..=123 if rough => Step::AcceptOverride,
        124..=125 if rough => Step::ExternalFulfill { by, nth: input.below(4) },
        126 if rough => Step::Block { blocks: 1_500 + u32::from(input.u8()) * 2, bob_lags: 0 },
        _ => Step::Connect,
    }
}
