//! The opponent: a `ChannelManager` of LDK's as the funder, in this process, without sockets, on a
//! chain of empty blocks.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::disallowed_types, reason = "LDK's traits want locks")]

pub mod ldk;
pub mod world;

use bitcoin::secp256k1::PublicKey;
use steward_wire::NodeId;

/// A small generator of numbers, so that a seed gives a history again.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

pub fn node_id(key: PublicKey) -> NodeId {
    key.into()
}
