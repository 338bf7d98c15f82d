//! What is needed to resolve a channel on chain.

use bitcoin::secp256k1::PublicKey;
use steward_htlc::Settlement;
use steward_wire::{NodeId, Preimage, Signature};

use crate::bolt3::{BuiltCommitment, Commitment, Contents, Parameters, Shachain, Side};
use crate::channel::Channel;
use crate::io::CloseReason;
use crate::ledger::View;

/// All that is needed to resolve the channel on chain, beside the archive of revoked commitments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defence {
    /// The peer.
    pub peer: NodeId,
    /// Names our keys to the signer.
    pub keys_id: u64,
    /// Keys, terms and funding output.
    pub parameters: Parameters,
    /// Our current commitment.
    pub local: LocalDefence,
    /// The peer's commitments that it has not revoked, the older first: one or two.
    pub remote: Vec<RemoteDefence>,
    /// The peer's point after those, if it has given one.
    pub remote_next_point: Option<PublicKey>,
    /// The peer's revocation secrets.
    pub secrets: Shachain,
    /// The preimages of the peer's HTLCs that we claim.
    pub preimages: Vec<Preimage>,
    /// HTLCs of ours whose preimage is known, by our id: they are never failed.
    pub fulfilled: Vec<(u64, Preimage)>,
    /// False if our commitment must not be published: the record is an old copy, or may be one.
    pub may_publish: bool,
}

/// Our current commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalDefence {
    /// Its number, counted up from 0.
    pub number: u64,
    /// What it holds. HTLCs are named by side and id: that is their source.
    pub contents: Contents,
    /// The peer's signature.
    pub signature: Signature,
    /// The peer's signatures on the transactions of HTLCs, in the order of the outputs.
    pub htlc_signatures: Vec<Signature>,
}

/// A commitment of the peer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteDefence {
    /// Its number, counted up from 0.
    pub number: u64,
    /// Its per-commitment point.
    pub point: PublicKey,
    /// What it holds.
    pub contents: Contents,
}

impl Defence {
    /// Builds our current commitment, given our per-commitment point for it.
    pub fn build_local(&self, point: PublicKey) -> BuiltCommitment {
        self.build(Side::Local, self.local.number, point, &self.local.contents)
    }

    /// Builds a commitment of the peer's.
    pub fn build_remote(&self, remote: &RemoteDefence) -> BuiltCommitment {
        self.build(Side::Remote, remote.number, remote.point, &remote.contents)
    }

    fn build(
        &self,
        owner: Side,
        number: u64,
        point: PublicKey,
        contents: &Contents,
    ) -> BuiltCommitment {
        Commitment { parameters: &self.parameters, owner, number, point, contents }.build()
    }
}

impl Channel {
    /// All that is needed to resolve the channel on chain; `None` before its funding is known.
    pub fn defence(&self) -> Option<Defence> {
        let live = self.live()?;
        let remote = &live.remote;
        let mut commitments = vec![RemoteDefence {
            number: remote.number,
            point: remote.point,
            contents: live.contents(View::RemoteCurrent),
        }];
        let pending_point = remote.next_point.filter(|_| remote.pending.is_some());
        commitments.extend(pending_point.map(|point| RemoteDefence {
            number: remote.number.saturating_add(1),
            point,
            contents: live.contents(View::RemotePending),
        }));
        let claimed = |answer: &Settlement| match answer {
            Settlement::Fulfill { preimage, .. } => Some(*preimage),
            Settlement::Fail(_) => None,
        };
        let answers = live.ledger.theirs.values().filter_map(|htlc| htlc.answer.as_ref());
        Some(Defence {
            peer: live.peer,
            keys_id: live.keys_id,
            parameters: live.parameters.clone(),
            local: LocalDefence {
                number: live.local.number,
                contents: live.contents(View::LocalCurrent),
                signature: live.local.signature,
                htlc_signatures: live.local.htlc_signatures.clone(),
            },
            remote: commitments,
            remote_next_point: remote.next_point,
            secrets: remote.secrets.clone(),
            preimages: answers.filter_map(claimed).collect(),
            fulfilled: live
                .ledger
                .ours
                .iter()
                .filter_map(|(id, htlc)| Some((*id, htlc.preimage?)))
                .collect(),
            may_publish: !live.is_unproven
                && live.closing.as_ref().is_none_or(|closing| {
                    // A spent funding output forbids nothing: a reorganisation may bring it back.
                    closing.reason != CloseReason::DataLost
                }),
        })
    }
}
