//! Amounts as people write and read them: always with a unit.

use std::fmt;
use std::str::FromStr;

use steward_wire::amount::in_sat;

use crate::limits::MAX_AMOUNT_MSAT;

/// An amount of bitcoin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount {
    /// The amount, in millisatoshi.
    pub msat: u64,
}

/// The reasons why a text is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// It is a bare number, without a unit.
    #[error("{number} has no unit; write {number}sat, {number}msat or {number}btc")]
    NoUnit {
        /// The text as given.
        number: String,
    },
    /// The unit is unknown.
    #[error("there is no unit `{unit}`; use sat, msat or btc")]
    UnknownUnit {
        /// The text as given.
        unit: String,
    },
    /// No number stands before the unit.
    #[error("`{text}` is no amount; write for example 1000sat, 0.001btc or 250000msat")]
    NotANumber {
        /// The text as given.
        text: String,
    },
    /// The amount is less than nothing.
    #[error("an amount is not negative; write for example 1000sat")]
    Negative,
    /// Separators stand elsewhere than between groups of three.
    #[error(
        "in `{text}` it is not clear what groups digits and what is a decimal point; write 1 000sat, \
         and 0.5sat or 0.001btc with a point"
    )]
    BadGroups {
        /// The text as given.
        text: String,
    },
    /// The amount of an invoice is nothing.
    #[error("an invoice over nothing cannot be paid; `any` lets the payer choose")]
    InvoiceOverNothing,
    /// The amount has parts of a millisatoshi.
    #[error("nothing smaller than a millisatoshi can be sent")]
    TooFine,
    /// The amount is more than there is.
    #[error("there are only 21 million bitcoin")]
    TooMuch,
}

impl Amount {
    /// Makes an amount of millisatoshi.
    pub fn from_msat(msat: u64) -> Self {
        Self { msat }
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let text = text.trim();
        if text.starts_with(['-', '\u{2212}']) {
            return Err(AmountError::Negative);
        }
        let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        // It reads as a thousand bitcoin or as one, depending on the country: it cannot mean the
        // first.
        if number.contains(',') && unit.eq_ignore_ascii_case("btc") {
            return Err(AmountError::BadGroups { text: text.to_owned() });
        }
        let number = &ungrouped(number.trim())
            .ok_or_else(|| AmountError::BadGroups { text: text.to_owned() })?;
        let decimals = match unit.to_ascii_lowercase().as_str() {
            "msat" | "msats" => 0,
            "sat" | "sats" => 3,
            "btc" => 11,
            "" if is_number(number) => {
                return Err(AmountError::NoUnit { number: number.clone() });
            }
            "" => return Err(AmountError::NotANumber { text: text.to_owned() }),
            _ => return Err(AmountError::UnknownUnit { unit: unit.to_owned() }),
        };
        if !is_number(number) {
            return Err(AmountError::NotANumber { text: text.to_owned() });
        }
        scale(&number.replace('_', ""), decimals).map(|msat| Self { msat })
    }
}

/// Returns the number without what groups its digits: white space of any kind, commas or
/// apostrophes, one of them and always three digits after it. `None` if they stand elsewhere, or
/// after a leading zero: then it is a decimal comma. Underscores group digits in any way, one at a
/// time.
fn ungrouped(number: &str) -> Option<String> {
    let is_separator = |c: char| c.is_whitespace() || matches!(c, ',' | '\'' | '\u{2019}');
    if number.contains("__") || number.ends_with('_') || number.contains("_.") {
        return None;
    }
    let Some(separator) = number.chars().find(|c| is_separator(*c)) else {
        return Some(number.to_owned());
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut groups = whole.split(separator);
    let is_digits = |group: &str| group.bytes().all(|c| c.is_ascii_digit());
    let first = groups.next().filter(|first| (1..=3).contains(&first.len()) && is_digits(first))?;
    if first.starts_with('0') {
        return None;
    }
    let mut ungrouped = first.to_owned();
    for group in groups {
        if group.len() != 3 || !is_digits(group) {
            return None;
        }
        ungrouped.push_str(group);
    }
    if fraction.contains(is_separator) {
        return None;
    }
    Some(if fraction.is_empty() { ungrouped } else { format!("{ungrouped}.{fraction}") })
}

fn is_number(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_digit())
            && part.bytes().all(|c| c.is_ascii_digit() || c == b'_')
    };
    is_digits(whole) && is_digits(fraction)
}

/// Returns `number` times ten to the power of `decimals`.
fn scale(number: &str, decimals: usize) -> Result<u64, AmountError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals {
        return Err(AmountError::TooFine);
    }
    let digits = format!("{whole}{fraction:0<decimals$}");
    let msat: u64 = digits.parse().map_err(|_| AmountError::TooMuch)?;
    if msat > MAX_AMOUNT_MSAT { Err(AmountError::TooMuch) } else { Ok(msat) }
}

