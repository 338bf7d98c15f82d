//! A regtest chain with real blocks, proof of work and a mempool, and the servers that show it as
//! bitcoind, btcd or esplora would.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::consensus::encode::{deserialize_hex, serialize, serialize_hex};
use bitcoin::constants::genesis_block;
use bitcoin::hashes::Hash;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::{
    Amount, Block, BlockHash, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut,
    Txid, Witness, transaction,
};
use serde_json::{Value, json};
use steward_chain::{BridgeSource, ChainConfig, SourceKind};

use super::{Reply, Request, SPACING_S, serve_http};

/// The time of the block above genesis, less the spacing.
const FIRST_BLOCK_TIME: u32 = 1_600_000_000;

/// Whose protocol the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Bitcoind,
    Btcd,
    Esplora,
}

pub(crate) const ALL: [Dialect; 3] = [Dialect::Bitcoind, Dialect::Btcd, Dialect::Esplora];

/// The chain, its mempool, and what is wrong with its server. Clones are the same.
#[derive(Clone)]
pub(crate) struct Ledger(Arc<Mutex<State>>);

pub(crate) struct State {
    pub(crate) blocks: Vec<Block>,
    /// Every block that was ever mined.
    pub(crate) known: HashMap<BlockHash, (u32, Block)>,
    pub(crate) mempool: Vec<Transaction>,
    /// What the mempool asks, in satoshi per 1000 virtual bytes.
    pub(crate) minimum_sat_per_kvb: u64,
    /// The estimate that it gives, if it has one.
    pub(crate) estimate_sat_per_kvb: Option<u64>,
    pub(crate) takes_packages: bool,
    /// Is told each question first, and answers instead of the server if it returns something.
    pub(crate) instead: Option<Instead>,
    /// Changes the blocks that are shown.
    pub(crate) shown_as: fn(Block) -> Block,
    /// The heights up to which blocks were pruned.
    pub(crate) pruned_to: Option<u32>,
    /// The methods or paths that were asked.
    pub(crate) asked: Vec<String>,
    mined: u64,
}

pub(crate) type Instead = Box<dyn FnMut(&mut State, &str) -> Option<Reply> + Send>;

/// The script that anybody can spend with [`open_witness`].
pub(crate) fn open_script() -> ScriptBuf {
    true_script().to_p2wsh()
}

fn true_script() -> ScriptBuf {
    Builder::new().push_int(1).into_script()
}

pub(crate) fn open_witness() -> Witness {
    Witness::from_slice(&[true_script().to_bytes()])
}

/// A transaction that spends `inputs` and has one output of `value` to `script`.
pub(crate) fn spend(inputs: &[OutPoint], value: u64, script: ScriptBuf) -> Transaction {
    let input = |previous_output: &OutPoint| TxIn {
        previous_output: *previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: open_witness(),
    };
    Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: inputs.iter().map(input).collect(),
        output: vec![TxOut { value: Amount::from_sat(value), script_pubkey: script }],
    }
}

pub(crate) fn first_output(transaction: &Transaction) -> OutPoint {
    OutPoint { txid: transaction.compute_txid(), vout: 0 }
}

/// Makes a whole block above `below`: coinbase, witness commitment, Merkle root, proof of work.
pub(crate) fn make_block(
    below: &Header,
    height: u32,
    salt: u64,
    transactions: &[Transaction],
) -> Block {
    let salt = PushBytesBuf::from(salt.to_le_bytes());
    let reserved = [0_u8; 32];
    let coinbase = Transaction {
        version: transaction::Version::ONE,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig: Builder::new().push_int(height.into()).push_slice(salt).into_script(),
            sequence: Sequence::MAX,
            witness: Witness::from_slice(&[reserved]),
        }],
        output: vec![TxOut {
            // Regtest halves what a miner earns every 150 blocks.
            value: Amount::from_sat(5_000_000_000 >> (height / 150)),
            script_pubkey: open_script(),
        }],
    };
    let txdata = [coinbase].into_iter().chain(transactions.iter().cloned()).collect();
    let header = Header {
        // It signals for segwit (BIP 9), which btcd asks of miners on regtest.
        version: Version::from_consensus(0x2000_0002),
        prev_blockhash: below.block_hash(),
        merkle_root: below.merkle_root,
        // btcd checks scripts as of today only after 2012.
        time: below.time.max(FIRST_BLOCK_TIME) + SPACING_S,
        bits: below.bits,
        nonce: 0,
    };
    let mut block = Block { header, txdata };
    let root = block.witness_root().unwrap();
    let commitment = Block::compute_witness_commitment(&root, &reserved);
    let script = [&[0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed], commitment.as_byte_array().as_slice()];
    let script_pubkey = ScriptBuf::from_bytes(script.concat());
    block.txdata[0].output.push(TxOut { value: Amount::ZERO, script_pubkey });
    seal(&mut block);
    block
}

