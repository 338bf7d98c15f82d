//! The Bitcoin networks: their names in our configuration and their chain hash on the wire.

use bitcoin::Network;
use bitcoin::constants::ChainHash;

/// The error for a name that no network has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no network called {0:?}")]
pub struct UnknownNetwork(pub String);

/// Returns the `chain_hash` of BOLT 0 and of `invoke_hosted_channel` (docs/protocol.md section
/// 1.4): the genesis block's hash in internal byte order, so mainnet's begins with `6fe28c0a`, not
/// `00000000`.
pub fn chain_hash(network: Network) -> [u8; 32] {
    ChainHash::using_genesis_block_const(network).to_bytes()
}

/// Returns the network's name in configuration and output.
pub fn network_name(network: Network) -> &'static str {
    match network {
        Network::Bitcoin => "mainnet",
        Network::Testnet => "testnet",
        Network::Testnet4 => "testnet4",
        Network::Signet => "signet",
        Network::Regtest => "regtest",
    }
}

/// Returns the network called `name`. It accepts what [`network_name`] writes and the names that
/// other Bitcoin software uses for the same networks.
///
/// # Errors
/// [`UnknownNetwork`] for any other name.
pub fn parse_network(name: &str) -> Result<Network, UnknownNetwork> {
    match name {
        "mainnet" | "main" | "bitcoin" => Ok(Network::Bitcoin),
        "testnet" | "testnet3" | "test" => Ok(Network::Testnet),
        "testnet4" => Ok(Network::Testnet4),
        "signet" => Ok(Network::Signet),
        "regtest" => Ok(Network::Regtest),
        _ => Err(UnknownNetwork(name.to_owned())),
    }
}
