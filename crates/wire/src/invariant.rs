//! Conditions that always hold unless our code has a bug. One that does not hold is a panic in
//! tests, simulator and fuzzing; in a release it is counted, and the engine logs it as `bug`.
//!
//! An invariant is about our own code. What a peer, a disk or an operator can cause is not an
//! invariant: it has a branch of its own, with a comment that says when it is taken.
//!
//! ```
//! use steward_wire::{impossible, invariant};
//!
//! fn half(of: Option<u64>) -> u64 {
//!     let Some(of) = of else {
//!         impossible!("the caller has looked before");
//!         return 0;
//!     };
//!     invariant!(of.is_multiple_of(2), "only even numbers are halved, not {of}");
//!     of / 2
//! }
//! assert_eq!(half(Some(4)), 2);
//! ```

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::MAX_REMEMBERED_BUGS;

/// The findings of all threads.
static TOTAL: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static IS_AS_IN_RELEASE: Cell<bool> = const { Cell::new(false) };
    static FOUND: RefCell<Found> = const { RefCell::new(Found { total: 0, unreported: Vec::new() }) };
}

struct Found {
    total: u64,
    unreported: Vec<Bug>,
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bug {
    /// The number of this finding, counted in this thread from 1.
    pub number: u64,
    /// The file and line of the check.
    pub place: String,
    /// The sentence that the check gives.
    pub text: String,
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bug {}, please report it: {} ({})", self.number, self.text, self.place)
    }
}

/// Panics in builds with debug assertions if the condition does not hold. In other builds it notes
/// the finding for [`take`], and the code continues.
#[macro_export]
macro_rules! invariant {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            $crate::impossible!($($text)+);
        }
    };
}

/// Marks a place that is never reached: panics in builds with debug assertions, otherwise notes the
/// finding for [`take`].
#[macro_export]
macro_rules! impossible {
    ($($text:tt)+) => {
        $crate::invariant::found(file!(), line!(), format_args!($($text)+))
    };
}

/// Notes that an invariant did not hold; [`impossible!`] calls it.
#[cold]
#[track_caller]
#[expect(clippy::panic, reason = "this is how an invariant shouts, in builds made for it")]
pub fn found(file: &str, line: u32, text: fmt::Arguments<'_>) {
    if cfg!(debug_assertions) && !IS_AS_IN_RELEASE.get() {
        panic!("{text}");
    }
    note(format!("{file}:{line}"), text.to_string());
}

fn note(place: String, text: String) {
    TOTAL.fetch_add(1, Ordering::Relaxed);
    FOUND.with_borrow_mut(|found| {
        found.total = found.total.saturating_add(1);
        if found.unreported.len() < MAX_REMEMBERED_BUGS {
            found.unreported.push(Bug { number: found.total, place, text });
        }
    });
}

/// Returns what this thread has found since the last call. Of many findings in one batch only the
/// first [`MAX_REMEMBERED_BUGS`] are kept; the numbers show how many there were.
pub fn take() -> Vec<Bug> {
    FOUND.with_borrow_mut(|found| std::mem::take(&mut found.unreported))
}

/// Returns how many findings there were in this process, in all threads.
pub fn total() -> u64 {
    TOTAL.load(Ordering::Relaxed)
}

/// Runs `body` as a release does, in any build: an invariant that does not hold is noted, and the
/// code continues. Tests of what happens to a finding use it.
pub fn as_in_release<T>(body: impl FnOnce() -> T) -> T {
    let before = IS_AS_IN_RELEASE.replace(true);
    let result = body();
    IS_AS_IN_RELEASE.set(before);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "seven is even")]
    #[cfg(debug_assertions)]
    fn an_invariant_that_does_not_hold_ends_a_test() {
        invariant!(7 % 2 == 0, "seven is even");
    }

    #[test]
    fn in_a_release_the_first_findings_are_reported_once_and_all_are_counted() {
        for finding in 0..MAX_REMEMBERED_BUGS + 3 {
            note("here:1".to_owned(), format!("finding {finding}"));
        }
        let reported = take();
        assert_eq!(reported.len(), MAX_REMEMBERED_BUGS);
        assert_eq!(reported[0].to_string(), "bug 1, please report it: finding 0 (here:1)");
        assert_eq!(take(), []);
        note("here:1".to_owned(), "one more".to_owned());
        assert_eq!(take()[0].number, u64::try_from(MAX_REMEMBERED_BUGS).unwrap() + 4);
    }
}
