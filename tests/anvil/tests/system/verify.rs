//! `luxxon verify`: the code on chain against the sources, and what explorers are told.

use alloy::primitives::Address;
use eyre::{Result, eyre};
use luxxon_script::{devnet::deploy, project};
use luxxon_tests::{
    Operator, finish,
    http::{Request, answer, read_request},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs};
use tokio::{net::TcpListener, task::JoinHandle};

async fn deployed() -> Result<(Operator, Address, Value)> {
    let operator = Operator::start().await?;
    let sender = operator.cast.operator;
    let report = operator.run(sender, &["deploy", "--yes", "--json"]).await?.json()?;
    let address = report["record"]["address"].as_str().unwrap_or_default().parse()?;
    Ok((operator, address, report["record"].clone()))
}

#[tokio::test]
async fn a_deployment_is_what_the_sources_compile_to_and_the_input_is_written() -> Result<()> {
    let (operator, address, record) = deployed().await?;
    let output = operator.deployments().join("input.json");
    let path = output.display().to_string();
    let verified =
        operator.run_with(None, &["verify", "--output", &path, "--json"]).await?.json()?;
    assert_eq!(verified["address"], address.to_string());
    assert_eq!(verified["inputPath"], path);
    assert_eq!(verified["sourcify"], Value::Null);

    let input: Value = serde_json::from_str(&fs::read_to_string(&output)?)?;
    let sources = input["sources"].as_object().ok_or_else(|| eyre!("no sources"))?;
    assert_eq!(verified["sources"], json!(sources.len()));
    let root = project::root()?;
    for (path, source) in sources {
        assert_eq!(source["content"], fs::read_to_string(root.join(path))?, "{path}");
    }
    assert!(sources.keys().any(|path| path.starts_with("node_modules/@openzeppelin/")));
    let settings = &record["compiler"]["settings"];
    assert_eq!(input["settings"]["optimizer"], settings["optimizer"]);
    assert_eq!(input["settings"]["evmVersion"], settings["evmVersion"]);
    Ok(())
}

#[tokio::test]
async fn a_deployment_without_a_record_is_verified_by_what_it_says_of_itself() -> Result<()> {
    let operator = Operator::start().await?;
    // As a devnet deploys, from an account and not through the factory.
    let contracts = deploy(&operator.provider, &operator.cast).await?;
    let address = contracts.settlement.address().to_string();
    let run = operator.run_with(None, &["verify", "--address", &address]).await?;
    run.says(0, &["verified: the ", &address, "are what the sources compile to"])?;
    let input = operator.deployments().join("31337").join(format!("{address}.input.json"));
    assert!(input.is_file(), "beside the record, unless --output says another place");
    Ok(())
}

#[tokio::test]
async fn other_code_is_not_verified_and_its_first_difference_named() -> Result<()> {
    let (operator, address, _) = deployed().await?;
    let mut code =
        alloy::providers::Provider::get_code_at(&operator.provider, address).await?.to_vec();
    let last = code.len() - 1;
    code[last] ^= 1;
    operator.set_code(address, &code).await?;
    let run = operator.run_with(None, &["verify"]).await?;
    run.says(1, &["NOT VERIFIED", &format!("first differs at offset {last}")])?;
    assert_eq!(run.stdout, "");

    let nobody = "0x00000000000000000000000000000000DeaDBeef";
    let run = operator.run_with(None, &["verify", "--address", nobody]).await?;
    run.says(1, &[nobody, "has no code on chain 31337"])?;
    let usdc = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
    let run = operator.run_with(None, &["verify", "--address", usdc]).await?;
    run.says(1, &[usdc, "as LuxxonSettlement does"])
}

/// An explorer that gives these answers in their order, each with its status, and afterwards says
/// what it was asked.
async fn explorer(
    answers: Vec<(u16, Value)>,
) -> Result<(String, JoinHandle<Result<Vec<Request>>>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let served = tokio::spawn(async move {
        let mut requests = Vec::new();
        for (status, json) in answers {
            let (mut stream, _) = listener.accept().await?;
            requests.push(read_request(&mut stream).await?);
            answer(&mut stream, status, &json.to_string()).await?;
        }
        Ok(requests)
    });
    Ok((url, served))
}

/// The fields of a form.
fn form(body: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            match byte {
                b'+' => bytes.push(b' '),
                b'%' => {
                    let digits: String = rest.by_ref().take(2).map(char::from).collect();
                    bytes.extend(u8::from_str_radix(&digits, 16));
                }
                byte => bytes.push(byte),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decode(name), decode(value))).collect()
}

