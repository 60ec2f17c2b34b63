//! What histories met: a test of them that never met an error has shown nothing of it.

use super::{chain::Mined, faults, step::Fate};
use crate::model::{Act, Event};
use std::collections::BTreeMap;

/// Every act, which each must be done.
const ACTS: &str = "Deposit DepositFor DepositWithAuthorization Withdraw Claim SetLimits \
    SettleFromPool SettleBatch Pause Unpause ProposeRelayer CancelRelayerProposal AcceptRelayer \
    RevokeRelayer SetPauser SetPlatformWallet Rescue Approve Transfer Blacklist UnBlacklist \
    PauseToken UnpauseToken";

/// Why a batch leaves an entry out.
const SKIPS: &str = "SessionAlreadySettled InvalidPayee ValueTooLarge ZeroAmount MeterExceeded \
    FeeExceeded RateLimitExceeded SessionLimitExceeded DayLimitExceeded InsufficientPool";

/// The other errors, but for those of the constructor, of ownership, and `Insolvent`, for which USDC
/// would have to lie.
const ERRORS: &str = "ContractPaused ContractNotPaused InvalidAccount InvalidPlatformWallet \
    NothingToClaim SurplusExceeded BatchSizeOutOfRange NotRelayer NotPauser NotRelayerCandidate \
    RelayerDelayRunning ZeroRelayer NoRelayerProposal NoRelayer OwnableUnauthorizedAccount";

/// USDC's words.
const TOKEN_ERRORS: [&str; 8] = [
    "Pausable: paused",
    "Blacklistable: account is blacklisted",
    "ERC20: transfer amount exceeds allowance",
    "ERC20: transfer amount exceeds balance",
    "FiatTokenV2: authorization is not yet valid",
    "FiatTokenV2: authorization is expired",
    "FiatTokenV2: authorization is used or canceled",
    "FiatTokenV2: invalid signature",
];

/// What else must happen.
const REST: [&str; 15] = [
    "held payout",
    "reorg Drop",
    "reorg Keep",
    "reorg Reverse",
    "reorg Half",
    "reorg Shorten",
    "reorg of depth 1",
    "reorg of depth 20",
    "kills",
    "trouble away",
    "awaited",
    "revoked keys",
    "audits",
    "tampered pools",
    "wait Midnight",
];

/// How often what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Met(BTreeMap<String, u64>);

impl Met {
    /// Once more.
    pub(super) fn note(&mut self, what: impl Into<String>) {
        self.add(what, 1);
    }

    /// So many times more.
    pub(super) fn add(&mut self, what: impl Into<String>, times: u64) {
        *self.0.entry(what.into()).or_default() += times;
    }

    /// A transaction, and how it ended.
    pub(super) fn note_mined(&mut self, mined: &Mined) {
        self.note("transactions");
        let act = act_name(&mined.call.act);
        match &mined.outcome {
            Ok(events) => {
                self.note(format!("done {act}"));
                for event in events {
                    match event {
                        Event::EntrySkipped { name, .. } => self.note(format!("skip {name}")),
                        Event::PayoutHeld { .. } => self.note("held payout"),
                        _ => {}
                    }
                }
            }
            Err(refusal) => {
                self.note(format!("refused {act}"));
                self.note(format!("error {}", refusal.name()));
            }
        }
    }

    pub(super) fn note_reorg(&mut self, fate: Fate, blocks: u64) {
        self.note("reorgs");
        match blocks {
            0 => self.note("reorg Shorten"),
            _ => self.note(format!("reorg {fate:?}")),
        }
    }

    /// Everything that another met, too.
    pub fn merge(&mut self, other: Self) {
        for (what, times) in other.0 {
            self.add(what, times);
        }
    }

    /// How often `what` happened.
    #[must_use]
    pub fn count(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }

    /// What histories are to meet, and these did not.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let words = |kind: &str, words: &str| -> Vec<String> {
            words.split_whitespace().map(|word| format!("{kind} {word}")).collect()
        };
        let mut wanted = words("done", ACTS);
        wanted.extend(words("skip", SKIPS));
        wanted.extend(words("error", SKIPS));
        wanted.extend(words("error", ERRORS));
        wanted.extend(TOKEN_ERRORS.map(|it| format!("error {it}")));
        wanted.extend(REST.map(str::to_owned));
        wanted.extend(faults::kinds().into_iter().map(|kind| format!("fault {kind}")));
        wanted.retain(|what| self.count(what) == 0);
        wanted
    }

    /// Everything, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(what, times)| (what.as_str(), *times))
    }
}

/// The act without its values.
fn act_name(act: &Act) -> String {
    let text = format!("{act:?}");
    text.chars().take_while(char::is_ascii_alphanumeric).collect()
}
