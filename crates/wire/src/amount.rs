//! Amounts in the form in which people read them. Everything else counts in millisatoshi.

/// Writes an amount in satoshi, with its digits in groups: `250 000 sat`, `1.001 sat`.
pub fn in_sat(amount_msat: u64) -> String {
    let mut text = grouped(amount_msat / 1000);
    let rest_msat = amount_msat % 1000;
    if rest_msat != 0 {
        text.push_str(format!(".{rest_msat:03}").trim_end_matches('0'));
    }
    text.push_str(" sat");
    text
}

/// Writes an amount that is counted in satoshi in the same way.
pub fn of_sat(amount_sat: u64) -> String {
    format!("{} sat", grouped(amount_sat))
}

/// Writes a number with its digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_with_unit_and_groups() {
        assert_eq!(in_sat(0), "0 sat");
        assert_eq!(in_sat(999_000), "999 sat");
        assert_eq!(in_sat(250_000_000), "250 000 sat");
        assert_eq!(in_sat(1_234_567_890), "1 234 567.89 sat");
        assert_eq!(in_sat(1), "0.001 sat");
        assert_eq!(of_sat(10_000_000), "10 000 000 sat");
        assert_eq!(of_sat(u64::MAX), "18 446 744 073 709 551 615 sat");
    }
}
