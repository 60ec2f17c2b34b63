//! `luxxon roles`: who holds what, and both hand-overs from one end to the other.

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, Bytes},
    providers::Provider,
    rpc::types::TransactionRequest,
};
use eyre::{Result, eyre};
use luxxon_script::devnet::mined;
use luxxon_tests::Operator;
use serde_json::{Value, json};

/// A deployment whose relayer's hand-over takes an hour.
async fn deployed() -> Result<Operator> {
    let operator = Operator::start().await?;
    operator.edit_config("\"0s\"", "\"1h\"")?;
    operator.run(operator.cast.operator, &["deploy", "--yes"]).await?.says(0, &["deployed"])?;
    Ok(operator)
}

/// What `luxxon roles --json` shows.
async fn roles(operator: &Operator) -> Result<Value> {
    operator.run_with(None, &["roles", "--json"]).await?.json()
}

#[tokio::test]
async fn everybody_who_holds_a_role_is_shown_without_a_key() -> Result<()> {
    let operator = deployed().await?;
    let cast = &operator.cast;
    let shown = operator.run_with(None, &["roles"]).await?;
    let owner = format!("owner            {}", cast.owner);
    let relayer = format!("relayer          {}", cast.relayer);
    shown.says(0, &[&owner, &relayer, "pending relayer  nobody", "relayer delay    1h"])?;
    shown.says(0, &["paused           no", "owes             0 µUSDC"])?;
    let roles = roles(&operator).await?;
    assert_eq!(roles["pauser"], cast.pauser.to_string());
    assert_eq!(roles["platformWallet"], cast.platform.to_string());
    assert_eq!((&roles["chainId"], &roles["relayerDelay"]), (&json!(31337), &json!(3600)));
    assert_eq!((&roles["pendingRelayer"], &roles["totalOwed"]), (&Value::Null, &json!("0")));
    Ok(())
}

#[tokio::test]
async fn a_relayer_is_handed_over_after_its_delay_and_not_before() -> Result<()> {
    let operator = deployed().await?;
    let (owner, next) = (operator.cast.owner, operator.cast.consumer);
    let propose = ["roles", "propose-relayer", &next.to_string(), "--yes"];
    let proposed = operator.run(owner, &propose).await?;
    let change = format!("change     {next} is proposed as relayer, in place of nobody");
    proposed.says(0, &["proposeRelayer() on 0x", &change, "L2 fee", "can accept from 2"])?;
    let acceptable = &roles(&operator).await?["pendingRelayer"]["acceptableAt"];
    assert!(acceptable.as_u64().is_some_and(|at| at > 3_600), "{acceptable}");

    let accept = ["roles", "accept-relayer", "--yes"];
    let early = operator.run(next, &accept).await?;
    early.says(1, &["RelayerDelayRunning(timestamp: ", "acceptableAt: ", "too young"])?;
    assert_eq!(operator.nonce(next).await?, 0, "it was simulated, and not sent");
    operator.rpc("evm_increaseTime", json!([3_600])).await?;
    operator.rpc("evm_mine", json!([])).await?;
    let other = operator.run(operator.cast.operator, &accept).await?;
    other.says(1, &["NotRelayerCandidate(caller: ", "only the proposed relayer can accept"])?;
    let accepted = operator.run(next, &accept).await?;
    let change = format!("relayer: {} -> {next}", operator.cast.relayer);
    accepted.says(0, &[&change, &format!("relayer          {next}"), "pending relayer  nobody"])
}

#[tokio::test]
async fn a_proposal_is_cancelled_and_a_relayer_revoked_by_the_pauser_at_once() -> Result<()> {
    let operator = deployed().await?;
    let (owner, pauser) = (operator.cast.owner, operator.cast.pauser);
    let next = operator.cast.consumer.to_string();
    operator.run(owner, &["roles", "propose-relayer", &next, "--yes"]).await?.says(0, &[&next])?;
    let cancel = ["roles", "cancel-relayer-proposal", "--yes"];
    operator.run(pauser, &cancel).await?.says(0, &["pending relayer  nobody"])?;
    let revoke = ["roles", "revoke-relayer", "--yes"];
    let stranger = operator.run(operator.cast.operator, &revoke).await?;
    let caller = format!("NotPauser(caller: {})", operator.cast.operator);
    stranger.says(1, &["revokeRelayer() by ", &caller, "only the pauser or the owner"])?;
    operator.run(pauser, &revoke).await?.says(0, &["relayer          nobody"])?;
    let nonce = operator.nonce(pauser).await?;
    for done in [cancel, revoke] {
        operator.run(pauser, &done).await?.says(0, &["nothing to do"])?;
    }
    assert_eq!(operator.nonce(pauser).await?, nonce);
    Ok(())
}

