//! The checks of a header and of a block that need no other source: proof of work, the rules of
//! difficulty, Merkle root, witness commitment and height. A source that lies must do the work of
//! the real miners, or is found out.

use std::collections::BTreeSet;

use bitcoin::block::Header;
use bitcoin::consensus::Params;
use bitcoin::{Block, BlockHash, CompactTarget, Network, Target, Transaction, WitnessCommitment};

use crate::lie::Lie;

/// The start of the output script that holds a block's witness commitment (BIP 141).
const COMMITMENT_PREFIX: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
const COMMITMENT_BYTES: usize = 38;
/// Up to this height the coinbase of regtest writes the height as an opcode.
const HEIGHTS_IN_OPCODES: u32 = 16;

/// Checks the work of the header at `height`; `below` is the target of the block below.
///
/// # Errors
/// [`Lie::NoProofOfWork`], [`Lie::WrongDifficulty`].
pub(crate) fn check_work(
    network: Network,
    height: u32,
    below: CompactTarget,
    header: &Header,
) -> Result<(), Lie> {
    let params = Params::new(network);
    let target = header.target();
    if target > params.max_attainable_target || !is_allowed(&params, height, below, header.bits) {
        return Err(Lie::WrongDifficulty);
    }
    header.validate_pow(target).map(drop).map_err(|_| Lie::NoProofOfWork)
}

/// Returns true if `bits` may follow `below` at `height`. Inside a period of 2016 blocks the target
/// stays; between two it changes at most fourfold. How far inside those bounds needs the times of a
/// whole period, and is not checked. The test networks have exceptions by time, and only the floor
/// of [`check_work`] holds there.
fn is_allowed(params: &Params, height: u32, below: CompactTarget, bits: CompactTarget) -> bool {
    if params.no_pow_retargeting {
        return bits == below;
    }
    if params.allow_min_difficulty_blocks {
        return true;
    }
    if !u64::from(height).is_multiple_of(params.difficulty_adjustment_interval()) {
        return bits == below;
    }
    let (before, now) = (Target::from_compact(below), Target::from_compact(bits));
    // The compact form rounds down, also at the lower end.
    let least = Target::from_compact(before.min_transition_threshold().to_compact_lossy());
    (least..=before.max_transition_threshold(params)).contains(&now)
}

/// Checks that `block` is the whole block `asked` at `height`, with every transaction and every
/// witness. Its work is checked with its header.
///
/// # Errors
/// The [`Lie`] that was found.
pub(crate) fn check_block(
    network: Network,
    height: u32,
    asked: BlockHash,
    block: &Block,
) -> Result<(), Lie> {
    if block.block_hash() != asked {
        return Err(Lie::OtherBlock);
    }
    let [coinbase, others @ ..] = block.txdata.as_slice() else { return Err(Lie::NoCoinbase) };
    if !coinbase.is_coinbase() || others.iter().any(Transaction::is_coinbase) {
        return Err(Lie::NoCoinbase);
    }
    // A repeated tail of the list has the same Merkle root.
    let distinct: BTreeSet<_> = block.txdata.iter().map(Transaction::compute_txid).collect();
    if distinct.len() != block.txdata.len() || !block.check_merkle_root() {
        return Err(Lie::WrongTransactions);
    }
    if !witnesses_fit(block, coinbase) {
        return Err(Lie::WrongWitnesses);
    }
    let floor = match network {
        Network::Regtest => HEIGHTS_IN_OPCODES,
        _ => Params::new(network).bip34_height,
    };
    // A block of a miner that writes no height is not refused: its hash is what counts.
    match block.bip34_block_height() {
        Ok(written) if height > floor && written != u64::from(height) => Err(Lie::WrongHeight),
        _ => Ok(()),
    }
}

/// Returns true if the witnesses are those that the coinbase commits to. The Merkle root does not
/// cover them, and preimages are in witnesses: a block without any is checked as well.
fn witnesses_fit(block: &Block, coinbase: &Transaction) -> bool {
    let committed = coinbase.output.iter().rev().find_map(|output| {
        let script = output.script_pubkey.as_bytes();
        let bytes = script.get(..COMMITMENT_BYTES)?.strip_prefix(&COMMITMENT_PREFIX)?;
        <[u8; 32]>::try_from(bytes).ok()
    });
    let Some(committed) = committed else {
        let mut inputs = block.txdata.iter().flat_map(|transaction| &transaction.input);
        return inputs.all(|input| input.witness.is_empty());
    };
    let reserved = coinbase.input.first().and_then(|input| input.witness.nth(0));
    let (Some(reserved), Some(root)) = (reserved, block.witness_root()) else { return false };
    let expected: WitnessCommitment = Block::compute_witness_commitment(&root, reserved);
    *AsRef::<[u8; 32]>::as_ref(&expected) == committed
}
