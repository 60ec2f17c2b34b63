use super::{
    range_refusal::{self, TooLargeIn},
    rpc::{Failure, Refusal},
};
use std::time::Duration;
use url::Url;

/// What went wrong between us and the node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// No answer: refused, cut off or not JSON-RPC.
    #[error("no answer from the node at {node}: {reason}")]
    Unreachable {
        /// The node, without what may hold a key.
        node: String,
        /// What happened.
        reason: String,
    },
    /// No answer in time, or one that is too long.
    #[error("the node at {node} could not answer all of {method}: {reason}")]
    TooMuch {
        /// The node, without what may hold a key.
        node: String,
        /// What was asked for.
        method: &'static str,
        /// What happened.
        reason: String,
    },
    /// The node wants to be asked later: a rate limit, or it is out of order for now.
    #[error("the node at {node} is busy: {reason}")]
    Busy {
        /// The node, without what may hold a key.
        node: String,
        /// Its words.
        reason: String,
        /// When it wants to be asked again, where it says so.
        retry_after: Option<Duration>,
    },
    /// The node will not answer for so many blocks, or so many logs.
    #[error("the node at {node} finds the range too large: {message}")]
    RangeTooLarge {
        /// The node, without what may hold a key.
        node: String,
        /// Its words.
        message: String,
        /// What the range was too large in.
        too_large_in: TooLargeIn,
        /// How many blocks it says would be right.
        suggested: Option<u64>,
    },
    /// The node answered that it will not do this.
    #[error("the node at {node} refused {method}: {message} (code {code})")]
    Refused {
        /// The node, without what may hold a key.
        node: String,
        /// What was asked for.
        method: &'static str,
        /// JSON-RPC's error code.
        code: i64,
        /// The node's words.
        message: String,
    },
    /// The node no longer has the state of that block.
    #[error("the node at {node} does not have that state: {message}")]
    StateUnavailable {
        /// The node, without what may hold a key.
        node: String,
        /// Its words.
        message: String,
    },
    /// The node's answers contradict each other or the question.
    #[error("the node contradicts itself: {0}")]
    Inconsistent(String),
    /// The node does not have this block (yet, or any more).
    #[error("the node does not have block {0}")]
    UnknownBlock(u64),
    /// Two nodes have other logs for the same final blocks. One of them is wrong, and only a person
    /// can say which.
    #[error("two nodes disagree about blocks {from} to {to}: {one}; {other}")]
    Disagreement {
        /// The first block.
        from: u64,
        /// The last block.
        to: u64,
        /// What one node has.
        one: String,
        /// What the other has.
        other: String,
    },
    /// The node, the chain or the contract is not what it was said to be.
    #[error("{0}")]
    WrongTarget(String),
}

/// How much less to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskLess {
    /// What was too large; `None` where the node did not say so in words known here.
    pub too_large_in: Option<TooLargeIn>,
    /// How many blocks the node says would be right.
    pub suggested: Option<u64>,
}

