//! The errors of a chain source: one sentence for what happened, one for what to do.

use bitcoin::{BlockHash, Network};
use thiserror::Error;

use crate::limits::MAX_REMOTE_TEXT_CHARS;
use crate::network::network_name;

/// The reason why the chain's height is not known. `endpoint` names the source without its
/// credentials.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The `[chain]` configuration cannot be used as it is.
    #[error("{problem}")]
    Config {
        /// The description of what is wrong.
        problem: String,
        /// The advice what to write instead.
        hint: String,
    },
    /// There is no connection, or no whole answer in time.
    #[error("{endpoint} cannot be reached: {reason}")]
    Unreachable {
        /// The source.
        endpoint: String,
        /// The error of the connection.
        reason: String,
    },
    /// The source does not accept our credentials.
    #[error("{endpoint} refuses our credentials: {reason}")]
    Unauthorized {
        /// The source.
        endpoint: String,
        /// The description of what was refused, never the credentials themselves.
        reason: String,
    },
    /// The source follows another chain than the configured one.
    #[error(
        "{endpoint} is on another chain: its genesis block is {found}, {} has {}",
        network_name(*expected),
        bitcoin::constants::genesis_block(*expected).block_hash()
    )]
    WrongNetwork {
        /// The source.
        endpoint: String,
        /// The configured network.
        expected: Network,
        /// The source's own genesis block.
        found: BlockHash,
    },
    /// The source answered the request with an error.
    #[error("{endpoint} answered with error {code}: {message}")]
    Refused {
        /// The source.
        endpoint: String,
        /// The JSON-RPC error code or HTTP status; 0 where the protocol has none.
        code: i64,
        /// The source's own text, shortened and printable. It is for people; no code acts on it.
        message: String,
    },
    /// The answer is longer than any honest one.
    #[error("{endpoint} sent more than {limit_bytes} bytes for one question")]
    TooLarge {
        /// The source.
        endpoint: String,
        /// The limit that was exceeded, in bytes.
        limit_bytes: usize,
    },
    /// The answer is not what the source's protocol promises.
    #[error("{endpoint} sent an answer that makes no sense: {problem}")]
    Malformed {
        /// The source.
        endpoint: String,
        /// The description of what is wrong with it.
        problem: String,
    },
    /// A file that the source depends on cannot be used.
    #[error("file {path} cannot be used: {reason}")]
    File {
        /// The file as configured.
        path: String,
        /// The reason why it cannot be used.
        reason: String,
    },
    /// The source's own code failed, and the watcher has lost it.
    #[error("the code that asks {endpoint} has failed")]
    Broken {
        /// The source.
        endpoint: String,
    },
}

impl ChainError {
    /// Returns the advice for the operator, as one sentence.
    pub fn hint(&self) -> &str {
        match self {
            Self::Config { hint, .. } => hint,
            Self::Unreachable { .. } => {
                "Check that the chain source is running and that `chain.url` names it."
            }
            Self::Unauthorized { .. } => {
                "Check `chain.cookie_file`, or `chain.user` and `chain.password`, and `rpcallowip` of bitcoind."
            }
            Self::WrongNetwork { .. } => {
                "Set `network` to the chain the source follows, or `chain.url` to a source on the right chain."
            }
            Self::Refused { .. } => {
                "A source that is still starting needs patience; otherwise look into its log."
            }
            Self::TooLarge { .. } | Self::Malformed { .. } => {
                "Check that `chain.url` names a source of the kind given in `chain.source`."
            }
            Self::File { .. } => "Check the path and that this user may read the file.",
            Self::Broken { .. } => "This is a bug: restart the node and report it with the log.",
        }
    }

    /// Returns true if asking again cannot help and the node must not run on this source.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Config { .. } | Self::WrongNetwork { .. } | Self::Broken { .. })
    }

    pub(crate) fn config(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Config { problem: problem.into(), hint: hint.into() }
    }

    pub(crate) fn unreachable(endpoint: &str, reason: impl ToString) -> Self {
        Self::Unreachable { endpoint: endpoint.into(), reason: printable(&reason.to_string()) }
    }

    pub(crate) fn malformed(endpoint: &str, problem: impl ToString) -> Self {
        Self::Malformed { endpoint: endpoint.into(), problem: printable(&problem.to_string()) }
    }

    pub(crate) fn refused(endpoint: &str, code: i64, message: &str) -> Self {
        Self::Refused { endpoint: endpoint.into(), code, message: printable(message) }
    }
}

/// Makes the text of others safe for a log line: no control characters, bounded length.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_REMOTE_TEXT_CHARS)
        .collect::<String>()
        .trim()
        .to_owned()
}
