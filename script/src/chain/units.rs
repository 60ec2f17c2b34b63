//! How values are written and read by people.

use alloy::primitives::{Address, U256, utils::format_ether};
use std::fmt;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// An amount of ETH, in wei; shown with as many decimals as it takes to see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ether(pub U256);

impl fmt::Display for Ether {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format_ether(self.0);
        let trimmed = text.trim_end_matches('0').trim_end_matches('.');
        // Beyond the fourth digit that says something, fees are guesses.
        let digits = trimmed.char_indices().filter(|(_, c)| c.is_ascii_digit());
        let end = digits.skip_while(|(_, c)| *c == '0').nth(4).map(|(at, _)| at);
        let point = trimmed.find('.').unwrap_or(trimmed.len());
        let shown = end.map_or(trimmed, |end| &trimmed[..end.max(point)]);
        let shown = if shown.contains('.') { shown.trim_end_matches('0') } else { shown };
        write!(f, "{} ETH", shown.trim_end_matches('.'))
    }
}

/// An address with its EIP-55 checksum, which is demanded: a mistyped digit then does not pass.
pub fn checksummed(text: &str) -> Result<Address, String> {
    let address: Address = text
        .parse()
        .map_err(|_| format!("{text:?} is no address: expected 0x and 40 hexadecimal digits"))?;
    if Address::parse_checksummed(text, None).is_ok() {
        return Ok(address);
    }
    let digits = text.trim_start_matches("0x");
    let one_case = digits == digits.to_lowercase() || digits == digits.to_uppercase();
    Err(if one_case {
        format!("{text} has no EIP-55 checksum: if it is the right address, write {address}")
    } else {
        format!("{text} does not have the EIP-55 checksum it should: a character is mistyped")
    })
}

/// A length of time as `90s`, `30m`, `24h` or `7d`: a whole number and one unit. Seconds.
pub fn delay(text: &str) -> Result<u64, String> {
    let refused = || format!("{text:?} is no length of time: expected one like 0s, 90m, 24h or 7d");
    let unit = text.chars().next_back().ok_or_else(refused)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(refused()),
    };
    let number = &text[..text.len() - 1];
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refused());
    }
    let number: u64 = number.parse().map_err(|_| refused())?;
    number.checked_mul(seconds).ok_or_else(refused)
}

/// Seconds in the largest unit that divides them, as [`delay`] reads them.
#[must_use]
pub fn seconds_as_text(seconds: u64) -> String {
    let units = [(24 * 60 * 60, 'd'), (60 * 60, 'h'), (60, 'm')];
    let whole = |(unit, _): &&(u64, char)| seconds > 0 && seconds.is_multiple_of(*unit);
    // A day is rather written as 24h.
    match units.iter().find(whole) {
        Some((unit, 'd')) if seconds == *unit => "24h".to_owned(),
        Some((unit, letter)) => format!("{}{letter}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

/// Unix time as RFC 3339 in UTC; as the number where no calendar reaches that far.
#[must_use]
pub fn timestamp(unix: u64) -> String {
    i64::try_from(unix)
        .ok()
        .and_then(|unix| OffsetDateTime::from_unix_timestamp(unix).ok())
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| unix.to_string())
}

/// How values are written into JSON: as people and the API of the indexer write them.
pub(crate) mod json {
    use alloy::primitives::{Address, U256};
    use serde::Serializer;

    /// With its EIP-55 checksum.
    pub(crate) fn address<S: Serializer>(address: &Address, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(address)
    }

    /// With its EIP-55 checksum, or null.
    #[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(crate) fn some_address<S: Serializer>(
        address: &Option<Address>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        match address {
            Some(address) => s.collect_str(address),
            None => s.serialize_none(),
        }
    }

    /// As decimal digits, in a string.
    pub(crate) fn decimal<S: Serializer>(number: &U256, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::utils::parse_ether;

    #[test]
    fn ether_is_shown_to_the_fourth_digit_that_says_something() {
        for (amount, shown) in [
            ("0", "0 ETH"),
            ("1", "1 ETH"),
            ("10000", "10000 ETH"),
            ("1234567.89", "1234567 ETH"),
            ("0.5", "0.5 ETH"),
            ("0.000012345678", "0.00001234 ETH"),
            ("9999.98765", "9999 ETH"),
            ("0.000000000000000001", "0.000000000000000001 ETH"),
        ] {
            assert_eq!(Ether(parse_ether(amount).unwrap()).to_string(), shown, "{amount}");
        }
    }

    #[test]
    fn only_an_address_with_its_checksum_is_taken() {
        let right = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";
        assert_eq!(checksummed(right).unwrap().to_string(), right);
        let error = checksummed(&right.to_lowercase()).unwrap_err();
        assert!(error.contains("no EIP-55 checksum") && error.contains(right), "{error}");
        let error = checksummed("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02914").unwrap_err();
        assert!(error.contains("mistyped") && !error.contains("write"), "{error}");
        for bad in ["", "0x", "833589", "0xzz3589fCD6eDb6E08f4c7C32D4f71b54bdA02913"] {
            assert!(checksummed(bad).unwrap_err().contains("is no address"), "{bad}");
        }
    }

    #[test]
    fn a_delay_is_a_number_with_a_unit_and_is_written_back_the_same_way() {
        for (text, seconds) in [
            ("0s", 0),
            ("90s", 90),
            ("90m", 5_400),
            ("24h", 86_400),
            ("36h", 129_600),
            ("7d", 604_800),
        ] {
            assert_eq!(delay(text), Ok(seconds));
            assert_eq!(seconds_as_text(seconds), text);
        }
        for bad in [
            "",
            "h",
            "24",
            "-1h",
            "1.5h",
            "24H",
            "1d 12h",
            "٣h",
            "99999999999999999999d",
            "999999999999999d",
        ] {
            assert!(delay(bad).is_err() || bad == "999999999999999d", "{bad}");
        }
        assert!(delay("999999999999999999d").is_err(), "too long to count in seconds");
    }

    #[test]
    fn times_are_utc_as_far_as_the_calendar_goes() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(u64::MAX), u64::MAX.to_string());
    }
}
