//! The daemon's API, asked by HTTP with the token of the data directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use steward_api::{ErrorBody, Token};
use steward_node::Config;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::failure::Failure;
use crate::limits::{MAX_ANSWER_BYTES, REQUEST_TIMEOUT, WAIT_SLICE};

/// The file in which a running daemon says where its API listens.
pub const ADDRESS_FILE: &str = "api-address";

/// A daemon to be asked.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    address: String,
    token: String,
    data_dir: PathBuf,
}

impl Client {
    /// The daemon of this configuration's data directory.
    ///
    /// # Errors
    /// `daemon_not_running` if no daemon ever ran there; if the token cannot be read.
    pub fn new(config: &Config) -> Result<Self, Failure> {
        let data_dir = config.node.data_dir.clone();
        let token = Token::load(&data_dir).map_err(|error| match error {
            steward_api::TokenError::Io { ref source, .. }
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                not_running(&data_dir)
            }
            other => other.into(),
        })?;
        let address = fs::read_to_string(data_dir.join(ADDRESS_FILE))
            .map_or_else(|_| config.api.address.to_string(), |text| text.trim().to_owned());
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // The daemon is on this machine, whatever proxy the environment names.
            .proxy(None)
            .max_redirects(0)
            .timeout_global(Some(REQUEST_TIMEOUT + WAIT_SLICE))
            .build()
            .new_agent();
        Ok(Self { agent, address, token: token.as_str().to_owned(), data_dir })
    }

    /// `GET path`.
    ///
    /// # Errors
    /// The daemon's own, or `daemon_not_running`.
    pub fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, Failure> {
        let request = self.agent.get(self.url(path)).header("authorization", self.authorization());
        let request = query.iter().fold(request, |request, (key, value)| request.query(key, value));
        self.read(request.call())
    }

    /// `DELETE path`.
    ///
    /// # Errors
    /// The daemon's own, or `daemon_not_running`.
    pub fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let url = self.url(path);
        self.read(self.agent.delete(url).header("authorization", self.authorization()).call())
    }

    /// `POST path` with a JSON body.
    ///
    /// # Errors
    /// The daemon's own, or `daemon_not_running`.
    pub fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, Failure> {
        self.post_for(path, body, Duration::ZERO)
    }

    /// `POST path` with a JSON body that asks the daemon to wait up to `wait`.
    ///
    /// # Errors
    /// The daemon's own, or `daemon_not_running`.
    pub fn post_for<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        wait: Duration,
    ) -> Result<T, Failure> {
        let request = self
            .agent
            .post(self.url(path))
            .config()
            .timeout_global(Some(REQUEST_TIMEOUT + wait))
            .build()
            .header("authorization", self.authorization());
        self.read(request.send_json(body))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn authorization(&self) -> String {
        format!("Bearer {}", self.token)
    }

    fn read<T: DeserializeOwned>(
        &self,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<T, Failure> {
        let mut response = answer.map_err(|error| self.unreachable(&error))?;
        let is_success = response.status().is_success();
        let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES);
        if is_success {
            return body.read_json().map_err(|error| foreign_answer(&error));
        }
        let error: ErrorBody = body.read_json().map_err(|error| foreign_answer(&error))?;
        Err(error.into())
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        match error {
            ureq::Error::Timeout(_) => Failure::new(
                "timeout",
                "the daemon did not answer in time",
                "what was asked may still be carried out: look before you ask again",
            ),
            ureq::Error::Io(error) if error.kind() != std::io::ErrorKind::ConnectionRefused => {
                Failure::new(
                    "connection_lost",
                    format!("the connection to the daemon was lost: {error}"),
                    "what was asked may still be carried out: look before you ask again",
                )
            }
            _ => not_running(&self.data_dir),
        }
    }
}

fn not_running(data_dir: &Path) -> Failure {
    let dir = data_dir.display();
    Failure::new(
        "daemon_not_running",
        format!("no daemon runs in {dir}"),
        format!("start it with `steward start --data-dir {dir}`, or name another data directory"),
    )
}

fn foreign_answer(error: &ureq::Error) -> Failure {
    Failure::new(
        "bad_answer",
        format!("the daemon's answer cannot be read: {error}"),
        "does another program use its port, or is it another version?",
    )
}
