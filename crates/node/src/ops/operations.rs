//! The operations of a node: the value itself, and what is about the node as a whole.

use std::path::PathBuf;
use std::sync::Arc;

use steward_engine::command::Status;
use steward_engine::{Error, Event};
use tokio::sync::broadcast;
use zeroize::Zeroizing;

use super::ask::{self, Answer, Ask};
use super::plumbing::Plumbing;
use crate::config::Config;
use crate::info::NodeInfo;
use crate::metrics::NodeMetrics;
use crate::seed::Seed;
use crate::task::blocking;

/// The operations of one node. Clones belong to the same node.
#[derive(Clone)]
pub struct Operations {
    pub(super) node: Arc<dyn Plumbing>,
}

impl Operations {
    /// Returns the operations over `node`.
    pub fn over(node: Arc<dyn Plumbing>) -> Self {
        Self { node }
    }

    /// Returns the ground below the operations, for a caller that needs a command with all its
    /// fields.
    pub fn plumbing(&self) -> &dyn Plumbing {
        &*self.node
    }

    /// Returns the name and the place of the node.
    pub fn info(&self) -> NodeInfo {
        self.node.info()
    }

    /// Returns the counters and the queue lengths.
    pub fn metrics(&self) -> NodeMetrics {
        self.node.metrics()
    }

    /// Returns the numbers about the node as a whole.
    ///
    /// # Errors
    /// Fails as [`Plumbing::command`].
    pub async fn status(&self) -> Result<Status, Error> {
        self.ask(ask::status()).await
    }

    /// Takes over what may change while the node runs: `[host]` but for `enabled`, and
    /// `[payments]`. Nothing is taken over from a configuration that cannot be used.
    ///
    /// # Errors
    /// `config_invalid`, or as [`Plumbing::command`].
    pub async fn reconfigure(&self, config: Config) -> Result<(), Error> {
        // Making the engine's form may read an image.
        let config = blocking(move || config.engine_config()).await??;
        self.ask(ask::reconfigure(config)).await
    }

    /// Returns a receiver of the events from now on. A subscriber that is too slow is told how many
    /// it has missed and finds them with [`Self::events_after`].
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.node.subscribe()
    }

    /// Copies the database, as of one moment and while it is in use, to a new file.
    ///
    /// # Errors
    /// `file_exists` if there is such a file, `backup_not_possible` if none can be made there.
    pub async fn backup(&self, to: PathBuf) -> Result<(), Error> {
        self.node.backup(to).await
    }

    /// Returns the seed's words, to be written down.
    ///
    /// # Errors
    /// Fails if the seed file cannot be read.
    pub fn seed_words(&self) -> Result<Zeroizing<String>, Error> {
        let seed = Seed::load(&self.info().data_dir)?;
        Ok(Zeroizing::new(seed.words().to_owned()))
    }

    /// Asks the engine and takes the typed content out of its reply.
    pub(super) async fn ask<T: Answer>(&self, ask: Ask<T>) -> Result<T, Error> {
        self.node.command(ask.command).await.and_then(ask::answer)
    }
}
