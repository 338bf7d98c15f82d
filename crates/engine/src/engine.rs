//! The engine itself: the parts that own its state, and the one place that hands each input, command
//! and step to its owner. No part uses this file.

use steward_wire::{LinkId, NodeId};

use crate::audit::Audit;
use crate::context::Context;
use crate::face::command::{AnswerAt, ChannelRef, Command, InvoiceRequest, Reply};
use crate::face::config::Config;
use crate::face::error::Error;
use crate::face::io::{Action, ConnId, Effects, Input, ReplyId, Time};
use crate::face::limits::{SWEEP_INTERVAL_MS, TIMER_INTERVAL_MS};
use crate::face::row::StoredState;
use crate::face::signer::Signer;
use crate::htlc::chain_search::ChainSearch;
use crate::htlc::incoming::Incoming;
use crate::htlc::outgoing::Outgoing;
use crate::link::connections::{Connection, Connections};
use crate::link::evidence::KeptEvidence;
use crate::link::links::Links;
use crate::link::opening::Openings;
use crate::link::peer_book::PeerBook;
use crate::link::policy::PolicyUpdates;
use crate::operator::channel::{Act, operate, submit_preimage};
use crate::operator::forget::{Ends, forget_channel};
use crate::operator::pay::{Keysend, keysend, pay};
use crate::operator::peers::{Invoke, connect, forget_peer, invoke_channel, list_peers};
use crate::operator::settings::reconfigure;
use crate::operator::views::{list_channels, show_channel, status};
use crate::pay::payments::Payments;
use crate::pay::send_all::most_payable;
use crate::receive::sets::Receives;
use crate::recover::resume::resume_htlcs;
use crate::recover::stale_data::{Confirmation, hold_if_states_differ};
use crate::relay::forward::{Forwards, Views};
use crate::step::Step;

/// All channels of one node, with its forwards, payments and invoices (docs/design.md section 3).
///
/// Each part owns its state. An input is handed to its part; everything that follows from it for
/// other parts is a step. Steps are taken in the order in which they were asked for.
pub struct Engine {
    cx: Context,
    links: Links,
    connections: Connections,
    openings: Openings,
    policy: PolicyUpdates,
    evidence: KeptEvidence,
    incoming: Incoming,
    outgoing: Outgoing,
    forwards: Forwards,
    receives: Receives,
    payments: Payments,
    search: ChainSearch,
    confirmation: Confirmation,
    /// The moment of the next look at held parts, by [`Time::now_ms`].
    next_timer_ms: u64,
    /// The moment of the next sweep of memory, by [`Time::now_ms`].
    next_sweep_ms: u64,
}

/// The answer to a command, once its steps are taken.
enum Answer {
    /// This reply.
    Now(Box<Reply>),
    /// The channel as it is then.
    Channel(ChannelRef),
}

impl Engine {
    /// Goes on from the stored state; an empty one starts a new node. The chain is unknown until
    /// the first [`crate::Input::Chain`]: forwards wait for it.
    pub fn new(
        config: Config,
        signer: Box<dyn Signer>,
        stored: StoredState,
        time: Time,
    ) -> Result<Self, Error> {
        let mut cx = Context::new(config, signer, &stored, time);
        let mut links = Links::default();
        // One by one, each row given back before the next is read: there may be many.
        for row in stored.channels {
            links.restore(&cx, &row)?;
        }
        let evidence = KeptEvidence::resume(&mut cx, &links, stored.evidence, stored.last_evidence);
        let outgoing = Outgoing::resume(&links, &stored.origins);
        let payments = Payments::resume(&cx, stored.payments, stored.parts);
        let confirmation = Confirmation::resume(&mut cx, &links, &payments, &outgoing);
        let mut incoming = Incoming::resume(stored.outbox);
        let mut forwards = Forwards::default();
        resume_htlcs(&mut cx, &links, &outgoing, &mut incoming, &mut forwards);
        let mut engine = Self {
            links,
            connections: Connections::new(PeerBook::resume(&mut cx, stored.peers)),
            openings: Openings::resume(&stored.forgotten_clients),
            policy: PolicyUpdates::default(),
            evidence,
            incoming,
            outgoing,
            forwards,
            receives: Receives::resume(stored.invoices),
            payments,
            search: ChainSearch::default(),
            confirmation,
            next_timer_ms: time.now_ms,
            next_sweep_ms: time.now_ms,
            cx,
        };
        engine.take_steps();
        Ok(engine)
    }

    /// Our identity as host.
    pub fn node_id(&self) -> NodeId {
        self.cx.node_id()
    }

