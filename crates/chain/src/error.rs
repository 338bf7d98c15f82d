//! The errors of a chain source: one sentence for what happened, one for what to do.

use bitcoin::{BlockHash, Network, Txid};
use thiserror::Error;

use crate::lie::Lie;
use crate::limits::{MAX_REMOTE_TEXT_CHARS, POSITION_BLOCKS};
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
    /// The answer cannot be true on any chain, or contradicts what the source itself has shown.
    #[error("{endpoint} shows {lie}")]
    Untrue {
        /// The source.
        endpoint: String,
        /// What it shows.
        lie: Lie,
    },
    /// The source's chain leaves the one that was followed below everything that is remembered.
    #[error(
        "{endpoint} is on a chain that left ours below height {lowest}, more than {POSITION_BLOCKS} blocks ago"
    )]
    ReorgTooDeep {
        /// The source.
        endpoint: String,
        /// The lowest height whose hash is remembered.
        lowest: u32,
    },
    /// The source knows a block of its best chain, and does not have its transactions.
    #[error("{endpoint} does not have block {hash} of its own chain (height {height})")]
    BlockMissing {
        /// The source.
        endpoint: String,
        /// The block's height.
        height: u32,
        /// The block's hash.
        hash: BlockHash,
    },
    /// A transaction of ours was not taken, and the source does not have it either.
    #[error("{endpoint} does not take transaction {txid}: {reason} ({message})")]
    NotTaken {
        /// The source.
        endpoint: String,
        /// The transaction.
        txid: Txid,
        /// The reason, as far as the source's protocol tells it.
        reason: NotTaken,
        /// The source's own text, shortened and printable. It is for people; no code acts on it.
        message: String,
    },
    /// A package had to be sent one by one, since the source takes no packages, and the first
    /// transactions do not pay enough by themselves.
    #[error(
        "{endpoint} takes no packages, and transaction {txid} is not taken alone: {reason} ({message})"
    )]
    NoPackages {
        /// The source.
        endpoint: String,
        /// The transaction that was not taken. Those before it in the package were.
        txid: Txid,
        /// The reason, as far as the source's protocol tells it.
        reason: NotTaken,
        /// The source's own text, shortened and printable. It is for people; no code acts on it.
        message: String,
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

/// The reason why a transaction was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotTaken {
    /// An output that it spends is spent already, or is not known.
    #[error("an output that it spends is spent or not known")]
    MissingInputs,
    /// It breaks a rule of the mempool or of consensus; often its fee is too low.
    #[error("it breaks a rule, such as the least fee")]
    Rule,
    /// It is larger than what nodes relay, or the package has too many transactions. It was not
    /// sent.
    #[error("it is larger than what nodes relay")]
    TooLarge,
    /// The source does not say.
    #[error("refused")]
    Unknown,
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
            Self::Untrue { .. } => {
                "Nothing of this answer was used. Check that `chain.url` names a source that you trust; a source of your own may have a damaged disk."
            }
            Self::ReorgTooDeep { .. } => {
                "Nothing was undone. Compare the source's block hashes with another source's; if the source is wrong, repair it or use another one."
            }
            Self::BlockMissing { .. } => {
                "A pruned source has thrown it away: use one that has all blocks since the node last ran. Otherwise look into its log."
            }
            Self::NotTaken { .. } => {
                "It is sent again with each block. Look whether its inputs are spent and whether the mempool asks for more fee."
            }
            Self::NoPackages { .. } => {
                "Use Bitcoin Core 28 or newer as the chain source, or wait until the mempool asks for less fee."
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

    pub(crate) fn untrue(endpoint: &str, lie: Lie) -> Self {
        Self::Untrue { endpoint: endpoint.into(), lie }
    }

    pub(crate) fn not_taken(endpoint: &str, txid: Txid, reason: NotTaken, message: &str) -> Self {
        Self::NotTaken { endpoint: endpoint.into(), txid, reason, message: printable(message) }
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
