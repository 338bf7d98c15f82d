//! Evidence: the operations that list and show it, and the balance that it proves.

use steward_engine::command::ChannelRef;
use steward_engine::{Code, Error};
use steward_hosted::Role;
use steward_store::{NumberedEvidence, Page, PageRequest};
use steward_wire::proof::{Findings, judge};
use steward_wire::{LastCrossSignedState, Message, NodeId, Snapshot};

use super::operations::Operations;

/// A message that was kept, and the state that it proves.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The message.
    pub kept: NumberedEvidence,
    /// The state that the message holds with both node ids, if it holds one.
    pub snapshot: Option<Snapshot>,
    /// The proofs in that state, if a side signed it.
    pub findings: Option<Findings>,
    /// The state from our point of view.
    pub state: Option<ProvedState>,
}

/// A state of a channel that at least one side signed, from our point of view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedState {
    /// The channel's capacity, in millisatoshi.
    pub capacity_msat: u64,
    /// Our balance, in millisatoshi.
    pub our_balance_msat: u64,
    /// The peer's balance, in millisatoshi.
    pub peer_balance_msat: u64,
    /// HTLCs in flight, both ways.
    pub htlcs: u16,
    /// The sum of the HTLCs in flight, in millisatoshi.
    pub in_flight_msat: u64,
    /// The number of our updates so far.
    pub our_updates: u32,
    /// The number of the peer's updates so far.
    pub peer_updates: u32,
    /// Height / 144, as the signers wrote it.
    pub block_day: u32,
    /// True if our signature holds.
    pub our_signature_holds: bool,
    /// True if the peer's signature holds.
    pub peer_signature_holds: bool,
    /// The reasons why no channel can have this state; empty if one can.
    pub flaws: Vec<String>,
    /// True if it is newer than the state we have: no counter is lower, and one is higher. `None`
    /// if we have no state.
    pub newer_than_ours: Option<bool>,
}

impl Operations {
    /// Lists the messages that were kept, newest first, optionally of one peer.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    pub async fn evidence(
        &self,
        peer: Option<NodeId>,
        page: PageRequest,
    ) -> Result<Page<NumberedEvidence>, Error> {
        self.read(move |history| history.evidence(peer.as_ref(), page)).await
    }

    /// Returns one message that was kept, and the state that it proves.
    ///
    /// # Errors
    /// `unknown_evidence`, or if the store cannot be read.
    pub async fn examine(&self, number: u64) -> Result<Examined, Error> {
        let kept = self.kept(number).await?;
        // An error: without a channel the peer was a stranger to the node itself.
        let named = kept.row.link.map_or(kept.row.peer.into(), ChannelRef::from);
        let channel = self.channel(named).await.ok();
        let local = channel.as_ref().map_or_else(|| self.info().node_id, |channel| channel.local);
        Ok(Examined::of(kept, local, channel.and_then(|channel| channel.state).as_ref()))
    }

    /// Returns our balance in the state that this evidence proves, to go on with it: a state that
    /// both sides signed, newer than ours, of the same capacity, in which nothing is in flight.
    pub(super) async fn proved_balance_msat(
        &self,
        channel: ChannelRef,
        number: u64,
    ) -> Result<u64, Error> {
        let kept = self.kept(number).await?;
        let channel = self.channel(channel).await?;
        // An old row names only the peer.
        if kept.row.peer != channel.peer || kept.row.link.is_some_and(|link| link != channel.link) {
            return Err(unusable("it is about another channel"));
        }
        let state = Examined::of(kept, channel.local, channel.state.as_ref()).state;
        let state = state.ok_or_else(|| unusable("it is no state that anybody signed"))?;
        if channel.role != Role::Host {
            return Err(Error::new(Code::WrongRole, "only the host proposes an override"));
        }
        let capacity_msat = channel.summary.as_ref().map(|summary| summary.capacity_msat);
        state.check_usable(capacity_msat)?;
        Ok(state.our_balance_msat)
    }

    async fn kept(&self, number: u64) -> Result<NumberedEvidence, Error> {
        let row = self.read(move |history| history.evidence_row(number)).await?;
        row.ok_or_else(|| Error::new(Code::UnknownEvidence, "there is no evidence of this number"))
    }
}

impl Examined {
    /// Examines a message kept of a peer that knows us as `local`; `ours` is our state of that
    /// channel.
    fn of(kept: NumberedEvidence, local: NodeId, ours: Option<&LastCrossSignedState>) -> Self {
        let snapshot = match Message::decode(kept.row.message_type, &kept.row.body) {
            Ok(Message::LastCrossSignedState(state)) => {
                Some(Snapshot { node_id_a: kept.row.peer, node_id_b: local, state })
            }
            // Another message; or one that was cut, or that we could not read then, and cannot now.
            _ => None,
        };
        let findings = snapshot.as_ref().and_then(judge);
        let state = findings.as_ref().map(|findings| ProvedState::of(findings, local, ours));
        Self { kept, snapshot, findings, state }
    }
}

impl ProvedState {
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

    fn check_usable(&self, capacity_msat: Option<u64>) -> Result<(), Error> {
        if !self.our_signature_holds || !self.peer_signature_holds || !self.flaws.is_empty() {
            return Err(unusable("not both signatures hold over a state that a channel can have"));
        }
        if self.newer_than_ours != Some(true) {
            return Err(unusable("the state is not newer than the one we have"));
        }
        if self.htlcs > 0 {
            return Err(unusable(
                "HTLCs are in flight in it: it is not known yet who gets their amounts",
            ));
        }
        if capacity_msat != Some(self.capacity_msat) {
            return Err(unusable("it is of another capacity than our state"));
        }
        Ok(())
    }
}

fn unusable(why: &str) -> Error {
    let text = format!("this evidence proves no balance to go on with: {why}");
    Error::new(Code::EvidenceUnusable, text)
}
