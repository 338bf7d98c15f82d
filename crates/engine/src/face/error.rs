//! Errors with a stable code, a sentence and a hint.

use std::fmt;

use crate::face::code::{Blame, Code};

/// An error, for programs and for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The code, for programs.
    pub code: Code,
    /// One sentence.
    pub message: String,
    /// The next step for the caller: the code's own hint, or a better one.
    pub hint: String,
}

impl Error {
    /// An error with the hint of its code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: code.hint().to_owned() }
    }

    /// Gives a better hint than the code's; an empty one is ignored.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if !hint.is_empty() {
            self.hint = hint;
        }
        self
    }

    /// The code's blame: it tells who has to act.
    pub fn blame(&self) -> Blame {
        self.code.blame()
    }
}

/// An amount for people: satoshi, digits in groups.
pub fn sat(msat: u64) -> String {
    steward_wire::amount::in_sat(msat)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Error {}
