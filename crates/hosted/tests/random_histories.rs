//! Random histories of two sides: whatever is lost on the way, both end with the same state, no
//! money is made or lost, and every HTLC has exactly one fate.

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use steward_testkit::hosted::world::{World, rough_step, step};

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn honest_histories_end_in_agreement(
        eager in any::<bool>(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut world = World::new(eager, false);
        for step in steps {
            world.take(step);
        }
        world.finish();
    }

    /// Suspensions, time-outs and overrides among the rest.
    #[test]
    fn rough_histories_end_in_agreement_too(
        eager in any::<bool>(),
        steps in prop::collection::vec(rough_step(), 1..80),
    ) {
        let mut world = World::new(eager, true);
        for step in steps {
            world.take(step);
        }
        world.finish();
    }
}
