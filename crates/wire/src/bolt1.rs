//! BOLT 1's `warning`: a sentence for the people of the other side, which changes nothing.

use crate::limits::MAX_WARNING_TEXT_BYTES;

/// The type of a `warning`.
pub const WARNING_TYPE: u16 = 1;

/// Makes a `warning` about the connection as a whole, as type and payload. A text that is too long
/// is cut.
///
/// ```
/// let (message_type, payload) = steward_wire::bolt1::warning("this cannot be read");
/// assert_eq!((message_type, payload.len()), (1, 32 + 2 + 19));
/// ```
pub fn warning(text: &str) -> (u16, Vec<u8>) {
    let mut end = text.len().min(MAX_WARNING_TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text.get(..end).unwrap_or_default();
    // All zeros means all channels. The protocol does not say how to name a hosted one.
    let mut payload = vec![0; 32];
    payload.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    payload.extend(text.as_bytes());
    (WARNING_TYPE, payload)
}

/// Returns the text of a `warning`'s payload, with what is not UTF-8 replaced. `None` means that
/// the payload is cut short.
///
/// ```
/// use steward_wire::bolt1::{text_of_warning, warning};
/// assert_eq!(text_of_warning(&warning("no").1).as_deref(), Some("no"));
/// ```
pub fn text_of_warning(payload: &[u8]) -> Option<String> {
    let (length, text) = payload.get(32..)?.split_first_chunk()?;
    let text = text.get(..usize::from(u16::from_be_bytes(*length)))?;
    Some(String::from_utf8_lossy(text).into_owned())
}

// The length fits its field.
const _: () = assert!(MAX_WARNING_TEXT_BYTES < u16::MAX as usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_two_letters() {
        let (_, payload) = warning(&"é".repeat(1000));
        assert_eq!(payload.len(), 34 + MAX_WARNING_TEXT_BYTES - MAX_WARNING_TEXT_BYTES % 2);
        let length = u16::from_be_bytes([payload[32], payload[33]]);
        assert_eq!(usize::from(length), payload.len() - 34);
        assert!(std::str::from_utf8(&payload[34..]).is_ok());
    }
}
