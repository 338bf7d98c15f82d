//! The judgement of an exported state: what it proves, against which side, and what it leaves open.
//!
//! A signature counts against its signer only. A client can hold the host's signature against the
//! host; the client's signature shows that the client accepted the state, and the client can make
//! it again at any time. The deployed protocol signs less than a state shows: neither signature
//! covers the other side's node id, the chain, or which side offered an HTLC. So a stranger who has
//! seen a state can put itself in the client's place, and HTLCs can be moved to the other list,
//! with every signature still valid. This module names what the signatures leave open instead of
//! assuming it.
//!
//! Signatures cover the names of nodes and directions in two ways only: an HTLC carries the channel
//! id, which is a hash of both node ids; and directions follow from ids and counters when only one
//! split of the signed sequence of HTLCs is possible. [`words`] turns the findings into sentences.

pub mod words;

use crate::bolt2::UpdateAddHtlc;
use crate::ids::{ChannelId, NodeId, PaymentHash};
use crate::snapshot::Snapshot;
use crate::state::LastCrossSignedState;

/// One side of a hosted channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// The side that keeps the money and owes it.
    Host,
    /// The side to which the money is owed.
    Client,
}

impl Party {
    fn other(self) -> Self {
        match self {
            Self::Host => Self::Client,
            Self::Client => Self::Host,
        }
    }
}

/// The result of judging a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// The node shown as host.
    pub host: NodeId,
    /// The node shown as client.
    pub client: NodeId,
    /// The host's signature, if it holds. Nothing else counts against the host.
    pub host_signature: Option<Signed>,
    /// The client's signature, if it holds. Nothing else counts against the client.
    pub client_signature: Option<Signed>,
    /// The reasons why no channel can have such a state. If there is any, nothing is proved.
    pub flaws: Vec<Flaw>,
    /// The hash that the host signs. Together with the host's id it names the debt: two files in
    /// which both are equal show one debt, even if they name different clients.
    pub debt: [u8; 32],
    /// The script of the client's refund, the only name of the creditor that is always signed.
    pub refund_script: Vec<u8>,
    /// The capacity of the channel, in millisatoshi.
    pub capacity_msat: u64,
    /// The host's balance, in millisatoshi.
    pub host_balance_msat: u64,
    /// The client's balance, in millisatoshi: what the host owes in any case.
    pub client_balance_msat: u64,
    /// The number of updates that the host has sent.
    pub host_updates: u32,
    /// The number of updates that the client has sent.
    pub client_updates: u32,
    /// The height divided by 144, as the signers wrote it.
    pub block_day: u32,
    /// The HTLCs in flight, in the order in which the signer that counts has signed them.
    pub htlcs: Vec<Htlc>,
}

/// The content of a valid signature beyond the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// True if the signature names the other side: by the channel id in an HTLC that the signer
    /// itself has provably offered. Otherwise only the file names the other side.
    pub names_other: bool,
}

/// An HTLC in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Htlc {
    /// The number that the offerer gave it.
    pub id: u64,
    /// The amount, in millisatoshi.
    pub amount_msat: u64,
    /// The hash whose preimage claims it.
    pub payment_hash: PaymentHash,
    /// The height up to which it can be claimed.
    pub cltv_expiry: u32,
    /// The side in whose list the file shows it.
    pub shown_as_offered_by: Party,
    /// The side that offered it, by the host's signature if that holds, else by the client's.
    /// `None` means that the direction is not proved.
    pub offered_by: Option<Party>,
}

/// A reason why a state cannot belong to a channel between the two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Both ends are one node.
    #[error("both ends of the channel are the same node")]
    SameNode,
    /// The sum differs from the capacity.
    #[error("balances and HTLCs do not add up to the capacity")]
    NotBalanced,
    /// An HTLC has the amount zero: it could hide where another one begins.
    #[error("HTLC {id} is of amount zero")]
    ZeroAmount {
        /// The number of the HTLC.
        id: u64,
    },
    /// An HTLC is not in the order in which states are signed.
    #[error(
        "HTLC {id} is out of order: HTLCs of one side are signed in the order of their numbers"
    )]
    OutOfOrder {
        /// The number of the HTLC.
        id: u64,
    },
    /// An HTLC has a number that its offerer had not reached.
    #[error("HTLC {id} has a number that its offerer had not reached")]
    BeyondCounter {
        /// The number of the HTLC.
        id: u64,
    },
    /// The offerer of an HTLC made it for another pair of nodes.
    #[error("HTLC {id} belongs to a channel of other nodes")]
    ForeignChannel {
        /// The number of the HTLC.
        id: u64,
    },
}

