//! Outputs that are ours but need a key of the channel: they are paid on to the wallet.

use bitcoin::{OutPoint, ScriptBuf, Transaction};
use lightning::sign::{OutputSpender, SpendableOutputDescriptor};
use lightning::util::ser::Readable;

use crate::encoding::Bytes;
use crate::fees::Feerates;
use crate::keys::ChannelKeys;
use crate::limits::{
    FINAL_CONFIRMATIONS, MAX_FEERATE_PER_KW, MAX_HTLCS, SWEEP_BUMP_BLOCKS, SWEEP_BUMP_PERCENT,
};

/// Tells whether what a block at height `at` has is final at `height`.
pub(crate) fn is_final(at: Option<u32>, height: u32) -> bool {
    at.is_some_and(|at| height.saturating_add(1) >= at.saturating_add(FINAL_CONFIRMATIONS))
}

/// Outputs that became ours at once, and the transaction that spends them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sweep {
    outputs: Vec<SpendableOutputDescriptor>,
    /// The feerate of the newest transaction; 0 before there is one.
    feerate_per_kw: u32,
    /// The height at which that transaction was made.
    made_at: u32,
    /// The height of the block that spends the outputs.
    confirmed_at: Option<u32>,
}

impl Sweep {
    /// Takes those outputs that need a sweep: what pays the wallet's own script needs none.
    pub(crate) fn new(outputs: &[SpendableOutputDescriptor]) -> Option<Self> {
        let outputs: Vec<_> = outputs
            .iter()
            .filter(|output| !matches!(output, SpendableOutputDescriptor::StaticOutput { .. }))
            .cloned()
            .collect();
        let sweep = Self { outputs, feerate_per_kw: 0, made_at: 0, confirmed_at: None };
        (!sweep.outputs.is_empty()).then_some(sweep)
    }

    /// Looks whether a block spends the outputs.
    pub(crate) fn on_block(&mut self, transactions: &[(usize, &Transaction)], height: u32) {
        let spends = |outpoint: OutPoint| {
            self.outputs
                .iter()
                .any(|ours| ours.spendable_outpoint().into_bitcoin_outpoint() == outpoint)
        };
        let is_spent = transactions
            .iter()
            .any(|(_, spender)| spender.input.iter().any(|input| spends(input.previous_output)));
        if is_spent {
            self.confirmed_at = Some(height);
        }
    }

    pub(crate) fn on_disconnect(&mut self, fork_height: u32) {
        self.confirmed_at = self.confirmed_at.filter(|height| *height <= fork_height);
    }

    pub(crate) fn is_final(&self, height: u32) -> bool {
        is_final(self.confirmed_at, height)
    }

    /// Returns the transaction to publish now, with a higher fee if it has waited. `None` if it is in
    /// a block, or if the outputs are not worth the fee: then later ones may be lower.
    pub(crate) fn transaction(
        &mut self,
        feerates: &Feerates,
        height: u32,
        destination: &ScriptBuf,
        keys: &ChannelKeys,
    ) -> Option<Transaction> {
        if self.confirmed_at.is_some() {
            return None;
        }
        let feerate_per_kw = self.next_feerate(feerates, height);
        let outputs: Vec<&SpendableOutputDescriptor> = self.outputs.iter().collect();
        let transaction = keys
            .manager()
            .spend_spendable_outputs(
                &outputs,
                vec![],
                destination.clone(),
                feerate_per_kw,
                None,
                keys.secp(),
            )
            .ok()?;
        if feerate_per_kw != self.feerate_per_kw {
            self.feerate_per_kw = feerate_per_kw;
            self.made_at = height;
        }
        Some(transaction)
    }

    fn next_feerate(&self, feerates: &Feerates, height: u32) -> u32 {
        let wanted = feerates.relaxed();
        if self.feerate_per_kw == 0 {
            return wanted;
        }
        let raised =
            self.feerate_per_kw.saturating_add(self.feerate_per_kw / 100 * SWEEP_BUMP_PERCENT);
        let raised = raised.min(MAX_FEERATE_PER_KW);
        let has_waited = height >= self.made_at.saturating_add(SWEEP_BUMP_BLOCKS);
        if wanted >= raised {
            wanted
        } else if has_waited && raised <= feerates.urgent() {
            raised
        } else {
            self.feerate_per_kw
        }
    }

    pub(crate) fn write(&self, bytes: &mut Bytes) {
        bytes.put(&self.feerate_per_kw).put(&self.made_at).put(&self.confirmed_at);
        bytes.put(&(self.outputs.len() as u16));
        for output in &self.outputs {
            bytes.put(output);
        }
    }

    pub(crate) fn read(bytes: &mut &[u8]) -> Option<Self> {
        let feerate_per_kw = Readable::read(bytes).ok()?;
        let made_at = Readable::read(bytes).ok()?;
        let confirmed_at = Readable::read(bytes).ok()?;
        let count: u16 = Readable::read(bytes).ok()?;
        if usize::from(count) > MAX_HTLCS {
            return None;
        }
        let mut outputs = Vec::new();
        for _ in 0..count {
            outputs.push(SpendableOutputDescriptor::read(bytes).ok()?);
        }
        Some(Self { outputs, feerate_per_kw, made_at, confirmed_at })
    }
}
