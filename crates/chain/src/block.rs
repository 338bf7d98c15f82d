//! The preimages that a block publishes, once it is certain that it is the block that was asked
//! for. The sources fetch the block.

use bitcoin::{Block, BlockHash};
use steward_wire::Preimage;
use steward_wire::onchain::preimages_in_transaction;

use crate::error::ChainError;

/// Returns the preimages that `block` publishes, in order. A preimage that is published twice is
/// listed twice.
///
/// # Errors
/// [`ChainError::Malformed`] unless it is the whole block `asked`: its header has that hash, and
/// its transactions have the Merkle root of that header. Otherwise less would be searched than was
/// asked for.
pub(crate) fn preimages_in_block(
    endpoint: &str,
    asked: BlockHash,
    block: &Block,
) -> Result<Vec<Preimage>, ChainError> {
    if block.block_hash() != asked {
        return Err(ChainError::malformed(endpoint, "another block than asked for"));
    }
    if !block.check_merkle_root() {
        return Err(ChainError::malformed(
            endpoint,
            "a block with other transactions than its own",
        ));
    }
    Ok(block.txdata.iter().flat_map(preimages_in_transaction).collect())
}
