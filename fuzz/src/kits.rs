//! The worlds in which the tests of other crates are written. There is one of each, so they are
//! used from where they are.

#[path = "../../crates/api/tests/common/mod.rs"]
pub(crate) mod api;

#[path = "../../crates/hosted/tests/common/mod.rs"]
pub(crate) mod channel;

#[path = "../../crates/engine/tests/common/mod.rs"]
pub(crate) mod engine;

#[path = "../../crates/onion/tests/support/mod.rs"]
pub(crate) mod onion;
