//! The Gregorian calendar: days since 1970-01-01 to dates and back.
//!
//! The year is counted from March, so that the leap day is its last and month lengths follow one
//! formula; an era is the 400 years after which the calendar repeats.

const ERA_DAYS: u64 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const EPOCH: u64 = 719_468;

/// Year, month and day of a number of days since 1970-01-01.
pub(super) fn date_of(days: u64) -> (u64, u64, u64) {
    let days = days + EPOCH;
    let (era, day) = (days / ERA_DAYS, days % ERA_DAYS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year;
    if month < 10 { (year, month + 3, day_of_month) } else { (year + 1, month - 9, day_of_month) }
}

/// Days from 1970-01-01 to a date; none if the date does not exist or lies outside 1970 … 9999.
pub(super) fn days_of(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let from_march = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (from_march.0 / 400, from_march.0 % 400);
    let day_of_year = (153 * from_march.1 + 2) / 5 + day - 1;
    let day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * ERA_DAYS + day_of_era - EPOCH;
    // The 31st of a shorter month is a day of the next one.
    (date_of(days) == (year, month, day)).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_follows_the_one_before() {
        let mut last = (1970, 1, 1);
        for days in 1..200_000 {
            let (year, month, day) = date_of(days);
            let next = match last {
                (y, 12, 31) => (y + 1, 1, 1),
                (y, m, d) if (m, d) == (month, day - u64::from(day > 1)) => (y, m, d + 1),
                (y, m, d) if d >= 28 => (y, m + 1, 1),
                other => panic!("{other:?} is followed by {year}-{month}-{day}"),
            };
            assert_eq!((year, month, day), next);
            last = next;
        }
    }

    #[test]
    fn a_date_leads_back_to_its_day() {
        for days in (0..200_000).chain([2_932_896]) {
            let (year, month, day) = date_of(days);
            assert_eq!(days_of(year, month, day), Some(days));
        }
    }

    #[test]
    fn dates_that_do_not_exist_have_no_day() {
        for (year, month, day) in [
            (2023, 2, 29),
            (2100, 2, 29),
            (2024, 2, 30),
            (2024, 4, 31),
            (2024, 0, 1),
            (2024, 13, 1),
            (2024, 1, 0),
            (2024, 1, 32),
            (1969, 12, 31),
            (10_000, 1, 1),
        ] {
            assert_eq!(days_of(year, month, day), None, "{year}-{month}-{day}");
        }
        assert!(days_of(2024, 2, 29).is_some());
    }
}
