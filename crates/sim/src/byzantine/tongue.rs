//! What a liar says in place of, or in addition to, what its engine says.

use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
use steward_hosted::Channel;
use steward_wire::{
    Framing, InitHostedChannel, InvokeHostedChannel, LastCrossSignedState, Message, Preimage,
    Signature, WireError, framing,
};

use super::lie::Lie;
use crate::link::Frame;
use crate::rng::Rng;
use crate::topology::Edge;
use steward_testkit::TestKeys;

/// Most errors at once.
const MAX_ERRORS: u64 = 40;

/// When a lie can be told.
pub(super) enum Occasion<'a> {
    /// The liar's engine sends this.
    Says(&'a Message, &'a Frame),
    /// The liar's engine is about to get this.
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

/// All that a lie is made of.
pub(super) struct Tongue<'a> {
    pub(super) rng: &'a mut Rng,
    pub(super) keys: TestKeys,
    pub(super) plan: Edge,
    pub(super) is_client: bool,
    /// As on the liar's disk.
    pub(super) channel: Option<&'a Channel>,
    pub(super) old: &'a [LastCrossSignedState],
    /// Of another channel.
    pub(super) stranger: Option<LastCrossSignedState>,
    pub(super) chain_hash: [u8; 32],
    pub(super) framing: Framing,
}

/// The liar's key in one channel.
pub(super) fn key_of(keys: TestKeys, plan: &Edge, is_client: bool) -> SecretKey {
    if is_client { keys.towards_host(&plan.host_id) } else { keys.node() }
}

impl Tongue<'_> {
    /// What goes out; `None` if the lie does not fit the occasion.
    pub(super) fn tell(&mut self, lie: Lie, occasion: &Occasion<'_>) -> Option<Vec<Frame>> {
        match occasion {
            Occasion::Says(message, frame) => self.instead_of(lie, message, frame),
            Occasion::Hears(_) if matches!(lie, Lie::InvokeFlood | Lie::BrandingFlood) => {
                self.by_the_hundred(lie)
            }
            Occasion::Hears(message) => {
                let told = self.answer(lie, message)?;
                Some(told.iter().map(|message| self.frame(message)).collect())
            }
        }
    }

    /// In place of what the engine sends.
    fn instead_of(&mut self, lie: Lie, message: &Message, frame: &Frame) -> Option<Vec<Frame>> {
        let replaced = match lie {
            Lie::Duplicate => return Some(vec![frame.clone(), frame.clone()]),
            Lie::Mangled => return Some(vec![self.mangled(frame)]),
            Lie::FramingFlip => return self.in_other_framing(message).map(|flipped| vec![flipped]),
            Lie::Flood => return Some(self.flood(frame)),
            Lie::InvokeFlood | Lie::BrandingFlood => {
                let asked = self.by_the_hundred(lie)?;
                return Some([vec![frame.clone()], asked].concat());
            }
            Lie::GarbageSignature => self.with_garbage_signature(message),
            Lie::OldState
            | Lie::MovedHtlcs
            | Lie::ForgedState
            | Lie::InventedState
            | Lie::StrangersState => self.other_state(lie, message),
            Lie::EqualCounters | Lie::WrongCounters | Lie::WrongBlockDay => {
                self.other_update(lie, message)
            }
            Lie::UsedId | Lie::SkippedId => self.with_other_id(lie, message),
            Lie::WrongPreimage | Lie::BadFailure | Lie::SettleTwice => {
                self.other_settlement(lie, message)
            }
            Lie::AbsurdTerms => self.absurd_terms(message),
            Lie::Refusal => self.refusal(message),
            Lie::Overspend | Lie::TooSmall | Lie::TooManyAdds => self.extra_adds(lie, message),
            Lie::BadResize
            | Lie::GreedyOverride
            | Lie::ClientOverride
            | Lie::OddInvoke
            | Lie::ErrorSpam => {
                let mut told = self.out_of_place(lie)?;
                told.push(message.clone());
                Some(told)
            }
            Lie::FailUnsigned | Lie::Withholding | Lie::CheatingRoute | Lie::RestoredDisk => None,
        };
        Some(replaced?.iter().map(|message| self.frame(message)).collect())
    }

    /// In answer to what the other side sends, before the engine has seen it.
    fn answer(&mut self, lie: Lie, message: &Message) -> Option<Vec<Message>> {
        match (lie, message) {
            (Lie::FailUnsigned, Message::UpdateAddHtlc(add)) => Some(vec![self.fail(add.id)]),
            (Lie::WrongPreimage, Message::UpdateAddHtlc(add)) => {
                let preimage = Preimage(self.rng.bytes32());
                Some(vec![self.fulfill(add.id, preimage)])
            }
            (Lie::Refusal, Message::InvokeHostedChannel(_)) => Some(vec![self.error()]),
            // Wherever the other side compares, or is about to.
            (Lie::OldState | Lie::MovedHtlcs, _) if is_comparison(message) => {
                let shown = Message::LastCrossSignedState(self.exported()?);
                self.other_state(lie, &shown)
            }
            // Whatever it is, suspended or not.
            (Lie::GreedyOverride | Lie::ClientOverride | Lie::OddInvoke, _) => {
                self.out_of_place(lie)
            }
            _ => None,
        }
    }

    /// What may be said at any moment.
    fn out_of_place(&mut self, lie: Lie) -> Option<Vec<Message>> {
        match lie {
            Lie::BadResize => Some(vec![self.bad_resize()?]),
            Lie::GreedyOverride if !self.is_client => Some(vec![self.greedy_override()?]),
            Lie::ClientOverride if self.is_client => Some(vec![self.greedy_override()?]),
            Lie::OddInvoke => Some(vec![self.odd_invoke()]),
            Lie::ErrorSpam => {
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

    /// Terms that nobody should agree to, in answer to an invoke or out of the blue.
    fn absurd_terms(&mut self, message: &Message) -> Option<Vec<Message>> {
        let mut init = match message {
            Message::InitHostedChannel(init) => init.clone(),
            Message::LastCrossSignedState(state) => state.init_hosted_channel.clone(),
            _ => self.channel?.state()?.init_hosted_channel.clone(),
        };
        self.spoil_terms(&mut init);
        let absurd = Message::InitHostedChannel(init);
        Some(match message {
            Message::InitHostedChannel(_) => vec![absurd],
            _ => vec![absurd, message.clone()],
        })
    }

    fn spoil_terms(&mut self, init: &mut InitHostedChannel) {
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
            0 => format!("{:04} lies", self.rng.below(12)).into_bytes(),
            1 => self.rng.bytes32().to_vec(),
            2 => vec![0, self.rng.below(256) as u8],
            _ => vec![b'x'; 60_000],
        };
        let channel_id = steward_wire::ChannelId(self.rng.bytes32());
        Message::Error(WireError { channel_id, data, tlvs: Vec::new() })
    }

    pub(super) fn frame(&self, message: &Message) -> Frame {
        // What does not fit a frame is cut down by nobody: it is not sent.
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

    /// A signature of the right length that nobody gave.
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

    /// The last state both signed, as on the liar's disk.
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
