//! Files, flags and URLs of any text: what is taken is within its bounds, what is refused is named, and
//! no error shows a provider's key.

use super::{Cli, Command, Config, File, Flags, NodeUrl, nodes, origin};
use crate::{
    api::AdminToken,
    fuzzing::{fuzzed, spoiled, spoiled_text},
};
use clap::Parser;
use proptest::{collection::vec, prelude::*, sample::select, sample::subsequence};
use std::{ffi::OsString, os::unix::ffi::OsStringExt};

/// In every provider's URL: what must not be shown.
const SECRET: &str = "S3CRET";

/// A line for each key of the file, the first value good and the others not.
const SETTINGS: &[&str] = &[
    "network = \"base-sepolia\"",
    "network = \"base\"",
    "quorum = 2",
    "timeout_ms = 5000",
    "timeout_ms = 99",
    "max_block_range = 2000",
    "max_block_range = 0",
    "chain_id = 84532",
    "settlement = \"0xa748C178df47c2DA2227C247293943713eB65a26\"",
    "settlement = \"0xA748C178df47c2DA2227C247293943713eB65a26\"",
    "deploy_block = 7",
    "db = \"ledger.db\"",
    "listen = \"127.0.0.1:3010\"",
    "poll_ms = 10",
    "poll_ms = 60001",
    "public_rpc_url = \"https://sepolia.base.org\"",
    "explorer_url = \"https://sepolia.basescan.org\"",
    "audit_seconds = 86400",
    "key_requests_per_second = 100",
    "key_requests_per_second = 100001",
    "awake_from = 0",
    "awake_from = 100001",
    "resident_mib = 0",
    "resident_mib = 1048577",
    "cors_origins = [\"https://console.example\", \"http://localhost:3020\"]",
    "log_format = \"json\"",
];

const PROVIDERS: &[&str] = &[
    "[[provider]]\nurl = \"https://base.example/v2/S3CRET\"\ntimeout_ms = 100",
    "[[provider]]\nurl = \"wss://S3CRET:x@base.example\"\nrequests_per_second = 3",
    "[[provider]]\nurl = \"ftp://base.example/?key=S3CRET\"\nmax_in_flight = 1",
    "[[provider]]\nurl = \"S3CRET\"",
    "[[provider]]\nurl_env = \"LUXXON_NOT_SET\"",
    "[[provider]]\nurl = { S3CRET = \"S3CRET\" }",
    "provider = [\"https://base.example/v2/S3CRET\"]",
];

fn files() -> impl Strategy<Value = String> {
    let settings = subsequence(SETTINGS, 0..8);
    let providers = subsequence(PROVIDERS, 0..4);
    spoiled_text(
        (settings, providers)
            .prop_map(|(settings, providers)| [settings, providers].concat().join("\n")),
    )
}

/// Whether `error` shows the secret elsewhere than as the name of a key, which has to be told.
fn shows_secret(error: &str) -> bool {
    let named = error.split_once("unknown field `").and_then(|(_, rest)| rest.split_once('`'));
    let rest = named.map_or(error, |(_, rest)| rest);
    rest.to_uppercase().contains(SECRET)
}

fn within_bounds(flags: &Flags) -> bool {
    let within =
        |value: Option<u64>, least, most| value.is_none_or(|value| (least..=most).contains(&value));
    within(flags.quorum.map(u64::from), 1, 2)
        && within(flags.timeout_ms, 100, 120_000)
        && within(flags.max_block_range, 1, 10_000)
        && within(flags.poll_ms, 10, 60_000)
        && within(flags.audit_seconds, 0, 86_400)
        && within(flags.key_requests_per_second.map(u64::from), 0, 100_000)
        && within(flags.awake_from.map(u64::from), 0, 100_000)
        && within(flags.resident_mib.map(u64::from), 0, 1_048_576)
}

/// What errors of the file's values begin with.
const KEYS: &[&str] = &[
    "settlement is ",
    "timeout_ms is ",
    "max_block_range is ",
    "poll_ms is ",
    "audit_seconds is ",
    "key_requests_per_second is ",
    "awake_from is ",
    "resident_mib is ",
    "quorum is ",
    "rpc_url is ",
    "rpc_url has ",
    "provider ",
];

fn names_a_key(error: &str) -> bool {
    KEYS.iter().any(|key| error.starts_with(key))
}

/// Flags of `run`, each with a value of its kind. What is in the environment goes through the same parsers.
const FLAGS: &[(&str, &str)] = &[
    ("--network", "base-sepolia"),
    ("--rpc-url", "https://base.example/v2/S3CRET,ws://S3CRET@host"),
    ("--quorum", "2"),
    ("--timeout-ms", "120000"),
    ("--max-block-range", "10000"),
    ("--chain-id", "18446744073709551615"),
    ("--settlement", "0xa748C178df47c2DA2227C247293943713eB65a26"),
    ("--deploy-block", "7"),
    ("--listen", "[::1]:3010"),
    ("--poll-ms", "10"),
    ("--public-rpc-url", "https://sepolia.base.org"),
    ("--audit-seconds", "0"),
    ("--key-requests-per-second", "100000"),
    ("--awake-from", "2500"),
    ("--resident-mib", "1024"),
    ("--cors-origin", "https://console.example"),
    ("--log-format", "text"),
];

