use alloy::primitives::{B256, keccak256};
use std::fmt;
use uuid::Uuid;

/// The on-chain form of a session: `keccak256` of the session UUID's canonical text.
///
/// The canonical text is lower-case and hyphenated, 36 characters. This is what viem's
/// `keccak256(toBytes(uuid))` and ethers' `id(uuid)` give. The contract knows a session by nothing
/// else, and a hash cannot be turned back: whoever needs the UUID keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub B256);

impl SessionId {
    /// The on-chain form of `session`.
    #[must_use]
    pub fn of(session: Uuid) -> Self {
        Self(keccak256(session.hyphenated().encode_lower(&mut Uuid::encode_buffer())))
    }
}

impl From<Uuid> for SessionId {
    fn from(session: Uuid) -> Self {
        Self::of(session)
    }
}

/// `0x` and 64 lower-case hexadecimal digits.
impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::b256;

    #[test]
    fn is_the_hash_of_the_canonical_text_whatever_the_case_it_was_given_in() {
        let hash = b256!("0x11254b9ab226814845c586958ab7ba56e54d5ddaeffab9d8705d80209ad9862d");
        let lower = Uuid::parse_str("b1e2f3a4-5b6c-7d8e-9f0a-1b2c3d4e5f6a").unwrap();
        let upper = Uuid::parse_str("B1E2F3A4-5B6C-7D8E-9F0A-1B2C3D4E5F6A").unwrap();
        assert_eq!(SessionId::of(lower), SessionId::of(upper));
        assert_eq!(SessionId::of(lower).0, hash);
        assert_eq!(SessionId::of(lower).to_string(), hash.to_string());
    }
}
