//! What is carried from one channel to another.

pub(crate) mod forward;
