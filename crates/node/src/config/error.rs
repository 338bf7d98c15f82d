//! The reasons why there is no usable configuration, each with what to do about it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::origin::Origin;
use crate::limits::MAX_CONFIG_FILE_BYTES;

/// The reason why there is no usable configuration.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is text of another kind.
    #[error("configuration file {path}: it is {encoding}")]
    Encoding {
        /// The file.
        path: PathBuf,
        /// The encoding it seems to have.
        encoding: String,
    },
    /// An environment variable that sets nothing, and seems to be meant to.
    #[error("environment, {variable}: it sets nothing; did you mean {meant}?")]
    UnknownVariable {
        /// Its name.
        variable: String,
        /// The one that sets something.
        meant: String,
    },
    /// The file is longer than any configuration.
    #[error("configuration file {path} is longer than {MAX_CONFIG_FILE_BYTES} bytes")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The file is not TOML.
    #[error("{path}, line {line}: {problem}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The parser's message.
        problem: String,
    },
    /// There is no such key.
    #[error("{origin}: there is no key `{key}`{}", did_you_mean(suggestion))]
    UnknownKey {
        /// The place where it was given.
        origin: Origin,
        /// The key as given.
        key: String,
        /// The key that may have been meant.
        suggestion: Option<String>,
    },
    /// The key exists, the value does not fit it.
    #[error("{origin}: `{key}`: {problem}")]
    BadValue {
        /// The place where it was given.
        origin: Origin,
        /// The key.
        key: String,
        /// The expected and the found kind of value.
        problem: String,
    },
    /// A flag that is not `key=value`.
    #[error("flag --set {text}: expected section.key=value")]
    NotAnOverride {
        /// The flag as given.
        text: String,
    },
    /// Values that do not fit together, or that the node must not run with.
    #[error("{problem}")]
    Unusable {
        /// The problem, in a sentence.
        problem: String,
        /// The hint for the operator.
        hint: String,
    },
}

impl ConfigError {
    /// Returns the hint for the operator.
    pub fn hint(&self) -> &str {
        match self {
            Self::Unusable { hint, .. } => hint,
            Self::UnknownKey { .. } => "`steward config` lists every key.",
            Self::Encoding { .. } => "Save it as UTF-8, also called Unicode (UTF-8).",
            Self::UnknownVariable { .. } => {
                "Section and key are joined by two underscores. If it is not meant for steward, give it another name."
            }
            Self::NotAnOverride { .. } => "For example --set network=regtest.",
            Self::Unreadable { .. } => "Check the path and that this user may read the file.",
            _ => "`steward config` shows every key with its meaning and default.",
        }
    }
}

fn did_you_mean(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map_or_else(String::new, |key| format!("; did you mean `{key}`?"))
}
