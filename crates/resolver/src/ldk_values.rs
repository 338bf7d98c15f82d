//! The record's values in LDK's types: parameters, commitments, HTLCs.

use bitcoin::secp256k1::PublicKey;
use lightning::chain::transaction::OutPoint;
use lightning::ln::chan_utils::{
    ChannelPublicKeys, ChannelTransactionParameters, CommitmentTransaction,
    CounterpartyChannelTransactionParameters, HTLCOutputInCommitment, HolderCommitmentTransaction,
};
use lightning::ln::channel_keys::{DelayedPaymentBasepoint, HtlcBasepoint, RevocationBasepoint};
use lightning::sign::{ChannelSigner, InMemorySigner};
use lightning::types::features::ChannelTypeFeatures;
use lightning::types::payment::PaymentHash;

use crate::keys::ChannelKeys;
use crate::limits::COMMITMENT_NUMBERS;
use crate::not_defendable::NotDefendable;
use crate::record::{
    ChannelAtDeath, Commitment, CommitmentHtlc, Direction, HtlcTerms, RemoteCommitment,
    SideParameters,
};

/// Returns LDK's number of a commitment, which counts down.
pub(crate) fn ldk_number(number: u64) -> u64 {
    (COMMITMENT_NUMBERS - 1).saturating_sub(number)
}

fn public_keys(side: &SideParameters) -> ChannelPublicKeys {
    ChannelPublicKeys {
        funding_pubkey: side.funding_key,
        revocation_basepoint: RevocationBasepoint::from(side.revocation_basepoint),
        payment_point: side.payment_basepoint,
        delayed_payment_basepoint: DelayedPaymentBasepoint::from(side.delayed_payment_basepoint),
        htlc_basepoint: HtlcBasepoint::from(side.htlc_basepoint),
    }
}

/// Returns the only channel type that we have.
fn channel_type() -> ChannelTypeFeatures {
    let mut features = ChannelTypeFeatures::empty();
    features.set_static_remote_key_required();
    features.set_anchors_zero_fee_htlc_tx_required();
    features
}

/// Returns the channel's parameters, if our keys are those of the record.
pub(crate) fn parameters(
    record: &ChannelAtDeath,
    keys: &ChannelKeys,
    signer: &InMemorySigner,
) -> Result<ChannelTransactionParameters, NotDefendable> {
    let theirs = &record.parameters;
    let holder = public_keys(&theirs.local);
    if holder != keys.public(signer) {
        return Err(NotDefendable::Keys);
    }
    let index = u16::try_from(theirs.funding.vout)
        .map_err(|_| NotDefendable::Limit { what: "outputs in the funding transaction" })?;
    Ok(ChannelTransactionParameters {
        holder_pubkeys: holder,
        holder_selected_contest_delay: theirs.local.to_self_delay_blocks,
        is_outbound_from_holder: theirs.is_funder,
        counterparty_parameters: Some(CounterpartyChannelTransactionParameters {
            pubkeys: public_keys(&theirs.remote),
            selected_contest_delay: theirs.remote.to_self_delay_blocks,
        }),
        funding_outpoint: Some(OutPoint { txid: theirs.funding.txid, index }),
        splice_parent_funding_txid: None,
        channel_type_features: channel_type(),
        channel_value_satoshis: theirs.funding_sat,
    })
}

/// Returns an HTLC as the commitment of `owner` has it.
pub(crate) fn ldk_htlc(terms: &HtlcTerms, owner: Owner) -> HTLCOutputInCommitment {
    HTLCOutputInCommitment {
        offered: owner.offers(terms.direction),
        amount_msat: terms.amount_msat,
        cltv_expiry: terms.cltv_expiry,
        payment_hash: PaymentHash(terms.payment_hash.0),
        transaction_output_index: terms.output_index,
    }
}

/// The side whose commitment it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Local,
    Remote,
}

impl Owner {
    fn offers(self, direction: Direction) -> bool {
        match self {
            Self::Local => direction == Direction::Outgoing,
            Self::Remote => direction == Direction::Incoming,
        }
    }
}

/// A commitment as LDK builds it, with our HTLCs in the order of LDK's.
pub(crate) struct Built<'a> {
    pub(crate) transaction: CommitmentTransaction,
    /// Those with an output, in the order of the outputs, then those without.
    pub(crate) htlcs: Vec<(HTLCOutputInCommitment, &'a CommitmentHtlc)>,
}

