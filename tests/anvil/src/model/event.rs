use super::{Entry, refusal::Word};
use alloy::primitives::{Address, B256, U256, keccak256};

/// Something that a transaction logged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are named as the contracts' events and arguments are")]
pub enum Event {
    Deposited {
        account: Address,
        payer: Address,
        amount: u128,
    },
    Withdrawn {
        account: Address,
        amount: u128,
    },
    Claimed {
        account: Address,
        amount: u128,
    },
    LimitsSet {
        account: Address,
        limits: [u64; 3],
    },
    Settled(Entry),
    EntrySkipped {
        session: B256,
        from: Address,
        index: u64,
        name: &'static str,
        reason: [u8; 4],
    },
    PayoutHeld {
        to: Address,
        amount: u128,
    },
    Rescued {
        to: Address,
        amount: u128,
    },
    /// What changes a role, or stops something: its signature, and its addresses.
    Role(&'static str, Vec<Address>),
    RelayerProposed {
        candidate: Address,
        acceptable_at: u64,
    },
    Approval {
        owner: Address,
        allowance: U256,
    },
    Transfer {
        from: Address,
        to: Address,
        amount: u128,
    },
    AuthorizationUsed {
        from: Address,
        nonce: B256,
    },
    /// What the owner of USDC does: its signature, and its address.
    Token(&'static str, Vec<Address>),
}

/// An event as a node shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The contract that wrote it.
    pub address: Address,
    /// The hash of its signature, and what is indexed.
    pub topics: Vec<B256>,
    /// The rest.
    pub data: Vec<u8>,
}

impl Event {
    /// The log that it is, of one of the two contracts.
    #[must_use]
    pub fn log(&self, settlement: Address, usdc: Address) -> Log {
        let (of_token, signature, indexed, rest) = self.parts(settlement);
        let mut topics = vec![keccak256(signature)];
        topics.extend(indexed.into_iter().map(|word| B256::from(word.get())));
        let data = rest.into_iter().flat_map(|word| word.get().to_be_bytes::<32>()).collect();
        Log { address: if of_token { usdc } else { settlement }, topics, data }
    }

    /// Whether it is USDC's, its signature, what is indexed, and the rest.
    fn parts(&self, settlement: Address) -> (bool, &'static str, Vec<Word>, Vec<Word>) {
        let words = |addresses: &[Address]| -> Vec<Word> {
            addresses.iter().map(|&address| address.into()).collect()
        };
        match self {
            Self::Deposited { account, payer, amount } => {
                let indexed = words(&[*account, *payer]);
                (false, "Deposited(address,address,uint256)", indexed, vec![(*amount).into()])
            }
            Self::Withdrawn { account, amount } => {
                (false, "Withdrawn(address,uint256)", words(&[*account]), vec![(*amount).into()])
            }
            Self::Claimed { account, amount } => {
                (false, "Claimed(address,uint256)", words(&[*account]), vec![(*amount).into()])
            }
            Self::LimitsSet { account, limits } => {
                let rest = limits.iter().map(|&limit| u128::from(limit).into()).collect();
                (false, "LimitsSet(address,uint32,uint48,uint48)", words(&[*account]), rest)
            }
            Self::Settled(entry) => {
                let Entry { session, from, to, rate, seconds, to_amount, fee_amount } = *entry;
                let signature = "Settled(bytes32,address,address,uint256,uint256,uint256,uint256)";
                let rest = [to_amount, fee_amount, rate, seconds].map(Word::from).to_vec();
                (false, signature, vec![session.into(), from.into(), to.into()], rest)
            }
            Self::EntrySkipped { session, from, index, reason, .. } => {
                // Four bytes are written at the high end of their word.
                let mut word = [0; 32];
                word[..4].copy_from_slice(reason);
                let rest = vec![u128::from(*index).into(), B256::from(word).into()];
                let signature = "EntrySkipped(bytes32,address,uint256,bytes4)";
                (false, signature, vec![(*session).into(), (*from).into()], rest)
            }
            Self::PayoutHeld { to, amount } => {
                (false, "PayoutHeld(address,uint256)", words(&[*to]), vec![(*amount).into()])
            }
            Self::Rescued { to, amount } => {
                (false, "Rescued(address,uint256)", words(&[*to]), vec![(*amount).into()])
            }
            Self::Role(signature @ ("Paused(address)" | "Unpaused(address)"), by) => {
                (false, signature, Vec::new(), words(by))
            }
            Self::Role(signature, addresses) => (false, signature, words(addresses), Vec::new()),
            Self::RelayerProposed { candidate, acceptable_at } => {
                let rest = vec![u128::from(*acceptable_at).into()];
                (false, "RelayerProposed(address,uint256)", words(&[*candidate]), rest)
            }
            Self::Approval { owner, allowance } => {
                let indexed = words(&[*owner, settlement]);
                (true, "Approval(address,address,uint256)", indexed, vec![(*allowance).into()])
            }
            Self::Transfer { from, to, amount } => {
                let indexed = words(&[*from, *to]);
                (true, "Transfer(address,address,uint256)", indexed, vec![(*amount).into()])
            }
            Self::AuthorizationUsed { from, nonce } => {
                let indexed = vec![(*from).into(), (*nonce).into()];
                (true, "AuthorizationUsed(address,bytes32)", indexed, Vec::new())
            }
            Self::Token(signature, addresses) => (true, signature, words(addresses), Vec::new()),
        }
    }
}
