//! The configuration file.

use super::{ConfigError, Flags, LogFormat, Network, NodeUrl};
use serde::Deserialize;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use url::Url;

/// The file as it is written. Each key has the name and the meaning of the flag; `provider` is what
/// has no flag.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "a key has the name of its flag")]
pub(super) struct File {
    network: Option<Network>,
    quorum: Option<u8>,
    timeout_ms: Option<u64>,
    max_block_range: Option<u64>,
    chain_id: Option<u64>,
    settlement: Option<String>,
    deploy_block: Option<u64>,
    pub(super) db: Option<PathBuf>,
    listen: Option<SocketAddr>,
    poll_ms: Option<u64>,
    public_rpc_url: Option<Url>,
    explorer_url: Option<Url>,
    audit_seconds: Option<u64>,
    admin_token_file: Option<PathBuf>,
    key_requests_per_second: Option<u32>,
    awake_from: Option<u32>,
    resident_mib: Option<u32>,
    #[serde(default)]
    cors_origins: Vec<String>,
    log_format: Option<LogFormat>,
    #[serde(default, rename = "provider")]
    pub(super) providers: Vec<ProviderEntry>,
}

/// One node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderEntry {
    url: Option<NodeUrl>,
    /// The name of an environment variable with the URL.
    url_env: Option<String>,
    pub(super) timeout_ms: Option<u64>,
    pub(super) requests_per_second: Option<u32>,
    pub(super) max_in_flight: Option<u32>,
}

impl File {
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|error| {
            ConfigError(format!("{}: cannot be read: {error} (--config)", path.display()))
        })?;
        Self::parse(&text).map_err(|error| ConfigError(format!("{}: {error}", path.display())))
    }

    /// What TOML's parser finds wrong is said with its line, and without the line's text, which may
    /// hold a provider's key.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start].lines().count().max(1));
            let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            format!("{line}{}", without_value(error.message()).replace('\n', " "))
        })
    }

    /// `flags`, and what they leave open as it is said here.
    pub(super) fn under(self, flags: Flags) -> Result<Flags, ConfigError> {
        let settlement = self.settlement.map(|text| {
            super::address(&text)
                .map_err(|error| ConfigError(format!("settlement is {text:?}: {error}")))
        });
        let within = |key, value: Option<u64>, least, most| match value {
            Some(value) if !(least..=most).contains(&value) => {
                Err(ConfigError(format!("{key} is {value}, expected {least} to {most}")))
            }
            value => Ok(value),
        };
        let timeout_ms = within("timeout_ms", self.timeout_ms, 100, 120_000)?;
        let max_block_range = within("max_block_range", self.max_block_range, 1, 10_000)?;
        let poll_ms = within("poll_ms", self.poll_ms, 10, 60_000)?;
        let audit_seconds = within("audit_seconds", self.audit_seconds, 0, 86_400)?;
        let key_requests = self.key_requests_per_second.map(u64::from);
        within("key_requests_per_second", key_requests, 0, 100_000)?;
        within("awake_from", self.awake_from.map(u64::from), 0, 100_000)?;
        within("resident_mib", self.resident_mib.map(u64::from), 0, 1_048_576)?;
        within("quorum", self.quorum.map(u64::from), 1, 2)?;
        Ok(Flags {
            config: flags.config,
            network: flags.network.or(self.network),
            rpc_urls: flags.rpc_urls,
            quorum: flags.quorum.or(self.quorum),
            timeout_ms: flags.timeout_ms.or(timeout_ms),
            max_block_range: flags.max_block_range.or(max_block_range),
            chain_id: flags.chain_id.or(self.chain_id),
            settlement: flags.settlement.or(settlement.transpose()?),
            deploy_block: flags.deploy_block.or(self.deploy_block),
            db: flags.db.or(self.db),
            listen: flags.listen.or(self.listen),
            poll_ms: flags.poll_ms.or(poll_ms),
            public_rpc_url: flags.public_rpc_url.or(self.public_rpc_url),
            explorer_url: flags.explorer_url.or(self.explorer_url),
            audit_seconds: flags.audit_seconds.or(audit_seconds),
            admin_token_file: flags.admin_token_file.or(self.admin_token_file),
            key_requests_per_second: flags.key_requests_per_second.or(self.key_requests_per_second),
            awake_from: flags.awake_from.or(self.awake_from),
            resident_mib: flags.resident_mib.or(self.resident_mib),
            cors_origins: if flags.cors_origins.is_empty() {
                self.cors_origins
            } else {
                flags.cors_origins
            },
            log_format: flags.log_format.or(self.log_format),
        })
    }
}

