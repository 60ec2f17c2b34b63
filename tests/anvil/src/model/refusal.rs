use super::Outcome;
use alloy::primitives::{Address, B256, U256, keccak256};

/// Why a transaction reverts, or why a batch leaves an entry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An error of the settlement contract: its signature, and its values as words.
    Error(&'static str, Vec<U256>),
    /// USDC's words.
    Token(&'static str),
}

/// A value of an error, as the word it is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(U256);

impl From<Address> for Word {
    fn from(address: Address) -> Self {
        Self(U256::from_be_bytes(address.into_word().0))
    }
}

impl From<B256> for Word {
    fn from(hash: B256) -> Self {
        Self(U256::from_be_bytes(hash.0))
    }
}

impl From<u128> for Word {
    fn from(amount: u128) -> Self {
        Self(U256::from(amount))
    }
}

impl From<U256> for Word {
    fn from(value: U256) -> Self {
        Self(value)
    }
}

impl Word {
    /// The word.
    pub(super) fn get(self) -> U256 {
        self.0
    }
}

/// The error with that signature.
pub(super) fn error(signature: &'static str, values: &[Word]) -> Refusal {
    Refusal::Error(signature, values.iter().map(|word| word.0).collect())
}

/// Reverts with it.
pub(super) fn refuse(signature: &'static str, values: &[Word]) -> Outcome {
    Err(error(signature, values))
}

/// Reverts with it where `condition` is true.
pub(super) fn refuse_if(
    condition: bool,
    signature: &'static str,
    values: &[Word],
) -> Result<(), Refusal> {
    if condition { Err(error(signature, values)) } else { Ok(()) }
}

impl Refusal {
    /// The error's name, or USDC's words.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Error(signature, _) => signature.split('(').next().unwrap_or_default(),
            Self::Token(words) => words,
        }
    }

    /// The first four bytes of what it reverts with.
    #[must_use]
    pub fn selector(&self) -> [u8; 4] {
        let signature = match self {
            Self::Error(signature, _) => signature,
            Self::Token(_) => "Error(string)",
        };
        let [a, b, c, d, ..] = keccak256(signature).0;
        [a, b, c, d]
    }

    /// All bytes that it reverts with.
    #[must_use]
    pub fn data(&self) -> Vec<u8> {
        let mut data = self.selector().to_vec();
        match self {
            Self::Error(_, values) => {
                data.extend(values.iter().flat_map(U256::to_be_bytes::<32>));
            }
            Self::Token(words) => {
                // A string: where it begins, its length, its bytes up to a whole word.
                for word in [32, words.len()] {
                    data.extend(U256::from(word).to_be_bytes::<32>());
                }
                data.extend(words.bytes());
                data.resize(4 + 64 + words.len().next_multiple_of(32), 0);
            }
        }
        data
    }
}
