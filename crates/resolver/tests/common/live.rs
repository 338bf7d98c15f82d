//! LDK's own monitor of a channel, driven without anything of ours: the one that the resolver is compared
//! with.

use std::sync::{Arc, Mutex};

use bitcoin::block::Header;
use bitcoin::{OutPoint, Transaction};
use lightning::chain::BlockLocator;
use lightning::chain::chaininterface::{
    BroadcasterInterface, ConfirmationTarget, FeeEstimator, TransactionType,
};
use lightning::chain::channelmonitor::{
    Balance as LdkBalance, ChannelMonitor, ChannelMonitorUpdate, MonitorEvent,
};
use lightning::events::bump_transaction::BumpTransactionEvent;
use lightning::events::bump_transaction::sync::BumpTransactionEventHandlerSync;
use lightning::events::{Event, ReplayEvent};
use lightning::ln::types::ChannelId;
use lightning::sign::{InMemorySigner, KeysManager, SpendableOutputDescriptor};
use lightning::util::ser::{BigSize, Readable, ReadableArgs, Writeable};
use lightning::util::wallet_utils::{Utxo, WalletSourceSync, WalletSync};
use steward_resolver::{Balance, BestBlock, Coins, Feerates};
use steward_wire::{LinkId, PaymentHash, Preimage};

use super::ldk::{Keys, Quiet};
use super::wallet::Wallet;

#[derive(Default)]
struct Taken(Mutex<Vec<Transaction>>);

impl BroadcasterInterface for Taken {
    fn broadcast_transactions(&self, transactions: &[(&Transaction, TransactionType)]) {
        self.0.lock().unwrap().extend(transactions.iter().map(|(one, _)| (*one).clone()));
    }
}

struct Rates(Feerates);

impl FeeEstimator for Rates {
    fn get_est_sat_per_1000_weight(&self, target: ConfirmationTarget) -> u32 {
        match target {
            ConfirmationTarget::MaximumFeeEstimate | ConfirmationTarget::UrgentOnChainSweep => {
                self.0.urgent_per_kw
            }
            _ => self.0.relaxed_per_kw,
        }
    }
}

struct Purse<'a>(&'a Wallet);

impl WalletSourceSync for Purse<'_> {
    fn list_confirmed_utxos(&self) -> Result<Vec<Utxo>, ()> {
        let utxo = |coin: steward_resolver::Coin| {
            let hash = bitcoin::hashes::Hash::from_slice(&coin.script.as_bytes()[2..]).unwrap();
            Utxo::new_v0_p2wpkh(coin.outpoint, bitcoin::Amount::from_sat(coin.value_sat), &hash)
        };
        let mut coins = self.0.confirmed(LinkId([0; 32]));
        coins.sort_by_key(|coin| coin.outpoint);
        Ok(coins.into_iter().map(utxo).collect())
    }

    fn get_prevtx(&self, outpoint: OutPoint) -> Result<Transaction, ()> {
        self.0.previous_transaction(outpoint).ok_or(())
    }

    fn get_change_script(&self) -> Result<bitcoin::ScriptBuf, ()> {
        Ok(self.0.change_script())
    }

    fn sign_psbt(&self, psbt: bitcoin::Psbt) -> Result<Transaction, ()> {
        self.0.sign(psbt).ok_or(())
    }
}

fn update(channel: ChannelId, id: u64, step: u8, field: &[u8]) -> ChannelMonitorUpdate {
    let tlv = |number: u64, value: &[u8]| {
        let mut bytes = BigSize(number).encode();
        bytes.extend(BigSize(value.len() as u64).encode());
        bytes.extend(value);
        let mut stream = BigSize(bytes.len() as u64).encode();
        stream.extend(bytes);
        stream
    };
    let mut bytes = vec![1, 1];
    bytes.extend(id.to_be_bytes());
    bytes.extend(1_u64.to_be_bytes());
    bytes.push(step);
    bytes.extend(tlv(0, field));
    bytes.extend(tlv(3, &channel.encode()));
    ChannelMonitorUpdate::read(&mut bytes.as_slice()).unwrap()
}

/// LDK's monitor, and what it said.
pub struct Live {
    keys: Arc<KeysManager>,
    monitor: ChannelMonitor<InMemorySigner>,
    pub published: Vec<Transaction>,
    /// Outgoing HTLCs: hash, value in satoshi, preimage.
    pub resolved: Vec<(PaymentHash, u64, Option<Preimage>)>,
    pub sweepable: Vec<(OutPoint, u64)>,
}

impl Live {
    /// Takes a monitor's bytes.
    pub fn new(bytes: &[u8]) -> Self {
        let keys = Arc::new(KeysManager::new(&[7; 32], 0, 0, true));
        let provider = Keys(Arc::clone(&keys));
        let (_, monitor) = <(BlockLocator, ChannelMonitor<InMemorySigner>)>::read(
            &mut &bytes[..],
            (&*keys, &provider),
        )
        .unwrap();
        Self { keys, monitor, published: vec![], resolved: vec![], sweepable: vec![] }
    }

    pub fn block(
        &mut self,
        header: &Header,
        transactions: &[(usize, &Transaction)],
        height: u32,
        rates: Feerates,
        wallet: &Wallet,
    ) {
        let (taken, rates) = (Taken::default(), Rates(rates));
        self.monitor.block_connected(header, transactions, height, &taken, &rates, &Quiet);
        self.monitor.rebroadcast_pending_claims(&taken, &rates, &Quiet);
        self.after(taken, wallet);
    }

    pub fn disconnect(&mut self, fork: BestBlock, rates: Feerates, wallet: &Wallet) {
        let taken = Taken::default();
        let fork = BlockLocator::new(fork.hash, fork.height);
        self.monitor.blocks_disconnected(fork, &taken, Rates(rates), &Quiet);
        self.after(taken, wallet);
    }

