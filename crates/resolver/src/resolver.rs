//! One dying channel: LDK's monitor, and the sweeps of what it found.

use std::sync::Mutex;

use bitcoin::Transaction;
use bitcoin::block::Header;
use lightning::chain::BlockLocator;
use lightning::chain::channelmonitor::{ChannelMonitor, ChannelMonitorUpdate};
use lightning::events::bump_transaction::BumpTransactionEvent;
use lightning::events::bump_transaction::sync::BumpTransactionEventHandlerSync;
use lightning::events::{Event, ReplayEvent};
use lightning::ln::types::ChannelId;
use lightning::sign::{InMemorySigner, KeysManager, SpendableOutputDescriptor};
use lightning::util::ser::{Readable, ReadableArgs, Writeable};
use lightning::util::wallet_utils::WalletSync;
use steward_wire::{LinkId, Preimage, impossible, invariant};

use crate::balance::Balance;
use crate::blob::{self, ReadError, State};
use crate::check::check;
use crate::coins::{Coins, Source};
use crate::collected::{Packages, Silent, claim_id, purpose};
use crate::encoding::Bytes;
use crate::fees::Feerates;
use crate::io::{Input, Output, Purpose};
use crate::keys::ChannelKeys;
use crate::limits::MAX_SWEEPS;
use crate::monitor_bytes;
use crate::not_defendable::NotDefendable;
use crate::record::{BestBlock, ChannelAtDeath};
use crate::source::outcome;
use crate::sweep::{Sweep, is_final};
use crate::twins::Twins;

/// `ChannelMonitorUpdateStep::PaymentPreimage`.
const STEP_PREIMAGE: u8 = 2;
/// `ChannelMonitorUpdateStep::ChannelForceClosed`.
const STEP_FORCE_CLOSED: u8 = 4;

/// What a resolver may use while it handles an input.
pub struct Env<'a> {
    /// The keys of our channels.
    pub keys: &'a ChannelKeys,
    /// The wallet's coins.
    pub coins: &'a dyn Coins,
    /// The feerates of now.
    pub feerates: Feerates,
}

/// The on-chain life of one funded channel.
///
/// It begins after the decision to close is stored, or after a block has spent the funding output,
/// and ends with [`Output::Done`]. It does no I/O and reads no clock.
pub struct Resolver {
    state: State,
    monitor: ChannelMonitor<InMemorySigner>,
    /// What was last given out to be stored.
    stored: Vec<u8>,
    is_done: bool,
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver").field("link", &self.state.link).finish_non_exhaustive()
    }
}

impl Resolver {
    /// Makes a resolver from a channel's record. Blocks after the record's best block are to be fed
    /// next, the one with the spend of the funding output among them; or [`Input::Publish`].
    ///
    /// # Errors
    /// Fails if no monitor can be made of the record. [`dry_run`](crate::dry_run) finds that out while
    /// the channel lives.
    pub fn start(record: &ChannelAtDeath, keys: &ChannelKeys) -> Result<Self, NotDefendable> {
        check(record)?;
        let signer = keys.derive(record.keys_id)?;
        let bytes = monitor_bytes::write(record, keys, &signer)?;
        let monitor =
            read_monitor(&bytes, keys).map_err(|reason| NotDefendable::Unreadable { reason })?;
        let state = State {
            link: record.link,
            keys_id: record.keys_id,
            may_publish: record.may_publish,
            funding_key: record.parameters.local.funding_key,
            destination: record.destination.clone(),
            funding: record.parameters.funding,
            spent_at: None,
            settled: record.fulfilled.iter().map(|htlc| (htlc.id, true)).collect(),
            sweeps: vec![],
            twins: Twins::new(record),
        };
        Ok(Self { state, monitor, stored: vec![], is_done: false })
    }

    /// Reads a resolver from what [`Output::Blob`] gave out.
    ///
    /// # Errors
    /// Fails if the bytes are damaged, or were written by a release that is not read.
    pub fn read(blob: &[u8], keys: &ChannelKeys) -> Result<Self, ReadError> {
        let (state, bytes) = blob::read(blob)?;
        let signer = keys.derive(state.keys_id).map_err(|_| ReadError::Keys)?;
        if keys.public(&signer).funding_pubkey != state.funding_key {
            return Err(ReadError::Keys);
        }
        let monitor = read_monitor(bytes, keys).map_err(ReadError::Monitor)?;
        if monitor.channel_id().0 != state.link.0 {
            return Err(ReadError::Damaged("the monitor is of another channel"));
        }
        Ok(Self { state, monitor, stored: blob.to_vec(), is_done: false })
    }

