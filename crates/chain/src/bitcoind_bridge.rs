//! What the bridge asks of bitcoind, or of btcd, which speaks the same protocol with other error
//! codes, no packages and no `estimatesmartfee`.

use bitcoin::block::Header;
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{Amount, Block, BlockHash, OutPoint, ScriptBuf, Transaction, Txid};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bitcoind::{BLOCK_ANSWER, BitcoindSource};
use crate::bridge::{BridgeSource, Feerate, Unspent, broadcast_one_by_one, check_size, per_kw};
use crate::error::{ChainError, NotTaken};
use crate::http::AnswerLimit;
use crate::limits::{
    MAX_ANSWER_BYTES, MAX_FEE_TARGET_BLOCKS, MAX_TRANSACTION_BYTES, REQUEST_TIMEOUT_MS,
};
use crate::package::PackageResult;
use crate::source::ChainSource;

/// `RPC_MISC_ERROR`: bitcoind's answer for a block that it has pruned. btcd answers so to methods that
/// it does not have yet.
const RPC_MISC_ERROR: i64 = -1;
/// `RPC_INVALID_ADDRESS_OR_KEY`: no such block or transaction.
const RPC_NOT_FOUND: i64 = -5;
/// `RPC_INVALID_PARAMETER`: a package that is none.
const RPC_INVALID_PARAMETER: i64 = -8;
/// `RPC_DESERIALIZATION_ERROR`.
const RPC_DESERIALIZATION_ERROR: i64 = -22;
/// `RPC_VERIFY_ERROR`: missing inputs; btcd's answer to an orphan.
const RPC_VERIFY_ERROR: i64 = -25;
/// `RPC_VERIFY_REJECTED`.
const RPC_VERIFY_REJECTED: i64 = -26;
/// `RPC_VERIFY_ALREADY_IN_UTXO_SET`: it is in a block.
const RPC_ALREADY_IN_CHAIN: i64 = -27;
/// `RPC_IN_WARMUP`: it has just been started.
const RPC_IN_WARMUP: i64 = -28;
/// `RPC_METHOD_NOT_FOUND`.
const RPC_METHOD_NOT_FOUND: i64 = -32601;

/// The limit for a transaction in hex with the JSON around it.
const TRANSACTION_ANSWER: AnswerLimit = AnswerLimit {
    max_bytes: 2 * MAX_TRANSACTION_BYTES + MAX_ANSWER_BYTES,
    timeout_ms: REQUEST_TIMEOUT_MS,
};

impl BridgeSource for BitcoindSource {
    fn header(&mut self, hash: BlockHash) -> Result<Option<Header>, ChainError> {
        let hex: Option<String> = found(self.call("getblockheader", json!([hash, false])))?;
        hex.map(|hex| deserialize_hex(&hex))
            .transpose()
            .map_err(|error| ChainError::malformed(&self.describe(), error))
    }