fn command_lines() -> impl Strategy<Value = (&'static str, OsString)> {
    select(FLAGS).prop_flat_map(|(flag, value)| {
        let value = spoiled(Just(value.as_bytes().to_vec())).prop_map(OsString::from_vec);
        (Just(flag), value)
    })
}

fn urls() -> impl Strategy<Value = String> {
    let good = [
        "https://base.example/v2/S3CRET",
        "http://S3CRET:S3CRET@127.0.0.1:8545/?key=S3CRET#S3CRET",
        "wss://[::1]:8546/S3CRET",
        "S3CRET",
        "https://console.example",
        "http://localhost:3020",
    ];
    spoiled_text(select(good.map(str::to_owned).to_vec()))
}

proptest! {
    #![proptest_config(fuzzed())]

    #[test]
    fn fuzz_a_file_is_taken_within_bounds_or_refused_by_line_or_key_and_shows_no_secret(
        text in files(),
    ) {
        let file = match File::parse(&text) {
            Ok(file) => file,
            Err(error) => {
                prop_assert!(!shows_secret(&error), "{error}");
                let line = error.strip_prefix("line ").and_then(|rest| rest.split_once(": "));
                let line = line.and_then(|(line, _)| line.parse::<usize>().ok());
                let lines = text.split('\n').count();
                prop_assert!(line.is_some_and(|line| (1..=lines).contains(&line)), "{error}");
                prop_assert!(!error.contains('\n'));
                return Ok(());
            }
        };
        let providers = file.providers.clone();
        let outcome = file.under(Flags::default()).and_then(|flags| {
            let nodes = nodes(&flags, &providers)?;
            Ok((flags, nodes))
        });
        match outcome {
            Ok((flags, nodes)) => {
                prop_assert!(within_bounds(&flags));
                prop_assert_eq!(nodes.len(), providers.len());
                let shown = format!("{nodes:?}");
                prop_assert!(!shown.contains("/v2/"), "{}", shown);
            }
            Err(error) => {
                let error = error.to_string();
                prop_assert!(names_a_key(&error), "{error}");
                prop_assert!(!shows_secret(&error), "{error}");
            }
        }
    }

    #[test]
    fn fuzz_a_flag_is_taken_within_bounds_or_named_and_shows_no_secret((flag, value) in command_lines()) {
        let line = ["luxxon-indexer", "run", "--rpc-url", "https://base.example/v2/S3CRET"];
        let mut line: Vec<OsString> = line.map(OsString::from).to_vec();
        let mut with_value = OsString::from(format!("{flag}="));
        with_value.push(&value);
        line.push(with_value);
        match Cli::try_parse_from(line) {
            Ok(Cli { command: Command::Run(flags) }) => {
                prop_assert!(within_bounds(&flags));
                let shown = format!("{flags:?}");
                prop_assert!(!shows_secret(&shown), "{}", shown);
                if let Err(error) = Config::load(flags) {
                    prop_assert!(!shows_secret(&error.to_string()), "{error}");
                }
            }
            Ok(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
            Err(error) => {
                let error = error.to_string();
                let readable = value.to_str().is_some();
                prop_assert!(error.contains(flag) || !readable, "{error}");
                prop_assert!(!shows_secret(&error), "{error}");
            }
        }
    }

    #[test]
    fn fuzz_a_node_is_one_of_four_schemes_and_its_url_is_never_shown(text in urls()) {
        let url = NodeUrl::from(text.as_str());
        prop_assert_eq!(format!("{url:?}"), "NodeUrl(…)");
        match url.parse() {
            Ok(url) => prop_assert!(["http", "https", "ws", "wss"].contains(&url.scheme())),
            Err(error) => {
                prop_assert!(names_a_key(&error) && !shows_secret(&error), "{error}");
            }
        }
    }

    #[test]
    fn fuzz_a_web_site_is_named_in_the_one_form_that_browsers_send(text in urls()) {
        match origin(&text) {
            Ok(value) => {
                prop_assert_eq!(value.as_bytes(), text.as_bytes());
                let (scheme, rest) = text.split_once("://").unwrap();
                prop_assert!(["http", "https"].contains(&scheme));
                prop_assert!(!rest.is_empty() && !rest.contains(['/', '?', '#', '@', ' ']));
                prop_assert_eq!(text.to_lowercase(), &text[..]);
                prop_assert!(text.is_ascii());
            }
            Err(error) => prop_assert!(error.to_string().starts_with("cors_origins has ")),
        }
    }

    #[test]
    fn fuzz_a_token_of_the_admin_is_long_enough_or_refused_and_never_shown(
        text in vec(select(vec!["S3CRET", "S3CRET", " ", "\n", "é", "\0", "\t"]), 0..9),
    ) {
        let text = text.concat();
        match AdminToken::new(&text) {
            Ok(token) => {
                prop_assert!(text.trim().chars().count() >= 32);
                let (shown, padded) = (format!("{token:?}"), format!(" {text}\n"));
                prop_assert!(!shows_secret(&shown));
                prop_assert_eq!(AdminToken::new(&padded), Ok(token));
            }
            Err(error) => prop_assert!(!shows_secret(&error), "{error}"),
        }
    }
}
