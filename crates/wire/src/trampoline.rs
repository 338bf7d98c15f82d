//! The three `trampoline_*` messages, in which wallets offer to route for others, and the fee that
//! they announce (docs/protocol.md section 7). They are advice; nothing is signed.

use crate::codec::{DecodeError, Reader, Wire, put_list};
use crate::ids::NodeId;

/// The size of [`TrampolineOn`], in bytes.
const TRAMPOLINE_ON_BYTES: usize = 38;
/// The size of [`NodeIdTrampolineParams`], in bytes.
const NODE_PARAMS_BYTES: usize = 33 + TRAMPOLINE_ON_BYTES;

/// A floating-point number as the wire has it, IEEE 754 in 64 bits. It is compared and kept by its
/// bits, so that any pattern survives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Exponent(u64);

impl Exponent {
    /// Returns the number, which may be infinite or not a number.
    pub fn value(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl From<f64> for Exponent {
    fn from(value: f64) -> Self {
        Self(value.to_bits())
    }
}

impl std::fmt::Debug for Exponent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Exponent({})", self.value())
    }
}

/// The terms on which a wallet routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrampolineOn {
    /// The smallest amount, in millisatoshi.
    pub min_msat: u64,
    /// The largest amount, in millisatoshi.
    pub max_msat: u64,
    /// The proportional fee, in millionths.
    pub fee_proportional_millionths: u32,
    /// The power to which the proportional fee is raised.
    pub exponent: Exponent,
    /// The power to which the logarithm of the proportional fee is raised.
    pub log_exponent: Exponent,
    /// The number of blocks between the two expiries.
    pub cltv_expiry_delta: u16,
}

impl TrampolineOn {
    /// Returns the fee for relaying `amount_msat`, in millisatoshi: `p^exponent +
    /// ln(p)^log_exponent`, rounded up, where p is the proportional fee (docs/protocol.md section
    /// 7.4). Returns `None` if the result is not an amount, which the exponents of a stranger can
    /// cause.
    pub fn fee_msat(&self, amount_msat: u64) -> Option<u64> {
        let proportional =
            u128::from(amount_msat) * u128::from(self.fee_proportional_millionths) / 1_000_000;
        let proportional = proportional as f64;
        let power = proportional.powf(self.exponent.value());
        let fee = (power + proportional.ln().powf(self.log_exponent.value())).ceil();
        // Beyond 2^53 a floating-point number no longer represents every integer.
        (0.0..9_007_199_254_740_992.0).contains(&fee).then_some(fee as u64)
    }
}

impl Wire for TrampolineOn {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.min_msat.to_be_bytes());
        out.extend_from_slice(&self.max_msat.to_be_bytes());
        out.extend_from_slice(&self.fee_proportional_millionths.to_be_bytes());
        out.extend_from_slice(&self.exponent.0.to_be_bytes());
        out.extend_from_slice(&self.log_exponent.0.to_be_bytes());
        out.extend_from_slice(&self.cltv_expiry_delta.to_be_bytes());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            min_msat: reader.msat()?,
            max_msat: reader.msat()?,
            fee_proportional_millionths: reader.u32()?,
            exponent: Exponent(reader.u64()?),
            log_exponent: Exponent(reader.u64()?),
            cltv_expiry_delta: reader.u16()?,
        })
    }
}

/// One wallet and its terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeIdTrampolineParams {
    /// The id of the wallet.
    pub node_id: NodeId,
    /// The terms of this wallet.
    pub on: TrampolineOn,
}

impl Wire for NodeIdTrampolineParams {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.node_id.0);
        self.on.write(out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { node_id: reader.node_id()?, on: TrampolineOn::read(reader)? })
    }
}

/// A route over one wallet after the other; it has at least one.
pub type TrampolineRoute = Vec<NodeIdTrampolineParams>;

/// 44789: the sender routes, on these terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrampolineStatusInit {
    /// The routes beyond the sender.
    pub routes: Vec<TrampolineRoute>,
    /// The sender's own terms.
    pub peer: TrampolineOn,
}

impl Wire for TrampolineStatusInit {
    fn write(&self, out: &mut Vec<u8>) {
        write_routes(&self.routes, out);
        self.peer.write(out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { routes: read_routes(reader)?, peer: TrampolineOn::read(reader)? })
    }
}

/// 44791: tells what changed since [`TrampolineStatusInit`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrampolineStatusUpdate {
    /// The new routes beyond the sender.
    pub new_routes: Vec<TrampolineRoute>,
    /// The new terms of wallets on known routes.
    pub updated: Vec<NodeIdTrampolineParams>,
    /// The sender's own new terms.
    pub updated_peer: Option<TrampolineOn>,
    /// The wallets that no longer route.
    pub removed: Vec<NodeId>,
}

impl Wire for TrampolineStatusUpdate {
    fn write(&self, out: &mut Vec<u8>) {
        write_routes(&self.new_routes, out);
        put_list(out, &self.updated, |params, out| params.write(out));
        let mut tail = Vec::new();
        if let Some(on) = &self.updated_peer {
            on.write(&mut tail);
        }
        put_list(&mut tail, &self.removed, |node, out| out.extend_from_slice(&node.0));
        put_after_flag(out, self.updated_peer.is_some(), &tail);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let new_routes = read_routes(reader)?;
        let updated = reader.list(NODE_PARAMS_BYTES, NodeIdTrampolineParams::read)?;
        let (has_peer, tail) = take_after_flag(reader.rest())?;
        let mut tail = Reader::new(&tail);
        let updated_peer = has_peer.then(|| TrampolineOn::read(&mut tail)).transpose()?;
        let removed = tail.list(33, Reader::node_id)?;
        tail.end()?;
        Ok(Self { new_routes, updated, updated_peer, removed })
    }
}

/// 44793: the sender does not route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrampolineUndesired;

impl Wire for TrampolineUndesired {
    fn write(&self, _out: &mut Vec<u8>) {}

    fn read(_reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self)
    }
}

fn write_routes(routes: &[TrampolineRoute], out: &mut Vec<u8>) {
    put_list(out, routes, |route, out| put_list(out, route, |hop, out| hop.write(out)));
}

/// Reads routes of at least one wallet each. So a peer cannot claim a list of many that cost it no
/// bytes.
fn read_routes(reader: &mut Reader<'_>) -> Result<Vec<TrampolineRoute>, DecodeError> {
    reader.list(2 + NODE_PARAMS_BYTES, |reader| {
        let route = reader.list(NODE_PARAMS_BYTES, NodeIdTrampolineParams::read)?;
        if route.is_empty() { Err(DecodeError::BadValue) } else { Ok(route) }
    })
}

/// Writes the flag, which is one bit, and then `tail`, shifted by it; zeros fill the last byte.
fn put_after_flag(out: &mut Vec<u8>, flag: bool, tail: &[u8]) {
    let mut carry = u8::from(flag) << 7;
    for byte in tail {
        out.push(carry | byte >> 1);
        carry = byte << 7;
    }
    out.push(carry);
}

/// Undoes [`put_after_flag`].
fn take_after_flag(bytes: &[u8]) -> Result<(bool, Vec<u8>), DecodeError> {
    let (first, last) = (bytes.first(), bytes.last());
    let (Some(first), Some(last)) = (first, last) else { return Err(DecodeError::Truncated) };
    if last & 0x7f != 0 {
        return Err(DecodeError::BadValue);
    }
    let pairs = bytes.iter().zip(bytes.iter().skip(1));
    Ok((first & 0x80 != 0, pairs.map(|(byte, next)| byte << 1 | next >> 7).collect()))
}
