//! What can never be, said aloud if it is: a panic in tests, simulator and fuzzing, and in a
//! release a counted finding that the engine logs as `bug`.
//!
//! An invariant is about our own code. What a peer, a disk or an operator can bring about is no
//! invariant: it has a branch of its own, which says when it is taken.
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

use std::cell::RefCell;
use std::fmt;

use crate::limits::MAX_REMEMBERED_BUGS;

thread_local! {
    static FOUND: RefCell<Found> = const { RefCell::new(Found { total: 0, untold: Vec::new() }) };
}

struct Found {
    total: u64,
    untold: Vec<Bug>,
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bug {
    /// The how-manieth of this thread.
    pub number: u64,
    /// Where it stands in the source.
    pub place: String,
    /// What was thought impossible.
    pub text: String,
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bug {}, please report it: {} ({})", self.number, self.text, self.place)
    }
}

/// Asserts in builds with debug assertions. Otherwise, if the condition does not hold, the finding
/// is noted for [`take`], and the code goes on.
#[macro_export]
macro_rules! invariant {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            $crate::impossible!($($text)+);
        }
    };
}

/// A place that is never reached: panics in builds with debug assertions, otherwise notes it.
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
    if cfg!(debug_assertions) {
        panic!("{text}");
    }
    note(format!("{file}:{line}"), text.to_string());
}

fn note(place: String, text: String) {
    FOUND.with_borrow_mut(|found| {
        found.total = found.total.saturating_add(1);
        if found.untold.len() < MAX_REMEMBERED_BUGS {
            found.untold.push(Bug { number: found.total, place, text });
        }
    });
}

/// What this thread has found since it was last asked. Of many in one batch the first
/// [`MAX_REMEMBERED_BUGS`] are told; the numbers show how many there were.
pub fn take() -> Vec<Bug> {
    FOUND.with_borrow_mut(|found| std::mem::take(&mut found.untold))
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
    fn in_a_release_the_first_findings_are_told_once_and_all_are_counted() {
        for finding in 0..MAX_REMEMBERED_BUGS + 3 {
            note("here:1".to_owned(), format!("finding {finding}"));
        }
        let told = take();
        assert_eq!(told.len(), MAX_REMEMBERED_BUGS);
        assert_eq!(told[0].to_string(), "bug 1, please report it: finding 0 (here:1)");
        assert_eq!(take(), []);
        note("here:1".to_owned(), "one more".to_owned());
        assert_eq!(take()[0].number, u64::try_from(MAX_REMEMBERED_BUGS).unwrap() + 4);
    }
}
