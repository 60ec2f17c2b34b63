//! Comparing code byte for byte.

use luxxon_bindings::build::build;
use std::fmt;

/// The first place where the code on chain is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The offset of the first differing byte.
    pub offset: usize,
    /// The bytes on chain, and those it must have.
    pub lengths: (usize, usize),
    /// The immutable that stands at the offset, where one does.
    pub immutable: Option<&'static str>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, expected) = self.lengths;
        write!(f, "first differs at offset {}", self.offset)?;
        if let Some(name) = self.immutable {
            write!(f, ", inside the immutable {name}")?;
        }
        if found != expected {
            write!(f, "; it has {found} bytes, expected {expected}")?;
        }
        Ok(())
    }
}

/// Where `found` first differs from `expected`; `None` where it does not.
#[must_use]
pub fn compare(found: &[u8], expected: &[u8]) -> Option<Difference> {
    if found == expected {
        return None;
    }
    let same = found.iter().zip(expected).take_while(|(found, expected)| found == expected);
    let offset = same.count();
    let immutable = build().immutables.iter().find_map(|(name, ranges)| {
        let mut ranges = ranges.iter();
        let within =
            ranges.any(|range| (range.start..range.start + range.length).contains(&offset));
        within.then_some(name.as_str())
    });
    Some(Difference { offset, lengths: (found.len(), expected.len()), immutable })
}

/// Whether this is no contract's code but the mark of an account that delegates to one (EIP-7702).
/// It can change at any time.
#[must_use]
pub fn is_delegation(code: &[u8]) -> bool {
    code.len() == 23 && code.starts_with(&[0xef, 0x01, 0x00])
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{Address, U256};
    use luxxon_bindings::build::runtime_code;

    #[test]
    fn equal_code_has_no_difference_and_the_first_of_two_is_named() {
        let code = runtime_code(Address::repeat_byte(1), U256::from(60)).to_vec();
        assert_eq!(compare(&code, &code), None);
        for offset in [0, 5, code.len() - 1] {
            let mut other = code.clone();
            other[offset] ^= 1;
            let last = other.len() - 1;
            other[last] = !code[last];
            assert_eq!(compare(&other, &code).unwrap().offset, offset);
        }
    }

    #[test]
    fn code_that_ends_early_or_goes_on_differs_where_one_of_them_ends() {
        let code = runtime_code(Address::repeat_byte(1), U256::from(60)).to_vec();
        let shorter = compare(&code[..100], &code).unwrap();
        assert_eq!((shorter.offset, shorter.lengths), (100, (100, code.len())));
        let longer = [&code[..], &[0]].concat();
        assert_eq!(compare(&longer, &code).unwrap().offset, code.len());
        assert!(shorter.to_string().contains("it has 100 bytes, expected "), "{shorter}");
        assert_eq!(compare(&[], &code).unwrap().offset, 0);
    }

    #[test]
    fn a_wrong_immutable_is_called_by_its_name() {
        let right = runtime_code(Address::repeat_byte(1), U256::from(60));
        let usdc = runtime_code(Address::repeat_byte(2), U256::from(60));
        let delay = runtime_code(Address::repeat_byte(1), U256::from(61));
        assert_eq!(compare(&usdc, &right).unwrap().immutable, Some("USDC"));
        assert_eq!(compare(&delay, &right).unwrap().immutable, Some("RELAYER_DELAY"));
    }

    #[test]
    fn a_delegating_account_is_no_contract() {
        let delegation = [&[0xef, 0x01, 0x00][..], &[7; 20]].concat();
        assert!(is_delegation(&delegation));
        assert!(!is_delegation(&delegation[..22]) && !is_delegation(&[0x60; 23]));
    }
}
