//! The configuration: one TOML file, overridden by environment and flags.
//!
//! - `section`: every key, its type, default and meaning
//! - `value`: how one value is read and shown
//! - `origin`: the place that a value comes from
//! - `sources`: file, environment and flags read as settings; `slips`: what a misspelt name was meant to be
//! - `load`: all sources joined, with origins
//! - `error`: the reasons why there is no usable configuration
//! - `check`: the values that fit together, and the engine's form of them

mod check;
mod error;
mod load;
mod origin;
mod section;
mod slips;
mod sources;
mod value;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use steward_chain::ChainConfig;

pub use check::Warning;
pub use error::ConfigError;
pub use load::{ConfigEntry, EffectiveConfig, sample_toml};
pub use origin::Origin;
pub use section::{
    ApiConfig, HostConfig, KeyInfo, ListenConfig, LogConfig, NodeConfig, PaymentsConfig,
    ProxyConfig,
};
pub use sources::{Sources, expand_home};
pub use value::{Kind, Secret};

/// Name of the configuration file in the data directory.
pub const CONFIG_FILE: &str = "steward.toml";

/// The address that a host listens on by default: Lightning's port, on all IPv4 addresses.
pub const DEFAULT_LISTEN_ADDRESS: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9735);

/// The whole configuration of an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Keys outside any table.
    pub node: NodeConfig,
    /// The section `[listen]`.
    pub listen: ListenConfig,
    /// The section `[api]`.
    pub api: ApiConfig,
    /// The section `[host]`.
    pub host: HostConfig,
    /// The section `[payments]`.
    pub payments: PaymentsConfig,
    /// The section `[chain]`.
    pub chain: ChainConfig,
    /// The section `[proxy]`.
    pub proxy: ProxyConfig,
    /// The section `[log]`.
    pub log: LogConfig,
}

impl Config {
    /// Returns the addresses that the node listens on: the configured ones, else the default
    /// address if it is a host.
    pub fn listen_addresses(&self) -> Vec<SocketAddr> {
        match (&self.listen.addresses, self.host.enabled) {
            (Some(addresses), _) => addresses.clone(),
            (None, true) => vec![DEFAULT_LISTEN_ADDRESS],
            (None, false) => Vec::new(),
        }
    }

    /// Lists every key there is, in the order of the file.
    pub fn keys() -> impl Iterator<Item = &'static KeyInfo> {
        [
            NodeConfig::KEYS,
            ListenConfig::KEYS,
            ApiConfig::KEYS,
            HostConfig::KEYS,
            PaymentsConfig::KEYS,
            section::CHAIN_KEYS,
            ProxyConfig::KEYS,
            LogConfig::KEYS,
        ]
        .into_iter()
        .flatten()
    }

    /// Returns the key called `path`, `section.name`.
    pub fn key(path: &str) -> Option<&'static KeyInfo> {
        Self::keys().find(|key| key.path() == path)
    }

    /// Lists the keys that a running node does not take over when they change, and whose values
    /// differ.
    pub fn needs_restart(&self, new: &Self) -> Vec<String> {
        let is_fixed = |key: &&KeyInfo| match key.section {
            "host" => key.name == "enabled",
            section => !["payments", "log"].contains(&section),
        };
        let fixed = Self::keys().filter(is_fixed);
        fixed.filter(|key| self.get(key) != new.get(key)).map(KeyInfo::path).collect()
    }

    fn set(&mut self, key: &KeyInfo, value: &toml::Value) -> Result<(), String> {
        match key.section {
            "" => self.node.set(key.name, value),
            "listen" => self.listen.set(key.name, value),
            "api" => self.api.set(key.name, value),
            "host" => self.host.set(key.name, value),
            "payments" => self.payments.set(key.name, value),
            "chain" => section::set_chain(&mut self.chain, key.name, value),
            "proxy" => self.proxy.set(key.name, value),
            _ => self.log.set(key.name, value),
        }
    }

    fn get(&self, key: &KeyInfo) -> Option<toml::Value> {
        match key.section {
            "" => self.node.get(key.name),
            "listen" => self.listen.get(key.name),
            "api" => self.api.get(key.name),
            "host" => self.host.get(key.name),
            "payments" => self.payments.get(key.name),
            "chain" => section::chain_table(&self.chain).remove(key.name),
            "proxy" => self.proxy.get(key.name),
            _ => self.log.get(key.name),
        }
    }
}
