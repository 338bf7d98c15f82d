//! The checks that a configuration makes sense, and the engine's form of it.

use std::fs;
use std::path::Path;

use steward_chain::{ChainError, chain_hash};
use steward_engine::config as engine;
use steward_engine::limits::MIN_CLTV_EXPIRY_DELTA_BLOCKS;
use steward_wire::amount::of_sat;
use steward_wire::features::{INIT_HOSTED_CHANNELS, INIT_RESIZABLE};
use steward_wire::{HostedChannelBranding, InitHostedChannel};

use super::sources::read_file;
use super::{ApiConfig, Config, ConfigError, HostConfig, Secret};
use crate::limits::{
    MAX_BRANDING_PNG_BYTES, MAX_CAPACITY_SAT, MAX_CLTV_DELTA_BLOCKS, MAX_FEE_BASE_MSAT,
    MAX_FEE_PPM, MAX_HTLCS_PER_DIRECTION, MAX_MIN_HTLC_SAT_IMMORTAN, MIN_IN_FLIGHT_SAT_IMMORTAN,
};
use steward_wire::limits::MAX_SECRET_BYTES;

/// Something that works but that the operator may not want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The key it is about.
    pub key: &'static str,
    /// One sentence.
    pub message: String,
    /// The hint for the operator.
    pub hint: String,
}

impl Config {
    /// Makes sure that a node can run with this.
    ///
    /// # Errors
    /// Fails with [`ConfigError::Unusable`] for a configuration that must not be used.
    pub fn check(&self) -> Result<Vec<Warning>, ConfigError> {
        self.chain.validate(self.node.network)?;
        self.host.check()?;
        check_log_level(&self.log.level)?;
        if !self.host.enabled && !self.listen_addresses().is_empty() {
            return Err(unusable(
                "listen.addresses is set, but host.enabled is not: a wallet listens nowhere",
                "Add the line `enabled = true` below `[host]` to be a host, or take listen.addresses out.",
            ));
        }
        self.api.check()?;
        let mut warnings = self.host.warnings();
        if self.api.is_readable_in_between() {
            warnings.push(Warning {
                key: "api.address",
                message: format!("the API listens on {}, without encryption", self.api.address),
                hint: "Each machine in between can read the token: set api.tls_certificate and api.tls_key."
                    .to_owned(),
            });
        }
        Ok(warnings)
    }

    /// Returns the engine's part of the configuration. Reads the branding image.
    ///
    /// # Errors
    /// Fails as [`Self::check`], and if the image or a secret cannot be used.
    pub fn engine_config(&self) -> Result<engine::Config, ConfigError> {
        self.check()?;
        Ok(engine::Config {
            network: self.node.network,
            chain_hash: chain_hash(self.node.network),
            host: self.host.engine_config()?,
            policy: engine::Policy {
                fee_base_msat: self.host.fee_base_msat,
                fee_ppm: self.host.fee_ppm,
                cltv_expiry_delta_blocks: self.host.cltv_delta_blocks,
            },
            accept_keysend: self.payments.accept_keysend,
        })
    }
}

impl ApiConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let has_tls = self.tls_certificate.is_some();
        if has_tls != self.tls_key.is_some() {
            return Err(unusable(
                "api.tls_certificate and api.tls_key are of use only together",
                "Set both to PEM files, or none.",
            ));
        }
        if self.socket.is_some() && has_tls {
            return Err(unusable(
                "api.socket and api.tls_certificate are both set",
                "A unix socket needs no TLS: take one of them out.",
            ));
        }
        if self.is_readable_in_between() && !self.insecure {
            return Err(unusable(
                format!(
                    "api.address is {}, and the API would speak without encryption",
                    self.address
                ),
                "Set api.tls_certificate and api.tls_key, or api.socket, or keep it on 127.0.0.1; api.insecure = true allows it all the same.",
            ));
        }
        Ok(())
    }

    fn is_readable_in_between(&self) -> bool {
        let is_plain = self.socket.is_none() && self.tls_certificate.is_none();
        is_plain && !self.address.ip().is_loopback()
    }
}

