//! A funded channel and a funder that signs what it is told: for what an honest node never sends.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, Txid};
use lightning::sign::{InMemorySigner, KeysManager, SignerProvider};
use steward_funded::bolt3::{
    ChannelSigner, Commitment, CommitmentHtlc, Contents, HtlcKey, LdkSigner, Parameters, Side,
};
use steward_funded::{AcceptTerms, CHANNEL_TYPE, Channel, Env, Input, Output};
use steward_htlc::LinkEvent;
use steward_wire::{
    ChannelId, ChannelMessage, ChannelReady, ChannelReestablish, CommitmentSigned, FundingCreated,
    NodeId, Onion, OpenChannel, RevokeAndAck, ShortChannelId, Signature, UpdateAddHtlc,
};

/// The channel's capacity, in satoshi.
pub const FUNDING_SAT: u64 = 1_000_000;
/// What we have in it at first, in millisatoshi.
pub const PUSH_MSAT: u64 = 400_000_000;
const CHAIN_HASH: [u8; 32] = [6; 32];
const OUR_ID: NodeId = NodeId([2; 33]);
const PEER_ID: NodeId = NodeId([3; 33]);

/// A channel, its database, and the keys of both sides.
pub struct Funded {
    /// The channel.
    pub channel: Channel,
    /// Its record, as it was last written.
    pub record: Option<Vec<u8>>,
    /// The rows of its HTLCs.
    pub rows: BTreeMap<HtlcKey, Vec<u8>>,
    /// Height of the best block.
    pub height: u32,
    ours: LdkSigner<InMemorySigner>,
    peer: LdkSigner<InMemorySigner>,
}

/// Keys that follow from a byte.
pub fn signer(seed: u8) -> LdkSigner<InMemorySigner> {
    LdkSigner(KeysManager::new(&[seed; 32], 1, 1, true).derive_channel_signer([seed; 32]))
}

/// Terms that accept the offer of [`offer`].
pub fn terms() -> AcceptTerms {
    AcceptTerms {
        min_funding_sat: 100_000,
        max_funding_sat: 2_000_000,
        dust_limit_sat: 354,
        to_self_delay: 144,
        max_accepted_htlcs: 483,
        htlc_minimum_msat: 1,
        minimum_depth: 1,
        shutdown_script: [vec![0, 20], vec![5; 20]].concat(),
        may_announce: false,
    }
}

/// A good offer of a funder with these keys.
pub fn offer(peer: &impl ChannelSigner) -> OpenChannel {
    let keys = peer.basepoints();
    OpenChannel {
        chain_hash: CHAIN_HASH,
        temporary_channel_id: ChannelId([9; 32]),
        funding_sat: FUNDING_SAT,
        push_msat: PUSH_MSAT,
        dust_limit_sat: 354,
        max_htlc_value_in_flight_msat: u64::MAX,
        channel_reserve_sat: 10_000,
        htlc_minimum_msat: 1,
        feerate_per_kw: 1_000,
        to_self_delay: 144,
        max_accepted_htlcs: 483,
        funding_pubkey: keys.funding.into(),
        revocation_basepoint: keys.revocation.into(),
        payment_basepoint: keys.payment.into(),
        delayed_payment_basepoint: keys.delayed_payment.into(),
        htlc_basepoint: keys.htlc.into(),
        first_per_commitment_point: peer.point(0).expect("in memory").into(),
        channel_flags: 0,
        tlvs: OpenChannel::tlvs(&[], &CHANNEL_TYPE),
    }
}

impl Funded {
    /// Opens a channel: both sides are ready.
    pub fn open() -> Self {
        let mut funded = Self::open_on(Txid::from_byte_array([8; 32]));
        let (depth, scid) = (6, ShortChannelId(1));
        funded.input(Input::FundingDepth { depth, scid, is_ours: true, is_coinbase: false });
        let ready = ChannelReady {
            channel_id: funded.channel.channel_id(),
            second_per_commitment_point: funded.peer.point(1).expect("in memory").into(),
            tlvs: Vec::new(),
        };
        funded.tell(ChannelMessage::ChannelReady(ready));
        funded
    }