    /// True if a signed channel joins us with this peer: it may be served before strangers.
    pub fn has_channel(&self, peer: &NodeId) -> bool {
        self.links.has_open(peer)
    }

    /// The time since the chain source was asked for the height we know, the machine's sleep
    /// included, in milliseconds; `None` if it never was, or not since the clock jumped.
    pub fn chain_age_ms(&self) -> Option<u64> {
        self.cx.chain_age_ms()
    }

    /// Takes one input, and all steps that follow from it. Their effects gather until
    /// [`Engine::finish`].
    pub fn handle(&mut self, input: Input) {
        let (cx, links) = (&mut self.cx, &self.links);
        match input {
            Input::PeerConnected { conn, peer, local, features, inbound, address } => {
                let now_ms = cx.now_ms();
                let connection = Connection::new(peer, local, features, inbound, address, now_ms);
                self.connections.connected(cx, links, conn, connection);
            }
            Input::PeerDisconnected { conn } => self.connections.disconnected(cx, conn),
            Input::Frames { conn, frames } => {
                frames.into_iter().for_each(|frame| self.frame(conn, frame));
            }
            Input::Command { reply, command } => self.command(reply, command),
            Input::Chain { height, stale, asked_ms } => self.chain(height, stale, asked_ms),
            Input::PeerWarning { conn, text } => {
                self.connections.warned(cx, links, conn, &text);
            }
            Input::Tick(time) => self.tick(time),
            Input::Route { payment, attempt, result } => {
                self.payments.route_found(cx, links, payment, attempt, result);
            }
            Input::Searched { to_height, preimages } => {
                let (outgoing, payments) = (&self.outgoing, &self.payments);
                self.search.found(cx, links, outgoing, payments, &preimages);
                self.take_steps();
                self.search.reached(&mut self.cx, &self.links, to_height);
            }
        }
        self.take_steps();
    }

    /// Ends the batch: every channel sends its updates under one signature, and everything the
    /// batch decided is handed over, writes first.
    pub fn finish(&mut self) -> Effects {
        while self.links.flush_next(&mut self.cx) {
            self.take_steps();
        }
        self.links.refresh_totals();
        self.audit().check(&self.cx);
        self.links.write_changed(&mut self.cx);
        let mut effects = self.cx.take_batch();
        effects.wakeup_ms = self.next_wakeup_ms();
        effects
    }

