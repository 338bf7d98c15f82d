//! A wallet with a few P2WPKH coins of one key.

use std::collections::BTreeSet;

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{Message, PublicKey, Secp256k1, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, CompressedPublicKey, OutPoint, Psbt, ScriptBuf, Transaction, TxIn, TxOut, Witness,
};
use steward_resolver::{Coin, Coins};
use steward_wire::LinkId;

pub struct Wallet {
    key: SecretKey,
    public: CompressedPublicKey,
    pub previous: Vec<Transaction>,
    /// Coins that a block has spent.
    pub spent: BTreeSet<OutPoint>,
}

impl Wallet {
    pub fn new(coins: u32, value_sat: u64) -> Self {
        let key = SecretKey::from_slice(&[0x42; 32]).unwrap();
        let public = CompressedPublicKey(PublicKey::from_secret_key(&Secp256k1::new(), &key));
        let script_pubkey = ScriptBuf::new_p2wpkh(&public.wpubkey_hash());
        let previous = (0..coins)
            .map(|number| Transaction {
                version: Version::TWO,
                lock_time: LockTime::from_height(number + 1).unwrap(),
                input: vec![TxIn::default()],
                output: vec![TxOut {
                    value: Amount::from_sat(value_sat),
                    script_pubkey: script_pubkey.clone(),
                }],
            })
            .collect();
        Self { key, public, previous, spent: BTreeSet::new() }
    }
}

impl Coins for Wallet {
    fn confirmed(&self, _: LinkId) -> Vec<Coin> {
        let coin = |made: &Transaction| Coin {
            outpoint: OutPoint::new(made.compute_txid(), 0),
            value_sat: made.output[0].value.to_sat(),
            script: made.output[0].script_pubkey.clone(),
        };
        let coins = self.previous.iter().map(coin);
        coins.filter(|coin| !self.spent.contains(&coin.outpoint)).collect()
    }

    fn previous_transaction(&self, coin: OutPoint) -> Option<Transaction> {
        self.previous.iter().find(|made| made.compute_txid() == coin.txid).cloned()
    }

    fn change_script(&self) -> ScriptBuf {
        ScriptBuf::new_p2wpkh(&self.public.wpubkey_hash())
    }

    fn sign(&self, psbt: Psbt) -> Option<Transaction> {
        let mut transaction = psbt.unsigned_tx.clone();
        let own = self.change_script();
        for (index, input) in psbt.inputs.iter().enumerate() {
            let Some(spent) =
                input.witness_utxo.as_ref().filter(|spent| spent.script_pubkey == own)
            else {
                continue;
            };
            let hash = SighashCache::new(&transaction)
                .p2wpkh_signature_hash(index, &own, spent.value, EcdsaSighashType::All)
                .unwrap();
            let message = Message::from_digest(hash.to_byte_array());
            let signature = Secp256k1::new().sign_ecdsa(&message, &self.key);
            let signature = bitcoin::ecdsa::Signature::sighash_all(signature);
            transaction.input[index].witness = Witness::p2wpkh(&signature, &self.public.0);
        }
        Some(transaction)
    }
}
