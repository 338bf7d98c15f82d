//! The daemon's log: a queue, and one thread that writes it to standard error or to a file.
//!
//! A reader that went away, a full disk or a terminal that stands still cost lines, which are
//! counted and reported once lines can be written again. They never hold up, nor end, the thread
//! that had something to say.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use steward_engine::Code;

use steward_node::config::LogConfig;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::{EnvFilter, reload};

use crate::failure::Failure;
use crate::limits::{LOG_FLUSH_TIMEOUT, MAX_LOG_LINE_BYTES, MAX_WAITING_LOG_LINES};

/// Changes the level of a log that is being written.
type SetLevel = Box<dyn Fn(EnvFilter) -> Result<(), Failure> + Send + Sync>;

/// The log of this process.
pub(crate) struct Log {
    queue: Queue,
    /// The file it goes to; `None`: standard error.
    file: Mutex<Option<PathBuf>>,
    set_level: SetLevel,
}

/// The queue in which lines wait for the thread that writes them. Clones are the same queue.
#[derive(Clone)]
pub(crate) struct Queue(Arc<Waiting>);

struct Waiting {
    jobs: SyncSender<Job>,
    /// The number of lines that could not be written, or did not even fit into the queue.
    lost: Arc<AtomicU64>,
}

enum Job {
    Line(Vec<u8>),
    /// Asks to be told when everything before was written, or lost.
    Flush(SyncSender<()>),
    /// Continues in another file.
    Switch(Box<dyn Write + Send>),
}

impl Log {
    /// Starts the log of this process: everything `tracing` is told goes there.
    ///
    /// # Errors
    /// If the level makes no sense, or the file cannot be opened.
    pub(crate) fn start(config: &LogConfig) -> Result<Self, Failure> {
        let filter = filter(&config.level)?;
        let target = open(config.file.as_deref())?;
        let is_terminal = config.file.is_none() && io::stderr().is_terminal();
        let queue = Queue::start(target)?;
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(is_terminal)
            // Its way out would be `eprintln!`, which panics where standard error is gone.
            .log_internal_errors(false)
            .with_writer(queue.clone())
            .with_filter_reloading();
        let level = builder.reload_handle();
        let set_level = move |filter| {
            level.reload(filter).map_err(|error: reload::Error| bug(&error.to_string()))
        };
        builder.try_init().map_err(|error| bug(&error.to_string()))?;
        let file = Mutex::new(config.file.clone());
        Ok(Self { queue, file, set_level: Box::new(set_level) })
    }

    /// Takes over another level and file, and opens the file again: a program that rotates logs has
    /// moved the old one away. What cannot be done leaves the log as it was.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(crate) fn reconfigure(&self, config: &LogConfig) -> Result<(), Failure> {
        let filter = filter(&config.level)?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if config.file.is_some() || *file != config.file {
            self.queue.send(Job::Switch(open(config.file.as_deref())?));
            file.clone_from(&config.file);
        }
        (self.set_level)(filter)
    }

    /// Logs one line, whatever the level.
    pub(crate) fn queue(&self) -> Queue {
        self.queue.clone()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.queue.flush();
    }
}

impl Queue {
    fn start(target: Box<dyn Write + Send>) -> Result<Self, Failure> {
        let (jobs, waiting) = sync_channel(MAX_WAITING_LOG_LINES);
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all(&waiting, target, &counter))
            .map_err(|error| Failure::io("cannot start threads", &error))?;
        Ok(Self(Arc::new(Waiting { jobs, lost })))
    }

    /// Queues one line; without room for it, it is lost and counted.
    pub(crate) fn say(&self, line: &[u8]) {
        let line = line.get(..MAX_LOG_LINE_BYTES).unwrap_or(line);
        self.send(Job::Line(line.to_vec()));
    }

    /// Waits until all lines so far are written, but not for long: there may be no reader.
    pub(crate) fn flush(&self) {
        let (done, is_done) = sync_channel(1);
        self.send(Job::Flush(done));
        // If the queue was full, the sender is gone already.
        let _ = is_done.recv_timeout(LOG_FLUSH_TIMEOUT);
    }

    fn send(&self, job: Job) {
        if let Err(refused) = self.0.jobs.try_send(job)
            && let std::sync::mpsc::TrySendError::Full(Job::Line(_)) = refused
        {
            self.0.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(self.clone())
    }
}