    /// Returns the id of the channel.
    pub fn link(&self) -> LinkId {
        self.state.link
    }

    /// Returns the last block that was fed, or the record's.
    pub fn best_block(&self) -> BestBlock {
        let best = self.monitor.current_best_block();
        BestBlock { hash: best.block_hash, height: best.height }
    }

    /// Returns what is ours, in an order that depends on nothing else.
    pub fn balances(&self) -> Vec<Balance> {
        Balance::sorted(self.monitor.get_claimable_balances())
    }

    /// Returns the bytes to store.
    pub fn blob(&self) -> Vec<u8> {
        blob::write(&self.state, &self.monitor.encode())
    }

    /// Handles an input. The outputs take effect together: the blob is stored before a transaction
    /// is published and before what is resolved is told to anybody.
    pub fn handle(&mut self, input: &Input<'_>, env: &Env<'_>) -> Vec<Output> {
        let packages = Packages::default();
        self.tell_monitor(input, env, &packages);
        let mut outputs = vec![];
        let fees = self.take_events(&mut outputs);
        self.pay_fees(fees, env, &packages, &mut outputs);
        self.sweep(env, &packages);
        outputs.extend(self.resolved());
        for (purpose, package) in packages.sorted() {
            // After a loss of data our commitment may be a revoked one, whatever the monitor thinks.
            if purpose == Purpose::Commitment && !self.state.may_publish {
                continue;
            }
            outputs.push(Output::Broadcast { purpose, package });
        }
        self.end(&mut outputs);
        outputs
    }

    fn tell_monitor(&mut self, input: &Input<'_>, env: &Env<'_>, packages: &Packages) {
        match input {
            Input::Publish => {
                invariant!(
                    self.state.may_publish,
                    "a commitment that may be revoked is not published"
                );
                if self.state.may_publish {
                    self.update(STEP_FORCE_CLOSED, &[(0, vec![1])], env, packages);
                }
            }
            Input::Block { header, transactions, height } => {
                self.connect(header, transactions, *height, env, packages);
            }
            Input::Disconnected { fork } => self.disconnect(*fork, env, packages),
            Input::Preimage(Preimage(preimage)) => {
                self.update(STEP_PREIMAGE, &[(0, preimage.to_vec())], env, packages);
            }
            Input::Refresh => {
                self.monitor.rebroadcast_pending_claims(packages, env.feerates, &Silent)
            }
        }
    }

    /// Gives the monitor an update with one step.
    fn update(&mut self, step: u8, fields: &[(u64, Vec<u8>)], env: &Env<'_>, packages: &Packages) {
        let number = self.monitor.get_latest_update_id().saturating_add(1);
        let mut bytes = Bytes::default();
        bytes.raw(&[1, 1]).put(&number).put(&1_u64).raw(&[step]).tlvs(fields);
        bytes.tlvs(&[(3, ChannelId(self.state.link.0).encode())]);
        let Ok(update) = ChannelMonitorUpdate::read(&mut bytes.0.as_slice()) else {
            impossible!("LDK does not read a step {step} that we wrote");
            return;
        };
        if self.monitor.update_monitor(&update, packages, &env.feerates, &Silent).is_err() {
            impossible!("the monitor refuses a step {step}");
        }
    }

    fn connect(
        &mut self,
        header: &Header,
        transactions: &[(usize, &Transaction)],
        height: u32,
        env: &Env<'_>,
        packages: &Packages,
    ) {
        if height <= self.best_block().height {
            // The block was fed before the node stopped, and is fed again after its start.
            return;
        }
        let transactions = &self.possible(header, transactions);
        for sweep in &mut self.state.sweeps {
            sweep.on_block(transactions, height);
        }
        if transactions.iter().any(|(_, transaction)| self.spends_funding(transaction)) {
            self.state.spent_at = Some(height);
        }
        self.monitor.block_connected(header, transactions, height, packages, env.feerates, &Silent);
        // A claim that fell out of the mempools is published again with each block.
        self.monitor.rebroadcast_pending_claims(packages, env.feerates, &Silent);
    }

