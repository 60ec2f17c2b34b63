//! API keys: what they look like, and what is kept of them.

use alloy::primitives::U256;
use sha2::{Digest, Sha256};
use std::fmt;
use uuid::Uuid;

/// Which of the platform's two environments a deployment belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// A test chain.
    Test,
    /// Base, with real money.
    Live,
}

impl Environment {
    /// The environment of a chain: Base is live, every other chain is a test chain.
    #[must_use]
    pub const fn of_chain(chain_id: u64) -> Self {
        const BASE: u64 = 8453;
        if chain_id == BASE { Self::Live } else { Self::Test }
    }

    /// The published name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Test => "TEST",
            Self::Live => "LIVE",
        }
    }

    const fn in_key(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Live => "live",
        }
    }
}

/// A key in plain text. It is shown to its holder once; only [`hash`](Self::hash) is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainKey(String);

impl PlainKey {
    /// What every key begins with.
    pub const MARK: &str = "lxxn_";

    /// The length of what is kept to tell keys apart.
    const PREFIX_LEN: usize = 20;

    /// A new key for a workspace: `lxxn_<env>_<hint>_<secret>`, the hint being the first six digits
    /// of the workspace's id and the secret 32 random bytes.
    ///
    /// Fails where the operating system has no randomness to give.
    pub fn generate(environment: Environment, workspace: Uuid) -> Result<Self, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let hint = &workspace.simple().to_string()[..6];
        Ok(Self(format!(
            "{}{}_{hint}_{}",
            Self::MARK,
            environment.in_key(),
            base62(U256::from_be_bytes(secret))
        )))
    }

    /// A key as a caller presents it.
    #[must_use]
    pub fn presented(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The environment it says that it is for.
    #[must_use]
    pub fn environment(&self) -> Option<Environment> {
        let (environment, _) = self.0.strip_prefix(Self::MARK)?.split_once('_')?;
        [Environment::Test, Environment::Live]
            .into_iter()
            .find(|known| known.in_key() == environment)
    }

    /// SHA-256 of the whole key. The secret has 256 bits of its own, so a slow hash would add
    /// nothing.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }

    /// The first 20 characters: the mark, the environment, the hint and a little of the secret.
    #[must_use]
    pub fn prefix(&self) -> String {
        self.0.chars().take(Self::PREFIX_LEN).collect()
    }

    /// What is kept to tell keys apart, of a key that was made elsewhere: at most 20 characters, as
    /// keys have them; `None` where it is not so.
    #[must_use]
    pub fn checked_prefix(prefix: &str) -> Option<String> {
        let fits = prefix.len() <= Self::PREFIX_LEN;
        let of_keys = prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        (fits && of_keys).then(|| prefix.to_owned())
    }

    /// The key itself, to be shown to its holder.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Never the key.
impl fmt::Debug for PlainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainKey(…)")
    }
}

/// 43 digits, the most 256 bits need.
fn base62(mut number: U256) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const BASE: U256 = U256::from_limbs([62, 0, 0, 0]);
    let mut digits = [b'0'; 43];
    for digit in digits.iter_mut().rev() {
        let (rest, value) = number.div_rem(BASE);
        *digit = DIGITS[value.to::<usize>()];
        number = rest;
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::{fuzzed, spoiled_text};
    use proptest::prelude::*;

    #[test]
    fn a_key_has_the_published_form_and_is_never_the_same_twice() {
        let workspace = Uuid::parse_str("8c3a5b6f-1d2e-4f7a-9b8c-d1e2f3a4b5c6").unwrap();
        let key = PlainKey::generate(Environment::Test, workspace).unwrap();
        let other = PlainKey::generate(Environment::Test, workspace).unwrap();
        assert!(key.reveal().starts_with("lxxn_test_8c3a5b_"), "{}", key.reveal());
        assert_eq!(key.reveal().len(), "lxxn_test_8c3a5b_".len() + 43);
        assert_ne!(key, other);
        assert_ne!(key.hash(), other.hash());
        assert_eq!(key.prefix(), key.reveal()[..20]);
    }

    #[test]
    fn a_key_does_not_show_itself_in_debug_output() {
        assert_eq!(format!("{:?}", PlainKey::presented("lxxn_live_secret")), "PlainKey(…)");
    }

    #[test]
    fn base62_has_room_for_every_secret() {
        assert_eq!(base62(U256::ZERO), "0".repeat(43));
        assert_eq!(base62(U256::from(62 * 62 + 61)), format!("{}10z", "0".repeat(40)));
        assert_eq!(base62(U256::MAX).len(), 43);
        assert_ne!(base62(U256::MAX).as_bytes()[0], b'0');
    }

    #[test]
    fn only_base_is_live() {
        assert_eq!(Environment::of_chain(8453), Environment::Live);
        assert_eq!(Environment::of_chain(84532), Environment::Test);
        assert_eq!(Environment::of_chain(31337), Environment::Test);
    }

    /// Keys as they are made, as others may make them, and what is none.
    fn texts() -> impl Strategy<Value = String> {
        let made = (any::<bool>(), any::<u128>()).prop_map(|(live, id)| {
            let environment = if live { Environment::Live } else { Environment::Test };
            let key = PlainKey::generate(environment, Uuid::from_u128(id)).unwrap();
            // The same key in every run.
            format!("{}{}", &key.reveal()[..17], "0aZ".repeat(14))
        });
        prop_oneof![3 => spoiled_text(made), 1 => any::<String>()]
    }

    proptest! {
        #![proptest_config(fuzzed())]

        #[test]
        fn fuzz_a_presented_key_tells_its_environment_and_keeps_itself_to_itself(text in texts()) {
            let key = PlainKey::presented(&text);
            for known in [Environment::Test, Environment::Live] {
                let begins = text.starts_with(&format!("lxxn_{}_", known.as_str().to_lowercase()));
                prop_assert_eq!(key.environment() == Some(known), begins);
            }
            let prefix = key.prefix();
            prop_assert!(text.starts_with(&prefix));
            prop_assert_eq!(prefix.chars().count(), text.chars().count().min(20));
            prop_assert_eq!(format!("{key:?}"), "PlainKey(…)");
            prop_assert_eq!(key.hash(), PlainKey::presented(&text).hash());
            prop_assert_ne!(key.hash(), PlainKey::presented(&format!("{text} ")).hash());
        }

        #[test]
        fn fuzz_a_prefix_that_is_kept_is_kept_as_it_was_given(text in texts(), length in 0..24_usize) {
            let text: String = text.chars().take(length).collect();
            let as_keys_have_them = text.chars().all(|it| it.is_ascii_alphanumeric() || it == '_');
            let expected = (text.chars().count() <= 20 && as_keys_have_them).then(|| text.clone());
            prop_assert_eq!(PlainKey::checked_prefix(&text), expected);
        }
    }
}