/// Builds a commitment. Each HTLC must be at the output that the record says.
pub(crate) fn build<'a>(
    content: &'a Commitment,
    owner: Owner,
    point: &PublicKey,
    parameters: &ChannelTransactionParameters,
    keys: &ChannelKeys,
) -> Result<Built<'a>, NotDefendable> {
    check_sum(content, parameters)?;
    let mut with_output: Vec<&CommitmentHtlc> =
        content.htlcs.iter().filter(|htlc| htlc.terms.output_index.is_some()).collect();
    with_output.sort_by_key(|htlc| htlc.terms.output_index);
    let outputs = with_output.iter().map(|htlc| ldk_htlc(&htlc.terms, owner)).collect();
    let (own_sat, other_sat, directed) = match owner {
        Owner::Local => {
            (content.local_sat, content.remote_sat, parameters.as_holder_broadcastable())
        }
        Owner::Remote => {
            (content.remote_sat, content.local_sat, parameters.as_counterparty_broadcastable())
        }
    };
    let transaction = CommitmentTransaction::new(
        ldk_number(content.number),
        point,
        own_sat,
        other_sat,
        content.feerate_per_kw,
        outputs,
        &directed,
        keys.secp(),
    );
    let trusted = transaction.trust();
    let outputs = &trusted.built_transaction().transaction.output;
    if outputs.iter().map(|output| output.value.to_sat()).sum::<u64>()
        > parameters.channel_value_satoshis
    {
        return Err(NotDefendable::Overspent { number: content.number });
    }
    let built = transaction.nondust_htlcs();
    if built.len() != with_output.len() {
        return Err(NotDefendable::Outputs { expected: built.len(), found: with_output.len() });
    }
    let mut htlcs = Vec::with_capacity(content.htlcs.len());
    for (built, ours) in built.iter().zip(with_output) {
        if *built != ldk_htlc(&ours.terms, owner) {
            let direction = ours.terms.direction;
            return Err(NotDefendable::Output { direction, id: ours.id });
        }
        htlcs.push((built.clone(), ours));
    }
    let trimmed = content.htlcs.iter().filter(|htlc| htlc.terms.output_index.is_none());
    htlcs.extend(trimmed.map(|htlc| (ldk_htlc(&htlc.terms, owner), htlc)));
    Ok(Built { transaction, htlcs })
}

/// Builds a commitment of the remote side.
pub(crate) fn build_remote<'a>(
    commitment: &'a RemoteCommitment,
    parameters: &ChannelTransactionParameters,
    keys: &ChannelKeys,
) -> Result<Built<'a>, NotDefendable> {
    let built = build(&commitment.content, Owner::Remote, &commitment.point, parameters, keys)?;
    if built.transaction.trust().txid() != commitment.txid {
        return Err(NotDefendable::Transaction { number: commitment.content.number });
    }
    Ok(built)
}

/// Builds our commitment, with the remote side's signatures.
pub(crate) fn build_local<'a>(
    record: &'a ChannelAtDeath,
    parameters: &ChannelTransactionParameters,
    keys: &ChannelKeys,
    signer: &InMemorySigner,
) -> Result<(HolderCommitmentTransaction, Built<'a>), NotDefendable> {
    let local = &record.local;
    let number = ldk_number(local.content.number);
    let Ok(point) = signer.get_per_commitment_point(number, keys.secp()) else {
        // Only a signer that is elsewhere may be unable to answer. Ours is in memory.
        return Err(NotDefendable::Keys);
    };
    let built = build(&local.content, Owner::Local, &point, parameters, keys)?;
    let expected = built.transaction.nondust_htlcs().len();
    if local.htlc_signatures.len() != expected {
        let found = local.htlc_signatures.len();
        return Err(NotDefendable::HtlcSignatures { expected, found });
    }
    let holder = HolderCommitmentTransaction::new(
        built.transaction.clone(),
        local.signature,
        local.htlc_signatures.clone(),
        &record.parameters.local.funding_key,
        &record.parameters.remote.funding_key,
    );
    Ok((holder, built))
}

/// Checks that a commitment gives away no more than there is, before LDK adds the amounts and two
/// anchors.
fn check_sum(
    content: &Commitment,
    parameters: &ChannelTransactionParameters,
) -> Result<(), NotDefendable> {
    let htlcs = content.htlcs.iter().try_fold(0_u64, |sum, htlc| {
        let sat = if htlc.terms.output_index.is_some() { htlc.terms.amount_msat / 1000 } else { 0 };
        sum.checked_add(sat)
    });
    let sum = htlcs
        .and_then(|sum| sum.checked_add(content.local_sat))
        .and_then(|sum| sum.checked_add(content.remote_sat));
    match sum {
        Some(sum) if sum <= parameters.channel_value_satoshis => Ok(()),
        _ => Err(NotDefendable::Overspent { number: content.number }),
    }
}