/// Gives the block the Merkle root of its transactions and proof of work.
pub(crate) fn seal(block: &mut Block) {
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    work(&mut block.header);
}

pub(crate) fn work(header: &mut Header) {
    while header.validate_pow(header.target()).is_err() {
        header.nonce += 1;
    }
}

impl Ledger {
    pub(crate) fn new(height: u32) -> Self {
        let genesis = genesis_block(Network::Regtest);
        let state = State {
            known: HashMap::from([(genesis.block_hash(), (0, genesis.clone()))]),
            blocks: vec![genesis],
            mempool: Vec::new(),
            minimum_sat_per_kvb: 1000,
            estimate_sat_per_kvb: None,
            takes_packages: true,
            instead: None,
            shown_as: |block| block,
            pruned_to: None,
            asked: Vec::new(),
            mined: 0,
        };
        let ledger = Self(Arc::new(Mutex::new(state)));
        ledger.mine(height);
        ledger
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Mines `count` empty blocks, each different from all others.
    pub(crate) fn mine(&self, count: u32) {
        for _ in 0..count {
            self.mine_with(&[]);
        }
    }

    pub(crate) fn mine_with(&self, transactions: &[Transaction]) -> Block {
        self.state().mine_with(transactions)
    }

    /// Adds a block as it is.
    pub(crate) fn push(&self, block: Block) {
        self.state().push(block);
    }

    /// Removes the last `count` blocks from the best chain.
    pub(crate) fn rewind(&self, count: usize) {
        self.state().rewind(count);
    }

    pub(crate) fn height(&self) -> u32 {
        u32::try_from(self.state().blocks.len()).unwrap() - 1
    }

    pub(crate) fn block(&self, height: u32) -> Block {
        self.state().blocks[height as usize].clone()
    }

    pub(crate) fn hash(&self, height: u32) -> BlockHash {
        self.block(height).block_hash()
    }

    /// An output that a test may spend: the coinbase of `height`.
    pub(crate) fn coin(&self, height: u32) -> OutPoint {
        first_output(&self.block(height).txdata[0])
    }

    /// Starts a server and opens it as the bridge would.
    pub(crate) fn open(&self, dialect: Dialect) -> Box<dyn BridgeSource> {
        let ledger = self.clone();
        let url = serve_http(move |request| ledger.state().answer(dialect, &request));
        open_at(dialect, url)
    }
}

/// Opens the server at `url`.
pub(crate) fn open_at(dialect: Dialect, url: String) -> Box<dyn BridgeSource> {
    let is_esplora = dialect == Dialect::Esplora;
    let config = ChainConfig {
        source: Some(if is_esplora { SourceKind::Esplora } else { SourceKind::Bitcoind }),
        url: Some(url),
        user: (!is_esplora).then(|| "user".into()),
        password: (!is_esplora).then(|| "secret".to_owned().into()),
        ..ChainConfig::default()
    };
    config.open_bridge(Network::Regtest).unwrap()
}

impl State {
    pub(crate) fn mine_with(&mut self, transactions: &[Transaction]) -> Block {
        self.mined += 1;
        let height = u32::try_from(self.blocks.len()).unwrap();
        let below = self.blocks.last().unwrap().header;
        let block = make_block(&below, height, self.mined, transactions);
        self.push(block.clone());
        block
    }

    pub(crate) fn rewind(&mut self, count: usize) {
        let left = self.blocks.len() - count;
        self.blocks.truncate(left);
    }

    fn push(&mut self, block: Block) {
        let height = u32::try_from(self.blocks.len()).unwrap();
        self.known.insert(block.block_hash(), (height, block.clone()));
        self.mempool.retain(|waiting| !block.txdata.contains(waiting));
        self.blocks.push(block);
    }

