//! One channel against a rogue peer: the rogue speaks in the place of an honest peer, disconnects
//! and comes back, and repeats earlier messages.

use steward_hosted::{Command, Output};
use steward_htlc::{Failure, LinkEvent, LinkInput};
use steward_wire::Message;

use super::watch::Watch;
use crate::bytes::Bytes;
use crate::rogue::{PREIMAGES, Rogue, raw_message};
use steward_testkit::hosted::{Alice, Bob, CAPACITY_MSAT, Pair, Side, offer, preimage};

/// The longest history, in steps.
const MAX_STEPS: usize = 120;
/// The longest wait, in milliseconds: a day.
const MAX_WAIT_MS: u64 = 86_400_000;
/// The chain of the kit.
const CHAIN_HASH: [u8; 32] = [7; 32];

/// Reads which side is attacked, and whether the channel is open, then steps.
pub(crate) fn hostile(data: &[u8]) {
    let mut input = Bytes::new(data);
    let mut attack = Attack::new(&mut input);
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            return;
        }
        attack.step(&mut input);
    }
}

struct Attack {
    /// Both channels; the peer's is honest until the rogue speaks in its place.
    pair: Pair,
    victim: Side,
    rogue: Rogue,
    watch: Watch,
}

impl Attack {
    fn new(input: &mut Bytes<'_>) -> Self {
        let choice = input.u8();
        let victim = if choice & 1 == 0 { Alice } else { Bob };
        let mut terms = offer();
        terms.initial_client_balance_msat = CAPACITY_MSAT / 2;
        terms.max_accepted_htlcs = 3;
        let mut pair = Pair::new(terms.clone());
        let rogue = Rogue::new(pair.node(victim.other()).key, CHAIN_HASH, terms);
        let mut attack = Self { pair, victim, rogue, watch: Watch::default() };
        attack.connect();
        if choice & 6 != 0 {
            attack.be_honest(40);
        }
        attack
    }

    fn step(&mut self, input: &mut Bytes<'_>) {
        let height = self.pair.node(self.victim).height;
        let key = self.pair.node(self.victim).key;
        let victim = self.pair.channel(self.victim);
        let message = match input.u8() {
            0..=27 => return self.be_honest(1 + input.below(4)),
            28..=79 => Some(self.rogue.update(victim, height, input)),
            80..=119 => self.rogue.state_update(victim, height, input),
            120..=127 => self.rogue.state(victim, &key, input),
            128..=135 => Some(self.rogue.control(victim, height, input)),
            136..=141 => raw_message(input),
            142..=147 => self.repeated(input),
            148..=150 => Some(self.rogue.invoke(input)),
            151..=154 => return self.reconnect(),
            155..=156 => return self.restart(),
            157 => return self.give(LinkInput::Disconnected),
            158..=159 => {
                self.pair.now_ms += input.number() % MAX_WAIT_MS;
                return self.give(LinkInput::Tick);
            }
            160..=163 => {
                self.pair.node(self.victim).height += u32::from(input.u8()) * 10;
                return self.give(LinkInput::Block);
            }
            _ => return self.local(input),
        };
        if let Some(message) = message {
            self.send(message);
        }
    }

    /// Passes an input to the victim, as an engine does.
    fn give(&mut self, input: LinkInput) {
        let is_other_connection = matches!(input, LinkInput::Connected | LinkInput::Disconnected);
        let outputs = self.pair.give(self.victim, input);
        self.check(&outputs, is_other_connection);
    }

    /// Passes an operator's command to the victim. A refusal changes nothing.
    fn command(&mut self, command: Command) {
        let outputs = self.pair.try_command(self.victim, command).unwrap_or_default();
        self.check(&outputs, false);
    }

    fn check(&mut self, outputs: &[Output], is_other_connection: bool) {
        for output in outputs {
            if let Output::Link(LinkEvent::Send(message)) = output {
                self.rogue.heard(message);
            }
        }
        let key = self.pair.node(self.victim).key;
        let victim = self.pair.channel(self.victim);
        self.watch.after(is_other_connection, outputs, victim, &key);
        self.rogue.forget_signed(victim);
    }

