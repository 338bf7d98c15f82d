//! The wallet as the resolver sees it: coins that pay the fees of our commitment and its HTLCs.

use bitcoin::{Amount, OutPoint, Psbt, ScriptBuf, Transaction};
use lightning::util::wallet_utils::{Utxo, WalletSourceSync};
use steward_wire::LinkId;

/// Coins of the wallet. With `option_anchors` our commitment pays a feerate that may be too low, and
/// the transactions of its HTLCs pay none: both need a coin that is confirmed.
pub trait Coins: Send + Sync {
    /// Returns the confirmed coins that the claims of a channel may use. While there are others, it
    /// leaves out those that another channel's transactions spend.
    fn confirmed(&self, link: LinkId) -> Vec<Coin>;

    /// Returns the transaction that made a coin.
    fn previous_transaction(&self, coin: OutPoint) -> Option<Transaction>;

    /// Returns a script for change. It may be the same one always.
    fn change_script(&self) -> ScriptBuf;

    /// Signs the inputs that are ours. The others are left as they are.
    fn sign(&self, psbt: Psbt) -> Option<Transaction>;
}

/// A coin of the wallet: a P2WPKH output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coin {
    /// The output.
    pub outpoint: OutPoint,
    /// Its value, in satoshi.
    pub value_sat: u64,
    /// Its script, which must be P2WPKH: others are left out.
    pub script: ScriptBuf,
}

/// The wallet as LDK asks it.
pub(crate) struct Source<'a> {
    coins: &'a dyn Coins,
    link: LinkId,
}

impl<'a> Source<'a> {
    pub(crate) fn new(coins: &'a dyn Coins, link: LinkId) -> Self {
        Self { coins, link }
    }
}

impl WalletSourceSync for Source<'_> {
    fn list_confirmed_utxos(&self) -> Result<Vec<Utxo>, ()> {
        let mut coins = self.coins.confirmed(self.link);
        // LDK sorts by value: the rest of the order must not depend on the wallet.
        coins.sort_by_key(|coin| coin.outpoint);
        Ok(coins.iter().filter_map(utxo).collect())
    }

    fn get_prevtx(&self, outpoint: OutPoint) -> Result<Transaction, ()> {
        self.coins.previous_transaction(outpoint).ok_or(())
    }

    fn get_change_script(&self) -> Result<ScriptBuf, ()> {
        Ok(self.coins.change_script())
    }

    fn sign_psbt(&self, psbt: Psbt) -> Result<Transaction, ()> {
        self.coins.sign(psbt).ok_or(())
    }
}

fn utxo(coin: &Coin) -> Option<Utxo> {
    let [0, 20, hash @ ..] = coin.script.as_bytes() else { return None };
    let hash: [u8; 20] = hash.try_into().ok()?;
    let hash = bitcoin::hashes::Hash::from_byte_array(hash);
    Some(Utxo::new_v0_p2wpkh(coin.outpoint, Amount::from_sat(coin.value_sat), &hash))
}
