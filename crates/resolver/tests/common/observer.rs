//! Keeps our record of a channel from the messages alone.

use std::collections::BTreeMap;

use bitcoin::secp256k1::ecdsa::Signature;
use bitcoin::secp256k1::{All, PublicKey, Secp256k1};
use bitcoin::{OutPoint, Txid};
use lightning::chain::transaction::OutPoint as LdkOutPoint;
use lightning::ln::chan_utils::{
    ChannelPublicKeys, ChannelTransactionParameters, CommitmentTransaction,
    CounterpartyChannelTransactionParameters, HTLCOutputInCommitment,
};
use lightning::ln::channel_keys::{DelayedPaymentBasepoint, HtlcBasepoint, RevocationBasepoint};
use lightning::ln::types::ChannelId;
use lightning::sign::{ChannelSigner, InMemorySigner};
use lightning::types::features::ChannelTypeFeatures;
use steward_resolver::*;
use steward_wire::{LinkId, NodeId, PaymentHash, Preimage};

use super::ldk::Message;
use super::{FIRST, KEYS_ID, destination};

/// The anchors of both sides, in satoshi.
const ANCHORS_SAT: u64 = 660;

#[derive(Clone, Debug)]
struct Add {
    amount_msat: u64,
    cltv_expiry: u32,
    payment_hash: PaymentHash,
}

type Name = (Direction, u64);

#[derive(Clone, Debug)]
enum Change {
    Add(Name, Add),
    Fulfill(Name),
    Fail(Name),
    Fee(u32),
}

/// What a commitment is made of, before fees and trimming.
#[derive(Clone, Debug, Default)]
struct Content {
    htlcs: BTreeMap<Name, Add>,
    local_msat: u64,
    remote_msat: u64,
    feerate: u32,
}

impl Content {
    fn balance(&mut self, of: Direction) -> &mut u64 {
        match of {
            Direction::Outgoing => &mut self.local_msat,
            Direction::Incoming => &mut self.remote_msat,
        }
    }

    fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Add(name, add) => {
                    *self.balance(name.0) -= add.amount_msat;
                    self.htlcs.insert(*name, add.clone());
                }
                Change::Fulfill(name) => {
                    let receiver = match name.0 {
                        Direction::Outgoing => Direction::Incoming,
                        Direction::Incoming => Direction::Outgoing,
                    };
                    let add = self.htlcs.remove(name).unwrap();
                    *self.balance(receiver) += add.amount_msat;
                }
                Change::Fail(name) => {
                    let add = self.htlcs.remove(name).unwrap();
                    *self.balance(name.0) += add.amount_msat;
                }
                Change::Fee(per_kw) => self.feerate = *per_kw,
            }
        }
    }
}

/// A commitment of the peer, with all that the tests need to publish it.
#[derive(Clone)]
pub struct Theirs {
    pub content: Commitment,
    pub point: PublicKey,
    pub built: CommitmentTransaction,
}

/// The record.
#[derive(Clone)]
pub struct Observer {
    secp: Secp256k1<All>,
    signer: InMemorySigner,
    peer: NodeId,
    sides: [Option<SideParameters>; 2],
    dust: [u64; 2],
    funding_sat: u64,
    funding: Option<LdkOutPoint>,
    first_signature: Option<Signature>,
    next_point: Option<PublicKey>,
    local_state: Content,
    remote_state: Content,
    local: Option<LocalCommitment>,
    pub local_built: Option<CommitmentTransaction>,
    pub remote: Option<Theirs>,
    pub previous: Option<Theirs>,
    pub archive: Vec<Theirs>,
    secrets: BTreeMap<u32, RevocationSecret>,
    /// Ours: proposed, signed and not revoked, revoked by the peer and not in our commitment.
    ours: [Vec<Change>; 3],
    /// The peer's: proposed, in our commitment, signed by us and not revoked.
    theirs: [Vec<Change>; 3],
    preimages: Vec<Preimage>,
    fulfilled: BTreeMap<u64, Preimage>,
    /// All outgoing HTLCs that ever were.
    outgoing: BTreeMap<u64, (PaymentHash, u64)>,
}

const LOCAL: usize = 0;
const REMOTE: usize = 1;

impl Observer {
    pub fn new(keys: &ChannelKeys, peer: PublicKey) -> Self {
        Self {
            secp: Secp256k1::new(),
            signer: keys.derive(KEYS_ID).unwrap(),
            peer: NodeId(peer.serialize()),
            sides: [None, None],
            dust: [0, 0],
            funding_sat: 0,
            funding: None,
            first_signature: None,
            next_point: None,
            local_state: Content::default(),
            remote_state: Content::default(),
            local: None,
            local_built: None,
            remote: None,
            previous: None,
            archive: vec![],
            secrets: BTreeMap::new(),
            ours: Default::default(),
            theirs: Default::default(),
            preimages: vec![],
            fulfilled: BTreeMap::new(),
            outgoing: BTreeMap::new(),
        }
    }

