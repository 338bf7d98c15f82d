//! [`Channel`]: an opening, or a live channel with its session.

use steward_htlc::{LinkEvent, LinkInput};
use steward_wire::{AcceptChannel, ChannelMessage, NodeId, OpenChannel};

use crate::io::{Env, Input, Output};
use crate::live::Live;
use crate::opening::{AcceptTerms, Opening, Refusal};
use crate::session::{Session, Stage};
use crate::step::Step;

/// One funded channel.
#[derive(Clone, Debug)]
pub struct Channel {
    pub(crate) body: Body,
    pub(crate) session: Session,
}

/// The two bodies that a channel may have.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Opening(Box<Opening>),
    Live(Box<Live>),
}

impl Channel {
    /// Accepts the offer of `peer`, and returns the answer to send. Nothing is durable yet, except
    /// that `keys_id`, which names our keys to the signer, is used up.
    ///
    /// # Errors
    /// [`Refusal`], whose sentence goes to the peer in an `error`.
    pub fn accept(
        env: &Env<'_>,
        terms: &AcceptTerms,
        peer: NodeId,
        keys_id: u64,
        offer: &OpenChannel,
    ) -> Result<(Self, AcceptChannel), Refusal> {
        let (opening, accept) = Opening::accept(env, terms, peer, keys_id, offer)?;
        let session = Session { stage: Stage::Synced, ..Session::default() };
        Ok((Self { body: Body::Opening(Box::new(opening)), session }, accept))
    }

    pub(crate) fn offline(live: Live) -> Self {
        Self { body: Body::Live(Box::new(live)), session: Session::default() }
    }

    /// Handles one input.
    pub fn handle(&mut self, env: &Env<'_>, input: Input) -> Vec<Output> {
        match &mut self.body {
            Body::Live(live) => Step::new(live, &mut self.session, env).run(input),
            Body::Opening(opening) => {
                let opening = opening.clone();
                self.handle_opening(env, &opening, input)
            }
        }
    }

    fn handle_opening(&mut self, env: &Env<'_>, opening: &Opening, input: Input) -> Vec<Output> {
        let failed = |why: String| Output::OpeningFailed(why);
        match input {
            Input::Message(ChannelMessage::FundingCreated(message)) => {
                match opening.on_funding_created(env, &message) {
                    Ok((live, out)) => {
                        self.body = Body::Live(live);
                        out
                    }
                    Err(why) => vec![Output::Send(opening.error(why)), failed(why.to_owned())],
                }
            }
            Input::Message(ChannelMessage::Error(error)) => {
                let text = String::from_utf8_lossy(&error.data).into_owned();
                vec![Output::Link(LinkEvent::PeerError(text.clone())), failed(text)]
            }
            Input::Message(ChannelMessage::Warning(_)) => Vec::new(),
            Input::Message(_) => {
                let why = "this message has no place before funding_created";
                vec![Output::Send(opening.error(why)), failed(why.to_owned())]
            }
            Input::Link(LinkInput::Disconnected) => vec![failed("the peer has gone".to_owned())],
            Input::Link(LinkInput::Add(htlc)) => {
                let reason = steward_htlc::AddRefusal::Unavailable;
                vec![Output::Link(LinkEvent::HtlcRefused { token: htlc.token, reason })]
            }
            Input::Shutdown | Input::ForceClose { .. } => {
                let why = "the opening was given up";
                vec![Output::Send(opening.error(why)), failed(why.to_owned())]
            }
            _ => Vec::new(), // Nothing else concerns a channel without funding.
        }
    }
}
