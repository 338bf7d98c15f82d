//! The two framings of a hosted-channel message (docs/protocol.md section 1.1).
//!
//! Modern: `type | body`. Legacy: `type | u16 length | body`. Nothing on the wire declares which
//! one a peer speaks, so it is inferred from what the peer sends and kept for the connection.

use crate::codec::DecodeError;
use crate::limits::{MAX_LEGACY_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES};
use crate::message::Message;

/// The way a peer frames its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// The body follows the type.
    Modern,
    /// A u16 length stands between the type and the body.
    Legacy,
}

/// The error for a message that is too large for the framing it must be sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message has {0} bytes, too many for one frame")]
pub struct TooLarge(pub usize);

/// Decodes the payload of a custom message. `sticky` is the framing that the connection has shown
/// so far; it is set by the first message that can be read in only one framing and never changed by
/// one that can be read in both. `Ok(None)` means an unknown type.
pub fn decode(
    sticky: &mut Option<Framing>,
    message_type: u16,
    payload: &[u8],
) -> Result<Option<Message>, DecodeError> {
    if !Message::is_known(message_type) {
        return Ok(None);
    }
    let modern = Message::decode(message_type, payload);
    let legacy = legacy_body(payload).map(|body| Message::decode(message_type, body));
    let (message, shown) = match (legacy, modern) {
        (Some(Ok(legacy)), Ok(modern)) => {
            let reads_legacy = sticky.unwrap_or(Framing::Legacy) == Framing::Legacy;
            return Ok(Some(if reads_legacy { legacy } else { modern }));
        }
        (Some(Ok(legacy)), Err(_)) => (legacy, Framing::Legacy),
        (_, Ok(modern)) => (modern, Framing::Modern),
        // The right length in front means that the payload was meant as legacy, so its error is the
        // one to report.
        (Some(Err(error)), Err(_)) | (None, Err(error)) => return Err(error),
    };
    *sticky = Some(shown);
    Ok(Some(message))
}

/// Returns the type and the payload of a custom message that carries `message` in `framing`.
pub fn encode(framing: Framing, message: &Message) -> Result<(u16, Vec<u8>), TooLarge> {
    let (message_type, body) = message.encode();
    let limit = match framing {
        Framing::Modern => MAX_PAYLOAD_BYTES,
        Framing::Legacy => MAX_LEGACY_PAYLOAD_BYTES,
    };
    if body.len() > limit {
        return Err(TooLarge(body.len()));
    }
    match framing {
        Framing::Modern => Ok((message_type, body)),
        Framing::Legacy => {
            let len = u16::try_from(body.len()).map_err(|_| TooLarge(body.len()))?;
            let mut payload = Vec::with_capacity(2 + body.len());
            payload.extend_from_slice(&len.to_be_bytes());
            payload.extend_from_slice(&body);
            Ok((message_type, payload))
        }
    }
}

/// Returns the body if the first two bytes are its length.
fn legacy_body(payload: &[u8]) -> Option<&[u8]> {
    let (len, body) = payload.split_first_chunk::<2>()?;
    (usize::from(u16::from_be_bytes(*len)) == body.len()).then_some(body)
}
