//! A flooder: strangers and clients that send a host as much as it takes of what costs them little.
//! It runs as a process of its own, on loopback only, and ends by itself.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::{PublicKey, SECP256K1};
use clap::ValueEnum;
use steward_p2p::SessionEvent;
use steward_wire::{
    AskBrandingInfo, ChannelId, Framing, InvokeHostedChannel, LastCrossSignedState, Message,
    NodeId, Onion, PaymentHash, Preimage, Signature, StateUpdate, UpdateAddHtlc, UpdateFulfillHtlc,
    framing,
};

use crate::peer::{Peer, SENT_BYTES, Target};
use crate::process::Result;

/// The connections of one flooder.
const CONNECTIONS: u64 = 4;
/// The messages that are encrypted and sent together.
const MESSAGES_AT_ONCE: usize = 200;
/// The HTLCs that a client leaves in its signed state, so that each answer to it is large.
const HTLCS: u64 = 21;
/// The time between two attempts to be admitted.
const RETRY: Duration = Duration::from_millis(20);
/// The blocks of a day, as states count them.
const BLOCKS_PER_DAY: u32 = 144;

/// The kinds of flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Invokes that are refused.
    Refused,
    /// Requests for the branding, whose answer is large.
    Branding,
    /// Invokes of a client with as many HTLCs as fit, each answered by its state.
    Invokes,
    /// Messages of unknown types.
    Unknown,
    /// Handshakes that are never finished.
    Handshakes,
    /// Messages that must be kept as evidence: fulfills with wrong preimages and long TLVs.
    Evidence,
}

/// All kinds of flood.
pub(crate) const KINDS: [Kind; 6] =
    [Kind::Refused, Kind::Branding, Kind::Invokes, Kind::Unknown, Kind::Handshakes, Kind::Evidence];

/// Floods `target` for `seconds`. `height` is the host's, for the day in states.
pub(crate) fn run(kind: Kind, target: &str, seconds: u64, height: u32) -> Result<()> {
    let target = Target::parse(target)?;
    let end = Instant::now() + Duration::from_secs(seconds);
    std::thread::scope(|scope| {
        scope.spawn(|| report_until(end));
        for number in 0..CONNECTIONS {
            let flooder = Flooder { kind, target, day: height / BLOCKS_PER_DAY, number, end };
            scope.spawn(move || flooder.run());
        }
    });
    Ok(())
}

/// Prints the bytes sent so far and the connections made, again and again, because the measuring
/// process may end us at any time.
fn report_until(end: Instant) {
    let mut stdout = std::io::stdout();
    while Instant::now() < end {
        std::thread::sleep(RETRY);
        let (sent, made) = (SENT_BYTES.load(Ordering::Relaxed), MADE.load(Ordering::Relaxed));
        if writeln!(stdout, "{sent} {made}").is_err() {
            return;
        }
    }
}

static MADE: AtomicU64 = AtomicU64::new(0);

/// One of the connections, made again whenever it ends.
struct Flooder {
    kind: Kind,
    target: Target,
    day: u32,
    number: u64,
    end: Instant,
}

impl Flooder {
    fn connect(&self, attempt: u64) -> Result<Peer> {
        let mut name = [7; 16];
        (name[0], name[1]) = (self.number as u8, self.kind as u8);
        // A client that has a channel returns under the same key.
        let stranger = if self.kind == Kind::Refused { attempt } else { 0 };
        name[8..].copy_from_slice(&stranger.to_be_bytes());
        let peer = Peer::connect(&self.target, &name, attempt)?;
        MADE.fetch_add(1, Ordering::Relaxed);
        Ok(peer)
    }

    fn run(&self) {
        let mut is_filled = false;
        let mut attempt = 0;
        while Instant::now() < self.end {
            attempt += 1;
            // Whatever ends a connection, the next one continues.
            if self.kind == Kind::Handshakes {
                self.hold_handshakes();
            } else if let Ok(mut peer) = self.connect(attempt) {
                let needs_channel = matches!(self.kind, Kind::Invokes | Kind::Evidence);
                if needs_channel && !is_filled {
                    is_filled = peer.fill(self.day).is_ok();
                }
                let _ = peer.pour(self);
            }
            std::thread::sleep(RETRY);
        }
    }

    fn hold_handshakes(&self) {
        let mut held = Vec::new();
        while Instant::now() < self.end
            && let Ok(stream) = self.target.connect()
        {
            MADE.fetch_add(1, Ordering::Relaxed);
            held.push(stream);
            if held.len() >= 300 {
                break;
            }
        }
        std::thread::sleep(Duration::from_secs(1));
    }