impl HostConfig {
    fn max_in_flight_sat(&self) -> u64 {
        self.max_in_flight_sat.unwrap_or(self.capacity_sat)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let blocks = MIN_CLTV_EXPIRY_DELTA_BLOCKS..=MAX_CLTV_DELTA_BLOCKS;
        if !blocks.contains(&self.cltv_delta_blocks) {
            return Err(unusable(
                format!("host.cltv_delta_blocks is {}", self.cltv_delta_blocks),
                format!(
                    "Set it to a number from {} to {}: the time in which a preimage must reach the chain, and no more than payers accept.",
                    blocks.start(),
                    blocks.end()
                ),
            ));
        }
        if !(1..=MAX_HTLCS_PER_DIRECTION).contains(&self.max_htlcs) {
            return Err(unusable(
                format!("host.max_htlcs is {}", self.max_htlcs),
                format!(
                    "Set it to a number from 1 to {MAX_HTLCS_PER_DIRECTION}: with more, a state with all of them does not fit into one message."
                ),
            ));
        }
        let amounts = [
            ("capacity_sat", self.capacity_sat, 1, MAX_CAPACITY_SAT),
            ("max_capacity_sat", self.max_capacity_sat, self.capacity_sat, MAX_CAPACITY_SAT),
            ("max_in_flight_sat", self.max_in_flight_sat(), 1, self.capacity_sat),
            ("min_htlc_sat", self.min_htlc_sat, 0, self.max_in_flight_sat()),
            ("initial_client_balance_sat", self.initial_client_balance_sat, 0, self.capacity_sat),
            ("fee_ppm", u64::from(self.fee_ppm), 0, u64::from(MAX_FEE_PPM)),
            ("fee_base_msat", u64::from(self.fee_base_msat), 0, u64::from(MAX_FEE_BASE_MSAT)),
        ];
        for (key, value, least, most) in amounts {
            if !(least..=most).contains(&value) {
                return Err(unusable(
                    format!("host.{key} is {value}"),
                    format!("Set it to a number from {least} to {most}."),
                ));
            }
        }
        if self.all_secrets()?.is_empty() && self.require_secret && self.accept_new_channels {
            return Err(unusable(
                "host.require_secret is set, but host.secrets is empty",
                "Add a secret, or set host.accept_new_channels = false if no client may open one.",
            ));
        }
        self.brand_color.as_deref().map_or(Ok(()), |color| parse_color(color).map(drop))
    }

    /// True if strangers may open channels: no client has to show a secret.
    fn is_open_to_all(&self) -> bool {
        self.enabled && self.accept_new_channels && !self.require_secret
    }

    fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mut warn = |key, message: String, hint: &str| {
            warnings.push(Warning { key, message, hint: hint.to_owned() });
        };
        if self.min_htlc_sat > MAX_MIN_HTLC_SAT_IMMORTAN {
            warn(
                "host.min_htlc_sat",
                format!("host.min_htlc_sat is {}", of_sat(self.min_htlc_sat)),
                "Wallets on immortan (SBW, OBW, Valet) refuse an offer above 546 sat.",
            );
        }
        if self.max_in_flight_sat() < MIN_IN_FLIGHT_SAT_IMMORTAN {
            warn(
                "host.max_in_flight_sat",
                format!("at most {} may be in flight", of_sat(self.max_in_flight_sat())),
                "Wallets on immortan (SBW, OBW, Valet) refuse an offer below 100 000 sat.",
            );
        }
        if !self.enabled && *self != Self::default() {
            warn(
                "host.enabled",
                "[host] is filled in, but host.enabled is not set: this node hosts no client"
                    .to_owned(),
                "Add the line `enabled = true` below `[host]` to be a host.",
            );
        }
        if self.is_open_to_all() {
            warn(
                "host.require_secret",
                format!(
                    "anybody who finds this node may open a channel of {}: no secret is needed",
                    of_sat(self.capacity_sat)
                ),
                "Set host.secrets and host.require_secret = true, unless it shall be open to strangers.",
            );
        }
        if self.is_open_to_all() && self.initial_client_balance_sat > 0 {
            warn(
                "host.initial_client_balance_sat",
                format!("anyone is given {}", of_sat(self.initial_client_balance_sat)),
                "Set host.require_secret, or strangers will open channels to take it.",
            );
        }
        if !self.adopt_lost_state.is_empty() {
            warn(
                "host.adopt_lost_state",
                format!(
                    "{} clients' states are believed where our own record is missing",
                    self.adopt_lost_state.len()
                ),
                "Unset it as soon as the recovery is over.",
            );
        }
        warnings
    }

    fn engine_config(&self) -> Result<engine::HostConfig, ConfigError> {
        let features = match self.resizable {
            true => vec![INIT_HOSTED_CHANNELS, INIT_RESIZABLE],
            false => vec![INIT_HOSTED_CHANNELS],
        };
        // Checked above: no amount exceeds MAX_CAPACITY_SAT, so none overflows here.
        let offer = InitHostedChannel {
            max_htlc_value_in_flight_msat: self.max_in_flight_sat().saturating_mul(1000),
            htlc_minimum_msat: self.min_htlc_sat.saturating_mul(1000),
            max_accepted_htlcs: self.max_htlcs,
            channel_capacity_msat: self.capacity_sat.saturating_mul(1000),
            initial_client_balance_msat: self.initial_client_balance_sat.saturating_mul(1000),
            features,
        };
        let secrets = self.all_secrets()?;
        Ok(engine::HostConfig {
            accept_new_channels: self.enabled && self.accept_new_channels,
            offer,
            max_capacity_sat: self.max_capacity_sat,
            secrets,
            require_secret: self.require_secret,
            adopt_lost_state: self.adopt_lost_state.iter().copied().collect(),
            max_opens_per_hour: self.max_opens_per_hour,
            max_opens_per_prefix_per_hour: self.max_opens_per_prefix_per_hour,
            max_channels: self.max_channels,
            branding: self.branding()?,
        })
    }

    /// Collects the secrets of the configuration and those of the file.
    fn all_secrets(&self) -> Result<Vec<Vec<u8>>, ConfigError> {
        let given = self.secrets.iter().map(|Secret(text)| secret_bytes(text, "host.secrets"));
        let mut secrets = given.collect::<Result<Vec<_>, _>>()?;
        let Some(path) = &self.secrets_file else { return Ok(secrets) };
        let text = read_file(path)?;
        let shown = path.display().to_string();
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let before = secrets.len();
        for line in lines {
            secrets.push(secret_bytes(line, &shown)?);
        }
        if secrets.len() == before {
            return Err(unusable(
                format!("host.secrets_file, {shown}, holds no secret"),
                "Write one on each line, or take host.secrets_file out.",
            ));
        }
        Ok(secrets)
    }

    fn branding(&self) -> Result<Option<HostedChannelBranding>, ConfigError> {
        if self.brand_color.is_none() && self.brand_png.is_none() && self.contact.is_none() {
            return Ok(None);
        }
        Ok(Some(HostedChannelBranding {
            rgb: self.brand_color.as_deref().map_or(Ok([0; 3]), parse_color)?,
            png: self.brand_png.as_deref().map(read_png).transpose()?,
            contact_info: self.contact.clone().unwrap_or_default(),
        }))
    }
}

