//! The steps that a history is made of.
//!
//! They name who and how much by small numbers, which only a run turns into accounts and amounts, by
//! what there is at that moment. So every part of a history is a history, and a failing one shrinks
//! by leaving steps out and by making numbers smaller.

use serde::{Deserialize, Serialize};

/// Something that happens, and what goes wrong while the indexer takes it in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What happens.
    pub does: Does,
    /// What goes wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Does {
    /// A block with transactions.
    Block {
        /// How long after the block before.
        #[serde(default, skip_serializing_if = "Wait::is_usual")]
        wait: Wait,
        /// The transactions, in their order.
        moves: Vec<Move>,
        /// A client asks for the block before it is in.
        #[serde(default, skip_serializing_if = "is_false")]
        awaited: bool,
    },
    /// So many blocks without transactions.
    Empty(u8),
    /// Other blocks in place of the last ones, never of final ones.
    Reorg {
        /// How many are replaced.
        depth: u8,
        /// What becomes of their transactions.
        fate: Fate,
        /// How many blocks come instead; with none the chain is shorter.
        blocks: u8,
    },
    /// A key is revoked, and its wallet gets another one.
    RevokeKey(u8),
    /// All tables are compared with the contract.
    Audit,
}

/// What goes wrong while the indexer takes it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Trouble {
    /// It is killed after it was polled so often, and starts again.
    Kill(u16),
    /// It stops before and is away meanwhile.
    Away,
    /// Its node does something that bad nodes do.
    Fault {
        /// Which, of those there are.
        kind: u8,
        /// How often.
        times: u8,
    },
}

/// How long a block comes after the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Wait {
    /// Two seconds.
    #[default]
    Usual,
    /// An hour.
    Hour,
    /// In the last second of the UTC day, or in the first of the next if that has come.
    Midnight,
    /// A day.
    Day,
}

impl Wait {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
    fn is_usual(&self) -> bool {
        *self == Self::Usual
    }
}

/// What becomes of the transactions of blocks that are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fate {
    /// They are gone.
    Drop,
    /// They are mined again, in their order.
    Keep,
    /// They are mined again, the last first.
    Reverse,
    /// Every other one is mined again.
    Half,
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "they are named as in the contracts; `who` acts, `whom` it is about"
)]
pub enum Move {
    Deposit { who: u8, size: u8 },
    DepositFor { who: u8, whom: u8, size: u8 },
    DepositSigned { who: u8, size: u8, nonce: u8, twist: u8 },
    Withdraw { who: u8, size: u8 },
    Claim { who: u8, whom: u8 },
    SetLimits { who: u8, rate: u8, session: u8, day: u8 },
    Settle { who: u8, pay: Pay },
    Batch { who: u8, pays: Vec<Pay> },
    Pause { who: u8 },
    Unpause { who: u8 },
    Propose { who: u8, whom: u8 },
    Cancel { who: u8 },
    Accept { who: u8 },
    Revoke { who: u8 },
    SetPauser { who: u8, whom: u8 },
    SetPlatform { who: u8, whom: u8 },
    Donate { who: u8, size: u8 },
    Rescue { who: u8, whom: u8, size: u8 },
    Approve { who: u8, size: u8 },
    Blacklist { whom: u8 },
    UnBlacklist { whom: u8 },
    PauseUsdc,
    UnpauseUsdc,
}

/// A settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pay {
    /// Which session; the first ones are registered.
    pub session: u8,
    /// Whose pool.
    pub from: u8,
    /// Which operator.
    pub to: u8,
    /// How large.
    pub size: u8,
    /// What is special about it.
    pub twist: Twist,
}

/// What is special about a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Twist {
    /// Nothing.
    Plain,
    /// Without a fee.
    NoFee,
    /// The consumer is the operator, too.
    ToItself,
    /// The fee is at its ceiling.
    DearestFee,
    /// The fee is above its ceiling.
    FeeTooHigh,
    /// 1 µUSDC above what the meter says.
    OverMeter,
    /// The whole pool.
    WholePool,
    /// 1 µUSDC more than the pool.
    OverPool,
    /// Nothing to pay.
    Nothing,
    /// A rate above the limit, if there is one.
    OverRate,
    /// The most that a session may cost, if there is a limit.
    AtSessionLimit,
    /// More than that.
    OverSessionLimit,
    /// All that may be spent today, if there is a limit.
    AtDayLimit,
    /// More than that.
    OverDayLimit,
    /// A value that is too wide.
    Wide(u8),
    /// A payee that cannot be paid.
    BadPayee(u8),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}
