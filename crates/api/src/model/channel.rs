//! Channels in JSON.

use serde::{Deserialize, Serialize};
use steward_engine::command::ChannelInfo;
use steward_wire::codec::Wire;
use steward_wire::proof::judge;
use steward_wire::proof::words::words;
use steward_wire::{ChannelUpdate, InitHostedChannel, Snapshot};
use utoipa::ToSchema;

use super::node::ConnectionFailure;
use super::proof::ProofWords;

/// All channels of the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Channels {
    /// The channels, in the order of the other side's node id.
    pub channels: Vec<Channel>,
}

/// A hosted channel: a debt that both sides sign, not coins on a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Channel {
    /// Its name, which no other channel has: as in BOLT 2, 64 hexadecimal digits.
    #[serde(default)]
    #[schema(required)]
    pub channel_id: String,
    /// The other side's node id.
    pub peer_id: String,
    /// Our own node id in this channel: a client has one identity per host.
    pub local_id: String,
    /// The short channel id, `block x transaction x output` in form only: derived from the two node
    /// ids.
    pub short_channel_id: String,
    /// The side that we are.
    pub role: Role,
    /// True if we are the client: the host keeps the money and could run away with it. The
    /// signatures prove what it owes; they do not make it pay.
    pub custodial: bool,
    /// The stage of the channel's life.
    pub phase: Phase,
    /// The reason why no payments are accepted, if the channel is suspended.
    pub suspension: Option<Suspension>,
    /// Amounts and limits; absent until both sides signed a first state.
    pub balances: Option<ChannelBalances>,
    /// As client: the fees the host asks for forwarding to us, once it has said so.
    pub host_policy: Option<Policy>,
    /// As client: our balance in the state the host proposes after a suspension.
    pub override_balance_msat: Option<u64>,
    /// The failure of the last attempt to reach the other side, if we try and it is not connected.
    pub connection_failure: Option<ConnectionFailure>,
}

/// Amounts of a channel, and the limits both agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelBalances {
    /// The amount that the channel holds in all.
    pub capacity_msat: u64,
    /// Our balance in the last state both signed.
    pub local_balance_msat: u64,
    /// The other side's balance in the last state both signed.
    pub remote_balance_msat: u64,
    /// The most we could send now, before fees.
    pub spendable_msat: u64,
    /// The most we could receive while the channel is active.
    pub receivable_msat: u64,
    /// The number of HTLCs we offered that have not ended.
    pub outgoing_htlcs: u16,
    /// The number of HTLCs offered to us that have not ended.
    pub incoming_htlcs: u16,
    /// The agreed limits.
    pub terms: Terms,
}

/// The limits that both sides agreed to when the channel was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Terms {
    /// The most that may be in flight in one direction.
    pub max_htlc_value_in_flight_msat: u64,
    /// The smallest HTLC.
    pub htlc_minimum_msat: u64,
    /// The most HTLCs in flight in one direction.
    pub max_accepted_htlcs: u16,
    /// The balance that the client was given at the start.
    pub initial_client_balance_msat: u64,
}

/// A side of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Keeps the money and owes the other side its balance.
    Host,
    /// Trusts the other side with its balance.
    Client,
}

/// The stage of a channel's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// There is no signed state yet.
    Opening,
    /// The other side is not connected.
    Offline,
    /// Both sides compare their states.
    Syncing,
    /// Payments flow.
    Active,
    /// Something is wrong: no new payments until a person acts.
    Suspended,
}

/// The reason why a channel is suspended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Suspension {
    /// True if we found the error, false if the other side says so.
    pub by_us: bool,
    /// The protocol's error code, if there is one.
    pub error_code: Option<u16>,
    /// A sentence; the other side's words if it is by the other side.
    pub reason: String,
}

/// The terms on which a node forwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Policy {
    /// The fixed fee.
    pub fee_base_msat: u32,
    /// The proportional fee, in millionths.
    pub fee_ppm: u32,
    /// The number of blocks between two expiries.
    pub cltv_expiry_delta_blocks: u16,
}

/// A channel with the proof of its balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelDetails {
    /// The channel.
    #[serde(flatten)]
    pub channel: Channel,
    /// The last state both signed, with both node ids, as hexadecimal: anyone who has it can check
    /// what the host owes, and can show it to others at any time: give it only to those who may
    /// know.
    pub snapshot: Option<String>,
    /// True if the signatures of both sides hold.
    pub signatures_valid: Option<bool>,
    /// The findings of `steward verify`: what the snapshot proves, and what it does not.
    pub proof: Option<ProofWords>,
}