#[tokio::test]
async fn sourcify_and_basescan_are_sent_the_input_that_was_verified() -> Result<()> {
    let (operator, address, record) = deployed().await?;
    let job = "3c90c3cc-0d44-4b50-8888-8dd25736052a";
    let (sourcify, asked_sourcify) = explorer(vec![
        (202, json!({ "verificationId": job })),
        (200, json!({ "isJobCompleted": false })),
        (200, json!({ "isJobCompleted": true, "contract": { "match": "match" } })),
    ])
    .await?;
    let (etherscan, asked_etherscan) = explorer(vec![
        (200, json!({ "status": "1", "message": "OK", "result": "guid" })),
        (200, json!({ "status": "0", "message": "NOTOK", "result": "Pending in queue" })),
        (200, json!({ "status": "1", "message": "OK", "result": "Pass - Verified" })),
    ])
    .await?;
    let output = operator.deployments().join("input.json");
    let path = output.display().to_string();
    let mut command = operator.luxxon(
        None,
        &[
            "verify",
            "--submit",
            "--output",
            &path,
            "--sourcify-url",
            &sourcify,
            "--etherscan-url",
            &etherscan,
        ],
    )?;
    command.env("LUXXON_ETHERSCAN_KEY", "THEKEY");
    let run = finish(command, Some("THEKEY")).await?;
    run.says(0, &["Sourcify   verified (match)", "Etherscan  verified"])?;

    let input: Value = serde_json::from_str(&fs::read_to_string(output)?)?;
    let compiler = record["compiler"]["version"].as_str().unwrap_or_default();
    let identifier = "contracts/LuxxonSettlement.sol:LuxxonSettlement";
    let asked = asked_sourcify.await??;
    let target = format!("/v2/verify/31337/{address}");
    assert_eq!((asked[0].method.as_str(), &asked[0].target), ("POST", &target));
    let posted: Value = serde_json::from_str(&asked[0].body)?;
    assert_eq!(posted["stdJsonInput"], input);
    assert_eq!(posted["compilerVersion"], compiler);
    assert_eq!(posted["contractIdentifier"], identifier);
    assert_eq!(posted["creationTransactionHash"], record["txHash"]);
    for Request { method, target, .. } in &asked[1..] {
        assert_eq!((method.as_str(), target), ("GET", &format!("/v2/verify/{job}")));
    }

    let asked = asked_etherscan.await??;
    assert_eq!((asked[0].method.as_str(), asked[0].target.as_str()), ("POST", "/?chainid=31337"));
    let posted = form(&asked[0].body);
    assert_eq!(serde_json::from_str::<Value>(&posted["sourceCode"])?, input);
    assert_eq!(posted["contractaddress"], address.to_string());
    assert_eq!(posted["codeformat"], "solidity-standard-json-input");
    assert_eq!(posted["contractname"], identifier);
    assert_eq!(posted["compilerversion"], format!("v{compiler}"));
    assert_eq!(posted["apikey"], "THEKEY");
    let args = &posted["constructorArguements"];
    assert_eq!(args.len(), 6 * 64);
    let usdc = record["constructorArgs"]["usdc"].as_str().unwrap_or_default().to_lowercase();
    assert!(args.starts_with(&format!("{}{}", "0".repeat(24), &usdc[2..])), "{args}");
    let polled = form(asked[1].target.trim_start_matches("/?"));
    assert_eq!((polled["action"].as_str(), polled["guid"].as_str()), ("checkverifystatus", "guid"));
    Ok(())
}

#[tokio::test]
async fn an_explorer_that_refuses_or_does_not_answer_is_said_with_what_to_do() -> Result<()> {
    let (operator, ..) = deployed().await?;
    let (sourcify, asked) =
        explorer(vec![(400, json!({ "message": "The chain 31337 is not supported" }))]).await?;
    let (etherscan, etherscan_asked) =
        explorer(vec![(200, json!({ "status": "0", "result": "Invalid API Key: THEKEY" }))])
            .await?;
    let args = ["verify", "--submit", "--sourcify-url", &sourcify, "--etherscan-url", &etherscan];
    let mut command = operator.luxxon(None, &args)?;
    command.env("LUXXON_ETHERSCAN_KEY", "THEKEY");
    let run = finish(command, Some("THEKEY")).await?;
    run.says(1, &["status 400: The chain 31337 is not supported", "Invalid API Key: …"])?;
    run.says(1, &["it is verified here", "can be submitted by hand"])?;
    asked.await??;
    etherscan_asked.await??;

    let closed = "http://127.0.0.1:9";
    let run = operator.run_with(None, &["verify", "--submit", "--sourcify-url", closed]).await?;
    run.says(1, &["no answer from Sourcify at http://127.0.0.1:9", "refused"])?;
    run.says(1, &["LUXXON_ETHERSCAN_KEY is not set"])
}
