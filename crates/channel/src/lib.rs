//! The state machine of one hosted channel, both roles, without I/O.
//!
//! A [`Channel`] is a pure value. Feed it an [`Input`]; it answers with [`Output`]s, in the order
//! they must take effect. Own updates wait, without an id, until [`Channel::flush`] sends all of
//! them under one signature (design.md section 3, "Coalescing").
#![forbid(unsafe_code)]

mod io;

pub use io::*;
