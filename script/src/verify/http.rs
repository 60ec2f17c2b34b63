//! Requests to explorers. Their errors show no URL: it may hold a key.

use alloy::transports::http::reqwest::{Client, RequestBuilder};
use eyre::{Result, eyre};
use serde_json::Value;
use std::time::Duration;
use url::{Host, Url};

/// Explorers take their time with a file of half a megabyte.
const LONGEST_REQUEST: Duration = Duration::from_mins(1);

/// How long to ask after a job that an explorer has taken on.
pub(super) const LONGEST_JOB: Duration = Duration::from_mins(3);

/// An explorer.
#[derive(Clone, Debug)]
pub(super) struct Explorer {
    /// What people call it.
    pub(super) name: &'static str,
    pub(super) url: Url,
    http: Client,
}

impl Explorer {
    pub(super) fn new(name: &'static str, url: &Url) -> Result<Self> {
        let mut http = Client::builder().timeout(LONGEST_REQUEST);
        if is_local(url) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| eyre!("{}", error.without_url()))?;
        Ok(Self { name, url: url.clone(), http })
    }

    /// The time between two looks at a job.
    pub(super) fn poll_interval(&self) -> Duration {
        Duration::from_millis(if is_local(&self.url) { 20 } else { 2_000 })
    }

    /// The URL of one of its routes.
    pub(super) fn route(&self, route: &str) -> Result<Url> {
        let base = self.url.as_str().trim_end_matches('/');
        let url = if route.is_empty() { base.to_owned() } else { format!("{base}/{route}") };
        Ok(url.parse()?)
    }

    pub(super) fn get(&self, url: Url) -> RequestBuilder {
        self.http.get(url)
    }

    pub(super) fn post(&self, url: Url, content_type: &str, body: String) -> RequestBuilder {
        self.http.post(url).header("content-type", content_type).body(body)
    }

    /// The status and the JSON of the answer; null where it is none.
    pub(super) async fn answer(&self, request: RequestBuilder) -> Result<(u16, Value)> {
        let failed = |error: alloy::transports::http::reqwest::Error| {
            let error = error.without_url();
            let mut innermost: &dyn std::error::Error = &error;
            while let Some(source) = innermost.source() {
                innermost = source;
            }
            let node = self.url.origin().ascii_serialization();
            eyre!("no answer from {} at {node}: {innermost}", self.name)
        };
        let response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(failed)?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