    fn audit(&self) -> Audit<'_> {
        let Self { links, incoming, outgoing, forwards, receives, .. } = self;
        Audit { links, incoming, outgoing, forwards, receives }
    }

    fn take_steps(&mut self) {
        while let Some(step) = self.cx.next_step() {
            self.route(step);
        }
    }

    /// Takes one message at a time: its changes decide about the next one.
    fn frame(&mut self, conn: ConnId, frame: (u16, Vec<u8>)) {
        let (links, openings) = (&self.links, &self.openings);
        let taken = self.connections.frame(&mut self.cx, links, openings, conn, frame);
        self.take_steps();
        if let Some(taken) = taken {
            self.connections.judge(&mut self.cx, &self.links, &taken);
        }
    }

    fn chain(&mut self, height: u32, is_stale: bool, asked_ms: Option<u64>) {
        if self.cx.chain_answered(height, is_stale, asked_ms) {
            self.outgoing.tip_moved(&self.cx);
            self.search.search_to_tip(&mut self.cx, &self.links);
            self.links.push_blocks(&mut self.cx);
            self.take_steps();
        }
        self.incoming.act_on_deferred(&mut self.cx, &self.links);
        self.take_steps();
        self.receives.claim_held(&mut self.cx, &self.links);
    }

    /// Timers run only when one is due, so that a tick may precede every batch.
    fn tick(&mut self, time: Time) {
        self.cx.set_time(time);
        let now_ms = self.cx.now_ms();
        self.links.push_ticks(&mut self.cx);
        self.take_steps();
        self.policy.tell(&mut self.cx, &self.links);
        if now_ms >= self.next_timer_ms {
            self.receives.time_out(&mut self.cx);
            self.take_steps();
            self.incoming.act_on_deferred(&mut self.cx, &self.links);
            self.next_timer_ms = now_ms.saturating_add(TIMER_INTERVAL_MS);
        }
        if now_ms >= self.next_sweep_ms {
            self.receives.drop_expired_invoices(&self.cx);
            self.payments.forget_ended(now_ms);
            self.next_sweep_ms = now_ms.saturating_add(SWEEP_INTERVAL_MS);
        }
    }

    fn next_wakeup_ms(&self) -> Option<u64> {
        let is_waiting =
            self.receives.is_holding() || (self.cx.is_starting() && self.incoming.has_deferred());
        let timers = is_waiting.then_some(self.next_timer_ms);
        let policy = self.policy.is_untold().then_some(self.cx.now_ms());
        [self.links.next_deadline_ms(), timers, policy].into_iter().flatten().min()
    }

    /// Hands a step to its owner: the one match over all steps.
    fn route(&mut self, step: Step) {
        let Self { cx, links, connections, openings, policy, evidence, .. } = self;
        let Self { incoming, outgoing, forwards, receives, payments, confirmation, .. } = self;
        match step {
            Step::Drive(link, input) => links.drive(cx, link, *input),
            Step::ResizeRefused(link, reason) => links.resize_refused(cx, link, reason),
            Step::Open(new) => links.open(*new),
            Step::Connect(link, conn) => links.connect(cx, link, conn),
            Step::Disconnect(gone) => links.disconnect(cx, &gone),
            Step::WantScript(link, script) => links.want_script(link, &script),
            Step::ForgetOpening(link) => links.forget_opening(cx, link),
            Step::OpeningFailed(link, reason) => links.opening_failed(cx, link, reason),
            Step::Hold(htlc) => links.hold(cx, htlc),

            Step::Send(conn, message) => connections.send(cx, links, conn, &message),
            Step::Bear(conn, cost) => connections.bear(cx, conn, cost),
            Step::HangUp(conn, reason) => connections.hang_up(cx, conn, reason, false),
            Step::DropPeer { peer, local } => connections.drop_peer(cx, peer, local),

            Step::Invoked(asked) => openings.invoked(cx, links, *asked),
            Step::Outrun(conn, link, peer) => openings.outrun(cx, conn, link, peer),
            Step::OpeningEnded { link, is_open } => openings.ended(&link, is_open),

            Step::Offered(offered) => incoming.offered(cx, links, receives, *offered),
            Step::Defer(htlc, next) => incoming.defer(htlc, next),
            Step::Settle(htlc, answer) => incoming.settle(cx, links, connections, htlc, answer),
            Step::SettlementRecorded(htlc) => incoming.recorded(cx, htlc),

            Step::Offer(offer) => outgoing.offer(cx, *offer),
            Step::Added(token, htlc) => outgoing.added(cx, token, htlc),
            Step::Refused(token, link, reason) => outgoing.refused(cx, token, link, reason),
            Step::Ended(htlc, ending) => outgoing.ended(cx, links, htlc, ending),

            Step::Forward(new) => forwards.forward(cx, &Views { links, connections, policy }, *new),
            Step::ForwardEnded(htlc, ending) => forwards.ended(cx, htlc, ending),
            Step::ForwardRefused(htlc, next, why) => {
                forwards.refused(cx, &Views { links, connections, policy }, htlc, &next, &why);
            }
            Step::ForwardSettled(htlc) => forwards.settled(cx, htlc),

            Step::Receive(part) => receives.receive(cx, links, *part),
            Step::ClaimsInDoubt(doubt) => receives.note_claims(cx, doubt),

            Step::PartEnded(id, n, end) => payments.part_ended(cx, links, outgoing, id, n, end),
            Step::PartRefused(id, part, why) => payments.part_refused(cx, links, id, part, why),
            Step::PartsLost(id, parts) => payments.parts_lost(cx, links, id, &parts),
            Step::PaymentProved(preimage) => payments.proved(cx, links, outgoing, preimage),
            Step::OutcomeUnknown(id) => payments.mark_outcome_unknown(cx, id),

            Step::Evidence(link, peer, kept) => evidence.keep(cx, links, link, peer, *kept),
            Step::LinkUp(link) => {
                policy.announce(cx, links, link);
                confirmation.confirmed(cx, payments, outgoing, &link);
                incoming.act_on_deferred(cx, links);
            }
            Step::LinkSuspended(link, code) => {
                hold_if_states_differ(cx, links, incoming, link);
                confirmation.suspended(cx, payments, outgoing, &link, code);
            }
            Step::DataLost(link) => {
                outgoing.data_lost(links, link);
                confirmation.give_up_knowing(cx);
                incoming.hold_forwards_to(cx, links, link);
            }
            Step::Overridden(link) => outgoing.settle_held_forwards(cx, links, &link),
        }
    }

    /// Carries out a command and answers it: at once, or when the payment it is about has ended.
    fn command(&mut self, reply: ReplyId, command: Command) {
        let at_end = matches!(
            command,
            Command::Pay { answer: AnswerAt::End, .. }
                | Command::Keysend { answer: AnswerAt::End, .. }
                | Command::AwaitPayment { .. }
        );
        let answer = command.check().and_then(|()| self.carry_out(command));
        // A channel is shown as the command leaves it.
        self.take_steps();
        let result = match answer {
            Ok(Answer::Now(reply)) => Ok(*reply),
            Ok(Answer::Channel(named)) => show_channel(&self.cx, &self.links, named)
                .map(|info| Reply::Channel(Box::new(info))),
            Err(error) => Err(error),
        };
        let (row, is_repeat) = match &result {
            Ok(Reply::Payment(row)) => (Some(row), false),
            Ok(Reply::EarlierPayment(row)) => (Some(row), true),
            _ => (None, false),
        };
        let waits = row
            .filter(|_| at_end)
            .is_some_and(|row| self.payments.waits_for_end(reply, row, is_repeat));
        if !waits {
            self.cx.act(Action::Reply { reply, result });
        }
    }

    /// Hands a command to its place. A refusal is the result; nothing was done then.
    fn carry_out(&mut self, command: Command) -> Result<Answer, Error> {
        self.links.refresh_totals();
        let Self { cx, links, connections, openings, policy, .. } = self;
        let Self { incoming, outgoing, forwards, receives, payments, confirmation, .. } = self;
        let mut act = |channel, act| operate(cx, links, outgoing, channel, act).map(shown);
        let reply = match command {
            Command::SuspendChannel { channel } => return act(channel, Act::Suspend),
            Command::ProposeOverride { channel, local_balance_msat } => {
                return act(channel, Act::ProposeOverride { local_balance_msat });
            }
            Command::AcceptOverride { channel, our_balance_msat } => {
                return act(channel, Act::AcceptOverride { our_balance_msat });
            }
            Command::ResizeChannel { channel, new_capacity_sat } => {
                return act(channel, Act::Resize { new_capacity_sat });
            }
            Command::InvokeChannel { host, addresses, identity, secret } => {
                let asked = Invoke { host, addresses, identity, secret };
                return invoke_channel(cx, links, connections, asked).map(shown);
            }
            Command::ShowChannel { channel } => return Ok(Answer::Channel(channel)),
            Command::ListChannels { after } => Reply::Channels(list_channels(links, after)),
            Command::ForgetChannel { channel } => {
                let ends = Ends { outgoing, incoming, forwards, confirmation };
                done(forget_channel(cx, links, openings, &ends, channel))?
            }
            Command::Status => {
                Reply::Status(status(cx, links.totals(), connections, payments, forwards))
            }
            Command::Reconfigure { config } => done(reconfigure(cx, links, policy, *config))?,
            Command::ForgetPeer { peer } => done(forget_peer(cx, links, connections, peer))?,
            Command::Connect { peer, addresses } => {
                done(connect(cx, connections, peer, addresses))?
            }
            Command::ListPeers => Reply::Peers(list_peers(cx, connections)),
            Command::SubmitPreimage { preimage } => {
                done(submit_preimage(cx, links, outgoing, payments, preimage))?
            }
            Command::CreateInvoice {
                amount_msat,
                description,
                expiry_s,
                preimage,
                payment_secret,
            } => {
                let request =
                    InvoiceRequest { amount_msat, description, expiry_s, preimage, payment_secret };
                Reply::Invoice(receives.create_invoice(cx, links, request)?)
            }
            Command::Pay { invoice, amount_msat, max_fee_msat, .. } => {
                pay(cx, links, receives, payments, &invoice, amount_msat, max_fee_msat)?
            }
            Command::MostPayable { invoice } => Reply::Amount(most_payable(links, &invoice)?),
            Command::Keysend { destination, via, amount_msat, max_fee_msat, preimage, .. } => {
                let asked = Keysend { destination, via, amount_msat, max_fee_msat, preimage };
                Reply::Payment(keysend(cx, links, payments, asked)?)
            }
            Command::GetPayment { payment_hash } | Command::AwaitPayment { payment_hash } => {
                Reply::Payment(payments.find(&payment_hash)?)
            }
        };
        Ok(Answer::Now(Box::new(reply)))
    }
}

fn shown(link: LinkId) -> Answer {
    Answer::Channel(link.into())
}

fn done(result: Result<(), Error>) -> Result<Reply, Error> {
    result.map(|()| Reply::Done)
}
