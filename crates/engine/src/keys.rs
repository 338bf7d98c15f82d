//! Whose keys sign what. Derivation lives in the runtime; the engine asks by purpose.

use bitcoin::secp256k1::SecretKey;
use steward_wire::{NodeId, PaymentHash};

/// The node's secrets, by purpose. In memory today; a remote signer fits behind it.
pub trait Keys: Send {
    /// Our identity as host, and towards everyone who is not our host.
    fn node(&self) -> SecretKey;
    /// Our identity towards one host: each host sees another client (protocol.md section 1.6).
    fn towards_host(&self, host: &NodeId) -> SecretKey;
    /// The payee key of one invoice, so that invoices name none of our identities. What their
    /// hints still give away is in docs/threat-model.md, "What is not defended".
    fn invoice(&self, payment_hash: &PaymentHash) -> SecretKey;
    /// Where this host may refund us on chain: P2WPKH, another one for each host.
    fn refund_scriptpubkey(&self, host: &NodeId) -> Vec<u8>;
}
