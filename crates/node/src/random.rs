//! Random bytes from the operating system, for seeds, preimages and payment secrets.

use thiserror::Error;

/// The operating system gives no random bytes. Nothing may go on without them.
#[derive(Debug, Error)]
#[error("the operating system gives no random bytes: {0}")]
pub struct RandomError(getrandom::Error);

/// Returns `N` bytes that cannot be guessed.
///
/// # Errors
/// Fails with [`RandomError`] if the system has none, for example in a sandbox without `getrandom`.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(RandomError)?;
    Ok(bytes)
}
