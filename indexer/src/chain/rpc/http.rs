use super::{Failure, LARGEST_ANSWER};
use alloy::transports::http::reqwest::{
    Client, Error, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use std::time::Duration;
use url::Url;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A node over HTTP. Connections are kept and used again.
#[derive(Clone, Debug)]
pub(in crate::chain) struct Http {
    client: Client,
    url: Url,
}

impl Http {
    /// Nothing is sent yet. `timeout` is for one exchange, body included.
    pub(in crate::chain) fn new(url: Url, timeout: Duration) -> Result<Self, String> {
        let mut client = Client::builder().timeout(timeout).connect_timeout(CONNECT_TIMEOUT);
        if crate::chain::is_loopback(&url) {
            // A proxy that the environment names would look for the node on its own machine.
            client = client.no_proxy();
            if url.scheme() == "http" {
                // It never speaks TLS: to read the system's certificates takes longer than all the rest.
                client = client.tls_certs_only([]);
            }
        }
        let client = client.build().map_err(|error| with_causes(&error.without_url()))?;
        Ok(Self { client, url })
    }

    /// Sends `question`, and reads the answer while it is not longer than it may be.
    pub(in crate::chain) async fn exchange(&self, question: String) -> Result<Vec<u8>, Failure> {
        let request = self.client.post(self.url.clone());
        let request = request.header(CONTENT_TYPE, "application/json").body(question);
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let retry_after = retry_after(&response);
        let mut text = Vec::with_capacity(expected_len(&response));
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if text.len() + chunk.len() > LARGEST_ANSWER {
                return Err(Failure::TooLarge);
            }
            text.extend_from_slice(&chunk);
        }
        // Some nodes say 400 or 500 and put JSON-RPC's own answers into the body.
        let says_later = retry_after.is_some() || status == StatusCode::TOO_MANY_REQUESTS;
        if status.is_success() || (!says_later && is_json_rpc(&text)) {
            return Ok(text);
        }
        let text = String::from_utf8_lossy(&text).chars().take(200).collect();
        Err(Failure::Status { status: status.as_u16(), retry_after, text })
    }
}

fn expected_len(response: &Response) -> usize {
    let len = response.content_length().and_then(|len| usize::try_from(len).ok());
    len.unwrap_or_default().min(LARGEST_ANSWER)
}

fn is_json_rpc(text: &[u8]) -> bool {
    let answers = |response: &super::Response<'_>| {
        response.error.is_some() || (response.id.is_some() && response.result.is_some())
    };
    super::responses(text).is_ok_and(|all| !all.is_empty() && all.iter().all(answers))
}

/// `Retry-After` in seconds; its other form, a date, is left to the waits of our own.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

fn failed(error: Error) -> Failure {
    let slow = error.is_timeout();
    let what = with_causes(&error.without_url());
    if slow { Failure::Slow(what) } else { Failure::Unreachable(what) }
}

/// The innermost cause, behind what was being done: "error sending request: Connection refused".
pub(super) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match (error.to_string(), innermost.to_string()) {
        (outer, inner) if outer == inner => outer,
        (outer, inner) => format!("{outer}: {inner}"),
    }
}
