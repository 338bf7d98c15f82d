//! Messages by the hundred: of every kind of the protocol, of none, and bytes at random.

use steward_wire::{
    AnnouncementSignature, AskBrandingInfo, ChannelAnnouncement, ChannelUpdate,
    HostedChannelBranding, InvokeHostedChannel, Message, NodeId, PaymentHash, Preimage,
    QueryPreimages, QueryPublicHostedChannels, ReplyPreimages, ReplyPublicHostedChannelsEnd,
    ShortChannelId, TrampolineUndesired,
};

use super::attack::Attack;
use super::message_forge::MessageForge;
use crate::link::Frame;

/// Fewest messages of a flood.
const MIN_FLOOD: u64 = 100;
/// Most messages of a flood.
const MAX_FLOOD: u64 = 400;
/// Most hashes asked about in one message.
const MAX_HASHES: u64 = 1_000;
/// Message types in which bytes at random are sent: all custom types are odd and above this.
const CUSTOM_TYPES: u64 = 0x8000;

impl MessageForge<'_> {
    /// A flood around what the engine sends. Half of them say nothing that ends the channel, so
    /// that all of the flood is looked at.
    pub(super) fn flood(&mut self, frame: &Frame) -> Vec<Frame> {
        let is_harmless = self.rng.chance(500);
        let mut told = Vec::new();
        for _ in 0..self.rng.between(MIN_FLOOD, MAX_FLOOD) {
            let next = match self.rng.below(10) {
                0 => self.random_bytes(),
                1..=5 if !is_harmless => {
                    let message = self.harmful();
                    self.frame(&message)
                }
                _ => {
                    let message = self.harmless();
                    self.frame(&message)
                }
            };
            told.push(next);
        }
        let place = self.rng.index(told.len());
        told.insert(place, frame.clone());
        told
    }

    /// One request, as an honest peer makes it, over and over.
    pub(super) fn by_the_hundred(&mut self, attack: Attack) -> Option<Vec<Frame>> {
        let chain_hash = self.chain_hash;
        let message = match attack {
            Attack::InvokeFlood if self.is_client => {
                Message::InvokeHostedChannel(InvokeHostedChannel {
                    chain_hash,
                    refund_scriptpubkey: self.state()?.last_refund_scriptpubkey,
                    secret: Vec::new(),
                })
            }
            Attack::BrandingFlood => Message::AskBrandingInfo(AskBrandingInfo { chain_hash }),
            _ => return None,
        };
        let frame = self.frame(&message);
        Some(vec![frame; self.rng.between(MIN_FLOOD, MAX_FLOOD) as usize])
    }

    /// An unknown type; a known one would only end the connection.
    fn random_bytes(&mut self) -> Frame {
        let message_type = (CUSTOM_TYPES + self.rng.below(CUSTOM_TYPES)) as u16;
        let bytes = self.rng.bytes32()[..self.rng.index(33)].to_vec();
        let is_known = Message::is_known(message_type) && !self.rng.chance(100);
        (if is_known { CUSTOM_TYPES as u16 } else { message_type }, bytes)
    }

    /// Makes a message that an engine must take without any effect.
    fn harmless(&mut self) -> Message {
        let chain_hash = self.chain_hash;
        match self.rng.below(11) {
            0 => Message::QueryPublicHostedChannels(QueryPublicHostedChannels { chain_hash }),
            1 => Message::ReplyPublicHostedChannelsEnd(ReplyPublicHostedChannelsEnd { chain_hash }),
            2 => Message::QueryPreimages(QueryPreimages {
                hashes: self.many(|forge| PaymentHash(forge.rng.bytes32())),
            }),
            3 => Message::ReplyPreimages(ReplyPreimages {
                preimages: self.many(|forge| Preimage(forge.rng.bytes32())),
            }),
            4 => Message::AskBrandingInfo(AskBrandingInfo { chain_hash }),
            5 => Message::HostedChannelBranding(HostedChannelBranding {
                rgb: [1, 2, 3],
                png: Some(vec![0; 50_000]),
                contact_info: "no contact".to_owned(),
            }),
            6 => Message::AnnouncementSignature(AnnouncementSignature {
                node_signature: self.garbage(),
                wants_reply: true,
            }),
            7 => Message::AnnouncementGossip(self.announcement()),
            8 => Message::UpdateGossip(self.policy()),
            9 => Message::UpdateSync(self.policy()),
            _ => Message::TrampolineUndesired(TrampolineUndesired),
        }
    }

    /// Makes a message that may suspend a channel.
    fn harmful(&mut self) -> Message {
        let id = self.rng.below(60);
        match self.rng.below(8) {
            0 => self.random_update(),
            1 => self.fail(id),
            2 => {
                let preimage = Preimage(self.rng.bytes32());
                self.fulfill(id, preimage)
            }
            3 => self.add(id, 1000),
            4 => match self.state() {
                Some(state) => Message::LastCrossSignedState(state),
                None => self.error(),
            },
            5 => self.bad_resize().unwrap_or(Message::TrampolineUndesired(TrampolineUndesired)),
            6 => self.greedy_override().unwrap_or_else(|| self.random_update()),
            _ => self.error(),
        }
    }

    fn many<T>(&mut self, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.rng.below(MAX_HASHES)).map(|_| one(self)).collect()
    }

    fn announcement(&mut self) -> ChannelAnnouncement {
        let garbage = self.garbage();
        let stranger = NodeId([2; 33]);
        ChannelAnnouncement {
            node_signature_1: garbage,
            node_signature_2: garbage,
            bitcoin_signature_1: garbage,
            bitcoin_signature_2: garbage,
            features: Vec::new(),
            chain_hash: self.chain_hash,
            short_channel_id: ShortChannelId(self.rng.next_u64()),
            node_id_1: stranger,
            node_id_2: stranger,
            bitcoin_key_1: stranger,
            bitcoin_key_2: stranger,
            excess: Vec::new(),
        }
    }

    /// Terms for forwarding, of this channel but unsigned.
    fn policy(&mut self) -> ChannelUpdate {
        ChannelUpdate {
            signature: self.garbage(),
            chain_hash: self.chain_hash,
            short_channel_id: self.plan.scid,
            timestamp: u32::MAX,
            message_flags: 1,
            channel_flags: self.rng.below(4) as u8,
            cltv_expiry_delta: 0,
            htlc_minimum_msat: 0,
            fee_base_msat: u32::MAX,
            fee_proportional_millionths: u32::MAX,
            htlc_maximum_msat: Some(1),
            excess: Vec::new(),
        }
    }
}
