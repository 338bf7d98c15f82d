//! A dying funded channel: what is stored of it, and records of any content with any chain after them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bitcoin::block::{Header, Version};
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use bitcoin::{
    BlockHash, CompactTarget, OutPoint, Psbt, ScriptBuf, Transaction, TxMerkleNode, Txid,
};
use steward_funded::bolt3::{
    Basepoints, ChannelSigner, CommitmentHtlc, Contents, Format, HtlcKey, LdkSigner, Parameters,
    Shachain, Side, SideTerms,
};
use steward_funded::{Defence, LocalDefence, RemoteDefence};
use steward_resolver::{
    BestBlock, ChannelAtDeath, ChannelKeys, Coin, Coins, Env, Feerates, Input, Output, Purpose,
    Resolver,
};
use steward_wire::{LinkId, NodeId, PaymentHash, Preimage, Signature};

use crate::bytes::Bytes;

const FUNDING_SAT: u64 = 1_000_000;
const CHECKSUM_BYTES: usize = 32;
/// A blob of a release, whose head is changed and made valid again.
const STORED: &[u8] = include_bytes!("../../crates/resolver/tests/blobs/0.3.0-rc3/started.blob");

static KEYS: LazyLock<ChannelKeys> = LazyLock::new(|| ChannelKeys::new(&[7; 32]));

/// A wallet without coins: what needs one is tried with every block.
struct NoCoins;

impl Coins for NoCoins {
    fn confirmed(&self, _: LinkId) -> Vec<Coin> {
        vec![]
    }

    fn previous_transaction(&self, _: OutPoint) -> Option<Transaction> {
        None
    }

    fn change_script(&self) -> ScriptBuf {
        ScriptBuf::new()
    }

    fn sign(&self, _: Psbt) -> Option<Transaction> {
        None
    }
}

/// Reads bytes as a blob; or changes what is before the monitor of a real one.
pub(crate) fn blob(data: &[u8]) {
    let _ = Resolver::read(data, &KEYS);
    let mut forged = STORED[..STORED.len() - CHECKSUM_BYTES].to_vec();
    let head = head_of(&forged);
    let mut bytes = Bytes::new(data);
    while !bytes.is_empty() {
        let at = usize::from(bytes.u16()) % head;
        forged[at] = bytes.u8();
    }
    let checksum = sha256::Hash::hash(&forged);
    forged.extend(checksum.to_byte_array());
    if let Ok(resolver) = Resolver::read(&forged, &KEYS) {
        let again = Resolver::read(&resolver.blob(), &KEYS).expect("what is written is read");
        assert_eq!(again.balances(), resolver.balances());
    }
}

/// Returns where the monitor's bytes begin: after the only length that reaches to the end.
fn head_of(blob: &[u8]) -> usize {
    let is_length = |at: &usize| {
        let length = u32::from_be_bytes(blob[*at..at + 4].try_into().expect("four bytes"));
        length as usize == blob.len() - at - 4
    };
    (0..blob.len() - 4).find(is_length).expect("a monitor") + 4
}

/// Makes a record of any content, and feeds a resolver with commitments, preimages and reorgs.
pub(crate) fn record(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let defence = defence(&mut bytes);
    let best = BestBlock { hash: BlockHash::from_byte_array([1; 32]), height: 100 };
    let destination = ScriptBuf::from(vec![0; usize::from(bytes.u8() % 44)]);
    let Ok(mut record) = ChannelAtDeath::new(&defence, None, best, destination, &KEYS) else {
        return;
    };
    break_something(&mut bytes, &mut record);
    let Ok(resolver) = Resolver::start(&record, &KEYS) else { return };
    let commitments = commitments(&defence);
    let mut life = Life {
        resolver,
        settled: BTreeMap::new(),
        blocks: vec![best],
        may_publish: record.may_publish,
    };
    while !bytes.is_empty() {
        life.step(&mut bytes, &commitments);
    }
}

struct Life {
    resolver: Resolver,
    settled: BTreeMap<u64, bool>,
    blocks: Vec<BestBlock>,
    may_publish: bool,
}

