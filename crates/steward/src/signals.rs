//! The signals that the system sends a process: stop, stop at once, read the configuration again.

use std::io::{self, Read};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::failure::Failure;

/// The signals of a daemon, caught from here on.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    /// Ends when standard input does, as when a parent process dies; `None`: that means nothing.
    stdin_closed: Option<oneshot::Receiver<()>>,
}

/// The request that a signal makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Asks to stop, with the reason.
    Stop(&'static str),
    /// Asks to read the configuration again and to reopen the log.
    Reload,
}

impl Signals {
    /// Catches them. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn catch(until_stdin_closes: bool) -> Result<Self, Failure> {
        let signal = |kind| signal(kind).map_err(|error| Failure::io("signals", &error));
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            stdin_closed: until_stdin_closes.then(stdin_closed),
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Wanted {
        let stdin = async {
            match &mut self.stdin_closed {
                // An error is the end as well.
                Some(closed) => drop(closed.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Wanted::Stop("interrupted"),
            _ = self.terminate.recv() => Wanted::Stop("terminated"),
            _ = self.hangup.recv() => Wanted::Reload,
            () = stdin => Wanted::Stop("standard input was closed"),
        }
    }

    /// Ends when an end in order took too long, or is asked for again.
    pub(crate) async fn impatience(mut self, patience: Duration) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "interrupted again",
            _ = self.terminate.recv() => "terminated again",
            () = tokio::time::sleep(patience) => "it took too long",
        }
    }
}

/// Ends when standard input does.
pub(crate) fn stdin_closed() -> oneshot::Receiver<()> {
    let (closed, is_closed) = oneshot::channel();
    // A thread of its own: a read that never ends must not keep the runtime from ending.
    std::thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        let mut ignored = [0; 256];
        while matches!(stdin.read(&mut ignored), Ok(1..)) {}
        let _ = closed.send(());
    });
    is_closed
}