    /// Returns the hash and the value in satoshi of an outgoing HTLC.
    pub fn outgoing(&self, id: u64) -> (PaymentHash, u64) {
        self.outgoing[&id]
    }

    /// Returns the blocks for which the peer's own outputs wait.
    pub fn to_self_delay_of_peer(&self) -> u16 {
        self.sides[LOCAL].as_ref().unwrap().to_self_delay_blocks
    }

    pub fn is_open(&self) -> bool {
        self.remote.is_some()
    }

    /// Notes a preimage of an incoming HTLC.
    pub fn learn(&mut self, preimage: [u8; 32]) {
        self.preimages.push(Preimage(preimage));
    }

    pub fn sent(&mut self, message: &Message) {
        let name = |id| (Direction::Incoming, id);
        match message {
            Message::Accept(accept) => {
                let common = &accept.common_fields;
                self.sides[LOCAL] = Some(SideParameters {
                    funding_key: common.funding_pubkey,
                    revocation_basepoint: common.revocation_basepoint,
                    payment_basepoint: common.payment_basepoint,
                    delayed_payment_basepoint: common.delayed_payment_basepoint,
                    htlc_basepoint: common.htlc_basepoint,
                    to_self_delay_blocks: common.to_self_delay,
                });
                self.dust[LOCAL] = common.dust_limit_satoshis;
            }
            Message::FundingSigned(_) => {
                let signature = self.first_signature.unwrap();
                self.set_local(0, signature, vec![]);
                let point = self.next_point.take().unwrap();
                self.remote = Some(self.theirs_of(0, point));
            }
            Message::Add(add) => {
                let payment_hash = PaymentHash(add.payment_hash.0);
                let (amount_msat, cltv_expiry) = (add.amount_msat, add.cltv_expiry);
                self.outgoing.insert(add.htlc_id, (payment_hash, amount_msat / 1000));
                let add_name = (Direction::Outgoing, add.htlc_id);
                let add = Add { amount_msat, cltv_expiry, payment_hash };
                self.ours[0].push(Change::Add(add_name, add));
            }
            Message::Fulfill(fulfill) => self.ours[0].push(Change::Fulfill(name(fulfill.htlc_id))),
            Message::Fail(fail) => self.ours[0].push(Change::Fail(name(fail.htlc_id))),
            Message::Malformed(fail) => self.ours[0].push(Change::Fail(name(fail.htlc_id))),
            Message::Commit(_) => self.sign(),
            _ => {}
        }
    }

    /// We sign a new commitment of the peer.
    fn sign(&mut self) {
        let accepted = std::mem::take(&mut self.theirs[1]);
        let proposed = std::mem::take(&mut self.ours[0]);
        let mut next = self.remote_state.clone();
        next.apply(&accepted);
        next.apply(&proposed);
        self.theirs[2] = accepted;
        self.ours[1] = proposed;
        self.remote_state = next;
        let number = self.remote.as_ref().unwrap().content.number + 1;
        let point = self.next_point.take().expect("one unrevoked commitment at a time");
        let theirs = self.theirs_of(number, point);
        self.previous = self.remote.replace(theirs);
    }

