//! Identifiers: of nodes, channels and payments; hashes, preimages, signatures.
//!
//! They are plain byte arrays, so that decoding fails only for a reason that the message's own
//! format names; keys are parsed where they are used.

use std::fmt;

use bitcoin::Txid;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{PublicKey, ecdsa};

macro_rules! bytes_type {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse_hex(text).map(Self)
            }
        }
    };
}

bytes_type!(
    /// A node's public key, compressed. It need not be a valid point: see [`NodeId::public_key`].
    NodeId, 33
);
bytes_type!(
    /// A public key of a channel, compressed. It need not be a valid point: see
    /// [`Point::public_key`].
    Point, 33
);
bytes_type!(
    /// The id of a channel: for a hosted one `sha256(K1 ‖ K2)` of the two node ids in byte order
    /// (docs/protocol.md section 1.6), for a funded one see [`ChannelId::of_funding`].
    ChannelId, 32
);
bytes_type!(
    /// Names one of our channels, of whatever kind, for good: its `channel_id` as in BOLT 2. Two
    /// nodes may have several channels, so a node id names none.
    LinkId, 32
);
bytes_type!(
    /// Names a payment that we make, for good. Today it is the payment's hash.
    PaymentId, 32
);
bytes_type!(
    /// The SHA-256 of a payment's preimage.
    PaymentHash, 32
);
bytes_type!(
    /// The secret whose hash a payment is locked to.
    Preimage, 32
);
bytes_type!(
    /// A compact ECDSA signature, `r ‖ s`, big-endian.
    Signature, 64
);

/// The error for a hexadecimal id of the wrong length or with a wrong digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a hexadecimal id of the right length")]
pub struct ParseIdError;

fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], ParseIdError> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return Err(ParseIdError);
    }
    let mut out = [0u8; N];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| ParseIdError)?;
        if !pair.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Err(ParseIdError);
        }
        *byte = u8::from_str_radix(pair, 16).map_err(|_| ParseIdError)?;
    }
    Ok(out)
}

impl NodeId {
    /// Returns the key as a curve point, or `None` if the bytes are not one.
    pub fn public_key(&self) -> Option<PublicKey> {
        PublicKey::from_slice(&self.0).ok()
    }
}

impl From<PublicKey> for NodeId {
    fn from(key: PublicKey) -> Self {
        Self(key.serialize())
    }
}

impl Point {
    /// Returns the key as a curve point, or `None` if the bytes are not one.
    pub fn public_key(&self) -> Option<PublicKey> {
        PublicKey::from_slice(&self.0).ok()
    }
}

impl From<PublicKey> for Point {
    fn from(key: PublicKey) -> Self {
        Self(key.serialize())
    }
}

impl ChannelId {
    /// All zeros, which name no channel; used in errors that concern a whole connection.
    pub const ZERO: Self = Self([0; 32]);

    /// Returns the id of the hosted channel between two nodes, in whichever order they are given.
    pub fn of_pair(a: &NodeId, b: &NodeId) -> Self {
        Self(sha256::Hash::hash(&sorted_pair(a, b)).to_byte_array())
    }

    /// Returns the id of the channel with this funding output: the transaction's id with the index
    /// in its last two bytes, by exclusive or (BOLT 2, `funding_signed`).
    ///
    /// ```
    /// use bitcoin::{Txid, hashes::Hash};
    /// use steward_wire::ChannelId;
    ///
    /// let id = ChannelId::of_funding(Txid::from_byte_array([0xff; 32]), 0x0102);
    /// assert_eq!(id.0[29..], [0xff, 0xfe, 0xfd]);
    /// ```
    pub fn of_funding(funding_txid: Txid, funding_output_index: u16) -> Self {
        let mut id = funding_txid.to_byte_array();
        let index = funding_output_index.to_be_bytes();
        id.iter_mut().rev().zip(index.iter().rev()).for_each(|(byte, index)| *byte ^= index);
        Self(id)
    }
}

impl LinkId {
    /// The id of the hosted channel between our key `local` and the node `remote`.
    pub fn hosted(local: &NodeId, remote: &NodeId) -> Self {
        ChannelId::of_pair(local, remote).into()
    }
}

impl From<ChannelId> for LinkId {
    fn from(id: ChannelId) -> Self {
        Self(id.0)
    }
}

impl From<PaymentHash> for PaymentId {
    fn from(hash: PaymentHash) -> Self {
        Self(hash.0)
    }
}

/// A short channel id. That of a hosted channel is derived from its two nodes and may look like any
/// block, transaction and output.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ShortChannelId(pub u64);

impl ShortChannelId {
    /// Returns the scid of the hosted channel between two nodes: the sum modulo 2^64 of the first
    /// eight big-endian words of the sorted pair (docs/protocol.md section 1.6).
    pub fn of_pair(a: &NodeId, b: &NodeId) -> Self {
        let pair = sorted_pair(a, b);
        let sum = pair.chunks_exact(8).fold(0u64, |sum, word| {
            let word = word.iter().fold(0u64, |acc, byte| (acc << 8) | u64::from(*byte));
            sum.wrapping_add(word)
        });
        Self(sum)
    }
}

impl fmt::Display for ShortChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.0 >> 40, (self.0 >> 16) & 0xff_ffff, self.0 & 0xffff)
    }
}

impl fmt::Debug for ShortChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShortChannelId({self})")
    }
}

impl std::str::FromStr for ShortChannelId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let number = |part: &str| match part.bytes().all(|c| c.is_ascii_digit()) {
            true => part.parse::<u64>().map_err(|_| ParseIdError),
            false => Err(ParseIdError),
        };
        let mut parts = text.split('x').map(number);
        let mut next = || parts.next().ok_or(ParseIdError)?;
        let (block, tx, output) = (next()?, next()?, next()?);
        if parts.next().is_some() || block > 0xff_ffff || tx > 0xff_ffff || output > 0xffff {
            return Err(ParseIdError);
        }
        Ok(Self(block << 40 | tx << 16 | output))
    }
}

impl Preimage {
    /// Returns the hash that this preimage belongs to.
    pub fn hash(&self) -> PaymentHash {
        PaymentHash(sha256::Hash::hash(&self.0).to_byte_array())
    }
}

impl Signature {
    /// All zeros, in place of a signature: an opening state holds it before both sides have signed.
    pub const ZERO: Self = Self([0; 64]);

    /// Returns the signature in the library's form, or `None` if `r` or `s` is out of range.
    pub fn to_ecdsa(&self) -> Option<ecdsa::Signature> {
        ecdsa::Signature::from_compact(&self.0).ok()
    }
}

impl From<ecdsa::Signature> for Signature {
    fn from(signature: ecdsa::Signature) -> Self {
        Self(signature.serialize_compact())
    }
}

fn sorted_pair(a: &NodeId, b: &NodeId) -> [u8; 66] {
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    let mut pair = [0u8; 66];
    pair.iter_mut().zip(first.0.iter().chain(&second.0)).for_each(|(to, from)| *to = *from);
    pair
}
