//! The nodes behind the proxy.

use super::{
    call::{Call, height},
    view::Heights,
};
use alloy::transports::http::reqwest;
use eyre::{Result, eyre};
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

/// A node on this machine answers within milliseconds.
const LONGEST_ANSWER: Duration = Duration::from_secs(30);

/// A node, asked one call at a time.
#[derive(Clone, Debug)]
pub(super) struct Upstream {
    http: reqwest::Client,
    url: Url,
}

impl Upstream {
    pub(super) fn new(url: &str) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(LONGEST_ANSWER).no_proxy();
        let http = http.tls_certs_only([]).build()?;
        Ok(Self { http, url: url.parse()? })
    }

    /// Where it takes websockets: anvil has one port for both.
    pub(super) fn ws_url(&self) -> String {
        self.url.as_str().replacen("http", "ws", 1)
    }

    /// The node's whole answer, an error included.
    pub(super) async fn ask(&self, call: &Call) -> Result<Value> {
        let request = self.http.post(self.url.clone()).header("content-type", "application/json");
        let body = request.body(call.to_json().to_string()).send().await?.text().await?;
        Ok(serde_json::from_str(&body)?)
    }

    /// What the node calls `latest`, `safe` and `finalized`.
    pub(super) async fn heights(&self) -> Result<Heights> {
        let named = async |name: &str| {
            let method = "eth_getBlockByNumber".to_owned();
            let call = Call { id: json!(0), method, params: json!([name, false]) };
            let block = self.ask(&call).await?;
            let number = block.pointer("/result/number").and_then(height);
            number.ok_or_else(|| eyre!("the node's {name} block is {block}"))
        };
        Ok(Heights {
            latest: named("latest").await?,
            safe: named("safe").await?,
            finalized: named("finalized").await?,
        })
    }
}
