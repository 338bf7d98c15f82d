//! What a channel remembers from `funding_signed` on.

use bitcoin::secp256k1::PublicKey;
use steward_wire::{ChannelUpdate, NodeId, ShortChannelId, Signature};

use crate::bolt3::{Close, Commitment, Contents, HtlcKey, Parameters, Shachain, Side};
use crate::io::CloseReason;
use crate::ledger::{Ledger, View};

/// A channel whose funding output is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) peer: NodeId,
    /// Names our keys to the signer.
    pub(crate) keys_id: u64,
    pub(crate) parameters: Parameters,
    pub(crate) is_announced: bool,
    pub(crate) minimum_depth: u32,
    /// Height of the best block when we signed for the funding.
    pub(crate) opened_height: u32,
    pub(crate) ledger: Ledger,
    pub(crate) local: LocalCommitment,
    pub(crate) remote: RemoteCommitments,
    pub(crate) funding: Funding,
    pub(crate) peer_policy: Option<ChannelUpdate>,
    pub(crate) shutdown: Shutdown,
    pub(crate) closing: Option<Closing>,
    /// True if the record may be an old copy, and the peer has not proved that it is none.
    pub(crate) is_unproven: bool,
}

/// Our current commitment, as the peer signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalCommitment {
    pub(crate) number: u64,
    pub(crate) signature: Signature,
    /// In the order of the outputs.
    pub(crate) htlc_signatures: Vec<Signature>,
}

/// The peer's commitments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoteCommitments {
    /// The number of the oldest that is not revoked, which is also that of revocations received.
    pub(crate) number: u64,
    /// Its per-commitment point.
    pub(crate) point: PublicKey,
    /// The point of the one after it, once the peer has given it.
    pub(crate) next_point: Option<PublicKey>,
    /// The one after it, if we have signed it.
    pub(crate) pending: Option<Pending>,
    pub(crate) secrets: Shachain,
}

/// A `commitment_signed` of ours that the peer has not answered, with the updates before it: what
/// is sent again, byte for byte, if it was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) signature: Signature,
    pub(crate) htlc_signatures: Vec<Signature>,
    /// The updates in the order in which they were sent: adds of ours, and answers to HTLCs of the
    /// peer's.
    pub(crate) updates: Vec<HtlcKey>,
    /// True if we have sent a `revoke_and_ack` after it.
    pub(crate) is_before_revocation: bool,
}

/// How far the opening has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Funding {
    /// The funding output's place in the best chain, however deep.
    pub(crate) scid: Option<ShortChannelId>,
    /// True if it has been deep enough, so that we have said `channel_ready`.
    pub(crate) is_ready: bool,
    /// The peer's alias for the channel.
    pub(crate) peer_alias: Option<ShortChannelId>,
}

/// How far a cooperative close has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shutdown {
    /// True if we have decided to close: no HTLC of ours is added from then on.
    pub(crate) is_ours: bool,
    /// The script that the peer wants to be paid to.
    pub(crate) theirs: Option<Vec<u8>>,
    /// Closing transactions that we have signed. Any of them may confirm.
    pub(crate) signed: Vec<SignedClose>,
}

/// A closing transaction with both signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedClose {
    pub(crate) close: Close,
    pub(crate) ours: Signature,
    pub(crate) theirs: Signature,
}

/// The one decision that the channel ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Closing {
    pub(crate) reason: CloseReason,
    pub(crate) own: OwnCommitment,
    /// Height of the best block at the decision.
    pub(crate) height: u32,
}

/// What becomes of our own commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnCommitment {
    /// It is kept back: the peer is asked to publish its own.
    Held,
    /// It is published.
    Published,
    /// It must not be published, or need not be: the funding output is spent, or the record is an
    /// old copy.
    Never,
}

impl Live {
    /// What a commitment holds.
    pub(crate) fn contents(&self, view: View) -> Contents {
        self.ledger.contents(view)
    }

    /// The peer's oldest commitment that is not revoked.
    pub(crate) fn remote_current<'a>(&'a self, contents: &'a Contents) -> Commitment<'a> {
        self.commitment(Side::Remote, self.remote.number, self.remote.point, contents)
    }

    pub(crate) fn commitment<'a>(
        &'a self,
        owner: Side,
        number: u64,
        point: PublicKey,
        contents: &'a Contents,
    ) -> Commitment<'a> {
        Commitment { parameters: &self.parameters, owner, number, point, contents }
    }

    /// True if both sides have said `channel_ready`.
    pub(crate) fn is_open(&self) -> bool {
        self.funding.is_ready && (self.remote.next_point.is_some() || self.remote.number > 0)
    }

    /// True if HTLCs may be added, were the peer connected.
    pub(crate) fn takes_htlcs(&self) -> bool {
        self.is_open()
            && self.funding.scid.is_some()
            && self.closing.is_none()
            && !self.shutdown.is_ours
            && self.shutdown.theirs.is_none()
    }
}
