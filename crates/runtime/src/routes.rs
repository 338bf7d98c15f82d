//! Path-finding off the commit thread, a few at a time.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use steward_engine::Input;
use steward_engine::io::{PathResult, RouteRequest};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::counters::Counters;
use crate::limits::MAX_CONCURRENT_ROUTES;
use crate::queue::InputSender;
use crate::traits::{Held, Router};

/// The path-finding: it takes requests, and sends the answers to the engine.
pub(crate) struct Routes<H, R> {
    router: Arc<R>,
    inputs: InputSender<H>,
    counters: Arc<Counters>,
    tasks: Handle,
    room: Arc<Semaphore>,
}

impl<H: Held, R: Router> Routes<H, R> {
    /// Makes the path-finding. Must be called inside a tokio runtime.
    pub(crate) fn new(router: Arc<R>, inputs: InputSender<H>, counters: Arc<Counters>) -> Self {
        let room = Arc::new(Semaphore::new(MAX_CONCURRENT_ROUTES));
        Self { router, inputs, counters, tasks: Handle::current(), room }
    }

    /// Finds a route. The engine bounds how many payments, and with them routes, are pending.
    pub(crate) fn find(&self, request: Box<RouteRequest>) {
        let (router, inputs) = (Arc::clone(&self.router), self.inputs.clone());
        let (counters, room) = (Arc::clone(&self.counters), Arc::clone(&self.room));
        Counters::add(&counters.pending_routes, 1);
        self.tasks.spawn(async move {
            let (payment, attempt) = (request.payment, request.attempt);
            let _slot = room.acquire().await;
            let found = tokio::task::spawn_blocking(move || router.find_route(&request)).await;
            counters.pending_routes.fetch_sub(1, Ordering::Relaxed);
            let result =
                found.unwrap_or_else(|error| Err(format!("path-finding failed: {error}").into()));
            // If the engine is gone, so is the payment's need of a route.
            let _ = inputs.send(Input::Route { payment, attempt, result }).await;
        });
    }

    pub(crate) fn record(&self, result: PathResult) {
        self.router.record(result);
    }
}
