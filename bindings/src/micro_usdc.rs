use alloy::primitives::U256;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, num::ParseIntError, str::FromStr};

/// An amount of money in µUSDC, the smallest unit of USDC: 1 USDC is 1,000,000 µUSDC.
///
/// From 0 to 2^64 − 1, the range the contract holds every amount it stores to. Arithmetic is
/// checked: there are no operators that wrap or panic. Text and JSON are the decimal digits, as a
/// string, as the platform publishes amounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MicroUsdc(u64);

/// An amount that does not fit 64 bits, which no amount inside the contract can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} µUSDC does not fit 64 bits")]
pub struct TooLarge(pub U256);

impl MicroUsdc {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// `amount` µUSDC.
    #[must_use]
    pub const fn new(amount: u64) -> Self {
        Self(amount)
    }

    /// The number of µUSDC.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sum, or `None` where it does not fit 64 bits.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, or `None` where `other` is larger.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(rest) => Some(Self(rest)),
            None => None,
        }
    }
}

impl TryFrom<U256> for MicroUsdc {
    type Error = TooLarge;

    fn try_from(amount: U256) -> Result<Self, TooLarge> {
        u64::try_from(amount).map(Self).map_err(|_| TooLarge(amount))
    }
}

impl From<MicroUsdc> for U256 {
    fn from(amount: MicroUsdc) -> Self {
        Self::from(amount.0)
    }
}

impl fmt::Display for MicroUsdc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for MicroUsdc {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

impl Serialize for MicroUsdc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MicroUsdc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stops_at_both_ends() {
        let one = MicroUsdc::new(1);
        assert_eq!(MicroUsdc::new(u64::MAX).checked_add(one), None);
        assert_eq!(MicroUsdc::ZERO.checked_sub(one), None);
        assert_eq!(one.checked_add(one), Some(MicroUsdc::new(2)));
        assert_eq!(one.checked_sub(one), Some(MicroUsdc::ZERO));
    }

    #[test]
    fn a_value_past_64_bits_is_refused_and_named() {
        let over = U256::from(u64::MAX) + U256::ONE;
        assert_eq!(MicroUsdc::try_from(over), Err(TooLarge(over)));
        assert_eq!(TooLarge(over).to_string(), "18446744073709551616 µUSDC does not fit 64 bits");
        assert_eq!(MicroUsdc::try_from(U256::from(u64::MAX)), Ok(MicroUsdc::new(u64::MAX)));
    }

    #[test]
    fn json_is_a_decimal_string() {
        let json = serde_json::to_string(&MicroUsdc::new(u64::MAX)).unwrap();
        assert_eq!(json, "\"18446744073709551615\"");
        assert_eq!(serde_json::from_str::<MicroUsdc>(&json).unwrap().get(), u64::MAX);
        assert!(serde_json::from_str::<MicroUsdc>("\"-1\"").is_err());
        assert!(serde_json::from_str::<MicroUsdc>("1.5").is_err());
    }
}
