//! The data of an `error` (docs/protocol.md section 3.9). It is for people and logs: no code may
//! act on it, because the peer can write there what it wants.

use std::fmt;

use crate::limits::MAX_ERROR_TEXT_BYTES;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal;)*) => {
        /// A reason to suspend a channel, as four decimal digits at the front of the data.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorCode {
            /// All codes, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the number on the wire.
            pub fn number(self) -> u16 {
                match self { $(Self::$variant => $number,)* }
            }

            /// Returns the name that every implementation shows.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns the code with this number, if there is one.
            pub fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

error_codes! {
    /// The block day of a state differs by more than one day.
    WrongBlockDay = 1, "ERR_HOSTED_WRONG_BLOCKDAY";
    /// The receiver of a state did not make the signature it carries as the receiver's.
    WrongLocalSig = 2, "ERR_HOSTED_WRONG_LOCAL_SIG";
    /// The sender of a state did not make the signature it carries as the sender's.
    WrongRemoteSig = 3, "ERR_HOSTED_WRONG_REMOTE_SIG";
    /// The channel is suspended because the other side sent an error.
    ClosedByRemotePeer = 4, "ERR_HOSTED_CLOSED_BY_REMOTE_PEER";
    /// An HTLC expired without being resolved.
    TimedOutOutgoingHtlc = 5, "ERR_HOSTED_TIMED_OUT_OUTGOING_HTLC";
    /// A preimage was seen on chain before it was given.
    HtlcExternalFulfill = 6, "ERR_HOSTED_HTLC_EXTERNAL_FULFILL";
    /// The host does not open this channel.
    ChannelDenied = 7, "ERR_HOSTED_CHANNEL_DENIED";
    /// An operator suspended the channel.
    ManualSuspend = 8, "ERR_HOSTED_MANUAL_SUSPEND";
    /// A resize was smaller, too large, or not signed by the client.
    InvalidResize = 9, "ERR_HOSTED_INVALID_RESIZE";
    /// The sender holds no state that the received one could follow.
    MissingChannel = 10, "ERR_MISSING_CHANNEL";
}

impl ErrorCode {
    /// Makes the data of an `error`: four digits and, right after them as in the deployed plugin,
    /// `text` made printable and cut to [`MAX_ERROR_TEXT_BYTES`].
    pub fn to_data(self, text: &str) -> Vec<u8> {
        format!("{:04}{}", self.number(), printable(text.as_bytes())).into_bytes()
    }
}

/// The data of an `error`, read leniently because the implementations differ. For people a space
/// separates code and text, which nothing separates on the wire.
///
/// ```
/// use steward_wire::{ErrorCode, ErrorText};
///
/// let said = ErrorText::parse(b"0007no secret");
/// assert_eq!(said.code, Some(ErrorCode::ChannelDenied));
/// assert_eq!(said.to_string(), "0007 no secret");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorText {
    /// The code, if the data begins with a known one.
    pub code: Option<ErrorCode>,
    /// The rest of the data, or all of it if there is no known code: printable ASCII, at most
    /// [`MAX_ERROR_TEXT_BYTES`] long.
    pub text: String,
}

impl ErrorText {
    /// Reads four decimal digits, or Valet's two raw bytes, then text; otherwise text alone. Any
    /// byte that is not printable ASCII becomes `?`, so that a terminal or a log can show it.
    pub fn parse(data: &[u8]) -> Self {
        let (code, text) = split_code(data).map_or((None, data), |(code, rest)| (Some(code), rest));
        Self { code, text: printable(text) }
    }
}

impl fmt::Display for ErrorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.text.trim();
        match self.code {
            Some(code) if words.is_empty() => write!(f, "{:04}", code.number()),
            Some(code) => write!(f, "{:04} {words}", code.number()),
            None => f.write_str(words),
        }
    }
}

fn split_code(data: &[u8]) -> Option<(ErrorCode, &[u8])> {
    if let Some((digits, rest)) = data.split_first_chunk::<4>()
        && digits.iter().all(u8::is_ascii_digit)
    {
        let number = digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'));
        return Some((ErrorCode::from_number(number)?, rest));
    }
    let (raw, rest) = data.split_first_chunk::<2>()?;
    Some((ErrorCode::from_number(u16::from_be_bytes(*raw))?, rest))
}

fn printable(bytes: &[u8]) -> String {
    let is_printable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    bytes
        .iter()
        .take(MAX_ERROR_TEXT_BYTES)
        .map(|byte| if is_printable(byte) { char::from(*byte) } else { '?' })
        .collect()
}
