//! The part before the last `1`: the chain and the amount (BOLT 11 "Human-Readable Part").

use bitcoin::Network;

use crate::error::ParseError;

const MSAT_PER_BITCOIN: u64 = 100_000_000_000;

/// Reads a prefix in lower case. The amount may be written in any unit and with leading zeros.
pub(crate) fn read(prefix: &str) -> Result<(Network, Option<u64>), ParseError> {
    let rest = prefix.strip_prefix("ln").ok_or(ParseError::NotAnInvoice)?;
    let amount = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
    let network = network(rest.strip_suffix(amount).unwrap_or(rest))?;
    if amount.is_empty() {
        return Ok((network, None));
    }
    let amount_msat = amount_msat(amount).ok_or(ParseError::BadAmount)?;
    Ok((network, Some(amount_msat)))
}

fn network(chain: &str) -> Result<Network, ParseError> {
    match chain {
        "bc" => Ok(Network::Bitcoin),
        "tb" => Ok(Network::Testnet),
        "tbs" => Ok(Network::Signet),
        "bcrt" => Ok(Network::Regtest),
        _ => Err(ParseError::UnknownNetwork),
    }
}

/// Reads digits and at most one letter for the unit. Returns `None` if that is not a whole number
/// of millisatoshi, or needs more than 64 bits.
fn amount_msat(amount: &str) -> Option<u64> {
    let digits = amount.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let number: u64 = digits.parse().ok()?;
    match amount.strip_prefix(digits)? {
        "" => number.checked_mul(MSAT_PER_BITCOIN),
        "m" => number.checked_mul(MSAT_PER_BITCOIN / 1_000),
        "u" => number.checked_mul(MSAT_PER_BITCOIN / 1_000_000),
        "n" => number.checked_mul(MSAT_PER_BITCOIN / 1_000_000_000),
        "p" => number.is_multiple_of(10).then_some(number / 10),
        _ => None,
    }
}
