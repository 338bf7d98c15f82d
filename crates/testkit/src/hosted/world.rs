//! A pair of channels with an engine's memory for each side, driven by random steps and checked
//! after each: balances, records, and one fate per HTLC.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use steward_hosted::{Channel, Command, Output, Phase};

use super::*;
use steward_htlc::{AddToken, Failure, LinkEvent, LinkInput};

/// One step of a random history; `by` and `from` are true for Bob.
#[allow(missing_docs, reason = "the names of the fields say it")]
#[derive(Clone, Debug)]
pub enum Step {
    Add { by: bool, amount_msat: u64 },
    Settle { by: bool, nth: usize, fulfill: bool },
    Deliver { from: bool, count: usize },
    Flush { by: bool },
    Disconnect { alice_delivers: usize, bob_delivers: usize },
    Connect,
    Restart { by: bool },
    Block { blocks: u32, bob_lags: u32 },
    Tick,
    Resize { grow_sat: u64 },
    Suspend { by: bool },
    ProposeOverride { local_balance_msat: u64 },
    AcceptOverride,
    ExternalFulfill { by: bool, nth: usize },
}

/// Returns the steps of a history in which no channel is suspended.
pub fn step() -> impl Strategy<Value = Step> {
    let side = any::<bool>;
    prop_oneof![
        6 => (side(), 1_000u64..4_000_000_000)
            .prop_map(|(by, amount_msat)| Step::Add { by, amount_msat }),
        6 => (side(), 0usize..4, any::<bool>())
            .prop_map(|(by, nth, fulfill)| Step::Settle { by, nth, fulfill }),
        12 => (side(), 1usize..4).prop_map(|(from, count)| Step::Deliver { from, count }),
        4 => side().prop_map(|by| Step::Flush { by }),
        2 => (0usize..4, 0usize..4).prop_map(|(alice_delivers, bob_delivers)| {
            Step::Disconnect { alice_delivers, bob_delivers }
        }),
        5 => Just(Step::Connect),
        1 => side().prop_map(|by| Step::Restart { by }),
        1 => (0u32..40, 0u32..100).prop_map(|(blocks, bob_lags)| Step::Block { blocks, bob_lags }),
        1 => Just(Step::Tick),
        1 => (0u64..1_000_000).prop_map(|grow_sat| Step::Resize { grow_sat }),
    ]
}

/// Also what ends in a suspension, and what ends it.
pub fn rough_step() -> impl Strategy<Value = Step> {
    let side = any::<bool>;
    prop_oneof![
        40 => step(),
        1 => side().prop_map(|by| Step::Suspend { by }),
        2 => (0..CAPACITY_MSAT)
            .prop_map(|local_balance_msat| Step::ProposeOverride { local_balance_msat }),
        2 => Just(Step::AcceptOverride),
        1 => (side(), 0usize..4).prop_map(|(by, nth)| Step::ExternalFulfill { by, nth }),
        1 => (1_500u32..2_200).prop_map(|blocks| Step::Block { blocks, bob_lags: 0 }),
    ]
}

/// Returns the side that a step names.
pub fn side(is_bob: bool) -> Side {
    if is_bob { Bob } else { Alice }
}

/// What one side's engine would remember.
#[derive(Default)]
pub struct Engine {
    /// Tokens without an answer.
    asked: BTreeSet<AddToken>,
    /// Own HTLCs: the seed of the preimage.
    seed_of_token: BTreeMap<AddToken, u64>,
    added: BTreeMap<u64, u64>,
    outcome: BTreeMap<u64, Fate>,
    /// Incoming HTLCs not decided yet, with their payment hash.
    open: BTreeMap<u64, steward_wire::PaymentHash>,
    seen_incoming: BTreeSet<u64>,
    /// Decided, not recorded by the channel yet.
    outbox: BTreeMap<u64, LinkInput>,
    decided: BTreeMap<u64, bool>,
}

