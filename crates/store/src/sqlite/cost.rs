//! Counts the cost of commits and checkpoints, from the size of the log before and after. The
//! counts are exact: docs/state-format.md, "What a commit costs".

use crate::store::StoreStats;

/// Bytes before each page in the log.
const FRAME_HEADER_BYTES: u64 = 24;
/// Bytes before the first frame of the log.
const LOG_HEADER_BYTES: u64 = 32;

/// The length of the log, and how much of it is in the database already; both in frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogPosition {
    pub(crate) frames: u64,
    pub(crate) checkpointed: u64,
}

/// A watch on the log.
#[derive(Debug)]
pub(crate) struct LogMeter {
    log: LogPosition,
    frame_bytes: u64,
}

impl LogMeter {
    pub(crate) fn new(log: LogPosition, page_bytes: u64) -> Self {
        Self { log, frame_bytes: page_bytes + FRAME_HEADER_BYTES }
    }

    /// Returns the most that a checkpoint would have to move, in bytes.
    pub(crate) fn pending_bytes(&self) -> u64 {
        (self.log.frames - self.log.checkpointed).saturating_mul(self.frame_bytes)
    }

    /// Counts one fsync for the frames, and one more for the header if the log starts over.
    pub(crate) fn after_commit(&mut self, log: LogPosition, stats: &mut StoreStats) {
        let restarted = self.log.frames == 0 || log.checkpointed < self.log.checkpointed;
        let before = if restarted { 0 } else { self.log.frames };
        let written = log.frames.saturating_sub(before);
        if written > 0 {
            stats.fsyncs += 1 + u64::from(restarted);
            stats.log_bytes += written.saturating_mul(self.frame_bytes)
                + if restarted { LOG_HEADER_BYTES } else { 0 };
        }
        self.log = log;
    }

    /// Counts one fsync for the log before anything is moved, and one for the database if all was
    /// moved.
    pub(crate) fn after_checkpoint(&mut self, log: LogPosition, stats: &mut StoreStats) {
        if log.checkpointed > self.log.checkpointed {
            stats.checkpoints += 1;
            stats.fsyncs += 1 + u64::from(log.checkpointed == log.frames);
        }
        self.log = log;
    }
}
