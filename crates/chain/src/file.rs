//! Reads the small text files that sources depend on, without interpreting them.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::error::ChainError;

/// Reads the text of the file at `path`, if it is at most `limit_bytes` long.
///
/// # Errors
/// [`ChainError::File`] if it is missing, unreadable, too long, or not text.
pub(crate) fn read_small_file(path: &Path, limit_bytes: u64) -> Result<String, ChainError> {
    read_small_file_if_present(path, limit_bytes)?
        .ok_or_else(|| refusal(path, "it does not exist".to_owned()))
}

/// Reads as [`read_small_file`] does, but returns `None` if there is no such file.
pub(crate) fn read_small_file_if_present(
    path: &Path,
    limit_bytes: u64,
) -> Result<Option<String>, ChainError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refusal(path, error.to_string())),
    };
    let mut text = String::new();
    let read = file
        .take(limit_bytes.saturating_add(1))
        .read_to_string(&mut text)
        .map_err(|error| refusal(path, error.to_string()))?;
    if read as u64 > limit_bytes {
        return Err(refusal(path, format!("it is longer than {limit_bytes} bytes")));
    }
    Ok(Some(text))
}

pub(crate) fn refusal(path: &Path, reason: String) -> ChainError {
    ChainError::File { path: path.display().to_string(), reason }
}
