//! The world in which the tests of the API are written. There is one, so it is used from where it is.

#[path = "../../crates/api/tests/common/mod.rs"]
pub(crate) mod api;
