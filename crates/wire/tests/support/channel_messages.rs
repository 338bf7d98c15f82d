//! Messages of funded channels, made from a seed. The tests of other crates use them too.
#![allow(dead_code, unreachable_pub)] // each test binary uses its own part

use std::net::{Ipv4Addr, Ipv6Addr};

use bitcoin::Txid;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use steward_wire::limits::ONION_BYTES;
use steward_wire::{
    AcceptChannel, AnnouncementSignatures, ChannelAnnouncement, ChannelId, ChannelMessage,
    ChannelReady, ChannelReestablish, ChannelUpdate, ClosingSigned, CommitmentSigned, FeeRange,
    FundingCreated, FundingSigned, MESSAGE_FLAG_MUST_BE_ONE, NodeAddress, NodeAddresses,
    NodeAnnouncement, NodeId, Onion, OpenChannel, PaymentHash, Point, Preimage, RevokeAndAck,
    ShortChannelId, Shutdown, Signature, UpdateAddHtlc, UpdateFailHtlc, UpdateFailMalformedHtlc,
    UpdateFee, UpdateFulfillHtlc, WireError, attribution_tlv,
};

/// The types of all messages of a funded channel but `warning`, which is an `error` in form.
pub const TYPES: [u16; 20] =
    [17, 32, 33, 34, 35, 36, 38, 39, 128, 130, 131, 132, 133, 134, 135, 136, 256, 257, 258, 259];

/// The size of attribution data, in bytes (BOLT 4).
const ATTRIBUTION_BYTES: usize = 920;

/// A xorshift64* generator.
pub struct Seeded {
    state: u64,
    is_wild: bool,
}

impl Seeded {
    /// Makes what every implementation reads.
    pub fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, is_wild: false }
    }

    /// Makes what only we keep as it is, too: points off the curve, signatures out of range, and
    /// unknown odd TLVs.
    pub fn wild(seed: u64) -> Self {
        Self { is_wild: true, ..Self::new(seed) }
    }

    pub fn u64(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn u32(&mut self) -> u32 {
        (self.u64() >> 32) as u32
    }

    pub fn u16(&mut self) -> u16 {
        (self.u64() >> 48) as u16
    }

    pub fn u8(&mut self) -> u8 {
        (self.u64() >> 56) as u8
    }

    pub fn flag(&mut self) -> bool {
        self.u8() & 1 == 1
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.u64() % end as u64) as usize
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.u8()).collect()
    }

    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.u8())
    }

    /// An amount below 2^63.
    pub fn msat(&mut self) -> u64 {
        self.u64() >> 1
    }

    pub fn key(&mut self) -> SecretKey {
        // Of 2^256 strings all but one in 2^128 are keys.
        SecretKey::from_slice(&self.array::<32>()).unwrap()
    }

    pub fn point(&mut self) -> Point {
        if self.is_wild {
            return Point(self.array());
        }
        self.key().public_key(&Secp256k1::new()).into()
    }

    pub fn node_id(&mut self) -> NodeId {
        NodeId(self.point().0)
    }

    pub fn channel_id(&mut self) -> ChannelId {
        ChannelId(self.array())
    }

    pub fn txid(&mut self) -> Txid {
        Txid::from_byte_array(self.array())
    }

    /// Makes a signature whose numbers are in range; it signs nothing.
    pub fn signature(&mut self) -> Signature {
        let mut bytes: [u8; 64] = self.array();
        if !self.is_wild {
            (bytes[0], bytes[32]) = (0, 0);
        }
        Signature(bytes)
    }

    /// Makes the TLVs of a message that knows these, or does without.
    fn tlvs(&mut self, known: impl FnOnce(&mut Self) -> Vec<u8>) -> Vec<u8> {
        let mut tlvs = if self.flag() { known(self) } else { Vec::new() };
        if self.is_wild && self.flag() {
            let len = self.below(50);
            tlvs.extend([201, len as u8]);
            tlvs.extend(self.bytes(len));
        }
        tlvs
    }

    /// Makes the TLVs of a message that knows none.
    fn no_tlvs(&mut self) -> Vec<u8> {
        self.tlvs(|_| Vec::new())
    }

    pub fn onion(&mut self) -> Onion {
        let mut bytes = [0; ONION_BYTES];
        bytes[1..34].copy_from_slice(&self.point().0);
        bytes[34..].copy_from_slice(&self.bytes(ONION_BYTES - 34));
        Onion(bytes.into())
    }
}