    fn answer(&mut self, dialect: Dialect, request: &Request) -> Reply {
        let asked = match dialect {
            Dialect::Esplora => request.path.clone(),
            _ => {
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                body["method"].as_str().unwrap().to_owned()
            }
        };
        self.asked.push(asked.clone());
        if let Some(mut instead) = self.instead.take() {
            let reply = instead(self, &asked);
            self.instead = Some(instead);
            if let Some(reply) = reply {
                return reply;
            }
        }
        match dialect {
            Dialect::Esplora => self.esplora(request),
            _ => self.rpc(dialect, &request.body),
        }
    }

    /// The confirmed outputs that no block spends, with the height of each.
    fn unspent(&self) -> HashMap<OutPoint, (u32, TxOut)> {
        let mut unspent = HashMap::new();
        for (height, block) in (0..).zip(&self.blocks) {
            for transaction in &block.txdata {
                let txid = transaction.compute_txid();
                for input in &transaction.input {
                    unspent.remove(&input.previous_output);
                }
                for (vout, output) in (0..).zip(&transaction.output) {
                    unspent.insert(OutPoint { txid, vout }, (height, output.clone()));
                }
            }
        }
        unspent
    }

    fn transaction(&self, txid: Txid) -> Option<(Option<u32>, Transaction)> {
        let mined = (0..).zip(&self.blocks).flat_map(|(height, block)| {
            block.txdata.iter().map(move |transaction| (Some(height), transaction))
        });
        let waiting = self.mempool.iter().map(|transaction| (None, transaction));
        let mut all = mined.chain(waiting);
        let (height, found) = all.find(|(_, transaction)| transaction.compute_txid() == txid)?;
        Some((height, found.clone()))
    }

    /// Judges `package` as one mempool entry; returns code and text of a refusal.
    fn judge(&self, package: &[Transaction]) -> Result<(), (i64, &'static str)> {
        let mut outputs = self.unspent();
        for waiting in self.mempool.iter().chain(package) {
            let txid = waiting.compute_txid();
            for (vout, output) in (0..).zip(&waiting.output) {
                outputs.insert(OutPoint { txid, vout }, (0, output.clone()));
            }
        }
        for waiting in &self.mempool {
            for input in &waiting.input {
                outputs.remove(&input.previous_output);
            }
        }
        let (mut fee, mut vsize) = (0_i64, 0);
        for transaction in package {
            vsize += transaction.vsize() as u64;
            for input in &transaction.input {
                let Some((_, spent)) = outputs.remove(&input.previous_output) else {
                    return Err((-25, "bad-txns-inputs-missingorspent"));
                };
                fee += spent.value.to_sat() as i64;
            }
            fee -= transaction.output.iter().map(|out| out.value.to_sat() as i64).sum::<i64>();
        }
        if fee * 1000 < (vsize * self.minimum_sat_per_kvb) as i64 {
            return Err((-26, "min relay fee not met"));
        }
        Ok(())
    }

    fn send(&mut self, dialect: Dialect, transaction: &Transaction) -> Result<Value, Value> {
        let refuse = |code: i64, message: &str| Err(json!({"code": code, "message": message}));
        let txid = transaction.compute_txid();
        match self.transaction(txid) {
            Some((Some(_), _)) if dialect == Dialect::Btcd => {
                return refuse(-27, "TX rejected: transaction already exists");
            }
            Some((Some(_), _)) => return refuse(-27, "Transaction outputs already in utxo set"),
            Some((None, _)) if dialect == Dialect::Btcd => {
                return refuse(-26, "TX rejected: already have transaction in mempool");
            }
            Some((None, _)) => return Ok(json!(txid)),
            None => {}
        }
        match self.judge(std::slice::from_ref(transaction)) {
            Ok(()) => {
                self.mempool.push(transaction.clone());
                Ok(json!(txid))
            }
            Err((code, message)) => refuse(code, message),
        }
    }