/// Shows it in satoshi, digits in groups: `250 000 sat`, `1.001 sat`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&in_sat(self.msat))
    }
}

/// An amount, or `any`: the payer chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvoiceAmount(pub Option<Amount>);

impl FromStr for InvoiceAmount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        match text {
            "any" => Ok(Self(None)),
            _ => match text.parse()? {
                Amount { msat: 0 } => Err(AmountError::InvoiceOverNothing),
                amount => Ok(Self(Some(amount))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn msat(text: &str) -> Result<u64, AmountError> {
        text.parse::<Amount>().map(|amount| amount.msat)
    }

    #[test]
    fn amounts_have_units() {
        assert_eq!(msat("1000sat"), Ok(1_000_000));
        assert_eq!(msat("1_000sat"), Ok(1_000_000));
        assert_eq!(msat("1000 sats"), Ok(1_000_000));
        assert_eq!(msat("0.001btc"), Ok(100_000_000));
        assert_eq!(msat("1BTC"), Ok(100_000_000_000));
        assert_eq!(msat("250000msat"), Ok(250_000));
        assert_eq!(msat("1.5sat"), Ok(1_500));
        assert_eq!(msat("0.00000000001btc"), Ok(1));
    }

    #[test]
    fn amounts_are_read_as_they_are_printed() {
        for amount_msat in [0, 1, 999_000, 1_000_000, 1_234_567_890, MAX_AMOUNT_MSAT] {
            assert_eq!(msat(&Amount::from_msat(amount_msat).to_string()), Ok(amount_msat));
        }
        for text in ["1 000sat", "1,000sat", "1\u{a0}000 sat", "1\u{202f}000sat", "1'000sat"] {
            assert_eq!(msat(text), Ok(1_000_000), "{text}");
        }
        assert_eq!(msat("1,234,567.89sat"), Ok(1_234_567_890));
    }

    #[test]
    fn groups_that_are_none_are_refused_with_a_way_to_write_it() {
        for text in ["1,5sat", "10 00sat", "1,000 000sat", "1234,567sat", ",100sat", "1.000,5sat"] {
            let error = msat(text).unwrap_err();
            assert!(matches!(error, AmountError::BadGroups { .. }), "{text}: {error}");
        }
    }

    /// Paid as it once was read, the first would have cost a thousand times what was meant.
    #[test]
    fn a_decimal_comma_is_never_taken_for_a_group() {
        for text in ["0,005sat", "0,001btc", "00,001sat", "0 500sat", "1,500btc", "1,000 BTC"] {
            let error = msat(text).unwrap_err();
            assert!(matches!(error, AmountError::BadGroups { .. }), "{text}: {error}");
        }
        for text in ["1__0sat", "1_sat", "1_.5sat"] {
            assert!(msat(text).is_err(), "{text}");
        }
        assert_eq!(msat("0.005sat"), Ok(5));
        assert_eq!(msat("0sat"), Ok(0));
    }

    #[test]
    fn less_than_nothing_is_refused_as_such() {
        assert_eq!(msat("-5sat"), Err(AmountError::Negative));
        assert_eq!(msat("\u{2212}5sat"), Err(AmountError::Negative));
        let nothing = "0sat".parse::<InvoiceAmount>().unwrap_err();
        assert!(nothing.to_string().contains("`any`"), "{nothing}");
    }

    #[test]
    fn a_bare_number_is_refused_and_told_how_to_write_it() {
        let error = msat("1000").unwrap_err();
        assert_eq!(error.to_string(), "1000 has no unit; write 1000sat, 1000msat or 1000btc");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "sat", "-1sat", "+1sat", ".5sat", "1.sat", "1..2sat", "1,5sat", "1e3sat"] {
            assert!(msat(text).is_err(), "{text}");
        }
        assert!(matches!(msat("5usd"), Err(AmountError::UnknownUnit { .. })));
        assert!(matches!(msat("_1sat"), Err(AmountError::NotANumber { .. })));
    }

    #[test]
    fn parts_of_a_millisatoshi_are_refused_but_not_trailing_zeros() {
        assert_eq!(msat("0.5msat"), Err(AmountError::TooFine));
        assert_eq!(msat("1.0001sat"), Err(AmountError::TooFine));
        assert_eq!(msat("1.0000sat"), Ok(1000));
    }

    #[test]
    fn more_than_all_bitcoin_is_refused() {
        assert_eq!(msat("21000000btc"), Ok(MAX_AMOUNT_MSAT));
        assert_eq!(msat("21000000.00000000001btc"), Err(AmountError::TooMuch));
        assert_eq!(msat("99999999999999999999999sat"), Err(AmountError::TooMuch));
    }
}