/// A pair with the memory of an engine on each side.
pub struct World {
    pair: Pair,
    alice: Engine,
    bob: Engine,
    next_seed: u64,
    height: u32,
    seeds: BTreeMap<steward_wire::PaymentHash, u64>,
    /// Suspensions happen.
    rough: bool,
}

/// How an own HTLC ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The peer gave the preimage.
    Fulfilled,
    /// The peer failed it.
    Failed,
    /// An override dropped it.
    Dropped,
}

impl World {
    /// Opens the channel. `eager`: each input is flushed; `rough`: suspensions happen.
    pub fn new(eager: bool, rough: bool) -> Self {
        let mut offer = offer();
        offer.initial_client_balance_msat = CAPACITY_MSAT / 3;
        offer.max_accepted_htlcs = 3;
        let mut pair = Pair::open_with(offer);
        pair.eager = eager;
        Self {
            pair,
            alice: Engine::default(),
            bob: Engine::default(),
            next_seed: 0,
            height: HEIGHT,
            seeds: BTreeMap::new(),
            rough,
        }
    }

    fn engine(&mut self, side: Side) -> &mut Engine {
        match side {
            Alice => &mut self.alice,
            Bob => &mut self.bob,
        }
    }

    /// Makes one step, and checks what must always hold.
    pub fn take(&mut self, step: Step) {
        let suspended = [Alice, Bob].map(|by| self.pair.channel(by).phase() == Phase::Suspended);
        match step {
            Step::Suspend { by } => drop(self.pair.try_command(side(by), Command::Suspend)),
            Step::ProposeOverride { local_balance_msat } => {
                drop(self.pair.try_command(Alice, Command::ProposeOverride { local_balance_msat }));
            }
            Step::AcceptOverride => drop(self.pair.try_command(Bob, Command::AcceptOverride)),
            Step::ExternalFulfill { by, nth } => {
                let by = side(by);
                let outgoing = self.pair.channel(by).outgoing_htlcs().nth(nth);
                if let Some((id, hash)) = outgoing.map(|o| (o.htlc.id, o.htlc.payment_hash)) {
                    let preimage = preimage(self.seeds[&hash]);
                    self.pair.give(by, LinkInput::ExternalFulfill { id, preimage });
                }
            }
            // Expired HTLCs of a suspended channel are all that is left of it.
            Step::Block { blocks, .. } if blocks > 1_000 && suspended == [false, false] => {
                return self.take(Step::Tick);
            }
            Step::Add { by, amount_msat } => self.add(side(by), amount_msat),
            Step::Settle { by, nth, fulfill } => self.settle(side(by), nth, fulfill),
            Step::Deliver { from, count } => {
                for _ in 0..count {
                    self.pair.deliver(side(from));
                    self.absorb();
                }
            }
            Step::Flush { by } => drop(self.pair.flush(side(by))),
            Step::Disconnect { alice_delivers, bob_delivers } => {
                for (from, count) in [(Alice, alice_delivers), (Bob, bob_delivers)] {
                    for _ in 0..count {
                        self.pair.deliver(from);
                        self.absorb();
                    }
                }
                self.pair.disconnect();
            }
            Step::Connect => {
                if !self.pair.connected {
                    self.pair.connect();
                }
            }
            Step::Restart { by } => self.restart(side(by)),
            Step::Block { blocks, bob_lags } => {
                self.height += blocks;
                self.pair.set_height_of(Alice, self.height);
                self.pair.set_height_of(Bob, self.height - bob_lags);
            }
            Step::Tick => self.pair.advance_ms(3_000),
            Step::Resize { grow_sat } => {
                let capacity_msat = self.pair.channel(Bob).summary().capacity_msat;
                let new_capacity_sat = capacity_msat / 1000 + grow_sat;
                if new_capacity_sat <= MAX_CAPACITY_SAT {
                    drop(self.pair.try_command(Bob, Command::Resize { new_capacity_sat }));
                }
            }
        }
        self.absorb();
        self.check_always();
    }

