//! The keys of our funded channels.

use bitcoin::secp256k1::{All, Secp256k1};
use lightning::ln::chan_utils::ChannelPublicKeys;
use lightning::sign::{ChannelSigner, InMemorySigner, KeysManager, SignerProvider};

use crate::limits::KEYS_IDS;
use crate::not_defendable::NotDefendable;

/// Derives the keys of channels from one secret of 32 bytes. Nothing else may be derived from it:
/// it has a hardened path of its own below the node's seed.
///
/// A channel's keys come from its `keys_id`, a counter of the node which is stored before the first
/// message that shows a key and is **never used twice**: two channels with one `keys_id` would share
/// revocation keys, and each revocation of one would give away the other. LDK takes its lowest 31
/// bits as the hardened index of a BIP 32 child and hashes all of it into the commitment seed. The
/// key of `to_remote` is one of a thousand that follow from the secret alone, so that what a remote
/// side closes can be found with nothing but the seed.
pub struct ChannelKeys {
    manager: KeysManager,
    secp: Secp256k1<All>,
}

impl ChannelKeys {
    /// Takes the secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        // The time only seeds LDK's stream of random bytes, which we use for no key: with a fixed
        // one, the same inputs give the same bytes.
        Self { manager: KeysManager::new(secret, 0, 0, true), secp: Secp256k1::new() }
    }

    /// Returns a channel's keys.
    ///
    /// # Errors
    /// Fails if `keys_id` is too large to have keys of its own.
    pub fn derive(&self, keys_id: u64) -> Result<InMemorySigner, NotDefendable> {
        if keys_id >= KEYS_IDS {
            return Err(NotDefendable::KeysId { keys_id });
        }
        Ok(self.manager.derive_channel_signer(ldk_keys_id(keys_id)))
    }

    pub(crate) fn public(&self, signer: &InMemorySigner) -> ChannelPublicKeys {
        signer.pubkeys(&self.secp)
    }

    pub(crate) fn manager(&self) -> &KeysManager {
        &self.manager
    }

    pub(crate) fn secp(&self) -> &Secp256k1<All> {
        &self.secp
    }
}

/// Returns the form in which LDK has a `keys_id`: the number is in the first 8 of 32 bytes, from
/// which LDK takes the index of the child.
pub(crate) fn ldk_keys_id(keys_id: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    let (number, _) = bytes.split_at_mut(8);
    number.copy_from_slice(&keys_id.to_be_bytes());
    bytes
}
