//! `luxxon deploy`: once, whoever did it, however often it is run, whatever interrupts it.

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, B256},
    providers::Provider,
    rpc::types::TransactionRequest,
};
use eyre::{Result, eyre};
use luxxon_bindings::settlement::LuxxonSettlement;
use luxxon_indexer::chain::{Providers, identify};
use luxxon_script::{
    chain::GAS_PRICE_ORACLE,
    contract::{Deployment, FACTORY},
    deploy::Config,
    devnet::mined,
};
use luxxon_tests::{
    Operator, Running, finish,
    http::{answer, read_request},
    programs,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{fs, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::Command,
};

/// What the operator's config deploys.
fn deployment(operator: &Operator) -> Result<Deployment> {
    let config = Config::read(&operator.deployments().join("devnet.toml"))?;
    Ok(Deployment::new(config.args(31337)?))
}

fn address(value: &Value) -> Result<Address> {
    Ok(value.as_str().ok_or_else(|| eyre!("{value} is no address"))?.parse()?)
}

fn hash(value: &Value) -> Result<B256> {
    Ok(value.as_str().ok_or_else(|| eyre!("{value} is no hash"))?.parse()?)
}

/// Deploys as somebody else does, without `luxxon`.
async fn deploy_as(operator: &Operator, account: Address) -> Result<B256> {
    let input = deployment(operator)?.factory_input();
    let request =
        TransactionRequest::default().with_from(account).with_to(FACTORY).with_input(input);
    let hash = *operator.provider.send_transaction(request).await?.tx_hash();
    mined(&operator.provider, hash).await?;
    Ok(hash)
}

#[tokio::test]
async fn the_contract_is_deployed_as_configured_and_a_second_run_changes_nothing() -> Result<()> {
    let operator = Operator::start().await?;
    let sender = operator.cast.operator;
    let expected = deployment(&operator)?;
    let deploy = ["deploy", "--yes", "--json"];
    let first = operator.run(sender, &deploy).await?;
    for words in ["address    0x", "sender     0x", "L2 fee     0.", "waiting for 0x"] {
        assert!(first.stderr.contains(words), "{words}: {}", first.stderr);
    }
    assert!(!first.stderr.contains("L1 fee"), "anvil is no chain of the OP stack");
    let report = first.json()?;
    assert_eq!(report["outcome"], "deployed");
    let record = &report["record"];
    assert_eq!(record["address"], expected.address.to_string());
    assert_eq!(record["deployer"], sender.to_string());
    assert_eq!(record["constructorArgs"]["relayer"], operator.cast.relayer.to_string());
    assert_eq!(operator.provider.get_code_at(expected.address).await?, expected.runtime_code);
    let receipt = operator.provider.get_transaction_receipt(hash(&record["txHash"])?).await?;
    let receipt = receipt.ok_or_else(|| eyre!("no receipt"))?;
    assert_eq!(record["block"], json!(receipt.block_number));
    assert_eq!(hash(&record["blockHash"])?, receipt.block_hash.unwrap_or_default());

    let files = operator.records()?;
    assert_eq!(files.len(), 1, "the record, and nothing else: {files:?}");
    assert!(files[0].ends_with(format!("{}.json", expected.address)));
    let written = (fs::read(&files[0])?, fs::metadata(&files[0])?.modified()?);
    let nonce = operator.nonce(sender).await?;
    let head = operator.provider.get_block_number().await?;
    // It needs no key either: there is nothing to sign.
    for key in [Some(sender), None] {
        let second = match key {
            Some(account) => operator.run(account, &["deploy", "--yes"]).await?,
            None => operator.run_with(None, &["deploy"]).await?,
        };
        second.says(0, &["nothing to do", &expected.address.to_string()])?;
        assert!(!second.stderr.contains("L2 fee"), "{}", second.stderr);
    }
    assert_eq!(written, (fs::read(&files[0])?, fs::metadata(&files[0])?.modified()?));
    assert_eq!(operator.records()?, files);
    assert_eq!(operator.nonce(sender).await?, nonce);
    assert_eq!(operator.provider.get_block_number().await?, head);
    Ok(())
}

#[tokio::test]
async fn the_same_contract_deployed_by_somebody_else_counts() -> Result<()> {
    let operator = Operator::start().await?;
    let stranger = operator.cast.consumer;
    let tx_hash = deploy_as(&operator, stranger).await?;
    operator.rpc("anvil_mine", json!([5])).await?;
    let report = operator.run_with(None, &["deploy", "--json"]).await?.json()?;
    assert_eq!(report["outcome"], "found");
    assert_eq!(report["record"]["deployer"], stranger.to_string());
    assert_eq!(hash(&report["record"]["txHash"])?, tx_hash);
    let receipt = operator.provider.get_transaction_receipt(tx_hash).await?;
    assert_eq!(report["record"]["block"], json!(receipt.and_then(|r| r.block_number)));
    assert_eq!(report["notes"], json!([]));
    let again = operator.run_with(None, &["deploy"]).await?;
    again.says(0, &["nothing to do"])
}

/// A node in front of the operator's that searches no logs but those of a single block, or has no
/// state of old blocks either.
async fn limited_node(operator: &Operator, has_old_state: bool) -> Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let provider = operator.provider.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await?;
            let request = read_request(&mut stream).await?;
            let request: Value = serde_json::from_str(&request.body)?;
            let (method, params) =
                (request["method"].as_str().unwrap_or_default(), &request["params"]);
            let too_many =
                method == "eth_getLogs" && params[0]["fromBlock"] != params[0]["toBlock"];
            let too_old = !has_old_state && method == "eth_getCode" && params[1] != "latest";
            let mut response = json!({ "jsonrpc": "2.0", "id": request["id"] });
            if too_many || too_old {
                response["error"] = json!({ "code": -32005, "message": "that is too much" });
            } else {
                let method = method.to_owned();
                response["result"] = provider.raw_request(method.into(), params.clone()).await?;
            }
            answer(&mut stream, 200, &response.to_string()).await?;
        }
        #[expect(unreachable_code, reason = "says what the block may fail with")]
        Ok::<(), eyre::Report>(())
    });
    Ok(url)
}

