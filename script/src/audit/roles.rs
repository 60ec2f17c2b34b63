//! Who held which role, and whether each change was one that the contract allows.

use super::{At, Check, Violation};
use alloy::primitives::{Address, B256, U256};
use luxxon_bindings::settlement::LuxxonSettlement::LuxxonSettlementEvents as Logged;

/// One step of the roles' history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its log.
    pub at: At,
    /// The block's time, Unix seconds.
    pub time: u64,
    /// What changed.
    pub words: String,
}

/// Who holds what, by the logs up to some point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// The owner.
    pub owner: Address,
    /// Whom the ownership is offered to; zero for nobody.
    pub pending_owner: Address,
    /// The relayer; zero for none.
    pub relayer: Address,
    /// The proposed relayer, and from when it can accept.
    pub proposal: Option<(Address, U256)>,
    /// The pauser; zero for none.
    pub pauser: Address,
    /// Who receives fees.
    pub platform_wallet: Address,
    /// Whether deposits and settlement are stopped.
    pub paused: bool,
    /// Seconds from a relayer's proposal to its earliest acceptance.
    pub delay: u64,
    /// The transaction of the constructor, once it was seen. It alone names a relayer at once.
    born: Option<B256>,
    relayer_named: bool,
    /// All that changed, in order.
    pub history: Vec<Change>,
}

type Verdict = Result<(), (Check, String, String)>;

fn is(check: Check, what: &str, found: Address, expected: Address) -> Verdict {
    if found == expected {
        return Ok(());
    }
    Err((check, format!("{what} {found}"), format!("{what} {expected}")))
}

fn holds(check: Check, condition: bool, found: &str, expected: &str) -> Verdict {
    if condition { Ok(()) } else { Err((check, found.to_owned(), expected.to_owned())) }
}

impl Roles {
    /// Nobody holds anything yet. A relayer's hand-over takes `delay` seconds.
    #[must_use]
    pub fn new(delay: u64) -> Self {
        Self { delay, ..Self::default() }
    }

    /// Takes in a log about roles in a block of the Unix time `time`. Returns what was checked.
    pub(super) fn take(&mut self, at: At, time: u64, logged: &Logged) -> Result<Check, Violation> {
        let (check, words) = Self::words(logged);
        self.judge(at, time, logged)
            .map_err(|(check, found, expected)| Violation::at(at, check, found, expected))?;
        self.apply(at, logged);
        if let Some(words) = words {
            self.history.push(Change { at, time, words });
        }
        Ok(check)
    }

    fn judge(&self, at: At, time: u64, logged: &Logged) -> Verdict {
        use Check::{Relayer, Roles};
        match logged {
            Logged::OwnershipTransferStarted(event) => {
                is(Roles, "offered by the owner", event.previousOwner, self.owner)
            }
            Logged::OwnershipTransferred(event) => {
                is(Roles, "owner before:", event.previousOwner, self.owner)?;
                let (zero, owner) = ("owner zero", "an owner");
                holds(Roles, !event.newOwner.is_zero(), zero, owner)?;
                // The constructor's names the first.
                if self.born.is_none() {
                    return Ok(());
                }
                is(Roles, "accepted by", event.newOwner, self.pending_owner)
            }
            Logged::RelayerSet(event) => {
                is(Relayer, "relayer before:", event.previousRelayer, self.relayer)?;
                self.judge_relayer(at, time, event.newRelayer)
            }
            Logged::RelayerProposed(event) => {
                let (zero, account) = ("zero is proposed as relayer", "an account");
                holds(Relayer, !event.candidate.is_zero(), zero, account)?;
                let expected = U256::from(time) + U256::from(self.delay);
                let found = event.acceptableAt;
                let [found, expected] =
                    [found, expected].map(|at| (at, format!("acceptable from {at} on")));
                holds(Relayer, found.0 == expected.0, &found.1, &expected.1)
            }
            Logged::RelayerProposalCancelled(event) => {
                let proposed = self.proposal.map_or(Address::ZERO, |(candidate, _)| candidate);
                is(Relayer, "proposed, and cancelled:", event.candidate, proposed)?;
                holds(Relayer, !proposed.is_zero(), "no proposal, cancelled", "a proposal")
            }
            Logged::PauserSet(event) => {
                is(Roles, "pauser before:", event.previousPauser, self.pauser)
            }
            Logged::PlatformWalletSet(event) => {
                is(Roles, "platform wallet before:", event.previousWallet, self.platform_wallet)?;
                let (zero, wallet) = ("platform wallet zero", "a platform wallet");
                holds(Roles, !event.newWallet.is_zero(), zero, wallet)
            }
            Logged::Paused(event) => {
                holds(Roles, !self.paused, "paused, and paused again", "paused once")?;
                let may = event.account == self.owner || event.account == self.pauser;
                let found = format!("paused by {}", event.account);
                let expected = format!("by the owner {} or the pauser {}", self.owner, self.pauser);
                holds(Roles, may, &found, &expected)
            }
            Logged::Unpaused(event) => {
                holds(Roles, self.paused, "unpaused while not paused", "paused before")?;
                is(Roles, "unpaused by", event.account, self.owner)
            }
            _ => Ok(()),
        }
    }