/// Returns the bytes that a client must show. Refuses a text that is no secret, or that no client
/// could show.
fn secret_bytes(secret: &str, place: &str) -> Result<Vec<u8>, ConfigError> {
    if secret.trim() != secret {
        return Err(unusable(
            format!("a secret in {place} begins or ends with white space"),
            "Take the white space out; if it is meant, write the bytes after `hex:`.",
        ));
    }
    let bytes = match secret.strip_prefix("hex:") {
        None => secret.as_bytes().to_vec(),
        Some(digits) => <Vec<u8> as hex::FromHex>::from_hex(digits).map_err(|_| {
            unusable(
                format!("a secret in {place} is not hexadecimal"),
                "Check it, or remove `hex:`.",
            )
        })?,
    };
    match bytes.len() {
        0 => Err(unusable(
            format!("a secret in {place} is empty, so everybody would know it"),
            "Fill it in, or take it out.",
        )),
        1..=MAX_SECRET_BYTES => Ok(bytes),
        length => Err(unusable(
            format!("a secret in {place} has {length} bytes"),
            format!("Choose one of at most {MAX_SECRET_BYTES}: a client cannot show a longer one."),
        )),
    }
}

/// Checks the format: a level for all, then levels by module. A text that does not parse would
/// silence the node.
fn check_log_level(text: &str) -> Result<(), ConfigError> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let is_level = |text: &str| LEVELS.contains(&text.to_lowercase().as_str());
    let is_module = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_:-".contains(c))
    };
    let is_directive = |text: &str| match text.split_once('=') {
        None => is_level(text),
        Some((module, level)) => is_module(module) && is_level(level),
    };
    let wrong = text.split(',').map(str::trim).find(|directive| !is_directive(directive));
    let hint = "For example info, or info,steward_p2p=debug: one of error, warn, info, debug, trace, then others by module.";
    if let Some(wrong) = wrong {
        return Err(unusable(format!("log.level: `{wrong}` is no level"), hint));
    }
    match text.split(',').any(|directive| is_level(directive.trim())) {
        true => Ok(()),
        false => Err(unusable("log.level names modules only: nothing else would be logged", hint)),
    }
}

fn parse_color(text: &str) -> Result<[u8; 3], ConfigError> {
    let digits = text.strip_prefix('#').unwrap_or_default();
    <[u8; 3] as hex::FromHex>::from_hex(digits)
        .map_err(|_| unusable(format!("host.brand_color is {text:?}"), "Write it as \"#rrggbb\"."))
}

fn read_png(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let problem = |problem: String| {
        unusable(
            format!("host.brand_png, {}: {problem}", path.display()),
            format!("It must be a PNG file of at most {MAX_BRANDING_PNG_BYTES} bytes."),
        )
    };
    let size = fs::metadata(path).map_err(|error| problem(error.to_string()))?.len();
    if size > MAX_BRANDING_PNG_BYTES {
        return Err(problem(format!("it has {size} bytes")));
    }
    let bytes = fs::read(path).map_err(|error| problem(error.to_string()))?;
    match bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        true => Ok(bytes),
        false => Err(problem("it is not a PNG file".to_owned())),
    }
}

fn unusable(problem: impl Into<String>, hint: impl Into<String>) -> ConfigError {
    ConfigError::Unusable { problem: problem.into(), hint: hint.into() }
}

impl From<ChainError> for ConfigError {
    fn from(error: ChainError) -> Self {
        unusable(error.to_string(), error.hint())
    }
}