/// Makes a message of this type.
pub fn message(message_type: u16, random: &mut Seeded) -> ChannelMessage {
    match message_type {
        17 => {
            let data = random.u64().to_string().into_bytes();
            let channel_id = random.channel_id();
            ChannelMessage::Error(WireError { channel_id, data, tlvs: random.no_tlvs() })
        }
        32 => ChannelMessage::OpenChannel(Box::new(open_channel(random))),
        33 => ChannelMessage::AcceptChannel(Box::new(accept_channel(random))),
        34..=39 => opening_or_closing(message_type, random),
        128 => ChannelMessage::UpdateAddHtlc(add(random)),
        130..=136 => operation(message_type, random),
        _ => gossip(message_type, random),
    }
}

fn opening_tlvs(random: &mut Seeded) -> Vec<u8> {
    random.tlvs(|random| {
        let len = random.below(43);
        let script = random.bytes(len);
        // LDK keeps feature bits in its own order, and so any number of bytes.
        let len = 1 + random.below(8);
        OpenChannel::tlvs(&script, &random.bytes(len))
    })
}

fn open_channel(random: &mut Seeded) -> OpenChannel {
    OpenChannel {
        chain_hash: random.array(),
        temporary_channel_id: random.channel_id(),
        funding_sat: random.u64(),
        push_msat: random.u64(),
        dust_limit_sat: random.u64(),
        max_htlc_value_in_flight_msat: random.u64(),
        channel_reserve_sat: random.u64(),
        htlc_minimum_msat: random.u64(),
        feerate_per_kw: random.u32(),
        to_self_delay: random.u16(),
        max_accepted_htlcs: random.u16(),
        funding_pubkey: random.point(),
        revocation_basepoint: random.point(),
        payment_basepoint: random.point(),
        delayed_payment_basepoint: random.point(),
        htlc_basepoint: random.point(),
        first_per_commitment_point: random.point(),
        channel_flags: random.u8(),
        tlvs: opening_tlvs(random),
    }
}

fn accept_channel(random: &mut Seeded) -> AcceptChannel {
    AcceptChannel {
        temporary_channel_id: random.channel_id(),
        dust_limit_sat: random.u64(),
        max_htlc_value_in_flight_msat: random.u64(),
        channel_reserve_sat: random.u64(),
        htlc_minimum_msat: random.u64(),
        minimum_depth: random.u32(),
        to_self_delay: random.u16(),
        max_accepted_htlcs: random.u16(),
        funding_pubkey: random.point(),
        revocation_basepoint: random.point(),
        payment_basepoint: random.point(),
        delayed_payment_basepoint: random.point(),
        htlc_basepoint: random.point(),
        first_per_commitment_point: random.point(),
        tlvs: opening_tlvs(random),
    }
}

fn opening_or_closing(message_type: u16, random: &mut Seeded) -> ChannelMessage {
    let channel_id = random.channel_id();
    let signature = random.signature();
    match message_type {
        34 => ChannelMessage::FundingCreated(FundingCreated {
            temporary_channel_id: channel_id,
            funding_txid: random.txid(),
            funding_output_index: random.u16(),
            signature,
            tlvs: random.no_tlvs(),
        }),
        35 => ChannelMessage::FundingSigned(FundingSigned {
            channel_id,
            signature,
            tlvs: random.no_tlvs(),
        }),
        36 => ChannelMessage::ChannelReady(ChannelReady {
            channel_id,
            second_per_commitment_point: random.point(),
            tlvs: random.tlvs(|random| ChannelReady::alias_tlv(ShortChannelId(random.u64()))),
        }),
        38 => {
            let len = random.below(84);
            let scriptpubkey = random.bytes(len);
            ChannelMessage::Shutdown(Shutdown { channel_id, scriptpubkey, tlvs: random.no_tlvs() })
        }
        39 => ChannelMessage::ClosingSigned(ClosingSigned {
            channel_id,
            fee_sat: random.u64(),
            signature,
            tlvs: random.tlvs(|random| {
                let (min_fee_sat, max_fee_sat) = (random.u64(), random.u64());
                ClosingSigned::fee_range_tlv(FeeRange { min_fee_sat, max_fee_sat })
            }),
        }),
        other => panic!("no message has type {other}"),
    }
}

fn add(random: &mut Seeded) -> UpdateAddHtlc {
    UpdateAddHtlc {
        channel_id: random.channel_id(),
        id: random.u64(),
        amount_msat: random.msat(),
        payment_hash: PaymentHash(random.array()),
        cltv_expiry: random.u32(),
        onion: random.onion(),
        tlvs: random.tlvs(|random| {
            UpdateAddHtlc::path_key_tlv(&random.key().public_key(&Secp256k1::new()))
        }),
    }
}

