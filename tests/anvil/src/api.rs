use alloy::transports::http::reqwest;
use eyre::{Result, WrapErr, ensure, eyre};
use luxxon_indexer::key::PlainKey;
use serde_json::Value;
use std::time::{Duration, Instant};

/// A client of the daemon's API, as the platform is one.
#[derive(Clone, Debug)]
pub struct ApiClient {
    http: reqwest::Client,
    url: String,
}

/// How long the daemon may take to see a block of a chain on this machine.
const LONGEST_LAG: Duration = Duration::from_mins(1);

impl ApiClient {
    /// A client of the API at `url`, which ends in `/api/v1`.
    pub fn new(url: &str) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(LONGEST_LAG).no_proxy().build()?;
        Ok(Self { http, url: url.to_owned() })
    }

    /// `GET path` with a key; the status and the whole body.
    pub async fn get(&self, path: &str, key: Option<&str>) -> Result<(u16, Value)> {
        let mut request = self.http.get(format!("{}{path}", self.url));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let body = response.text().await?;
        let body = serde_json::from_str(&body).wrap_err_with(|| format!("{path}: {body}"))?;
        Ok((status, body))
    }

    /// The `data` of a successful `GET path`.
    pub async fn data(&self, path: &str, key: &PlainKey) -> Result<Value> {
        let (status, mut body) = self.get(path, Some(key.reveal())).await?;
        ensure!(status == 200, "{path}: {status} {body}");
        Ok(body["data"].take())
    }

    /// `GET path` by a client that passes back the sync token it was given last, whatever the answer
    /// was, and keeps the one it is given; the status and the whole body.
    pub async fn get_in_order(
        &self,
        path: &str,
        key: &PlainKey,
        token: &mut Option<String>,
    ) -> Result<(u16, Value)> {
        const SYNC_TOKEN: &str = "x-lx-sync-token";
        let mut request = self.http.get(format!("{}{path}", self.url)).bearer_auth(key.reveal());
        if let Some(token) = token {
            request = request.header(SYNC_TOKEN, token.as_str());
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let given = response.headers().get(SYNC_TOKEN).map(|token| token.to_str()).transpose()?;
        *token = given.map(str::to_owned);
        Ok((status, serde_json::from_str(&response.text().await?)?))
    }

    /// Waits until the daemon has seen `block`, and returns its `/wallet` answer then.
    pub async fn wallet_at(&self, key: &PlainKey, block: u64) -> Result<Value> {
        let began = Instant::now();
        loop {
            let wallet = self.data("/wallet", key).await?;
            let synced: u64 = text(&wallet, "lastSyncBlock")?.parse()?;
            if synced >= block {
                return Ok(wallet);
            }
            ensure!(began.elapsed() < LONGEST_LAG, "still at block {synced}, not {block}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A field that must be a string.
pub(crate) fn text<'v>(value: &'v Value, field: &str) -> Result<&'v str> {
    value[field].as_str().ok_or_else(|| eyre!("{field} is no string in {value}"))
}