    /// Opens a channel up to `funding_signed`, on the first output of this transaction.
    pub fn open_on(funding_txid: Txid) -> Self {
        let (ours, peer) = (signer(1), signer(2));
        let env = environment(&ours, 100);
        let (channel, _) =
            Channel::accept(&env, &terms(), PEER_ID, 1, &offer(&peer)).expect("a good offer");
        let record = None;
        let mut funded = Self { channel, record, rows: BTreeMap::new(), height: 100, ours, peer };
        let created = FundingCreated {
            temporary_channel_id: ChannelId([9; 32]),
            funding_txid,
            funding_output_index: 0,
            signature: Signature::ZERO,
            tlvs: Vec::new(),
        };
        let signature = funded.sign_first(&created);
        let created = FundingCreated { signature, ..created };
        funded.tell(ChannelMessage::FundingCreated(created));
        funded
    }

    /// The signature on our first commitment. Nobody but the channel knows its parameters yet, and
    /// it tells them only once it has this signature: so it is asked with a copy.
    fn sign_first(&self, created: &FundingCreated) -> Signature {
        let offer = offer(&self.peer);
        let terms = terms();
        let side = |keys: &dyn ChannelSigner, reserve_sat, script: Vec<u8>| {
            steward_funded::bolt3::SideTerms {
                basepoints: keys.basepoints(),
                dust_limit_sat: 354,
                to_self_delay: 144,
                max_in_flight_msat: u64::MAX,
                max_accepted_htlcs: 483,
                htlc_minimum_msat: 1,
                reserve_sat,
                shutdown_script: script,
            }
        };
        let parameters = Parameters {
            format: steward_funded::bolt3::Format::Anchors,
            funding: OutPoint { txid: created.funding_txid, vout: 0 },
            funding_sat: FUNDING_SAT,
            funder: Side::Remote,
            local: side(&self.ours, 10_000, terms.shutdown_script),
            remote: side(&self.peer, 10_000, Vec::new()),
        };
        let contents = Contents {
            local_msat: PUSH_MSAT,
            remote_msat: FUNDING_SAT * 1_000 - PUSH_MSAT,
            feerate_per_kw: offer.feerate_per_kw,
            htlcs: Vec::new(),
        };
        self.sign(&parameters, 0, &contents).0
    }

    fn sign(
        &self,
        parameters: &Parameters,
        number: u64,
        contents: &Contents,
    ) -> (Signature, Vec<Signature>) {
        let parameters = mirrored(parameters);
        let contents = mirrored_contents(contents);
        let commitment = Commitment {
            parameters: &parameters,
            owner: Side::Remote,
            number,
            point: self.ours.point(number).expect("in memory"),
            contents: &contents,
        };
        self.peer.sign_commitment(&parameters, &commitment.build()).expect("in memory")
    }

    /// What our current commitment holds.
    pub fn contents(&self) -> Contents {
        self.channel.defence().expect("the channel is open").local.contents
    }

    /// The peer's signatures on our next commitment, if it holds this.
    pub fn commitment_signed(&self, contents: &Contents) -> ChannelMessage {
        let defence = self.channel.defence().expect("the channel is open");
        let number = defence.local.number + 1;
        let (signature, htlc_signatures) = self.sign(&defence.parameters, number, contents);
        let channel_id = self.channel.channel_id();
        let tlvs = Vec::new();
        let message = CommitmentSigned { channel_id, signature, htlc_signatures, tlvs };
        ChannelMessage::CommitmentSigned(message)
    }

    /// The peer's revocation of its current commitment.
    pub fn revoke_and_ack(&self) -> ChannelMessage {
        let number = self.channel.defence().expect("the channel is open").remote[0].number;
        ChannelMessage::RevokeAndAck(RevokeAndAck {
            channel_id: self.channel.channel_id(),
            per_commitment_secret: self.peer.revoke(number).expect("in memory"),
            next_per_commitment_point: self.peer.point(number + 2).expect("in memory").into(),
            tlvs: Vec::new(),
        })
    }

