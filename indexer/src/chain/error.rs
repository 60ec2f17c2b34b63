use alloy::transports::{RpcError, TransportError, TransportErrorKind, http::reqwest};
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
    /// No answer in time, or a question that is too large for HTTP.
    #[error("the node at {node} could not answer all of {method}: {reason}")]
    TooMuch {
        /// The node, without what may hold a key.
        node: String,
        /// What was asked for.
        method: &'static str,
        /// What happened.
        reason: String,
    },
    /// The node answered that it will not do this.
    #[error("the node refused {method}: {message} (code {code})")]
    Refused {
        /// What was asked for.
        method: &'static str,
        /// JSON-RPC's error code.
        code: i64,
        /// The node's words.
        message: String,
    },
    /// The node's answers contradict each other or the question.
    #[error("the node contradicts itself: {0}")]
    Inconsistent(String),
    /// The node does not have this block (yet, or any more).
    #[error("the node does not have block {0}")]
    UnknownBlock(u64),
    /// The node, the chain or the contract is not what it was said to be.
    #[error("{0}")]
    WrongTarget(String),
}

impl ChainError {
    /// Whether the same call may well succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::WrongTarget(_))
    }

    /// Whether a smaller question may get an answer where this one did not.
    #[must_use]
    pub fn asks_for_less(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::TooMuch { .. })
    }

    /// Classifies a transport's error. What may hold a key is cut out of its text.
    pub(super) fn of(error: TransportError, method: &'static str, url: &Url) -> Self {
        /// HTTP's words for a request that is too large, or takes too long.
        const TOO_MUCH: [u16; 4] = [400, 408, 413, 504];
        let node = node_name(url);
        match error {
            RpcError::ErrorResp(payload) => Self::Refused {
                method,
                code: payload.code,
                message: presentable(&payload.message, url),
            },
            RpcError::NullResp => Self::Inconsistent(format!("{method} answered null")),
            RpcError::DeserError { err, .. } => {
                Self::Inconsistent(format!("{method} answered something else: {err}"))
            }
            RpcError::Transport(TransportErrorKind::MissingBatchResponse(_)) => Self::Inconsistent(
                "it left a call of a batch unanswered; it may not take batches of this size"
                    .to_owned(),
            ),
            RpcError::Transport(TransportErrorKind::Custom(error)) => {
                let timed_out =
                    error.downcast_ref().is_some_and(|error: &reqwest::Error| error.is_timeout());
                let reason = presentable(&with_causes(error.as_ref()), url);
                if timed_out {
                    Self::TooMuch { node, method, reason }
                } else {
                    Self::Unreachable { node, reason }
                }
            }
            other => {
                let reason = presentable(&other.to_string(), url);
                let status = other.as_transport_err().and_then(|error| error.as_http_error());
                if status.is_some_and(|error| TOO_MUCH.contains(&error.status)) {
                    Self::TooMuch { node, method, reason }
                } else {
                    Self::Unreachable { node, reason }
                }
            }
        }
    }
}

/// The node as it may be shown: scheme, host and port, nothing that can hold a key.
pub(super) fn node_name(url: &Url) -> String {
    url.origin().ascii_serialization()
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

/// The innermost cause, behind what was being done: "error sending request: Connection refused".
fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match (error.to_string(), innermost.to_string()) {
        (outer, inner) if outer == inner => outer,
        (outer, inner) => format!("{outer}: {inner}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::rpc::json_rpc::ErrorPayload;

    fn url() -> Url {
        "https://user:password@base.example/v2/SECRET?key=SECRET".parse().unwrap()
    }

    #[test]
    fn no_part_of_a_url_that_can_hold_a_key_is_shown() {
        // The second is how an HTTP client shows the first: it turns the user into a header.
        let shown = "https://base.example/v2/SECRET?key=SECRET";
        for cause in [url().as_str(), shown, "\"SECRET\" is\nno key,", "user:password@"] {
            let cause = format!("error sending request for url ({cause})");
            let error = ChainError::of(TransportErrorKind::custom_str(&cause), "eth_call", &url());
            let text = error.to_string();
            assert!(text.contains("https://base.example"), "{text}");
            assert!(!text.contains("SECRET") && !text.contains("password"), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(error.is_retryable() && !error.asks_for_less());
        }
    }

    #[test]
    fn what_takes_too_long_or_is_too_large_asks_for_less() {
        for (status, less) in [(413, true), (504, true), (429, false), (503, false), (401, false)] {
            let error = TransportErrorKind::http_error(status, "<html>".repeat(1_000));
            let error = ChainError::of(error, "eth_getLogs", &url());
            assert_eq!(error.asks_for_less(), less, "{error}");
            assert!(error.to_string().len() < 500, "{error}");
        }
    }

    #[test]
    fn a_refusal_keeps_the_nodes_code_and_words_and_asks_for_less() {
        let payload = ErrorPayload { code: -32005, message: "range too large".into(), data: None };
        let error = ChainError::of(RpcError::ErrorResp(payload), "eth_getLogs", &url());
        assert_eq!(
            error.to_string(),
            "the node refused eth_getLogs: range too large (code -32005)"
        );
        assert!(error.is_retryable() && error.asks_for_less());
    }

    #[test]
    fn a_wrong_target_is_never_retried() {
        assert!(!ChainError::WrongTarget("chain id 1".to_owned()).is_retryable());
        assert!(ChainError::UnknownBlock(1).is_retryable());
        assert!(ChainError::Inconsistent(String::new()).is_retryable());
    }
}