    pub fn received(&mut self, message: &Message) {
        let name = |id| (Direction::Outgoing, id);
        match message {
            Message::Open(open) => {
                let common = &open.common_fields;
                self.sides[REMOTE] = Some(SideParameters {
                    funding_key: common.funding_pubkey,
                    revocation_basepoint: common.revocation_basepoint,
                    payment_basepoint: common.payment_basepoint,
                    delayed_payment_basepoint: common.delayed_payment_basepoint,
                    htlc_basepoint: common.htlc_basepoint,
                    to_self_delay_blocks: common.to_self_delay,
                });
                self.dust[REMOTE] = common.dust_limit_satoshis;
                self.funding_sat = common.funding_satoshis;
                self.next_point = Some(common.first_per_commitment_point);
                self.local_state = Content {
                    htlcs: BTreeMap::new(),
                    local_msat: open.push_msat,
                    remote_msat: common.funding_satoshis * 1000 - open.push_msat,
                    feerate: common.commitment_feerate_sat_per_1000_weight,
                };
                self.remote_state = self.local_state.clone();
            }
            Message::FundingCreated(created) => {
                self.funding = Some(LdkOutPoint {
                    txid: created.funding_txid,
                    index: created.funding_output_index,
                });
                self.first_signature = Some(created.signature);
            }
            Message::Ready(ready) => self.next_point = Some(ready.next_per_commitment_point),
            Message::Add(add) => self.theirs[0].push(Change::Add(
                (Direction::Incoming, add.htlc_id),
                Add {
                    amount_msat: add.amount_msat,
                    cltv_expiry: add.cltv_expiry,
                    payment_hash: PaymentHash(add.payment_hash.0),
                },
            )),
            Message::Fulfill(fulfill) => {
                self.theirs[0].push(Change::Fulfill(name(fulfill.htlc_id)));
                let preimage = Preimage(fulfill.payment_preimage.0);
                self.fulfilled.insert(fulfill.htlc_id, preimage);
            }
            Message::Fail(fail) => self.theirs[0].push(Change::Fail(name(fail.htlc_id))),
            Message::Malformed(fail) => self.theirs[0].push(Change::Fail(name(fail.htlc_id))),
            Message::Fee(fee) => self.theirs[0].push(Change::Fee(fee.feerate_per_kw)),
            Message::Commit(commit) => {
                let acked = std::mem::take(&mut self.ours[2]);
                let proposed = std::mem::take(&mut self.theirs[0]);
                self.local_state.apply(&acked);
                self.local_state.apply(&proposed);
                self.theirs[1].extend(proposed);
                let number = self.local.as_ref().unwrap().content.number + 1;
                self.set_local(number, commit.signature, commit.htlc_signatures.clone());
            }
            Message::Revoke(revoke) => {
                self.revoked(revoke.per_commitment_secret, revoke.next_per_commitment_point)
            }
            _ => {}
        }
    }

    /// The peer revokes its older commitment.
    fn revoked(&mut self, secret: [u8; 32], next_point: PublicKey) {
        let previous = self.previous.take().expect("only an older commitment is revoked");
        let number = previous.content.number;
        let place = (FIRST - number).trailing_zeros();
        self.secrets.insert(place, RevocationSecret { number, secret });
        self.archive.push(previous);
        self.next_point = Some(next_point);
        let acked = std::mem::take(&mut self.ours[1]);
        self.ours[2].extend(acked);
        self.theirs[2].clear();
    }

    fn parameters(&self) -> Parameters {
        let funding = self.funding.unwrap();
        Parameters {
            funding: OutPoint { txid: funding.txid, vout: funding.index.into() },
            funding_sat: self.funding_sat,
            is_funder: false,
            local: self.sides[LOCAL].clone().unwrap(),
            remote: self.sides[REMOTE].clone().unwrap(),
        }
    }

    /// Returns the parameters as the owner of a commitment has them.
    pub fn ldk_parameters(&self, owner: usize) -> ChannelTransactionParameters {
        let keys = |side: &SideParameters| ChannelPublicKeys {
            funding_pubkey: side.funding_key,
            revocation_basepoint: RevocationBasepoint::from(side.revocation_basepoint),
            payment_point: side.payment_basepoint,
            delayed_payment_basepoint: DelayedPaymentBasepoint::from(
                side.delayed_payment_basepoint,
            ),
            htlc_basepoint: HtlcBasepoint::from(side.htlc_basepoint),
        };
        let mut features = ChannelTypeFeatures::empty();
        features.set_static_remote_key_required();
        features.set_anchors_zero_fee_htlc_tx_required();
        let own = self.sides[owner].as_ref().unwrap();
        let other = self.sides[1 - owner].as_ref().unwrap();
        ChannelTransactionParameters {
            holder_pubkeys: keys(own),
            holder_selected_contest_delay: own.to_self_delay_blocks,
            is_outbound_from_holder: owner == REMOTE,
            counterparty_parameters: Some(CounterpartyChannelTransactionParameters {
                pubkeys: keys(other),
                selected_contest_delay: other.to_self_delay_blocks,
            }),
            funding_outpoint: self.funding,
            splice_parent_funding_txid: None,
            channel_type_features: features,
            channel_value_satoshis: self.funding_sat,
        }
    }

