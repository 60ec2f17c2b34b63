//! What can be wrong with a node.

use super::wording::RangeWording;
use std::time::Duration;

/// A fault, by what it spoils.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The answer to one call.
    Answer(AnswerFault),
    /// The answers to a batch, as a whole. Does nothing to a call that is alone.
    Batch(BatchFault),
    /// The exchange: how a request is answered, whatever it asks.
    Exchange(ExchangeFault),
    /// What a websocket sends by itself.
    Push(PushFault),
}

/// What is wrong with the answer to one call.
///
/// It counts as met only where it changes the answer: a node that drops a log needs one to drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerFault {
    /// It comes from a node whose head is this many blocks lower. Of blocks that it lacks it has no
    /// logs, and does not say so.
    Behind(u64),
    /// The same, but of a node that refuses a range which reaches past its head.
    BehindAndSaysSo(u64),
    /// It comes from a node that is syncing, and has come to this height.
    SyncingAt(u64),
    /// It comes from the second node.
    SecondNode,
    /// `null` instead of a result.
    Null,
    /// An error.
    Error {
        /// JSON-RPC's code.
        code: i64,
        /// The message.
        message: &'static str,
    },
    /// No logs instead of those there are.
    NoLogs,
    /// The first of the logs is missing.
    DropFirstLog,
    /// No more than the first so many logs, without a word.
    Capped(usize),
    /// No logs instead of an error, for more than so many blocks.
    NoLogsBeyond(u64),
    /// An error for more than so many blocks.
    RangeTooLarge {
        /// The blocks that are allowed.
        most: u64,
        /// The provider's words.
        wording: &'static RangeWording,
        /// What it suggests instead.
        suggests: Suggestion,
    },
    /// One more log, of a transaction that is not mined: its block is null.
    PendingLog,
    /// The same, with zeros instead of null.
    ZeroHashLog,
    /// One more log, marked as removed.
    RemovedLog,
    /// Every log twice.
    DuplicatedLogs,
    /// The last log first.
    ReversedLogs,
    /// Another chain's id.
    ChainId(u64),
    /// Other code than the contract's.
    OtherCode,
}

/// The range that a provider suggests instead of one that is too large, where its words have room
/// for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suggestion {
    /// The allowed number of blocks, from the same first block on.
    Smaller,
    /// The same range again.
    Same,
    /// A larger range.
    Larger,
    /// A range that ends before it begins.
    Inverted,
}

/// What is wrong with the answers to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchFault {
    /// The last answer first.
    Reversed,
    /// The last call is not answered.
    LastMissing,
    /// One error instead of the answers.
    Refused,
}

/// What is wrong with an exchange. Over a websocket, whatever is not a matter of time ends the
/// connection; while one is opened or subscribed with, [`Self::Delay`] and [`Self::Hold`] do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeFault {
    /// An HTTP status, and no JSON-RPC.
    Status {
        /// The status.
        status: u16,
        /// Seconds of `Retry-After`.
        retry_after: Option<u64>,
        /// The body.
        body: &'static str,
    },
    /// Answered so much later.
    Delay(Duration),
    /// Answered at once, delivered only when the rule is removed: what is delivered is old by then.
    Hold,
    /// Never answered, and never closed: also how a peer looks that is gone without a word.
    Hang,
    /// A byte of the body each time this has passed.
    Drip(Duration),
    /// Closed in the middle of the body.
    Truncated,
    /// A web page instead of JSON.
    NotJson,
    /// A result of so many bytes.
    Huge(usize),
    /// Closed without an answer.
    Reset,
}

/// What is wrong with what a subscription sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushFault {
    /// Nothing is sent.
    Swallow,
    /// The connection ends instead.
    Disconnect,
    /// Everything is sent so many times.
    Repeat(u32),
}

impl From<AnswerFault> for Fault {
    fn from(fault: AnswerFault) -> Self {
        Self::Answer(fault)
    }
}

impl From<BatchFault> for Fault {
    fn from(fault: BatchFault) -> Self {
        Self::Batch(fault)
    }
}

impl From<ExchangeFault> for Fault {
    fn from(fault: ExchangeFault) -> Self {
        Self::Exchange(fault)
    }
}

impl From<PushFault> for Fault {
    fn from(fault: PushFault) -> Self {
        Self::Push(fault)
    }
}
