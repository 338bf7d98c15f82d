//! Bounded HTTP requests for bitcoind and esplora, independent of what is requested.

use std::time::Duration;

use ureq::http::Uri;
use ureq::{Agent, Body};

use crate::error::ChainError;
use crate::limits::{CONNECT_TIMEOUT_MS, MAX_ANSWER_BYTES, REQUEST_TIMEOUT_MS};

/// An `http` or `https` address without credentials, query or final slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl(String);

impl BaseUrl {
    /// # Errors
    /// [`ChainError::Config`] if `url` is no such address. Credentials are refused here because
    /// addresses end up in logs.
    pub(crate) fn parse(url: &str) -> Result<Self, ChainError> {
        let problem = |what: &str| {
            ChainError::config(
                format!("`chain.url` {what}"),
                "Write it like http://127.0.0.1:8332; user and password have their own keys.",
            )
        };
        let uri: Uri = url.parse().map_err(|_| problem("is not a web address"))?;
        let authority = uri.authority().ok_or_else(|| problem("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(problem("must not hold a user or password"));
        }
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(problem("must begin with http:// or https://"));
        }
        if uri.query().is_some() {
            return Err(problem("must not hold a query"));
        }
        Ok(Self(url.trim_end_matches('/').to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The limits of an answer: its size, and the time for reading it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnswerLimit {
    pub(crate) max_bytes: usize,
    /// The time from the first byte of the request to the last of the answer, in milliseconds.
    pub(crate) timeout_ms: u64,
}

impl AnswerLimit {
    /// The limit for everything but blocks.
    pub(crate) const SMALL: Self =
        Self { max_bytes: MAX_ANSWER_BYTES, timeout_ms: REQUEST_TIMEOUT_MS };

    fn timeout(self) -> Option<Duration> {
        Some(Duration::from_millis(self.timeout_ms))
    }
}

/// A whole answer with any status.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Returns the body as text for an error message.
    pub(crate) fn text_lossy(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub(crate) struct HttpClient {
    agent: Agent,
    base: BaseUrl,
    /// The name of the other side in errors.
    endpoint: String,
}

impl HttpClient {
    pub(crate) fn new(kind: &str, base: BaseUrl) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect could carry our credentials elsewhere.
            .max_redirects(0)
            // The proxy does not come from the environment: it would see a local bitcoind's
            // password.
            .proxy(None)
            .timeout_connect(Some(Duration::from_millis(CONNECT_TIMEOUT_MS)))
            .build()
            .new_agent();
        let endpoint = format!("{kind} at {}", base.as_str());
        Self { agent, base, endpoint }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn get(&self, path: &str, limit: AnswerLimit) -> Result<Answer, ChainError> {
        let url = format!("{}{path}", self.base.as_str());
        let request = self.agent.get(url).config().timeout_global(limit.timeout()).build();
        self.read(request.call(), limit)
    }

    pub(crate) fn post(
        &self,
        path: &str,
        content_type: &str,
        authorization: Option<&str>,
        body: &[u8],
        limit: AnswerLimit,
    ) -> Result<Answer, ChainError> {
        let mut request = self
            .agent
            .post(format!("{}{path}", self.base.as_str()))
            .header("content-type", content_type);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let request = request.config().timeout_global(limit.timeout()).build();
        self.read(request.send(body), limit)
    }

    fn read(
        &self,
        response: Result<ureq::http::Response<Body>, ureq::Error>,
        limit: AnswerLimit,
    ) -> Result<Answer, ChainError> {
        let mut response = response.map_err(|error| self.failure(error, limit))?;
        let body = response
            .body_mut()
            .with_config()
            .limit(limit.max_bytes as u64)
            .read_to_vec()
            .map_err(|error| self.failure(error, limit))?;
        Ok(Answer { status: response.status().as_u16(), body })
    }

    fn failure(&self, error: ureq::Error, limit: AnswerLimit) -> ChainError {
        match error {
            ureq::Error::BodyExceedsLimit(_) => ChainError::TooLarge {
                endpoint: self.endpoint.clone(),
                limit_bytes: limit.max_bytes,
            },
            ureq::Error::LargeResponseHeader(..)
            | ureq::Error::Protocol(_)
            | ureq::Error::Http(_) => ChainError::malformed(&self.endpoint, error),
            _ => ChainError::unreachable(&self.endpoint, error),
        }
    }
}
