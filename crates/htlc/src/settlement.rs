//! The answer to an HTLC: a preimage or a failure.

use steward_wire::Preimage;

/// The answer to an HTLC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The HTLC is fulfilled.
    Fulfill {
        /// The proof of payment.
        preimage: Preimage,
        /// The TLV stream that comes with it, such as attribution data.
        tlvs: Vec<u8>,
    },
    /// The HTLC is failed.
    Fail(Failure),
}

/// The way in which we, or the peer, fail an HTLC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// `update_fail_htlc`: an encrypted reason and a TLV stream.
    Reason {
        /// Onion error, encrypted for the payer.
        reason: Vec<u8>,
        /// TLV stream, such as attribution data.
        tlvs: Vec<u8>,
    },
    /// `update_fail_malformed_htlc`.
    Malformed {
        /// SHA-256 of the onion that could not be read.
        sha256_of_onion: [u8; 32],
        /// A BOLT4 code with the BADONION bit.
        failure_code: u16,
    },
}
