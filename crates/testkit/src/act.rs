//! The one interpreter of the engine's actions, for every world in which an engine is tested.

use std::convert::Infallible;

use steward_engine::HoldReport;
use steward_engine::event::Event;
use steward_engine::io::{
    Action, ConnId, Input, NoRoute, PathResult, ReplyId, RouteRequest, RoutedPart,
};
use steward_engine::{Error, Reply};
use steward_wire::bolt1::{WARNING_TYPE, text_of_warning};
use steward_wire::{NodeId, Preimage};

/// One message: its type and payload.
pub type Frame = (u16, Vec<u8>);

/// The error of a world in which no action can fail.
pub type Never = Infallible;

/// A world around engines. Each method carries out one kind of action of one node; where the
/// engine waits for an answer, the method returns it, or `None` if it comes later.
pub trait Act {
    /// Why a run must stop at an action.
    type Error;

    /// Puts an input in front of the node's engine.
    fn give(&mut self, node: usize, input: Input);

    /// Sends frames on a connection, which may be gone.
    fn send(&mut self, node: usize, conn: ConnId, frames: Vec<Frame>);

    /// Closes a connection.
    fn disconnect(&mut self, node: usize, conn: ConnId, reason: &str);

    /// Hands an answer to the operator who asked.
    fn reply(
        &mut self,
        node: usize,
        reply: ReplyId,
        result: Result<Reply, Error>,
    ) -> Result<(), Self::Error>;

    /// Looks for a route.
    fn find_route(
        &mut self,
        node: usize,
        request: &mut RouteRequest,
    ) -> Option<Result<Vec<RoutedPart>, NoRoute>>;

    /// Looks for preimages in the blocks from `first` to `last`, both included.
    fn search_blocks(&mut self, node: usize, first: u32, last: u32)
    -> Option<Vec<(u32, Preimage)>>;

    /// Asks the chain source out of turn.
    fn ask_chain(&mut self, node: usize) -> Option<Input>;

    /// Shows an event to the operator.
    fn event(&mut self, node: usize, event: Event);

    /// Writes a line of the log.
    fn log(&mut self, node: usize, code: &'static str, text: String);

    /// Tells the scorer how a path did.
    fn path_result(&mut self, _node: usize, _result: &PathResult) {}

    /// Reports how long each hop held a part.
    fn hold_times(&mut self, _node: usize, _report: HoldReport) {}

    /// Keeps a connection to a peer from now on. Most worlds connect their nodes themselves.
    fn keep_connected(&mut self, _node: usize, _peer: NodeId) {}

    /// Keeps no connection to a peer any longer.
    fn forget_peer(&mut self, _node: usize, _peer: NodeId) {}
}

/// Carries out one action of one node.
pub fn carry_out<W: Act>(world: &mut W, node: usize, action: Action) -> Result<(), W::Error> {
    match action {
        Action::Send { conn, frames } => world.send(node, conn, frames),
        Action::Disconnect { conn, reason, .. } => world.disconnect(node, conn, &reason),
        Action::KeepConnected { peer, .. } => world.keep_connected(node, peer),
        Action::ForgetPeer { peer, .. } => world.forget_peer(node, peer),
        Action::Reply { reply, result } => return world.reply(node, reply, result),
        Action::FindRoute(mut request) => {
            if let Some(result) = world.find_route(node, &mut request) {
                let (payment, attempt) = (request.payment, request.attempt);
                world.give(node, Input::Route { payment, attempt, result });
            }
        }
        Action::PathResult(result) => world.path_result(node, &result),
        Action::HoldTimes(report) => world.hold_times(node, *report),
        Action::SearchBlocks { from_height, to_height } => {
            if let Some(preimages) = world.search_blocks(node, from_height, to_height) {
                world.give(node, Input::Searched { to_height, preimages });
            }
        }
        Action::AskChain => {
            if let Some(news) = world.ask_chain(node) {
                world.give(node, news);
            }
        }
        Action::Notice(event) => world.event(node, event),
        Action::Log { code, text, .. } => world.log(node, code, text),
    }
    Ok(())
}

/// Separates the texts of warnings, which the transport reads (BOLT 1), from the engine's frames.
pub fn split_warnings(frames: Vec<Frame>) -> (Vec<String>, Vec<Frame>) {
    let (warnings, frames): (Vec<Frame>, Vec<Frame>) =
        frames.into_iter().partition(|(message_type, _)| *message_type == WARNING_TYPE);
    let texts = warnings.iter().filter_map(|(_, payload)| text_of_warning(payload));
    (texts.collect(), frames)
}

/// Returns the inputs that warnings and frames are for the engine they arrive at.
pub fn arrive(conn: ConnId, warnings: Vec<String>, frames: Vec<Frame>) -> Vec<Input> {
    let mut inputs: Vec<Input> =
        warnings.into_iter().map(|text| Input::PeerWarning { conn, text }).collect();
    if !frames.is_empty() {
        inputs.push(Input::Frames { conn, frames });
    }
    inputs
}
