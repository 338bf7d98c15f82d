//! The chain as an electrum server tells it. The protocol is electrum-client's; the connection is
//! ours, because that crate reads lines of any length for any time.

use bitcoin::BlockHash;
use electrum_client::raw_client::{
    CLIENT_NAME, PROTOCOL_VERSION_MAX, PROTOCOL_VERSION_MIN, RawClient,
};
use electrum_client::{ElectrumApi, Error, Param};

use crate::error::ChainError;
use crate::limits::MAX_ANSWER_BYTES;
use crate::source::{ChainSource, Tip, believable_height};
use crate::stream::{Allowance, ElectrumUrl, Stream, connect};

/// An electrum server, connected on first use and again after each error.
pub(crate) struct ElectrumSource {
    url: ElectrumUrl,
    connection: Option<Connection>,
}

struct Connection {
    client: RawClient<Stream>,
    allowance: Allowance,
}

impl ElectrumSource {
    pub(crate) fn new(url: ElectrumUrl) -> Self {
        Self { url, connection: None }
    }

    /// Runs `ask` on the connection. A connection that failed is dropped: what comes on it later
    /// could be the answer to an older question.
    fn ask<T>(
        &mut self,
        ask: impl FnOnce(&RawClient<Stream>) -> Result<T, Error>,
    ) -> Result<T, ChainError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        connection.allowance.renew();
        match ask(&connection.client) {
            Ok(answer) => {
                self.connection = Some(connection);
                Ok(answer)
            }
            Err(error) => {
                let failure = self.failure(&connection.allowance, error);
                if matches!(failure, ChainError::Refused { .. }) {
                    self.connection = Some(connection);
                }
                Err(failure)
            }
        }
    }

    fn connect(&self) -> Result<Connection, ChainError> {
        let allowance = Allowance::new();
        let stream = connect(&self.url, &allowance)
            .map_err(|error| ChainError::unreachable(&self.describe(), error))?;
        let client = RawClient::from(stream);
        let versions = vec![PROTOCOL_VERSION_MIN.to_owned(), PROTOCOL_VERSION_MAX.to_owned()];
        let hello = [Param::String(CLIENT_NAME.to_owned()), Param::StringVec(versions)];
        client
            .raw_call("server.version", hello)
            .map_err(|error| self.failure(&allowance, error))?;
        Ok(Connection { client, allowance })
    }

    fn failure(&self, allowance: &Allowance, error: Error) -> ChainError {
        let endpoint = self.describe();
        if allowance.is_spent() {
            return ChainError::TooLarge { endpoint, limit_bytes: MAX_ANSWER_BYTES };
        }
        match error {
            Error::Protocol(reply) => {
                let code = reply.get("code").and_then(|code| code.as_i64()).unwrap_or(0);
                let text = reply.get("message").and_then(|text| text.as_str());
                ChainError::refused(&endpoint, code, text.unwrap_or(&reply.to_string()))
            }
            Error::IOError(ref io) if io.kind() == std::io::ErrorKind::InvalidData => {
                ChainError::malformed(&endpoint, error)
            }
            Error::SharedIOError(ref io) if io.kind() == std::io::ErrorKind::InvalidData => {
                ChainError::malformed(&endpoint, error)
            }
            Error::IOError(_) | Error::SharedIOError(_) => {
                ChainError::unreachable(&endpoint, error)
            }
            _ => ChainError::malformed(&endpoint, error),
        }
    }
}

impl ChainSource for ElectrumSource {
    fn describe(&self) -> String {
        format!("electrum at {}", self.url.as_str())
    }

    fn tip(&mut self) -> Result<Tip, ChainError> {
        // The answer to subscribing is the present tip, each time. The notifications that come
        // besides carry nothing more and are thrown away so that they do not pile up.
        let notification = self.ask(|client| {
            let notification = client.block_headers_subscribe()?;
            while client.block_headers_pop()?.is_some() {}
            Ok(notification)
        })?;
        let height = believable_height(&self.describe(), notification.height as u64)?;
        Ok(Tip {
            height,
            hash: Some(notification.header.block_hash()),
            time_unix: u64::from(notification.header.time),
        })
    }

    fn block_hash_at(&mut self, height: u32) -> Result<Option<BlockHash>, ChainError> {
        match self.ask(|client| client.block_header(height as usize)) {
            Ok(header) => Ok(Some(header.block_hash())),
            // Servers agree on no code for a height above their tip.
            Err(ChainError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
