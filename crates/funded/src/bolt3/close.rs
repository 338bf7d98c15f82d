//! The transaction of a cooperative close (BOLT 3, "Closing Transaction").

use bitcoin::ecdsa::Signature as BitcoinSignature;
use bitcoin::secp256k1::Secp256k1;
use bitcoin::{OutPoint, ScriptBuf, Transaction, Txid};
use lightning::ln::chan_utils::ClosingTransaction;
use steward_wire::Signature;

use super::commitment::BadSignature;
use super::parameters::Parameters;

/// A close: what each side gets, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// Our output, in satoshi; zero if there is none.
    pub to_local_sat: u64,
    /// The peer's output, in satoshi; zero if there is none.
    pub to_remote_sat: u64,
    /// The script of our output.
    pub local_script: Vec<u8>,
    /// The script of the peer's output.
    pub remote_script: Vec<u8>,
}

impl Close {
    /// Returns the close in LDK's form, for its signer.
    pub fn to_ldk(&self, funding: OutPoint) -> ClosingTransaction {
        ClosingTransaction::new(
            self.to_local_sat,
            self.to_remote_sat,
            ScriptBuf::from_bytes(self.local_script.clone()),
            ScriptBuf::from_bytes(self.remote_script.clone()),
            funding,
        )
    }

    /// Returns the id of the transaction.
    pub fn txid(&self, funding: OutPoint) -> Txid {
        self.to_ldk(funding).trust().built_transaction().compute_txid()
    }

    /// Checks the peer's signature.
    ///
    /// # Errors
    /// [`BadSignature`] if it does not fit.
    pub fn verify(&self, parameters: &Parameters, theirs: &Signature) -> Result<(), BadSignature> {
        let close = self.to_ldk(parameters.funding);
        let digest = close
            .trust()
            .get_sighash_all(&parameters.funding_witness_script(), parameters.funding_sat);
        let theirs = theirs.to_ecdsa().ok_or(BadSignature)?;
        let key = &parameters.remote.basepoints.funding;
        Secp256k1::verification_only().verify_ecdsa(&digest, &theirs, key).map_err(|_| BadSignature)
    }

    /// Returns the transaction with both signatures, ready to be published.
    ///
    /// # Errors
    /// [`BadSignature`] if one is no signature at all.
    pub fn signed(
        &self,
        parameters: &Parameters,
        ours: &Signature,
        theirs: &Signature,
    ) -> Result<Transaction, BadSignature> {
        let close = self.to_ldk(parameters.funding);
        let mut transaction = close.trust().built_transaction().clone();
        let ours = ours.to_ecdsa().ok_or(BadSignature)?;
        let theirs = theirs.to_ecdsa().ok_or(BadSignature)?;
        let (local, remote) = (&parameters.local.basepoints, &parameters.remote.basepoints);
        // The funding script has the keys in byte order.
        let ours_first = local.funding.serialize() < remote.funding.serialize();
        let (first, second) = if ours_first { (ours, theirs) } else { (theirs, ours) };
        if let Some(input) = transaction.input.first_mut() {
            input.witness.push([]);
            input.witness.push_ecdsa_signature(&BitcoinSignature::sighash_all(first));
            input.witness.push_ecdsa_signature(&BitcoinSignature::sighash_all(second));
            input.witness.push(parameters.funding_witness_script().as_bytes());
        }
        Ok(transaction)
    }
}