    /// Sends over the wire, which refuses what never reaches a channel.
    fn send(&mut self, message: Message) {
        let (message_type, body) = message.encode();
        let Ok(message) = Message::decode(message_type, &body) else { return };
        self.rogue.said(&message);
        self.give(LinkInput::Message(message));
    }

    /// Lets the honest channels exchange messages, each in turn.
    fn be_honest(&mut self, rounds: usize) {
        let (victim, peer) = (self.victim, self.victim.other());
        for _ in 0..rounds {
            if let Some(message) = self.pair.node(victim).wire.pop_front() {
                self.pair.give(peer, LinkInput::Message(message));
            }
            if let Some(message) = self.pair.node(peer).wire.pop_front() {
                self.send(message);
            }
        }
    }

    fn connect(&mut self) {
        self.pair.give(self.victim.other(), LinkInput::Connected);
        self.give(LinkInput::Connected);
    }

    fn reconnect(&mut self) {
        self.rogue.disconnected();
        for side in [Alice, Bob] {
            self.pair.node(side).wire.clear();
        }
        self.pair.give(self.victim.other(), LinkInput::Disconnected);
        self.give(LinkInput::Disconnected);
        self.connect();
    }

    /// Kills the victim's process and starts it again from its disk.
    fn restart(&mut self) {
        if self.pair.node(self.victim).disk.is_some() {
            self.pair.restart(self.victim);
            self.reconnect();
        }
    }

    /// Returns an earlier message of the honest peer, perhaps with one byte changed.
    fn repeated(&self, input: &mut Bytes<'_>) -> Option<Message> {
        let peer = self.victim.other();
        let past: Vec<_> = self.pair.sent.iter().filter(|(by, _)| *by == peer).collect();
        let nth = usize::from(input.u8()) % past.len().max(1);
        let (message_type, mut body) = past.get(nth)?.1.encode();
        if input.flag() {
            let at = usize::from(input.u16()) % body.len().max(1);
            *body.get_mut(at)? ^= input.u8();
        }
        Message::decode(message_type, &body).ok()
    }

    /// Passes an input of the victim's engine or operator.
    fn local(&mut self, input: &mut Bytes<'_>) {
        let victim = self.victim;
        let channel = self.pair.channel(victim);
        let seed = u64::from(input.u8()) % PREIMAGES;
        let nth = input.below(4);
        let incoming = channel.incoming_htlcs().nth(nth).map(|incoming| incoming.htlc.clone());
        let id = incoming.as_ref().map_or(nth as u64, |htlc| htlc.id);
        let capacity_sat = channel.summary().capacity_msat / 1000;
        let local = match input.u8() & 31 {
            0..=9 => {
                let amount_msat = 1_000 + u64::from(input.u16()) * 61_000;
                LinkInput::Add(self.pair.new_htlc(victim, amount_msat, seed))
            }
            10..=15 => {
                // An engine always passes the right preimage.
                let hash = incoming.map(|htlc| htlc.payment_hash);
                let right = (0..PREIMAGES).find(|seed| Some(preimage(*seed).hash()) == hash);
                LinkInput::Fulfill {
                    id,
                    preimage: preimage(right.unwrap_or(seed)),
                    tlvs: Vec::new(),
                }
            }
            16..=20 => {
                let reason = vec![1; usize::from(input.u16())];
                LinkInput::Fail { id, failure: Failure::Reason { reason, tlvs: Vec::new() } }
            }
            21 => {
                let failure_code = input.u16();
                let failure = Failure::Malformed { sha256_of_onion: [1; 32], failure_code };
                LinkInput::Fail { id, failure }
            }
            22 => return self.command(Command::Suspend),
            23 => {
                let own = channel.outgoing_htlcs().nth(nth).map(|own| own.htlc.id);
                LinkInput::ExternalFulfill { id: own.unwrap_or(id), preimage: preimage(seed) }
            }
            24..=25 => {
                let new_capacity_sat = capacity_sat.wrapping_add(input.number());
                return self.command(Command::Resize { new_capacity_sat });
            }
            26..=27 => {
                let local_balance_msat = CAPACITY_MSAT / 256 * u64::from(input.u8());
                return self.command(Command::ProposeOverride { local_balance_msat });
            }
            28..=29 => return self.command(Command::AcceptOverride),
            _ => LinkInput::Tick,
        };
        self.give(local);
    }
}