#[tokio::test]
async fn a_deployment_is_found_as_well_as_the_node_can_search_and_better_later() -> Result<()> {
    let operator = Operator::start().await?;
    operator.rpc("anvil_mine", json!([20])).await?;
    let tx_hash = deploy_as(&operator, operator.cast.consumer).await?;
    operator.rpc("anvil_mine", json!([30])).await?;
    let receipt = operator.provider.get_transaction_receipt(tx_hash).await?;
    let block = receipt.and_then(|receipt| receipt.block_number);
    let (block, tx_hash) = (json!(block), json!(tx_hash));
    for (has_old_state, outcome, block, tx_hash) in [
        (false, "found", &Value::Null, &Value::Null),
        (false, "unchanged", &Value::Null, &Value::Null),
        (true, "found", &block, &tx_hash),
        (false, "unchanged", &block, &tx_hash),
    ] {
        let url = limited_node(&operator, has_old_state).await?;
        let mut command = operator.luxxon(None, &["deploy", "--json"])?;
        command.env("LUXXON_RPC_URL", url);
        let report = finish(command, None).await?.json()?;
        let record = &report["record"];
        assert_eq!(report["outcome"], outcome);
        assert_eq!((&record["block"], &record["txHash"]), (block, tx_hash));
    }
    Ok(())
}

#[tokio::test]
async fn roles_that_have_moved_on_are_noted_and_no_failure() -> Result<()> {
    let operator = Operator::start().await?;
    deploy_as(&operator, operator.cast.consumer).await?;
    let contract = LuxxonSettlement::new(deployment(&operator)?.address, &operator.provider);
    let (owner, next) = (operator.cast.owner, operator.cast.operator);
    for call in [
        contract.setPauser(next).into_transaction_request(),
        contract.proposeRelayer(next).into_transaction_request(),
        contract.transferOwnership(next).into_transaction_request(),
    ] {
        let sent = operator.provider.send_transaction(call.with_from(owner)).await?;
        mined(&operator.provider, *sent.tx_hash()).await?;
    }
    let run = operator.run_with(None, &["deploy"]).await?;
    let pauser = format!("its pauser is {next}, deployed with {}", operator.cast.pauser);
    run.says(0, &["found", &pauser, "is proposed as its relayer", "luxxon roles"])?;
    run.says(0, &[&format!("its pending owner is {next}")])
}

#[tokio::test]
async fn a_run_that_is_killed_after_its_broadcast_is_resumed_by_the_next() -> Result<()> {
    let operator = Operator::start().await?;
    let sender = operator.cast.operator;
    operator.rpc("evm_setAutomine", json!([false])).await?;
    let key = operator.key_of(sender)?.to_string();
    let command = || operator.luxxon(Some(&key), &["deploy", "--yes", "--json"]);

    let mut killed = Running::start(command()?)?;
    killed.until("waiting for 0x").await?;
    killed.kill().await?;
    let files = operator.records()?;
    assert!(files.len() == 1 && files[0].to_string_lossy().ends_with(".pending.json"), "{files:?}");
    let pending: Value = serde_json::from_str(&fs::read_to_string(&files[0])?)?;
    assert_eq!(address(&pending["sender"])?, sender);

    // Still in no block: it is waited for. No key is needed, nothing new is sent.
    let mut resumed = Running::start(operator.luxxon(None, &["deploy", "--json"])?)?;
    resumed.until("resuming").await?;
    operator.rpc("evm_mine", json!([])).await?;
    let report = resumed.end().await?.json()?;
    assert_eq!(report["outcome"], "deployed");
    assert_eq!(report["record"]["txHash"], pending["txHash"]);
    assert_eq!(operator.nonce(sender).await?, 1, "one transaction for both runs");
    let files = operator.records()?;
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(!files[0].to_string_lossy().contains("pending"), "{files:?}");
    Ok(())
}