#[tokio::test]
async fn the_ownership_is_offered_and_accepted_and_what_the_owner_sets_follows() -> Result<()> {
    let operator = deployed().await?;
    let (owner, next) = (operator.cast.owner, operator.cast.consumer);
    let offer = ["roles", "transfer-ownership", &next.to_string(), "--yes"];
    let stranger = operator.run(next, &offer).await?;
    stranger.says(1, &["OwnableUnauthorizedAccount(account: ", "only the owner may do this"])?;
    let offered = operator.run(owner, &offer).await?;
    offered
        .says(0, &[&format!("pending owner    {next}"), &format!("owner            {owner}")])?;
    let early = operator.run(owner, &["roles", "accept-ownership", "--yes"]).await?;
    early.says(1, &["OwnableUnauthorizedAccount"])?;
    let accepted = operator.run(next, &["roles", "accept-ownership", "--yes"]).await?;
    accepted.says(0, &[&format!("owner            {next}"), "pending owner    nobody"])?;

    let other = operator.cast.operator.to_string();
    for (action, shown) in [("set-pauser", "pauser"), ("set-platform-wallet", "platform wallet")] {
        let set = operator.run(next, &["roles", action, &other, "--yes"]).await?;
        set.says(0, &[&format!("{shown:<17}{other}"), "done in block "])?;
    }
    let usdc = roles(&operator).await?["usdc"].as_str().unwrap_or_default().to_owned();
    let refused = operator.run(next, &["roles", "set-platform-wallet", &usdc, "--yes"]).await?;
    refused.says(1, &["InvalidPlatformWallet(wallet: ", "may not be zero"])
}

#[tokio::test]
async fn the_pauser_stops_it_and_only_the_owner_lets_it_go_on() -> Result<()> {
    let operator = deployed().await?;
    let pauser = operator.cast.pauser;
    let asked = operator.run(pauser, &["roles", "pause"]).await?;
    asked.says(1, &["deposits and settlement stop", "nothing was sent", "--yes"])?;
    operator.run(pauser, &["roles", "pause", "--yes"]).await?.says(0, &["paused           yes"])?;
    let unpause = ["roles", "unpause", "--yes"];
    operator.run(pauser, &unpause).await?.says(1, &["OwnableUnauthorizedAccount"])?;
    operator.run(operator.cast.owner, &unpause).await?.says(0, &["paused           no"])?;
    operator.run(operator.cast.owner, &unpause).await?.says(0, &["nothing to do"])
}

#[tokio::test]
async fn a_multisig_gets_the_call_to_send_and_it_does_what_was_said() -> Result<()> {
    let operator = deployed().await?;
    let next = operator.cast.consumer.to_string();
    let args = ["roles", "set-pauser", &next, "--calldata"];
    let call = operator.run_with(None, &[&args[..], &["--json"]].concat()).await?.json()?;
    let text = operator.run_with(None, &args).await?;
    let (to, data) = (call["to"].as_str(), call["data"].as_str());
    let (to, data) = to.zip(data).ok_or_else(|| eyre!("{call}"))?;
    assert_eq!(text.stdout, format!("to    {to}\ndata  {data}\n"));
    assert_eq!(call["from"], operator.cast.owner.to_string());

    let request = TransactionRequest::default()
        .with_from(operator.cast.owner)
        .with_to(to.parse::<Address>()?)
        .with_input(data.parse::<Bytes>()?);
    let sent = operator.provider.send_transaction(request).await?;
    mined(&operator.provider, *sent.tx_hash()).await?;
    assert_eq!(roles(&operator).await?["pauser"], next);

    let nobody = operator.run_with(None, &["roles", "accept-relayer", "--calldata"]).await?;
    nobody.says(1, &["nobody can call acceptRelayer() now"])?;
    let zero = Address::ZERO.to_string();
    let args = ["roles", "propose-relayer", &zero, "--calldata"];
    let refused = operator.run_with(None, &args).await?;
    refused.says(1, &["ZeroRelayer()", "revoke the relayer"])
}

#[tokio::test]
async fn a_command_line_that_says_too_little_or_too_much_ends_with_2() -> Result<()> {
    let operator = deployed().await?;
    let lower = operator.cast.consumer.to_string().to_lowercase();
    let right = operator.cast.consumer.to_string();
    for (args, words) in [
        (&["roles", "set-pauser"][..], "set-pauser needs an account"),
        (&["roles", "pause", &right], "pause takes no account"),
        (&["roles", "set-pauser", &lower], "no EIP-55 checksum"),
        (&["roles", "retire"], "propose-relayer"),
        (&["roles", "--calldata"], "--calldata"),
        (&["roles", "pause", "--yes"], "there is no key to sign with"),
    ] {
        operator.run_with(None, args).await?.says(2, &[words])?;
    }
    Ok(())
}

#[tokio::test]
async fn a_contract_that_is_none_is_refused() -> Result<()> {
    let operator = Operator::start().await?;
    let none = operator.run_with(None, &["roles"]).await?;
    none.says(1, &["has no record", "--address"])?;
    let nobody = "0x00000000000000000000000000000000DeaDBeef";
    let empty = operator.run_with(None, &["roles", "--address", nobody]).await?;
    empty.says(1, &[nobody, "has no code on chain 31337"])?;
    let usdc = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
    let other = operator.run_with(None, &["roles", "--address", usdc]).await?;
    other.says(1, &[usdc, "does not answer ", "as LuxxonSettlement does"])
}