fn operation(message_type: u16, random: &mut Seeded) -> ChannelMessage {
    let (channel_id, id) = (random.channel_id(), random.u64());
    match message_type {
        130 => ChannelMessage::UpdateFulfillHtlc(UpdateFulfillHtlc {
            channel_id,
            id,
            preimage: Preimage(random.array()),
            tlvs: random.tlvs(|random| attribution_tlv(&random.bytes(ATTRIBUTION_BYTES))),
        }),
        131 => {
            let len = random.below(400);
            ChannelMessage::UpdateFailHtlc(UpdateFailHtlc {
                channel_id,
                id,
                reason: random.bytes(len),
                tlvs: random.tlvs(|random| attribution_tlv(&random.bytes(ATTRIBUTION_BYTES))),
            })
        }
        132 => {
            let count = random.below(40);
            ChannelMessage::CommitmentSigned(CommitmentSigned {
                channel_id,
                signature: random.signature(),
                htlc_signatures: (0..count).map(|_| random.signature()).collect(),
                tlvs: random.tlvs(|random| CommitmentSigned::funding_txid_tlv(random.txid())),
            })
        }
        133 => ChannelMessage::RevokeAndAck(RevokeAndAck {
            channel_id,
            per_commitment_secret: random.array(),
            next_per_commitment_point: random.point(),
            tlvs: random.no_tlvs(),
        }),
        134 => {
            let feerate_per_kw = random.u32();
            ChannelMessage::UpdateFee(UpdateFee {
                channel_id,
                feerate_per_kw,
                tlvs: random.no_tlvs(),
            })
        }
        135 => ChannelMessage::UpdateFailMalformedHtlc(UpdateFailMalformedHtlc {
            channel_id,
            id,
            sha256_of_onion: random.array(),
            failure_code: random.u16(),
            tlvs: random.no_tlvs(),
        }),
        136 => ChannelMessage::ChannelReestablish(ChannelReestablish {
            channel_id,
            next_commitment_number: random.u64(),
            next_revocation_number: random.u64(),
            your_last_per_commitment_secret: random.array(),
            my_current_per_commitment_point: random.point(),
            tlvs: random.no_tlvs(),
        }),
        other => panic!("no message has type {other}"),
    }
}

fn gossip(message_type: u16, random: &mut Seeded) -> ChannelMessage {
    let len = random.below(12);
    let features = random.bytes(len);
    let len = random.below(20);
    let excess = random.bytes(len);
    match message_type {
        256 => ChannelMessage::ChannelAnnouncement(Box::new(ChannelAnnouncement {
            node_signature_1: random.signature(),
            node_signature_2: random.signature(),
            bitcoin_signature_1: random.signature(),
            bitcoin_signature_2: random.signature(),
            features,
            chain_hash: random.array(),
            short_channel_id: ShortChannelId(random.u64()),
            node_id_1: random.node_id(),
            node_id_2: random.node_id(),
            bitcoin_key_1: random.node_id(),
            bitcoin_key_2: random.node_id(),
            excess,
        })),
        257 => ChannelMessage::NodeAnnouncement(NodeAnnouncement {
            signature: random.signature(),
            features,
            timestamp: random.u32(),
            node_id: random.node_id(),
            rgb_color: random.array(),
            alias: random.array(),
            addresses: NodeAddresses::new(addresses(random)),
            excess,
        }),
        258 => ChannelMessage::ChannelUpdate(ChannelUpdate {
            signature: random.signature(),
            chain_hash: random.array(),
            short_channel_id: ShortChannelId(random.u64()),
            timestamp: random.u32(),
            message_flags: random.u8() | MESSAGE_FLAG_MUST_BE_ONE,
            channel_flags: random.u8(),
            cltv_expiry_delta: random.u16(),
            htlc_minimum_msat: random.msat(),
            fee_base_msat: random.u32(),
            fee_proportional_millionths: random.u32(),
            htlc_maximum_msat: Some(random.msat()),
            excess,
        }),
        259 => ChannelMessage::AnnouncementSignatures(AnnouncementSignatures {
            channel_id: random.channel_id(),
            short_channel_id: ShortChannelId(random.u64()),
            node_signature: random.signature(),
            bitcoin_signature: random.signature(),
            tlvs: random.no_tlvs(),
        }),
        other => panic!("no message has type {other}"),
    }
}

pub fn addresses(random: &mut Seeded) -> Vec<NodeAddress> {
    let all = [
        NodeAddress::Ipv4 { ip: Ipv4Addr::from(random.u32()), port: random.u16() },
        NodeAddress::Ipv6 { ip: Ipv6Addr::from(random.array::<16>()), port: random.u16() },
        NodeAddress::OnionV2(random.array()),
        NodeAddress::OnionV3 { onion: random.array(), port: random.u16() },
        NodeAddress::Name { name: b"node.example.com".to_vec(), port: random.u16() },
    ];
    all.into_iter().filter(|_| random.flag()).collect()
}
