//! The `[chain]` table of the configuration: its keys, the rules for combining them, and the source
//! that it names.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bitcoin::Network;
use bitcoin::constants::genesis_block;
use serde::{Deserialize, Serialize};

use crate::bitcoind::{BitcoindSource, RpcAuth};
use crate::bridge::BridgeSource;
use crate::clock::{ClockSource, system_clock};
use crate::electrum::ElectrumSource;
use crate::error::ChainError;
use crate::esplora::EsploraSource;
use crate::http::BaseUrl;
use crate::limits::{
    DEFAULT_CLOCK_POLL_INTERVAL_MS, DEFAULT_ESPLORA_POLL_INTERVAL_MS, DEFAULT_POLL_INTERVAL_MS,
    DEFAULT_SECONDS_PER_BLOCK, DEFAULT_STALE_AFTER_S, MAX_HEIGHT, MAX_POLL_INTERVAL_MS,
    MIN_POLL_INTERVAL_MS, MIN_STALE_AFTER_S, POLL_TIMEOUT_MS,
};
use crate::network::network_name;
use crate::source::{BlockSource, ChainSource, Tip};
use crate::stream::ElectrumUrl;
use crate::tracker::StaleRule;
use crate::watcher::WatchSettings;

/// The kinds of chain source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// The operator's own bitcoind, by JSON-RPC.
    Bitcoind,
    /// An esplora server, by HTTP or HTTPS.
    Esplora,
    /// An electrum server, by TCP or TLS.
    Electrum,
    /// No chain at all: a height that rises with time. It is for regtest only.
    Clock,
}

impl SourceKind {
    fn name(self) -> &'static str {
        match self {
            Self::Bitcoind => "bitcoind",
            Self::Esplora => "esplora",
            Self::Electrum => "electrum",
            Self::Clock => "clock",
        }
    }
}

/// A password that debug output does not show.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl From<String> for Password {
    fn from(password: String) -> Self {
        Self(password)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"***\"")
    }
}

/// The `[chain]` table. It is flat, so that each key can come from the environment or a flag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChainConfig {
    /// The source of the height. It may be left out on regtest only, which means the clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceKind>,
    /// The address. bitcoind: its RPC port, by default the usual one on this machine; esplora:
    /// `http://` or `https://`; electrum: `tcp://host:port` or `ssl://host:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The path of bitcoind's `.cookie` file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie_file: Option<PathBuf>,
    /// The RPC user of bitcoind, in place of the cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The RPC password of bitcoind, in place of the cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
    /// The file that holds the RPC password of bitcoind, in place of `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// The time between two heights of the clock, in seconds; by default 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_per_block: Option<u64>,
    /// The height of the clock at `start_unix`, or until `height_file` exists; by default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_height: Option<u32>,
    /// The time when the clock was at `start_height`, in seconds since 1970; by default the
    /// time in the header of regtest's genesis block, so that nodes agree without configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_unix: Option<u64>,
    /// The file whose number the clock follows, instead of the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height_file: Option<PathBuf>,
    /// The time between two polls, in milliseconds; by default 10 000, esplora 30 000, clock 250.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll_interval_ms: Option<u64>,
    /// The time without a block, or without an answer, after which no forwards are accepted, in
    /// seconds; by default 10 800. On regtest a missing block counts only if this is set; with the
    /// clock it never counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_after_s: Option<u64>,
}

impl ChainConfig {
    /// Checks that this configuration can be used on `network`, without a connection.
    ///
    /// # Errors
    /// [`ChainError::Config`], above all if a network other than regtest has no real source.
    pub fn validate(&self, network: Network) -> Result<(), ChainError> {
        self.plan(network).map(drop)
    }

    /// Opens the configured source. It connects when it is first asked.
    ///
    /// # Errors
    /// As [`Self::validate`].
    pub fn open(&self, network: Network) -> Result<Box<dyn ChainSource>, ChainError> {
        Ok(match self.plan(network)? {
            Plan::Bitcoind { url, auth } => Box::new(BitcoindSource::new(url, auth)),
            Plan::Esplora { url } => Box::new(EsploraSource::new(url)),
            Plan::Electrum { url } => Box::new(ElectrumSource::new(url)),
            Plan::Clock(clock) => Box::new(clock),
        })
    }

    /// Opens the configured source a second time, to look into blocks, so that large answers do not
    /// delay those about the tip. Returns `None` if this kind of source has no blocks.
    ///
    /// # Errors
    /// As [`Self::validate`].
    pub fn open_blocks(
        &self,
        network: Network,
    ) -> Result<Option<Box<dyn BlockSource>>, ChainError> {
        Ok(match self.plan(network)? {
            Plan::Bitcoind { url, auth } => Some(Box::new(BitcoindSource::new(url, auth))),
            Plan::Esplora { url } => Some(Box::new(EsploraSource::new(url))),
            Plan::Electrum { .. } => None,
            Plan::Clock(clock) => Some(Box::new(clock)),
        })
    }