    fn update(&mut self, step: u8, field: &[u8], rates: Feerates, wallet: &Wallet) {
        let taken = Taken::default();
        let id = self.monitor.get_latest_update_id() + 1;
        let update = update(self.monitor.channel_id(), id, step, field);
        self.monitor.update_monitor(&update, &taken, &Rates(rates), &Quiet).unwrap();
        self.after(taken, wallet);
    }

    pub fn publish(&mut self, rates: Feerates, wallet: &Wallet) {
        self.update(4, &[1], rates, wallet);
    }

    pub fn learn(&mut self, preimage: [u8; 32], rates: Feerates, wallet: &Wallet) {
        self.update(2, &preimage, rates, wallet);
    }

    fn after(&mut self, taken: Taken, wallet: &Wallet) {
        let events = Mutex::new(vec![]);
        let take = |event: Event| -> Result<(), ReplayEvent> {
            events.lock().unwrap().push(event);
            Ok(())
        };
        self.monitor.process_pending_events(&&take, &Quiet).unwrap();
        let mut bumps = vec![];
        for event in events.into_inner().unwrap() {
            match event {
                Event::BumpTransaction(event) => bumps.push(event),
                Event::SpendableOutputs { outputs, .. } => {
                    self.sweepable.extend(outputs.iter().map(value));
                }
                _ => {}
            }
        }
        bumps.sort_by_key(|event| match event {
            BumpTransactionEvent::ChannelClose { claim_id, .. }
            | BumpTransactionEvent::HTLCResolution { claim_id, .. } => claim_id.0,
        });
        let purse = Purse(wallet);
        let source = WalletSync::new(&purse, &Quiet);
        let payer: BumpTransactionEventHandlerSync<_, _, Keys, _> =
            BumpTransactionEventHandlerSync::new(
                &taken,
                &source,
                Keys(Arc::clone(&self.keys)),
                &Quiet,
            );
        bumps.iter().for_each(|event| payer.handle_event(event));
        self.published.extend(taken.0.into_inner().unwrap());
        let events = self.monitor.get_and_clear_pending_monitor_events();
        self.resolved.extend(events.iter().filter_map(outcome));
    }

    /// Returns what is ours, as the resolver says it.
    pub fn balances(&self) -> Vec<Balance> {
        let balances = self.monitor.get_claimable_balances();
        let mut balances: Vec<Balance> = balances.into_iter().map(balance).collect();
        balances.sort_unstable();
        balances
    }
}

fn value(output: &SpendableOutputDescriptor) -> (OutPoint, u64) {
    let (outpoint, output) = match output {
        SpendableOutputDescriptor::StaticOutput { outpoint, output, .. } => (outpoint, output),
        SpendableOutputDescriptor::DelayedPaymentOutput(one) => (&one.outpoint, &one.output),
        SpendableOutputDescriptor::StaticPaymentOutput(one) => (&one.outpoint, &one.output),
    };
    (outpoint.into_bitcoin_outpoint(), output.value.to_sat())
}

fn balance(balance: LdkBalance) -> Balance {
    let hash = |hash: lightning::types::payment::PaymentHash| PaymentHash(hash.0);
    match balance {
        LdkBalance::ClaimableOnChannelClose { balance_candidates, .. } => {
            Balance::OnClose { amount_sat: balance_candidates[0].amount_satoshis }
        }
        LdkBalance::ClaimableAwaitingConfirmations {
            amount_satoshis: amount_sat,
            confirmation_height: height,
            ..
        } => Balance::Confirming { amount_sat, height },
        LdkBalance::ContentiousClaimable {
            amount_satoshis: amount_sat,
            timeout_height: expiry,
            payment_hash,
            ..
        } => Balance::Contested { amount_sat, expiry, payment_hash: hash(payment_hash) },
        LdkBalance::MaybeTimeoutClaimableHTLC {
            amount_satoshis: amount_sat,
            claimable_height: expiry,
            payment_hash,
            ..
        } => Balance::Returning { amount_sat, expiry, payment_hash: hash(payment_hash) },
        LdkBalance::MaybePreimageClaimableHTLC {
            amount_satoshis: amount_sat,
            expiry_height: expiry,
            payment_hash,
        } => Balance::Unclaimed { amount_sat, expiry, payment_hash: hash(payment_hash) },
        LdkBalance::CounterpartyRevokedOutputClaimable { amount_satoshis } => {
            Balance::Punished { amount_sat: amount_satoshis }
        }
    }
}

/// Reads hash, value and preimage of an event from its bytes, since LDK hides its fields.
fn outcome(event: &MonitorEvent) -> Option<(PaymentHash, u64, Option<Preimage>)> {
    let MonitorEvent::HTLCEvent(update) = event else { return None };
    let bytes = update.encode();
    let mut rest = bytes.as_slice();
    let length: BigSize = Readable::read(&mut rest).unwrap();
    rest = &rest[..length.0 as usize];
    let (mut hash, mut sat, mut preimage) = (None, 0, None);
    while !rest.is_empty() {
        let number: BigSize = Readable::read(&mut rest).unwrap();
        let length: BigSize = Readable::read(&mut rest).unwrap();
        let (value, after) = rest.split_at(length.0 as usize);
        rest = after;
        match number.0 {
            0 => hash = Some(PaymentHash(value.try_into().unwrap())),
            1 => sat = u64::from_be_bytes(value.try_into().unwrap()),
            4 => preimage = Some(Preimage(value.try_into().unwrap())),
            _ => {}
        }
    }
    Some((hash.unwrap(), sat, preimage))
}
