//! The actions of engines, as the simulated world carries them out.

use steward_engine::event::{Event, EventKind};
use steward_engine::io::{Input, NoRoute, ReplyId, RouteRequest, RoutedPart};
use steward_engine::{ConnId, Error, Reply};
use steward_testkit::Act;
use steward_testkit::act::Frame;
use steward_wire::Preimage;

use crate::fault::FaultKind;
use crate::oracle::Violation;
use crate::route;
use crate::world::World;

impl Act for World {
    type Error = Violation;

    fn give(&mut self, node: usize, input: Input) {
        self.nodes[node].inbox.push_back(input);
    }

    fn send(&mut self, node: usize, conn: ConnId, frames: Vec<Frame>) {
        self.trace.send(self.now_ms, node, &frames);
        if !self.is_swallowed(node, conn, &frames) {
            let frames = self.tamper_outgoing(node, conn, frames);
            self.links.send(conn, frames);
        }
    }

    fn disconnect(&mut self, node: usize, conn: ConnId, reason: &str) {
        self.trace.line(self.now_ms, node, || format!("disconnects: {reason}"));
        self.break_link(conn);
    }

    fn reply(
        &mut self,
        node: usize,
        reply: ReplyId,
        result: Result<Reply, Error>,
    ) -> Result<(), Violation> {
        self.replied(node, reply, result)
    }

    fn find_route(
        &mut self,
        node: usize,
        request: &mut RouteRequest,
    ) -> Option<Result<Vec<RoutedPart>, NoRoute>> {
        if self.is_healing {
            request.avoid.extend(self.hostile_channels());
        }
        let terms = self.injector.as_ref().map(|s| s.advertised(&self.topology));
        let terms = terms.as_ref().unwrap_or(&self.topology);
        let mut found = route::find(terms, node, request, &mut self.rng);
        if let Some(blinded) = self.blinded_route(request) {
            found = blinded;
        }
        found.iter_mut().for_each(|parts| self.cheat(node, parts));
        Some(found.map_err(NoRoute::from))
    }

    /// The search is done later, as a step of its own.
    fn search_blocks(
        &mut self,
        node: usize,
        first: u32,
        last: u32,
    ) -> Option<Vec<(u32, Preimage)>> {
        self.nodes[node].searches.push_back((first, last));
        None
    }

    /// The chain source says again what it said, or nothing.
    fn ask_chain(&mut self, node: usize) -> Option<Input> {
        let n = &self.nodes[node];
        let Some((height, false)) = n.told else { return None };
        if self.now_ms < n.stale_until_ms || height != self.chain.height() {
            return None;
        }
        let asked_ms = Some(n.time(self.now_ms).now_ms);
        Some(Input::Chain { height, stale: false, asked_ms })
    }

    fn event(&mut self, node: usize, event: Event) {
        self.trace.line(self.now_ms, node, || format!("event {:?}", event.kind));
        if let EventKind::PreimageAtRisk { preimage, cltv_expiry, .. } = event.kind {
            self.publish_in_time(node, preimage, cltv_expiry);
        }
    }

    fn log(&mut self, node: usize, code: &'static str, text: String) {
        self.trace.line(self.now_ms, node, || format!("log {code}: {text}"));
    }
}

impl World {
    /// An operator hears the alarm and publishes, at once or as late as a reorganisation allows.
    fn publish_in_time(&mut self, node: usize, preimage: Option<Preimage>, cltv_expiry: u32) {
        let Some(preimage) = preimage else { return };
        self.count(FaultKind::PreimageOnChain);
        if self.rng.chance(500) {
            let height = cltv_expiry.saturating_sub(4 + self.rng.below(4) as u32);
            self.trace.line(self.now_ms, node, || format!("will publish at height {height}"));
            return self.chain.schedule(preimage, height);
        }
        self.trace.line(self.now_ms, node, || "publishes a preimage on chain".to_owned());
        self.chain.broadcast(preimage);
    }
}
