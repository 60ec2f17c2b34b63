use alloy::{
    primitives::{Address, B256, Bytes, U256},
    providers::{Provider, ProviderBuilder, RootProvider},
    rpc::{json_rpc::ErrorPayload, types::TransactionRequest},
    transports::{RpcError, TransportError, TransportErrorKind, http::reqwest},
};
use eyre::{Report, Result, bail, eyre};
use std::time::Duration;
use url::{Host, Url};

/// How long one request may take, body included.
const LONGEST_REQUEST: Duration = Duration::from_secs(30);

/// How long a connection may take to be made.
const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// A node, and the chain it was found to serve. Its errors never show more of its URL than scheme,
/// host and port.
#[derive(Clone, Debug)]
pub struct Node {
    provider: RootProvider,
    url: NodeName,
    chain_id: u64,
}

/// What a call on chain came to, when it did not succeed.
#[derive(Debug)]
pub enum CallError {
    /// The call was executed and reverted with this data.
    Reverted(Bytes),
    /// It was not executed, for this reason.
    Failed(Report),
}

/// A URL that shows itself without what may be a key.
#[derive(Clone)]
struct NodeName(Url);

impl std::fmt::Debug for NodeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.origin().ascii_serialization())
    }
}

impl Node {
    /// Asks the node at `url` for its chain, which has to be `expected` where one is.
    pub async fn connect(url: Url, expected: Option<u64>) -> Result<Self> {
        let mut http =
            reqwest::Client::builder().timeout(LONGEST_REQUEST).connect_timeout(LONGEST_CONNECT);
        if is_loopback(&url) {
            // A proxy that the environment names would look for the node on its own machine.
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| eyre!("{}", error.without_url()))?;
        let provider =
            ProviderBuilder::new().disable_recommended_fillers().connect_reqwest(http, url.clone());
        let mut node = Self { provider, url: NodeName(url), chain_id: 0 };
        let chain_id = node.provider.get_chain_id().await;
        node.chain_id = chain_id.map_err(|error| node.explain("eth_chainId", &error))?;
        match expected {
            Some(expected) if expected != node.chain_id => bail!(
                "the node at {} serves chain {}, not {expected}: --network and the node \
                 (--rpc-url, LUXXON_RPC_URL) disagree",
                node.name(),
                node.chain_id
            ),
            _ => Ok(node),
        }
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn name(&self) -> String {
        self.url.0.origin().ascii_serialization()
    }

    /// The chain it serves.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The means to ask it anything. Put errors through [`explain`](Self::explain).
    #[must_use]
    pub fn provider(&self) -> &RootProvider {
        &self.provider
    }

    /// The time between two looks at something that is expected to change.
    #[must_use]
    pub fn poll_interval(&self) -> Duration {
        Duration::from_millis(if is_loopback(&self.url.0) { 20 } else { 1_000 })
    }

    /// The code at `address`, at a height or, without one, at the head.
    pub async fn code(&self, address: Address, at: Option<u64>) -> Result<Bytes> {
        let call = self.provider.get_code_at(address);
        let code = match at {
            Some(block) => call.number(block).await,
            None => call.await,
        };
        code.map_err(|error| self.explain("eth_getCode", &error))
    }

    /// How much ETH `address` has, wei.
    pub async fn balance(&self, address: Address) -> Result<U256> {
        let balance = self.provider.get_balance(address).await;
        balance.map_err(|error| self.explain("eth_getBalance", &error))
    }

    /// What calling `to` at the head would return.
    pub async fn view(&self, to: Address, input: Bytes) -> Result<Bytes, CallError> {
        self.call(TransactionRequest::default().to(to).input(input.into())).await
    }

    /// What the transaction would return at the head.
    pub async fn call(&self, request: TransactionRequest) -> Result<Bytes, CallError> {
        let returned = self.provider.call(request).await;
        returned.map_err(|error| self.call_error("eth_call", &error))
    }

    /// The gas the transaction would take at the head.
    pub async fn estimate(&self, request: TransactionRequest) -> Result<u64, CallError> {
        let gas = self.provider.estimate_gas(request).await;
        gas.map_err(|error| self.call_error("eth_estimateGas", &error))
    }

    /// The transaction that `hash` stands for in whatever the node calls pending, or in a block.
    pub async fn knows_transaction(&self, hash: B256) -> Result<bool> {
        let found = self.provider.get_transaction_by_hash(hash).await;
        Ok(found.map_err(|error| self.explain("eth_getTransactionByHash", &error))?.is_some())
    }

    fn call_error(&self, method: &str, error: &TransportError) -> CallError {
        match error {
            RpcError::ErrorResp(payload) if is_revert(payload) => {
                CallError::Reverted(payload.as_revert_data().unwrap_or_default())
            }
            _ => CallError::Failed(self.explain(method, error)),
        }
    }

    /// A transport's error in one line, without what may be a key.
    pub fn explain(&self, method: &str, error: &TransportError) -> Report {
        let node = self.name();
        match error {
            RpcError::ErrorResp(payload) => {
                let message = presentable(&payload.message, &self.url.0);
                eyre!("the node at {node} refused {method}: {message} (code {})", payload.code)
            }
            RpcError::Transport(TransportErrorKind::HttpError(http)) => {
                eyre!("the node at {node} answered {method} with HTTP status {}", http.status)
            }
            RpcError::Transport(TransportErrorKind::Custom(error)) => {
                let cause = presentable(&innermost(error.as_ref()), &self.url.0);
                eyre!("no answer from the node at {node} (--rpc-url): {cause}")
            }
            RpcError::NullResp => eyre!("the node at {node} answered {method} with null"),
            other => {
                let what = presentable(&other.to_string(), &self.url.0);
                eyre!("the node at {node} did not answer {method} as a node does: {what}")
            }
        }
    }
}

/// Whether the call was executed, and failed. Geth says so by its code; anvil only in words.
fn is_revert(payload: &ErrorPayload) -> bool {
    const WORDS: [&str; 4] = ["revert", "invalid opcode", "out of gas", "EVM error"];
    payload.code == 3 || WORDS.iter().any(|words| payload.message.contains(words))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Somebody else's text as one short line, without the parts of `url` that may be a key: user,
/// password, and whatever is long enough in path and query.
fn presentable(text: &str, url: &Url) -> String {
    const LONGEST: usize = 300;
    /// Version numbers and chain names in a path are shorter; keys are not.
    const SHORTEST_KEY: usize = 6;
    let user = [url.username(), url.password().unwrap_or_default()];
    let in_query = url.query().unwrap_or_default().split(['&', '=']);
    let mut text = text.to_owned();
    for part in url.path().split('/').chain(in_query).chain(user) {
        if part.len() >= SHORTEST_KEY {
            text = text.replace(part, "…");
        }
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

    fn node() -> Node {
        let url: Url =
            "https://usersecret:passsecret@base.example/v2/SECRET1?key=SECRET2".parse().unwrap();
        Node {
            provider: ProviderBuilder::new()
                .disable_recommended_fillers()
                .connect_http(url.clone()),
            url: NodeName(url),
            chain_id: 1,
        }
    }

    #[test]
    fn no_error_shows_what_may_be_a_key_of_the_node() {
        let node = node();
        let payload = |message: &'static str| {
            RpcError::ErrorResp(ErrorPayload { code: -1, message: message.into(), data: None })
        };
        for error in [
            TransportErrorKind::custom_str("for url (https://base.example/v2/SECRET1?key=SECRET2)"),
            TransportErrorKind::http_error(401, "SECRET1 is no key".to_owned()),
            payload("SECRET2 is\nno key, usersecret"),
            RpcError::NullResp,
        ] {
            let text = format!("{:#}", node.explain("eth_call", &error));
            assert!(text.contains("https://base.example"), "{text}");
            assert!(!text.contains("SECRET") && !text.contains("secret"), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }

    #[test]
    fn a_revert_is_told_from_a_failure_and_keeps_its_data() {
        let data = serde_json::value::to_raw_value("0x01020304").unwrap();
        let reverted = RpcError::ErrorResp(ErrorPayload {
            code: 3,
            message: "execution reverted".into(),
            data: Some(data),
        });
        let CallError::Reverted(data) = node().call_error("eth_call", &reverted) else { panic!() };
        assert_eq!(data, Bytes::from_static(&[1, 2, 3, 4]));
        let refused = RpcError::ErrorResp(ErrorPayload {
            code: -32005,
            message: "too many requests".into(),
            data: None,
        });
        assert!(matches!(node().call_error("eth_call", &refused), CallError::Failed(_)));
    }
}
