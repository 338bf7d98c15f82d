//! The record of a channel at its death, from what crate `funded` knows of it.

use bitcoin::ScriptBuf;
use bitcoin::secp256k1::ecdsa::Signature;
use lightning::sign::ChannelSigner;
use steward_funded::bolt3::{Commitment as Bolt3, Contents, Side, SideTerms};
use steward_funded::{ArchivedCommitment, Defence};
use steward_wire::LinkId;

use crate::keys::ChannelKeys;
use crate::ldk_values::ldk_number;
use crate::not_defendable::NotDefendable;
use crate::record::{
    BestBlock, ChannelAtDeath, Commitment, CommitmentHtlc, Direction, FulfilledHtlc, HtlcTerms,
    LocalCommitment, Parameters, RemoteCommitment, RevocationSecret, RevokedCommitment,
    SideParameters,
};

impl ChannelAtDeath {
    /// Makes the record. `revoked` is the commitment of the remote side that was seen in a block, with
    /// its number, if it is a revoked one; `destination` is the script of the wallet.
    ///
    /// # Errors
    /// Fails if the keys are not those of the channel, or if a signature in it is none.
    pub fn new(
        defence: &Defence,
        revoked: Option<(u64, &ArchivedCommitment)>,
        best_block: BestBlock,
        destination: ScriptBuf,
        keys: &ChannelKeys,
    ) -> Result<Self, NotDefendable> {
        let mut remote: Vec<_> =
            defence.remote.iter().map(|one| remote_commitment(defence, one)).collect();
        let newest = remote.pop().ok_or(NotDefendable::Limit { what: "missing commitments" })?;
        Ok(Self {
            link: LinkId::from(defence.parameters.channel_id()),
            peer: defence.peer,
            keys_id: defence.keys_id,
            parameters: parameters(defence),
            may_publish: defence.may_publish,
            local: local_commitment(defence, keys)?,
            remote: newest,
            remote_previous: remote.pop(),
            revoked: revoked
                .map(|(number, archived)| revoked_commitment(defence, number, archived)),
            secrets: defence
                .secrets
                .numbered()
                .map(|(number, secret)| RevocationSecret { number, secret })
                .collect(),
            preimages: defence.preimages.clone(),
            fulfilled: defence
                .fulfilled
                .iter()
                .map(|(id, preimage)| FulfilledHtlc { id: *id, preimage: *preimage })
                .collect(),
            best_block,
            destination,
        })
    }
}

fn parameters(defence: &Defence) -> Parameters {
    let side = |terms: &SideTerms| SideParameters {
        funding_key: terms.basepoints.funding,
        revocation_basepoint: terms.basepoints.revocation,
        payment_basepoint: terms.basepoints.payment,
        delayed_payment_basepoint: terms.basepoints.delayed_payment,
        htlc_basepoint: terms.basepoints.htlc,
        to_self_delay_blocks: terms.to_self_delay,
    };
    let theirs = &defence.parameters;
    Parameters {
        funding: theirs.funding,
        funding_sat: theirs.funding_sat,
        is_funder: theirs.funder == Side::Local,
        local: side(&theirs.local),
        remote: side(&theirs.remote),
    }
}

fn local_commitment(
    defence: &Defence,
    keys: &ChannelKeys,
) -> Result<LocalCommitment, NotDefendable> {
    let local = &defence.local;
    let signer = keys.derive(defence.keys_id)?;
    let point = signer
        .get_per_commitment_point(ldk_number(local.number), keys.secp())
        .map_err(|()| NotDefendable::Keys)?;
    let built = defence.build_local(point);
    let sat = (built.to_owner_sat(), built.to_other_sat());
    let outputs = built.htlcs().iter().map(|(_, output)| *output);
    let signature = |bytes: &steward_wire::Signature| {
        Signature::from_compact(&bytes.0).map_err(|_| NotDefendable::Signature)
    };
    Ok(LocalCommitment {
        content: content(local.number, &local.contents, sat, outputs),
        signature: signature(&local.signature)?,
        htlc_signatures: local.htlc_signatures.iter().map(signature).collect::<Result<_, _>>()?,
    })
}

fn remote_commitment(
    defence: &Defence,
    remote: &steward_funded::RemoteDefence,
) -> RemoteCommitment {
    let built = defence.build_remote(remote);
    let sat = (built.to_other_sat(), built.to_owner_sat());
    let outputs = built.htlcs().iter().map(|(_, output)| *output);
    RemoteCommitment {
        content: content(remote.number, &remote.contents, sat, outputs),
        point: remote.point,
        txid: built.txid(),
    }
}

fn revoked_commitment(
    defence: &Defence,
    number: u64,
    archived: &ArchivedCommitment,
) -> RevokedCommitment {
    let built = Bolt3 {
        parameters: &defence.parameters,
        owner: Side::Remote,
        number,
        point: archived.point,
        contents: &archived.contents,
    }
    .build();
    let outputs = archived.outputs.iter().copied();
    let content = content(number, &archived.contents, (0, 0), outputs);
    RevokedCommitment {
        number,
        txid: built.txid(),
        htlcs: content
            .htlcs
            .into_iter()
            .map(|htlc| htlc.terms)
            .filter(|terms| terms.output_index.is_some())
            .collect(),
    }
}

fn content(
    number: u64,
    contents: &Contents,
    (local_sat, remote_sat): (u64, u64),
    outputs: impl Iterator<Item = Option<u32>>,
) -> Commitment {
    let htlcs = contents.htlcs.iter().zip(outputs).map(|(htlc, output_index)| {
        let direction = match htlc.key.offered_by {
            Side::Local => Direction::Outgoing,
            Side::Remote => Direction::Incoming,
        };
        let terms = HtlcTerms {
            direction,
            amount_msat: htlc.amount_msat,
            cltv_expiry: htlc.cltv_expiry,
            payment_hash: htlc.payment_hash,
            output_index,
        };
        CommitmentHtlc { id: htlc.key.id, terms }
    });
    Commitment {
        number,
        feerate_per_kw: contents.feerate_per_kw,
        local_sat,
        remote_sat,
        htlcs: htlcs.collect(),
    }
}
