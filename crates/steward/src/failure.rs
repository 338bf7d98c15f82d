//! The failure of a command: a code, a sentence, a hint.

use std::fmt;

use serde::Serialize;
use steward_api::{ErrorBody, TokenError};
use steward_engine::Code;
use steward_node::ConfigError;

/// The failure of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The code: stable, snake_case.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// A hint what to do about it; may be empty.
    pub hint: String,
    /// True if the answer, which programs have read by now, says it as well.
    #[serde(skip)]
    pub(crate) in_answer: bool,
    /// The exit code of the process.
    #[serde(skip)]
    pub(crate) exit_code: u8,
}

impl Failure {
    /// Makes a failure of the command line's own.
    pub fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::said(code.name(), message, hint)
    }

    /// Makes a failure that a daemon reported: one of another version may know other codes.
    pub(crate) fn said(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            hint: hint.into(),
            in_answer: false,
            exit_code: 1,
        }
    }

    /// Notes that the answer has said it already to programs: a second document would confuse them.
    #[must_use]
    pub(crate) fn in_answer(self) -> Self {
        Self { in_answer: true, ..self }
    }

    /// Notes that the input makes no sense: the process ends as with a command line that makes
    /// none.
    #[must_use]
    pub(crate) fn unreadable(self) -> Self {
        Self { exit_code: 2, ..self }
    }

    /// Makes a failure of the operating system.
    pub fn io(what: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::new(Code::IoError, format!("{what}: {error}"), "check the path and its permissions")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Failure {}

impl From<steward_engine::Error> for Failure {
    fn from(error: steward_engine::Error) -> Self {
        Self::new(error.code, error.message, error.hint)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        steward_engine::Error::from(error).into()
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        Self::new(Code::TokenUnusable, error.to_string(), error.hint())
    }
}

impl From<ErrorBody> for Failure {
    fn from(body: ErrorBody) -> Self {
        let hint = match Code::named(&body.code).and_then(command_for) {
            Some(command) => format!("{}: `{command}`", body.hint),
            None => body.hint,
        };
        Self::said(&body.code, body.message, hint)
    }
}

/// Returns the command that does what the hint says: the daemon's hints are for every kind of
/// caller.
fn command_for(code: Code) -> Option<&'static str> {
    match code {
        Code::UnknownChannel | Code::NoActiveChannel | Code::NoUsableChannel => {
            Some("steward channel list")
        }
        Code::CannotReceive => Some("steward channel invoke NODE_ID@HOST:PORT"),
        Code::UnknownInvoice => Some("steward invoice list"),
        Code::UnknownPayment | Code::BadPaymentHash => Some("steward payments"),
        Code::BadNodeId => Some("steward status"),
        Code::ChainUnknown => Some("steward doctor"),
        _ => None,
    }
}
