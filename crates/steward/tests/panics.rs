//! A panic anywhere ends the process, with a code and a sentence of its own. This program is its
//! own child: it panics in the way it is told to.

use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Barrier};
use std::thread;

use steward::panics::{EXIT_BUG, end_the_process};

/// The variable that tells the child where to panic.
const PLACE: &str = "PANIC_PLACE_OF_THIS_TEST";

#[test]
fn child() {
    let Ok(place) = std::env::var(PLACE) else { return };
    end_the_process();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match place.as_str() {
        "thread" => drop(thread::Builder::new().name("worker".to_owned()).spawn(oops)),
        "task" => drop(runtime.spawn(async { oops() })),
        "blocking task" => drop(runtime.spawn_blocking(oops)),
        "caught" => drop(std::panic::catch_unwind(oops)),
        "drop" => drop(runtime.spawn(async {
            let _bomb = Bomb;
            oops();
        })),
        "two at once" => {
            let together = Arc::new(Barrier::new(2));
            for _ in 0..2 {
                let together = Arc::clone(&together);
                thread::spawn(move || {
                    together.wait();
                    oops()
                });
            }
        }
        other => panic!("{other} is no place"),
    }
    // Nothing waits for the task that panics.
    loop {
        thread::park();
    }
}

fn oops() {
    panic!("on purpose: {}", 1 + 1);
}

/// Panics once more while it is unwound.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        oops();
    }
}

fn run(place: &str, stderr: Stdio) -> Output {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child", "--nocapture"]).env(PLACE, place).env("RUST_BACKTRACE", "0");
    child.stdout(Stdio::null()).stderr(stderr).output().unwrap()
}

#[test]
fn a_panic_in_any_thread_or_task_ends_the_process_with_a_sentence() {
    for place in ["thread", "task", "blocking task", "caught", "drop", "two at once"] {
        let end = run(place, Stdio::piped());
        let said = String::from_utf8(end.stderr).unwrap();
        assert_eq!(end.status.code(), Some(i32::from(EXIT_BUG)), "{place}: {said}");
        assert_eq!(said.matches("error: a bug: the thread ").count(), 1, "{place}: {said}");
        assert!(said.contains("on purpose: 2\nhint: "), "{place}: {said}");
        assert!(said.contains("panics.rs:"), "the place is told: {said}");
    }
}

#[test]
fn it_ends_also_where_its_last_words_cannot_be_written() {
    let end = run("thread", std::io::pipe().unwrap().1.into());
    assert_eq!(end.status.code(), Some(i32::from(EXIT_BUG)));
}
