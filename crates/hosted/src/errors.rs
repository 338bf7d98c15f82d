//! An error that we found (docs/protocol.md section 3.9).

use steward_wire::ErrorCode;

/// An error we found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: Option<ErrorCode>,
    pub(crate) text: String,
}

impl Fault {
    pub(crate) fn coded(code: ErrorCode, text: &str) -> Self {
        Self { code: Some(code), text: text.to_owned() }
    }

    /// One the protocol has no code for.
    pub(crate) fn text(text: &str) -> Self {
        Self { code: None, text: text.to_owned() }
    }

    /// What goes into the wire's error.
    pub(crate) fn data(&self) -> Vec<u8> {
        match self.code {
            Some(code) => code.to_data(&self.text),
            None => self.text.clone().into_bytes(),
        }
    }
}
