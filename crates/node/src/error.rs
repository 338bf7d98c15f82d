//! Errors of the parts, in the one form that people and programs see.

use steward_chain::ChainError;
use steward_engine::{Blame, Error};
use steward_store::StoreError;

use crate::config::ConfigError;
use crate::random::RandomError;
use crate::seed::SeedError;

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::bad_request("config_invalid", error.to_string()).hint(error.hint())
    }
}

impl From<SeedError> for Error {
    fn from(error: SeedError) -> Self {
        let text = error.to_string();
        match error {
            SeedError::WordCount { .. } => Self::bad_request("seed_invalid", text).hint(
                "Compare it with what you wrote down. Shares of 20 or 33 words (SLIP39) are of another kind, which steward cannot use.",
            ),
            SeedError::UnknownWord { .. } => Self::bad_request("seed_invalid", text).hint(
                "Compare it with what you wrote down. Only English BIP39 words can be used: one in another language, or of Electrum, is another kind of seed.",
            ),
            SeedError::Checksum => Self::bad_request("seed_invalid", text).hint(
                "Compare it with what you wrote down. If it is right it may be another kind of seed, with the same words: LND's (aezeed) and Electrum's cannot be used here.",
            ),
            SeedError::Numbering => Self::bad_request("seed_invalid", text)
                .hint("Write each word once, with its number before it or with none."),
            SeedError::Exists { .. } => Self::refused("seed_exists", text)
                .hint("Choose another data directory for another seed."),
            SeedError::Missing { .. } => Self::bad_request("seed_missing", text)
                .hint("Restore the seed from its words, or choose another data directory."),
            SeedError::Unshown { .. } => Self::refused("seed_not_shown", text).hint(
                "`steward seed` shows them: write them down, then start. With the disk the seed is gone.",
            ),
            SeedError::Readable { ref path } => {
                let hint = format!("Run chmod 600 {}", path.display());
                Self::refused("seed_readable", text).hint(hint)
            }
            SeedError::Io { .. } => Self::ours("seed_unreadable", text)
                .hint("Check the path and that this user may read and write there."),
            SeedError::Random(error) => error.into(),
        }
    }
}

impl From<RandomError> for Error {
    fn from(error: RandomError) -> Self {
        Self::ours("no_randomness", error.to_string()).hint("Check the system's sandbox.")
    }
}

/// The store cannot be opened or read.
pub(crate) fn store_error(error: &StoreError) -> Error {
    let blame = match error {
        StoreError::Locked { .. } | StoreError::Busy => Blame::Unavailable,
        StoreError::InTheWay { .. } => Blame::Refused,
        StoreError::WrongNetwork { .. }
        | StoreError::WrongNode { .. }
        | StoreError::NotFound { .. } => Blame::BadRequest,
        StoreError::AlreadyExists { .. } => Blame::Refused,
        _ => Blame::OurFault,
    };
    Error::new(blame, error.code(), error.to_string()).hint(error.hint())
}

/// A backup was not made: where it was to go is its caller's choice.
pub(crate) fn backup_error(error: &StoreError) -> Error {
    match error {
        StoreError::Io { .. } => Error::refused("backup_not_possible", error.to_string())
            .hint("Check the path and its permissions, on the node's machine."),
        StoreError::AlreadyExists { .. } => {
            Error::refused(error.code(), error.to_string()).hint("Choose another name.")
        }
        _ => store_error(error),
    }
}

/// A commit failed: the node stops.
pub(crate) fn commit_error(error: &StoreError) -> Error {
    Error::ours("store_failed", format!("the node stopped because a commit failed: {error}"))
        .hint(error.hint())
}

/// The chain source turned out to be unusable: the node stops.
pub(crate) fn chain_error(error: &ChainError) -> Error {
    Error::bad_request("chain_source_unusable", error.to_string()).hint(error.hint())
}

/// Asked of a node that has stopped or is about to.
pub(crate) fn stopping() -> Error {
    Error::unavailable("node_stopped", "the node is stopping or has stopped")
        .hint("Start it again.")
}