    /// Opens the configured source once more, for a node with funded channels.
    ///
    /// # Errors
    /// As [`Self::validate`]; [`ChainError::Config`] if the source can neither show whole blocks
    /// nor take transactions.
    pub fn open_bridge(&self, network: Network) -> Result<Box<dyn BridgeSource>, ChainError> {
        let kind = self.kind(network)?;
        match self.plan(network)? {
            Plan::Bitcoind { url, auth } => Ok(Box::new(BitcoindSource::new(url, auth))),
            Plan::Esplora { url } => Ok(Box::new(EsploraSource::new(url))),
            Plan::Electrum { .. } | Plan::Clock(_) => Err(ChainError::config(
                format!("funded channels cannot be guarded with the source {}", kind.name()),
                "Set `chain.source` to \"bitcoind\" (better, your own) or \"esplora\": the bridge has to read every block and to publish transactions.",
            )),
        }
    }

    /// Returns how to watch the configured source. `resume` is the tip that the node believed
    /// before a restart.
    ///
    /// # Errors
    /// As [`Self::validate`].
    pub fn watch_settings(
        &self,
        network: Network,
        resume: Option<Tip>,
    ) -> Result<WatchSettings, ChainError> {
        self.validate(network)?;
        let kind = self.kind(network)?;
        let default_interval_ms = match kind {
            SourceKind::Bitcoind | SourceKind::Electrum => DEFAULT_POLL_INTERVAL_MS,
            SourceKind::Esplora => DEFAULT_ESPLORA_POLL_INTERVAL_MS,
            SourceKind::Clock => DEFAULT_CLOCK_POLL_INTERVAL_MS,
        };
        let interval_ms = self.poll_interval_ms.unwrap_or(default_interval_ms);
        // On regtest blocks come only when somebody mines them.
        let blocks_are_due = network != Network::Regtest || self.stale_after_s.is_some();
        Ok(WatchSettings {
            network,
            poll_interval: Duration::from_millis(interval_ms),
            poll_timeout: Duration::from_millis(POLL_TIMEOUT_MS),
            stale: StaleRule {
                stale_after_s: self.stale_after_s.unwrap_or(DEFAULT_STALE_AFTER_S),
                block_age_counts: blocks_are_due && kind != SourceKind::Clock,
            },
            resume,
        })
    }

    fn plan(&self, network: Network) -> Result<Plan, ChainError> {
        let kind = self.kind(network)?;
        self.refuse_foreign_keys(kind)?;
        self.check_numbers()?;
        match kind {
            SourceKind::Bitcoind => {
                let url = self.url.clone().unwrap_or_else(|| default_rpc_url(network));
                Ok(Plan::Bitcoind { url: BaseUrl::parse(&url)?, auth: self.rpc_auth()? })
            }
            SourceKind::Esplora => {
                Ok(Plan::Esplora { url: BaseUrl::parse(self.needed_url(kind)?)? })
            }
            SourceKind::Electrum => {
                Ok(Plan::Electrum { url: ElectrumUrl::parse(self.needed_url(kind)?)? })
            }
            SourceKind::Clock => Ok(Plan::Clock(self.clock())),
        }
    }

    fn kind(&self, network: Network) -> Result<SourceKind, ChainError> {
        let name = network_name(network);
        let hint = "Put `source = \"bitcoind\"` and `cookie_file = \"/path/to/.cookie\"` into [chain], or `source = \"esplora\"` or `\"electrum\"` with a `url`.";
        match (self.source, network) {
            (None, Network::Regtest) => Ok(SourceKind::Clock),
            (None, _) => Err(ChainError::config(
                format!("{name} needs a chain source and none is set"),
                hint,
            )),
            (Some(SourceKind::Clock), Network::Regtest) => Ok(SourceKind::Clock),
            (Some(SourceKind::Clock), _) => Err(ChainError::config(
                format!("{name} cannot run on a clock: HTLCs expire by real blocks"),
                hint,
            )),
            (Some(kind), _) => Ok(kind),
        }
    }