impl Life {
    fn step(&mut self, bytes: &mut Bytes<'_>, commitments: &[Transaction]) {
        match bytes.u8() % 6 {
            0 => self.block(bytes, &[]),
            1 => {
                let which = bytes.below(commitments.len());
                self.block(bytes, &[&commitments[which]]);
            }
            2 => {
                for _ in 0..bytes.u8() {
                    self.block(bytes, &[]);
                }
            }
            3 => self.give(&Input::Preimage(Preimage([bytes.u8() % 3; 32]))),
            4 if self.blocks.len() > 1 => {
                // Deeper ones are final to LDK.
                let depth = 1 + bytes.below((self.blocks.len() - 1).min(5));
                let left = self.blocks.len() - depth;
                self.blocks.truncate(left);
                let fork = self.blocks[left - 1];
                self.give(&Input::Disconnected { fork });
            }
            5 if self.may_publish => self.give(&Input::Publish),
            _ => self.give(&Input::Refresh),
        }
    }

    fn block(&mut self, bytes: &mut Bytes<'_>, transactions: &[&Transaction]) {
        let before = self.blocks[self.blocks.len() - 1];
        let header = Header {
            version: Version::TWO,
            prev_blockhash: before.hash,
            merkle_root: TxMerkleNode::all_zeros(),
            time: u32::from(bytes.u8()),
            bits: CompactTarget::from_consensus(0),
            nonce: 0,
        };
        let height = before.height + 1;
        self.blocks.push(BestBlock { hash: header.block_hash(), height });
        let transactions: Vec<_> = transactions.iter().map(|one| (1, *one)).collect();
        self.give(&Input::Block { header: &header, transactions: &transactions, height });
    }

    fn give(&mut self, input: &Input<'_>) {
        let feerates = Feerates { urgent_per_kw: 1_000, relaxed_per_kw: 253 };
        let env = Env { keys: &KEYS, coins: &NoCoins, feerates };
        for output in self.resolver.handle(input, &env) {
            match output {
                Output::Broadcast { purpose, package } => {
                    assert!(self.may_publish || purpose != Purpose::Commitment);
                    assert!(!package.is_empty());
                }
                Output::Resolved { id, preimage } => {
                    let is_fulfilled = preimage.is_some();
                    let before = self.settled.insert(id, is_fulfilled);
                    assert!(before.is_none_or(|before| !before && is_fulfilled), "{id} twice");
                }
                // To read one after each block would take most of the time.
                Output::Blob(_) if !self.blocks.len().is_multiple_of(16) => {}
                Output::Blob(blob) => {
                    let balances = self.resolver.balances();
                    self.resolver = Resolver::read(&blob, &KEYS).expect("what is stored is read");
                    assert_eq!(self.resolver.balances(), balances);
                }
                Output::Sweepable { .. } | Output::NoCoins { .. } | Output::Done => {}
            }
        }
    }
}

fn point(of: u8) -> PublicKey {
    let secret = SecretKey::from_slice(&[of; 32]).expect("a key");
    PublicKey::from_secret_key(&Secp256k1::new(), &secret)
}

fn terms(basepoints: Basepoints, to_self_delay: u16) -> SideTerms {
    SideTerms {
        basepoints,
        dust_limit_sat: 354,
        to_self_delay,
        max_in_flight_msat: u64::MAX,
        max_accepted_htlcs: 483,
        htlc_minimum_msat: 1,
        reserve_sat: 1_000,
        shutdown_script: vec![],
    }
}

fn signer() -> impl ChannelSigner {
    LdkSigner(KEYS.derive(1).expect("a small number"))
}

