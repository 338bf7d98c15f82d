//! The signer: our identities, by purpose. Derivation lives outside of the engine.

use std::sync::Arc;

use steward_wire::{Identity, NodeId, PaymentHash};

use crate::face::row::LocalIdentity;

/// Our identities. An identity signs and shares secrets, and never shows a key, so that a signer on
/// another machine can stand behind it.
pub trait Signer: Send {
    /// Our identity as host, and towards every peer that is not our host.
    fn node(&self) -> Arc<dyn Identity>;

    /// Our identity towards one host: each host sees another client (docs/protocol.md section 1.6).
    fn towards_host(&self, host: &NodeId) -> Arc<dyn Identity>;

    /// The payee of one invoice, so that invoices name none of our identities. What their hints
    /// still give away is in docs/threat-model.md, "What is not defended".
    fn invoice(&self, payment_hash: &PaymentHash) -> Arc<dyn Identity>;

    /// The P2WPKH script by which this host may refund us on chain. Each host and each identity of
    /// ours towards it has another one.
    fn refund_scriptpubkey(&self, host: &NodeId, identity: LocalIdentity) -> Vec<u8>;
}
