//! A start: the engine goes on from the stored rows, and guesses nothing if they may be an old
//! copy.

pub(crate) mod resume;
pub(crate) mod stale_data;
