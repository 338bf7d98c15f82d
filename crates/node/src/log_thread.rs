//! Log lines that peers can cause: written by a thread of their own, so many per code and no more.
//!
//! A commit never waits for a log, and nobody fills a disk with lines: what is too much is counted
//! and said in one line. Everything an operator must know is an event as well, which is kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use steward_engine::io::Level;
use steward_wire::NodeId;

use crate::limits::{LOG_WINDOW, MAX_LINES_PER_CODE, MAX_LOG_TEXT_BYTES, MAX_QUEUED_LINES};

/// One line.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) code: &'static str,
    pub(crate) peer: Option<NodeId>,
    pub(crate) text: String,
}

/// Where lines go. Clones go to the same thread.
#[derive(Clone)]
pub(crate) struct LogSender {
    /// `None` ends the thread.
    lines: SyncSender<Option<Line>>,
    /// Lines that found the thread too far behind.
    dropped: Arc<AtomicU64>,
}

/// The thread. Dropping this writes what waits, and ends it.
pub(crate) struct LogThread {
    sender: LogSender,
    thread: Option<JoinHandle<()>>,
}

impl LogSender {
    /// Never waits.
    pub(crate) fn write(&self, line: Line) {
        if let Err(TrySendError::Full(_)) = self.lines.try_send(Some(line)) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl LogThread {
    /// Starts the thread. Its lines go where those of the caller go.
    pub(crate) fn start() -> std::io::Result<(LogSender, Self)> {
        let (lines, receiver) = sync_channel(MAX_QUEUED_LINES);
        let dropped = Arc::new(AtomicU64::new(0));
        let sender = LogSender { lines, dropped: Arc::clone(&dropped) };
        let subscriber = tracing::dispatcher::get_default(Clone::clone);
        let run = move || {
            tracing::dispatcher::with_default(&subscriber, || write_all(&receiver, &dropped));
        };
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(run)?;
        Ok((sender.clone(), Self { sender, thread: Some(thread) }))
    }
}

impl Drop for LogThread {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // If it is gone already there is nobody to wait for; a panic in it has told itself.
            let _ = self.sender.lines.send(None);
            let _ = thread.join();
        }
    }
}

fn write_all(lines: &Receiver<Option<Line>>, dropped: &AtomicU64) {
    let mut windows = Windows::new(Instant::now());
    loop {
        let line = lines.recv_timeout(windows.left(Instant::now()));
        for (code, left_out) in windows.turn(Instant::now()) {
            tracing::warn!(code = "log_lines_left_out", left_out, "more lines of {code}");
        }
        let dropped = dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let text = "the log could not keep up";
            tracing::warn!(code = "log_lines_left_out", left_out = dropped, "{text}");
        }
        match line {
            Ok(Some(line)) if windows.admits(line.code) => log(&line),
            Ok(Some(_)) | Err(RecvTimeoutError::Timeout) => {}
            Ok(None) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    for (code, left_out) in windows.left_out() {
        tracing::warn!(code = "log_lines_left_out", left_out, "more lines of {code}");
    }
}

/// How many lines of each code there were in the present window.
struct Windows {
    begun: Instant,
    lines: BTreeMap<&'static str, u64>,
}

impl Windows {
    fn new(now: Instant) -> Self {
        Self { begun: now, lines: BTreeMap::new() }
    }

    /// True if one more line of this code may be written.
    fn admits(&mut self, code: &'static str) -> bool {
        let lines = self.lines.entry(code).or_default();
        *lines += 1;
        *lines <= MAX_LINES_PER_CODE
    }

    /// Until the window ends.
    fn left(&self, now: Instant) -> std::time::Duration {
        (self.begun + LOG_WINDOW).saturating_duration_since(now)
    }

    /// Begins a new window if this one is over, and says what was left out in it.
    fn turn(&mut self, now: Instant) -> Vec<(&'static str, u64)> {
        if now < self.begun + LOG_WINDOW {
            return Vec::new();
        }
        let left_out = self.left_out();
        *self = Self::new(now);
        left_out
    }

    fn left_out(&self) -> Vec<(&'static str, u64)> {
        let too_many = self.lines.iter().filter(|(_, lines)| **lines > MAX_LINES_PER_CODE);
        too_many.map(|(code, lines)| (*code, lines - MAX_LINES_PER_CODE)).collect()
    }
}

fn log(line: &Line) {
    let Line { level, code, peer, text } = line;
    let text = cut(text);
    let peer = peer.map(tracing::field::display);
    match level {
        Level::Error => tracing::error!(code, peer, "{text}"),
        Level::Warn => tracing::warn!(code, peer, "{text}"),
        Level::Info => tracing::info!(code, peer, "{text}"),
        Level::Debug => tracing::debug!(code, peer, "{text}"),
    }
}

/// Peers' words may be in it.
fn cut(text: &str) -> &str {
    let most = text.len().min(MAX_LOG_TEXT_BYTES);
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_code_are_counted_per_window_and_those_left_out_are_told() {
        let begun = Instant::now();
        let mut windows = Windows::new(begun);
        let written = (0..MAX_LINES_PER_CODE + 7).filter(|_| windows.admits("a")).count();
        assert_eq!(written as u64, MAX_LINES_PER_CODE);
        // Another code has its own share.
        assert!(windows.admits("b"));
        assert!(windows.turn(begun).is_empty());
        assert_eq!(windows.turn(begun + LOG_WINDOW), [("a", 7)]);
        assert!(windows.admits("a"));
        assert!(windows.left_out().is_empty());
    }

    #[test]
    fn a_log_that_is_behind_loses_lines_and_makes_nobody_wait() {
        let (lines, _receiver) = sync_channel(1);
        let sender = LogSender { lines, dropped: Arc::default() };
        for _ in 0..5 {
            let text = String::new();
            sender.write(Line { level: Level::Info, code: "a", peer: None, text });
        }
        assert_eq!(sender.dropped.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = "é".repeat(MAX_LOG_TEXT_BYTES);
        assert_eq!(cut(&text).len(), MAX_LOG_TEXT_BYTES);
        assert_eq!(cut("short"), "short");
    }
}
