//! One connection to the peer: all that lives as long as it does, in one value that is made when
//! the peer connects and dropped whole when it goes.

use std::collections::VecDeque;

use steward_htlc::{AddRefusal, LinkEvent, NewHtlc};
use steward_wire::{InvokeHostedChannel, LastCrossSignedState, Message, Signature};

use crate::io::{Env, Evidence, Output, Role};
use crate::limits::{ANSWER_TIMEOUT_MS, MAX_EVIDENCE_PER_CONNECTION, REPEAT_INVOKE_MS};

/// A connection to the peer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Session {
    pub(crate) stage: Stage,
    /// The peer must have answered by then (by `Env::now_ms`).
    answer_due_ms: Option<u64>,
    /// As client: an invoke that nothing answered is sent again then (by `Env::now_ms`).
    repeat_invoke_ms: Option<u64>,
    /// Messages kept as evidence.
    evidence_kept: u8,
    /// The peer sent something.
    peer_spoke: bool,
    /// The peer showed a signed state: it has a record of the channel.
    pub(crate) peer_has_record: bool,
    /// An override came into force: what the peer sent before it knew may still arrive.
    pub(crate) override_came: bool,
    /// All that an earlier connection may have lost was sent again.
    pub(crate) has_resent: bool,
}

/// How far the connection got.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stage {
    /// There is no signed state yet.
    Opening(Handshake),
    /// The states are not compared yet, or the channel is suspended.
    Syncing,
    /// Both hold the same state.
    Active(Signing),
    /// We asked for a new connection: only fulfills and errors of this one still count.
    Stale,
}

/// How far an opening got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    Idle,
    /// As client: waits for the terms, or for a state from before we lost ours.
    Invoked,
    /// As host: waits for the client's signature.
    Offered {
        refund_scriptpubkey: Vec<u8>,
    },
    /// As client: waits for the host's signature over this state.
    Accepted {
        state: Box<LastCrossSignedState>,
    },
}

/// What an active connection has signed, and what waits for the next signature.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Signing {
    /// The last `state_update` of this connection.
    pub(crate) last_sent: Option<SentUpdate>,
    /// The next flush owes the peer a signature.
    pub(crate) sign_owed: bool,
    /// Our HTLCs without an id yet, oldest first.
    pub(crate) waiting_adds: VecDeque<NewHtlc>,
}

/// What a `state_update` signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentUpdate {
    /// Hash of the peer's copy of the state.
    pub(crate) hash: [u8; 32],
    pub(crate) signature: Signature,
    pub(crate) block_day: u32,
}

impl Signing {
    /// What the waiting HTLCs will take, in millisatoshi.
    pub(crate) fn waiting_msat(&self) -> i128 {
        self.waiting_adds.iter().map(|htlc| i128::from(htlc.amount_msat)).sum()
    }
}

impl Session {
    pub(crate) fn new(stage: Stage) -> Self {
        Self {
            stage,
            answer_due_ms: None,
            repeat_invoke_ms: None,
            evidence_kept: 0,
            peer_spoke: false,
            peer_has_record: false,
            override_came: false,
            has_resent: false,
        }
    }

    pub(crate) fn signing(&mut self) -> Option<&mut Signing> {
        match &mut self.stage {
            Stage::Active(signing) => Some(signing),
            Stage::Opening(_) | Stage::Syncing | Stage::Stale => None,
        }
    }

    /// Notes that the peer sent `message`; false if it does not count any more.
    pub(crate) fn hear(&mut self, message: &Message) -> bool {
        self.peer_spoke = true;
        self.repeat_invoke_ms = None;
        let outlives_the_exchange =
            matches!(message, Message::UpdateFulfillHtlc(_) | Message::Error(_));
        self.stage != Stage::Stale || outlives_the_exchange
    }

    /// True if a message would reach the peer in a framing it reads: the client speaks first.
    pub(crate) fn may_speak(&self, role: Role) -> bool {
        role == Role::Client || self.peer_spoke
    }

    /// As client: asks the host for the channel, or to go on with it.
    pub(crate) fn invoke(
        &mut self,
        refund_scriptpubkey: Vec<u8>,
        secret: Vec<u8>,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) {
        let chain_hash = *env.chain_hash;
        let invoke = InvokeHostedChannel { chain_hash, refund_scriptpubkey, secret };
        self.repeat_invoke_ms = Some(env.now_ms.saturating_add(REPEAT_INVOKE_MS));
        out.push(Output::send(Message::InvokeHostedChannel(invoke)));
    }

    /// True if an invoke should be sent again. A host may lose what comes in its first moments:
    /// eclair listens before its plugin does.
    pub(crate) fn must_repeat_invoke(&self, env: &Env<'_>) -> bool {
        self.repeat_invoke_ms.is_some_and(|due_ms| env.now_ms >= due_ms)
    }

    /// The peer must answer within the usual time.
    pub(crate) fn expect_answer(&mut self, env: &Env<'_>) {
        self.expect_answer_within(ANSWER_TIMEOUT_MS, env);
    }

    pub(crate) fn expect_answer_within(&mut self, time_ms: u64, env: &Env<'_>) {
        self.answer_due_ms = Some(env.now_ms.saturating_add(time_ms));
    }

    /// The peer has answered, or need not.
    pub(crate) fn answered(&mut self) {
        self.answer_due_ms = None;
    }

    pub(crate) fn is_answer_awaited(&self) -> bool {
        self.answer_due_ms.is_some()
    }

    /// True, once, if the peer should have answered by now.
    pub(crate) fn answer_is_overdue(&mut self, env: &Env<'_>) -> bool {
        self.answer_due_ms.take_if(|due_ms| env.now_ms >= *due_ms).is_some()
    }

    /// The earliest `Env::now_ms` at which something is due.
    pub(crate) fn deadline_ms(&self) -> Option<u64> {
        let give_up_ms = match &self.stage {
            Stage::Active(signing) => signing.waiting_adds.iter().map(|htlc| htlc.give_up_ms).min(),
            Stage::Opening(_) | Stage::Syncing | Stage::Stale => None,
        };
        [give_up_ms, self.answer_due_ms, self.repeat_invoke_ms].into_iter().flatten().min()
    }

    /// Ends what only makes sense while both hold the same state.
    pub(crate) fn leave_active(&mut self, out: &mut Vec<Output>) {
        if let Stage::Active(signing) = std::mem::replace(&mut self.stage, Stage::Syncing) {
            out.push(Output::Link(LinkEvent::Inactive));
            out.extend(signing.waiting_adds.into_iter().map(|htlc| {
                Output::Link(LinkEvent::HtlcRefused {
                    token: htlc.token,
                    reason: AddRefusal::Unavailable,
                })
            }));
        }
        self.answer_due_ms = None;
        self.repeat_invoke_ms = None;
    }

    /// The exchange is out of step; only a new connection, with its comparison of states, helps.
    pub(crate) fn reconnect(&mut self, why: &str, out: &mut Vec<Output>) {
        self.leave_active(out);
        self.stage = Stage::Stale;
        out.push(Output::Link(LinkEvent::Reconnect(why.to_owned())));
    }

    /// Keeps a message for people: the first ones of a connection say enough.
    pub(crate) fn keep(&mut self, what: &str, message: &Message, out: &mut Vec<Output>) {
        if self.evidence_kept >= MAX_EVIDENCE_PER_CONNECTION {
            return; // A hostile peer must not fill the disk.
        }
        self.evidence_kept = self.evidence_kept.saturating_add(1);
        let (message_type, body) = message.encode();
        out.push(Output::Evidence(Evidence { what: what.to_owned(), message_type, body }));
    }
}
