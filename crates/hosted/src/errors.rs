//! Error codes and their text on the wire (protocol.md section 3.9).

use steward_wire::error_code::code_apart;

use crate::limits::MAX_ERROR_BYTES;

/// Four digits an error may start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    WrongBlockDay = 1,
    WrongLocalSig = 2,
    WrongRemoteSig = 3,
    ClosedByPeer = 4,
    TimedOutOutgoingHtlc = 5,
    ExternalFulfill = 6,
    ManualSuspend = 8,
    InvalidResize = 9,
    MissingChannel = 10,
}

/// An error we found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: Option<u16>,
    pub(crate) text: String,
}

impl Fault {
    pub(crate) fn coded(code: Code, text: &str) -> Self {
        Self { code: Some(code as u16), text: text.to_owned() }
    }

    /// One the protocol has no code for.
    pub(crate) fn text(text: &str) -> Self {
        Self { code: None, text: text.to_owned() }
    }

    /// What goes into the wire's error.
    pub(crate) fn data(&self) -> Vec<u8> {
        match self.code {
            Some(code) => format!("{code:04} {}", self.text).into_bytes(),
            None => self.text.clone().into_bytes(),
        }
    }
}

/// The code a peer's error starts with: four digits, or two raw bytes from some wallets.
pub(crate) fn peer_code(data: &[u8]) -> Option<u16> {
    if let [0, low] = data {
        return Some(u16::from(*low));
    }
    let digits = std::str::from_utf8(data.get(..4)?).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// A peer's error as text fit for a log or a screen: no control characters, bounded.
pub(crate) fn peer_text(data: &[u8]) -> String {
    let kept = data.get(..MAX_ERROR_BYTES).unwrap_or(data);
    if let ([0, _], Some(code)) = (kept, peer_code(kept)) {
        return format!("{code:04}");
    }
    let text: String = String::from_utf8_lossy(kept)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    code_apart(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_words_of_a_peer_stand_apart() {
        assert_eq!(peer_text(b"0007a valid secret is needed"), "0007 a valid secret is needed");
        assert_eq!(peer_text(b"0007 a valid secret"), "0007 a valid secret");
        assert_eq!(peer_text(b"0003"), "0003");
        assert_eq!(peer_text(&[0, 3]), "0003");
        assert_eq!(peer_text("12".as_bytes()), "12");
        assert_eq!(peer_text("\u{20ac}007x".as_bytes()), "\u{20ac}007x");
        assert_eq!(peer_text(b"no\x1b[2J"), "no [2J");
    }
}
