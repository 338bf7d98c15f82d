//! What a start needs: going on from what is stored, and what is not guessed if that may be an old
//! copy.

pub(crate) mod resume;
pub(crate) mod stale_data;
