//! How far a chain was followed, and enough of its hashes to find where another chain leaves it.
//! Pure: it decides what connects and what is disconnected; `scanner` asks the source.

use std::collections::VecDeque;

use bitcoin::block::Header;
use bitcoin::consensus::Params;
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, CompactTarget, Network, Target};
use thiserror::Error;

use crate::lie::Lie;
use crate::limits::{MAX_HEIGHT, POSITION_BLOCKS};
use crate::proof::check_work;

const VERSION: u8 = 1;
/// Version, network and height.
const HEAD_BYTES: usize = 1 + 4 + 4;
/// Hash and target.
const BLOCK_BYTES: usize = 32 + 4;

/// The name of a block: its height and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockId {
    /// The number of blocks since genesis.
    pub height: u32,
    /// The block's hash.
    pub hash: BlockHash,
}

/// The last block that was processed, and the blocks below it, [`POSITION_BLOCKS`] in all. It is a
/// value: whoever processes a block stores the position that came with it in the same batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    network: Network,
    height: u32,
    last: Known,
    /// The blocks below `last`, from the lowest up.
    below: VecDeque<Known>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    hash: BlockHash,
    bits: CompactTarget,
}

/// The bytes are no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the stored position in the chain cannot be read")]
pub struct NotAPosition;

impl Position {
    /// Begins at a block that is believed without a check of its height; what is below it is never
    /// looked at.
    ///
    /// # Errors
    /// The [`Lie`] in the header, if it is not even one of this network.
    pub fn start(network: Network, height: u32, header: &Header) -> Result<Self, Lie> {
        // A first block has nothing below it to be compared with but its own target.
        check_work(network, height, header.bits, header)?;
        let last = Known { hash: header.block_hash(), bits: header.bits };
        Ok(Self { network, height, last, below: VecDeque::new() })
    }

    /// Returns the network of the chain.
    pub fn network(&self) -> Network {
        self.network
    }

    /// Returns the last processed block.
    pub fn last(&self) -> BlockId {
        BlockId { height: self.height, hash: self.last.hash }
    }

    /// Returns the lowest height whose hash is remembered.
    pub fn lowest(&self) -> u32 {
        let below = u32::try_from(self.below.len()).unwrap_or(u32::MAX);
        self.height.saturating_sub(below)
    }

    /// Returns the hash of the processed block at `height`, if it is remembered.
    pub fn hash_at(&self, height: u32) -> Option<BlockHash> {
        if height == self.height {
            return Some(self.last.hash);
        }
        let index = height.checked_sub(self.lowest())?;
        self.below.get(usize::try_from(index).ok()?).map(|known| known.hash)
    }

    /// Takes the next block's header.
    ///
    /// # Errors
    /// The [`Lie`] in it; the position stays as it is.
    pub fn connect(&mut self, header: &Header) -> Result<(), Lie> {
        if header.prev_blockhash != self.last.hash {
            return Err(Lie::DoesNotConnect);
        }
        let height = self.height.saturating_add(1);
        if height > MAX_HEIGHT {
            return Err(Lie::WrongHeight);
        }
        check_work(self.network, height, self.last.bits, header)?;
        self.below.push_back(self.last);
        if self.below.len() >= POSITION_BLOCKS {
            self.below.pop_front();
        }
        self.last = Known { hash: header.block_hash(), bits: header.bits };
        self.height = height;
        Ok(())
    }

    /// Returns this position as it was when the block at `height` was the last one, or `None` if
    /// that is not remembered.
    pub fn cut(&self, height: u32) -> Option<Self> {
        if height == self.height {
            return Some(self.clone());
        }
        let index = usize::try_from(height.checked_sub(self.lowest())?).ok()?;
        let last = *self.below.get(index)?;
        let below = self.below.iter().take(index).copied().collect();
        Some(Self { network: self.network, height, last, below })
    }

    /// Returns the processed blocks above `height`, the highest first: the order in which they are
    /// disconnected.
    pub fn above(&self, height: u32) -> Vec<BlockId> {
        let from = height.saturating_add(1).max(self.lowest());
        let blocks = (from..=self.height).rev();
        blocks.filter_map(|height| Some(BlockId { height, hash: self.hash_at(height)? })).collect()
    }

    /// Returns the work in the remembered blocks above `height`, as the expected number of hashes.
    pub fn work_above(&self, height: u32) -> u128 {
        let from = height.saturating_add(1).saturating_sub(self.lowest());
        let skipped = usize::try_from(from).unwrap_or(usize::MAX);
        let blocks = self.below.iter().chain([&self.last]).skip(skipped);
        blocks.fold(0, |sum, known| sum.saturating_add(work(known.bits)))
    }

    /// Writes the position for storage.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + BLOCK_BYTES * POSITION_BLOCKS);
        bytes.push(VERSION);
        bytes.extend(self.network.magic().to_bytes());
        bytes.extend(self.height.to_be_bytes());
        for known in self.below.iter().chain([&self.last]) {
            bytes.extend(known.hash.to_byte_array());
            bytes.extend(known.bits.to_consensus().to_be_bytes());
        }
        bytes
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// [`NotAPosition`] if the bytes are anything else, or of another `network`.
    pub fn decode(network: Network, bytes: &[u8]) -> Result<Self, NotAPosition> {
        let (head, blocks) = bytes.split_at_checked(HEAD_BYTES).ok_or(NotAPosition)?;
        let (name, height) = head.split_at_checked(HEAD_BYTES - 4).ok_or(NotAPosition)?;
        let height = u32::from_be_bytes(height.try_into().map_err(|_| NotAPosition)?);
        let expected: Vec<u8> = [VERSION].into_iter().chain(network.magic().to_bytes()).collect();
        let count = blocks.len() / BLOCK_BYTES;
        let fits =
            blocks.len().is_multiple_of(BLOCK_BYTES) && (1..=POSITION_BLOCKS).contains(&count);
        // The lowest block is not below genesis.
        let reaches = u32::try_from(count).is_ok_and(|count| count <= height.saturating_add(1));
        if name != expected || !fits || !reaches || height > MAX_HEIGHT {
            return Err(NotAPosition);
        }
        let mut below: VecDeque<Known> = blocks
            .chunks_exact(BLOCK_BYTES)
            .map(Known::decode)
            .collect::<Option<_>>()
            .ok_or(NotAPosition)?;
        let floor = Params::new(network).max_attainable_target;
        if below.iter().any(|known| Target::from_compact(known.bits) > floor) {
            return Err(NotAPosition);
        }
        let last = below.pop_back().ok_or(NotAPosition)?;
        Ok(Self { network, height, last, below })
    }
}

impl Known {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (hash, bits) = bytes.split_first_chunk::<32>()?;
        let bits = u32::from_be_bytes(bits.try_into().ok()?);
        let hash = BlockHash::from_byte_array(*hash);
        Some(Self { hash, bits: CompactTarget::from_consensus(bits) })
    }
}

/// The expected number of hashes for a target. No real block has needed 2^128.
fn work(bits: CompactTarget) -> u128 {
    let target = Target::from_compact(bits);
    if target == Target::ZERO {
        return u128::MAX;
    }
    let bytes = target.to_work().to_be_bytes();
    let (high, low) = bytes.split_at(16);
    match (high.iter().all(|byte| *byte == 0), <[u8; 16]>::try_from(low)) {
        (true, Ok(low)) => u128::from_be_bytes(low),
        _ => u128::MAX,
    }
}
