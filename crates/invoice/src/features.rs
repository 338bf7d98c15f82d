//! The `9` field: what the payee requires and what it offers (BOLT 11 "Feature Bits").

use crate::error::{ParseError, RequiredFeature};

/// The even bits of the features that this node supports: variable onions, payment secrets,
/// payments in parts, metadata.
const KNOWN: [u16; 4] = [8, 14, BASIC_MPP, 48];
const BASIC_MPP: u16 = 16;

/// Refuses the lowest even bit that we do not know. Leading zeros mean nothing. A missing bit is no
/// reason to refuse: a field that is present needs no bit to announce it.
pub(crate) fn check(groups: &[u8]) -> Result<(), ParseError> {
    match set_bits(groups).find(|bit| bit % 2 == 0 && !KNOWN.contains(bit)) {
        Some(bit) => Err(ParseError::UnknownFeature(RequiredFeature(bit))),
        None => Ok(()),
    }
}

/// Returns true if the payment may come in parts.
pub(crate) fn basic_mpp(groups: &[u8]) -> bool {
    set_bits(groups).any(|bit| bit & !1 == BASIC_MPP)
}

/// Lists the bits that are set, in rising order.
pub(crate) fn bits(groups: &[u8]) -> Vec<u16> {
    set_bits(groups).collect()
}

/// Lists the bits from the least significant one, which is the last one written.
fn set_bits(groups: &[u8]) -> impl Iterator<Item = u16> {
    let bits = groups.iter().rev().flat_map(|group| (0..5).map(move |bit| group >> bit & 1));
    (0_u16..).zip(bits).filter_map(|(bit, is_set)| (is_set == 1).then_some(bit))
}
