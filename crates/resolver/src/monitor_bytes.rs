//! Writes the bytes of an LDK `ChannelMonitor`, version 1 of its format, from a record.
//!
//! LDK makes monitors only inside its own `ChannelManager`, but reads them from bytes, and goes on
//! reading what its older releases wrote. Each block below is named by what LDK calls it; their order
//! is the format.

use bitcoin::hashes::{Hash, sha256};
use bitcoin::{ScriptBuf, Txid};
use lightning::chain::transaction::OutPoint;
use lightning::ln::chan_utils::{
    ChannelTransactionParameters, HTLCOutputInCommitment, HolderCommitmentTransaction,
    get_commitment_transaction_number_obscure_factor, get_countersigner_payment_script,
    make_funding_redeemscript,
};
use lightning::ln::types::ChannelId;
use lightning::sign::InMemorySigner;
use lightning::util::ser::Writeable;
use steward_wire::Preimage;

use crate::encoding::{Bytes, option};
use crate::keys::{ChannelKeys, ldk_keys_id};
use crate::ldk_values::{
    Built, Owner, build_local, build_remote, ldk_htlc, ldk_number, parameters,
};
use crate::not_defendable::NotDefendable;
use crate::record::{ChannelAtDeath, Direction};
use crate::secrets::Secrets;
use crate::source::{sent_id, source};

/// All that a monitor is written from.
struct Parts<'a> {
    record: &'a ChannelAtDeath,
    parameters: ChannelTransactionParameters,
    funding: OutPoint,
    channel: ChannelId,
    holder: HolderCommitmentTransaction,
    local: Built<'a>,
    /// The unrevoked commitments of the remote side, the older one first.
    remote: Vec<Built<'a>>,
    preimages: Vec<Preimage>,
}

/// Writes the monitor of a record that is within the limits (`check.rs`).
pub(crate) fn write(
    record: &ChannelAtDeath,
    keys: &ChannelKeys,
    signer: &InMemorySigner,
) -> Result<Vec<u8>, NotDefendable> {
    let parameters = parameters(record, keys, signer)?;
    let (holder, local) = build_local(record, &parameters, keys, signer)?;
    let remote = record
        .unrevoked()
        .map(|commitment| build_remote(commitment, &parameters, keys))
        .collect::<Result<Vec<_>, _>>()?;
    let Some(funding) = parameters.funding_outpoint else {
        return Err(NotDefendable::Keys);
    };
    let mut preimages = record.preimages.clone();
    preimages.sort_unstable();
    preimages.dedup();
    let channel = ChannelId(record.link.0);
    let parts = Parts { record, parameters, funding, channel, holder, local, remote, preimages };
    parts.write()
}

