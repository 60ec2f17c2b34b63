use super::{Act, Event, Outcome, Refusal};
use alloy::primitives::{Address, B256, U256};
use std::collections::{BTreeMap, BTreeSet};

/// USDC, as far as the ledger meets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its address.
    pub address: Address,
    /// Nothing moves.
    pub paused: bool,
    /// What everybody has, in µUSDC.
    pub balances: BTreeMap<Address, u128>,
    /// What the settlement contract may take of whom.
    pub allowances: BTreeMap<Address, U256>,
    /// Whom it refuses.
    pub blacklisted: BTreeSet<Address>,
    /// The authorizations that were used: whose, and their nonces.
    pub used: BTreeSet<(Address, B256)>,
}

/// A signed deposit: ERC-3009's `ReceiveWithAuthorization`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Whose money.
    pub from: Address,
    /// µUSDC.
    pub amount: u128,
    /// Valid behind that time.
    pub valid_after: u64,
    /// Valid before that time.
    pub valid_before: u64,
    /// Its name: each is used once.
    pub nonce: B256,
    /// Who signed it; valid only if that is `from`.
    pub signer: Address,
}

const IS_BLACKLISTED: &str = "Blacklistable: account is blacklisted";

impl Token {
    /// What `account` has.
    #[must_use]
    pub fn balance(&self, account: Address) -> u128 {
        self.balances.get(&account).copied().unwrap_or_default()
    }

    /// What the settlement contract may take of `owner`.
    #[must_use]
    pub fn allowance(&self, owner: Address) -> U256 {
        self.allowances.get(&owner).copied().unwrap_or_default()
    }

    /// Transactions with USDC itself. Only its owner sends those that are its owner's.
    pub(super) fn act(&mut self, from: Address, act: &Act, settlement: Address) -> Outcome {
        Ok(vec![match act {
            Act::Approve { allowance } => {
                self.check_parties(&[from, settlement])?;
                self.allowances.insert(from, *allowance);
                Event::Approval { owner: from, allowance: *allowance }
            }
            Act::Transfer { to, amount } => self.transfer(from, *to, *amount)?,
            Act::Blacklist { account } => {
                self.blacklisted.insert(*account);
                Event::Token("Blacklisted(address)", vec![*account])
            }
            Act::UnBlacklist { account } => {
                self.blacklisted.remove(account);
                Event::Token("UnBlacklisted(address)", vec![*account])
            }
            Act::PauseToken => {
                self.paused = true;
                Event::Token("Pause()", Vec::new())
            }
            Act::UnpauseToken => {
                self.paused = false;
                Event::Token("Unpause()", Vec::new())
            }
            other => unreachable!("{other:?} is not USDC's"),
        }])
    }

    fn check_parties(&self, parties: &[Address]) -> Result<(), Refusal> {
        refuse_if(self.paused, "Pausable: paused")?;
        refuse_if(parties.iter().any(|it| self.blacklisted.contains(it)), IS_BLACKLISTED)
    }

    pub(super) fn transfer(
        &mut self,
        from: Address,
        to: Address,
        amount: u128,
    ) -> Result<Event, Refusal> {
        self.check_parties(&[from, to])?;
        self.move_money(from, to, amount)
    }

    /// The settlement contract takes what it may.
    pub(super) fn transfer_from(
        &mut self,
        settlement: Address,
        from: Address,
        amount: u128,
    ) -> Result<Event, Refusal> {
        self.check_parties(&[settlement, from])?;
        let (allowance, taken) = (self.allowance(from), U256::from(amount));
        refuse_if(taken > allowance, "ERC20: transfer amount exceeds allowance")?;
        let moved = self.move_money(from, settlement, amount)?;
        self.allowances.insert(from, allowance - taken);
        Ok(moved)
    }

    pub(super) fn receive_with_authorization(
        &mut self,
        settlement: Address,
        signed: &Authorization,
        now: u64,
    ) -> Outcome {
        let Authorization { from, nonce, .. } = *signed;
        self.check_parties(&[from, settlement])?;
        refuse_if(now <= signed.valid_after, "FiatTokenV2: authorization is not yet valid")?;
        refuse_if(now >= signed.valid_before, "FiatTokenV2: authorization is expired")?;
        let used = !self.used.insert((from, nonce));
        refuse_if(used, "FiatTokenV2: authorization is used or canceled")?;
        refuse_if(signed.signer != from, "FiatTokenV2: invalid signature")?;
        let moved = self.move_money(from, settlement, signed.amount)?;
        Ok(vec![Event::AuthorizationUsed { from, nonce }, moved])
    }

    fn move_money(&mut self, from: Address, to: Address, amount: u128) -> Result<Event, Refusal> {
        let balance = self.balance(from);
        refuse_if(amount > balance, "ERC20: transfer amount exceeds balance")?;
        self.balances.insert(from, balance - amount);
        *self.balances.entry(to).or_default() += amount;
        Ok(Event::Transfer { from, to, amount })
    }
}

fn refuse_if(condition: bool, words: &'static str) -> Result<(), Refusal> {
    if condition { Err(Refusal::Token(words)) } else { Ok(()) }
}
