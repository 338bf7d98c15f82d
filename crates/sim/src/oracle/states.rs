//! Rules 6 to 10: what a signed state may look like and what may follow it; heights.

use steward_engine::row::{Row, Setting};
use steward_hosted::{Channel, Role};
use steward_wire::{LastCrossSignedState, LinkId, Snapshot};

use super::{Oracles, Rule, Violation, contents};
use crate::chain::Chain;
use crate::node::Batch;
use crate::topology::Topology;

/// Codes of suspensions that need no bug: an HTLC that timed out, a preimage from outside, an
/// operator's wish.
pub(super) const EXPLAINED_CODES: [u16; 3] = [5, 6, 8];

impl Oracles {
    /// A channel's durable record changed.
    pub(super) fn state_changed(
        &mut self,
        node: usize,
        link: LinkId,
        before: Option<&Channel>,
        now: &Channel,
        is_peer_hostile: bool,
    ) -> Result<(), Violation> {
        if let Some(before) = before {
            self.unfrozen(node, link, before, now, is_peer_hostile)?;
            frozen(node, before, now)?;
        }
        let Some(state) = now.state() else { return Ok(()) };
        let was = before.and_then(Channel::state);
        if was == Some(state) {
            return Ok(());
        }
        if !state.is_balanced() {
            let text = "balances and HTLCs of a state do not add up to the capacity";
            return Err(Violation::new(Rule::Balanced, node, text));
        }
        let is_new = was.is_none_or(|was| {
            was.remote_sig_of_local != state.remote_sig_of_local || !contents::same(was, state)
        });
        if is_new {
            self.htlcs_belong(node, link, state)?;
            self.is_signed(node, now, state)?;
        }
        match was {
            None => {
                self.first_state(node, now, state)?;
                self.account_opens(node, link, now, state)
            }
            Some(was) => self.grows(node, was, state),
        }
    }

    /// A suspension ends only with another state, which both operators agreed on; or by the
    /// peer's error that crossed our acceptance of it.
    fn unfrozen(
        &mut self,
        node: usize,
        link: LinkId,
        before: &Channel,
        now: &Channel,
        is_peer_hostile: bool,
    ) -> Result<(), Violation> {
        let Some(suspension) = before.suspension() else { return Ok(()) };
        let says = |channel: &Channel| channel.state().map(contents::of);
        if says(before) != says(now) {
            // The next error may have come in the same batch.
            self.books[node].overrides.insert(link, says(now));
            return Ok(());
        }
        // An attacker on an old disk may even propose the state that is in force.
        let is_agreed =
            is_peer_hostile || self.books[node].overrides.get(&link) == Some(&says(now));
        if now.suspension().is_some() || (is_agreed && !suspension.by_us) {
            return Ok(());
        }
        let text = "a suspended channel goes on without an override";
        Err(Violation::new(Rule::SuspendedIsFrozen, node, text))
    }

    /// Honest sides find no fault with each other: an HTLC may time out, its preimage may come
    /// from elsewhere, and operators may do as they like.
    pub(super) fn suspended_for_cause(
        &self,
        node: usize,
        link: LinkId,
        before: Option<&Channel>,
        now: &Channel,
        topology: &Topology,
    ) -> Result<(), Violation> {
        let was_suspended = before.is_some_and(|before| before.suspension().is_some());
        let Some(suspension) = now.suspension().filter(|s| s.by_us && !was_suspended) else {
            return Ok(());
        };
        let is_hostile = self.is_hostile_peer(node, &link, topology);
        if is_hostile || suspension.code.is_some_and(|code| EXPLAINED_CODES.contains(&code)) {
            return Ok(());
        }
        let text = format!("it suspends the channel of an honest peer: {}", suspension.text);
        Err(Violation::new(Rule::SidesAgree, node, text))
    }

    /// The peer's signature holds; our own is given when it is asked for.
    fn is_signed(
        &self,
        node: usize,
        channel: &Channel,
        state: &LastCrossSignedState,
    ) -> Result<(), Violation> {
        let peer = channel.remote();
        let is_signed = peer.public_key().is_some_and(|key| state.verify_remote_sig(&key));
        let proof = Snapshot { node_id_a: channel.local(), node_id_b: peer, state: state.clone() };
        let is_half_signed = state.local_sig_of_remote == steward_wire::Signature::ZERO;
        if is_signed
            && (is_half_signed
                || steward_wire::proof::judge(&proof)
                    .is_some_and(|findings| findings.both_signed()))
        {
            return Ok(());
        }
        let text = "a state was taken over without the signatures";
        Err(Violation::new(Rule::StatesOnlyGrow, node, text))
    }

    /// A channel appears: with a fresh state, unless a host may believe its clients.
    fn first_state(
        &self,
        node: usize,
        channel: &Channel,
        state: &LastCrossSignedState,
    ) -> Result<(), Violation> {
        let is_fresh = state.local_updates == 0 && state.remote_updates == 0;
        if is_fresh || channel.role() == Role::Client {
            return Ok(());
        }
        let text = "a host without a record took over a client's state";
        Err(Violation::new(Rule::HostBelievesItself, node, text))
    }

    fn grows(
        &self,
        node: usize,
        was: &LastCrossSignedState,
        state: &LastCrossSignedState,
    ) -> Result<(), Violation> {
        let (a, b) = (was.local_updates, state.local_updates);
        let (c, d) = (was.remote_updates, state.remote_updates);
        if b < a || d < c {
            let text = format!("its state went back from {a}/{c} to {b}/{d}");
            return Err(Violation::new(Rule::StatesOnlyGrow, node, text));
        }
        let is_resize = was.init_hosted_channel != state.init_hosted_channel;
        if a == b && c == d && !is_resize && !contents::same_but_day(was, state) {
            let text = format!("two states with the same counters {a}/{c}");
            return Err(Violation::new(Rule::StatesOnlyGrow, node, text));
        }
        Ok(())
    }

    /// A stored height is no lower than the one before, but for a reorganisation.
    pub(super) fn height_is_true(
        &mut self,
        node: usize,
        batch: &Batch,
        chain: &Chain,
    ) -> Result<(), Violation> {
        let books = &mut self.books[node];
        for row in batch.writes.puts() {
            let Row::Setting(Setting::Height(height)) = row else { continue };
            let height = *height;
            if height < books.height && !chain.went_back(books.height, height) {
                let text = format!("its height went back from {} to {height}", books.height);
                return Err(Violation::new(Rule::HeightIsTrue, node, text));
            }
            books.height = height;
        }
        Ok(())
    }
}

/// While it was and stays suspended, no HTLC comes in and none goes out.
fn frozen(node: usize, before: &Channel, now: &Channel) -> Result<(), Violation> {
    if before.suspension().is_none() || now.suspension().is_none() {
        return Ok(());
    }
    let took = |id: u64| before.incoming_htlcs().any(|htlc| htlc.htlc.id == id);
    let gave = |id: u64| before.outgoing_htlcs().any(|htlc| htlc.htlc.id == id);
    let text = if !now.incoming_htlcs().all(|htlc| took(htlc.htlc.id)) {
        "a suspended channel took a new HTLC"
    } else if !now.outgoing_htlcs().all(|htlc| gave(htlc.htlc.id)) {
        "a suspended channel offered a new HTLC"
    } else {
        return Ok(());
    };
    Err(Violation::new(Rule::SuspendedIsFrozen, node, text))
}
