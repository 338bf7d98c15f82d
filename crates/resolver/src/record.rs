//! What a channel knows at the moment of its death, in plain values of our own. Crate `funded` fills
//! it; everything of LDK is made from it.

use bitcoin::secp256k1::PublicKey;
use bitcoin::secp256k1::ecdsa::Signature;
use bitcoin::{BlockHash, OutPoint, ScriptBuf, Txid};
use steward_wire::{LinkId, NodeId, PaymentHash, Preimage};

/// A channel when its funding output was spent, or when we decided to publish our commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelAtDeath {
    /// The id of the channel, from its funding output.
    pub link: LinkId,
    /// The node at the other end.
    pub peer: NodeId,
    /// The number from which the keys of this channel are derived: see
    /// [`ChannelKeys`](crate::ChannelKeys).
    pub keys_id: u64,
    /// What both sides agreed on when they opened.
    pub parameters: Parameters,
    /// Whether our commitment may be published. It may not if the remote side has shown that it knows
    /// newer states than we do, or while that is not known, as after a restored backup.
    pub may_publish: bool,
    /// Our newest commitment, with the remote side's signatures: the only one we may publish.
    pub local: LocalCommitment,
    /// The newest commitment of the remote side that we have signed.
    pub remote: RemoteCommitment,
    /// The one before it, as long as the remote side has not revoked it.
    pub remote_previous: Option<RemoteCommitment>,
    /// The revoked commitment of the remote side that was seen in a block, from the archive.
    pub revoked: Option<RevokedCommitment>,
    /// The revocation secrets of the remote side, as BOLT 3 says to keep them: at most 49, from which
    /// all others follow. Their order does not matter.
    pub secrets: Vec<RevocationSecret>,
    /// The preimages we know of incoming HTLCs.
    pub preimages: Vec<Preimage>,
    /// The outgoing HTLCs that the remote side has fulfilled, as long as a commitment has them: they
    /// are never reported as failed.
    pub fulfilled: Vec<FulfilledHtlc>,
    /// The last block that was looked at. What comes next is fed to the resolver.
    pub best_block: BestBlock,
    /// The script of the wallet that everything is paid to.
    pub destination: ScriptBuf,
}

/// What both sides agreed on when they opened. The channel type is `option_anchors` with
/// `option_static_remotekey`, always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The output that holds the channel's money.
    pub funding: OutPoint,
    /// Its value, in satoshi.
    pub funding_sat: u64,
    /// Whether we funded the channel, and so pay the fees of commitments.
    pub is_funder: bool,
    /// Our side.
    pub local: SideParameters,
    /// The remote side.
    pub remote: SideParameters,
}

/// What one side said in its `open_channel` or `accept_channel`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideParameters {
    /// `funding_pubkey`.
    pub funding_key: PublicKey,
    /// `revocation_basepoint`.
    pub revocation_basepoint: PublicKey,
    /// `payment_basepoint`.
    pub payment_basepoint: PublicKey,
    /// `delayed_payment_basepoint`.
    pub delayed_payment_basepoint: PublicKey,
    /// `htlc_basepoint`.
    pub htlc_basepoint: PublicKey,
    /// `to_self_delay`: the blocks for which the *other* side's own outputs are held back.
    pub to_self_delay_blocks: u16,
}

/// Who offered an HTLC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// The remote side offered it to us.
    Incoming,
    /// We offered it.
    Outgoing,
}

/// An HTLC as a commitment has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HtlcTerms {
    /// Who offered it.
    pub direction: Direction,
    /// Its amount, in millisatoshi.
    pub amount_msat: u64,
    /// The height from which the side that offered it may take it back.
    pub cltv_expiry: u32,
    /// The hash whose preimage claims it.
    pub payment_hash: PaymentHash,
    /// The output of the commitment that holds it; `None` if it is trimmed.
    pub output_index: Option<u32>,
}

/// An HTLC of a commitment that is not revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitmentHtlc {
    /// The number that the side which offered it gave it.
    pub id: u64,
    /// What the commitment says of it.
    pub terms: HtlcTerms,
}

/// The content of a commitment, after fees, anchors and trimming.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// Its number, counted up from 0 (BOLT 3).
    pub number: u64,
    /// The feerate it was made with, in satoshi per 1000 weight units.
    pub feerate_per_kw: u32,
    /// The value of the output that pays us, in satoshi; 0 if there is none.
    pub local_sat: u64,
    /// The value of the output that pays the remote side, in satoshi; 0 if there is none.
    pub remote_sat: u64,
    /// Its HTLCs, trimmed ones too.
    pub htlcs: Vec<CommitmentHtlc>,
}

/// A commitment of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalCommitment {
    /// Its content.
    pub content: Commitment,
    /// The remote side's signature of the commitment.
    pub signature: Signature,
    /// The remote side's signatures of the HTLC transactions, in the order of the outputs.
    pub htlc_signatures: Vec<Signature>,
}

/// A commitment of the remote side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteCommitment {
    /// Its content.
    pub content: Commitment,
    /// Its `per_commitment_point`.
    pub point: PublicKey,
    /// Its transaction, whose signature we gave away.
    pub txid: Txid,
}

/// A revoked commitment of the remote side, as the archive has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedCommitment {
    /// Its number, counted up from 0.
    pub number: u64,
    /// Its transaction.
    pub txid: Txid,
    /// Its HTLCs that were not trimmed.
    pub htlcs: Vec<HtlcTerms>,
}

/// A secret with which the remote side revoked a commitment, and all those whose secrets follow from
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationSecret {
    /// The number of the commitment, counted up from 0.
    pub number: u64,
    /// The secret.
    pub secret: [u8; 32],
}

/// An outgoing HTLC whose preimage the remote side gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FulfilledHtlc {
    /// The number that we gave it.
    pub id: u64,
    /// Its preimage.
    pub preimage: Preimage,
}

/// A block of the best chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BestBlock {
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: u32,
}

impl ChannelAtDeath {
    /// Returns the commitments of the remote side that are not revoked, the older one first.
    pub(crate) fn unrevoked(&self) -> impl Iterator<Item = &RemoteCommitment> {
        self.remote_previous.iter().chain([&self.remote])
    }

    /// Returns the number of the oldest commitment of the remote side that is not revoked.
    pub(crate) fn oldest_unrevoked(&self) -> u64 {
        self.remote_previous.as_ref().unwrap_or(&self.remote).content.number
    }

    /// Returns the number of the newest commitment that the remote side has revoked.
    pub(crate) fn newest_revoked(&self) -> Option<u64> {
        self.oldest_unrevoked().checked_sub(1)
    }
}