    fn spends_funding(&self, transaction: &Transaction) -> bool {
        transaction.input.iter().any(|input| input.previous_output == self.state.funding)
    }

    /// Leaves out what a chain cannot have: a transaction that is in an earlier block too, and a
    /// second spend of the funding output. LDK would panic; a source of blocks that lies is found out
    /// elsewhere.
    fn possible<'t>(
        &self,
        header: &Header,
        transactions: &[(usize, &'t Transaction)],
    ) -> Vec<(usize, &'t Transaction)> {
        let block = header.block_hash();
        let known = self.monitor.get_relevant_txids();
        let is_possible = |(_, transaction): &&(usize, &Transaction)| {
            let txid = transaction.compute_txid();
            let is_double = known.iter().any(|(of, _, other)| *of == txid && *other != Some(block));
            let is_second = self.state.spent_at.is_some() && self.spends_funding(transaction);
            !is_double && !is_second
        };
        transactions.iter().filter(is_possible).copied().collect()
    }

    fn disconnect(&mut self, fork: BestBlock, env: &Env<'_>, packages: &Packages) {
        if fork.height >= self.best_block().height {
            // The blocks that left had not been fed.
            return;
        }
        for sweep in &mut self.state.sweeps {
            sweep.on_disconnect(fork.height);
        }
        self.state.spent_at = self.state.spent_at.filter(|height| *height <= fork.height);
        let fork = BlockLocator::new(fork.hash, fork.height);
        self.monitor.blocks_disconnected(fork, packages, env.feerates, &Silent);
    }

    /// Takes the monitor's events. Those that need a fee are returned, in the order of their ids.
    fn take_events(&mut self, outputs: &mut Vec<Output>) -> Vec<BumpTransactionEvent> {
        let events = Mutex::new(vec![]);
        let take = |event: Event| -> Result<(), ReplayEvent> {
            events.lock().map_err(|_| ReplayEvent())?.push(event);
            Ok(())
        };
        if self.monitor.process_pending_events(&&take, &Silent).is_err() {
            impossible!("taking events does not fail");
        }
        let mut fees = vec![];
        let mut found = vec![];
        for event in events.into_inner().unwrap_or_default() {
            match event {
                Event::SpendableOutputs { outputs: ours, .. } => found.push(ours),
                Event::BumpTransaction(event) => fees.push(event),
                // The monitor has no others.
                _ => {}
            }
        }
        fees.sort_by_key(claim_id);
        found.sort_by_cached_key(|ours| ours.iter().map(outpoint_and_value).collect::<Vec<_>>());
        for ours in found {
            self.found(&ours, outputs);
        }
        fees
    }

    fn found(&mut self, ours: &[SpendableOutputDescriptor], outputs: &mut Vec<Output>) {
        outputs.extend(ours.iter().map(|output| {
            let (outpoint, value_sat) = outpoint_and_value(output);
            Output::Sweepable { outpoint, value_sat }
        }));
        if let Some(sweep) = Sweep::new(ours) {
            invariant!(
                self.state.sweeps.len() < MAX_SWEEPS,
                "a channel has more sweeps than outputs"
            );
            self.state.sweeps.push(sweep);
        }
    }

    /// Pays the fees of our commitment and of its HTLCs' transactions with coins of the wallet.
    fn pay_fees(
        &self,
        events: Vec<BumpTransactionEvent>,
        env: &Env<'_>,
        packages: &Packages,
        outputs: &mut Vec<Output>,
    ) {
        if events.is_empty() {
            return;
        }
        let source = Source::new(env.coins, self.state.link);
        // One for all events, so that each gets coins of its own while there are enough.
        let wallet = WalletSync::new(&source, &Silent);
        for event in events {
            let purpose = purpose(&event);
            let paid = Packages::default();
            let payer: BumpTransactionEventHandlerSync<_, _, &KeysManager, _> =
                BumpTransactionEventHandlerSync::new(&paid, &wallet, env.keys.manager(), &Silent);
            payer.handle_event(&event);
            let paid = paid.sorted();
            if paid.is_empty() {
                outputs.push(self.without_coins(event, packages));
            }
            for (_, package) in paid {
                packages.add(purpose, package);
            }
        }
    }

    /// Says that coins are missing. Our commitment is published without a child: it pays a fee, which
    /// may be enough.
    fn without_coins(&self, event: BumpTransactionEvent, packages: &Packages) -> Output {
        match event {
            BumpTransactionEvent::ChannelClose {
                commitment_tx,
                package_target_feerate_sat_per_1000_weight: feerate_per_kw,
                ..
            } => {
                packages.add(Purpose::Commitment, vec![commitment_tx]);
                Output::NoCoins { feerate_per_kw }
            }
            BumpTransactionEvent::HTLCResolution {
                target_feerate_sat_per_1000_weight: feerate_per_kw,
                ..
            } => Output::NoCoins { feerate_per_kw },
        }
    }

    fn sweep(&mut self, env: &Env<'_>, packages: &Packages) {
        let height = self.best_block().height;
        let State { sweeps, destination, .. } = &mut self.state;
        sweeps.retain(|sweep| !sweep.is_final(height));
        for sweep in sweeps {
            if let Some(transaction) =
                sweep.transaction(&env.feerates, height, destination, env.keys)
            {
                packages.add(Purpose::Sweep, vec![transaction]);
            }
        }
    }

    /// Returns what became of outgoing HTLCs. A failure after a success is none: the money is gone, and
    /// so is a second report of the same.
    fn resolved(&mut self) -> Vec<Output> {
        let mut resolved = vec![];
        for event in self.monitor.get_and_clear_pending_monitor_events() {
            let Some(outcome) = outcome(&event) else {
                // The monitor also says that a commitment is in a block, which we know.
                continue;
            };
            let has_preimage = outcome.preimage.is_some();
            let id = self.state.twins.meant(outcome.id, &self.state.settled);
            let before = self.state.settled.get(&id).copied();
            if before.is_some_and(|had_preimage| had_preimage || !has_preimage) {
                continue;
            }
            self.state.settled.insert(id, has_preimage);
            resolved.push((id, outcome.preimage));
        }
        resolved.sort_unstable();
        resolved.into_iter().map(|(id, preimage)| Output::Resolved { id, preimage }).collect()
    }

    /// Gives out the blob if it changed, and notes the end.
    fn end(&mut self, outputs: &mut Vec<Output>) {
        let blob = self.blob();
        if blob != self.stored {
            self.stored.clone_from(&blob);
            outputs.push(Output::Blob(blob));
        }
        let is_done = self.is_resolved();
        if is_done && !self.is_done {
            outputs.push(Output::Done);
        }
        self.is_done = is_done;
    }

    /// Tells whether nothing is left: the funding output's spend is six blocks deep, and what the
    /// monitor still counts, if anything, is not.
    fn is_resolved(&self) -> bool {
        is_final(self.state.spent_at, self.best_block().height)
            && self.state.sweeps.is_empty()
            && self.monitor.get_claimable_balances().is_empty()
    }
}

fn outpoint_and_value(output: &SpendableOutputDescriptor) -> (bitcoin::OutPoint, u64) {
    let value = match output {
        SpendableOutputDescriptor::StaticOutput { output, .. } => output.value,
        SpendableOutputDescriptor::DelayedPaymentOutput(descriptor) => descriptor.output.value,
        SpendableOutputDescriptor::StaticPaymentOutput(descriptor) => descriptor.output.value,
    };
    (output.spendable_outpoint().into_bitcoin_outpoint(), value.to_sat())
}

/// Reads a monitor's bytes.
pub(crate) fn read_monitor(
    bytes: &[u8],
    keys: &ChannelKeys,
) -> Result<ChannelMonitor<InMemorySigner>, String> {
    let mut rest = bytes;
    let manager = keys.manager();
    let read =
        <(BlockLocator, ChannelMonitor<InMemorySigner>)>::read(&mut rest, (manager, manager));
    match read {
        Ok((_, monitor)) if rest.is_empty() => Ok(monitor),
        Ok(_) => Err("bytes are left over".to_owned()),
        Err(error) => Err(format!("{error:?}")),
    }
}
