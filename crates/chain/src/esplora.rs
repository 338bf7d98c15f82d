//! The chain as an esplora server reports it, over HTTP or HTTPS. We trust the server to know the
//! best chain: only hashes are compared, and blocks with their hash.

use std::str::FromStr;

use bitcoin::consensus::deserialize;
use bitcoin::{Block, BlockHash};
use serde::Deserialize;
use steward_wire::Preimage;

use crate::block::preimages_in_block;
use crate::error::ChainError;
use crate::http::{Answer, AnswerLimit, BaseUrl, HttpClient};
use crate::limits::{BLOCK_TIMEOUT_MS, MAX_BLOCK_BYTES};
use crate::source::{BlockSource, ChainSource, Tip, believable_height};

/// The limit for a raw block.
pub(crate) const BLOCK_ANSWER: AnswerLimit =
    AnswerLimit { max_bytes: MAX_BLOCK_BYTES, timeout_ms: BLOCK_TIMEOUT_MS };

/// An esplora server as a source.
pub(crate) struct EsploraSource {
    pub(crate) http: HttpClient,
    /// The last tip, which need not be requested again.
    known: Option<Tip>,
}

impl EsploraSource {
    pub(crate) fn new(url: BaseUrl) -> Self {
        Self { http: HttpClient::new("esplora", url), known: None }
    }

    /// Requests `path` and returns the body, or `None` if the server has no such thing.
    pub(crate) fn get(
        &self,
        path: &str,
        limit: AnswerLimit,
    ) -> Result<Option<Vec<u8>>, ChainError> {
        let answer: Answer = self.http.get(path, limit)?;
        match answer.status {
            200 => Ok(Some(answer.body)),
            404 => Ok(None),
            _ => Err(self.refusal(&answer)),
        }
    }

    /// Returns the error for an answer whose status is no success.
    pub(crate) fn refusal(&self, answer: &Answer) -> ChainError {
        let endpoint = self.http.endpoint();
        match answer.status {
            status @ (401 | 403) => ChainError::Unauthorized {
                endpoint: endpoint.to_owned(),
                reason: format!("HTTP status {status}"),
            },
            status => ChainError::refused(endpoint, i64::from(status), &answer.text_lossy()),
        }
    }

    fn get_hash(&self, path: &str) -> Result<Option<BlockHash>, ChainError> {
        let Some(body) = self.get(path, AnswerLimit::SMALL)? else { return Ok(None) };
        let hash = std::str::from_utf8(&body)
            .ok()
            .and_then(|text| BlockHash::from_str(text.trim()).ok())
            .ok_or_else(|| self.malformed(&format!("{path} is not a block hash")))?;
        Ok(Some(hash))
    }

    pub(crate) fn malformed(&self, problem: &str) -> ChainError {
        ChainError::malformed(self.http.endpoint(), problem)
    }
}

impl ChainSource for EsploraSource {
    fn describe(&self) -> String {
        self.http.endpoint().to_owned()
    }

    fn tip(&mut self) -> Result<Tip, ChainError> {
        let hash = self
            .get_hash("/blocks/tip/hash")?
            .ok_or_else(|| self.malformed("there is no /blocks/tip/hash"))?;
        if let Some(known) = self.known.filter(|tip| tip.hash == Some(hash)) {
            return Ok(known);
        }
        // Height and time come by the hash, not by /blocks/tip/height, because a block may be found
        // in between.
        let body = self
            .get(&format!("/block/{hash}"), AnswerLimit::SMALL)?
            .ok_or_else(|| self.malformed("it does not know its own last block"))?;
        let block: BlockInfo =
            serde_json::from_slice(&body).map_err(|error| self.malformed(&error.to_string()))?;
        if block.id != hash {
            return Err(self.malformed("another block than asked for"));
        }
        let height = believable_height(self.http.endpoint(), block.height)?;
        let tip = Tip { height, hash: Some(hash), time_unix: block.timestamp };
        self.known = Some(tip);
        Ok(tip)
    }

    fn block_hash_at(&mut self, height: u32) -> Result<Option<BlockHash>, ChainError> {
        self.get_hash(&format!("/block-height/{height}"))
    }
}

impl BlockSource for EsploraSource {
    fn preimages_at(&mut self, height: u32) -> Result<Option<Vec<Preimage>>, ChainError> {
        let Some(hash) = self.block_hash_at(height)? else { return Ok(None) };
        let bytes = self
            .get(&format!("/block/{hash}/raw"), BLOCK_ANSWER)?
            .ok_or_else(|| self.malformed("it does not have its own block"))?;
        let block: Block =
            deserialize(&bytes).map_err(|error| self.malformed(&error.to_string()))?;
        preimages_in_block(self.http.endpoint(), hash, &block).map(Some)
    }
}

#[derive(Deserialize)]
struct BlockInfo {
    id: BlockHash,
    height: u64,
    timestamp: u64,
}