/// Judges a snapshot. Returns `None` if neither node's signature holds, whichever of the two is the
/// host: such a file proves nothing.
pub fn judge(snapshot: &Snapshot) -> Option<Findings> {
    let (a, b) = (snapshot.node_id_a, snapshot.node_id_b);
    let as_host_and_client = |holder, other| match snapshot.state.is_host {
        true => (holder, other),
        false => (other, holder),
    };
    let at_client = match snapshot.state.is_host {
        true => snapshot.state.reverse(),
        false => snapshot.state.clone(),
    };
    // The order of the ids means nothing; the host's signature weighs more than the client's.
    let [first, second] = [(a, b), (b, a)].map(|(holder, other)| {
        let (host, client) = as_host_and_client(holder, other);
        Signatures::of(&at_client, host, client)
    });
    let signatures = if second.weight() > first.weight() { second } else { first };
    (signatures.weight() > 0).then(|| findings(&at_client, signatures))
}

impl Findings {
    /// Returns true if the host is shown to owe what the state says: its signature holds over a
    /// state that a channel can have.
    pub fn proves_debt(&self) -> bool {
        self.host_signature.is_some() && self.flaws.is_empty()
    }

    /// Returns true if both signatures hold over a state that a channel can have, as in every state
    /// of an open channel.
    pub fn both_signed(&self) -> bool {
        self.proves_debt() && self.client_signature.is_some()
    }

    /// Returns what the host owes if every HTLC ends in the client's favour, in millisatoshi.
    pub fn owed_at_most_msat(&self) -> u64 {
        self.capacity_msat.saturating_sub(self.host_balance_msat)
    }

    /// Returns the sum of the HTLCs, in millisatoshi.
    pub fn in_flight_msat(&self) -> u64 {
        self.htlcs.iter().fold(0, |sum, htlc| sum.saturating_add(htlc.amount_msat))
    }
}

/// The signatures that hold if these two nodes are host and client.
#[derive(Clone, Copy)]
struct Signatures {
    host: NodeId,
    client: NodeId,
    by_host: bool,
    by_client: bool,
}

impl Signatures {
    fn of(at_client: &LastCrossSignedState, host: NodeId, client: NodeId) -> Self {
        Self {
            host,
            client,
            by_host: host.public_key().is_some_and(|key| at_client.verify_remote_sig(&key)),
            by_client: client.public_key().is_some_and(|key| at_client.verify_local_sig(&key)),
        }
    }

    fn weight(self) -> u8 {
        2 * u8::from(self.by_host) + u8::from(self.by_client)
    }
}

fn findings(at_client: &LastCrossSignedState, signatures: Signatures) -> Findings {
    let Signatures { host, client, by_host, by_client } = signatures;
    let channel_id = ChannelId::of_pair(&host, &client);
    let signed_by_host = Sequence::signed_by(Party::Host, at_client);
    let signed_by_client = Sequence::signed_by(Party::Client, at_client);
    let accusing = if by_host { &signed_by_host } else { &signed_by_client };

    Findings {
        host,
        client,
        host_signature: by_host.then(|| Signed { names_other: signed_by_host.names(channel_id) }),
        client_signature: by_client
            .then(|| Signed { names_other: signed_by_client.names(channel_id) }),
        flaws: flaws(at_client, host, client),
        debt: at_client.sighash(),
        refund_script: at_client.last_refund_scriptpubkey.clone(),
        capacity_msat: at_client.init_hosted_channel.channel_capacity_msat,
        host_balance_msat: at_client.remote_balance_msat,
        client_balance_msat: at_client.local_balance_msat,
        host_updates: at_client.remote_updates,
        client_updates: at_client.local_updates,
        block_day: at_client.block_day,
        htlcs: accusing.htlcs(),
    }
}

