//! A panic in any thread or task ends the process: half a node is worse than none, and one that
//! is killed loses nothing (docs/recovery.md). It ends at once, with a sentence and a code of its
//! own, before anything else can be said or done.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write;
use std::panic::PanicHookInfo;
use std::process;
use std::sync::OnceLock;
use std::thread::{self, ThreadId};

/// The exit code after a panic; `EX_SOFTWARE` of sysexits.
pub const EXIT_BUG: u8 = 70;

/// Lets a panic end the process from now on, with its sentence on standard error.
pub fn end_the_process() {
    end_the_process_saying(|words| {
        // A missing reader is no reason for a second panic.
        let _ = std::io::stderr().write_all(words.as_bytes());
    });
}

/// Does the same, with its sentence wherever `last_words` takes it. They must not wait for long.
pub(crate) fn end_the_process_saying(last_words: impl Fn(&str) + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |panic| {
        if is_first() {
            last_words(&sentence(panic));
        }
        process::exit(i32::from(EXIT_BUG));
    }));
}

/// Returns true in the first thread that panics, the first time. Others wait for it to end the
/// process; a second panic of its own, in its last words, is not reported.
fn is_first() -> bool {
    static FIRST: OnceLock<ThreadId> = OnceLock::new();
    let us = thread::current().id();
    let mut is_new = false;
    let first = *FIRST.get_or_init(|| {
        is_new = true;
        us
    });
    if first != us {
        loop {
            thread::park();
        }
    }
    is_new
}

fn sentence(panic: &PanicHookInfo<'_>) -> String {
    let current = thread::current();
    let name = current.name().unwrap_or("without a name");
    let place = panic.location().map(|place| format!(" at {place}")).unwrap_or_default();
    let payload = panic.payload();
    let what = payload.downcast_ref::<&str>().copied();
    let what = what.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let what = what.unwrap_or("no message");
    let mut text = format!(
        "error: a bug: the thread {name} panicked{place}: {what}\n\
         hint: nothing that was acknowledged is lost: start it again, and report this\ncode: bug\n"
    );
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        text.push_str(&format!("{backtrace}\n"));
    }
    text
}
