//! Groups of five bits, in which bech32 writes numbers and bytes.

/// The number of bits in a group.
const GROUP_BITS: u32 = 5;

/// Returns the whole bytes. Bits left over at the end are padding and ignored.
pub(crate) fn bytes(groups: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(groups.len() * 5 / 8);
    pack(groups, &mut bytes);
    bytes
}

/// Returns all bits, with zeros added up to the next whole byte: what a signature covers.
pub(crate) fn padded_bytes(groups: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(groups.len() * 5 / 8 + 1);
    let (rest, bits) = pack(groups, &mut bytes);
    if bits > 0 {
        bytes.push((rest << (8 - bits)) as u8);
    }
    bytes
}

/// Returns an array, or `None` if the groups are not `N` bytes.
pub(crate) fn array<const N: usize>(groups: &[u8]) -> Option<[u8; N]> {
    bytes(groups).try_into().ok()
}

/// Reads a big-endian number with any number of leading zeros. Returns `None` above 64 bits.
pub(crate) fn number(groups: &[u8]) -> Option<u64> {
    groups
        .iter()
        .try_fold(0_u64, |number, group| number.checked_mul(32)?.checked_add(u64::from(*group)))
}

/// Appends the whole bytes. Returns the bits left over, and how many they are.
fn pack(groups: &[u8], bytes: &mut Vec<u8>) -> (u32, u32) {
    let (mut rest, mut bits) = (0, 0);
    for group in groups {
        rest = rest << GROUP_BITS | u32::from(*group);
        bits += GROUP_BITS;
        if bits >= 8 {
            bits -= 8;
            bytes.push((rest >> bits) as u8);
            rest &= (1 << bits) - 1;
        }
    }
    (rest, bits)
}
