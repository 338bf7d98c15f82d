//! Preimages published on chain: the output scripts that carry them (docs/protocol.md section 6.1).
//! Finding the transactions, and paying for them, is the task of other crates.

use bitcoin::blockdata::opcodes::all::{OP_PUSHBYTES_32, OP_RETURN};
use bitcoin::{Script, ScriptBuf, Transaction};

use crate::ids::Preimage;

/// Returns the preimages that `script` publishes: one or two, or none if it has any other form.
/// Only `OP_RETURN PUSH32` and `OP_RETURN PUSH32 PUSH32` are a proof that every implementation
/// reads.
pub fn preimages_in_script(script: &Script) -> Vec<Preimage> {
    let Some((first, rest)) =
        script.as_bytes().strip_prefix(&[OP_RETURN.to_u8()]).and_then(split_push)
    else {
        return Vec::new();
    };
    if rest.is_empty() {
        return vec![first];
    }
    match split_push(rest) {
        Some((second, [])) => vec![first, second],
        _ => Vec::new(),
    }
}

/// Returns the preimages that `transaction` publishes, in the order of its outputs. The values of
/// the outputs do not matter.
pub fn preimages_in_transaction(transaction: &Transaction) -> Vec<Preimage> {
    transaction
        .output
        .iter()
        .flat_map(|output| preimages_in_script(&output.script_pubkey))
        .collect()
}

/// Makes the scripts that publish `preimages`, two in each script and in order.
pub fn preimage_scripts(preimages: &[Preimage]) -> Vec<ScriptBuf> {
    preimages
        .chunks(2)
        .map(|pair| {
            let mut script = vec![OP_RETURN.to_u8()];
            for preimage in pair {
                script.push(OP_PUSHBYTES_32.to_u8());
                script.extend_from_slice(&preimage.0);
            }
            ScriptBuf::from_bytes(script)
        })
        .collect()
}

/// Splits off a minimal push of 32 bytes.
fn split_push(bytes: &[u8]) -> Option<(Preimage, &[u8])> {
    let (preimage, rest) =
        bytes.strip_prefix(&[OP_PUSHBYTES_32.to_u8()])?.split_first_chunk::<32>()?;
    Some((Preimage(*preimage), rest))
}