    fn block(&mut self, hash: BlockHash) -> Result<Option<Block>, ChainError> {
        // Verbosity 0 gives the block's own bytes, which can be checked against the hash.
        let hex: Result<String, _> = self.call_within(BLOCK_ANSWER, "getblock", json!([hash, 0]));
        match hex {
            Ok(hex) => deserialize_hex(&hex)
                .map(Some)
                .map_err(|error| ChainError::malformed(&self.describe(), error)),
            Err(ChainError::Refused { code: RPC_NOT_FOUND | RPC_MISC_ERROR, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn broadcast(&mut self, transaction: &Transaction) -> Result<(), ChainError> {
        let endpoint = self.describe();
        check_size(&endpoint, std::slice::from_ref(transaction))?;
        let hex = serialize_hex(transaction);
        let txid = transaction.compute_txid();
        let (code, message) = match self.call::<Txid>("sendrawtransaction", json!([hex])) {
            Ok(shown) if shown == txid => return Ok(()),
            Ok(_) => return Err(ChainError::malformed(&endpoint, "the id of another transaction")),
            Err(ChainError::Refused { code: RPC_ALREADY_IN_CHAIN, .. }) => return Ok(()),
            Err(ChainError::Refused { code, message, .. }) if is_verdict(code) => (code, message),
            Err(error) => return Err(error),
        };
        // A source that has it says so with codes of many kinds.
        if self.has_transaction(txid)? {
            return Ok(());
        }
        let reason = match code {
            RPC_VERIFY_ERROR => NotTaken::MissingInputs,
            RPC_VERIFY_REJECTED => NotTaken::Rule,
            _ => NotTaken::Unknown,
        };
        Err(ChainError::not_taken(&endpoint, txid, reason, &message))
    }

    fn broadcast_package(&mut self, package: &[Transaction]) -> Result<(), ChainError> {
        check_size(&self.describe(), package)?;
        if let [] | [_] = package {
            return package.first().map_or(Ok(()), |transaction| self.broadcast(transaction));
        }
        let hex: Vec<String> = package.iter().map(serialize_hex).collect();
        let whole = match self.call::<PackageResult>("submitpackage", json!([hex])) {
            Ok(result) if result.is_success() => return Ok(()),
            Ok(result) => result.describe(),
            Err(ChainError::Refused { code: RPC_METHOD_NOT_FOUND | RPC_MISC_ERROR, .. }) => {
                return broadcast_one_by_one(self, package, None);
            }
            Err(ChainError::Refused { code, message, .. }) if is_verdict(code) => message,
            Err(error) => return Err(error),
        };
        // Some of it may be known, confirmed, or good enough by itself.
        broadcast_one_by_one(self, package, Some(&whole))
    }

    fn feerate(&mut self, target_blocks: u16) -> Result<Feerate, ChainError> {
        let target = target_blocks.clamp(1, MAX_FEE_TARGET_BLOCKS);
        let estimate = self.estimate(target)?;
        let minimum = self.mempool_minimum()?;
        Ok(Feerate::of(estimate, minimum))
    }

    fn unspent(&mut self, outpoint: OutPoint) -> Result<Option<Unspent>, ChainError> {
        let params = json!([outpoint.txid, outpoint.vout, false]);
        let Some(found) = self.call::<Option<TxOutInfo>>("gettxout", params)? else {
            return Ok(None);
        };
        let endpoint = self.describe();
        let value = Amount::from_btc(found.value)
            .map_err(|error| ChainError::malformed(&endpoint, error))?;
        let script = ScriptBuf::from_hex(&found.script_pub_key.hex)
            .map_err(|error| ChainError::malformed(&endpoint, error))?;
        Ok(Some(Unspent { value, script, confirmations: found.confirmations }))
    }
}

impl BitcoindSource {
    /// Returns true if the mempool has the transaction, or an index finds it in a block.
    fn has_transaction(&mut self, txid: Txid) -> Result<bool, ChainError> {
        let params = json!([txid, 0]);
        let hex: Result<String, _> =
            self.call_within(TRANSACTION_ANSWER, "getrawtransaction", params);
        match hex {
            Ok(hex) => Ok(deserialize_hex::<Transaction>(&hex)
                .is_ok_and(|transaction| transaction.compute_txid() == txid)),
            Err(ChainError::Refused { code: RPC_NOT_FOUND, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the estimate in satoshi per 1000 weight units, if the source has one.
    fn estimate(&mut self, target: u16) -> Result<Option<u32>, ChainError> {
        match self.call::<SmartFee>("estimatesmartfee", json!([target, "CONSERVATIVE"])) {
            Ok(SmartFee { feerate }) => return Ok(feerate.and_then(btc_per_kvb)),
            Err(ChainError::Refused { code: RPC_METHOD_NOT_FOUND | RPC_MISC_ERROR, .. }) => {}
            Err(error) => return Err(error),
        }
        // btcd. It refuses while it has seen too few blocks, or if its estimator is off.
        Ok(answered(self.call::<f64>("estimatefee", json!([target])))?.and_then(btc_per_kvb))
    }

    /// Returns what the mempool asks at least, in satoshi per 1000 weight units, if the source says
    /// it.
    fn mempool_minimum(&mut self) -> Result<Option<u32>, ChainError> {
        let info = answered(self.call::<Value>("getmempoolinfo", json!([])))?.unwrap_or_default();
        let read = |name: &str| info.get(name).and_then(Value::as_f64);
        let minima = [read("mempoolminfee"), read("minrelaytxfee")];
        if let Some(minimum) = minima.into_iter().flatten().reduce(f64::max) {
            return Ok(btc_per_kvb(minimum));
        }
        // btcd says it elsewhere.
        let info = answered(self.call::<Value>("getinfo", json!([])))?.unwrap_or_default();
        Ok(info.get("relayfee").and_then(Value::as_f64).and_then(btc_per_kvb))
    }
}

/// Turns "there is none" into `None`.
fn found<T>(answer: Result<T, ChainError>) -> Result<Option<T>, ChainError> {
    match answer {
        Err(ChainError::Refused { code: RPC_NOT_FOUND, .. }) => Ok(None),
        answer => answer.map(Some),
    }
}

/// Returns true if a refusal is about what was sent, and not about the state of the source.
fn is_verdict(code: i64) -> bool {
    const VERDICTS: [i64; 4] =
        [RPC_VERIFY_ERROR, RPC_VERIFY_REJECTED, RPC_INVALID_PARAMETER, RPC_DESERIALIZATION_ERROR];
    VERDICTS.contains(&code)
}

/// Turns a refusal of the method itself into `None`; a source that is starting or overloaded stays
/// an error.
fn answered<T>(answer: Result<T, ChainError>) -> Result<Option<T>, ChainError> {
    match answer {
        Err(ChainError::Refused { code, .. }) if code < 0 && code != RPC_IN_WARMUP => Ok(None),
        answer => answer.map(Some),
    }
}

fn btc_per_kvb(feerate: f64) -> Option<u32> {
    // Rounded to whole satoshi first: 0.00001 is not a float.
    per_kw((feerate * 100_000_000.0).round())
}

#[derive(Deserialize)]
struct SmartFee {
    #[serde(default)]
    feerate: Option<f64>,
}

#[derive(Deserialize)]
struct TxOutInfo {
    confirmations: u32,
    value: f64,
    #[serde(rename = "scriptPubKey")]
    script_pub_key: ScriptInfo,
}

#[derive(Deserialize)]
struct ScriptInfo {
    hex: String,
}
