//! Whether the signatures in a transaction are right, as far as the scripts of BOLT 3 go: each signature
//! is by a key that its script, or the witness beside it, names.

use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{All, Message, PublicKey, Secp256k1};
use bitcoin::sighash::SighashCache;
use bitcoin::{OutPoint, Script, Transaction, TxOut};

/// Panics if a P2WSH input's script is not the output's, or a signature is by no key in sight. Returns
/// how many signatures were looked at.
pub fn check(
    secp: &Secp256k1<All>,
    transaction: &Transaction,
    output_of: impl Fn(&OutPoint) -> Option<TxOut>,
) -> usize {
    let mut checked = 0;
    for (index, input) in transaction.input.iter().enumerate() {
        let spent = output_of(&input.previous_output).expect("what we spend is in a block");
        if !spent.script_pubkey.is_p2wsh() {
            continue;
        }
        let witness: Vec<&[u8]> = input.witness.iter().collect();
        let (script, items) = witness.split_last().expect("a witness");
        let script = Script::from_bytes(script);
        assert_eq!(script.to_p2wsh(), spent.script_pubkey, "input {index} has another script");
        let mut keys: Vec<PublicKey> =
            items.iter().filter_map(|item| PublicKey::from_slice(item).ok()).collect();
        keys.extend(script.instructions().filter_map(|instruction| {
            PublicKey::from_slice(instruction.ok()?.push_bytes()?.as_bytes()).ok()
        }));
        for item in items {
            let Ok(signature) = bitcoin::ecdsa::Signature::from_slice(item) else { continue };
            let hash = SighashCache::new(transaction)
                .p2wsh_signature_hash(index, script, spent.value, signature.sighash_type)
                .unwrap();
            let message = Message::from_digest(hash.to_byte_array());
            let is_right =
                |key: &PublicKey| secp.verify_ecdsa(&message, &signature.signature, key).is_ok();
            assert!(keys.iter().any(is_right), "input {index} of {transaction:?}");
            checked += 1;
        }
    }
    checked
}