fn flaws(at_client: &LastCrossSignedState, host: NodeId, client: NodeId) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    if host == client {
        flaws.push(Flaw::SameNode);
    }
    if !at_client.is_balanced() {
        flaws.push(Flaw::NotBalanced);
    }
    let channel_id = ChannelId::of_pair(&host, &client);
    for (adds, updates) in [
        (&at_client.incoming_htlcs, at_client.remote_updates),
        (&at_client.outgoing_htlcs, at_client.local_updates),
    ] {
        let mut before = None;
        for add in adds {
            let id = add.id;
            if add.amount_msat == 0 {
                flaws.push(Flaw::ZeroAmount { id });
            }
            if before.is_some_and(|before| before >= id) {
                flaws.push(Flaw::OutOfOrder { id });
            }
            if id > u64::from(updates) {
                flaws.push(Flaw::BeyondCounter { id });
            }
            if add.channel_id != channel_id {
                flaws.push(Flaw::ForeignChannel { id });
            }
            before = Some(id);
        }
    }
    flaws
}

/// The HTLCs in the sequence that one side signs: its own, then the other side's, without a mark
/// between them.
struct Sequence<'a> {
    signer: Party,
    adds: Vec<&'a UpdateAddHtlc>,
    /// The number of HTLCs in the signer's list, as the file shows the state.
    shown_split: usize,
    /// The numbers of leading HTLCs that can be the signer's, as ids and counters allow.
    possible_splits: Vec<usize>,
}

impl<'a> Sequence<'a> {
    /// Builds the sequence. The signer covers the other side's copy, in which the signer's HTLCs
    /// are the incoming ones.
    fn signed_by(signer: Party, at_client: &'a LastCrossSignedState) -> Self {
        let (own, others) = match signer {
            Party::Host => (&at_client.incoming_htlcs, &at_client.outgoing_htlcs),
            Party::Client => (&at_client.outgoing_htlcs, &at_client.incoming_htlcs),
        };
        let (own_updates, others_updates) = match signer {
            Party::Host => (at_client.remote_updates, at_client.local_updates),
            Party::Client => (at_client.local_updates, at_client.remote_updates),
        };
        let adds: Vec<_> = own.iter().chain(others).collect();
        let is_possible = |split: &usize| {
            adds.split_at_checked(*split).is_some_and(|(own, others)| {
                can_be_numbered(own, own_updates) && can_be_numbered(others, others_updates)
            })
        };
        let possible_splits = (0..=adds.len()).filter(is_possible).collect();
        Self { signer, adds, shown_split: own.len(), possible_splits }
    }

    fn htlcs(&self) -> Vec<Htlc> {
        let htlc = |(position, add): (usize, &&UpdateAddHtlc)| Htlc {
            id: add.id,
            amount_msat: add.amount_msat,
            payment_hash: add.payment_hash,
            cltv_expiry: add.cltv_expiry,
            shown_as_offered_by: match position < self.shown_split {
                true => self.signer,
                false => self.signer.other(),
            },
            offered_by: self.offerer(position),
        };
        self.adds.iter().enumerate().map(htlc).collect()
    }

    /// Returns the side that offered the HTLC at this position, if every possible split agrees.
    fn offerer(&self, position: usize) -> Option<Party> {
        // Each end of a split can only move until its order breaks, so the possible splits are a
        // range.
        let (least, most) = (self.possible_splits.first()?, self.possible_splits.last()?);
        if position < *least {
            Some(self.signer)
        } else if position >= *most {
            Some(self.signer.other())
        } else {
            None
        }
    }

    /// Returns true if the signer itself has put this channel id into an HTLC that is provably its
    /// own.
    fn names(&self, channel_id: ChannelId) -> bool {
        self.adds.iter().enumerate().any(|(position, add)| {
            add.channel_id == channel_id && self.offerer(position) == Some(self.signer)
        })
    }
}

/// Returns true if these can be HTLCs of one side, in order, with `updates` as that side's counter.
fn can_be_numbered(adds: &[&UpdateAddHtlc], updates: u32) -> bool {
    adds.iter().is_sorted_by(|one, next| one.id < next.id)
        && adds.last().is_none_or(|last| last.id <= u64::from(updates))
}
