//! Errors with a stable code, a sentence and a hint (design.md sections 8 and 9).

use std::fmt;

/// Who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The caller gave something that cannot be used.
    BadRequest,
    /// The peer broke the protocol; evidence is kept.
    PeerMisbehaved,
    /// The peer speaks something we do not.
    PeerIncompatible,
    /// A limit or policy says no.
    Refused,
    /// Not now; try later.
    Unavailable,
    /// A bug or a disk.
    OurFault,
}

/// What went wrong, for programs and for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Who has to act.
    pub blame: Blame,
    /// Stable, snake_case.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
}

impl Error {
    /// An error without a hint.
    pub fn new(blame: Blame, code: &'static str, message: impl Into<String>) -> Self {
        Self { blame, code, message: message.into(), hint: String::new() }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The caller gave something that cannot be used.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Blame::BadRequest, code, message)
    }

    /// A limit or policy says no.
    pub fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Blame::Refused, code, message)
    }

    /// Not now; try later.
    pub fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Blame::Unavailable, code, message)
    }

    /// A bug or a disk.
    pub fn ours(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Blame::OurFault, code, message)
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
