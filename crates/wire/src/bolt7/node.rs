//! `node_announcement`: what a node says of itself, and the addresses in it.

use std::net::{Ipv4Addr, Ipv6Addr};

use bitcoin::hashes::{Hash, sha256d};
use bitcoin::secp256k1::{Message as SecpMessage, SECP256K1};

use crate::codec::{DecodeError, Reader, Wire, put_var_u16};
use crate::ids::{NodeId, Signature};

/// An address of a node (BOLT 7, "address descriptor").
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeAddress {
    /// Type 1.
    Ipv4 {
        /// The address.
        ip: Ipv4Addr,
        /// The port.
        port: u16,
    },
    /// Type 2.
    Ipv6 {
        /// The address.
        ip: Ipv6Addr,
        /// The port.
        port: u16,
    },
    /// Type 3, an onion service of version 2, which no longer exists: address and port.
    OnionV2([u8; 12]),
    /// Type 4, an onion service of version 3.
    OnionV3 {
        /// The key, the checksum and the version that the name is made of.
        onion: [u8; 35],
        /// The port.
        port: u16,
    },
    /// Type 5.
    Name {
        /// The host name in ASCII, as it came: it may hold any bytes.
        name: Vec<u8>,
        /// The port.
        port: u16,
    },
}

impl NodeAddress {
    /// Reads a descriptor. `None` means a type that BOLT 7 does not define.
    fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match reader.u8()? {
            1 => Self::Ipv4 { ip: reader.array::<4>()?.into(), port: reader.u16()? },
            2 => Self::Ipv6 { ip: reader.array::<16>()?.into(), port: reader.u16()? },
            3 => Self::OnionV2(reader.array()?),
            4 => Self::OnionV3 { onion: reader.array()?, port: reader.u16()? },
            5 => {
                let len = reader.u8()?;
                Self::Name { name: reader.take(usize::from(len))?.to_vec(), port: reader.u16()? }
            }
            _ => return Ok(None),
        }))
    }

    fn descriptor_type(&self) -> u8 {
        match self {
            Self::Ipv4 { .. } => 1,
            Self::Ipv6 { .. } => 2,
            Self::OnionV2(_) => 3,
            Self::OnionV3 { .. } => 4,
            Self::Name { .. } => 5,
        }
    }

    /// Appends the descriptor. A name of more than 255 bytes does not fit the format and is cut.
    fn write(&self, out: &mut Vec<u8>) {
        out.push(self.descriptor_type());
        let port = match self {
            Self::Ipv4 { ip, port } => {
                out.extend_from_slice(&ip.octets());
                port
            }
            Self::Ipv6 { ip, port } => {
                out.extend_from_slice(&ip.octets());
                port
            }
            Self::OnionV2(address_and_port) => {
                return out.extend_from_slice(address_and_port);
            }
            Self::OnionV3 { onion, port } => {
                out.extend_from_slice(onion);
                port
            }
            Self::Name { name, port } => {
                let len = u8::try_from(name.len()).unwrap_or(u8::MAX);
                out.push(len);
                out.extend(name.iter().take(usize::from(len)));
                port
            }
        };
        out.extend_from_slice(&port.to_be_bytes());
    }
}

/// The address descriptors of a node, verbatim. An unknown one ends those that can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeAddresses(Vec<u8>);

impl NodeAddresses {
    /// Makes the descriptors of these addresses, in ascending order of their types as BOLT 7 wants.
    pub fn new(mut addresses: Vec<NodeAddress>) -> Self {
        let mut bytes = Vec::new();
        addresses.sort_by_key(NodeAddress::descriptor_type);
        addresses.iter().for_each(|address| address.write(&mut bytes));
        Self(bytes)
    }

    /// Returns the addresses, up to the first descriptor of an unknown type.
    pub fn known(&self) -> Vec<NodeAddress> {
        let mut reader = Reader::new(&self.0);
        let mut addresses = Vec::new();
        while let Ok(Some(address)) = NodeAddress::read(&mut reader) {
            addresses.push(address);
        }
        addresses
    }

    /// Checks that no descriptor of a known type is cut short.
    fn check(&self) -> Result<(), DecodeError> {
        let mut reader = Reader::new(&self.0);
        while reader.remaining() > 0 {
            if NodeAddress::read(&mut reader)?.is_none() {
                break;
            }
        }
        Ok(())
    }
}

/// 257: what a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAnnouncement {
    /// The node's signature.
    pub signature: Signature,
    /// The feature bits, big-endian.
    pub features: Vec<u8>,
    /// The unix time, in seconds. The announcement with the higher one wins.
    pub timestamp: u32,
    /// The id of the node.
    pub node_id: NodeId,
    /// The colour: red, green, blue.
    pub rgb_color: [u8; 3],
    /// The name that the node gives itself, in UTF-8, filled up with zeros. It may hold any bytes.
    pub alias: [u8; 32],
    /// The addresses at which it can be reached.
    pub addresses: NodeAddresses,
    /// The bytes after the last known field, verbatim. They are signed with the rest.
    pub excess: Vec<u8>,
}

impl NodeAnnouncement {
    /// Returns the hash that the signature covers (BOLT 7).
    pub fn signed_hash(&self) -> [u8; 32] {
        let mut witness = Vec::new();
        self.write_witness(&mut witness);
        sha256d::Hash::hash(&witness).to_byte_array()
    }

    /// Returns true if the node that it names signed it.
    pub fn is_signed(&self) -> bool {
        let (Some(key), Some(signature)) = (self.node_id.public_key(), self.signature.to_ecdsa())
        else {
            return false;
        };
        let message = SecpMessage::from_digest(self.signed_hash());
        SECP256K1.verify_ecdsa(&message, &signature, &key).is_ok()
    }

    fn write_witness(&self, out: &mut Vec<u8>) {
        put_var_u16(out, &self.features);
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.node_id.0);
        out.extend_from_slice(&self.rgb_color);
        out.extend_from_slice(&self.alias);
        put_var_u16(out, &self.addresses.0);
        out.extend_from_slice(&self.excess);
    }
}

impl Wire for NodeAnnouncement {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.signature.0);
        self.write_witness(out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let announcement = Self {
            signature: reader.signature()?,
            features: reader.var_u16()?.to_vec(),
            timestamp: reader.u32()?,
            node_id: reader.node_id()?,
            rgb_color: reader.array()?,
            alias: reader.array()?,
            addresses: NodeAddresses(reader.var_u16()?.to_vec()),
            excess: reader.rest().to_vec(),
        };
        announcement.addresses.check()?;
        Ok(announcement)
    }
}
