//! What `luxxon deploy` refuses: each with one clear line, with nothing sent and nothing written.

use alloy::{
    primitives::{Address, hex},
    providers::Provider,
    sol_types::SolCall,
};
use eyre::Result;
use luxxon_bindings::usdc::UsdcStandIn::{
    RECEIVE_WITH_AUTHORIZATION_TYPEHASHCall, UsdcStandInInstance as UsdcStandIn, isBlacklistedCall,
};
use luxxon_script::contract::{Deployment, FACTORY};
use luxxon_tests::{
    Done, Operator, finish,
    keystore::{KEYSTORE, PASSWORD, POOR, POOR_KEY},
};
use serde_json::json;
use std::fs;

/// The devnet's stand-in for USDC.
const USDC: &str = "0x5FbDB2315678afecb367f032d93F642f64180aa3";

/// A contract that answers every call with the number `word`.
fn answering(word: u8) -> [u8; 8] {
    // PUSH1 word, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN
    [0x60, word, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3]
}

/// The run has to end with `code`, one line that has these words, and without a trace.
async fn refused(operator: &Operator, done: &Done, code: i32, words: &[&str]) -> Result<()> {
    done.says(code, words)?;
    let last = done.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("luxxon: "), "the last line says why: {}", done.stderr);
    assert_eq!(done.stdout, "", "standard output is for results");
    assert!(operator.records()?.is_empty(), "nothing is written");
    assert_eq!(operator.nonce(operator.cast.operator).await?, 0, "nothing is sent");
    Ok(())
}

#[tokio::test]
async fn a_usdc_that_is_none_is_refused() -> Result<()> {
    let operator = Operator::start().await?;
    let sender = operator.cast.operator;
    let deploy = ["deploy", "--yes"];
    let nobody = "0x00000000000000000000000000000000DeaDBeef";
    operator.edit_config(USDC, nobody)?;
    let run = operator.run(sender, &deploy).await?;
    refused(&operator, &run, 1, &[nobody, "has no code on chain 31337"]).await?;
    operator.edit_config(nobody, USDC)?;

    let usdc: Address = USDC.parse()?;
    for (code, words) in [
        (answering(18).to_vec(), ["has 18 decimals, expected 6", USDC]),
        (answering(6).to_vec(), ["does not answer symbol()", USDC]),
        ([&[0xef, 0x01, 0x00][..], &[7; 20]].concat(), ["EIP-7702", USDC]),
        // INVALID
        (vec![0xfe], ["does not answer decimals()", USDC]),
    ] {
        operator.set_code(usdc, &code).await?;
        let run = operator.run(sender, &deploy).await?;
        refused(&operator, &run, 1, &words).await?;
    }
    Ok(())
}