    fn message(&self, peer: &Peer) -> Result<(u16, Vec<u8>)> {
        let chain_hash = ChainHash::REGTEST.to_bytes();
        let message = match self.kind {
            Kind::Unknown | Kind::Handshakes => return Ok((40_001, Vec::new())),
            Kind::Branding => Message::AskBrandingInfo(AskBrandingInfo { chain_hash }),
            // All of them have one script, so only the first gets a channel.
            Kind::Refused => peer.invoke([7; 20]),
            Kind::Invokes => peer.invoke(peer.script()),
            Kind::Evidence => {
                // This is an odd TLV of 65 000 bytes.
                let mut tlvs = vec![0x01, 0xfd, 0xfd, 0xe8];
                tlvs.resize(4 + 65_000, 0);
                let (channel_id, preimage) = (peer.channel_id(), Preimage([3; 32]));
                Message::UpdateFulfillHtlc(UpdateFulfillHtlc { channel_id, id: 1, preimage, tlvs })
            }
        };
        Ok(framing::encode(Framing::Modern, &message)?)
    }
}

impl Peer {
    /// Sends without end, and reads as much as keeps the connection.
    fn pour(&mut self, flooder: &Flooder) -> Result<()> {
        let (message_type, payload) = flooder.message(self)?;
        self.stream.set_write_timeout(Some(Duration::from_secs(1)))?;
        while Instant::now() < flooder.end {
            for _ in 0..MESSAGES_AT_ONCE {
                self.session
                    .send(message_type, payload.clone())
                    .map_err(|error| error.to_string())?;
            }
            self.flush()?;
            self.stream.set_nonblocking(true)?;
            self.read()?;
            self.stream.set_nonblocking(false)?;
            self.session.take_events();
        }
        Ok(())
    }

    /// Opens a channel and leaves small HTLCs in its signed state.
    fn fill(&mut self, day: u32) -> Result<()> {
        let invoke = self.invoke(self.script());
        self.send(&invoke)?;
        let Message::InitHostedChannel(init) =
            self.answer(|message| matches!(message, Message::InitHostedChannel(_)))?
        else {
            return Err("no terms".into());
        };
        let capacity_msat = init.channel_capacity_msat;
        let mut state = LastCrossSignedState {
            is_host: false,
            last_refund_scriptpubkey: [[0u8, 20].as_slice(), &self.script()].concat(),
            block_day: day,
            local_balance_msat: init.initial_client_balance_msat,
            remote_balance_msat: capacity_msat.saturating_sub(init.initial_client_balance_msat),
            init_hosted_channel: init,
            local_updates: 0,
            remote_updates: 0,
            incoming_htlcs: Vec::new(),
            outgoing_htlcs: Vec::new(),
            remote_sig_of_local: Signature::ZERO,
            local_sig_of_remote: Signature::ZERO,
        };
        self.sign(&state)?;
        for id in 1..=HTLCS {
            let add = UpdateAddHtlc {
                channel_id: self.channel_id(),
                id,
                amount_msat: 1000,
                payment_hash: PaymentHash([id as u8; 32]),
                cltv_expiry: day * BLOCKS_PER_DAY + 500,
                onion: Onion([0; 1366].into()),
                tlvs: Vec::new(),
            };
            state.outgoing_htlcs.push(add.clone());
            state.local_balance_msat = state.local_balance_msat.saturating_sub(1000);
            state.local_updates += 1;
            self.send(&Message::UpdateAddHtlc(add))?;
        }
        self.sign(&state)
    }

    /// Signs, and waits for the host's signature.
    fn sign(&mut self, state: &LastCrossSignedState) -> Result<()> {
        let update = StateUpdate {
            block_day: state.block_day,
            local_updates: state.local_updates,
            remote_updates: state.remote_updates,
            local_sig_of_remote: state.sign_remote(&self.key),
        };
        self.send(&Message::StateUpdate(update))?;
        self.answer(|message| matches!(message, Message::StateUpdate(_))).map(drop)
    }

    fn answer(&mut self, is_wanted: impl Fn(&Message) -> bool) -> Result<Message> {
        let mut found = None;
        self.until(|peer| {
            for event in peer.session.take_events() {
                let SessionEvent::Message { message_type, payload } = event else { continue };
                let shown = &mut Some(Framing::Modern);
                if let Ok(Some(message)) = framing::decode(shown, message_type, &payload)
                    && is_wanted(&message)
                {
                    found = Some(message);
                }
            }
            found.is_some()
        })?;
        found.ok_or_else(|| "no answer".into())
    }

    fn id(&self) -> NodeId {
        PublicKey::from_secret_key(SECP256K1, &self.key).into()
    }

    fn channel_id(&self) -> ChannelId {
        ChannelId::of_pair(&self.id(), &self.host)
    }

    /// Makes a witness program that no other flooder has.
    fn script(&self) -> [u8; 20] {
        let mut program = [0; 20];
        for (byte, value) in program.iter_mut().zip(self.id().0) {
            *byte = value;
        }
        // Two keys may begin alike.
        for (byte, value) in program.iter_mut().zip(self.key.secret_bytes()) {
            *byte ^= value;
        }
        program
    }

    fn invoke(&self, program: [u8; 20]) -> Message {
        Message::InvokeHostedChannel(InvokeHostedChannel {
            chain_hash: ChainHash::REGTEST.to_bytes(),
            refund_scriptpubkey: [[0u8, 20].as_slice(), &program].concat(),
            secret: Vec::new(),
        })
    }
}
