//! Feature bits (docs/protocol.md section 1.5).

/// Hosted channels, the odd bit, which we advertise to every peer.
pub const HOSTED_CHANNELS: u32 = 257;
/// Hosted channels by the number that eclair's plugin looks for, the odd bit.
pub const HOSTED_CHANNELS_LEGACY: u32 = 32_973;
/// The even number of hosted channels that eclair's plugin lists in `init_hosted_channel.features`.
pub const INIT_HOSTED_CHANNELS: u16 = 32_972;
/// The number in `init_hosted_channel.features` by which the client may ask for a larger capacity.
pub const INIT_RESIZABLE: u16 = 32_974;
/// Blinded paths (BOLT 9 `option_route_blinding`), the odd bit: a node that sets it reads
/// `path_key` in an add.
pub const ROUTE_BLINDING: u32 = 25;
/// Attribution data in failures and fulfills (BOLT 9 `option_attribution_data`), the odd bit.
pub const ATTRIBUTION_DATA: u32 = 37;

/// Returns true if the big-endian feature vector has either bit of the pair that `bit` belongs to.
pub fn has_pair(features: &[u8], bit: u32) -> bool {
    has_bit(features, bit & !1) || has_bit(features, bit | 1)
}

/// Returns true if the big-endian feature vector has `bit`.
pub fn has_bit(features: &[u8], bit: u32) -> bool {
    let byte = features.iter().rev().nth(bit as usize / 8);
    byte.is_some_and(|byte| byte & (1 << (bit % 8)) != 0)
}

/// Returns true if the peer advertises hosted channels by either number.
pub fn supports_hosted_channels(features: &[u8]) -> bool {
    has_pair(features, HOSTED_CHANNELS) || has_pair(features, HOSTED_CHANNELS_LEGACY)
}
