//! The errors of a seed.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::random::RandomError;

/// The reason why there is no seed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SeedError {
    /// The number of words is not a length of BIP39.
    #[error("a seed has 12, 15, 18, 21 or 24 words, this one has {found}")]
    WordCount {
        /// The number of words given.
        found: usize,
    },
    /// The word is in no English BIP39 list. The word itself is not repeated: this may be logged.
    #[error("word {position} is not in the English BIP39 word list")]
    UnknownWord {
        /// The position of the word, counted from 1.
        position: usize,
    },
    /// All words are known, but not together.
    #[error("the words do not fit together: one is wrong, or their order is")]
    Checksum,
    /// Some words have numbers, which do not put them in order.
    #[error("the numbers beside the words do not run from 1 on, each once and before its word")]
    Numbering,
    /// There is one already, which is never overwritten.
    #[error("{path} exists and is never overwritten")]
    Exists {
        /// The seed file.
        path: PathBuf,
    },
    /// There is none yet.
    #[error("there is no seed at {path}")]
    Missing {
        /// The seed file.
        path: PathBuf,
    },
    /// The words of the seed were never shown.
    #[error("the words of the new seed {path} were never shown")]
    Unshown {
        /// The seed file.
        path: PathBuf,
    },
    /// Other users can read the seed file, and with the words they have the money.
    #[error("other users may read {path}, which holds the words of the seed")]
    Readable {
        /// The seed file.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The system gives no random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
}
