//! Why a channel could not be defended on chain.

use thiserror::Error;

use crate::record::Direction;

/// A reason why no monitor can be made of a record, or why the one that is made would not do its
/// work. While the channel lives it means: take no new HTLC, close by agreement while you can.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotDefendable {
    /// The channel's keys would be those of an earlier channel.
    #[error("the keys_id {keys_id} is too large: its keys are those of an earlier channel")]
    KeysId {
        /// The number.
        keys_id: u64,
    },
    /// The seed gives other keys than those of the channel.
    #[error("the keys derived from the seed are not those of the channel")]
    Keys,
    /// A list or a number of the record is over its limit.
    #[error("the record has too many or too large {what}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
    },
    /// The record's secrets do not follow from each other.
    #[error("the secrets that revoke the remote side's commitments do not fit each other")]
    Secrets,
    /// A commitment before the unrevoked ones has no secret.
    #[error("commitment {number} of the remote side could not be punished: its secret is missing")]
    SecretMissing {
        /// The number of the commitment.
        number: u64,
    },
    /// An unrevoked commitment of the remote side has a secret.
    #[error(
        "commitment {number} of the remote side is in the record as unrevoked, with its secret"
    )]
    SecretOfUnrevoked {
        /// The number of the commitment.
        number: u64,
    },
    /// The numbers of the remote side's commitments do not follow each other.
    #[error("the remote side's commitments have the numbers {previous} and {current}")]
    Numbers {
        /// The number of the older commitment.
        previous: u64,
        /// The number of the newer commitment.
        current: u64,
    },
    /// The transaction that follows from the record has other outputs than the record says.
    #[error("the HTLC {direction:?} {id} is not at the output that the record says")]
    Output {
        /// Who offered the HTLC.
        direction: Direction,
        /// Its number.
        id: u64,
    },
    /// An HTLC that the commitment has to have twice, or has to have an output for.
    #[error("the record has {found} HTLCs with an output, the commitment {expected}")]
    Outputs {
        /// How many outputs the transaction has for HTLCs.
        expected: usize,
        /// How many HTLCs the record has.
        found: usize,
    },
    /// The transaction that follows from the record is another than the one we signed.
    #[error("commitment {number} of the remote side is another transaction than the one we signed")]
    Transaction {
        /// The number of the commitment.
        number: u64,
    },
    /// The sum of a commitment's outputs is more than the channel has.
    #[error("commitment {number} spends more than the channel holds")]
    Overspent {
        /// The number of the commitment.
        number: u64,
    },
    /// There are more or fewer signatures of HTLCs than HTLCs.
    #[error("there are {found} signatures for {expected} HTLCs of the local commitment")]
    HtlcSignatures {
        /// How many there must be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The remote side's signature of our commitment is wrong.
    #[error("the remote side's signature of the local commitment is wrong")]
    Signature,
    /// The remote side's signature of an HTLC transaction is wrong.
    #[error("the remote side's signature for output {output} of the local commitment is wrong")]
    HtlcSignature {
        /// The output of the commitment.
        output: u32,
    },
    /// LDK does not read what we wrote.
    #[error("LDK does not read the monitor: {reason}")]
    Unreadable {
        /// What LDK says.
        reason: String,
    },
    /// The monitor says that we own something else than the record does.
    #[error("the monitor counts other balances than the record: {difference}")]
    Balances {
        /// The first balance that only one of them has.
        difference: String,
    },
    /// The monitor does not spend what it should when a commitment confirms.
    #[error(
        "the monitor does not act when the remote side's commitment {number} confirms: {missing}"
    )]
    Inactive {
        /// The number of the commitment.
        number: u64,
        /// What is missing.
        missing: String,
    },
}
