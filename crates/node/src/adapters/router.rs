//! Routes, by `graph`: LDK's router over the known network.

use std::path::PathBuf;
use std::sync::Arc;

use steward_engine::io::{NoRoute, PathResult, RouteRequest, RoutedPart};
use steward_graph::Graph;
use steward_runtime::clock::wall_ms;
use steward_runtime::traits::Router;
use steward_wire::NodeId;

use crate::limits::GRAPH_MAINTENANCE_INTERVAL;
use crate::random::random_bytes;

/// The graph, with the node id of the payer.
pub(crate) struct GraphRouter {
    graph: Arc<Graph>,
    payer: NodeId,
}

impl GraphRouter {
    pub(crate) fn new(graph: Arc<Graph>, payer: NodeId) -> Self {
        Self { graph, payer }
    }
}

impl Router for GraphRouter {
    fn find_route(&self, request: &RouteRequest) -> Result<Vec<RoutedPart>, NoRoute> {
        let entropy = random_bytes().map_err(|error| error.to_string())?;
        self.graph.find_route(request, entropy, self.payer).map_err(NoRoute::from)
    }

    fn record(&self, result: PathResult) {
        // Without channels there is nothing to learn about: private ones are not in the graph.
        if self.graph.channel_count() == 0 {
            return;
        }
        self.graph.record(&result, wall_ms());
    }
}

/// Keeps the graph in its file. It is a cache: written now and then, and at shutdown.
pub(crate) async fn keep_graph(graph: Arc<Graph>, dir: PathBuf) {
    loop {
        tokio::time::sleep(GRAPH_MAINTENANCE_INTERVAL).await;
        let (graph, dir) = (Arc::clone(&graph), dir.clone());
        let work = move || {
            graph.maintain(wall_ms());
            graph.save(&dir)
        };
        if let Ok(Err(error)) = tokio::task::spawn_blocking(work).await {
            tracing::warn!(%error, "the graph was not saved");
        }
    }
}