impl ChainError {
    /// Whether the same call may well succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::WrongTarget(_) | Self::Disagreement { .. })
    }

    /// Whether, and how much, a smaller question may get an answer where this one did not.
    #[must_use]
    pub fn asks_for_less(&self) -> Option<AskLess> {
        match self {
            Self::RangeTooLarge { too_large_in, suggested, .. } => {
                Some(AskLess { too_large_in: Some(*too_large_in), suggested: *suggested })
            }
            Self::TooMuch { .. } => {
                Some(AskLess { too_large_in: Some(TooLargeIn::Answer), suggested: None })
            }
            Self::Refused { .. } => Some(AskLess { too_large_in: None, suggested: None }),
            _ => None,
        }
    }

    /// When the node wants to be asked again, where it said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The kind of failure in one word, as the metrics count it.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::TooMuch { .. } => "timeout",
            Self::Busy { .. } => "busy",
            Self::RangeTooLarge { .. } => "range_too_large",
            Self::Refused { .. } => "refused",
            Self::StateUnavailable { .. } => "state_unavailable",
            Self::Inconsistent(_) => "inconsistent",
            Self::UnknownBlock(_) => "unknown_block",
            Self::Disagreement { .. } => "disagreement",
            Self::WrongTarget(_) => "wrong_target",
        }
    }

    /// Classifies the want of an answer. What may hold a key is cut out of its text.
    pub(super) fn of_failure(failure: Failure, method: &'static str, url: &Url) -> Self {
        /// HTTP's words for a request that is too large, or takes too long.
        const TOO_MUCH: [u16; 4] = [400, 408, 413, 504];
        /// HTTP's words for "later".
        const BUSY: [u16; 2] = [429, 503];
        let node = node_name(url);
        match failure {
            Failure::Unreachable(reason) => {
                Self::Unreachable { node, reason: presentable(&reason, url) }
            }
            Failure::Slow(reason) => {
                Self::TooMuch { node, method, reason: presentable(&reason, url) }
            }
            Failure::TooLarge => {
                Self::TooMuch { node, method, reason: "the answer is too long".to_owned() }
            }
            Failure::Status { status, retry_after, text } => {
                let reason = presentable(&format!("HTTP {status} {text}"), url);
                if retry_after.is_some() || BUSY.contains(&status) {
                    Self::Busy { node, reason, retry_after }
                } else if TOO_MUCH.contains(&status) {
                    Self::TooMuch { node, method, reason }
                } else {
                    Self::Unreachable { node, reason }
                }
            }
        }
    }

    /// Classifies a node's refusal by what it says; the codes mean something else at each provider.
    pub(super) fn of_refusal(refusal: &Refusal, method: &'static str, url: &Url) -> Self {
        let node = node_name(url);
        let message = presentable(&refusal.message, url);
        let says = |parts: &[&str]| {
            let message = refusal.message.to_lowercase();
            parts.iter().any(|part| message.contains(part))
        };
        let of_logs = method == "eth_getLogs";
        if of_logs && let Some(too_large_in) = range_refusal::known(&refusal.message) {
            let suggested = range_refusal::suggested(&refusal.message);
            return Self::RangeTooLarge { node, message, too_large_in, suggested };
        }
        if refusal.code == 429 || says(BUSY) {
            return Self::Busy { node, reason: message, retry_after: None };
        }
        if !of_logs && (says(NO_STATE) || is_forgotten(&refusal.message)) {
            return Self::StateUnavailable { node, message };
        }
        if says(NO_BLOCK) {
            return Self::Inconsistent(format!("{method}: {message}"));
        }
        // "Limit exceeded" (EIP-1474), and nothing known about what limit.
        if refusal.code == -32005 && !of_logs {
            return Self::Busy { node, reason: message, retry_after: None };
        }
        Self::Refused { node, method, code: refusal.code, message }
    }

    /// An answer that is not of the form it should have.
    pub(super) fn unreadable(method: &'static str, error: &serde_json::Error) -> Self {
        Self::Inconsistent(format!("{method} answered something else: {error}"))
    }
}

/// Whether the node says of a block below its height that it is out of range, as anvil does of states
/// that it no longer keeps.
fn is_forgotten(message: &str) -> bool {
    let numbers = || {
        let (height, asked) =
            message.split_once("block height is ")?.1.split_once(" but requested was ")?;
        Some((height.parse::<u64>().ok()?, asked.trim().parse::<u64>().ok()?))
    };
    numbers().is_some_and(|(height, asked)| asked <= height)
}

/// Parts of refusals that mean "later", in lower case.
const BUSY: &[&str] = &[
    "rate limit",
    "too many requests",
    "request limit",
    "requests per second",
    "compute units",
    "capacity",
    "no backend",
    "no available",
    "temporarily",
    "try again",
    "overloaded",
];

/// Parts of refusals of nodes that keep the state of recent blocks only, in lower case.
const NO_STATE: &[&str] = &[
    "missing trie node",
    "historical state",
    "state is not available",
    "state not available",
    "state unavailable",
    "state does not exist",
    "no state available",
    "pruned",
    "archive",
    "state histories",
    "old data not available",
    "distance to target block exceeds",
];

/// Parts of refusals of nodes that do not have the block they were asked about, in lower case. To
/// ask for fewer blocks would not help.
const NO_BLOCK: &[&str] = &[
    "unknown block",
    "block not found",
    "header not found",
    "block does not exist",
    "beyond current head",
    "after last accepted block",
    "greater than latest",
    "blockoutofrange",
    "block out of range",
    "greater than the latest",
    "invalid block range params",
];