impl Parts<'_> {
    fn write(&self) -> Result<Vec<u8>, NotDefendable> {
        let mut bytes = Bytes::default();
        // The version, and the oldest that may read it.
        bytes.raw(&[1, 1]);
        // latest_update_id
        bytes.put(&0_u64);
        self.scripts_and_keys(&mut bytes)?;
        Secrets::new(&self.record.secrets, self.record.newest_revoked())?.write(&mut bytes);
        self.claimable_outpoints(&mut bytes);
        // counterparty_commitment_txn_on_chain, counterparty_hash_commitment_number
        bytes.put(&0_u64).put(&0_u64);
        // prev_holder_commitment_tx: it is revoked, and never published.
        bytes.raw(&[0]);
        self.holder_commitment(&mut bytes);
        bytes.u48(ldk_number(self.record.remote.content.number));
        bytes.u48(self.holder.commitment_number());
        bytes.put(&(self.preimages.len() as u64));
        self.preimages.iter().for_each(|preimage| {
            bytes.raw(&preimage.0);
        });
        // pending_monitor_events, pending_events
        bytes.put(&0_u64).put(&0_u64);
        bytes.put(&self.record.best_block.hash).put(&self.record.best_block.height);
        // onchain_events_awaiting_threshold_conf
        bytes.put(&0_u64);
        // outputs_to_watch
        bytes.put(&1_u64).put(&self.funding.txid).put(&1_u64);
        bytes.put(&u32::from(self.funding.index)).put(&self.funding_script());
        self.onchain_tx_handler(&mut bytes);
        // lockdown_from_offchain, holder_tx_signed
        bytes.raw(&[0, 0]);
        self.last_fields(&mut bytes);
        Ok(bytes.0)
    }

    fn funding_redeem_script(&self) -> ScriptBuf {
        let parameters = &self.record.parameters;
        make_funding_redeemscript(&parameters.local.funding_key, &parameters.remote.funding_key)
    }

    fn funding_script(&self) -> ScriptBuf {
        self.funding_redeem_script().to_p2wsh()
    }

    fn scripts_and_keys(&self, bytes: &mut Bytes) -> Result<(), NotDefendable> {
        let Some(remote) = self.parameters.counterparty_parameters.as_ref() else {
            return Err(NotDefendable::Keys);
        };
        let holder = &self.parameters.holder_pubkeys;
        bytes.u48(get_commitment_transaction_number_obscure_factor(
            &holder.payment_point,
            &remote.pubkeys.payment_point,
            self.parameters.is_outbound_from_holder,
        ));
        // destination_script; broadcasted_holder_revokable_script: none yet.
        bytes.put(&self.record.destination).raw(&[1]);
        let to_remote = &self.parameters.channel_type_features;
        bytes.put(&get_countersigner_payment_script(to_remote, &holder.payment_point));
        // shutdown_script
        bytes.put(&ScriptBuf::new());
        bytes.put(&ldk_keys_id(self.record.keys_id)).put(&holder.revocation_basepoint);
        bytes.put(&self.funding.txid).put(&self.funding.index).put(&self.funding_script());
        let mut newest_first =
            self.remote.iter().rev().map(|built| built.transaction.trust().txid());
        bytes.put(&newest_first.next()).put(&newest_first.next());
        // counterparty_commitment_params
        bytes.put(&0_u64).tlvs(&[
            (0, remote.pubkeys.delayed_payment_basepoint.encode()),
            (2, remote.pubkeys.htlc_basepoint.encode()),
            (4, self.parameters.holder_selected_contest_delay.encode()),
        ]);
        bytes.put(&self.funding_redeem_script());
        bytes.put(&self.parameters.channel_value_satoshis);
        self.points(bytes);
        // on_holder_tx_csv
        bytes.put(&remote.selected_contest_delay);
        Ok(())
    }

    /// their_cur_per_commitment_points: the number and the point of the older unrevoked commitment,
    /// and the point of the newer one.
    fn points(&self, bytes: &mut Bytes) {
        let newest = &self.record.remote;
        let oldest = self.record.remote_previous.as_ref().unwrap_or(newest);
        bytes.u48(ldk_number(oldest.content.number)).put(&oldest.point);
        match &self.record.remote_previous {
            Some(_) => bytes.put(&newest.point),
            None => bytes.raw(&[0; 33]),
        };
    }

    /// counterparty_claimable_outpoints: the HTLCs of the remote side's commitments, the sources
    /// with them unless the commitment is revoked.
    fn claimable_outpoints(&self, bytes: &mut Bytes) {
        let revoked = self.record.revoked.as_ref();
        bytes.put(&(self.remote.len() as u64 + u64::from(revoked.is_some())));
        let begin = |bytes: &mut Bytes, txid: &Txid, count: usize| {
            bytes.put(txid).put(&(count as u64));
        };
        let htlc = |bytes: &mut Bytes, htlc: &HTLCOutputInCommitment| {
            bytes.put(&htlc.offered).put(&htlc.amount_msat).put(&htlc.cltv_expiry);
            bytes.raw(&htlc.payment_hash.0).put(&htlc.transaction_output_index);
        };
        for built in &self.remote {
            begin(bytes, &built.transaction.trust().txid(), built.htlcs.len());
            for (ldk, ours) in &built.htlcs {
                htlc(bytes, ldk);
                bytes.raw(&self.source(ours.terms.direction, ours.id));
            }
        }
        if let Some(revoked) = revoked {
            begin(bytes, &revoked.txid, revoked.htlcs.len());
            let mut htlcs: Vec<_> = revoked.htlcs.iter().collect();
            htlcs.sort_by_key(|terms| terms.output_index);
            for terms in htlcs {
                htlc(bytes, &ldk_htlc(terms, Owner::Remote));
                bytes.raw(&option(None));
            }
        }
    }

    /// Returns the source of an outgoing HTLC; an incoming one has none.
    fn source(&self, direction: Direction, id: u64) -> Vec<u8> {
        let is_ours = direction == Direction::Outgoing;
        option(is_ours.then(|| source(id, &self.funding, &self.channel)))
    }

    /// current_holder_signed_tx, in its old form, which LDK compares with the one that the
    /// transaction handler has.
    fn holder_commitment(&self, bytes: &mut Bytes) {
        let trusted = self.holder.trust();
        let keys = trusted.keys();
        let mut signatures = self.holder.counterparty_htlc_sigs.iter();
        let mut htlcs = Bytes::default();
        for (ldk, ours) in &self.local.htlcs {
            // Those with an output come first, and have one signature each.
            let signature = signatures.next().map(Writeable::encode);
            htlcs.put(ldk).raw(&option(signature)).raw(&self.source(ours.terms.direction, ours.id));
        }
        bytes.tlvs(&[
            (0, trusted.txid().encode()),
            (1, self.holder.to_broadcaster_value_sat().encode()),
            (2, keys.revocation_key.encode()),
            (4, keys.broadcaster_htlc_key.encode()),
            (6, keys.countersignatory_htlc_key.encode()),
            (8, keys.broadcaster_delayed_payment_key.encode()),
            (10, keys.per_commitment_point.encode()),
            (12, self.holder.negotiated_feerate_per_kw().encode()),
            (14, htlcs.0),
        ]);
    }

    fn onchain_tx_handler(&self, bytes: &mut Bytes) {
        // The version, and the oldest that may read it.
        bytes.raw(&[1, 1]);
        bytes.put(&self.record.destination).put(&self.holder);
        // holder_htlc_sigs, prev_holder_commitment, prev_holder_htlc_sigs
        bytes.raw(&[0, 0, 0]);
        // The signer is derived again, so none is written.
        bytes.put(&self.parameters).put(&0_u32);
        // pending_claim_requests, claimable_outpoints, locktimed_packages, onchain_events
        bytes.put(&0_u64).put(&0_u64).put(&0_u64).put(&0_u64);
        bytes.tlvs(&[]);
    }

    fn last_fields(&self, bytes: &mut Bytes) {
        let mut preimages = Bytes::default();
        preimages.put(&(self.preimages.len() as u16));
        for preimage in &self.preimages {
            preimages.raw(&sha256::Hash::hash(&preimage.0).to_byte_array()).raw(&preimage.0);
            // No details of a claim.
            preimages.put(&0_u16);
        }
        let mut fulfilled = Bytes::default();
        fulfilled.put(&(self.record.fulfilled.len() as u16));
        for htlc in &self.record.fulfilled {
            fulfilled.raw(&sent_id(htlc.id)).raw(&htlc.preimage.0);
        }
        let empty_map = || 0_u16.encode();
        bytes.tlvs(&[
            // htlcs_resolved_on_chain, pending_monitor_events, funding_spend_seen
            (3, vec![]),
            (5, vec![]),
            (7, vec![0]),
            // counterparty_node_id
            (9, self.record.peer.0.to_vec()),
            // spendable_txids_confirmed
            (13, vec![]),
            // counterparty_fulfilled_htlcs
            (15, fulfilled.0),
            (19, self.channel.encode()),
            // holder_pays_commitment_tx_fee
            (23, self.parameters.is_outbound_from_holder.encode()),
            // payment_preimages
            (25, preimages.0),
            // first_negotiated_funding_txo
            (27, self.funding.encode()),
            (31, self.parameters.encode()),
            // htlcs_resolved_to_user
            (33, empty_map()),
            // is_manual_broadcast, funding_seen_onchain
            (35, vec![0]),
            (37, vec![1]),
        ]);
    }
}