    /// Makes a commitment: fees, trimming, outputs.
    fn build(
        &self,
        owner: usize,
        number: u64,
        point: &PublicKey,
    ) -> (Commitment, CommitmentTransaction) {
        let state = if owner == LOCAL { &self.local_state } else { &self.remote_state };
        let dust_sat = self.dust[owner];
        let kept = |add: &Add| add.amount_msat / 1000 >= dust_sat;
        let count = state.htlcs.values().filter(|add| kept(add)).count() as u64;
        let fee_sat = u64::from(state.feerate) * (1124 + 172 * count) / 1000;
        let trim = |sat: u64| if sat < dust_sat { 0 } else { sat };
        let local_sat = trim(state.local_msat / 1000);
        let remote_sat = trim((state.remote_msat / 1000).saturating_sub(fee_sat + ANCHORS_SAT));
        let is_own = |direction| (direction == Direction::Outgoing) == (owner == LOCAL);
        let outputs = state
            .htlcs
            .iter()
            .filter(|(_, add)| kept(add))
            .map(|(name, add)| HTLCOutputInCommitment {
                offered: is_own(name.0),
                amount_msat: add.amount_msat,
                cltv_expiry: add.cltv_expiry,
                payment_hash: lightning::types::payment::PaymentHash(add.payment_hash.0),
                transaction_output_index: None,
            })
            .collect();
        let (own, other) =
            if owner == LOCAL { (local_sat, remote_sat) } else { (remote_sat, local_sat) };
        let parameters = self.ldk_parameters(owner);
        let directed = parameters.as_holder_broadcastable();
        let built = CommitmentTransaction::new(
            FIRST - number,
            point,
            own,
            other,
            state.feerate,
            outputs,
            &directed,
            &self.secp,
        );
        let mut left = built.nondust_htlcs().to_vec();
        let htlcs = state.htlcs.iter().map(|(name, add)| {
            let at = left.iter().position(|one| {
                one.payment_hash.0 == add.payment_hash.0
                    && one.amount_msat == add.amount_msat
                    && one.cltv_expiry == add.cltv_expiry
                    && one.offered == is_own(name.0)
            });
            let terms = HtlcTerms {
                direction: name.0,
                amount_msat: add.amount_msat,
                cltv_expiry: add.cltv_expiry,
                payment_hash: add.payment_hash,
                output_index: at.and_then(|at| left.remove(at).transaction_output_index),
            };
            CommitmentHtlc { id: name.1, terms }
        });
        let htlcs = htlcs.collect();
        let feerate_per_kw = state.feerate;
        (Commitment { number, feerate_per_kw, local_sat, remote_sat, htlcs }, built)
    }

    fn set_local(&mut self, number: u64, signature: Signature, htlc_signatures: Vec<Signature>) {
        let point = self.signer.get_per_commitment_point(FIRST - number, &self.secp).unwrap();
        let (content, built) = self.build(LOCAL, number, &point);
        self.local = Some(LocalCommitment { content, signature, htlc_signatures });
        self.local_built = Some(built);
    }

    fn theirs_of(&self, number: u64, point: PublicKey) -> Theirs {
        let (content, built) = self.build(REMOTE, number, &point);
        Theirs { content, point, built }
    }

    /// Returns the record as it is when the channel dies now; `revoked` is the commitment that was
    /// seen, if it is a revoked one.
    pub fn record(&self, best_block: BestBlock, revoked: Option<&Theirs>) -> ChannelAtDeath {
        let remote = |theirs: &Theirs| RemoteCommitment {
            content: theirs.content.clone(),
            point: theirs.point,
            txid: theirs.built.trust().txid(),
        };
        let unrevoked = self.previous.iter().chain(&self.remote);
        let live: Vec<u64> = unrevoked
            .flat_map(|theirs| &theirs.content.htlcs)
            .filter(|htlc| htlc.terms.direction == Direction::Outgoing)
            .map(|htlc| htlc.id)
            .collect();
        ChannelAtDeath {
            link: LinkId(ChannelId::v1_from_funding_outpoint(self.funding.unwrap()).0),
            peer: self.peer,
            keys_id: KEYS_ID,
            parameters: self.parameters(),
            may_publish: true,
            local: self.local.clone().unwrap(),
            remote: remote(self.remote.as_ref().unwrap()),
            remote_previous: self.previous.as_ref().map(remote),
            revoked: revoked.map(|theirs| RevokedCommitment {
                number: theirs.content.number,
                txid: theirs.built.trust().txid(),
                htlcs: theirs
                    .content
                    .htlcs
                    .iter()
                    .filter(|htlc| htlc.terms.output_index.is_some())
                    .map(|htlc| htlc.terms.clone())
                    .collect(),
            }),
            secrets: self.secrets.values().cloned().collect(),
            preimages: self.preimages.clone(),
            fulfilled: self
                .fulfilled
                .iter()
                .filter(|(id, _)| live.contains(id))
                .map(|(id, preimage)| FulfilledHtlc { id: *id, preimage: *preimage })
                .collect(),
            best_block,
            destination: destination(),
        }
    }

    pub fn funding_txid(&self) -> Option<Txid> {
        self.funding.map(|funding| funding.txid)
    }
}
