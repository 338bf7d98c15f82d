//! What was kept of a peer's misbehaviour, in JSON.

use serde::{Deserialize, Serialize};
use steward_store::NumberedEvidence;
use steward_wire::codec::Wire;
use steward_wire::proof::words::words;
use steward_wire::proof::{Findings, judge};
use steward_wire::{LastCrossSignedState, Message, NodeId, Snapshot};
use utoipa::ToSchema;

use super::ProofWords;

/// Part of the list of evidence, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceList {
    /// What is kept.
    pub evidence: Vec<Evidence>,
    /// The next page's `before`; absent at the end.
    pub next: Option<u64>,
}

/// A message that may have to be shown to someone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// Its number.
    pub number: u64,
    /// Whom it is about.
    pub peer_id: String,
    /// When it was kept.
    pub time_ms: u64,
    /// What it shows.
    pub what: String,
    /// The message's name, if it is known.
    pub message: Option<String>,
}

/// A message that was kept, and what it proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceDetails {
    /// The message.
    #[serde(flatten)]
    pub evidence: Evidence,
    /// The message's type on the wire.
    pub message_type: u16,
    /// The message as it was kept, in hexadecimal.
    pub body: String,
    /// The state it holds, if it is one that at least one side signed.
    pub state: Option<EvidenceState>,
    /// The state with both node ids, as `steward verify` takes it.
    pub snapshot: Option<String>,
    /// What the state proves, in sentences.
    pub proof: Option<ProofWords>,
}

/// A state of a channel, from our point of view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceState {
    /// What the channel holds.
    pub capacity_msat: u64,
    /// Our balance.
    pub our_balance_msat: u64,
    /// The peer's balance.
    pub peer_balance_msat: u64,
    /// HTLCs in flight, both ways.
    pub htlcs: u16,
    /// What they are worth together.
    pub in_flight_msat: u64,
    /// Updates of ours so far.
    pub our_updates: u32,
    /// Updates of the peer's so far.
    pub peer_updates: u32,
    /// Height / 144, as the signers wrote it.
    pub block_day: u32,
    /// True if our signature holds.
    pub our_signature_holds: bool,
    /// True if the peer's signature holds.
    pub peer_signature_holds: bool,
    /// Why no channel can have this state; empty if one can.
    pub flaws: Vec<String>,
    /// True if it is newer than the state we have: no counter is lower, and one is higher. Absent
    /// if we have no state.
    pub newer_than_ours: Option<bool>,
}

impl From<&NumberedEvidence> for Evidence {
    fn from(kept: &NumberedEvidence) -> Self {
        let row = &kept.row;
        Self {
            number: kept.number,
            peer_id: row.peer.to_string(),
            time_ms: row.time_ms,
            what: row.what.clone(),
            message: decoded(kept).map(|message| message.name().to_owned()),
        }
    }
}

impl EvidenceDetails {
    /// What was kept of a peer that knows us as `local`; `ours` is our state of that channel.
    pub fn of(kept: &NumberedEvidence, local: NodeId, ours: Option<&LastCrossSignedState>) -> Self {
        let snapshot = match decoded(kept) {
            Some(Message::LastCrossSignedState(state)) => {
                Some(Snapshot { node_id_a: kept.row.peer, node_id_b: local, state })
            }
            _ => None,
        };
        let findings = snapshot.as_ref().and_then(judge);
        Self {
            evidence: Evidence::from(kept),
            message_type: kept.row.message_type,
            body: hex::DisplayHex::to_lower_hex_string(kept.row.body.as_slice()),
            state: findings.as_ref().map(|findings| EvidenceState::of(findings, local, ours)),
            snapshot: snapshot
                .map(|snapshot| hex::DisplayHex::to_lower_hex_string(snapshot.encode().as_slice())),
            proof: findings.as_ref().map(|findings| words(findings).into()),
        }
    }
}

impl EvidenceState {
    fn of(findings: &Findings, local: NodeId, ours: Option<&LastCrossSignedState>) -> Self {
        let host =
            (findings.host_balance_msat, findings.host_updates, findings.host_signature.is_some());
        let client = (
            findings.client_balance_msat,
            findings.client_updates,
            findings.client_signature.is_some(),
        );
        let (us, peer) = if findings.host == local { (host, client) } else { (client, host) };
        let newer_than_ours = ours.map(|ours| {
            let (old, new) = ((ours.local_updates, ours.remote_updates), (us.1, peer.1));
            new.0 >= old.0 && new.1 >= old.1 && new != old
        });
        Self {
            capacity_msat: findings.capacity_msat,
            our_balance_msat: us.0,
            peer_balance_msat: peer.0,
            htlcs: u16::try_from(findings.htlcs.len()).unwrap_or(u16::MAX),
            in_flight_msat: findings.in_flight_msat(),
            our_updates: us.1,
            peer_updates: peer.1,
            block_day: findings.block_day,
            our_signature_holds: us.2,
            peer_signature_holds: peer.2,
            flaws: findings.flaws.iter().map(ToString::to_string).collect(),
            newer_than_ours,
        }
    }
}

/// A message that was cut, or that we could not read then, cannot be read now.
fn decoded(kept: &NumberedEvidence) -> Option<Message> {
    Message::decode(kept.row.message_type, &kept.row.body).ok()
}