#[tokio::test]
async fn a_run_that_is_interrupted_is_finished_where_its_transaction_made_it_into_a_block()
-> Result<()> {
    let operator = Operator::start().await?;
    operator.rpc("evm_setAutomine", json!([false])).await?;
    let key = operator.key_of(operator.cast.operator)?.to_string();
    let mut stopped = Running::start(operator.luxxon(Some(&key), &["deploy", "--yes"])?)?;
    stopped.until("waiting for 0x").await?;
    // Ctrl-C ends it in the same way, but SIGINT is ignored where tests run in the background.
    let pid = stopped.pid().and_then(Pid::from_raw).ok_or_else(|| eyre!("it ended"))?;
    kill_process(pid, Signal::TERM)?;
    stopped.end().await?;
    let files = operator.records()?;
    assert!(files.len() == 1 && files[0].to_string_lossy().ends_with(".pending.json"), "{files:?}");
    operator.rpc("evm_mine", json!([])).await?;
    let report = operator.run_with(None, &["deploy", "--json"]).await?.json()?;
    assert_eq!(report["outcome"], "deployed");
    assert_eq!(report["record"]["deployer"], operator.cast.operator.to_string());
    assert_eq!(operator.records()?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_transaction_that_was_lost_is_sent_again() -> Result<()> {
    let operator = Operator::start().await?;
    let sender = operator.cast.operator;
    let key = operator.key_of(sender)?.to_string();
    let deploy = ["deploy", "--yes", "--json"];
    operator.rpc("evm_setAutomine", json!([false])).await?;
    let mut killed = Running::start(operator.luxxon(Some(&key), &deploy)?)?;
    killed.until("waiting for 0x").await?;
    killed.kill().await?;
    let pending = fs::read_to_string(&operator.records()?[0])?;
    let pending: Value = serde_json::from_str(&pending)?;
    operator.rpc("anvil_dropTransaction", json!([pending["txHash"]])).await?;
    operator.rpc("evm_setAutomine", json!([true])).await?;
    let again = operator.run_with(Some(&key), &deploy).await?;
    let lost =
        format!("does not know the transaction of an earlier run, {}", hash(&pending["txHash"])?);
    assert!(again.stderr.contains(&lost), "{}", again.stderr);
    assert_eq!(again.json()?["outcome"], "deployed");
    assert_eq!(operator.records()?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_timeout_leaves_the_transaction_to_the_next_run() -> Result<()> {
    let operator = Operator::start().await?;
    let sender = operator.cast.operator;
    operator.rpc("evm_setAutomine", json!([false])).await?;
    let short = operator.run(sender, &["deploy", "--yes", "--timeout", "0"]).await?;
    short.says(1, &["is in no block after 0 s", "run the same command again"])?;
    operator.rpc("evm_mine", json!([])).await?;
    let report = operator.run_with(None, &["deploy", "--json"]).await?.json()?;
    assert_eq!(report["outcome"], "deployed");
    assert_eq!(operator.nonce(sender).await?, 1);
    Ok(())
}

#[tokio::test]
async fn somebody_who_is_faster_costs_gas_and_nothing_else() -> Result<()> {
    let operator = Operator::start().await?;
    operator.rpc("evm_setAutomine", json!([false])).await?;
    let key = operator.key_of(operator.cast.operator)?.to_string();
    let mut slow = Running::start(operator.luxxon(Some(&key), &["deploy", "--yes", "--json"])?)?;
    slow.until("waiting for 0x").await?;
    let stranger = operator.cast.consumer;
    let request = TransactionRequest::default()
        .with_from(stranger)
        .with_to(FACTORY)
        .with_input(deployment(&operator)?.factory_input())
        .with_gas_limit(10_000_000)
        .with_max_priority_fee_per_gas(1_000_000_000_000)
        .with_max_fee_per_gas(10_000_000_000_000);
    let faster = *operator.provider.send_transaction(request).await?.tx_hash();
    operator.rpc("evm_mine", json!([])).await?;
    let done = slow.end().await?;
    assert!(done.stderr.contains("somebody else deployed it first"), "{}", done.stderr);
    let report = done.json()?;
    assert_eq!((&report["outcome"], hash(&report["record"]["txHash"])?), (&json!("found"), faster));
    assert_eq!(operator.records()?.len(), 1, "no pending record stays");
    Ok(())
}

#[tokio::test]
async fn a_chain_of_the_op_stack_has_its_fee_on_l1_shown_and_counted() -> Result<()> {
    let operator = Operator::start().await?;
    // PUSH32 0.25 ETH, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN: the answer to every call.
    let fee = alloy::primitives::U256::from(250_000_000_000_000_000u64);
    let code = [&[0x7f][..], &fee.to_be_bytes::<32>(), &[0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3]];
    operator.set_code(GAS_PRICE_ORACLE, &code.concat()).await?;
    let run = operator.run(operator.cast.operator, &["deploy"]).await?;
    run.says(1, &["L1 fee     0.25 ETH", "nothing was sent", "--yes"])?;
    // 0.2 ETH would do for the gas alone.
    let sender = operator.cast.operator;
    operator.rpc("anvil_setBalance", json!([sender, "0x2c68af0bb140000"])).await?;
    let run = operator.run(sender, &["deploy", "--yes"]).await?;
    run.says(1, &["has 0.2 ETH", "may cost 0.2", "send it"])
}

#[tokio::test]
async fn a_record_of_another_chain_with_the_same_id_is_written_again() -> Result<()> {
    let first = Operator::start().await?;
    let old = first.run(first.cast.operator, &["deploy", "--yes", "--json"]).await?.json()?;
    let second = Operator::with_flags(&["--timestamp", "1700000000"]).await?;
    deploy_as(&second, second.cast.consumer).await?;
    let kept = second.deployments().join("31337");
    fs::create_dir(&kept)?;
    for file in first.records()? {
        fs::copy(&file, kept.join(file.file_name().ok_or_else(|| eyre!("no name"))?))?;
    }
    let run = second.run_with(None, &["deploy", "--json"]).await?;
    assert!(run.stderr.contains("another chain with the same id"), "{}", run.stderr);
    let new = run.json()?;
    assert_eq!(new["record"]["deployer"], second.cast.consumer.to_string());
    assert_ne!(new["record"]["blockHash"], old["record"]["blockHash"]);
    Ok(())
}

#[tokio::test]
async fn the_committed_config_deploys_to_a_running_devnet() -> Result<()> {
    let mut devnet = Command::new(programs()?.join("luxxon"));
    devnet.args(["devnet", "--json", "--no-traffic", "--block-time", "0.2"]);
    devnet.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut devnet = devnet.spawn()?;
    let stdout = devnet.stdout.take().ok_or_else(|| eyre!("no standard output"))?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).await?;
    let ready: Value = serde_json::from_str(&line)?;
    let text = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();

    let folder = tempfile::tempdir()?;
    let config = luxxon_script::project::root()?.join("deployments/devnet.toml");
    let mut deploy = Command::new(programs()?.join("luxxon"));
    deploy.args(["deploy", "--network", "devnet", "--yes", "--json", "--config"]).arg(config);
    deploy.arg("--deployments").arg(folder.path());
    deploy.env("LUXXON_RPC_URL", text("rpcUrl")).env("LUXXON_PRIVATE_KEY", text("relayerKey"));
    let report = finish(deploy, Some(&text("relayerKey"))).await?.json()?;
    assert_eq!(report["outcome"], "deployed");
    assert_eq!(report["record"]["constructorArgs"]["usdc"], ready["usdcAddress"]);
    assert_ne!(report["record"]["address"], ready["settlementAddress"], "the devnet has its own");
    let pid = devnet.id().and_then(|id| i32::try_from(id).ok());
    let pid = pid.and_then(Pid::from_raw).ok_or_else(|| eyre!("it ended"))?;
    kill_process(pid, Signal::TERM)?;
    assert!(devnet.wait().await?.success());
    Ok(())
}

#[tokio::test]
async fn the_recorded_block_is_the_one_the_indexer_starts_from() -> Result<()> {
    let operator = Operator::start().await?;
    operator.rpc("anvil_mine", json!([3])).await?;
    let sender = operator.cast.operator;
    let report = operator.run(sender, &["deploy", "--yes", "--json"]).await?.json()?;
    operator.rpc("anvil_mine", json!([3])).await?;
    let block = report["record"]["block"].as_u64().ok_or_else(|| eyre!("no block"))?;
    let node = Providers::at(operator.rpc_url().parse()?)?;
    let settlement = address(&report["record"]["address"])?;
    assert!(identify(&node, 31337, settlement, block).await.is_ok());
    assert!(identify(&node, 31337, settlement, block - 1).await.is_err());
    assert!(identify(&node, 31337, settlement, block + 1).await.is_err());
    Ok(())
}
