//! Forwards, from one channel to another.

pub(crate) mod forward;
