//! Points in time as people write them.

use std::time::{Duration, UNIX_EPOCH};

use crate::base::ids::Millis;

/// Reads RFC 3339, seconds or milliseconds since 1970, or `-10m` for ten minutes before `now`.
pub(super) fn parse_time(text: &str, now: Millis) -> Result<Millis, String> {
    let invalid = || {
        format!(
            "`{text}` is no time; write 2026-01-31T12:00:00Z, seconds or milliseconds since 1970, \
             or -10m"
        )
    };
    if text == "now" {
        return Ok(now);
    }
    if let Some(ago) = text.strip_prefix('-') {
        let ago = humantime::parse_duration(ago).or(Err(invalid()))?;
        let ago = u64::try_from(ago.as_millis()).or(Err(invalid()))?;
        return now.0.checked_sub(ago).map(Millis).ok_or_else(invalid);
    }
    if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
        let number: u64 = text.parse().or(Err(invalid()))?;
        return Ok(Millis(if number < MILLIS_FROM { number * 1000 } else { number }));
    }
    parse_rfc3339(text).ok_or_else(invalid)
}

/// RFC 3339 in UTC, with milliseconds.
pub(super) fn format_time(time: Millis) -> String {
    // The formatter ends with the year 9999.
    let shown = time.0.min(253_402_300_799_999);
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(shown)).to_string()
}

fn parse_rfc3339(text: &str) -> Option<Millis> {
    let (local, offset_min) = split_offset(text)?;
    let local = humantime::parse_rfc3339_weak(local).ok()?;
    let ms = i64::try_from(local.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?;
    u64::try_from(ms - offset_min * 60_000).ok().map(Millis)
}

/// Splits `…+02:00` into the local time and the offset in minutes, which humantime does not read.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    let Some((local, offset)) = text.len().checked_sub(6).and_then(|at| text.split_at_checked(at))
    else {
        return Some((text, 0));
    };
    let sign = match offset.as_bytes()[0] {
        b'+' => 1,
        // A date without a time ends in `-DD` and never has a `:` there.
        b'-' if offset.contains(':') && local.contains(':') => -1,
        _ => return Some((text, 0)),
    };
    let (hours, minutes) = offset[1..].split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some((local, sign * (hours * 60 + minutes)))
}

/// Below it a number is seconds (until the year 5138), from it on milliseconds (since 1973).
const MILLIS_FROM: u64 = 100_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_700_000_000_000);

    #[test]
    fn all_forms_of_the_same_time_are_read() {
        for text in [
            "2023-11-14T22:13:20Z",
            "2023-11-14 22:13:20",
            "2023-11-14T22:13:20.000Z",
            "2023-11-15T00:13:20+02:00",
            "2023-11-14T17:43:20-04:30",
            "1700000000",
            "1700000000000",
            "now",
        ] {
            assert_eq!(parse_time(text, NOW), Ok(NOW), "{text}");
        }
        assert_eq!(parse_time("-10m", NOW), Ok(Millis(NOW.0 - 600_000)));
        assert_eq!(parse_time("-1h 30m", NOW), Ok(Millis(NOW.0 - 5_400_000)));
        assert_eq!(parse_time("0", NOW), Ok(Millis(0)));
    }

    #[test]
    fn what_is_no_time_is_refused_with_the_forms() {
        for text in ["", "-", "soon", "10m", "2023-11-14", "-100y", "2023-11-14T22:13:20+25:00"] {
            let error = parse_time(text, NOW).unwrap_err();
            assert!(error.contains("-10m"), "{text}: {error}");
        }
    }

    #[test]
    fn times_print_in_utc_with_milliseconds() {
        assert_eq!(format_time(Millis(NOW.0 + 7)), "2023-11-14T22:13:20.007Z");
        assert_eq!(format_time(Millis(u64::MAX)), "9999-12-31T23:59:59.999Z");
    }
}
