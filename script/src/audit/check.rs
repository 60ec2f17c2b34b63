//! What is checked, by the numbers of `docs/SECURITY.md`.

use serde::Serialize;

/// Something that holds of every sound history. The words are in [`Check::words`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Check {
    /// The logs are ones that the contract can write.
    Logs,
    /// What the contract holds.
    Held,
    /// What the contract owes.
    Owed,
    /// What leaves the contract.
    Paid,
    /// Pools and claims.
    Pools,
    /// Rate, seconds, gross and fee.
    Meter,
    /// Sessions settle once.
    Replay,
    /// What batches leave out.
    Skips,
    /// What accounts allow.
    Limits,
    /// When the relayer may settle, and who becomes relayer.
    Relayer,
    /// What the owner takes out.
    Rescues,
    /// Whom money is for.
    Payees,
    /// What comes in.
    Deposits,
    /// Owner, pauser, platform wallet and pause.
    Roles,
}

/// Invariants that leave nothing in logs or state by which a broken one could be seen from outside.
pub(super) const NOT_VISIBLE: [u8; 4] = [10, 12, 14, 18];

impl Check {
    /// All there are, as the report has them.
    pub const ALL: [Self; 14] = [
        Self::Held,
        Self::Owed,
        Self::Paid,
        Self::Pools,
        Self::Meter,
        Self::Replay,
        Self::Skips,
        Self::Limits,
        Self::Relayer,
        Self::Rescues,
        Self::Payees,
        Self::Deposits,
        Self::Roles,
        Self::Logs,
    ];

    /// The numbers of the invariants that it is a part of.
    #[must_use]
    pub const fn invariants(self) -> &'static [u8] {
        match self {
            Self::Logs => &[],
            Self::Held => &[1],
            Self::Owed => &[2],
            Self::Paid => &[3, 13],
            Self::Pools => &[4],
            Self::Meter => &[5],
            Self::Replay => &[6],
            Self::Skips => &[7],
            Self::Limits => &[8],
            Self::Relayer => &[9],
            Self::Rescues => &[11],
            Self::Payees => &[15],
            Self::Deposits => &[16],
            Self::Roles => &[17],
        }
    }

    /// What holds, and what is counted.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Logs => ("every log is one that the contract can write", "logs"),
            Self::Held => {
                ("the USDC held covers what is owed, and moved as its logs say", "states")
            }
            Self::Owed => ("totalOwed is the sum of all pools and claims", "states"),
            Self::Paid => ("each payout moved exactly its sum, to whom it was due", "payouts"),
            Self::Pools => ("pools and claims fall by what they hold at most", "events"),
            Self::Meter => ("0 < gross <= rate * seconds, and fee <= 20 % of gross", "sessions"),
            Self::Replay => ("a session settles at most once, and stays settled", "sessions"),
            Self::Skips => ("an entry is skipped for an error the contract has", "entries"),
            Self::Limits => {
                ("the limits of accounts hold, for each session and UTC day", "sessions")
            }
            Self::Relayer => ("only with a relayer, not paused; none before its delay", "events"),
            Self::Rescues => ("only what belongs to no pool and no claim is rescued", "rescues"),
            Self::Payees => ("nobody is paid at zero, the contract or USDC", "events"),
            Self::Deposits => ("each deposit came out of its payer's wallet", "deposits"),
            Self::Roles => ("owner and platform wallet never zero, in the right order", "events"),
        }
    }

    /// `invariant 6`, `invariants 3, 13`, or what stands for none.
    #[must_use]
    pub fn numbers(self) -> String {
        let numbers: Vec<String> = self.invariants().iter().map(u8::to_string).collect();
        match numbers.len() {
            0 => "the contract's interface".to_owned(),
            1 => format!("invariant {}", numbers[0]),
            _ => format!("invariants {}", numbers.join(", ")),
        }
    }
}

/// How often each check was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Check::ALL.len()]);

impl Counts {
    /// One more.
    pub fn add(&mut self, check: Check) {
        self.add_many(check, 1);
    }

    /// So many more.
    pub fn add_many(&mut self, check: Check, more: u64) {
        if let Some(place) = Check::ALL.iter().position(|one| *one == check) {
            self.0[place] += more;
        }
    }

    /// How often.
    #[must_use]
    pub fn of(&self, check: Check) -> u64 {
        Check::ALL.iter().zip(self.0).find(|(one, _)| **one == check).map_or(0, |(_, count)| count)
    }
}
