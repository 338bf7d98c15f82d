//! The errors of the parts, in the one form that people and programs see.

use steward_chain::ChainError;
use steward_engine::{Code, Error};
pub(crate) use steward_runtime::error::store_error;
use steward_store::StoreError;

use crate::config::ConfigError;
use crate::random::RandomError;
use crate::seed_error::SeedError;

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::new(Code::ConfigInvalid, error.to_string()).hint(error.hint())
    }
}

impl From<SeedError> for Error {
    fn from(error: SeedError) -> Self {
        let text = error.to_string();
        match error {
            SeedError::WordCount { .. } => Self::new(Code::SeedInvalid, text).hint(
                "Compare it with what you wrote down. Shares of 20 or 33 words (SLIP39) are of another kind, which steward cannot use.",
            ),
            SeedError::UnknownWord { .. } => Self::new(Code::SeedInvalid, text).hint(
                "Compare it with what you wrote down. Only English BIP39 words can be used: one in another language, or of Electrum, is another kind of seed.",
            ),
            SeedError::Checksum => Self::new(Code::SeedInvalid, text).hint(
                "Compare it with what you wrote down. If it is right it may be another kind of seed, with the same words: LND's (aezeed) and Electrum's cannot be used here.",
            ),
            SeedError::Numbering => Self::new(Code::SeedInvalid, text)
                .hint("Write each word once, with its number before it or with none."),
            SeedError::Exists { .. } => Self::new(Code::SeedExists, text)
                .hint("Choose another data directory for another seed."),
            SeedError::Missing { .. } => Self::new(Code::SeedMissing, text)
                .hint("Restore the seed from its words, or choose another data directory."),
            SeedError::Unshown { .. } => Self::new(Code::SeedNotShown, text).hint(
                "`steward seed` shows them: write them down, then start. With the disk the seed is gone.",
            ),
            SeedError::Readable { ref path } => {
                let hint = format!("Run chmod 600 {}", path.display());
                Self::new(Code::SeedReadable, text).hint(hint)
            }
            SeedError::Io { .. } => Self::new(Code::SeedUnreadable, text)
                .hint("Check the path and that this user may read and write there."),
            SeedError::Random(error) => error.into(),
        }
    }
}

impl From<RandomError> for Error {
    fn from(error: RandomError) -> Self {
        Self::new(Code::NoRandomness, error.to_string()).hint("Check the system's sandbox.")
    }
}

/// Maps the error of a backup, whose place is its caller's choice.
pub(crate) fn backup_error(error: &StoreError) -> Error {
    match error {
        StoreError::Io { .. } => Error::new(Code::BackupNotPossible, error.to_string())
            .hint("Check the path and its permissions, on the node's machine."),
        StoreError::AlreadyExists { .. } => {
            Error::new(error.code(), error.to_string()).hint("Choose another name.")
        }
        _ => store_error(error),
    }
}

/// Maps the error of a chain source that turned out to be unusable, which stops the node.
pub(crate) fn chain_error(error: &ChainError) -> Error {
    Error::new(Code::ChainSourceUnusable, error.to_string()).hint(error.hint())
}