    /// A relayer named by the constructor, revoked, or one that accepts.
    fn judge_relayer(&self, at: At, time: u64, new: Address) -> Verdict {
        if !self.relayer_named && self.born == Some(at.tx_hash) {
            return Ok(());
        }
        if new.is_zero() {
            let (none, some) = ("no relayer, revoked", "a relayer to revoke");
            return holds(Check::Relayer, !self.relayer.is_zero(), none, some);
        }
        let Some((candidate, acceptable_at)) = self.proposal else {
            let found = format!("{new} becomes relayer without a proposal");
            return Err((Check::Relayer, found, "a proposal before".to_owned()));
        };
        is(Check::Relayer, "accepted by", new, candidate)?;
        let found = format!("accepted at {time}");
        let expected = format!("not before {acceptable_at}");
        holds(Check::Relayer, U256::from(time) >= acceptable_at, &found, &expected)
    }

    fn apply(&mut self, at: At, logged: &Logged) {
        match logged {
            Logged::OwnershipTransferStarted(event) => self.pending_owner = event.newOwner,
            Logged::OwnershipTransferred(event) => {
                (self.owner, self.pending_owner) = (event.newOwner, Address::ZERO);
                self.born.get_or_insert(at.tx_hash);
            }
            Logged::RelayerSet(event) => {
                if !event.newRelayer.is_zero() {
                    self.proposal = None;
                }
                (self.relayer, self.relayer_named) = (event.newRelayer, true);
            }
            Logged::RelayerProposed(event) => {
                self.proposal = Some((event.candidate, event.acceptableAt));
            }
            Logged::RelayerProposalCancelled(_) => self.proposal = None,
            Logged::PauserSet(event) => self.pauser = event.newPauser,
            Logged::PlatformWalletSet(event) => self.platform_wallet = event.newWallet,
            Logged::Paused(_) => self.paused = true,
            Logged::Unpaused(_) => self.paused = false,
            _ => {}
        }
    }

    /// What a log is about, and how the history shows it.
    fn words(logged: &Logged) -> (Check, Option<String>) {
        let nobody = |account: Address| {
            if account.is_zero() { "nobody".to_owned() } else { account.to_string() }
        };
        let turn =
            |role: &str, before, after| format!("{role}: {} -> {}", nobody(before), nobody(after));
        match logged {
            Logged::OwnershipTransferStarted(event) => {
                (Check::Roles, Some(format!("ownership offered to {}", nobody(event.newOwner))))
            }
            Logged::OwnershipTransferred(event) => {
                (Check::Roles, Some(turn("owner", event.previousOwner, event.newOwner)))
            }
            Logged::RelayerSet(event) => {
                let words = turn("relayer", event.previousRelayer, event.newRelayer);
                (Check::Relayer, Some(words))
            }
            Logged::RelayerProposed(event) => {
                let (candidate, from) = (event.candidate, event.acceptableAt);
                let words = format!("{candidate} proposed as relayer, from {from} on");
                (Check::Relayer, Some(words))
            }
            Logged::RelayerProposalCancelled(event) => {
                (Check::Relayer, Some(format!("proposal of {} cancelled", event.candidate)))
            }
            Logged::PauserSet(event) => {
                (Check::Roles, Some(turn("pauser", event.previousPauser, event.newPauser)))
            }
            Logged::PlatformWalletSet(event) => {
                let words = turn("platform wallet", event.previousWallet, event.newWallet);
                (Check::Roles, Some(words))
            }
            Logged::Paused(event) => (Check::Roles, Some(format!("paused by {}", event.account))),
            Logged::Unpaused(event) => {
                (Check::Roles, Some(format!("unpaused by {}", event.account)))
            }
            _ => (Check::Logs, None),
        }
    }
}