/// What a batch asks of USDC, and what a signed deposit needs: a token without it would be found out
/// only later.
#[tokio::test]
async fn a_usdc_without_a_blacklist_or_signed_transfers_is_refused() -> Result<()> {
    let operator = Operator::start().await?;
    let usdc: Address = USDC.parse()?;
    let code = operator.provider.get_code_at(usdc).await?;
    for (selector, words) in [
        (isBlacklistedCall::SELECTOR, "does not answer isBlacklisted()"),
        (
            RECEIVE_WITH_AUTHORIZATION_TYPEHASHCall::SELECTOR,
            "does not answer RECEIVE_WITH_AUTHORIZATION_TYPEHASH()",
        ),
    ] {
        let mut without = code.to_vec();
        let at = code.windows(4).position(|part| part == selector).expect("the function is there");
        without[at..at + 4].copy_from_slice(&[0xff; 4]);
        operator.set_code(usdc, &without).await?;
        let run = operator.run(operator.cast.operator, &["deploy", "--yes"]).await?;
        refused(&operator, &run, 1, &[words, USDC]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_platform_wallet_that_usdc_has_blacklisted_is_refused() -> Result<()> {
    let operator = Operator::start().await?;
    let usdc = UsdcStandIn::new(USDC.parse()?, &operator.provider);
    let wallet = operator.cast.platform;
    usdc.blacklist(wallet).from(operator.cast.owner).send().await?.watch().await?;
    let run = operator.run(operator.cast.operator, &["deploy", "--yes"]).await?;
    refused(&operator, &run, 1, &["blacklisted the platform wallet", &wallet.to_string()]).await
}

#[tokio::test]
async fn a_chain_without_the_factory_or_with_another_there_is_refused() -> Result<()> {
    let operator = Operator::start().await?;
    let sender = operator.cast.operator;
    for (code, words) in
        [(&[][..], "has no CREATE2 factory"), (&[0x60, 0x00], "is not the CREATE2 factory")]
    {
        operator.set_code(FACTORY, code).await?;
        let run = operator.run(sender, &["deploy", "--yes"]).await?;
        refused(&operator, &run, 1, &[words, &FACTORY.to_string()]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn other_code_at_the_address_is_refused_loudly() -> Result<()> {
    let operator = Operator::start().await?;
    let config = operator.deployments().join("devnet.toml");
    let expected = Deployment::new(luxxon_script::deploy::Config::read(&config)?.args(31337)?);
    let mut code = expected.runtime_code.to_vec();
    code[1_000] ^= 1;
    operator.set_code(expected.address, &code).await?;
    let run = operator.run(operator.cast.operator, &["deploy", "--yes"]).await?;
    refused(&operator, &run, 1, &["REFUSED", "first differs at offset 1000"]).await
}

#[tokio::test]
async fn a_key_that_is_malformed_or_missing_or_one_of_two_is_refused_and_not_shown() -> Result<()> {
    let operator = Operator::start().await?;
    let deploy = ["deploy", "--yes"];
    let run = operator.run_with(None, &deploy).await?;
    refused(&operator, &run, 2, &["there is no key to sign with", "LUXXON_PRIVATE_KEY"]).await?;
    for (key, words) in [
        (POOR_KEY[1..].to_owned(), "found 63 characters"),
        (format!("{POOR_KEY}0"), "found 65 characters"),
        (POOR_KEY.replace('4', "g"), "64 hexadecimal digits"),
        ("0".repeat(64), "zero, or past"),
        ("a password by mistake".to_owned(), "found 21 characters"),
    ] {
        // `run_with` fails where the key is shown.
        let run = operator.run_with(Some(&key), &deploy).await?;
        refused(&operator, &run, 2, &["LUXXON_PRIVATE_KEY is no private key", words]).await?;
    }
    let both = ["deploy", "--yes", "--keystore", "/nowhere"];
    let run = operator.run_with(Some(POOR_KEY), &both).await?;
    refused(&operator, &run, 2, &["more than one key is given"]).await?;
    let kms = ["deploy", "--yes", "--kms-key-id", "alias/luxxon"];
    let run = operator.run_with(None, &kms).await?;
    refused(&operator, &run, 2, &["built without AWS KMS", "--features kms"]).await?;
    // There is no flag for a key, and what is taken for one is not repeated as a value.
    let run = operator.run_with(None, &["deploy", "--private-key"]).await?;
    assert_eq!(run.code, Some(2));
    Ok(())
}

#[tokio::test]
async fn an_account_without_money_is_told_how_much_it_needs() -> Result<()> {
    let operator = Operator::start().await?;
    let run = operator.run_with(Some(POOR_KEY), &["deploy", "--yes"]).await?;
    let has = format!("the sender {POOR} has 0 ETH, and the transaction may cost 0.");
    refused(&operator, &run, 1, &[&has, "send it 0."]).await
}

#[tokio::test]
async fn a_keystore_opens_with_its_password_from_a_file_or_the_environment() -> Result<()> {
    let operator = Operator::start().await?;
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("keystore"), KEYSTORE)?;
    fs::write(path("password"), format!("{PASSWORD}\n"))?;
    fs::write(path("wrong"), "incorrect horse")?;
    fs::write(path("plain"), POOR_KEY)?;
    let keystore = path("keystore");
    let with = |password: &str| {
        let file = path(password);
        ["deploy", "--yes", "--keystore", &keystore, "--password-file", &file].map(str::to_owned)
    };
    let run = async |args: &[String], password: Option<&str>| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut command = operator.luxxon(None, &args)?;
        if let Some(password) = password {
            command.env("LUXXON_KEYSTORE_PASSWORD", password);
        }
        finish(command, Some(POOR_KEY)).await
    };
    // Opened: the account has no money yet.
    refused(&operator, &run(&with("password"), None).await?, 1, &[POOR, "has 0 ETH"]).await?;
    let without = &with("password")[..4];
    let opened = run(without, Some(PASSWORD)).await?;
    refused(&operator, &opened, 1, &[POOR, "has 0 ETH"]).await?;

    let wrong = run(&with("wrong"), None).await?;
    refused(&operator, &wrong, 1, &["the password does not open it", &keystore]).await?;
    let wrong = run(without, Some("incorrect horse")).await?;
    refused(&operator, &wrong, 1, &["the password does not open it"]).await?;
    assert!(!wrong.stderr.contains("incorrect horse"), "{}", wrong.stderr);
    let missing = run(&with("nowhere"), None).await?;
    refused(&operator, &missing, 1, &["the password file", "No such file"]).await?;
    let plain = path("plain");
    let args = ["deploy", "--yes", "--keystore", &plain].map(str::to_owned);
    refused(&operator, &run(&args, Some("x")).await?, 1, &["it is no keystore"]).await?;

    operator.rpc("anvil_setBalance", json!([POOR, "0x8ac7230489e80000"])).await?;
    run(&with("password"), None).await?.says(0, &["deployed"])
}

#[tokio::test]
async fn a_node_of_another_chain_or_no_node_is_refused_and_its_key_not_shown() -> Result<()> {
    let mut operator = Operator::start().await?;
    let sender = operator.cast.operator;
    for (network, chain) in [("base", 8453), ("base-sepolia", 84532)] {
        network.clone_into(&mut operator.network);
        let run = operator.run(sender, &["deploy", "--yes"]).await?;
        let words = format!("serves chain 31337, not {chain}");
        refused(&operator, &run, 1, &[&words, "--rpc-url"]).await?;
    }
    for (url, words) in [
        ("http://127.0.0.1:9/v2/SECRETSECRET", "no answer from the node at http://127.0.0.1:9"),
        ("ftp://SECRETSECRET", "expected http:// or https://"),
        ("://SECRETSECRET", "the node's URL is malformed"),
    ] {
        url.clone_into(&mut operator.network);
        let run = operator.run(sender, &["deploy", "--yes"]).await?;
        refused(&operator, &run, 1, &[words]).await?;
        assert!(!run.stderr.contains("SECRET"), "{}", run.stderr);
    }
    "mainnet".clone_into(&mut operator.network);
    let run = operator.run(sender, &["deploy", "--yes"]).await?;
    run.says(2, &["base, base-sepolia, devnet or the URL of a node"])
}

#[tokio::test]
async fn a_url_is_a_network_whose_config_is_that_of_its_chain() -> Result<()> {
    let mut operator = Operator::start().await?;
    operator.rpc_url().to_owned().clone_into(&mut operator.network);
    let run = operator.run(operator.cast.operator, &["deploy", "--yes"]).await?;
    run.says(0, &["deployed", "LuxxonSettlement on devnet, chain 31337"])
}

#[tokio::test]
async fn base_takes_only_its_own_usdc_separate_roles_and_a_day_of_delay() -> Result<()> {
    // Poses as Base: its id, and a token where USDC is there.
    let mut operator = Operator::with_flags(&["--chain-id", "8453"]).await?;
    "base".clone_into(&mut operator.network);
    let sender = operator.cast.operator;
    let deploy = ["deploy", "--yes"];
    let run = operator.run(sender, &deploy).await?;
    refused(&operator, &run, 1, &["there is no config", "base.toml", ".example"]).await?;

    let (devnet, base) =
        (operator.deployments().join("devnet.toml"), operator.deployments().join("base.toml"));
    let text = fs::read_to_string(devnet)?;
    fs::write(&base, &text)?;
    let run = operator.run(sender, &deploy).await?;
    refused(&operator, &run, 1, &["usdc is 0x5FbDB", "leave usdc out"]).await?;

    let relayer = operator.cast.relayer.to_string();
    let text = text.replace(&format!("usdc = \"{USDC}\"\n"), "");
    fs::write(&base, text.replace(&operator.cast.owner.to_string(), &relayer))?;
    let run = operator.run(sender, &deploy).await?;
    let words = ["owner and relayer are both", "relayer_delay is 0s, on this chain it is at least"];
    refused(&operator, &run, 1, &words).await?;
    run.says(1, &["warning: owner has no code, so it is a single key"])?;

    fs::write(&base, text.replace("0s", "24h"))?;
    let run = operator.run(sender, &deploy).await?;
    let usdc = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";
    refused(&operator, &run, 1, &[usdc, "has no code on chain 8453"]).await
}

#[tokio::test]
async fn nothing_is_sent_without_consent() -> Result<()> {
    let operator = Operator::start().await?;
    let run = operator.run(operator.cast.operator, &["deploy"]).await?;
    let words = ["L2 fee", "nothing was sent: there is no terminal to ask on", "--yes"];
    refused(&operator, &run, 1, &words).await
}

#[tokio::test]
async fn a_config_or_a_record_that_is_damaged_is_refused_by_its_name() -> Result<()> {
    let operator = Operator::start().await?;
    let sender = operator.cast.operator;
    operator.edit_config("relayer_delay", "relayer_dealy")?;
    let run = operator.run(sender, &["deploy", "--yes"]).await?;
    refused(&operator, &run, 1, &["devnet.toml: line ", "unknown field `relayer_dealy`"]).await?;
    operator.edit_config("relayer_dealy", "relayer_delay")?;
    operator.run(sender, &["deploy", "--yes"]).await?.says(0, &["deployed"])?;
    let record = &operator.records()?[0];
    let text = fs::read_to_string(record)?;
    fs::write(record, text.replace("\"relayerDelay\": 0", "\"relayerDelay\": 60"))?;
    operator.run_with(None, &["deploy"]).await?.says(1, &["was it edited?"])?;
    fs::write(record, "{}")?;
    operator.run_with(None, &["deploy"]).await?.says(1, &["is no record of a deployment"])?;
    assert_eq!(hex::encode(fs::read(record)?), hex::encode("{}"), "it is left alone");
    Ok(())
}