    fn package(&mut self, hex: &Value) -> Value {
        let hex = hex.as_array().unwrap().iter().map(|hex| hex.as_str().unwrap());
        let package: Vec<Transaction> = hex.map(|hex| deserialize_hex(hex).unwrap()).collect();
        let new: Vec<_> =
            package.iter().filter(|one| !self.mempool.contains(one)).cloned().collect();
        let verdict = self.judge(&new);
        let error = verdict.err().map(|(_, message)| message);
        let results: serde_json::Map<String, Value> = package
            .iter()
            .map(|one| {
                let entry = json!({"txid": one.compute_txid(), "error": error});
                (one.compute_wtxid().to_string(), entry)
            })
            .collect();
        if error.is_none() {
            self.mempool.extend(new);
        }
        let message = if error.is_none() { "success" } else { "transaction failed" };
        json!({"package_msg": message, "tx-results": results})
    }

    fn rpc(&mut self, dialect: Dialect, body: &[u8]) -> Reply {
        let request: Value = serde_json::from_slice(body).unwrap();
        let method = request["method"].as_str().unwrap();
        let (status, result, error) = match self.call(dialect, method, &request["params"]) {
            Ok(result) => (200, result, Value::Null),
            Err(error) => (500, Value::Null, error),
        };
        let body = json!({"result": result, "error": error, "id": request["id"]}).to_string();
        Reply { status, body: body.into() }
    }

    fn call(&mut self, dialect: Dialect, method: &str, params: &Value) -> Result<Value, Value> {
        let is_btcd = dialect == Dialect::Btcd;
        let refuse = |code: i64, message: &str| Err(json!({"code": code, "message": message}));
        let known = |hash: &Value| {
            let hash: BlockHash = hash.as_str().unwrap().parse().unwrap();
            self.known.get(&hash).cloned()
        };
        match method {
            "getblockchaininfo" => {
                Ok(json!({"bestblockhash": self.blocks.last().unwrap().block_hash()}))
            }
            "getblockhash" => match self.blocks.get(params[0].as_u64().unwrap() as usize) {
                Some(block) => Ok(json!(block.block_hash())),
                None if is_btcd => refuse(-1, "Block number out of range"),
                None => refuse(-8, "Block height out of range"),
            },
            "getblockheader" => match known(&params[0]) {
                Some((_, block)) if params[1] == false => Ok(json!(serialize_hex(&block.header))),
                Some((height, block)) => {
                    let Header { time, .. } = block.header;
                    Ok(json!({"hash": block.block_hash(), "height": height, "time": time}))
                }
                None => refuse(-5, "Block not found"),
            },
            "getblock" => match known(&params[0]) {
                Some((height, _)) if self.pruned_to.is_some_and(|to| height <= to) => {
                    refuse(-1, "Block not available (pruned data)")
                }
                Some((_, block)) => Ok(json!(serialize_hex(&(self.shown_as)(block)))),
                None => refuse(-5, "Block not found"),
            },
            _ => self.call_mempool(dialect, method, params),
        }
    }

    fn call_mempool(
        &mut self,
        dialect: Dialect,
        method: &str,
        params: &Value,
    ) -> Result<Value, Value> {
        let is_btcd = dialect == Dialect::Btcd;
        let refuse = |code: i64, message: &str| Err(json!({"code": code, "message": message}));
        let btc = |sat: u64| json!(sat as f64 / 100_000_000.0);
        match method {
            "sendrawtransaction" => {
                let transaction = deserialize_hex(params[0].as_str().unwrap()).unwrap();
                self.send(dialect, &transaction)
            }
            "submitpackage" if !is_btcd && self.takes_packages => Ok(self.package(&params[0])),
            "getrawtransaction" => {
                let found = self.transaction(params[0].as_str().unwrap().parse().unwrap());
                match found {
                    Some((None, transaction)) => Ok(json!(serialize_hex(&transaction))),
                    _ => refuse(-5, "No such mempool transaction"),
                }
            }
            "estimatesmartfee" if !is_btcd => Ok(match self.estimate_sat_per_kvb {
                Some(estimate) => json!({"feerate": btc(estimate), "blocks": params[0]}),
                None => json!({"errors": ["Insufficient data or no feerate found"], "blocks": 0}),
            }),
            "estimatefee" if is_btcd => match self.estimate_sat_per_kvb {
                Some(estimate) => Ok(btc(estimate)),
                None => refuse(-32603, "not enough blocks have been observed"),
            },
            "getmempoolinfo" if is_btcd => Ok(json!({"size": 0, "bytes": 0})),
            "getmempoolinfo" => Ok(
                json!({"mempoolminfee": btc(self.minimum_sat_per_kvb), "minrelaytxfee": btc(1000)}),
            ),
            "getinfo" if is_btcd => Ok(json!({"relayfee": btc(self.minimum_sat_per_kvb)})),
            "gettxout" => {
                assert_eq!(params[2], false, "the mempool does not count");
                let txid = params[0].as_str().unwrap().parse().unwrap();
                let vout = params[1].as_u64().unwrap() as u32;
                Ok(match self.unspent().get(&OutPoint { txid, vout }) {
                    Some((height, output)) => json!({
                        "bestblock": self.blocks.last().unwrap().block_hash(),
                        "confirmations": self.blocks.len() - *height as usize,
                        "value": btc(output.value.to_sat()),
                        "scriptPubKey": {"hex": output.script_pubkey.to_hex_string()},
                    }),
                    None => Value::Null,
                })
            }
            _ => refuse(-32601, "Method not found"),
        }
    }

