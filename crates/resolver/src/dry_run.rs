//! Whether a channel that lives could be defended: a monitor is written from its record, read back,
//! and shown every commitment that may come.

use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::Message;
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::{CompactTarget, OutPoint, Psbt, ScriptBuf, Transaction, TxMerkleNode};
use lightning::ln::chan_utils::{
    ChannelTransactionParameters, HolderCommitmentTransaction, build_htlc_transaction,
    get_htlc_redeemscript, make_funding_redeemscript,
};
use steward_wire::{LinkId, PaymentHash};

use crate::balance::Balance;
use crate::coins::{Coin, Coins};
use crate::fees::Feerates;
use crate::io::{Input, Output};
use crate::keys::ChannelKeys;
use crate::ldk_values::{Built, Owner, build_local, build_remote, parameters};
use crate::limits::{FINAL_CONFIRMATIONS, MIN_FEERATE_PER_KW};
use crate::not_defendable::NotDefendable;
use crate::record::{ChannelAtDeath, Commitment, CommitmentHtlc, Direction};
use crate::resolver::{Env, Resolver};

/// A channel that could be defended now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defence {
    /// What would be ours.
    pub balances: Vec<Balance>,
    /// The size of the blob, in bytes.
    pub blob_bytes: usize,
}

/// Finds out whether a channel could be defended on chain. It publishes nothing and changes nothing. The
/// node does it at its start and every hour, for every channel; an error means that no new HTLC may be
/// taken, and that the channel is to be closed by agreement while that is possible.
///
/// # Errors
/// Says why the channel could not be defended.
pub fn dry_run(record: &ChannelAtDeath, keys: &ChannelKeys) -> Result<Defence, NotDefendable> {
    let resolver = Resolver::start(record, keys)?;
    let blob = resolver.blob();
    let run = Run { record, keys, blob };
    run.is_read_as_written(&resolver)?;
    let signer = keys.derive(record.keys_id)?;
    let parameters = parameters(record, keys, &signer)?;
    let (holder, local) = build_local(record, &parameters, keys, &signer)?;
    signatures(record, &parameters, &holder, keys)?;
    same(&resolver.balances(), run.before_close())?;
    run.confirms(&local, &record.local.content, Owner::Local)?;
    for commitment in record.unrevoked() {
        let built = build_remote(commitment, &parameters, keys)?;
        run.confirms(&built, &commitment.content, Owner::Remote)?;
    }
    Ok(Defence { balances: resolver.balances(), blob_bytes: run.blob.len() })
}

struct Run<'a> {
    record: &'a ChannelAtDeath,
    keys: &'a ChannelKeys,
    blob: Vec<u8>,
}

impl Run<'_> {
    fn read(&self) -> Result<Resolver, NotDefendable> {
        Resolver::read(&self.blob, self.keys)
            .map_err(|error| NotDefendable::Unreadable { reason: error.to_string() })
    }

    fn is_read_as_written(&self, written: &Resolver) -> Result<(), NotDefendable> {
        same(&self.read()?.balances(), written.balances())
    }

    fn has_preimage(&self, hash: &PaymentHash) -> bool {
        self.record.preimages.iter().any(|preimage| preimage.hash() == *hash)
    }

    /// Returns what is ours while the channel lives.
    fn before_close(&self) -> Vec<Balance> {
        let local = &self.record.local.content;
        let claimed: u64 = with_output(local)
            .filter(|htlc| htlc.terms.direction == Direction::Incoming)
            .filter(|htlc| self.has_preimage(&htlc.terms.payment_hash))
            .map(|htlc| htlc.terms.amount_msat / 1000)
            .sum();
        let mut balances: Vec<Balance> = with_output(local)
            .map(|htlc| self.htlc(htlc))
            .filter(|balance| !matches!(balance, Balance::Contested { .. }))
            .collect();
        balances.push(Balance::OnClose { amount_sat: local.local_sat.saturating_add(claimed) });
        balances
    }

    /// Returns what is ours when a commitment has one confirmation.
    fn after_close(&self, content: &Commitment, owner: Owner) -> Vec<Balance> {
        let mut balances: Vec<Balance> = with_output(content).map(|htlc| self.htlc(htlc)).collect();
        let wait = match owner {
            // Our own output waits for the delay of the remote side too.
            Owner::Local => {
                FINAL_CONFIRMATIONS.max(self.record.parameters.remote.to_self_delay_blocks.into())
            }
            Owner::Remote => FINAL_CONFIRMATIONS,
        };
        // LDK counts an output of ours in our own commitment even if there is none.
        if content.local_sat > 0 || owner == Owner::Local {
            let height = self.record.best_block.height.saturating_add(wait);
            balances.push(Balance::Confirming { amount_sat: content.local_sat, height });
        }
        balances
    }

    fn htlc(&self, htlc: &CommitmentHtlc) -> Balance {
        let amount_sat = htlc.terms.amount_msat / 1000;
        let (expiry, payment_hash) = (htlc.terms.cltv_expiry, htlc.terms.payment_hash);
        match htlc.terms.direction {
            Direction::Outgoing => Balance::Returning { amount_sat, expiry, payment_hash },
            Direction::Incoming if self.has_preimage(&payment_hash) => {
                Balance::Contested { amount_sat, expiry, payment_hash }
            }
            Direction::Incoming => Balance::Unclaimed { amount_sat, expiry, payment_hash },
        }
    }

    /// Shows a copy of the monitor a block with a commitment.
    fn confirms(
        &self,
        built: &Built<'_>,
        content: &Commitment,
        owner: Owner,
    ) -> Result<(), NotDefendable> {
        let transaction = built.transaction.trust().built_transaction().transaction.clone();
        let mut resolver = self.read()?;
        let env = Env {
            keys: self.keys,
            coins: &Nothing,
            feerates: Feerates {
                urgent_per_kw: MIN_FEERATE_PER_KW,
                relaxed_per_kw: MIN_FEERATE_PER_KW,
            },
        };
        let best = self.record.best_block;
        let header = next_header(best.hash);
        let height = best.height.saturating_add(1);
        let transactions = [(1, &transaction)];
        let outputs = resolver
            .handle(&Input::Block { header: &header, transactions: &transactions, height }, &env);
        same(&resolver.balances(), self.after_close(content, owner))?;
        match owner {
            // Its HTLCs need coins, which a dry run does not have.
            Owner::Local => Ok(()),
            Owner::Remote => self.claims(&outputs, &transaction, content),
        }
    }

    /// Checks that each incoming HTLC whose preimage we have is claimed from a commitment of the
    /// remote side.
    fn claims(
        &self,
        outputs: &[Output],
        commitment: &Transaction,
        content: &Commitment,
    ) -> Result<(), NotDefendable> {
        let published = outputs.iter().filter_map(|output| match output {
            Output::Broadcast { package, .. } => Some(package),
            _ => None,
        });
        let spent: Vec<OutPoint> = published
            .flatten()
            .flat_map(|transaction| transaction.input.iter().map(|input| input.previous_output))
            .collect();
        let txid = commitment.compute_txid();
        let due = with_output(content).filter(|htlc| {
            htlc.terms.direction == Direction::Incoming
                && self.has_preimage(&htlc.terms.payment_hash)
        });
        for htlc in due {
            let Some(vout) = htlc.terms.output_index else { continue };
            if !spent.contains(&OutPoint { txid, vout }) {
                let missing = format!("the incoming HTLC {} is not claimed", htlc.id);
                return Err(NotDefendable::Inactive { number: content.number, missing });
            }
        }
        Ok(())
    }
}

