//! Feature bits (docs/protocol.md section 1.5).

use steward_wire::features::{has_bit, has_pair, supports_hosted_channels};

fn vector(bit: usize) -> Vec<u8> {
    let mut features = vec![0; bit / 8 + 1];
    features[0] = 1 << (bit % 8);
    features
}

/// The eclair plugin's suite (HostedWireSpec, line 70) looks for the odd bit; other implementations
/// set either bit of a pair.
#[test]
fn any_of_the_four_bits_means_hosted_channels() {
    for bit in [256, 257, 32_972, 32_973] {
        assert!(supports_hosted_channels(&vector(bit)), "{bit}");
    }
}

#[test]
fn neighbouring_bits_mean_nothing() {
    for bit in [0, 255, 258, 32_971, 32_974, 32_975] {
        assert!(!supports_hosted_channels(&vector(bit)), "{bit}");
    }
    assert!(!supports_hosted_channels(&[]));
}

#[test]
fn bits_count_from_the_end_of_the_vector() {
    assert!(has_bit(&[0x01, 0x80], 7));
    assert!(has_bit(&[0x01, 0x80], 8));
    assert!(!has_bit(&[0x01, 0x80], 0));
    assert!(!has_bit(&[0x01, 0x80], 16));
    assert!(has_pair(&[0x01, 0x80], 9));
}
