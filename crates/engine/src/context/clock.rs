//! The two clocks: the jumps of the wall clock against the one that no person sets, and the time
//! that is good enough to forget by.

use crate::face::io::Time;
use crate::face::limits::{
    CLOCK_BELIEVED_AFTER_MS, CLOCK_EVENT_WINDOW_MS, MAX_CLOCK_EVENTS, MIN_CLOCK_JUMP_MS,
    MIN_SLEEP_MS, RESUME_WAIT_MS,
};

/// The time of the last tick, and what is remembered of the clocks between two ticks.
#[derive(Debug)]
pub(crate) struct Clock {
    /// The time on the clock that no person sets: all waiting goes by it.
    now_ms: u64,
    /// The Unix time: everything that has a date goes by it.
    wall_ms: u64,
    /// The moment at which the waits that began at the start end, by `now_ms`.
    start_ends_ms: u64,
    /// Wall time less the other at the last tick.
    offset_ms: i64,
    /// The wall clock as it is believed for forgetting: the offset before it jumped ahead.
    believed_offset_ms: i64,
    /// The moment since which the offset has been above the believed one.
    ahead_since_ms: Option<u64>,
    /// Events of jumps told since `window_start_ms`.
    events: u32,
    window_start_ms: u64,
}

impl Clock {
    pub(crate) fn new(time: Time) -> Self {
        Self {
            now_ms: time.now_ms,
            wall_ms: time.wall_ms,
            start_ends_ms: time.now_ms.saturating_add(RESUME_WAIT_MS),
            offset_ms: offset_ms(time),
            believed_offset_ms: offset_ms(time),
            ahead_since_ms: None,
            events: 0,
            window_start_ms: time.now_ms,
        }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    pub(crate) fn wall_ms(&self) -> u64 {
        self.wall_ms
    }

    /// True just after a start: peers are still coming back.
    pub(crate) fn is_starting(&self) -> bool {
        self.now_ms < self.start_ends_ms
    }

    /// The Unix time to forget by, in milliseconds: a jump ahead counts only when it has lasted.
    pub(crate) fn believed_wall_ms(&self) -> u64 {
        self.now_ms.saturating_add_signed(self.believed_offset_ms)
    }

    /// Takes the time over, and tells of sleep or a jump since the last tick.
    pub(crate) fn set(&mut self, time: Time) -> Passed {
        let slept_ms = time.now_ms.saturating_sub(self.now_ms);
        self.now_ms = self.now_ms.max(time.now_ms);
        self.wall_ms = time.wall_ms;
        let jump = self.jump(Time { now_ms: self.now_ms, ..time });
        self.believe(self.now_ms);
        match jump {
            Some(by_ms) => Passed::Jump { by_ms, is_told: self.may_tell(self.now_ms) },
            None if slept_ms >= MIN_SLEEP_MS => Passed::Sleep,
            None => Passed::Nothing,
        }
    }

    /// The length of the wall clock's jump since the last tick, if it jumped, in milliseconds.
    fn jump(&mut self, time: Time) -> Option<i64> {
        let offset_ms = offset_ms(time);
        let by_ms = offset_ms.saturating_sub(self.offset_ms);
        self.offset_ms = offset_ms;
        (by_ms.unsigned_abs() >= MIN_CLOCK_JUMP_MS).then_some(by_ms)
    }

    /// Back is believed at once, ahead only when it has lasted: what was forgotten for a wrong
    /// date does not come back with the right one.
    fn believe(&mut self, now_ms: u64) {
        if self.offset_ms <= self.believed_offset_ms {
            self.believed_offset_ms = self.offset_ms;
            self.ahead_since_ms = None;
            return;
        }
        let since_ms = *self.ahead_since_ms.get_or_insert(now_ms);
        if now_ms.saturating_sub(since_ms) >= CLOCK_BELIEVED_AFTER_MS {
            self.believed_offset_ms = self.offset_ms;
            self.ahead_since_ms = None;
        }
    }

    /// True if one more event of a jump may be stored: a broken clock must not fill the disk.
    fn may_tell(&mut self, now_ms: u64) -> bool {
        if now_ms.saturating_sub(self.window_start_ms) >= CLOCK_EVENT_WINDOW_MS {
            (self.events, self.window_start_ms) = (0, now_ms);
        }
        self.events = self.events.saturating_add(1);
        self.events <= MAX_CLOCK_EVENTS
    }
}

/// The events between two ticks.
pub(crate) enum Passed {
    /// Nothing but time.
    Nothing,
    /// The machine or the program was stopped for a while.
    Sleep,
    /// The wall clock was set.
    Jump {
        /// The length of the jump, in milliseconds; negative if it went back.
        by_ms: i64,
        /// True if an event may tell of it.
        is_told: bool,
    },
}

fn offset_ms(time: Time) -> i64 {
    let offset = i128::from(time.wall_ms) - i128::from(time.now_ms);
    i64::try_from(offset).unwrap_or(if offset < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock_at(now_ms: u64, wall_ms: u64) -> Clock {
        Clock::new(Time { now_ms, wall_ms })
    }

    #[test]
    fn any_two_times_can_be_compared() {
        let mut clock = clock_at(u64::MAX, 0);
        assert_eq!(clock.jump(Time { now_ms: u64::MAX, wall_ms: u64::MAX }), Some(i64::MAX));
        assert_eq!(clock.jump(Time { now_ms: 0, wall_ms: u64::MAX }), Some(i64::MAX));
        assert_eq!(clock.jump(Time { now_ms: u64::MAX, wall_ms: 0 }), Some(i64::MIN));
    }

    #[test]
    fn a_clock_that_is_slewed_does_not_jump() {
        let mut clock = clock_at(0, 1_000_000);
        let slewed = (1..10_000).map(|s| Time { now_ms: s * 1000, wall_ms: 1_000_000 + s * 1001 });
        assert!(slewed.filter_map(|time| clock.jump(time)).next().is_none());
    }

    #[test]
    fn a_clock_ahead_is_believed_when_that_has_lasted() {
        let mut clock = clock_at(0, 0);
        let ahead = Time { now_ms: 1, wall_ms: 7_200_001 };
        assert_eq!(clock.jump(ahead), Some(7_200_000));
        clock.believe(1);
        assert_eq!(clock.believed_offset_ms, 0);
        clock.believe(CLOCK_BELIEVED_AFTER_MS);
        assert_eq!(clock.believed_offset_ms, 0);
        clock.believe(CLOCK_BELIEVED_AFTER_MS + 1);
        assert_eq!(clock.believed_offset_ms, 7_200_000);
    }

    #[test]
    fn a_clock_gone_mad_is_told_of_a_few_times_an_hour() {
        let mut clock = clock_at(0, 0);
        let told = (0..3600).filter(|s| clock.may_tell(s * 1000)).count();
        assert_eq!(told, MAX_CLOCK_EVENTS as usize);
        assert!(clock.may_tell(CLOCK_EVENT_WINDOW_MS));
    }
}
