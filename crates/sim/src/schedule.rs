//! Which step comes next: chance picks one of those that are possible; if there is none, time
//! moves on to the next moment at which there is.

use steward_engine::ConnId;

use crate::oracle::Violation;
use crate::world::World;

/// One possible step.
#[derive(Clone, Copy, Debug)]
enum Step {
    Run(usize),
    Commit(usize),
    Act(usize),
    Start(usize),
    TellChain(usize),
    AnswerSearch(usize),
    Deliver(ConnId),
    Close(ConnId),
    Connect(usize),
}

impl World {
    /// Makes one step. False if nothing can happen at this moment.
    pub(crate) fn step(&mut self) -> Result<bool, Violation> {
        let steps = self.possible_steps();
        let Some(step) = self.rng.pick(&steps) else { return Ok(false) };
        self.steps += 1;
        self.now_ms += self.rng.below(3);
        self.oracles.now_ms = self.now_ms;
        match step {
            Step::Run(node) => {
                let most = if self.rng.chance(500) { usize::MAX } else { 1 };
                self.run(node, most)?;
            }
            Step::Commit(node) => {
                // One fsync for all that waits, or for less.
                let waiting = self.nodes[node].pending.len() as u64;
                let batches = self.rng.between(1, waiting.max(1)) as usize;
                self.commit(node, batches)?;
            }
            Step::Act(node) => {
                for _ in 0..self.rng.between(1, 4) {
                    self.act(node)?;
                }
            }
            Step::Start(node) => self.start(node)?,
            Step::TellChain(node) => self.tell_chain(node),
            Step::AnswerSearch(node) => self.answer_search(node),
            Step::Deliver(conn) => self.deliver(conn),
            Step::Close(conn) => self.close(conn),
            Step::Connect(edge) => self.connect(edge),
        }
        Ok(true)
    }

    /// Nothing can happen now: lets time pass until something can. False if nothing ever will.
    pub(crate) fn skip_time(&mut self, limit_ms: u64) -> bool {
        match self.next_moment() {
            Some(at_ms) if at_ms <= limit_ms => {
                self.now_ms = self.now_ms.max(at_ms);
                true
            }
            _ => false,
        }
    }

    fn possible_steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for number in 0..self.nodes.len() {
            self.steps_of_node(number, &mut steps);
        }
        for (conn, end) in self.links.iter() {
            let is_silent = self.is_silent(end.edge);
            let is_due = end.closes_at_ms.is_some_and(|at_ms| at_ms <= self.now_ms);
            if is_due && (is_silent || end.queue.is_empty()) {
                steps.push(Step::Close(conn));
            } else if !end.queue.is_empty() && !is_silent {
                steps.push(Step::Deliver(conn));
            }
        }
        steps.extend(
            (0..self.edges.len()).filter(|edge| self.may_connect(*edge)).map(Step::Connect),
        );
        steps
    }

    fn steps_of_node(&self, number: usize, steps: &mut Vec<Step>) {
        let node = &self.nodes[number];
        if !node.is_up() {
            if node.starts_at_ms <= self.now_ms {
                steps.push(Step::Start(number));
            }
            return;
        }
        let is_due = node.wakeup_at_ms().is_some_and(|at_ms| at_ms <= self.now_ms);
        if is_due || !node.inbox.is_empty() {
            steps.push(Step::Run(number));
        }
        if !node.pending.is_empty() && node.disk_free_at_ms <= self.now_ms {
            steps.push(Step::Commit(number));
        }
        if !node.released.is_empty() {
            steps.push(Step::Act(number));
        }
        if !node.searches.is_empty() {
            steps.push(Step::AnswerSearch(number));
        }
        if self.chain_news(number).is_some() {
            steps.push(Step::TellChain(number));
        }
    }

    /// The client connects once it knows that it is not connected.
    fn may_connect(&self, edge: usize) -> bool {
        let (state, plan) = (&self.edges[edge], &self.topology.edges[edge]);
        let knows = !self.links.iter().any(|(_, end)| end.edge == edge && end.node == plan.client);
        state.is_invoked
            && state.connects_at_ms <= self.now_ms
            && knows
            && !self.is_silent(edge)
            && self.nodes[plan.client].is_up()
            && self.nodes[plan.host].is_up()
    }

    /// Nothing passes on this channel's connections.
    pub(crate) fn is_silent(&self, edge: usize) -> bool {
        self.edges[edge].silent_until.is_some_and(|height| self.chain.height() < height)
    }

    fn next_moment(&self) -> Option<u64> {
        let after = |at_ms: u64| (at_ms > self.now_ms).then_some(at_ms);
        let nodes = self.nodes.iter().flat_map(|node| {
            if !node.is_up() {
                return [after(node.starts_at_ms), None, None];
            }
            [
                node.wakeup_at_ms().and_then(after),
                after(node.disk_free_at_ms),
                after(node.stale_until_ms),
            ]
        });
        let edges = self.edges.iter().map(|edge| after(edge.connects_at_ms));
        let ends = self.links.iter().map(|(_, end)| end.closes_at_ms.and_then(after));
        nodes.chain(edges).chain(ends).flatten().min()
    }
}
