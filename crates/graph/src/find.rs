//! The search for the route of a payment, from the request to HTLCs that are ready to be offered.

use steward_engine::io::{RouteRequest, RoutedPart};
use steward_wire::NodeId;

use crate::error::RouteError;
use crate::graph::Graph;
use crate::part::build_part;
use crate::payment::Payment;
use crate::{host_path, router};

impl Graph {
    /// Finds the route of a payment by `payer` and makes its HTLCs.
    ///
    /// `entropy` must be fresh and secret, because session keys are derived from it. The graph is
    /// not needed for payees of our own hosts.
    ///
    /// # Errors
    /// Any [`RouteError`]; any request is allowed, however odd.
    pub fn find_route(
        &self,
        request: &RouteRequest,
        entropy: [u8; 32],
        payer: NodeId,
    ) -> Result<Vec<RoutedPart>, RouteError> {
        let payment = Payment::new(request, payer)?;
        let paths = match host_path::find(&payment) {
            Some(path) => vec![path],
            None => router::find_paths(self, &payment, &entropy)?,
        };
        payment.check_fee(&paths)?;
        (0u32..)
            .zip(paths)
            .map(|(index, path)| build_part(request, path, &entropy, index))
            .collect()
    }
}
