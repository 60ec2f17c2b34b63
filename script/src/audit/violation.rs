use super::Check;
use alloy::primitives::B256;
use luxxon_indexer::ledger::{Position, RawLog};
use serde_json::{Value, json};
use std::fmt;

/// A log's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Block and log index.
    pub position: Position,
    /// The transaction that wrote it.
    pub tx_hash: B256,
}

impl From<&RawLog> for At {
    fn from(log: &RawLog) -> Self {
        Self { position: log.position, tx_hash: log.tx_hash }
    }
}

/// Where something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At this log.
    Log(At),
    /// Between this block's beginning and end; by a transaction that wrote no log, where none is
    /// named.
    Block(u64, Option<B256>),
    /// In the state after this block. The log is the last that concerns it, where one does.
    State(u64, Option<At>),
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub check: Check,
    /// Where.
    pub place: Place,
    /// What is so.
    pub found: String,
    /// What should be.
    pub expected: String,
}

impl Violation {
    /// A violation at a log.
    pub(super) fn at(
        at: At,
        check: Check,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        let (found, expected) = (found.into(), expected.into());
        Self { check, place: Place::Log(at), found, expected }
    }

    /// The transaction that is to be looked at, where there is one.
    #[must_use]
    pub fn tx_hash(&self) -> Option<B256> {
        match self.place {
            Place::Log(at) | Place::State(_, Some(at)) => Some(at.tx_hash),
            Place::Block(_, tx_hash) => tx_hash,
            Place::State(_, None) => None,
        }
    }

    /// One object.
    #[must_use]
    pub fn json(&self) -> Value {
        let (block, log_index) = match self.place {
            Place::Log(At { position, .. }) => (position.block, Some(position.log_index)),
            Place::Block(block, _) | Place::State(block, _) => (block, None),
        };
        json!({
            "check": self.check,
            "invariants": self.check.invariants(),
            "found": self.found,
            "expected": self.expected,
            "txHash": self.tx_hash(),
            "block": block,
            "logIndex": log_index,
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { check, place, found, expected } = self;
        writeln!(f, "VIOLATION of {}: {}", check.numbers(), check.words().0)?;
        writeln!(f, "  found        {found}")?;
        writeln!(f, "  expected     {expected}")?;
        match place {
            Place::Log(At { position, tx_hash }) => {
                writeln!(f, "  transaction  {tx_hash}")?;
                write!(f, "  block        {}, log {}", position.block, position.log_index)
            }
            Place::Block(block, tx_hash) => {
                let told = tx_hash.map_or("not told by logs".to_owned(), |tx_hash| {
                    format!("{tx_hash}, the only one with logs")
                });
                writeln!(f, "  transaction  {told}")?;
                write!(f, "  block        {block}")
            }
            Place::State(block, last) => {
                if let Some(At { position, tx_hash }) = last {
                    writeln!(
                        f,
                        "  transaction  {tx_hash}, the last that concerns it, in block {}",
                        position.block
                    )?;
                }
                write!(f, "  block        the state after {block}")
            }
        }
    }
}
