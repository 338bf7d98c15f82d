//! Evidence of a peer's misbehaviour, in JSON.

use serde::{Deserialize, Serialize};
use steward_node::ops::evidence::{Examined, ProvedState};
use steward_store::NumberedEvidence;
use steward_wire::Message;
use steward_wire::codec::Wire;
use steward_wire::proof::words::words;
use utoipa::ToSchema;

use super::proof::ProofWords;

/// Part of the list of evidence, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceList {
    /// The messages that are kept.
    pub evidence: Vec<Evidence>,
    /// The next page's `before`; absent at the end.
    pub next: Option<u64>,
}

/// A message that may have to be shown to someone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// Its number.
    pub number: u64,
    /// The peer that it is about.
    pub peer_id: String,
    /// The time when it was kept.
    pub time_ms: u64,
    /// A sentence that says what it shows.
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
    /// The findings: what the state proves, in sentences.
    pub proof: Option<ProofWords>,
}

/// A state of a channel, from our point of view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceState {
    /// The amount that the channel holds.
    pub capacity_msat: u64,
    /// Our balance.
    pub our_balance_msat: u64,
    /// The peer's balance.
    pub peer_balance_msat: u64,
    /// The number of HTLCs in flight, both ways.
    pub htlcs: u16,
    /// The sum of their amounts.
    pub in_flight_msat: u64,
    /// The number of our updates so far.
    pub our_updates: u32,
    /// The number of the peer's updates so far.
    pub peer_updates: u32,
    /// The block day, which is the height / 144, as the signers wrote it.
    pub block_day: u32,
    /// True if our signature holds.
    pub our_signature_holds: bool,
    /// True if the peer's signature holds.
    pub peer_signature_holds: bool,
    /// The reasons why no channel can have this state; empty if one can.
    pub flaws: Vec<String>,
    /// True if it is newer than the state we have: no counter is lower, and one is higher. Absent
    /// if we have no state.
    pub newer_than_ours: Option<bool>,
}

impl From<&NumberedEvidence> for Evidence {
    fn from(kept: &NumberedEvidence) -> Self {
        let row = &kept.row;
        // A message that was cut, or that we could not read then, cannot be read now.
        let message = Message::decode(row.message_type, &row.body).ok();
        Self {
            number: kept.number,
            peer_id: row.peer.to_string(),
            time_ms: row.time_ms,
            what: row.what.clone(),
            message: message.map(|message| message.name().to_owned()),
        }
    }
}

impl From<&Examined> for EvidenceDetails {
    fn from(examined: &Examined) -> Self {
        let Examined { kept, snapshot, findings, state } = examined;
        let hex = |bytes: &[u8]| hex::DisplayHex::to_lower_hex_string(bytes);
        Self {
            evidence: Evidence::from(kept),
            message_type: kept.row.message_type,
            body: hex(&kept.row.body),
            state: state.clone().map(EvidenceState::from),
            snapshot: snapshot.as_ref().map(|snapshot| hex(&snapshot.encode())),
            proof: findings.as_ref().map(|findings| words(findings).into()),
        }
    }
}

impl From<ProvedState> for EvidenceState {
    fn from(state: ProvedState) -> Self {
        Self {
            capacity_msat: state.capacity_msat,
            our_balance_msat: state.our_balance_msat,
            peer_balance_msat: state.peer_balance_msat,
            htlcs: state.htlcs,
            in_flight_msat: state.in_flight_msat,
            our_updates: state.our_updates,
            peer_updates: state.peer_updates,
            block_day: state.block_day,
            our_signature_holds: state.our_signature_holds,
            peer_signature_holds: state.peer_signature_holds,
            flaws: state.flaws,
            newer_than_ours: state.newer_than_ours,
        }
    }
}
