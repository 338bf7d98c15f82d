//! Errors of the store and of stopping, in the one form that people and programs see.

use steward_engine::{Code, Error};
use steward_store::StoreError;

/// Maps the error of a store that cannot be opened or read.
pub fn store_error(error: &StoreError) -> Error {
    Error::new(error.code(), error.to_string()).hint(error.hint())
}

/// Maps the error of a failed commit, which stops the node.
pub(crate) fn commit_error(error: &StoreError) -> Error {
    Error::new(Code::StoreFailed, format!("the node stopped because a commit failed: {error}"))
        .hint(error.hint())
}

/// The error of a command to a node that has stopped or is about to.
pub fn stopping() -> Error {
    Error::new(Code::NodeStopped, "the node is stopping or has stopped").hint("Start it again.")
}
