//! The task that lets a [`Scanner`] run and tells the node what it finds: one block after the other
//! while there are any, then polling; growing waits while the source fails.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::error::ChainError;
use crate::scanner::{Scan, Scanned, Scanner};
use crate::watcher::{backoff, hurried};

/// A report of [`feed`].
#[derive(Debug)]
pub enum FeedReport {
    /// Something happened to the chain.
    Event(Box<Scanned>),
    /// Every block up to the tip of the source was reported. It is sent after each poll, because it
    /// shows how fresh that is.
    CaughtUp,
    /// The source shows less than what was reported already.
    Behind {
        /// The height of the source's tip.
        source_height: u32,
    },
    /// The source fails, or lies. It is asked again after a while; nothing is lost.
    Failing {
        /// What is wrong.
        error: ChainError,
    },
}

/// Follows the chain until the receiver of `reports` is gone. The receiver's queue bounds the memory:
/// each waiting report may hold a block. `hurry` wakes it before the next poll is due, at most once
/// a second.
///
/// # Errors
/// Only a fatal one ([`ChainError::is_fatal`]): the source follows another chain, or its code
/// failed. Anything else is reported and retried with growing waits.
pub async fn feed(
    mut scanner: Scanner,
    poll_interval: Duration,
    hurry: Arc<Notify>,
    reports: mpsc::Sender<FeedReport>,
) -> Result<(), ChainError> {
    let endpoint = scanner.describe();
    let mut failures = 0_u32;
    loop {
        let asked = spawn_blocking(move || {
            let scan = scanner.next_event();
            (scanner, scan)
        });
        let Ok((returned, scan)) = asked.await else { return Err(ChainError::Broken { endpoint }) };
        scanner = returned;
        let (report, wait) = match scan {
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => {
                if failures == 0 {
                    tracing::warn!(%error, hint = error.hint(), "chain source fails");
                }
                let wait = backoff(failures);
                failures = failures.saturating_add(1);
                (FeedReport::Failing { error }, Some(wait))
            }
            Ok(scan) => {
                if failures > 0 {
                    tracing::info!(source = endpoint, "chain source answers again");
                }
                failures = 0;
                match scan {
                    Scan::Event(event) => (FeedReport::Event(event), None),
                    Scan::CaughtUp => (FeedReport::CaughtUp, Some(poll_interval)),
                    Scan::Behind { source_height } => {
                        (FeedReport::Behind { source_height }, Some(poll_interval))
                    }
                }
            }
        };
        if reports.send(report).await.is_err() {
            return Ok(());
        }
        let Some(wait) = wait else { continue };
        tokio::select! {
            () = sleep(wait) => {}
            () = hurried(&hurry, wait) => {}
            () = reports.closed() => return Ok(()),
        }
    }
}
