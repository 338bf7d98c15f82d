//! The sentences that say what a signed state proves.

use serde::{Deserialize, Serialize};
use steward_wire::proof::words::Words;
use utoipa::ToSchema;

/// The findings about a signed state, in sentences: what it proves against which node, and what
/// not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProofWords {
    /// The facts that a signature shows, with the node that signed, against which it counts.
    pub proved: Vec<String>,
    /// The claims that rest on the word of the node that signed the state or shows it.
    pub said: Vec<String>,
    /// The facts that cannot be known from such a state.
    pub not_known: Vec<String>,
}

impl From<Words> for ProofWords {
    fn from(words: Words) -> Self {
        Self { proved: words.proved, said: words.said, not_known: words.not_known }
    }
}
