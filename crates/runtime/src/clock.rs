//! The node's two clocks: one for dates, the other for durations and timeouts.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use steward_engine::Time;

/// A clock that is never set and that goes on while the machine sleeps. `CLOCK_MONOTONIC` stands
/// still then on Linux, and goes on elsewhere.
const NEVER_SET: ClockId =
    if cfg!(target_os = "linux") { ClockId::Boottime } else { ClockId::Monotonic };

/// Returns the unix time as the machine believes, for dates; in milliseconds.
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the time since the machine started, its sleep included, for durations and timeouts; in
/// milliseconds. It is no date, and is not to be stored.
pub fn now_ms() -> u64 {
    let time = clock_gettime(NEVER_SET);
    let ms = i128::from(time.tv_sec) * 1000 + i128::from(time.tv_nsec) / 1_000_000;
    u64::try_from(ms).unwrap_or(0)
}

/// Returns this moment, for the engine.
pub fn time() -> Time {
    Time { now_ms: now_ms(), wall_ms: wall_ms() }
}
