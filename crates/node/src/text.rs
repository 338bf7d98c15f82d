//! Text files as editors and shells leave them: UTF-8, or another encoding, which is named.

/// The length of the sample that tells UTF-16 without a mark, in bytes.
const SAMPLE_BYTES: usize = 64;

/// Returns the text, without a byte order mark. Otherwise the encoding it seems to have, worded to
/// follow "it is".
///
/// # Errors
/// Fails with the encoding it may have.
pub fn decode(bytes: Vec<u8>) -> Result<String, String> {
    let is_utf16 = bytes.starts_with(b"\xff\xfe")
        || bytes.starts_with(b"\xfe\xff")
        || looks_like_utf16(bytes.get(..SAMPLE_BYTES).unwrap_or(&bytes));
    if is_utf16 {
        return Err("UTF-16 and not UTF-8".to_owned());
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned)),
        Err(error) => {
            let valid = error.as_bytes().get(..error.utf8_error().valid_up_to());
            let line_ends = valid.unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
            Err(format!("not UTF-8 but perhaps Latin-1 (line {})", line_ends + 1))
        }
    }
}

/// True if the sample has letters with a zero byte beside each.
fn looks_like_utf16(sample: &[u8]) -> bool {
    let zeros = sample.iter().filter(|byte| **byte == 0).count();
    sample.len() >= 4 && zeros * 3 > sample.len()
}
