//! Moments as people read them: a date in UTC, and how far away it is.

use std::time::{SystemTime, UNIX_EPOCH};

const SECOND_MS: u64 = 1000;
const DAY_S: u64 = 24 * 60 * 60;

/// Returns a date such as `2026-11-27 23:59:01 UTC`.
pub fn date(unix_ms: u64) -> String {
    let seconds = unix_ms / SECOND_MS;
    let (year, month, day) = civil(seconds / DAY_S);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Returns the date, and how far away it is: `2026-11-27 23:59:01 UTC (in 59 min)`.
pub fn date_and_distance(unix_ms: u64) -> String {
    format!("{} ({})", date(unix_ms), distance(unix_ms, now_ms()))
}

/// Returns how far away it is by the clock of this machine.
pub fn distance_from_now(unix_ms: u64) -> String {
    distance(unix_ms, now_ms())
}

/// Returns a distance such as `in 59 min` or `3 days ago`.
fn distance(unix_ms: u64, now_ms: u64) -> String {
    let length = length(unix_ms.abs_diff(now_ms) / SECOND_MS);
    if unix_ms > now_ms { format!("in {length}") } else { format!("{length} ago") }
}

fn length(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..5400 => format!("{} min", seconds / 60),
        5400..172_800 => format!("{} h", seconds / 3600),
        172_800..63_072_000 => format!("{} days", seconds / DAY_S),
        _ => format!("{} years", seconds / (365 * DAY_S)),
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Returns year, month and day of a number of days since 1970, in the Gregorian calendar. Counted
/// from a year that begins in March, so that the leap day is its last.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    // From 1 March of the year 0 to 1970.
    let days = days + 719_468;
    let (era, day_of_era) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (unix_s, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59:59 UTC"),
            (1_795_822_463, "2026-11-27 23:34:23 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(date(unix_s * 1000), expected);
        }
        // No moment makes it fail.
        assert!(date(u64::MAX).ends_with("UTC"));
    }

    #[test]
    fn distances_are_rounded_to_what_people_count_in() {
        let now_ms = 1_000_000_000_000;
        for (seconds, expected) in [
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (7_200, "2 h"),
            (3 * DAY_S, "3 days"),
            (800 * DAY_S, "2 years"),
        ] {
            assert_eq!(distance(now_ms + seconds * 1000, now_ms), format!("in {expected}"));
            assert_eq!(distance(now_ms - seconds * 1000, now_ms), format!("{expected} ago"));
        }
    }
}
