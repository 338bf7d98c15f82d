//! What an attacker sends in place of, or in addition to, what its engine says.

use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
use steward_hosted::Channel;
use steward_wire::{
    Framing, InitHostedChannel, InvokeHostedChannel, LastCrossSignedState, Message, Preimage,
    Signature, WireError, framing,
};

use super::attack::Attack;
use crate::link::Frame;
use crate::rng::Rng;
use crate::topology::Edge;
use steward_testkit::TestKeys;

/// Most errors at once.
const MAX_ERRORS: u64 = 40;

/// The moment at which an attack can be made.
pub(super) enum Occasion<'a> {
    /// The attacker's engine sends this.
    Says(&'a Message, &'a Frame),
    /// The attacker's engine is about to get this.
    Hears(&'a Message),
}

impl Occasion<'_> {
    /// True if the other side is about to compare states.
    pub(super) fn is_comparison(&self) -> bool {
        let (Self::Says(message, _) | Self::Hears(message)) = self;
        is_comparison(message)
    }

    /// True for messages that engines seldom send.
    pub(super) fn is_rare(&self) -> bool {
        let (Self::Says(message, _) | Self::Hears(message)) = self;
        matches!(
            message,
            Message::LastCrossSignedState(_)
                | Message::InitHostedChannel(_)
                | Message::InvokeHostedChannel(_)
                | Message::UpdateAddHtlc(_)
                | Message::UpdateFulfillHtlc(_)
                | Message::UpdateFailHtlc(_)
                | Message::UpdateFailMalformedHtlc(_)
        )
    }
}

/// What an attack is made of.
pub(super) struct MessageForge<'a> {
    pub(super) rng: &'a mut Rng,
    pub(super) keys: TestKeys,
    pub(super) plan: Edge,
    pub(super) is_client: bool,
    /// As on the attacker's disk.
    pub(super) channel: Option<&'a Channel>,
    pub(super) old: &'a [LastCrossSignedState],
    /// Of another channel.
    pub(super) stranger: Option<LastCrossSignedState>,
    pub(super) chain_hash: [u8; 32],
    pub(super) framing: Framing,
}

/// The attacker's key in one channel.
pub(super) fn key_of(keys: TestKeys, plan: &Edge, is_client: bool) -> SecretKey {
    if is_client { keys.towards_host(&plan.host_id) } else { keys.node() }
}

