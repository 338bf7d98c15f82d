//! Keeps what is in memory, the seed above all, out of files that a crash would leave.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Switches core dumps off, both to a file and to the program that the system names for them. Where
/// that is not allowed, the program goes on without it.
pub(crate) fn no_core_dumps() {
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // A program that takes dumps gets them whatever the limit.
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}
