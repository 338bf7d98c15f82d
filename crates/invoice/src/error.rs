//! The reasons why a text is not an invoice that we can pay, each with a sentence.

use std::fmt;

use bitcoin::Network;

use crate::limits::MAX_INVOICE_CHARS;

/// The reason why a text is not an invoice that we can pay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The text is not an invoice at all.
    #[error("this is not a Lightning invoice")]
    NotAnInvoice,
    /// The text has more than [`MAX_INVOICE_CHARS`].
    #[error("the invoice is longer than {MAX_INVOICE_CHARS} characters")]
    TooLong,
    /// The bech32 checksum is wrong.
    #[error("the invoice is mistyped or incomplete: its checksum is wrong")]
    BadChecksum,
    /// No network that we know has this prefix.
    #[error("the invoice is for an unknown network")]
    UnknownNetwork,
    /// The amount is not a number, or not a whole number of millisatoshi.
    #[error("the invoice's amount is not a number of millisatoshi")]
    BadAmount,
    /// The signature is not the payee's.
    #[error("the invoice's signature is wrong")]
    BadSignature,
    /// The invoice requires a feature that this node does not have.
    #[error("the invoice requires {0}, which this node does not have")]
    UnknownFeature(RequiredFeature),
    /// Blinded paths replace the payment secret (bLIP 39).
    #[error("the invoice hides its payee behind blinded paths, which this node cannot pay")]
    BlindedPaths,
    /// A mandatory field is missing.
    #[error("the invoice has no {0}")]
    Missing(&'static str),
    /// A field that decides where the money goes is there more than once.
    #[error("the invoice has more than one {0}")]
    Duplicate(&'static str),
    /// The invoice has both `d` and `h`, so it is not clear what the payment is for.
    #[error("the invoice has a description and the hash of another one")]
    BothDescriptions,
    /// The `min_final_cltv_expiry_delta` is not a number of blocks.
    #[error("the invoice asks for an impossible expiry")]
    BadExpiryDelta,
    /// The 33 bytes of a node id in a route hint are not a point of the curve.
    #[error("a route hint of the invoice names a node id that is not a public key")]
    BadHintNode,
    /// The `n` field is not a point of the curve.
    #[error("the invoice names a payee that is not a public key")]
    BadPayee,
    /// A field is malformed.
    #[error("the invoice is malformed: {0}")]
    Malformed(&'static str),
}

/// The even bit of a feature that the payee requires (BOLT 9; BOLT 11 "Feature Bits").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequiredFeature(pub u16);

impl fmt::Display for RequiredFeature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bit) = self;
        let name = match bit {
            24 => "route blinding",
            30 => "atomic multi-path payments (AMP)",
            54 => "keysend",
            56 | 148 => "trampoline routing",
            262 => "blinded paths",
            _ => return write!(f, "feature {bit}"),
        };
        write!(f, "{name} (feature {bit})")
    }
}

/// The error for an invoice of another chain than ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the invoice is for {}, this node is on {}", network_name(*.invoice), network_name(*.ours))]
pub struct WrongNetwork {
    /// The invoice's network.
    pub invoice: Network,
    /// Our network.
    pub ours: Network,
}

/// Names a network as configuration and output do.
fn network_name(network: Network) -> String {
    match network {
        Network::Bitcoin => "mainnet".to_owned(),
        other => other.to_string(),
    }
}

impl ParseError {
    /// Returns the advice for the user.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotAnInvoice => {
                "an invoice begins with lnbc (on test networks lntb, lntbs, lnbcrt): ask the payee for one"
            }
            Self::TooLong => "copy the invoice alone, without the text around it",
            Self::BadChecksum => "copy the whole invoice again, from `ln` to its last character",
            Self::UnknownNetwork => "ask the payee for an invoice on a network of Bitcoin",
            Self::UnknownFeature(_) | Self::BlindedPaths => {
                "ask the payee for a plain BOLT11 invoice, from another wallet if need be"
            }
            _ => {
                "the payee's wallet made it so, or it was changed on its way: ask for a new invoice"
            }
        }
    }
}
