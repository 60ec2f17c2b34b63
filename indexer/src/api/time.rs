//! Times as the platform writes them: ISO 8601, UTC, milliseconds.

use super::error::{ApiError, Code};
use time::{
    OffsetDateTime,
    format_description::{StaticFormatDescription, well_known::Rfc3339},
    macros::format_description,
};

const ISO_8601: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

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

fn format(time: OffsetDateTime) -> Option<String> {
    time.format(ISO_8601).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds_and_are_utc() {
        assert_eq!(of_unix(1_778_671_800).unwrap(), "2026-05-13T11:30:00.000Z");
        assert_eq!(of_unix(0).unwrap(), "1970-01-01T00:00:00.000Z");
        assert_eq!(now().len(), "2026-05-13T11:30:00.000Z".len());
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
