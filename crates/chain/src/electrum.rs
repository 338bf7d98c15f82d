//! The chain as an electrum server reports it: three requests of its line protocol (1.4 to 1.6).
//! The code is our own because electrum-client 0.25 reads lines without limit and panics on
//! unexpected JSON.

use std::io::{self, BufRead, BufReader, Write};

use bitcoin::BlockHash;
use bitcoin::block::Header;
use bitcoin::consensus::encode::deserialize_hex;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::error::ChainError;
use crate::limits::MAX_ANSWER_BYTES;
use crate::source::{ChainSource, Tip, believable_height};
use crate::stream::{Allowance, ElectrumUrl, Stream, connect};

const CLIENT_NAME: &str = "steward";
const PROTOCOL_VERSIONS: [&str; 2] = ["1.4", "1.6"];

/// An electrum server, connected on first use and again after each failure.
pub(crate) struct ElectrumSource {
    url: ElectrumUrl,
    connection: Option<Connection>,
}

struct Connection {
    stream: BufReader<Stream>,
    allowance: Allowance,
    next_id: u64,
}

impl ElectrumSource {
    pub(crate) fn new(url: ElectrumUrl) -> Self {
        Self { url, connection: None }
    }

    fn call<T: DeserializeOwned>(&mut self, method: &str, params: Value) -> Result<T, ChainError> {
        let endpoint = self.describe();
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect(&endpoint)?,
        };
        let reply = connection.ask(&endpoint, method, params)?;
        // Only a connection that gave a whole answer is kept: on any other the next line could
        // belong to this request.
        self.connection = Some(connection);
        reply.into_result(&endpoint)
    }

    fn connect(&self, endpoint: &str) -> Result<Connection, ChainError> {
        let allowance = Allowance::new();
        let stream = connect(&self.url, &allowance)
            .map_err(|error| ChainError::unreachable(endpoint, error))?;
        let mut connection = Connection { stream: BufReader::new(stream), allowance, next_id: 0 };
        connection
            .ask(endpoint, "server.version", json!([CLIENT_NAME, PROTOCOL_VERSIONS]))?
            .into_result::<Value>(endpoint)?;
        Ok(connection)
    }
}

impl Connection {
    fn ask(&mut self, endpoint: &str, method: &str, params: Value) -> Result<Reply, ChainError> {
        self.allowance.renew();
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let mut line =
            json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string();
        line.push('\n');
        self.send(&line).map_err(|error| ChainError::unreachable(endpoint, error))?;
        // The loop ends at the latest when the allowance is spent.
        loop {
            let line = self.read_line(endpoint)?;
            // The answer is parsed through a map: a struct alone would accept a JSON list as well.
            let reply: Reply = serde_json::from_slice::<Map<String, Value>>(&line)
                .and_then(|map| serde_json::from_value(Value::Object(map)))
                .map_err(|error| ChainError::malformed(endpoint, error))?;
            // Other lines are notifications of new blocks, which the next poll sees by itself.
            if reply.id == json!(id) {
                return Ok(reply);
            }
        }
    }

    fn send(&mut self, line: &str) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(line.as_bytes())?;
        stream.flush()
    }

    fn read_line(&mut self, endpoint: &str) -> Result<Vec<u8>, ChainError> {
        let mut line = Vec::new();
        match self.stream.read_until(b'\n', &mut line) {
            Ok(_) if line.ends_with(b"\n") => Ok(line),
            Ok(_) => Err(ChainError::unreachable(endpoint, "it closed the connection")),
            Err(_) if self.allowance.is_spent() => Err(ChainError::TooLarge {
                endpoint: endpoint.to_owned(),
                limit_bytes: MAX_ANSWER_BYTES,
            }),
            Err(error) => Err(ChainError::unreachable(endpoint, error)),
        }
    }
}

impl ChainSource for ElectrumSource {
    fn describe(&self) -> String {
        format!("electrum at {}", self.url.as_str())
    }

    fn tip(&mut self) -> Result<Tip, ChainError> {
        // The answer to a subscription is the present tip, every time.
        let best: BestHeader = self.call("blockchain.headers.subscribe", json!([]))?;
        let endpoint = self.describe();
        let header = parse_header(&endpoint, &best.hex)?;
        Ok(Tip {
            height: believable_height(&endpoint, best.height)?,
            hash: Some(header.block_hash()),
            time_unix: u64::from(header.time),
        })
    }

    fn block_hash_at(&mut self, height: u32) -> Result<Option<BlockHash>, ChainError> {
        match self.call::<String>("blockchain.block.header", json!([height])) {
            Ok(hex) => Ok(Some(parse_header(&self.describe(), &hex)?.block_hash())),
            // Servers do not agree on a code for a height above their tip.
            Err(ChainError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn parse_header(endpoint: &str, hex: &str) -> Result<Header, ChainError> {
    deserialize_hex(hex).map_err(|error| ChainError::malformed(endpoint, error))
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    error: Value,
}

impl Reply {
    fn into_result<T: DeserializeOwned>(self, endpoint: &str) -> Result<T, ChainError> {
        if !self.error.is_null() {
            let code = self.error.get("code").and_then(Value::as_i64).unwrap_or(0);
            let message = self.error.get("message").and_then(Value::as_str).map(str::to_owned);
            let message = message.unwrap_or_else(|| self.error.to_string());
            return Err(ChainError::refused(endpoint, code, &message));
        }
        serde_json::from_value(self.result).map_err(|error| ChainError::malformed(endpoint, error))
    }
}

#[derive(Deserialize)]
struct BestHeader {
    height: u64,
    hex: String,
}