fn with_output(content: &Commitment) -> impl Iterator<Item = &CommitmentHtlc> {
    content.htlcs.iter().filter(|htlc| htlc.terms.output_index.is_some())
}

fn next_header(before: bitcoin::BlockHash) -> Header {
    Header {
        version: Version::TWO,
        prev_blockhash: before,
        merkle_root: TxMerkleNode::all_zeros(),
        time: 0,
        bits: CompactTarget::from_consensus(0),
        nonce: 0,
    }
}

fn same(found: &[Balance], mut expected: Vec<Balance>) -> Result<(), NotDefendable> {
    expected.sort_unstable();
    if found == expected {
        return Ok(());
    }
    let missing = expected.iter().find(|balance| !found.contains(balance));
    let extra = found.iter().find(|balance| !expected.contains(balance));
    let difference = match (missing, extra) {
        (Some(missing), _) => format!("{missing:?} is missing"),
        (None, Some(extra)) => format!("{extra:?} is not in the record"),
        (None, None) => "one is counted more or less often".to_owned(),
    };
    Err(NotDefendable::Balances { difference })
}

/// Checks the remote side's signatures of our commitment: without them we could not publish it.
fn signatures(
    record: &ChannelAtDeath,
    parameters: &ChannelTransactionParameters,
    holder: &HolderCommitmentTransaction,
    keys: &ChannelKeys,
) -> Result<(), NotDefendable> {
    let (ours, theirs) = (&record.parameters.local, &record.parameters.remote);
    let script = make_funding_redeemscript(&ours.funding_key, &theirs.funding_key);
    let trusted = holder.trust();
    let hash =
        trusted.built_transaction().get_sighash_all(&script, parameters.channel_value_satoshis);
    let secp = keys.secp();
    secp.verify_ecdsa(&hash, &holder.counterparty_sig, &theirs.funding_key)
        .map_err(|_| NotDefendable::Signature)?;
    let (kind, keys_of_tx) = (trusted.channel_type_features(), trusted.keys());
    for (htlc, signature) in holder.nondust_htlcs().iter().zip(&holder.counterparty_htlc_sigs) {
        let output = htlc.transaction_output_index.unwrap_or_default();
        let wrong = NotDefendable::HtlcSignature { output };
        let transaction = build_htlc_transaction(
            &trusted.txid(),
            record.local.content.feerate_per_kw,
            theirs.to_self_delay_blocks,
            htlc,
            kind,
            &keys_of_tx.broadcaster_delayed_payment_key,
            &keys_of_tx.revocation_key,
        );
        let script = get_htlc_redeemscript(htlc, kind, keys_of_tx);
        let hash = SighashCache::new(&transaction)
            .p2wsh_signature_hash(
                0,
                &script,
                htlc.to_bitcoin_amount(),
                EcdsaSighashType::SinglePlusAnyoneCanPay,
            )
            .map_err(|_| wrong.clone())?;
        let message = Message::from_digest(hash.to_byte_array());
        let key = keys_of_tx.countersignatory_htlc_key.to_public_key();
        secp.verify_ecdsa(&message, signature, &key).map_err(|_| wrong)?;
    }
    Ok(())
}

/// A wallet without coins.
struct Nothing;

impl Coins for Nothing {
    fn confirmed(&self, _: LinkId) -> Vec<Coin> {
        vec![]
    }

    fn previous_transaction(&self, _: OutPoint) -> Option<Transaction> {
        None
    }

    fn change_script(&self) -> ScriptBuf {
        ScriptBuf::new()
    }

    fn sign(&self, _: Psbt) -> Option<Transaction> {
        None
    }
}
