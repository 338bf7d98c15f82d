//! The signature over an invoice, checked over the very text that was given and never over a text
//! that we make of it.

use bitcoin::hashes::{Hash, HashEngine, sha256};
use bitcoin::secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use bitcoin::secp256k1::{Message, PublicKey, SECP256K1};

use crate::error::ParseError;
use crate::groups;

/// The number of groups that a signature takes: 64 bytes and one for the recovery id.
pub(crate) const SIGNATURE_GROUPS: usize = 104;

/// Returns the key that signed `prefix` and `data`. If the invoice names its payee, only that key
/// is accepted, and a signature with a high `S` is not.
pub(crate) fn payee(
    prefix: &str,
    data: &[u8],
    signature: &[u8],
    named: Option<PublicKey>,
) -> Result<PublicKey, ParseError> {
    let mut engine = sha256::Hash::engine();
    engine.input(prefix.as_bytes());
    engine.input(&groups::padded_bytes(data));
    let message = Message::from_digest(sha256::Hash::from_engine(engine).to_byte_array());
    let signature = recoverable(signature).ok_or(ParseError::BadSignature)?;
    let payee = match named {
        None => SECP256K1.recover_ecdsa(&message, &signature),
        Some(key) => SECP256K1.verify_ecdsa(&message, &signature.to_standard(), &key).map(|()| key),
    };
    payee.map_err(|_| ParseError::BadSignature)
}

fn recoverable(signature: &[u8]) -> Option<RecoverableSignature> {
    let [compact @ .., id] = groups::array::<65>(signature)?;
    let id = RecoveryId::from_i32(i32::from(id)).ok()?;
    RecoverableSignature::from_compact(&compact, id).ok()
}