    /// What the peer says that it has, on a new connection: everything, or all but our last
    /// `commitment_signed` or `revoke_and_ack`.
    pub fn reestablish(&self, lost_commitment: bool, lost_revocation: bool) -> ChannelMessage {
        let defence = self.channel.defence().expect("the channel is open");
        let newest = defence.remote.last().map_or(0, |remote| remote.number);
        let lost_commitment = lost_commitment && defence.remote.len() > 1;
        let revoked = defence.local.number - u64::from(lost_revocation && defence.local.number > 0);
        let secret = revoked.checked_sub(1).map(|last| self.ours.revoke(last).expect("in memory"));
        ChannelMessage::ChannelReestablish(ChannelReestablish {
            channel_id: self.channel.channel_id(),
            next_commitment_number: newest + 1 - u64::from(lost_commitment),
            next_revocation_number: revoked,
            your_last_per_commitment_secret: secret.unwrap_or_default(),
            my_current_per_commitment_point: defence.remote[0].point.into(),
            tlvs: Vec::new(),
        })
    }

    /// An HTLC of the peer's.
    pub fn add(&self, id: u64, amount_msat: u64, cltv_expiry: u32) -> UpdateAddHtlc {
        UpdateAddHtlc {
            channel_id: self.channel.channel_id(),
            id,
            amount_msat,
            payment_hash: steward_wire::Preimage([7; 32]).hash(),
            cltv_expiry,
            onion: Onion(Arc::new([0; steward_wire::limits::ONION_BYTES])),
            tlvs: Vec::new(),
        }
    }

    /// What a commitment holds after these HTLCs of the peer's.
    pub fn with_adds(contents: &Contents, adds: &[UpdateAddHtlc]) -> Contents {
        let mut contents = contents.clone();
        for add in adds {
            contents.remote_msat = contents.remote_msat.saturating_sub(add.amount_msat);
            contents.htlcs.push(CommitmentHtlc {
                key: HtlcKey { offered_by: Side::Remote, id: add.id },
                amount_msat: add.amount_msat,
                payment_hash: add.payment_hash,
                cltv_expiry: add.cltv_expiry,
            });
        }
        contents
    }

    /// Gives the channel a message, and ends the batch.
    pub fn tell(&mut self, message: ChannelMessage) -> Vec<Output> {
        let mut outputs = self.input(Input::Message(message));
        outputs.extend(self.input(Input::Link(steward_htlc::LinkInput::Flush)));
        outputs
    }

    /// Gives the channel an input, and keeps what it wants kept.
    pub fn input(&mut self, input: Input) -> Vec<Output> {
        let env = environment(&self.ours, self.height);
        let outputs = self.channel.handle(&env, input);
        let is_changed =
            outputs.iter().any(|output| matches!(output, Output::Link(LinkEvent::Changed)));
        if is_changed {
            self.record = self.channel.record();
        }
        for output in &outputs {
            match output {
                Output::PutHtlc { key, row } => drop(self.rows.insert(*key, row.clone())),
                Output::DeleteHtlc { key } => drop(self.rows.remove(key)),
                _ => {}
            }
        }
        outputs
    }

    /// The channel as its record and rows have it.
    ///
    /// # Errors
    /// If they are not to be read.
    pub fn stored(&self) -> Result<Channel, steward_funded::RecordError> {
        let record = self.record.as_deref().unwrap_or_default();
        Channel::from_record(record, self.rows.iter().map(|(key, row)| (*key, row.as_slice())))
    }
}

fn environment(signer: &LdkSigner<InMemorySigner>, height: u32) -> Env<'_> {
    Env { signer, local: &OUR_ID, chain_hash: &CHAIN_HASH, height, now_ms: 0 }
}

/// The parameters as the peer has them.
fn mirrored(parameters: &Parameters) -> Parameters {
    Parameters {
        local: parameters.remote.clone(),
        remote: parameters.local.clone(),
        funder: parameters.funder.other(),
        ..parameters.clone()
    }
}

fn mirrored_contents(contents: &Contents) -> Contents {
    let mut mirrored = contents.clone();
    std::mem::swap(&mut mirrored.local_msat, &mut mirrored.remote_msat);
    for htlc in &mut mirrored.htlcs {
        htlc.key.offered_by = htlc.key.offered_by.other();
    }
    mirrored
}
