//! What a signed state proves, in sentences.

use serde::{Deserialize, Serialize};
use steward_wire::proof::words::Words;
use utoipa::ToSchema;

/// What a signed state proves, against whom, and what it does not prove, in sentences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProofWords {
    /// What a signature shows, with whose, and against whom it counts.
    pub proved: Vec<String>,
    /// What only those say who signed it or who show it.
    pub said: Vec<String>,
    /// What cannot be known from such a state.
    pub not_known: Vec<String>,
}

impl From<Words> for ProofWords {
    fn from(words: Words) -> Self {
        Self { proved: words.proved, said: words.said, not_known: words.not_known }
    }
}
