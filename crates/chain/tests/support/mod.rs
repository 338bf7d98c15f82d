//! A small chain and servers on loopback that report it as bitcoind, esplora or electrum would.
#![allow(dead_code)] // each test file uses its own part

pub(crate) mod ledger;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use bitcoin::block::Header;
use bitcoin::consensus::encode::{serialize, serialize_hex};
use bitcoin::constants::genesis_block;
use bitcoin::{Amount, Block, BlockHash, Network, ScriptBuf, TxOut};
use serde_json::{Value, json};

/// The seconds between the headers of a [`FakeChain`].
pub(crate) const SPACING_S: u32 = 600;

/// Blocks that follow each other, without proof of work. Clones are the same chain.
#[derive(Clone)]
pub(crate) struct FakeChain(Arc<Mutex<Vec<Block>>>);

impl FakeChain {
    pub(crate) fn new(network: Network, height: u32) -> Self {
        let chain = Self(Arc::new(Mutex::new(vec![genesis_block(network)])));
        chain.mine(height, 0);
        chain
    }

    /// Adds `count` blocks. Another `nonce` makes other blocks.
    pub(crate) fn mine(&self, count: u32, nonce: u32) {
        for _ in 0..count {
            self.mine_publishing(&[], nonce);
        }
    }

    /// Adds a block whose second transaction has an output for each of `scripts`.
    pub(crate) fn mine_publishing(&self, scripts: &[ScriptBuf], nonce: u32) {
        let mut blocks = self.0.lock().unwrap();
        let mut block = genesis_block(Network::Regtest);
        block.header.prev_blockhash = blocks.last().unwrap().block_hash();
        block.header.time = blocks.last().unwrap().header.time + SPACING_S;
        block.header.nonce = nonce;
        let mut publishing = block.txdata[0].clone();
        publishing.output = scripts
            .iter()
            .map(|script| TxOut { value: Amount::ZERO, script_pubkey: script.clone() })
            .collect();
        if !scripts.is_empty() {
            block.txdata.push(publishing);
        }
        block.header.merkle_root = block.compute_merkle_root().unwrap();
        blocks.push(block);
    }

    /// Replaces the last block by `block`.
    pub(crate) fn replace_tip(&self, block: Block) {
        *self.0.lock().unwrap().last_mut().unwrap() = block;
    }

    /// Removes the last `count` blocks.
    pub(crate) fn rewind(&self, count: usize) {
        let mut blocks = self.0.lock().unwrap();
        let left = blocks.len() - count;
        blocks.truncate(left);
    }

    pub(crate) fn height(&self) -> u32 {
        u32::try_from(self.0.lock().unwrap().len() - 1).unwrap()
    }

    pub(crate) fn block(&self, height: u32) -> Option<Block> {
        self.0.lock().unwrap().get(height as usize).cloned()
    }

    pub(crate) fn header(&self, height: u32) -> Option<Header> {
        self.block(height).map(|block| block.header)
    }

    pub(crate) fn hash(&self, height: u32) -> BlockHash {
        self.header(height).unwrap().block_hash()
    }

    pub(crate) fn tip(&self) -> Header {
        self.header(self.height()).unwrap()
    }

    fn find(&self, hash: &str) -> Option<(u32, Header)> {
        (0..=self.height())
            .filter_map(|height| Some((height, self.header(height)?)))
            .find(|(_, header)| header.block_hash().to_string() == hash)
    }
}

pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) authorization: String,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, body: body.into() }
    }

    pub(crate) fn status(status: u16, body: &str) -> Self {
        Self { status, body: body.into() }
    }
}

/// Serves HTTP on loopback, one request per connection, until the test process ends.
/// Returns the address.
pub(crate) fn serve_http(answer: impl Fn(Request) -> Reply + Send + 'static) -> String {
    let address = serve(move |stream| {
        let Some(request) = read_request(stream) else { return };
        let reply = answer(request);
        let head = format!(
            "HTTP/1.1 {} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            reply.status,
            reply.body.len()
        );
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(&reply.body);
    });
    format!("http://{address}")
}

/// Passes each connection to `handle`, one after the other.
pub(crate) fn serve(handle: impl Fn(&mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            handle(&mut stream.unwrap());
        }
    });
    address
}

fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut authorization, mut length) = (String::new(), 0);
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => authorization = value.to_owned(),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { path, authorization, body })
}