impl From<&ChannelInfo> for Channel {
    fn from(info: &ChannelInfo) -> Self {
        Self {
            channel_id: info.link.to_string(),
            peer_id: info.peer.to_string(),
            local_id: info.local.to_string(),
            short_channel_id: info.short_channel_id.to_string(),
            role: info.role.into(),
            custodial: info.role == steward_hosted::Role::Client,
            phase: info.phase.into(),
            suspension: info.suspension.as_ref().map(Suspension::from),
            balances: info.summary.as_ref().map(ChannelBalances::from),
            host_policy: info.peer_policy.as_ref().map(Policy::from),
            override_balance_msat: info.override_balance_msat,
            connection_failure: None,
        }
    }
}

impl From<&ChannelInfo> for ChannelDetails {
    fn from(info: &ChannelInfo) -> Self {
        let snapshot = info.state.as_ref().map(|state| Snapshot {
            node_id_a: info.local,
            node_id_b: info.peer,
            state: state.clone(),
        });
        Self {
            channel: info.into(),
            proof: snapshot.as_ref().and_then(judge).map(|findings| words(&findings).into()),
            snapshot: snapshot.map(encode_snapshot),
            signatures_valid: info.signatures_valid,
        }
    }
}

impl Channel {
    /// Makes the row, with the reason why the other side cannot be reached, if it is among
    /// `failures`.
    #[must_use]
    pub fn with_failure(self, failures: &[steward_node::ConnectionFailure]) -> Self {
        let failure = failures.iter().find(|failure| failure.peer.to_string() == self.peer_id);
        Self { connection_failure: failure.map(ConnectionFailure::from), ..self }
    }
}

fn encode_snapshot(snapshot: Snapshot) -> String {
    hex::DisplayHex::to_lower_hex_string(snapshot.encode().as_slice())
}

impl From<&steward_hosted::Summary> for ChannelBalances {
    fn from(summary: &steward_hosted::Summary) -> Self {
        Self {
            capacity_msat: summary.capacity_msat,
            local_balance_msat: summary.local_balance_msat,
            remote_balance_msat: summary.remote_balance_msat,
            spendable_msat: summary.spendable_msat,
            receivable_msat: summary.receivable_msat,
            outgoing_htlcs: summary.outgoing_htlcs,
            incoming_htlcs: summary.incoming_htlcs,
            terms: Terms::from(&summary.terms),
        }
    }
}

impl From<&InitHostedChannel> for Terms {
    fn from(terms: &InitHostedChannel) -> Self {
        Self {
            max_htlc_value_in_flight_msat: terms.max_htlc_value_in_flight_msat,
            htlc_minimum_msat: terms.htlc_minimum_msat,
            max_accepted_htlcs: terms.max_accepted_htlcs,
            initial_client_balance_msat: terms.initial_client_balance_msat,
        }
    }
}

impl From<&ChannelUpdate> for Policy {
    fn from(update: &ChannelUpdate) -> Self {
        Self {
            fee_base_msat: update.fee_base_msat,
            fee_ppm: update.fee_proportional_millionths,
            cltv_expiry_delta_blocks: update.cltv_expiry_delta,
        }
    }
}

impl From<&steward_hosted::Suspension> for Suspension {
    fn from(suspension: &steward_hosted::Suspension) -> Self {
        Self {
            by_us: suspension.by_us,
            error_code: suspension.code,
            reason: suspension.text.clone(),
        }
    }
}

impl From<steward_hosted::Role> for Role {
    fn from(role: steward_hosted::Role) -> Self {
        match role {
            steward_hosted::Role::Host => Self::Host,
            steward_hosted::Role::Client => Self::Client,
        }
    }
}

impl From<steward_hosted::Phase> for Phase {
    fn from(phase: steward_hosted::Phase) -> Self {
        match phase {
            steward_hosted::Phase::Opening => Self::Opening,
            steward_hosted::Phase::Offline => Self::Offline,
            steward_hosted::Phase::Syncing => Self::Syncing,
            steward_hosted::Phase::Active => Self::Active,
            steward_hosted::Phase::Suspended => Self::Suspended,
        }
    }
}
