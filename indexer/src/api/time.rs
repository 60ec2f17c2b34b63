//! Times as the platform writes them: ISO 8601, UTC, milliseconds.

use super::error::{ApiError, Code};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// How long the date is, which `T` follows.
const DATE_LENGTH: usize = "2026-05-13".len();

pub(super) fn now() -> String {
    format(OffsetDateTime::now_utc()).unwrap_or_default()
}

/// Unix seconds of the wall clock.
pub(super) fn unix_now() -> u64 {
    OffsetDateTime::now_utc().unix_timestamp().try_into().unwrap_or_default()
}

/// `seconds` of Unix time; an error past the year 9999, which no real block says it is.
pub(super) fn of_unix(seconds: u64) -> Result<String, ApiError> {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(format)
        .ok_or_else(|| ApiError::new(Code::InternalServerError).detail("time:outOfRange"))
}

/// The Unix milliseconds of an ISO 8601 time with its offset, from 1970 on; a fraction of a
/// millisecond is left out.
pub(super) fn unix_milliseconds(text: &str) -> Option<u64> {
    // The parser takes any letter between date and time.
    let apart =
        text.as_bytes().get(DATE_LENGTH).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'T'));
    let time = apart.then(|| OffsetDateTime::parse(text, &Rfc3339).ok()).flatten()?;
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}

/// `None` where the year has not four digits. They are set one by one: a page of events has as many times
/// as events, and the crate's formatter goes through its description for each.
fn format(time: OffsetDateTime) -> Option<String> {
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let year = u16::try_from(time.year()).ok().filter(|year| *year <= 9_999)?;
    let numbers = [
        (0, 4, year),
        (5, 2, u8::from(time.month()).into()),
        (8, 2, time.day().into()),
        (11, 2, time.hour().into()),
        (14, 2, time.minute().into()),
        (17, 2, time.second().into()),
        (20, 3, time.millisecond()),
    ];
    for (at, digits, mut number) in numbers {
        for digit in text[at..at + digits].iter_mut().rev() {
            *digit += u8::try_from(number % 10).ok()?;
            number /= 10;
        }
    }
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::fuzzed;
    use ::time::{format_description::StaticFormatDescription, macros::format_description};
    use proptest::prelude::*;

    const ISO_8601: StaticFormatDescription =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

    #[test]
    fn times_have_milliseconds_and_are_utc() {
        assert_eq!(of_unix(1_778_671_800).unwrap(), "2026-05-13T11:30:00.000Z");
        assert_eq!(of_unix(0).unwrap(), "1970-01-01T00:00:00.000Z");
        assert_eq!(now().len(), "2026-05-13T11:30:00.000Z".len());
    }

    proptest! {
        #![proptest_config(fuzzed())]

        #[test]
        fn a_time_is_written_as_the_crate_writes_it(millis in 0_i128..253_402_300_800_000) {
            let time = OffsetDateTime::from_unix_timestamp_nanos(millis * 1_000_000).unwrap();
            prop_assert_eq!(format(time), time.format(ISO_8601).ok());
        }
    }

    #[test]
    fn a_time_is_read_with_any_offset_and_no_other_way() {
        assert_eq!(unix_milliseconds("2026-05-13T11:30:00.123Z"), Some(1_778_671_800_123));
        assert_eq!(unix_milliseconds("2026-05-13T13:30:00+02:00"), Some(1_778_671_800_000));
        assert_eq!(unix_milliseconds("1970-01-01T00:00:00Z"), Some(0));
        for text in [
            "",
            "1778671800",
            "2026-05-13",
            "2026-05-13T11:30:00",
            "2026-05-13U11:30:00Z",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(unix_milliseconds(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_past_the_calendar_is_an_error() {
        assert!(of_unix(253_402_300_799).is_ok());
        assert!(of_unix(253_402_300_800).is_err());
        assert!(of_unix(u64::MAX).is_err());
    }
}
