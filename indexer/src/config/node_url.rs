use serde::Deserialize;
use std::fmt;
use url::Url;

/// A node's URL as it was given. It may hold a provider's key, so it is never shown, and is taken
/// as text at first: the parser of flags repeats what it refuses.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct NodeUrl(String);

impl NodeUrl {
    /// The URL, where it is one of http, https, ws or wss.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words that do not repeat it.
    pub fn parse(&self) -> Result<Url, String> {
        let url = Url::parse(&self.0).map_err(|error| format!("rpc_url is no URL: {error}"))?;
        match url.scheme() {
            "http" | "https" | "ws" | "wss" => Ok(url),
            // Nor the scheme: what stands before a colon may be a key as well.
            _ => Err("rpc_url has another scheme, expected http, https, ws or wss".to_owned()),
        }
    }
}

impl From<&str> for NodeUrl {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeUrl(…)")
    }
}