    fn esplora(&mut self, request: &Request) -> Reply {
        let parts: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        let missing = || Reply::status(404, "not found");
        let known = |hash: &str| self.known.get(&hash.parse::<BlockHash>().unwrap()).cloned();
        match parts.as_slice() {
            ["blocks", "tip", "hash"] => {
                Reply::ok(self.blocks.last().unwrap().block_hash().to_string())
            }
            ["block-height", height] => match self.blocks.get(height.parse::<usize>().unwrap()) {
                Some(block) => Reply::ok(block.block_hash().to_string()),
                None => missing(),
            },
            ["block", hash] => known(hash).map_or_else(missing, |(height, block)| {
                let time = block.header.time;
                Reply::ok(json!({"id": hash, "height": height, "timestamp": time}).to_string())
            }),
            ["block", hash, "header"] => known(hash)
                .map_or_else(missing, |(_, block)| Reply::ok(serialize_hex(&block.header))),
            ["block", hash, "raw"] => match known(hash) {
                Some((height, _)) if self.pruned_to.is_some_and(|to| height <= to) => missing(),
                Some((_, block)) => Reply::ok(serialize(&(self.shown_as)(block))),
                None => missing(),
            },
            ["tx"] => {
                let hex = std::str::from_utf8(&request.body).unwrap();
                match self.send(Dialect::Esplora, &deserialize_hex(hex).unwrap()) {
                    Ok(txid) => Reply::ok(txid.as_str().unwrap()),
                    Err(error) => {
                        Reply::status(400, &format!("sendrawtransaction RPC error: {error}"))
                    }
                }
            }
            ["txs", "package"] if self.takes_packages => {
                let body = serde_json::from_slice(&request.body).unwrap();
                Reply::ok(self.package(&body).to_string())
            }
            ["fee-estimates"] => Reply::ok(match self.estimate_sat_per_kvb {
                Some(estimate) => {
                    let rate = estimate as f64 / 1000.0;
                    json!({"2": rate * 2.0, "3": rate, "144": rate / 10.0}).to_string()
                }
                None => "{}".to_owned(),
            }),
            ["tx", txid, rest @ ..] => {
                let txid: Txid = txid.parse().unwrap();
                let Some((height, transaction)) = self.transaction(txid) else { return missing() };
                let status = json!({"confirmed": height.is_some(), "block_height": height});
                match rest {
                    ["raw"] => Reply::ok(serialize(&transaction)),
                    ["status"] => Reply::ok(status.to_string()),
                    ["outspend", vout] => {
                        let outpoint = OutPoint { txid, vout: vout.parse().unwrap() };
                        Reply::ok(self.outspend(outpoint).to_string())
                    }
                    _ => missing(),
                }
            }
            _ => missing(),
        }
    }

    fn outspend(&self, outpoint: OutPoint) -> Value {
        let spends =
            |one: &Transaction| one.input.iter().any(|input| input.previous_output == outpoint);
        if self.blocks.iter().flat_map(|block| &block.txdata).any(spends) {
            return json!({"spent": true, "status": {"confirmed": true}});
        }
        json!({"spent": self.mempool.iter().any(spends), "status": {"confirmed": false}})
    }
}
