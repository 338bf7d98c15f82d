//! Our keys of one channel, behind a trait that hands out none. A signer on another machine can
//! stand behind it.

use bitcoin::secp256k1::{PublicKey, Secp256k1};
use lightning::sign::ChannelSigner as LdkChannelSigner;
use lightning::sign::ecdsa::EcdsaChannelSigner;
use steward_wire::Signature;

use super::close::Close;
use super::commitment::{BuiltCommitment, ldk_number};
use super::parameters::{Basepoints, Parameters};

/// The signer cannot be reached or refuses. Nothing has happened; the same may be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the channel's signer does not answer")]
pub struct SignerUnavailable;

/// Our keys of one channel. It signs the peer's commitments and closing transactions. It does not
/// sign our own commitments: what resolves a dead channel does that, with keys of its own.
pub trait ChannelSigner {
    /// Returns our public keys.
    fn basepoints(&self) -> Basepoints;

    /// Returns the per-commitment point of our commitment `number`.
    ///
    /// # Errors
    /// [`SignerUnavailable`].
    fn point(&self, number: u64) -> Result<PublicKey, SignerUnavailable>;

    /// Gives up our commitment `number`: returns the secret that lets the peer take everything if
    /// we publish it. It is the only secret that ever leaves, and the channel sends it only after the
    /// next commitment is durable. The channel also asks for it to check what a peer claims to know.
    ///
    /// # Errors
    /// [`SignerUnavailable`].
    fn revoke(&self, number: u64) -> Result<[u8; 32], SignerUnavailable>;

    /// Signs a commitment of the peer's, and the transactions of its HTLCs in the order of its
    /// outputs. The same commitment gets the same signatures.
    ///
    /// # Errors
    /// [`SignerUnavailable`].
    fn sign_commitment(
        &self,
        parameters: &Parameters,
        commitment: &BuiltCommitment,
    ) -> Result<(Signature, Vec<Signature>), SignerUnavailable>;

    /// Signs a closing transaction.
    ///
    /// # Errors
    /// [`SignerUnavailable`].
    fn sign_close(
        &self,
        parameters: &Parameters,
        close: &Close,
    ) -> Result<Signature, SignerUnavailable>;
}

/// A signer of LDK's, such as the one in memory.
#[derive(Clone, Debug)]
pub struct LdkSigner<S>(pub S);

impl<S: EcdsaChannelSigner> ChannelSigner for LdkSigner<S> {
    fn basepoints(&self) -> Basepoints {
        let keys = LdkChannelSigner::pubkeys(&self.0, &Secp256k1::new());
        Basepoints {
            funding: keys.funding_pubkey,
            revocation: keys.revocation_basepoint.to_public_key(),
            payment: keys.payment_point,
            delayed_payment: keys.delayed_payment_basepoint.to_public_key(),
            htlc: keys.htlc_basepoint.to_public_key(),
        }
    }

    fn point(&self, number: u64) -> Result<PublicKey, SignerUnavailable> {
        self.0
            .get_per_commitment_point(ldk_number(number), &Secp256k1::new())
            .map_err(|()| SignerUnavailable)
    }

    fn revoke(&self, number: u64) -> Result<[u8; 32], SignerUnavailable> {
        self.0.release_commitment_secret(ldk_number(number)).map_err(|()| SignerUnavailable)
    }

    fn sign_commitment(
        &self,
        parameters: &Parameters,
        commitment: &BuiltCommitment,
    ) -> Result<(Signature, Vec<Signature>), SignerUnavailable> {
        let (parameters, secp) = (parameters.to_ldk(), Secp256k1::new());
        let (signature, htlc_signatures) = self
            .0
            .sign_counterparty_commitment(&parameters, commitment.to_ldk(), vec![], vec![], &secp)
            .map_err(|()| SignerUnavailable)?;
        Ok((signature.into(), htlc_signatures.into_iter().map(Into::into).collect()))
    }

    fn sign_close(
        &self,
        parameters: &Parameters,
        close: &Close,
    ) -> Result<Signature, SignerUnavailable> {
        let closing = close.to_ldk(parameters.funding);
        let signature = self
            .0
            .sign_closing_transaction(&parameters.to_ldk(), &closing, &Secp256k1::new())
            .map_err(|()| SignerUnavailable)?;
        Ok(signature.into())
    }
}