/// Returns what bitcoind answers to the RPC in `body`.
pub(crate) fn bitcoind_reply(chain: &FakeChain, body: &[u8]) -> Reply {
    let request: Value = serde_json::from_slice(body).unwrap();
    let param = &request["params"][0];
    let result = match request["method"].as_str().unwrap() {
        "getblockchaininfo" => {
            Ok(json!({"chain": "regtest", "bestblockhash": chain.tip().block_hash()}))
        }
        "getblockhash" => {
            let height = u32::try_from(param.as_u64().unwrap()).unwrap();
            match chain.header(height) {
                Some(header) => Ok(json!(header.block_hash())),
                None => Err(json!({"code": -8, "message": "Block height out of range"})),
            }
        }
        "getblockheader" => {
            let (height, header) = chain.find(param.as_str().unwrap()).unwrap();
            Ok(json!({"hash": header.block_hash(), "height": height, "time": header.time}))
        }
        "getblock" => {
            assert_eq!(request["params"][1], 0, "verbosity");
            let found = chain.find(param.as_str().unwrap());
            match found.and_then(|(height, _)| chain.block(height)) {
                Some(block) => Ok(json!(serialize_hex(&block))),
                None => Err(json!({"code": -5, "message": "Block not found"})),
            }
        }
        other => panic!("unexpected method {other}"),
    };
    let (status, result, error) = match result {
        Ok(result) => (200, result, Value::Null),
        Err(error) => (500, Value::Null, error),
    };
    let body = json!({"result": result, "error": error, "id": request["id"]}).to_string();
    Reply { status, body: body.into() }
}

/// Returns what esplora answers to a request for `path`.
pub(crate) fn esplora_reply(chain: &FakeChain, path: &str) -> Reply {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["blocks", "tip", "hash"] => Reply::ok(chain.tip().block_hash().to_string()),
        ["block", hash] => match chain.find(hash) {
            Some((height, header)) => Reply::ok(
                json!({"id": hash, "height": height, "timestamp": header.time}).to_string(),
            ),
            None => Reply::status(404, "Block not found"),
        },
        ["block", hash, "raw"] => {
            match chain.find(hash).and_then(|(height, _)| chain.block(height)) {
                Some(block) => Reply::ok(serialize(&block)),
                None => Reply::status(404, "Block not found"),
            }
        }
        ["block-height", height] => match chain.header(height.parse().unwrap()) {
            Some(header) => Reply::ok(header.block_hash().to_string()),
            None => Reply::status(404, "Block not found"),
        },
        _ => Reply::status(400, "unknown path"),
    }
}

/// Starts an electrum server and returns its address.
pub(crate) fn serve_electrum(chain: FakeChain) -> String {
    serve_electrum_lines(move |request| electrum_reply(&chain, request).to_string())
}

/// Starts a line server that answers each request with the line that `answer` makes.
pub(crate) fn serve_electrum_lines(answer: impl Fn(&Value) -> String + Send + 'static) -> String {
    let address = serve(move |stream| answer_electrum(stream, &answer));
    format!("tcp://{address}")
}

/// Answers the lines of one connection until it ends.
pub(crate) fn answer_electrum(stream: &mut TcpStream, answer: impl Fn(&Value) -> String) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
        let Ok(request) = serde_json::from_str(&line) else { return };
        if stream.write_all(format!("{}\n", answer(&request)).as_bytes()).is_err() {
            return;
        }
        line.clear();
    }
}

/// Returns what an electrum server answers to `request`.
pub(crate) fn electrum_reply(chain: &FakeChain, request: &Value) -> Value {
    let result = match request["method"].as_str().unwrap() {
        "server.version" => json!(["fake 1", "1.4"]),
        "blockchain.headers.subscribe" => {
            json!({"height": chain.height(), "hex": serialize_hex(&chain.tip())})
        }
        "blockchain.block.header" => {
            let height = u32::try_from(request["params"][0].as_u64().unwrap()).unwrap();
            match chain.header(height) {
                Some(header) => json!(serialize_hex(&header)),
                None => {
                    let error = json!({"code": 1, "message": "missing header"});
                    return json!({"jsonrpc": "2.0", "id": request["id"], "error": error});
                }
            }
        }
        other => panic!("unexpected method {other}"),
    };
    json!({"jsonrpc": "2.0", "id": request["id"], "result": result})
}