    fn add(&mut self, by: Side, amount_msat: u64) {
        self.next_seed += 1;
        let seed = self.next_seed;
        let mut htlc = self.pair.new_htlc(by, amount_msat, seed);
        htlc.cltv_expiry = self.height + 2_000;
        htlc.cltv_expiry = htlc.cltv_expiry.min(self.pair.node(by).height + 2_016);
        self.seeds.insert(htlc.payment_hash, seed);
        let engine = self.engine(by);
        engine.asked.insert(htlc.token);
        engine.seed_of_token.insert(htlc.token, seed);
        self.pair.give(by, LinkInput::Add(htlc));
    }

    fn settle(&mut self, by: Side, nth: usize, fulfill: bool) {
        let Some((id, hash)) = self.engine(by).open.iter().nth(nth).map(|(id, h)| (*id, *h)) else {
            return;
        };
        let seed = self.seeds[&hash];
        let input = if fulfill {
            LinkInput::Fulfill { id, preimage: preimage(seed), tlvs: Vec::new() }
        } else {
            LinkInput::Fail { id, failure: Failure::Reason { reason: vec![1], tlvs: vec![] } }
        };
        let engine = self.engine(by);
        engine.open.remove(&id);
        engine.decided.insert(id, fulfill);
        engine.outbox.insert(id, input.clone());
        self.pair.give(by, input);
    }

    fn restart(&mut self, by: Side) {
        self.pair.restart(by);
        let engine = self.engine(by);
        // Adds without an id live in memory only.
        engine.asked.clear();
        let outbox: Vec<_> = engine.outbox.values().cloned().collect();
        for input in outbox {
            self.pair.give(by, input);
        }
    }

    /// Does with the outputs what an engine would.
    fn absorb(&mut self) {
        let mut reconnect = false;
        for by in [Alice, Bob] {
            for event in self.pair.events(by) {
                reconnect |= matches!(event, Output::Link(LinkEvent::Reconnect(_)));
                self.note(by, event);
            }
        }
        if reconnect {
            self.pair.reconnect();
        }
    }

    fn note(&mut self, by: Side, event: Output) {
        let rough = self.rough;
        let engine = self.engine(by);
        match event {
            Output::Link(LinkEvent::HtlcAdded { token, id }) => {
                assert!(engine.asked.remove(&token), "an unknown token was added");
                let seed = engine.seed_of_token[&token];
                let before = engine.added.insert(id, seed);
                // After an override an id comes again if the peer had never seen it.
                let is_dead = engine.outcome.remove(&id) == Some(Fate::Dropped);
                assert!(before.is_none() || is_dead, "id {id} was used twice");
            }
            Output::Link(LinkEvent::HtlcRefused { token, .. }) => {
                assert!(engine.asked.remove(&token), "a token was answered twice");
            }
            Output::Link(LinkEvent::HtlcFulfilled { id, preimage: shown, .. }) => {
                assert_eq!(shown, preimage(engine.added[&id]));
                assert_eq!(
                    engine.outcome.insert(id, Fate::Fulfilled),
                    None,
                    "HTLC {id} ended twice"
                );
            }
            Output::Link(LinkEvent::HtlcFailed { id, .. }) => {
                assert!(engine.added.contains_key(&id));
                assert_eq!(engine.outcome.insert(id, Fate::Failed), None, "HTLC {id} ended twice");
            }
            Output::Link(LinkEvent::HtlcDropped { id, .. }) if rough => {
                assert!(engine.added.contains_key(&id));
                let before = engine.outcome.insert(id, Fate::Dropped);
                assert_eq!(before, None, "HTLC {id} ended twice");
            }
            Output::Link(LinkEvent::HtlcIncoming { add: htlc, .. }) => {
                assert!(engine.seen_incoming.insert(htlc.id), "HTLC {} came twice", htlc.id);
                engine.open.insert(htlc.id, htlc.payment_hash);
            }
            Output::Link(LinkEvent::SettlementRecorded { id }) => drop(engine.outbox.remove(&id)),
            Output::Link(LinkEvent::Active)
            | Output::Link(LinkEvent::Inactive)
            | Output::Link(LinkEvent::Reconnect(_))
            | Output::Resized { .. } => {}
            Output::Overridden => engine.open.clear(),
            Output::Suspended(_)
            | Output::Link(LinkEvent::PeerError(_))
            | Output::OverrideProposed { .. }
            | Output::PreimageAtRisk { .. }
            | Output::ClaimsDropped { .. }
                if rough => {}
            // A fulfill may cross the time-out, or an override.
            Output::Evidence(evidence) if rough => {
                let late = ["fulfill of an expired HTLC", "fulfill of an unknown HTLC"];
                assert!(late.contains(&evidence.what.as_str()), "{}", evidence.what);
            }
            other => panic!("{by:?} said {other:?} in an honest history"),
        }
    }

