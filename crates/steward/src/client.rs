//! The daemon's API, asked by HTTP with the token of the data directory.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;
use steward_engine::Code;

use rustls::pki_types::CertificateDer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use steward_api::listener::certificates;
use steward_api::{ErrorBody, Token};
use steward_node::{Config, data_dir};
use ureq::http::Response;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::{Agent, Body};

use crate::failure::Failure;
use crate::limits::{MAX_ANSWER_BYTES, REQUEST_TIMEOUT, WAIT_SLICE};
use crate::place::Place;
use crate::transport::{PinnedConnector, UnixConnector};

pub use steward_node::data_dir::API_ADDRESS_FILE as ADDRESS_FILE;

/// A daemon, which answers requests.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    /// The beginning of every URL.
    base: String,
    token: String,
    data_dir: PathBuf,
}

impl Client {
    /// Finds the daemon that runs in this configuration's data directory. The token is for it
    /// alone: it goes to the address which the daemon that holds the directory has written down,
    /// and to no other, whatever may listen there by now.
    ///
    /// # Errors
    /// `daemon_not_running` if none does; if the token cannot be read.
    pub fn new(config: &Config) -> Result<Self, Failure> {
        let data_dir = config.node.data_dir.clone();
        if !data_dir::is_in_use(&data_dir)? {
            return Err(not_running(&data_dir));
        }
        let token = Token::load(&data_dir).map_err(|error| match error {
            steward_api::TokenError::Io { ref source, .. }
                if source.kind() == ErrorKind::NotFound =>
            {
                not_running(&data_dir)
            }
            other => other.into(),
        })?;
        let place = fs::read_to_string(data_dir.join(ADDRESS_FILE)).map_err(|_| {
            Failure::new(
                Code::DaemonNotReady,
                format!("the daemon in {} is starting, or ending", data_dir.display()),
                "try again in a moment; its log says more",
            )
        })?;
        let (agent, base) = agent(&Place::parse(&place), config)?;
        Ok(Self { agent, base, token: token.as_str().to_owned(), data_dir })
    }

    /// Sends `GET path`.
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

    /// Sends `DELETE path`.
    ///
    /// # Errors
    /// The daemon's own, or `daemon_not_running`.
    pub fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let url = self.url(path);
        self.read(self.agent.delete(url).header("authorization", self.authorization()).call())
    }

    /// Sends `POST path` with a JSON body.
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

    /// Sends `POST path` with a JSON body that asks the daemon to wait up to `wait`.
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
        format!("{}{path}", self.base)
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
                Code::Timeout,
                "the daemon did not answer in time",
                "what was asked may still be carried out: look before you ask again",
            ),
            // A socket of a daemon that has ended refuses, or is not there.
            ureq::Error::Io(error)
                if !matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) =>
            {
                Failure::new(
                    Code::ConnectionLost,
                    format!("the connection to the daemon was lost: {error}"),
                    "what was asked may still be carried out: look before you ask again",
                )
            }
            _ => not_running(&self.data_dir),
        }
    }
}

/// Returns the HTTP client for this place, and the beginning of its URLs.
fn agent(place: &Place, config: &Config) -> Result<(Agent, String), Failure> {
    let settings = Agent::config_builder()
        .http_status_as_error(false)
        // The daemon is on this machine, whatever proxy the environment names.
        .proxy(None)
        .max_redirects(0)
        .timeout_global(Some(REQUEST_TIMEOUT + WAIT_SLICE))
        .build();
    let resolver = DefaultResolver::default();
    Ok(match place {
        Place::Plain(address) => (settings.new_agent(), format!("http://{address}")),
        // Its URL is of no importance, but for the address a resolver wants.
        Place::Unix(path) => {
            let connector = UnixConnector(path.clone());
            (Agent::with_parts(settings, connector, resolver), "http://127.0.0.1".to_owned())
        }
        Place::Tls(address) => {
            let connector = PinnedConnector::new(certificate(config)?)
                .map_err(|error| Failure::new(Code::Bug, error.to_string(), "please report it"))?;
            // The connector speaks TLS itself.
            (Agent::with_parts(settings, connector, resolver), format!("http://{address}"))
        }
    })
}

/// Returns the daemon's own error.
fn certificate(config: &Config) -> Result<CertificateDer<'static>, Failure> {
    let unusable = |text: String| {
        let hint = "set api.tls_certificate to the file the daemon was started with";
        Failure::new(Code::CertificateUnusable, text, hint)
    };
    let path = config.api.tls_certificate.as_deref().ok_or_else(|| {
        unusable("the daemon speaks TLS, and its certificate is not configured here".to_owned())
    })?;
    let chain = certificates(path).map_err(|error| unusable(error.to_string()))?;
    chain.into_iter().next().ok_or_else(|| unusable("it holds no certificate".to_owned()))
}

fn not_running(data_dir: &Path) -> Failure {
    let dir = data_dir.display();
    Failure::new(
        Code::DaemonNotRunning,
        format!("no daemon runs in {dir}"),
        format!("start it with `steward start --data-dir {dir}`, or name another data directory"),
    )
}

fn foreign_answer(error: &ureq::Error) -> Failure {
    Failure::new(
        Code::BadAnswer,
        format!("the daemon's answer cannot be read: {error}"),
        "does another program use its port, or is it another version?",
    )
}
