//! The graph and what payments have taught about its channels.

use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use bitcoin::Network;
use lightning::routing::gossip::NetworkGraph;
use lightning::routing::router::{Path, RouteHop};
use lightning::routing::scoring::{
    ProbabilisticScorer, ProbabilisticScoringDecayParameters, ProbabilisticScoringFeeParameters,
    ScoreUpdate,
};
use lightning_types::features::{ChannelFeatures, NodeFeatures};
use steward_engine::io::PathResult;
use steward_wire::{NodeId, ShortChannelId};

use crate::limits::MAX_MONEY_MSAT;
use crate::log::LdkLog;

/// LDK's graph, which logs to tracing.
pub(crate) type PublicGraph = NetworkGraph<LdkLog>;
/// LDK's estimate of what each channel can carry.
pub(crate) type Scorer = ProbabilisticScorer<Arc<PublicGraph>, LdkLog>;

/// The public network as we know it, hosted channels included, and the search for routes in it.
///
/// All methods may be called from any thread. They compute, some for tens of milliseconds on the
/// whole public graph, or wait for one that does: call them where blocking is allowed.
pub struct Graph {
    pub(crate) channels: Arc<PublicGraph>,
    scorer: RwLock<Scorer>,
    pub(crate) score_params: ProbabilisticScoringFeeParameters,
    /// A lock that is held while the files are written, so that two savers do not mix theirs.
    pub(crate) saving: Mutex<()>,
}

impl Graph {
    /// Makes an empty graph.
    pub fn new(network: Network) -> Self {
        let channels = Arc::new(NetworkGraph::new(network, LdkLog));
        let scorer = ProbabilisticScorer::new(decay_params(), Arc::clone(&channels), LdkLog);
        Self::from_parts(channels, scorer)
    }

    pub(crate) fn from_parts(channels: Arc<PublicGraph>, scorer: Scorer) -> Self {
        Self {
            channels,
            scorer: RwLock::new(scorer),
            score_params: ProbabilisticScoringFeeParameters::default(),
            saving: Mutex::new(()),
        }
    }

    /// Learns from a payment's success or failure. `now_ms` is the unix time, in milliseconds.
    ///
    /// A failure whose channel is unknown teaches nothing; nor does what happens on channels that
    /// are not in the graph.
    pub fn record(&self, result: &PathResult, now_ms: u64) {
        // Most payments stay among hosted channels, so there is no need to wait for running
        // searches.
        if !self.knows_some_of(&result.path) {
            return;
        }
        let Some(path) = to_ldk_path(&result.path, result.amount_msat) else { return };
        let now = Duration::from_millis(now_ms);
        match result.failed {
            None => self.scorer_mut().payment_path_successful(&path, now),
            Some(Some(scid)) => self.scorer_mut().payment_path_failed(&path, scid.0, now),
            Some(None) => {}
        }
    }

    /// Forgets channels without an update for 14 days, and lets what was learned fade. The caller
    /// calls it about once an hour. `now_ms` is the unix time, in milliseconds.
    pub fn maintain(&self, now_ms: u64) {
        let now = Duration::from_millis(now_ms);
        self.channels.remove_stale_channels_and_tracking_with_time(now.as_secs());
        self.scorer_mut().time_passed(now);
    }

    /// Returns how many channels are known.
    pub fn channel_count(&self) -> usize {
        self.channels.read_only().channels().len()
    }

    fn knows_some_of(&self, path: &[(NodeId, ShortChannelId)]) -> bool {
        let known = self.channels.read_only();
        path.iter().any(|(_, scid)| known.channel(scid.0).is_some())
    }

    pub(crate) fn scorer(&self) -> RwLockReadGuard<'_, Scorer> {
        self.scorer.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn scorer_mut(&self) -> RwLockWriteGuard<'_, Scorer> {
        self.scorer.write().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn decay_params() -> ProbabilisticScoringDecayParameters {
    ProbabilisticScoringDecayParameters::default()
}

/// Converts what the scorer reads of a path: nodes, channels, and the amount at its end.
fn to_ldk_path(hops: &[(NodeId, ShortChannelId)], amount_msat: u64) -> Option<Path> {
    let route_hop = |(node_id, scid): &(NodeId, ShortChannelId)| {
        Some(RouteHop {
            pubkey: node_id.public_key()?,
            node_features: NodeFeatures::empty(),
            short_channel_id: scid.0,
            channel_features: ChannelFeatures::empty(),
            fee_msat: 0,
            cltv_expiry_delta: 0,
            maybe_announced_channel: false,
        })
    };
    let mut hops: Vec<RouteHop> = hops.iter().map(route_hop).collect::<Option<_>>()?;
    hops.last_mut()?.fee_msat = amount_msat.min(MAX_MONEY_MSAT);
    Some(Path { hops, blinded_tail: None })
}