    fn check_always(&self) {
        for node in [&self.pair.alice, &self.pair.bob] {
            assert!(node.channel.state().unwrap().is_balanced());
            let record = node.channel.record();
            let again = Channel::from_record(&record).unwrap();
            assert_eq!(again.record(), record, "a record must survive a restart unchanged");
            assert!(self.rough || node.channel.phase() != Phase::Suspended);
        }
    }

    /// Lets everything end.
    pub fn finish(mut self) {
        self.pair.eager = true;
        self.pair.set_height_of(Alice, self.height);
        self.pair.set_height_of(Bob, self.height);
        if !self.pair.connected {
            self.pair.connect();
        }
        for round in 0..200 {
            self.run();
            if self.rough && round % 3 == 2 {
                self.end_suspension();
            }
            let open = [Alice, Bob].map(|by| self.engine(by).open.len());
            let active = self.pair.phases() == (Phase::Active, Phase::Active);
            if active && open == [0, 0] && self.alice.asked.is_empty() && self.bob.asked.is_empty()
            {
                break;
            }
            for by in [Alice, Bob] {
                self.settle(by, 0, self.next_seed.is_multiple_of(2));
            }
            self.pair.advance_ms(3_000);
            self.absorb();
        }
        assert_eq!(self.pair.phases(), (Phase::Active, Phase::Active));
        self.pair.assert_in_agreement();
        assert_eq!(self.pair.channel(Bob).pending_resize(), None);
        assert_eq!(self.pair.channel(Alice).pending_resize(), None);
        for (engine, other) in [(&self.alice, &self.bob), (&self.bob, &self.alice)] {
            assert!(engine.asked.is_empty(), "an HTLC was neither added nor refused");
            assert!(engine.outbox.is_empty(), "a settlement was not recorded");
            let added: Vec<u64> = engine.added.keys().copied().collect();
            assert_eq!(added, engine.outcome.keys().copied().collect::<Vec<_>>());
            for (id, fate) in &engine.outcome {
                match fate {
                    Fate::Fulfilled => assert!(self.rough || other.decided[id]),
                    Fate::Failed => assert!(!other.decided[id]),
                    Fate::Dropped => assert!(self.rough),
                }
            }
        }
        assert!(!self.pair.channel(Alice).has_htlcs() && !self.pair.channel(Bob).has_htlcs());
    }

    fn end_suspension(&mut self) {
        let is_suspended = |world: &Self, by| world.pair.channel(by).phase() == Phase::Suspended;
        if is_suspended(self, Alice) || is_suspended(self, Bob) {
            let local_balance_msat = CAPACITY_MSAT / 2;
            for by in [Alice, Bob] {
                drop(self.pair.try_command(by, Command::Suspend));
            }
            self.run();
            drop(self.pair.try_command(Alice, Command::ProposeOverride { local_balance_msat }));
            self.run();
            drop(self.pair.try_command(Bob, Command::AcceptOverride));
            self.run();
        }
    }

    fn run(&mut self) {
        for _ in 0..10_000 {
            let moved = [Alice, Bob].map(|from| self.pair.deliver(from));
            self.absorb();
            if moved == [false, false] {
                return;
            }
        }
        panic!("the two sides never fall silent");
    }
}
