//! Invoices assembled group by group, in any form that bech32 allows.

use bitcoin::bech32::primitives::decode::UncheckedHrpstring;
use bitcoin::bech32::{Bech32, Fe32, Fe32IterExt, Hrp};
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{Message, SECP256K1, SecretKey};

/// One tagged field, with its data in groups of five bits.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) tag: u8,
    pub(crate) data: Vec<u8>,
}

/// An invoice without its signature.
#[derive(Clone, Debug)]
pub(crate) struct ByHand {
    pub(crate) prefix: String,
    pub(crate) time: Vec<u8>,
    pub(crate) fields: Vec<Field>,
}

impl ByHand {
    /// Takes a well-formed invoice apart.
    pub(crate) fn of(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        let hrpstring = UncheckedHrpstring::new(&text).unwrap().remove_checksum::<Bech32>();
        let prefix = hrpstring.hrp().to_string();
        let groups: Vec<u8> =
            hrpstring.fe32_iter::<std::iter::Empty<u8>>().map(Fe32::to_u8).collect();
        let mut rest = &groups[7..groups.len() - 104];
        let mut fields = Vec::new();
        while !rest.is_empty() {
            let end = 3 + usize::from(rest[1]) * 32 + usize::from(rest[2]);
            fields.push(Field { tag: rest[0], data: rest[3..end].to_vec() });
            rest = &rest[end..];
        }
        Self { prefix, time: groups[..7].to_vec(), fields }
    }

    /// Returns the invoice, signed over exactly these groups.
    pub(crate) fn sign(&self, key: &SecretKey) -> String {
        let mut groups = self.time.clone();
        for Field { tag, data } in &self.fields {
            groups.extend([*tag, (data.len() / 32) as u8, (data.len() % 32) as u8]);
            groups.extend(data);
        }
        let mut signed = self.prefix.as_bytes().to_vec();
        signed.extend(to_bytes(&groups));
        let message = Message::from_digest(sha256::Hash::hash(&signed).to_byte_array());
        let (id, compact) = SECP256K1.sign_ecdsa_recoverable(&message, key).serialize_compact();
        let mut signature = compact.to_vec();
        signature.push(id.to_i32() as u8);
        groups.extend(to_groups(&signature));
        let groups = groups.into_iter().map(|group| Fe32::try_from(group).unwrap());
        let prefix = Hrp::parse(&self.prefix).unwrap();
        groups.with_checksum::<Bech32>(&prefix).chars().collect()
    }
}

/// Converts bytes to groups, with zeros added to fill the last one.
pub(crate) fn to_groups(bytes: &[u8]) -> Vec<u8> {
    let mut bits: Vec<u8> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    bits.resize(bits.len().next_multiple_of(5), 0);
    bits.chunks(5).map(number).collect()
}

/// Converts groups to bytes, with zeros added to fill the last one.
fn to_bytes(groups: &[u8]) -> Vec<u8> {
    let mut bits: Vec<u8> =
        groups.iter().flat_map(|group| (0..5).rev().map(move |bit| group >> bit & 1)).collect();
    bits.resize(bits.len().next_multiple_of(8), 0);
    bits.chunks(8).map(number).collect()
}

fn number(bits: &[u8]) -> u8 {
    bits.iter().fold(0, |number, bit| number << 1 | bit)
}
