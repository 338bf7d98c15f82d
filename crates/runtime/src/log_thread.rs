//! Log lines that peers can cause: written by a thread of their own, so many per code and no more.
//!
//! A commit never waits for a log, and no peer fills a disk with lines: those above the limit are
//! counted and reported in one line. Everything an operator must know is an event as well, which is
//! kept.

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

/// The sender of lines. Clones go to the same thread.
#[derive(Clone)]
pub(crate) struct LogSender {
    /// `None` ends the thread.
    lines: SyncSender<Option<Line>>,
    /// Lines that found the thread too far behind.
    dropped: Arc<AtomicU64>,
}

/// The thread. Dropping this writes the lines that wait, and ends it.
pub(crate) struct LogThread {
    sender: LogSender,
    thread: Option<JoinHandle<()>>,
}

impl LogSender {
    /// Hands a line to the thread. Never waits.
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
            // If the thread is gone already there is nothing to wait for; a panic in it was
            // reported there.
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

/// The number of lines of each code in the present window.
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

    /// Returns the time until the window ends.
    fn left(&self, now: Instant) -> std::time::Duration {
        (self.begun + LOG_WINDOW).saturating_duration_since(now)
    }

    /// Begins a new window if this one is over, and returns the codes with lines that were left out
    /// in it.
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

/// Cuts a text, which may hold a peer's words.
fn cut(text: &str) -> &str {
    let most = text.len().min(MAX_LOG_TEXT_BYTES);
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

/// Writes down log lines.
#[cfg(test)]
pub(crate) mod recorder {
    use std::fmt::Debug;
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    /// A line, and the thread that wrote it.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Recorded {
        pub(crate) thread: String,
        pub(crate) code: String,
        pub(crate) left_out: Option<u64>,
        pub(crate) text: String,
    }

    #[derive(Clone, Default)]
    struct Recorder(Arc<Mutex<Vec<Recorded>>>);

    /// Returns the lines logged while `run` runs, by its thread and by those it starts for the log.
    pub(crate) fn recorded(run: impl FnOnce()) -> Vec<Recorded> {
        let recorder = Recorder::default();
        tracing::subscriber::with_default(recorder.clone(), run);
        std::mem::take(&mut *recorder.0.lock().unwrap())
    }

    impl Subscriber for Recorder {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let thread = std::thread::current().name().unwrap_or_default().to_owned();
            let mut line = Recorded { thread, ..Recorded::default() };
            event.record(&mut line);
            if !line.code.is_empty() {
                self.0.lock().unwrap().push(line);
            }
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    impl Visit for Recorded {
        fn record_str(&mut self, field: &Field, value: &str) {
            if field.name() == "code" {
                value.clone_into(&mut self.code);
            }
        }

        fn record_u64(&mut self, field: &Field, value: u64) {
            if field.name() == "left_out" {
                self.left_out = Some(value);
            }
        }

        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            if field.name() == "message" {
                self.text = format!("{value:?}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::recorder::recorded;
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

    fn line(code: &'static str) -> Line {
        Line { level: Level::Info, code, peer: None, text: String::new() }
    }

    #[test]
    fn a_log_that_is_behind_loses_lines_without_a_wait_and_says_so() {
        let (lines, receiver) = sync_channel(2);
        let sender = LogSender { lines, dropped: Arc::default() };
        let written = sender.clone();
        let (done, is_done) = sync_channel(1);
        std::thread::spawn(move || {
            (0..6).for_each(|_| written.write(line("a")));
            done.send(()).unwrap();
        });
        is_done.recv_timeout(std::time::Duration::from_secs(30)).expect("no wait for a log");
        let dropped = Arc::clone(&sender.dropped);
        drop(sender);
        let told = recorded(|| write_all(&receiver, &dropped));
        let codes: Vec<_> = told.iter().map(|line| line.code.as_str()).collect();
        assert_eq!(codes, ["log_lines_left_out", "a", "a"]);
        assert_eq!(told[0].left_out, Some(4));
    }

    #[test]
    fn lines_are_written_by_a_thread_of_their_own_and_those_left_out_are_told() {
        let told = recorded(|| {
            let (sender, thread) = LogThread::start().unwrap();
            (0..MAX_LINES_PER_CODE + 7).for_each(|_| sender.write(line("a")));
            sender.write(line("b"));
            drop(thread);
        });
        assert!(told.iter().all(|line| line.thread == "log"), "{told:?}");
        let of = |code: &str| told.iter().filter(|line| line.code == code).count() as u64;
        assert_eq!((of("a"), of("b")), (MAX_LINES_PER_CODE, 1));
        let left_out: u64 = told.iter().filter_map(|line| line.left_out).sum();
        assert_eq!(left_out, 7);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = "é".repeat(MAX_LOG_TEXT_BYTES);
        assert_eq!(cut(&text).len(), MAX_LOG_TEXT_BYTES);
        assert_eq!(cut("short"), "short");
    }
}
