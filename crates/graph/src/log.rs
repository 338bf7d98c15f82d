//! LDK's log lines as tracing events.

use lightning::util::logger::{Level, Logger, Record};

/// Passes LDK's lines on, all one level quieter: none of them needs an operator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LdkLog;

impl Logger for LdkLog {
    fn log(&self, record: Record<'_>) {
        match record.level {
            Level::Error | Level::Warn | Level::Info => tracing::debug!("{}", record.args),
            Level::Debug | Level::Trace | Level::Gossip => tracing::trace!("{}", record.args),
        }
    }
}
