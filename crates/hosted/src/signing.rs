//! The one place where a state is signed, and the day that a signature covers.

use steward_wire::{Identity, LastCrossSignedState, Message, StateUpdate, invariant};

use crate::io::Env;
use crate::limits::{BLOCKS_PER_DAY, MAX_BLOCK_DAY_DRIFT};

/// Puts our signature into our copy of a state. Every signature of ours is made here.
pub(crate) fn sign(state: &mut LastCrossSignedState, local: &dyn Identity) {
    let hash = state.reverse_sighash();
    sign_hashed(state, hash, local);
}

/// Signs a state whose hash, on the peer's side, is known.
pub(crate) fn sign_hashed(state: &mut LastCrossSignedState, hash: [u8; 32], local: &dyn Identity) {
    invariant!(state.is_balanced(), "what we sign adds up to the capacity");
    debug_assert_eq!(hash, state.reverse_sighash(), "the hash is of another state");
    state.local_sig_of_remote = LastCrossSignedState::sign_hash(hash, local);
}

/// The `state_update` that hands out our signature in `state`.
pub(crate) fn state_update(state: &LastCrossSignedState) -> Message {
    Message::StateUpdate(StateUpdate {
        block_day: state.block_day,
        local_updates: state.local_updates,
        remote_updates: state.remote_updates,
        local_sig_of_remote: state.local_sig_of_remote,
    })
}

/// Today, as states count days.
pub(crate) fn block_day(env: &Env<'_>) -> u32 {
    env.height / BLOCKS_PER_DAY
}

/// True if the peer's day is close enough to ours.
pub(crate) fn is_day_acceptable(day: u32, env: &Env<'_>) -> bool {
    day.abs_diff(block_day(env)) <= MAX_BLOCK_DAY_DRIFT
}