impl ProviderEntry {
    pub(super) fn url(&self, number: usize) -> Result<NodeUrl, ConfigError> {
        let wrong = |what: &str| ConfigError(format!("provider {number}: {what}"));
        match (&self.url, &self.url_env) {
            (Some(url), None) => Ok(url.clone()),
            (None, Some(name)) => std::env::var(name)
                .map(|url| NodeUrl::from(url.as_str()))
                .map_err(|_| wrong(&url_env_unset(name))),
            _ => Err(wrong("expected one of url and url_env")),
        }
    }
}

/// The parser's words without the value that it did not expect, which may be a URL.
fn without_value(message: &str) -> String {
    let value =
        ["invalid type: ", "invalid value: ", "unknown variant "].iter().find_map(|words| {
            let from = message.find(words)? + words.trim_end_matches([':', ' ']).len();
            Some((from, from + message[from..].rfind(", expected")?))
        });
    match value {
        Some((from, to)) => format!("{}{}", &message[..from], &message[to..]),
        None => message.to_owned(),
    }
}

/// Who writes the URL in place of the variable's name is not shown it.
fn url_env_unset(name: &str) -> String {
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_name {
        format!("url_env names {name}, which is not set")
    } else {
        "url_env is no name of a variable: expected letters, digits and _".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_without_its_text() {
        let error = File::parse("chain_id = 1\n\n[[provider]]\nurl = { secret = \"SECRET\" }\n")
            .unwrap_err();
        assert!(error.starts_with("line 4: ") && !error.contains("SECRET"), "{error}");
        let error = File::parse("chain = 1\n").unwrap_err();
        assert!(error.contains("line 1: unknown field `chain`, expected one of"), "{error}");
    }

    #[test]
    fn a_url_in_the_wrong_place_is_not_repeated() {
        for text in [
            "provider = [\"https://host/v2/SECRET\"]",
            "provider = \"https://host/v2/SECRET, expected\"",
            "quorum = \"https://host/SECRET\"",
            "log_format = \"SECRET\"",
        ] {
            let error = File::parse(text).unwrap_err();
            assert!(error.contains("expected") && !error.contains("SECRET"), "{error}");
        }
        let text = "[[provider]]\nurl_env = \"https://host/SECRET\"";
        let error = File::parse(text).unwrap().providers[0].url(1).unwrap_err().to_string();
        assert!(error.contains("url_env is no name") && !error.contains("SECRET"), "{error}");
    }

    #[test]
    fn the_documented_file_is_one() {
        let text = include_str!("../../../docs/OPERATIONS.md");
        let (_, rest) = text.split_once("```toml\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let file = File::parse(example).unwrap();
        assert_eq!(file.providers.len(), 2);
        let flags = file.under(Flags::default()).unwrap();
        assert_eq!((flags.network, flags.quorum), (Some(Network::Base), Some(2)));
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let file = File::parse("chain_id = 1\ndeploy_block = 7\nresident_mib = 0\n").unwrap();
        let flags = Flags { chain_id: Some(2), ..Flags::default() };
        let both = file.under(flags).unwrap();
        let from_file = (both.deploy_block, both.resident_mib);
        assert_eq!((both.chain_id, from_file), (Some(2), (Some(7), Some(0))));
    }

    #[test]
    fn a_value_out_of_range_is_refused_by_its_key() {
        let error = File::parse("poll_ms = 9").unwrap().under(Flags::default()).unwrap_err();
        assert_eq!(error.to_string(), "poll_ms is 9, expected 10 to 60000");
        let error = File::parse("settlement = \"0x12\"").unwrap().under(Flags::default());
        assert!(error.unwrap_err().to_string().starts_with("settlement is \"0x12\""));
    }

    #[test]
    fn a_provider_has_one_url() {
        let of = |text: &str| File::parse(text).unwrap().providers[0].url(1);
        assert!(of("[[provider]]\nurl = \"http://host\"").is_ok());
        let error = of("[[provider]]\ntimeout_ms = 1").unwrap_err().to_string();
        assert_eq!(error, "provider 1: expected one of url and url_env");
        let error = of("[[provider]]\nurl_env = \"LUXXON_NOT_SET\"").unwrap_err().to_string();
        assert_eq!(error, "provider 1: url_env names LUXXON_NOT_SET, which is not set");
    }
}