impl MessageForge<'_> {
    /// What goes out; `None` if the attack does not fit the occasion.
    pub(super) fn tell(&mut self, attack: Attack, occasion: &Occasion<'_>) -> Option<Vec<Frame>> {
        match occasion {
            Occasion::Says(message, frame) => self.instead_of(attack, message, frame),
            Occasion::Hears(_) if matches!(attack, Attack::InvokeFlood | Attack::BrandingFlood) => {
                self.by_the_hundred(attack)
            }
            Occasion::Hears(message) => {
                let told = self.answer(attack, message)?;
                Some(told.iter().map(|message| self.frame(message)).collect())
            }
        }
    }

    /// In place of what the engine sends.
    fn instead_of(
        &mut self,
        attack: Attack,
        message: &Message,
        frame: &Frame,
    ) -> Option<Vec<Frame>> {
        let replaced = match attack {
            Attack::Duplicate => return Some(vec![frame.clone(), frame.clone()]),
            Attack::Mangled => return Some(vec![self.mangled(frame)]),
            Attack::FramingFlip => {
                return self.in_other_framing(message).map(|flipped| vec![flipped]);
            }
            Attack::Flood => return Some(self.flood(frame)),
            Attack::InvokeFlood | Attack::BrandingFlood => {
                let asked = self.by_the_hundred(attack)?;
                return Some([vec![frame.clone()], asked].concat());
            }
            Attack::GarbageSignature => self.with_garbage_signature(message),
            Attack::OldState
            | Attack::MovedHtlcs
            | Attack::ForgedState
            | Attack::InventedState
            | Attack::StrangersState => self.other_state(attack, message),
            Attack::EqualCounters | Attack::WrongCounters | Attack::WrongBlockDay => {
                self.other_update(attack, message)
            }
            Attack::UsedId | Attack::SkippedId => self.with_other_id(attack, message),
            Attack::WrongPreimage | Attack::BadFailure | Attack::SettleTwice => {
                self.other_settlement(attack, message)
            }
            Attack::AbsurdTerms => self.absurd_terms(message),
            Attack::Refusal => self.refusal(message),
            Attack::Overspend | Attack::TooSmall | Attack::TooManyAdds => {
                self.extra_adds(attack, message)
            }
            Attack::BadResize
            | Attack::GreedyOverride
            | Attack::ClientOverride
            | Attack::OddInvoke
            | Attack::ErrorSpam => {
                let mut told = self.out_of_place(attack)?;
                told.push(message.clone());
                Some(told)
            }
            Attack::FailUnsigned
            | Attack::Withholding
            | Attack::CheatingRoute
            | Attack::RestoredDisk => None,
        };
        Some(replaced?.iter().map(|message| self.frame(message)).collect())
    }

    /// In answer to what the other side sends, before the engine has seen it.
    fn answer(&mut self, attack: Attack, message: &Message) -> Option<Vec<Message>> {
        match (attack, message) {
            (Attack::FailUnsigned, Message::UpdateAddHtlc(add)) => Some(vec![self.fail(add.id)]),
            (Attack::WrongPreimage, Message::UpdateAddHtlc(add)) => {
                let preimage = Preimage(self.rng.bytes32());
                Some(vec![self.fulfill(add.id, preimage)])
            }
            (Attack::Refusal, Message::InvokeHostedChannel(_)) => Some(vec![self.error()]),
            // Wherever the other side compares, or is about to.
            (Attack::OldState | Attack::MovedHtlcs, _) if is_comparison(message) => {
                let shown = Message::LastCrossSignedState(self.exported()?);
                self.other_state(attack, &shown)
            }
            // Whatever it is, suspended or not.
            (Attack::GreedyOverride | Attack::ClientOverride | Attack::OddInvoke, _) => {
                self.out_of_place(attack)
            }
            _ => None,
        }
    }

    /// What may be said at any moment.
    fn out_of_place(&mut self, attack: Attack) -> Option<Vec<Message>> {
        match attack {
            Attack::BadResize => Some(vec![self.bad_resize()?]),
            Attack::GreedyOverride if !self.is_client => Some(vec![self.greedy_override()?]),
            Attack::ClientOverride if self.is_client => Some(vec![self.greedy_override()?]),
            Attack::OddInvoke => Some(vec![self.odd_invoke()]),
            Attack::ErrorSpam => {
                let errors = self.rng.between(1, MAX_ERRORS);
                Some((0..errors).map(|_| self.error()).collect())
            }
            _ => None,
        }
    }

    fn odd_invoke(&mut self) -> Message {
        let refund_scriptpubkey = match self.rng.below(3) {
            0 => [&[0, 20], &self.rng.bytes32()[..20]].concat(),
            1 => vec![0x51; 200],
            _ => Vec::new(),
        };
        let chain_hash = if self.rng.chance(500) { self.chain_hash } else { self.rng.bytes32() };
        let secret = self.rng.bytes32().to_vec();
        Message::InvokeHostedChannel(InvokeHostedChannel {
            chain_hash,
            refund_scriptpubkey,
            secret,
        })
    }

    /// Terms that no client should accept, in answer to an invoke or out of the blue.
    fn absurd_terms(&mut self, message: &Message) -> Option<Vec<Message>> {
        let mut init = match message {
            Message::InitHostedChannel(init) => init.clone(),
            Message::LastCrossSignedState(state) => state.init_hosted_channel.clone(),
            _ => self.channel?.state()?.init_hosted_channel.clone(),
        };
        self.corrupt_terms(&mut init);
        let absurd = Message::InitHostedChannel(init);
        Some(match message {
            Message::InitHostedChannel(_) => vec![absurd],
            _ => vec![absurd, message.clone()],
        })
    }

    fn corrupt_terms(&mut self, init: &mut InitHostedChannel) {
        match self.rng.below(7) {
            0 => init.initial_client_balance_msat = init.channel_capacity_msat + 1,
            1 => init.channel_capacity_msat = (1 << 63) - 1,
            2 => init.max_accepted_htlcs = 0,
            3 => init.htlc_minimum_msat = (1 << 63) - 1,
            4 => init.max_htlc_value_in_flight_msat = 1,
            5 => init.features = vec![7; 20_000],
            _ => init.max_accepted_htlcs = u16::MAX,
        }
    }

    fn refusal(&mut self, message: &Message) -> Option<Vec<Message>> {
        let is_answer =
            matches!(message, Message::InitHostedChannel(_) | Message::LastCrossSignedState(_));
        is_answer.then(|| vec![self.error()])
    }

    /// An error, with a code of the protocol, with none, or with bytes that are no text.
    pub(super) fn error(&mut self) -> Message {
        let data = match self.rng.below(4) {
            0 => format!("{:04} attacks", self.rng.below(12)).into_bytes(),
            1 => self.rng.bytes32().to_vec(),
            2 => vec![0, self.rng.below(256) as u8],
            _ => vec![b'x'; 60_000],
        };
        let channel_id = steward_wire::ChannelId(self.rng.bytes32());
        Message::Error(WireError { channel_id, data, tlvs: Vec::new() })
    }

    pub(super) fn frame(&self, message: &Message) -> Frame {
        // What does not fit a frame is not sent.
        framing::encode(self.framing, message).unwrap_or((message.message_type(), Vec::new()))
    }

    fn in_other_framing(&self, message: &Message) -> Option<Frame> {
        let other = match self.framing {
            Framing::Modern => Framing::Legacy,
            Framing::Legacy => Framing::Modern,
        };
        framing::encode(other, message).ok()
    }

    fn mangled(&mut self, frame: &Frame) -> Frame {
        let (message_type, mut payload) = frame.clone();
        match self.rng.below(3) {
            0 => payload.truncate(self.rng.index(payload.len() + 1)),
            1 => payload.extend(self.rng.bytes32()),
            _ => {
                let index = self.rng.index(payload.len());
                if let Some(byte) = payload.get_mut(index) {
                    *byte ^= 1 << self.rng.below(8);
                }
            }
        }
        (message_type, payload)
    }

    /// A signature of the right length that no key made.
    pub(super) fn garbage(&mut self) -> Signature {
        if self.rng.chance(100) {
            return Signature::ZERO;
        }
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&self.rng.bytes32());
        bytes[32..].copy_from_slice(&self.rng.bytes32());
        Signature(bytes)
    }

    pub(super) fn key(&self) -> SecretKey {
        key_of(self.keys, &self.plan, self.is_client)
    }

    pub(super) fn public_key(&self) -> PublicKey {
        PublicKey::from_secret_key(SECP256K1, &self.key())
    }

    /// The same with both signatures.
    fn exported(&self) -> Option<LastCrossSignedState> {
        self.channel?.export(&self.key())
    }

    /// The last state both signed, as on the attacker's disk.
    pub(super) fn state(&self) -> Option<LastCrossSignedState> {
        self.channel?.state().cloned()
    }
}

/// Messages at which states are, or will be, compared, replaced or grown.
fn is_comparison(message: &Message) -> bool {
    matches!(
        message,
        Message::LastCrossSignedState(_)
            | Message::InvokeHostedChannel(_)
            | Message::StateOverride(_)
            | Message::ResizeChannel(_)
            | Message::Error(_)
    )
}
