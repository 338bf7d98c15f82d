//! The chain as our own bitcoind knows it, over its JSON-RPC.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::{Block, BlockHash};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use steward_wire::Preimage;

use crate::block::preimages_in_block;
use crate::error::ChainError;
use crate::file::{read_small_file, refusal};
use crate::http::{Answer, AnswerLimit, BaseUrl, HttpClient};
use crate::limits::{BLOCK_TIMEOUT_MS, MAX_ANSWER_BYTES, MAX_BLOCK_BYTES, MAX_COOKIE_BYTES};
use crate::source::{BlockSource, ChainSource, Tip, believable_height};

/// `RPC_INVALID_PARAMETER`: bitcoind's answer to a height above its tip.
const RPC_INVALID_PARAMETER: i64 = -8;
/// The answer of btcd to the same.
const BTCD_OUT_OF_RANGE: i64 = -1;

/// The limit for a block in hex with the JSON around it.
pub(crate) const BLOCK_ANSWER: AnswerLimit =
    AnswerLimit { max_bytes: 2 * MAX_BLOCK_BYTES + MAX_ANSWER_BYTES, timeout_ms: BLOCK_TIMEOUT_MS };

/// The credentials for bitcoind.
pub(crate) enum RpcAuth {
    /// The file that bitcoind writes at each start, with a new password.
    CookieFile(PathBuf),
    /// The `rpcauth` or `rpcuser` of bitcoin.conf.
    UserPassword { user: String, password: String },
    /// The same user, with the password in a file.
    PasswordFile { user: String, path: PathBuf },
}

/// A bitcoind as a source.
pub(crate) struct BitcoindSource {
    http: HttpClient,
    auth: RpcAuth,
    /// The `authorization` header in use; `None` until the credentials are read, or read again.
    authorization: Option<String>,
    /// The last tip, whose header need not be requested again.
    known: Option<Tip>,
}

impl BitcoindSource {
    pub(crate) fn new(url: BaseUrl, auth: RpcAuth) -> Self {
        Self { http: HttpClient::new("bitcoind", url), auth, authorization: None, known: None }
    }

    pub(crate) fn call<T: DeserializeOwned>(
        &mut self,
        method: &str,
        params: Value,
    ) -> Result<T, ChainError> {
        self.call_within(AnswerLimit::SMALL, method, params)
    }

    pub(crate) fn call_within<T: DeserializeOwned>(
        &mut self,
        limit: AnswerLimit,
        method: &str,
        params: Value,
    ) -> Result<T, ChainError> {
        let request =
            json!({"jsonrpc": "1.0", "id": "steward", "method": method, "params": params})
                .to_string();
        let mut answer = self.post(&request, limit)?;
        if answer.status == 401 && !matches!(self.auth, RpcAuth::UserPassword { .. }) {
            // bitcoind has restarted and written a new cookie, or somebody has written a new
            // password.
            self.authorization = None;
            answer = self.post(&request, limit)?;
        }
        if matches!(answer.status, 401 | 403) {
            self.authorization = None;
            return Err(ChainError::Unauthorized {
                endpoint: self.http.endpoint().to_owned(),
                reason: format!("HTTP status {}", answer.status),
            });
        }
        self.read_result(&answer)
    }

    fn post(&mut self, request: &str, limit: AnswerLimit) -> Result<Answer, ChainError> {
        let authorization = self.authorization()?;
        self.http.post("", "application/json", Some(&authorization), request.as_bytes(), limit)
    }

    fn read_result<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, ChainError> {
        let endpoint = self.http.endpoint();
        let reply: RpcReply = match serde_json::from_slice(&answer.body) {
            Ok(reply) => reply,
            // Errors of the HTTP layer, such as a full work queue, come as plain text.
            Err(_) if answer.status != 200 => {
                let status = i64::from(answer.status);
                return Err(ChainError::refused(endpoint, status, &answer.text_lossy()));
            }
            Err(error) => return Err(ChainError::malformed(endpoint, error)),
        };
        if let Some(error) = reply.error {
            return Err(ChainError::refused(endpoint, error.code, &error.message));
        }
        serde_json::from_value(reply.result).map_err(|error| ChainError::malformed(endpoint, error))
    }

    fn authorization(&mut self) -> Result<String, ChainError> {
        if let Some(header) = &self.authorization {
            return Ok(header.clone());
        }
        let credentials = match &self.auth {
            RpcAuth::CookieFile(path) => read_small_file(path, MAX_COOKIE_BYTES)?.trim().to_owned(),
            RpcAuth::UserPassword { user, password } => format!("{user}:{password}"),
            RpcAuth::PasswordFile { user, path } => {
                let password = read_small_file(path, MAX_COOKIE_BYTES)?.trim().to_owned();
                if password.is_empty() {
                    return Err(refusal(path, "it is empty".to_owned()));
                }
                format!("{user}:{password}")
            }
        };
        let header = format!("Basic {}", BASE64.encode(credentials));
        self.authorization = Some(header.clone());
        Ok(header)
    }
}

impl ChainSource for BitcoindSource {
    fn describe(&self) -> String {
        self.http.endpoint().to_owned()
    }

    fn tip(&mut self) -> Result<Tip, ChainError> {
        let best = self.call::<ChainInfo>("getblockchaininfo", json!([]))?.bestblockhash;
        if let Some(known) = self.known.filter(|tip| tip.hash == Some(best)) {
            return Ok(known);
        }
        let header: HeaderInfo = self.call("getblockheader", json!([best]))?;
        if header.hash != best {
            return Err(ChainError::malformed(&self.describe(), "the header of another block"));
        }
        let height = believable_height(self.http.endpoint(), header.height)?;
        let tip = Tip { height, hash: Some(best), time_unix: header.time };
        self.known = Some(tip);
        Ok(tip)
    }

    fn block_hash_at(&mut self, height: u32) -> Result<Option<BlockHash>, ChainError> {
        match self.call("getblockhash", json!([height])) {
            Ok(hash) => Ok(Some(hash)),
            Err(ChainError::Refused {
                code: RPC_INVALID_PARAMETER | BTCD_OUT_OF_RANGE, ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl BlockSource for BitcoindSource {
    fn preimages_at(&mut self, height: u32) -> Result<Option<Vec<Preimage>>, ChainError> {
        let Some(hash) = self.block_hash_at(height)? else { return Ok(None) };
        // Verbosity 0 gives the block's own bytes, which can be checked against the hash.
        let hex: String = self.call_within(BLOCK_ANSWER, "getblock", json!([hash, 0]))?;
        let endpoint = self.http.endpoint();
        let block: Block =
            deserialize_hex(&hex).map_err(|error| ChainError::malformed(endpoint, error))?;
        preimages_in_block(endpoint, hash, &block).map(Some)
    }
}

#[derive(Deserialize)]
struct RpcReply {
    #[serde(default)]
    result: Value,
    #[serde(default)]
    error: Option<RpcError>,
}

#[derive(Deserialize)]
struct RpcError {
    code: i64,
    message: String,
}

#[derive(Deserialize)]
struct ChainInfo {
    bestblockhash: BlockHash,
}

#[derive(Deserialize)]
struct HeaderInfo {
    hash: BlockHash,
    height: u64,
    time: u64,
}
