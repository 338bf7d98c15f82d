//! Every configuration key, once: name, type, default, meaning. `load` reads them, `check` judges
//! them.

use std::net::SocketAddr;
use std::path::PathBuf;

use bitcoin::Network;
use steward_chain::ChainConfig;
use steward_p2p::PeerAddress;
use steward_wire::NodeId;
use toml::Value;

use super::value::{Kind, Secret, Setting};

/// The facts about one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// The table; empty for the top level.
    pub section: &'static str,
    /// The key within it.
    pub name: &'static str,
    /// The kind of its value.
    pub kind: Kind,
    /// Meaning, unit, default.
    pub doc: &'static str,
    /// True if the value must not be shown.
    pub secret: bool,
}

impl KeyInfo {
    /// Returns `section.name`, or the name alone at the top level.
    pub fn path(&self) -> String {
        match self.section {
            "" => self.name.to_owned(),
            section => format!("{section}.{}", self.name),
        }
    }

    /// Returns the environment variable that sets it: `STEWARD_SECTION__NAME`.
    pub fn variable(&self) -> String {
        let name = match self.section {
            "" => format!("STEWARD_{}", self.name),
            section => format!("STEWARD_{section}__{}", self.name),
        };
        name.to_uppercase()
    }
}

/// Defines a section: the struct, its default, its keys, and access by key.
macro_rules! section {
    (
        $(#[$meta:meta])* $vis:vis struct $type:ident[$section:literal] {
            $(
                $(#[doc = $doc:literal])+
                $(#secret = $secret:literal)?
                $field:ident: $of:ty = $default:expr,
            )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        $vis struct $type {
            $($(#[doc = $doc])+ pub $field: $of,)+
        }

        impl Default for $type {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $type {
            pub(super) const KEYS: &[KeyInfo] = &[$(KeyInfo {
                section: $section,
                name: stringify!($field),
                kind: <$of as Setting>::KIND,
                doc: concat!($($doc, "\n"),+),
                secret: false $(|| $secret)?,
            },)+];

            pub(super) fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
                match name {
                    $(stringify!($field) => self.$field = Setting::read(value)?,)+
                    _ => return Err("unknown key".to_owned()),
                }
                Ok(())
            }

            pub(super) fn get(&self, name: &str) -> Option<Value> {
                match name {
                    $(stringify!($field) => self.$field.show(),)+
                    _ => None,
                }
            }
        }
    };
}

section! {
    /// Keys outside any table.
    pub struct NodeConfig[""] {
        /// The chain: mainnet (`bitcoin` is the same), testnet, testnet4, signet or regtest. A data
        /// directory belongs to one network for good. Default regtest: nothing moves real money
        /// unless told to.
        network: Network = Network::Regtest,
        /// The directory of seed, database and API token. Default `.steward` in the home directory.
        data_dir: PathBuf = default_data_dir(),
    }
}

section! {
    /// `[listen]`: where Lightning peers connect to us.
    pub struct ListenConfig["listen"] {
        /// Addresses on which a host listens; an empty list: outgoing connections only. Default
        /// 0.0.0.0:9735 with host.enabled, none without: a wallet listens nowhere.
        addresses: Option<Vec<SocketAddr>> = None,
        /// `host:port` under which clients reach us, best first: what `steward status` tells and
        /// `steward doctor` tries. Default none.
        public_addresses: Vec<PeerAddress> = Vec::new(),
    }
}

section! {
    /// `[api]`: the HTTP interface for programs and the command line.
    pub struct ApiConfig["api"] {
        /// The address it listens on. Beyond loopback it needs a certificate. Default
        /// 127.0.0.1:9737.
        address: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 9737)),
        /// A unix socket in place of `address`, which only the node's user can open. Default none.
        socket: Option<PathBuf> = None,
        /// PEM file with the certificate, and those between it and its authority: the API then
        /// speaks TLS. The command line trusts just this certificate. Default none.
        tls_certificate: Option<PathBuf> = None,
        /// PEM file with the certificate's key. Default none.
        tls_key: Option<PathBuf> = None,
        /// Permits plain HTTP beyond loopback, where each machine in between can read the token and
        /// everything else. Default false.
        insecure: bool = false,
    }
}

section! {
    /// `[host]`: the clients that may open a hosted channel with us, and the terms.
    pub struct HostConfig["host"] {
        /// True makes this node a host: it listens for clients, and opens channels on the terms
        /// below. Without it the node is a wallet, which listens nowhere and hosts no client.
        /// Default false.
        enabled: bool = false,
        /// Permits new channels; those that exist go on either way. Default true.
        accept_new_channels: bool = true,
        /// Capacity of a new channel, in satoshi. Default 1 000 000.
        capacity_sat: u64 = 1_000_000,
        /// Most that may be in flight in one direction, in satoshi. Default: the capacity.
        max_in_flight_sat: Option<u64> = None,
        /// Most HTLCs in flight in each direction; 1 to 21. Default 21.
        max_htlcs: u16 = 21,
        /// Smallest HTLC, in satoshi. Default 1.
        min_htlc_sat: u64 = 1,
        /// A client's balance in a new channel, in satoshi: a gift. Default 0.
        initial_client_balance_sat: u64 = 0,
        /// Fixed fee for forwarding a payment, in millisatoshi. Default 1000.
        fee_base_msat: u32 = 1000,
        /// Proportional fee for forwarding, in millionths. Default 1000, which is 0.1 %.
        fee_ppm: u32 = 1000,
        /// Blocks between the expiry of what we send on and of what we received; 34 or more.
        /// Default 144.
        cltv_delta_blocks: u16 = 144,
        /// Permits clients to ask for a larger capacity. Default true.
        resizable: bool = true,
        /// Largest capacity a client may ask for, in satoshi. Default 10 000 000.
        max_capacity_sat: u64 = 10_000_000,
        /// Secrets that open a channel, as text, or as bytes after `hex:`. In the environment and in
        /// flags one secret, or a list as here. Default none.
        #secret = true
        secrets: Vec<Secret> = Vec::new(),
        /// A file with further ones, one on each line, which only the node's user may read. Default
        /// none.
        secrets_file: Option<PathBuf> = None,
        /// Requires one of the secrets from a client. Default false.
        require_secret: bool = false,
        /// Node ids of clients that are believed if they show a valid state of a channel we have no
        /// record of. For the recovery of a lost database only. Default none.
        adopt_lost_state: Vec<NodeId> = Vec::new(),
        /// Most channels opened within an hour, over all peers. Default 1800.
        max_opens_per_hour: u32 = 1800,
        /// Most channels opened within an hour from one network prefix. Default 60.
        max_opens_per_prefix_per_hour: u32 = 60,
        /// Most channels in all. Default 1 000 000.
        max_channels: u32 = 1_000_000,
        /// Colour in which wallets show us, `#rrggbb`. Default none.
        brand_color: Option<String> = None,
        /// PNG image that wallets show, at most 60 000 bytes. Default none.
        brand_png: Option<PathBuf> = None,
        /// The URL where clients find help. Default none.
        contact: Option<String> = None,
    }
}

section! {
    /// `[payments]`: the payments that we accept as payee.
    pub struct PaymentsConfig["payments"] {
        /// Accepts payments without an invoice. Default true.
        accept_keysend: bool = true,
    }
}

section! {
    /// `[proxy]`: outgoing connections through a proxy.
    pub struct ProxyConfig["proxy"] {
        /// A SOCKS5 proxy such as Tor's 127.0.0.1:9050. All outgoing connections to peers use it,
        /// and it resolves their names. Default none.
        socks5: Option<SocketAddr> = None,
        /// Uses the proxy for `.onion` addresses only. Default false.
        onion_only: bool = false,
    }
}

section! {
    /// `[log]`: the lines that are logged, and where to.
    pub struct LogConfig["log"] {
        /// error, warn, info, debug or trace, also by module: `info,steward_p2p=debug`.
        /// Default info.
        level: String = "info".to_owned(),
        /// A file to append to in place of standard error; opened again on SIGHUP, for programs
        /// that rotate logs. Default none.
        file: Option<PathBuf> = None,
    }
}

/// The keys of `[chain]`, whose struct belongs to `steward-chain`.
pub(super) const CHAIN_KEYS: &[KeyInfo] = &[
    chain_key(
        "source",
        Kind::Text,
        " bitcoind, esplora, electrum or clock. Default on regtest: clock; needed elsewhere.\n",
    ),
    chain_key(
        "url",
        Kind::Text,
        " bitcoind and esplora: http:// or https://; electrum: tcp:// or ssl://host:port. Default\n bitcoind's usual port on this machine.\n",
    ),
    chain_key("cookie_file", Kind::Path, " bitcoind: its `.cookie` file.\n"),
    chain_key("user", Kind::Text, " bitcoind, in place of the cookie: the RPC user.\n"),
    KeyInfo {
        secret: true,
        ..chain_key(
            "password",
            Kind::Text,
            " bitcoind, in place of the cookie: the RPC password.\n",
        )
    },
    chain_key(
        "password_file",
        Kind::Path,
        " bitcoind, in place of `password`: a file with it, which only the node's user may read.\n",
    ),
    chain_key(
        "seconds_per_block",
        Kind::Integer,
        " clock: seconds between two heights. Default 600.\n",
    ),
    chain_key("start_height", Kind::Integer, " clock: the height at `start_unix`. Default 0.\n"),
    chain_key(
        "start_unix",
        Kind::Integer,
        " clock: when it was at `start_height`, in seconds since 1970. Default: the time of\n regtest's genesis block.\n",
    ),
    chain_key(
        "height_file",
        Kind::Path,
        " clock: follow the number in this file and not the time.\n",
    ),
    chain_key(
        "poll_interval_ms",
        Kind::Integer,
        " Milliseconds between two polls. Default 10 000, esplora 30 000, clock 250.\n",
    ),
    chain_key(
        "stale_after_s",
        Kind::Integer,
        " Seconds without a block, or without an answer, after which no forwards are accepted.\n Default 10 800.\n",
    ),
];

const fn chain_key(name: &'static str, kind: Kind, doc: &'static str) -> KeyInfo {
    KeyInfo { section: "chain", name, kind, doc, secret: false }
}

/// Sets one key of `[chain]`.
pub(super) fn set_chain(chain: &mut ChainConfig, name: &str, value: &Value) -> Result<(), String> {
    let mut table = chain_table(chain);
    table.insert(name.to_owned(), value.clone());
    *chain = table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
    Ok(())
}

/// The keys of `[chain]` that are set.
pub(super) fn chain_table(chain: &ChainConfig) -> toml::Table {
    // A struct of numbers and texts always has a TOML form.
    toml::Table::try_from(chain).unwrap_or_default()
}

/// Returns an empty path without a home directory, which loading refuses.
fn default_data_dir() -> PathBuf {
    home_dir().map(|home| home.join(".steward")).unwrap_or_default()
}

/// Returns the home directory of the user that runs this program.
pub(super) fn home_dir() -> Option<PathBuf> {
    std::env::home_dir().filter(|home| home.is_absolute())
}
