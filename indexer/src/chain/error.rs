use alloy::transports::{RpcError, TransportError, TransportErrorKind};
use url::Url;

/// What went wrong between us and the node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// No answer: refused, timed out, cut off or not JSON-RPC.
    #[error("no answer from the node at {node}: {reason}")]
    Unreachable {
        /// The node, without its path, which may hold a key.
        node: String,
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
        matches!(self, Self::Refused { .. } | Self::Unreachable { .. })
    }

    /// Classifies a transport's error. `url` is cut out of its text: providers put keys into it.
    pub(super) fn of(error: TransportError, method: &'static str, url: &Url) -> Self {
        let redact = |text: String| text.replace(url.as_str(), &node_name(url));
        match error {
            RpcError::ErrorResp(payload) => Self::Refused {
                method,
                code: payload.code,
                message: redact(payload.message.into_owned()),
            },
            RpcError::NullResp => Self::Inconsistent(format!("{method} answered null")),
            RpcError::DeserError { err, .. } => {
                Self::Inconsistent(format!("{method} answered something else: {err}"))
            }
            RpcError::Transport(TransportErrorKind::Custom(error)) => Self::Unreachable {
                node: node_name(url),
                reason: redact(with_causes(error.as_ref())),
            },
            other => Self::Unreachable { node: node_name(url), reason: redact(other.to_string()) },
        }
    }
}

/// The node as it may be shown: scheme, host and port, nothing that can hold a key.
pub(super) fn node_name(url: &Url) -> String {
    url.origin().ascii_serialization()
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
        "https://user:pass@base.example/v2/SECRET?key=SECRET".parse().unwrap()
    }

    #[test]
    fn no_part_of_a_url_that_can_hold_a_key_is_shown() {
        let cause = format!("error sending request for url ({})", url());
        let error = ChainError::of(TransportErrorKind::custom_str(&cause), "eth_call", &url());
        let text = error.to_string();
        assert!(text.contains("https://base.example"), "{text}");
        assert!(!text.contains("SECRET") && !text.contains("pass"), "{text}");
        assert!(error.is_retryable());
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
