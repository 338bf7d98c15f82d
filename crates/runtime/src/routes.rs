//! Path-finding on threads of its own: it can take long, and no batch may wait for it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use steward_engine::Input;
use steward_engine::io::{Action, NoRoute, PathResult, RouteRequest, RoutedPart};
use tokio::runtime::Handle;

use crate::counters::Counters;
use crate::limits::{MAX_CONCURRENT_ROUTES, MAX_ROUTES_PER_ANSWER};
use crate::queue::InputSender;
use crate::traits::{Held, Router};
use crate::workers::Workers;

/// The path-finding: it takes requests, and sends the answers to the engine. The engine bounds how
/// many payments, and with them requests and results, are pending.
pub(crate) struct Routes<H, R> {
    router: Arc<R>,
    inputs: InputSender<H>,
    counters: Arc<Counters>,
    tasks: Handle,
    threads: Workers,
}

impl<H: Held, R: Router> Routes<H, R> {
    /// Makes the path-finding. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// Fails if the system gives no threads.
    pub(crate) fn start(
        router: Arc<R>,
        inputs: InputSender<H>,
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        let threads = Workers::start("routes", MAX_CONCURRENT_ROUTES)?;
        Ok(Self { router, inputs, counters, tasks: Handle::current(), threads })
    }

    /// Takes the requests and the results out of a batch's actions, and returns the others. These
    /// two do not wait for the commit, since nothing of them leaves the node.
    pub(crate) fn take(&self, actions: Vec<Action>) -> Vec<Action> {
        let mut requests = Vec::new();
        let mut others = Vec::with_capacity(actions.len());
        for action in actions {
            match action {
                Action::FindRoute(request) => requests.push(request),
                Action::PathResult(result) => self.record(result),
                other => others.push(other),
            }
        }
        Counters::add(&self.counters.pending_routes, requests.len());
        while !requests.is_empty() {
            let rest = requests.split_off(requests.len().min(MAX_ROUTES_PER_ANSWER));
            self.find(std::mem::replace(&mut requests, rest));
        }
        others
    }

    /// Finds some routes and answers them together: the engine is woken once.
    #[expect(clippy::vec_box, reason = "the engine hands them out boxed")]
    fn find(&self, requests: Vec<Box<RouteRequest>>) {
        let (router, inputs) = (Arc::clone(&self.router), self.inputs.clone());
        let (counters, tasks) = (Arc::clone(&self.counters), self.tasks.clone());
        self.threads.give(move || {
            let found: Vec<Input> = requests
                .iter()
                .map(|request| Input::Route {
                    payment: request.payment,
                    attempt: request.attempt,
                    result: find_one(&*router, request),
                })
                .collect();
            counters.pending_routes.fetch_sub(requests.len() as u64, Ordering::Relaxed);
            // If the engine is gone, so is the payments' need of routes.
            let _ = tasks.block_on(inputs.send_all(found));
        });
    }

    fn record(&self, result: PathResult) {
        let router = Arc::clone(&self.router);
        self.threads.give(move || router.record(result));
    }
}

/// Finds one route. A payment gets its answer though the router panics, which is a bug that was
/// reported where it happened.
fn find_one(router: &impl Router, request: &RouteRequest) -> Result<Vec<RoutedPart>, NoRoute> {
    let found = catch_unwind(AssertUnwindSafe(|| router.find_route(request)));
    found.unwrap_or_else(|_| Err(NoRoute::from("path-finding failed".to_owned())))
}