/// The node as it may be shown: scheme, host and port, nothing that can hold a key.
pub(super) fn node_name(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}
/// Somebody else's text as one short line, without the parts of `url` that may be a key: the user,
/// the password, and whatever is long enough in path and query.
fn presentable(text: &str, url: &Url) -> String {
    const LONGEST: usize = 300;
    /// Version numbers and chain names in a path are shorter; keys are not.
    const SHORTEST_KEY: usize = 6;
    let mut bare = url.clone();
    // Neither fails for a URL with a host, and a node's has one.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    let mut text = text.replace(url.as_str(), &node_name(url));
    text = text.replace(bare.as_str(), &node_name(url));
    let in_path = url.path().split('/');
    let in_query = url.query().unwrap_or_default().split(['&', '=']);
    let user = [url.username(), url.password().unwrap_or_default()];
    for part in in_path.chain(in_query).chain(user).filter(|part| part.len() >= SHORTEST_KEY) {
        text = text.replace(part, "…");
    }
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url() -> Url {
        "https://user:password@base.example/v2/SECRET?key=SECRET".parse().unwrap()
    }

    fn refusal(code: i64, message: &str, method: &'static str) -> ChainError {
        ChainError::of_refusal(&Refusal { code, message: message.to_owned() }, method, &url())
    }

    fn status(status: u16, retry_after: Option<u64>) -> ChainError {
        let (retry_after, text) = (retry_after.map(Duration::from_secs), "<html>".repeat(1_000));
        let failure = Failure::Status { status, retry_after, text };
        ChainError::of_failure(failure, "eth_getLogs", &url())
    }

    #[test]
    fn no_part_of_a_url_that_can_hold_a_key_is_shown() {
        // The second is how an HTTP client shows the first: it turns the user into a header.
        let shown = "https://base.example/v2/SECRET?key=SECRET";
        for cause in [url().as_str(), shown, "\"SECRET\" is\nno key,", "user:password@"] {
            let cause = format!("error sending request for url ({cause})");
            let error = ChainError::of_failure(Failure::Unreachable(cause), "eth_call", &url());
            let text = error.to_string();
            assert!(text.contains("https://base.example"), "{text}");
            assert!(!text.contains("SECRET") && !text.contains("password"), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(error.is_retryable() && error.asks_for_less().is_none());
        }
    }

    #[test]
    fn a_name_keeps_the_port_of_a_websocket_too() {
        assert_eq!(node_name(&"ws://127.0.0.1:8546/KEY".parse().unwrap()), "ws://127.0.0.1:8546");
        assert_eq!(node_name(&"wss://host/KEY".parse().unwrap()), "wss://host");
    }

    #[test]
    fn what_takes_too_long_or_is_too_large_asks_for_less() {
        for (code, less) in [(413, true), (504, true), (429, false), (503, false), (401, false)] {
            let error = status(code, None);
            assert_eq!(error.asks_for_less().is_some(), less, "{error}");
            assert!(error.to_string().len() < 500, "{error}");
        }
        let slow = Failure::Slow("timed out".to_owned());
        let slow = ChainError::of_failure(slow, "eth_getLogs", &url());
        assert_eq!(slow.asks_for_less().unwrap().too_large_in, Some(TooLargeIn::Answer));
    }

    #[test]
    fn when_a_node_wants_to_be_asked_again_is_kept() {
        assert_eq!(status(429, Some(7)).retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(status(503, None).retry_after(), None);
        assert_eq!(status(429, None).outcome(), "busy");
    }

    #[test]
    fn refusals_are_told_apart_by_their_words() {
        let outcome = |code, message, method| refusal(code, message, method).outcome();
        for message in [
            "daily request limit",
            "Too Many Requests",
            "no backend is currently healthy to serve traffic",
        ] {
            assert_eq!(outcome(-32000, message, "eth_getLogs"), "busy", "{message}");
        }
        assert_eq!(outcome(-32005, "limit exceeded", "eth_call"), "busy");
        for message in ["missing trie node 01 (path )", "required historical state unavailable"] {
            assert_eq!(outcome(-32000, message, "eth_call"), "state_unavailable", "{message}");
        }
        assert_eq!(outcome(-32000, "unknown block", "eth_getLogs"), "inconsistent");
        assert_eq!(outcome(-32000, "block range too large", "eth_getLogs"), "range_too_large");
        assert_eq!(outcome(-32601, "no such method", "eth_getLogs"), "refused");
    }

    #[test]
    fn a_refusal_of_unknown_wording_asks_for_less_and_keeps_the_nodes_code_and_words() {
        let error = refusal(-32099, "over my limit", "eth_getLogs");
        assert_eq!(
            error.to_string(),
            "the node at https://base.example refused eth_getLogs: over my limit (code -32099)"
        );
        let less = error.asks_for_less().unwrap();
        assert_eq!(less, AskLess { too_large_in: None, suggested: None });
    }

    #[test]
    fn a_suggestion_of_the_node_is_kept() {
        let message =
            "query returned more than 10000 results. Try with this block range [0x1, 0x8]";
        let less = refusal(-32005, message, "eth_getLogs").asks_for_less().unwrap();
        assert_eq!(less, AskLess { too_large_in: Some(TooLargeIn::Answer), suggested: Some(8) });
    }

    #[test]
    fn a_wrong_target_is_never_retried() {
        assert!(!ChainError::WrongTarget("chain id 1".to_owned()).is_retryable());
        assert!(ChainError::UnknownBlock(1).is_retryable());
        assert!(ChainError::Inconsistent(String::new()).is_retryable());
    }

    #[test]
    fn a_block_below_the_height_is_forgotten_and_one_above_is_not_there_yet() {
        let said = |asked: u64| {
            format!("BlockOutOfRangeError: block height is 5189 but requested was {asked}")
        };
        assert!(is_forgotten(&said(32)) && is_forgotten(&said(5189)));
        assert!(!is_forgotten(&said(5190)) && !is_forgotten("block out of range"));
    }
}