fn defence(bytes: &mut Bytes<'_>) -> Defence {
    let remote = Basepoints {
        funding: point(11),
        revocation: point(12),
        payment: point(13),
        delayed_payment: point(14),
        htlc: point(15),
    };
    let funder = if bytes.flag() { Side::Local } else { Side::Remote };
    let parameters = Parameters {
        format: Format::Anchors,
        funding: OutPoint { txid: Txid::from_byte_array([2; 32]), vout: u32::from(bytes.u8() % 3) },
        funding_sat: FUNDING_SAT,
        funder,
        local: terms(signer().basepoints(), bytes.u16() % 2_016),
        remote: terms(remote, bytes.u16() % 2_016),
    };
    let (local, older, newer) = (contents(bytes), contents(bytes), contents(bytes));
    let mut remote = vec![RemoteDefence { number: 0, point: point(21), contents: older }];
    if bytes.flag() {
        remote.push(RemoteDefence { number: 1, point: point(22), contents: newer });
    }
    let outputs = local.outputs(Format::Anchors, Side::Local, 354);
    Defence {
        peer: NodeId(point(31).serialize()),
        keys_id: 1,
        parameters,
        local: LocalDefence {
            number: u64::from(bytes.u8() % 2),
            contents: local,
            signature: Signature([1; 64]),
            htlc_signatures: vec![Signature([1; 64]); outputs],
        },
        remote,
        remote_next_point: None,
        secrets: Shachain::default(),
        preimages: (0..bytes.u8() % 3).map(|of| Preimage([of; 32])).collect(),
        fulfilled: (0..bytes.u8() % 3).map(|id| (u64::from(id), Preimage([0; 32]))).collect(),
        may_publish: bytes.flag(),
    }
}

/// Reads what a commitment holds. Together it is worth no more than the channel.
fn contents(bytes: &mut Bytes<'_>) -> Contents {
    let mut left_msat = FUNDING_SAT * 1_000;
    let mut part = |bytes: &mut Bytes<'_>| {
        let share = left_msat / 256 * u64::from(bytes.u8()) + u64::from(bytes.u16());
        let share = share.min(left_msat);
        left_msat -= share;
        share
    };
    let htlcs = (0..bytes.u8() % 6).map(|number| {
        let offered_by = if bytes.flag() { Side::Local } else { Side::Remote };
        CommitmentHtlc {
            key: HtlcKey { offered_by, id: u64::from(number) },
            amount_msat: part(bytes) / 8,
            payment_hash: hash(bytes.u8() % 3),
            // Each has its own: docs/resolver.md, "What LDK decides".
            cltv_expiry: 100 + u32::from(bytes.u8() % 40) * 6 + u32::from(number),
        }
    });
    let htlcs = htlcs.collect();
    Contents {
        htlcs,
        local_msat: part(bytes),
        remote_msat: part(bytes),
        feerate_per_kw: 253 + u32::from(bytes.u16()),
    }
}

fn hash(of: u8) -> PaymentHash {
    Preimage([of; 32]).hash()
}

/// Changes one field of the record, or none.
fn break_something(bytes: &mut Bytes<'_>, record: &mut ChannelAtDeath) {
    let number = bytes.number();
    match bytes.u8() % 24 {
        0 => record.keys_id = number,
        1 => record.parameters.funding_sat = number,
        2 => record.local.content.number = number,
        3 => record.remote.content.number = number,
        4 => record.local.content.local_sat = number,
        5 => record.remote.content.remote_sat = number,
        6 => record.best_block.height = u32::try_from(number % (1 << 30)).unwrap_or_default(),
        7 => record.local.content.htlcs.truncate(1),
        8 => {
            if let Some(htlc) = record.remote.content.htlcs.first_mut() {
                htlc.terms.output_index = u32::try_from(number).ok();
            }
        }
        9 => {
            if let Some(htlc) = record.local.content.htlcs.first_mut() {
                htlc.terms.amount_msat = number;
            }
        }
        10 => {
            let secret = [bytes.u8(); 32];
            record.secrets.push(steward_resolver::RevocationSecret { number, secret });
        }
        11 => {
            record.revoked = Some(steward_resolver::RevokedCommitment {
                number,
                txid: Txid::from_byte_array([3; 32]),
                htlcs: record.remote.content.htlcs.iter().map(|htlc| htlc.terms.clone()).collect(),
            });
        }
        _ => {}
    }
}

/// All transactions that may spend the funding output, and one that nobody knows.
fn commitments(defence: &Defence) -> Vec<Transaction> {
    let mut all: Vec<_> =
        defence.remote.iter().map(|one| defence.build_remote(one).transaction()).collect();
    let local = signer().point(defence.local.number).map(|point| defence.build_local(point));
    all.extend(local.map(|built| built.transaction()));
    let mut unknown = all[0].clone();
    unknown.output.truncate(1);
    all.push(unknown);
    all
}