    /// Refuses keys that the source does not read: they show a misunderstanding, perhaps about
    /// which source is used.
    fn refuse_foreign_keys(&self, kind: SourceKind) -> Result<(), ChainError> {
        use SourceKind::{Bitcoind, Clock};
        let keys = [
            ("url", self.url.is_some(), kind != Clock),
            ("cookie_file", self.cookie_file.is_some(), kind == Bitcoind),
            ("user", self.user.is_some(), kind == Bitcoind),
            ("password", self.password.is_some(), kind == Bitcoind),
            ("password_file", self.password_file.is_some(), kind == Bitcoind),
            ("seconds_per_block", self.seconds_per_block.is_some(), kind == Clock),
            ("start_height", self.start_height.is_some(), kind == Clock),
            ("start_unix", self.start_unix.is_some(), kind == Clock),
            ("height_file", self.height_file.is_some(), kind == Clock),
        ];
        match keys.iter().find(|(_, is_set, is_read)| *is_set && !*is_read) {
            None => Ok(()),
            Some((key, ..)) => Err(ChainError::config(
                format!("`chain.{key}` has no meaning with the source {}", kind.name()),
                format!("Remove `chain.{key}` or change `chain.source`."),
            )),
        }
    }

    fn check_numbers(&self) -> Result<(), ChainError> {
        let ranges = [
            ("poll_interval_ms", self.poll_interval_ms, MIN_POLL_INTERVAL_MS, MAX_POLL_INTERVAL_MS),
            ("stale_after_s", self.stale_after_s, MIN_STALE_AFTER_S, u64::MAX),
            ("seconds_per_block", self.seconds_per_block, 1, u64::MAX),
            ("start_height", self.start_height.map(u64::from), 0, u64::from(MAX_HEIGHT)),
        ];
        for (key, value, least, most) in ranges {
            if value.is_some_and(|value| !(least..=most).contains(&value)) {
                let range = match most {
                    u64::MAX => format!("at least {least}"),
                    _ => format!("from {least} to {most}"),
                };
                return Err(ChainError::config(
                    format!("`chain.{key}` is out of range"),
                    format!("Set it to a number {range}."),
                ));
            }
        }
        if self.height_file.is_some()
            && (self.seconds_per_block.is_some() || self.start_unix.is_some())
        {
            return Err(ChainError::config(
                "the clock can follow `chain.height_file` or the time, not both",
                "Remove `chain.height_file`, or `chain.seconds_per_block` and `chain.start_unix`.",
            ));
        }
        Ok(())
    }

    fn rpc_auth(&self) -> Result<RpcAuth, ChainError> {
        match (&self.cookie_file, &self.user, &self.password, &self.password_file) {
            (Some(path), None, None, None) => Ok(RpcAuth::CookieFile(path.clone())),
            (None, Some(_), Some(Password(password)), None)
                if password.is_empty() || password.trim() != password =>
            {
                Err(ChainError::config(
                    "`chain.password` is empty, or begins or ends with white space",
                    "Fill it in as in bitcoind's configuration, which has no white space there.",
                ))
            }
            (None, Some(user), Some(Password(password)), None) => {
                Ok(RpcAuth::UserPassword { user: user.clone(), password: password.clone() })
            }
            (None, Some(user), None, Some(path)) => {
                Ok(RpcAuth::PasswordFile { user: user.clone(), path: path.clone() })
            }
            _ => Err(ChainError::config(
                "bitcoind needs either a cookie file or user and password",
                "Set `chain.cookie_file` to the `.cookie` in bitcoind's data directory, or both `chain.user` and one of `chain.password` and `chain.password_file`.",
            )),
        }
    }

    fn needed_url(&self, kind: SourceKind) -> Result<&str, ChainError> {
        self.url.as_deref().ok_or_else(|| {
            ChainError::config(
                format!("the source {} needs an address", kind.name()),
                match kind {
                    SourceKind::Electrum => {
                        "Set `chain.url`, for example ssl://electrum.example.com:50002."
                    }
                    _ => "Set `chain.url`, for example https://esplora.example.com/api.",
                },
            )
        })
    }

    fn clock(&self) -> ClockSource {
        let start_height = self.start_height.unwrap_or(0);
        if let Some(path) = &self.height_file {
            return ClockSource::by_file(path.clone(), start_height, system_clock());
        }
        let genesis_unix = u64::from(genesis_block(Network::Regtest).header.time);
        ClockSource::steady(
            start_height,
            self.start_unix.unwrap_or(genesis_unix),
            self.seconds_per_block.unwrap_or(DEFAULT_SECONDS_PER_BLOCK),
            system_clock(),
        )
    }
}

/// A configuration whose parts are consistent.
enum Plan {
    Bitcoind { url: BaseUrl, auth: RpcAuth },
    Esplora { url: BaseUrl },
    Electrum { url: ElectrumUrl },
    Clock(ClockSource),
}

fn default_rpc_url(network: Network) -> String {
    let port = match network {
        Network::Bitcoin => 8332,
        Network::Testnet => 18332,
        Network::Testnet4 => 48332,
        Network::Signet => 38332,
        Network::Regtest => 18443,
    };
    format!("http://127.0.0.1:{port}")
}
