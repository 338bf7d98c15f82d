//! What the bridge asks of an esplora server.

use std::collections::BTreeMap;

use bitcoin::block::Header;
use bitcoin::consensus::deserialize;
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{Block, BlockHash, OutPoint, Transaction, Txid};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::bridge::{BridgeSource, Feerate, Unspent, broadcast_one_by_one, check_size, per_kw};
use crate::error::{ChainError, NotTaken};
use crate::esplora::{BLOCK_ANSWER, EsploraSource};
use crate::http::AnswerLimit;
use crate::package::PackageResult;
use crate::source::ChainSource;

impl BridgeSource for EsploraSource {
    fn header(&mut self, hash: BlockHash) -> Result<Option<Header>, ChainError> {
        let Some(body) = self.get(&format!("/block/{hash}/header"), AnswerLimit::SMALL)? else {
            return Ok(None);
        };
        let header =
            std::str::from_utf8(&body).ok().and_then(|hex| deserialize_hex(hex.trim()).ok());
        header.map(Some).ok_or_else(|| self.malformed("a header that is none"))
    }

    fn block(&mut self, hash: BlockHash) -> Result<Option<Block>, ChainError> {
        let Some(bytes) = self.get(&format!("/block/{hash}/raw"), BLOCK_ANSWER)? else {
            return Ok(None);
        };
        deserialize(&bytes).map(Some).map_err(|error| self.malformed(&error.to_string()))
    }

    fn broadcast(&mut self, transaction: &Transaction) -> Result<(), ChainError> {
        let endpoint = self.describe();
        check_size(&endpoint, std::slice::from_ref(transaction))?;
        let txid = transaction.compute_txid();
        let hex = serialize_hex(transaction);
        let answer =
            self.http.post("/tx", "text/plain", None, hex.as_bytes(), AnswerLimit::SMALL)?;
        let text = answer.text_lossy();
        match answer.status {
            200 if text.trim() == txid.to_string() => Ok(()),
            200 => Err(self.malformed("the id of another transaction")),
            // The server passes its node's refusal on as text, with this status.
            400 if self.transaction(txid)?.is_some() => Ok(()),
            400 => Err(ChainError::not_taken(&endpoint, txid, NotTaken::Unknown, &text)),
            _ => Err(self.refusal(&answer)),
        }
    }

    fn broadcast_package(&mut self, package: &[Transaction]) -> Result<(), ChainError> {
        check_size(&self.describe(), package)?;
        if let [] | [_] = package {
            return package.first().map_or(Ok(()), |transaction| self.broadcast(transaction));
        }
        let hex: Vec<String> = package.iter().map(serialize_hex).collect();
        let body = serde_json::json!(hex).to_string();
        let path = "/txs/package";
        let answer =
            self.http.post(path, "application/json", None, body.as_bytes(), AnswerLimit::SMALL)?;
        match answer.status {
            200 => {
                let result: PackageResult = self.json(&answer.body)?;
                match result.is_success() {
                    true => Ok(()),
                    false => broadcast_one_by_one(self, package, Some(&result.describe())),
                }
            }
            400 => broadcast_one_by_one(self, package, Some(&answer.text_lossy())),
            // Servers that do not have this yet.
            404 | 405 => broadcast_one_by_one(self, package, None),
            _ => Err(self.refusal(&answer)),
        }
    }

    fn feerate(&mut self, target_blocks: u16) -> Result<Feerate, ChainError> {
        let Some(body) = self.get("/fee-estimates", AnswerLimit::SMALL)? else {
            return Ok(Feerate::of(None, None));
        };
        let by_target: BTreeMap<u16, f64> = self.json(&body)?;
        // The nearest target that is not later; or the soonest, which costs most.
        let nearest = by_target.range(..=target_blocks.max(1)).next_back();
        let estimate = nearest.or_else(|| by_target.first_key_value());
        let per_kvb = estimate.map(|(_, sat_per_vb)| (sat_per_vb * 1000.0).round());
        Ok(Feerate::of(per_kvb.and_then(per_kw), None))
    }

    fn unspent(&mut self, outpoint: OutPoint) -> Result<Option<Unspent>, ChainError> {
        let OutPoint { txid, vout } = outpoint;
        let Some(transaction) = self.transaction(txid)? else { return Ok(None) };
        let output = usize::try_from(vout).ok().and_then(|vout| transaction.output.get(vout));
        let Some(output) = output else { return Ok(None) };
        let made: Status = self.get_json(&format!("/tx/{txid}/status"))?;
        let spend: Outspend = self.get_json(&format!("/tx/{txid}/outspend/{vout}"))?;
        let is_spent = spend.spent && spend.status.is_some_and(|status| status.confirmed);
        let (true, Some(height), false) = (made.confirmed, made.block_height, is_spent) else {
            return Ok(None);
        };
        let above = self.tip()?.height.checked_sub(height);
        let confirmations = above.map_or(0, |above| above.saturating_add(1));
        let script = output.script_pubkey.clone();
        Ok(Some(Unspent { value: output.value, script, confirmations }))
    }
}

impl EsploraSource {
    /// Returns the transaction from the mempool or a block.
    fn transaction(&self, txid: Txid) -> Result<Option<Transaction>, ChainError> {
        let Some(bytes) = self.get(&format!("/tx/{txid}/raw"), BLOCK_ANSWER)? else {
            return Ok(None);
        };
        let transaction: Transaction =
            deserialize(&bytes).map_err(|error| self.malformed(&error.to_string()))?;
        if transaction.compute_txid() != txid {
            return Err(self.malformed("another transaction than asked for"));
        }
        Ok(Some(transaction))
    }

    fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, ChainError> {
        let body = self
            .get(path, AnswerLimit::SMALL)?
            .ok_or_else(|| self.malformed(&format!("there is no {path}")))?;
        self.json(&body)
    }

    fn json<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, ChainError> {
        serde_json::from_slice(body).map_err(|error| self.malformed(&error.to_string()))
    }
}

#[derive(Deserialize)]
struct Status {
    confirmed: bool,
    #[serde(default)]
    block_height: Option<u32>,
}

#[derive(Deserialize)]
struct Outspend {
    spent: bool,
    #[serde(default)]
    status: Option<Status>,
}
