//! How the network carries out what its engines ask for.

use bitcoin::hashes::{Hash, sha256};
use steward_engine::HoldReport;
use steward_engine::event::Event;
use steward_engine::io::{
    Action, ConnId, Input, NoRoute, PathResult, ReplyId, RouteRequest, RoutedPart,
};
use steward_engine::{Error, Reply};
use steward_wire::Preimage;

use super::Net;
use crate::act::{Act, Frame, Never, arrive, carry_out, split_warnings};

impl Net {
    /// Carries out one action of a node.
    pub fn act(&mut self, node: usize, action: Action) {
        let Ok(()) = carry_out(self, node, action);
    }

    /// The blocks the node asked for last are searched.
    pub fn answer_search(&mut self, node: usize) {
        let (first, to_height) = *self.nodes[node].searches.last().unwrap();
        let preimages = self.preimages(first, to_height);
        self.nodes[node].inbox.push_back(Input::Searched { to_height, preimages });
    }

    /// The preimages in these blocks.
    fn preimages(&self, first: u32, last: u32) -> Vec<(u32, Preimage)> {
        let on_chain = self.on_chain.iter();
        on_chain.filter(|(height, _)| (first..=last).contains(height)).copied().collect()
    }
}

impl Act for Net {
    type Error = Never;

    fn give(&mut self, node: usize, input: Input) {
        self.nodes[node].inbox.push_back(input);
    }

    fn send(&mut self, node: usize, conn: ConnId, frames: Vec<Frame>) {
        if let Some(tap) = self.nodes[node].taps.get_mut(&conn) {
            tap.extend(frames);
        } else if let Some(link) = self.nodes[node].links.get(&conn).copied() {
            let (warnings, frames) = split_warnings(frames);
            let inputs = arrive(link.their_conn, warnings, frames);
            self.nodes[link.to].inbox.extend(inputs);
        }
    }

    fn disconnect(&mut self, node: usize, conn: ConnId, _reason: &str) {
        if let Some(link) = self.nodes[node].links.get(&conn).copied() {
            self.break_link(node, conn, link);
        }
    }

    fn reply(
        &mut self,
        node: usize,
        reply: ReplyId,
        result: Result<Reply, Error>,
    ) -> Result<(), Never> {
        self.nodes[node].replies.insert(reply, result);
        Ok(())
    }

    fn find_route(
        &mut self,
        node: usize,
        request: &mut RouteRequest,
    ) -> Option<Result<Vec<RoutedPart>, NoRoute>> {
        if self.nodes[node].routes_by_hand {
            self.nodes[node].route_requests.push(request.clone());
            return None;
        }
        self.entropy += 1;
        let entropy = sha256::Hash::hash(&self.entropy.to_be_bytes()).to_byte_array();
        let payer = self.id(node);
        let found = self.nodes[node].graph.find_route(request, entropy, payer);
        Some(found.map_err(Into::into))
    }

    fn search_blocks(
        &mut self,
        node: usize,
        first: u32,
        last: u32,
    ) -> Option<Vec<(u32, Preimage)>> {
        self.nodes[node].searches.push((first, last));
        (!self.nodes[node].searches_by_hand).then(|| self.preimages(first, last))
    }

    fn ask_chain(&mut self, node: usize) -> Option<Input> {
        (!self.nodes[node].chain_is_silent).then(|| self.chain_news(node))
    }

    fn event(&mut self, node: usize, event: Event) {
        self.nodes[node].events.push(event);
    }

    fn log(&mut self, node: usize, code: &'static str, text: String) {
        self.nodes[node].logs.push((code, text));
    }

    fn path_result(&mut self, node: usize, result: &PathResult) {
        self.nodes[node].graph.record(result, self.now_ms);
    }

    fn hold_times(&mut self, node: usize, report: HoldReport) {
        self.hold_reports.push((node, report));
    }
}
