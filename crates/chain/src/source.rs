//! The questions that every chain source answers. The sources themselves are in other modules.

use bitcoin::constants::genesis_block;
use bitcoin::{BlockHash, Network};
use steward_wire::Preimage;

use crate::error::ChainError;
use crate::limits::MAX_HEIGHT;

/// The last block of a source's best chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// The number of blocks since genesis.
    pub height: u32,
    /// The block's hash; `None` from the regtest clock, which has no blocks.
    pub hash: Option<BlockHash>,
    /// The seconds since 1970 in the block's header; for the regtest clock the present time.
    pub time_unix: u64,
}

/// A source that knows the best chain. Its calls block, each for a bounded time, and each reads a
/// bounded number of bytes.
pub trait ChainSource: Send {
    /// Names the source for logs and errors, without credentials, such as `bitcoind at
    /// http://127.0.0.1:8332`.
    fn describe(&self) -> String;

    /// Returns the last block of the best chain.
    ///
    /// # Errors
    /// What kept the source from answering, see [`ChainError`].
    fn tip(&mut self) -> Result<Tip, ChainError>;

    /// Returns the hash of the block at `height` on the source's best chain, or `None` if it has no
    /// such block.
    ///
    /// # Errors
    /// What kept the source from answering, see [`ChainError`].
    fn block_hash_at(&mut self, height: u32) -> Result<Option<BlockHash>, ChainError>;

    /// Checks by its genesis block that the source follows `expected`.
    ///
    /// # Errors
    /// [`ChainError::WrongNetwork`] if it does not; otherwise as [`Self::block_hash_at`].
    fn check_network(&mut self, expected: Network) -> Result<(), ChainError> {
        let found = self
            .block_hash_at(0)?
            .ok_or_else(|| ChainError::malformed(&self.describe(), "it has no genesis block"))?;
        if found == genesis_block(expected).block_hash() {
            return Ok(());
        }
        Err(ChainError::WrongNetwork { endpoint: self.describe(), expected, found })
    }
}

/// A source that can look into blocks. An electrum server cannot: its protocol finds transactions
/// only by scripts that are known already.
pub trait BlockSource: ChainSource {
    /// Returns all preimages published (docs/protocol.md section 6.1) in the block at `height` of
    /// the best chain, related to us or not, after the whole block was searched. Returns `None` if
    /// there is no such block yet.
    ///
    /// # Errors
    /// What kept the source from answering, see [`ChainError`]; [`ChainError::Malformed`] if it
    /// shows anything but the block at that height.
    fn preimages_at(&mut self, height: u32) -> Result<Option<Vec<Preimage>>, ChainError>;
}

/// Returns a height as the source gave it, if a chain can have it.
pub(crate) fn believable_height(endpoint: &str, height: u64) -> Result<u32, ChainError> {
    u32::try_from(height).ok().filter(|height| *height <= MAX_HEIGHT).ok_or_else(|| {
        ChainError::malformed(endpoint, format!("{height} is above any possible height"))
    })
}