/// Takes what `tracing` formats: each call is one line.
pub(crate) struct Line(Queue);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.say(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Does the thread's work, until no sender is left.
fn write_all(jobs: &Receiver<Job>, mut target: Box<dyn Write + Send>, lost: &AtomicU64) {
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Line(line) => write_line(&mut *target, &line, lost),
            Job::Flush(done) => {
                let _ = target.flush();
                // The thread that asked may have gone on.
                let _ = done.try_send(());
            }
            Job::Switch(to) => target = to,
        }
    }
}

fn write_line(target: &mut dyn Write, line: &[u8], lost: &AtomicU64) {
    let gap = lost.load(Ordering::Relaxed);
    if gap > 0 {
        let text = format!("WARN {gap} lines of the log were lost here\n");
        if target.write_all(text.as_bytes()).is_ok() {
            lost.fetch_sub(gap, Ordering::Relaxed);
        }
    }
    if target.write_all(line).is_err() {
        lost.fetch_add(1, Ordering::Relaxed);
    }
}

fn open(file: Option<&Path>) -> Result<Box<dyn Write + Send>, Failure> {
    let Some(path) = file else { return Ok(Box::new(io::stderr())) };
    let opened: io::Result<File> =
        OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    match opened {
        Ok(file) => Ok(Box::new(file)),
        Err(error) => Err(Failure::io(format!("log.file: {}", path.display()), &error)),
    }
}

fn filter(level: &str) -> Result<EnvFilter, Failure> {
    EnvFilter::try_new(level).map_err(|error| {
        Failure::new(
            Code::ConfigInvalid,
            format!("log.level: {error}"),
            "for example info, or info,steward_p2p=debug",
        )
    })
}

fn bug(text: &str) -> Failure {
    Failure::new(Code::Bug, text, "please report it")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A target that fails while told to, and keeps what it takes.
    #[derive(Clone, Default)]
    struct Target(Arc<Mutex<(bool, Vec<u8>)>>);

    impl Write for Target {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut state = self.0.lock().unwrap();
            if state.0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            state.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Target {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().1.clone()).unwrap()
        }
    }

    #[test]
    fn lines_that_do_not_fit_on_the_disk_are_counted_and_told_of_later() {
        let target = Target::default();
        let queue = Queue::start(Box::new(target.clone())).unwrap();
        queue.say(b"first\n");
        queue.flush();
        target.0.lock().unwrap().0 = true;
        queue.say(b"second\n");
        queue.say(b"third\n");
        queue.flush();
        target.0.lock().unwrap().0 = false;
        queue.say(b"fourth\n");
        queue.flush();
        assert_eq!(target.text(), "first\nWARN 2 lines of the log were lost here\nfourth\n");
    }

    #[test]
    fn a_target_that_stands_still_does_not_hold_up_the_process() {
        /// A target that takes nothing until the test lets it.
        struct Stuck(Receiver<()>);
        impl Write for Stuck {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let _ = self.0.recv();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (let_go, stuck) = sync_channel::<()>(0);
        let queue = Queue::start(Box::new(Stuck(stuck))).unwrap();
        for _ in 0..2 * MAX_WAITING_LOG_LINES {
            queue.say(b"line\n");
        }
        assert!(queue.0.lost.load(Ordering::Relaxed) >= MAX_WAITING_LOG_LINES as u64 - 1);
        queue.flush();
        drop(let_go);
    }

    #[test]
    fn a_line_has_a_longest_length() {
        let target = Target::default();
        let queue = Queue::start(Box::new(target.clone())).unwrap();
        queue.say(&vec![b'x'; 10 * MAX_LOG_LINE_BYTES]);
        queue.flush();
        assert_eq!(target.text().len(), MAX_LOG_LINE_BYTES);
    }
}
