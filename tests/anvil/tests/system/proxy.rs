//! The fault proxy itself: without a fault it is not there, and with one a client meets it.

use alloy::transports::http::reqwest;
use eyre::{Result, ensure, eyre};
use futures_util::{SinkExt, StreamExt};
use luxxon_tests::{
    AnswerFault, BatchFault, Calls, ExchangeFault, FaultProxy, PushFault, Rule, World,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

/// How long a client of these tests waits.
const PATIENCE: Duration = Duration::from_millis(300);

async fn post(url: &str, body: &Value) -> Result<Value> {
    let http = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()?;
    let request = http.post(url).header("content-type", "application/json");
    let response = request.body(body.to_string()).send().await?;
    let status = response.status().as_u16();
    ensure!(status == 200, "status {status}: {:?}", response.headers().get("retry-after"));
    Ok(serde_json::from_str(&response.text().await?)?)
}

fn call(id: u64, method: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": [] })
}

#[tokio::test]
async fn without_a_fault_calls_and_batches_are_answered_as_the_node_answers_them() -> Result<()> {
    let world = World::start().await?;
    let proxy = FaultProxy::start(world.rpc_url()).await?;
    let batch = json!([call(1, "eth_chainId"), call(2, "eth_blockNumber"), call(3, "no_such")]);
    for body in [call(7, "eth_blockNumber"), batch] {
        let answer = post(proxy.url().as_str(), &body).await?;
        assert_eq!(answer, post(world.rpc_url(), &body).await?);
    }
    assert_eq!(proxy.count(Calls::Of("eth_blockNumber")), 2);
    assert_eq!(proxy.count(Calls::All), 4);
    Ok(())
}

#[tokio::test]
async fn every_way_of_not_answering_reaches_the_client() -> Result<()> {
    let world = World::start().await?;
    let proxy = FaultProxy::start(world.rpc_url()).await?;
    let url = proxy.url().as_str();
    let busy = ExchangeFault::Status { status: 429, retry_after: Some(3), body: "" };
    let faults = [
        (busy, "status 429: Some(\"3\")"),
        (ExchangeFault::Hang, "timed out"),
        (ExchangeFault::Hold, "timed out"),
        (ExchangeFault::Delay(PATIENCE * 2), "timed out"),
        (ExchangeFault::Drip(PATIENCE / 10), "timed out"),
        (ExchangeFault::Truncated, "body"),
        (ExchangeFault::Reset, "closed"),
        (ExchangeFault::NotJson, "expected value"),
    ];
    for (fault, words) in faults {
        let injected = proxy.inject(Rule::new(Calls::All, fault).times(1));
        let error = post(url, &call(1, "eth_chainId")).await.expect_err("a fault");
        let error = format!("{error:?}");
        assert!(error.contains(words), "{fault:?}: {error}");
        assert_eq!(injected.fired(), 1);
        injected.remove();
        post(url, &call(1, "eth_chainId")).await?;
    }
    proxy.ensure_all_met()
}

#[tokio::test]
async fn a_held_answer_is_delivered_when_its_rule_is_gone_and_is_old_by_then() -> Result<()> {
    let world = World::start().await?;
    let proxy = FaultProxy::start(world.rpc_url()).await?;
    let head = world.head().await?;
    let hold = proxy.inject(Rule::new(Calls::All, ExchangeFault::Hold).times(1));
    let body = call(1, "eth_blockNumber");
    let asked = post(proxy.url().as_str(), &body);
    let (answer, changed) = tokio::join!(asked, async {
        hold.until_fired(1).await?;
        world.mine(1).await?;
        hold.remove();
        Ok::<_, eyre::Report>(())
    });
    changed?;
    assert_eq!(answer?["result"], format!("{head:#x}"));
    Ok(())
}

#[tokio::test]
async fn a_second_node_answers_what_a_rule_gives_it() -> Result<()> {
    let world = World::start().await?;
    let fork = world.fork().await?;
    let head = world.head().await?;
    fork.mine(5).await?;
    let proxy = FaultProxy::between(world.rpc_url(), fork.rpc_url()).await?;
    let second = Rule::new(Calls::Of("eth_blockNumber"), AnswerFault::SecondNode).after(1).times(1);
    let second = proxy.inject(second);
    let mut heads = Vec::new();
    for _ in 0..3 {
        let answer = post(proxy.url().as_str(), &call(1, "eth_blockNumber")).await?;
        heads.push(answer["result"].clone());
    }
    let hex = |head: u64| json!(format!("{head:#x}"));
    assert_eq!(heads, [hex(head), hex(head + 5), hex(head)]);
    assert_eq!(second.fired(), 1);
    Ok(())
}

#[tokio::test]
async fn a_fault_that_changes_nothing_is_not_met() -> Result<()> {
    let world = World::start().await?;
    let proxy = FaultProxy::start(world.rpc_url()).await?;
    let null = proxy.inject(Rule::new(Calls::Of("eth_getBlockByHash"), AnswerFault::Null));
    let batch = proxy.inject(Rule::new(Calls::All, BatchFault::Reversed));
    let unknown = json!({
        "jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByHash",
        "params": [alloy::primitives::B256::ZERO, false],
    });
    post(proxy.url().as_str(), &unknown).await?;
    assert_eq!((null.fired(), batch.fired()), (0, 0));
    assert!(proxy.ensure_all_met().is_err());
    Ok(())
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The next message, or `None` where the connection has ended.
async fn next(socket: &mut Socket) -> Result<Option<Value>> {
    let longest = Duration::from_secs(30);
    match timeout(longest, socket.next()).await? {
        Some(Ok(Message::Text(text))) => Ok(Some(serde_json::from_str(&text)?)),
        Some(Ok(other)) => Err(eyre!("it sent {other:?}")),
        Some(Err(_)) | None => Ok(None),
    }
}

async fn subscribed(proxy: &FaultProxy) -> Result<Socket> {
    let (mut socket, _) = connect_async(proxy.ws_url()?.as_str()).await?;
    let mut subscribe = call(1, "eth_subscribe");
    subscribe["params"] = json!(["newHeads"]);
    socket.send(Message::text(subscribe.to_string())).await?;
    let answer = next(&mut socket).await?.ok_or_else(|| eyre!("it ended"))?;
    ensure!(answer["result"].is_string(), "{answer}");
    Ok(socket)
}

fn height(notification: &Value) -> Value {
    notification["params"]["result"]["number"].clone()
}

#[tokio::test]
async fn a_websocket_takes_calls_and_brings_new_heads() -> Result<()> {
    let world = World::start().await?;
    let proxy = FaultProxy::start(world.rpc_url()).await?;
    let mut socket = subscribed(&proxy).await?;
    socket.send(Message::text(call(2, "eth_chainId").to_string())).await?;
    let answer = next(&mut socket).await?.ok_or_else(|| eyre!("it ended"))?;
    assert_eq!((answer["id"].clone(), answer["result"].clone()), (json!(2), json!("0x7a69")));
    world.mine(1).await?;
    let head = next(&mut socket).await?.ok_or_else(|| eyre!("it ended"))?;
    assert_eq!(height(&head), format!("{:#x}", world.head().await?));
    assert_eq!(proxy.count(Calls::Of("eth_subscribe")), 1);
    Ok(())
}

#[tokio::test]
async fn over_a_websocket_a_fault_is_late_an_error_or_the_end() -> Result<()> {
    let world = World::start().await?;
    let proxy = FaultProxy::start(world.rpc_url()).await?;
    let mut socket = subscribed(&proxy).await?;
    let hold = proxy.inject(Rule::new(Calls::Of("eth_chainId"), ExchangeFault::Hold));
    let null = proxy.inject(Rule::new(Calls::Of("eth_blockNumber"), AnswerFault::Null));
    for (id, method) in [(2, "eth_chainId"), (3, "eth_blockNumber")] {
        socket.send(Message::text(call(id, method).to_string())).await?;
    }
    // What is late does not hold up what comes after it.
    let answer = next(&mut socket).await?.ok_or_else(|| eyre!("it ended"))?;
    assert_eq!((answer["id"].clone(), answer["result"].clone()), (json!(3), Value::Null));
    hold.until_fired(1).await?;
    hold.remove();
    let answer = next(&mut socket).await?.ok_or_else(|| eyre!("it ended"))?;
    assert_eq!(answer["id"], 2);
    null.remove();
    let reset = proxy.inject(Rule::new(Calls::All, ExchangeFault::Reset));
    socket.send(Message::text(call(4, "eth_chainId").to_string())).await?;
    assert_eq!(next(&mut socket).await?, None);
    assert_eq!(reset.fired(), 1);
    proxy.ensure_all_met()
}

#[tokio::test]
async fn a_websocket_is_refused_or_never_opened_or_never_subscribed_with() -> Result<()> {
    let world = World::start().await?;
    let proxy = FaultProxy::start(world.rpc_url()).await?;
    let url = proxy.ws_url()?;
    let reset = proxy.inject(Rule::new(Calls::Handshakes, ExchangeFault::Reset).times(1));
    assert!(connect_async(url.as_str()).await.is_err());
    let hang = proxy.inject(Rule::new(Calls::Handshakes, ExchangeFault::Hang).times(1));
    assert!(timeout(PATIENCE, connect_async(url.as_str())).await.is_err());
    let deaf = Rule::new(Calls::Of("eth_subscribe"), ExchangeFault::Hang).times(1);
    let deaf = proxy.inject(deaf);
    assert!(timeout(PATIENCE, subscribed(&proxy)).await.is_err());
    subscribed(&proxy).await?;
    assert_eq!([reset.fired(), hang.fired(), deaf.fired()], [1; 3]);
    assert_eq!(proxy.count(Calls::Handshakes), 4);
    Ok(())
}

#[tokio::test]
async fn notifications_are_swallowed_repeated_and_cut_off() -> Result<()> {
    let world = World::start().await?;
    let proxy = FaultProxy::start(world.rpc_url()).await?;
    let mut socket = subscribed(&proxy).await?;
    let swallow = proxy.inject(Rule::new(Calls::Notifications, PushFault::Swallow).times(1));
    world.mine(1).await?;
    swallow.until_fired(1).await?;
    let repeat = proxy.inject(Rule::new(Calls::Notifications, PushFault::Repeat(3)).times(1));
    world.mine(1).await?;
    let head = json!(format!("{:#x}", world.head().await?));
    for _ in 0..3 {
        let notification = next(&mut socket).await?.ok_or_else(|| eyre!("it ended"))?;
        assert_eq!(height(&notification), head);
    }
    assert_eq!(repeat.fired(), 1);
    proxy.cut_websockets();
    assert_eq!(next(&mut socket).await?, None);

    let mut socket = subscribed(&proxy).await?;
    let cut = proxy.inject(Rule::new(Calls::Notifications, PushFault::Disconnect));
    world.mine(1).await?;
    assert_eq!(next(&mut socket).await?, None);
    assert_eq!(cut.fired(), 1);
    Ok(())
}

#[tokio::test]
async fn a_soak_at_random_meets_faults_and_can_be_healed() -> Result<()> {
    let world = World::start().await?;
    let proxy = FaultProxy::start(world.rpc_url()).await?;
    let null = vec![AnswerFault::Null.into()];
    proxy.randomly(luxxon_tests::Random::new(1, 3, null));
    let mut nulls = 0;
    for id in 0..60 {
        let answer = post(proxy.url().as_str(), &call(id, "eth_chainId")).await?;
        nulls += u64::from(answer["result"].is_null());
    }
    assert!((5..40).contains(&nulls), "{nulls}");
    assert_eq!(proxy.met_at_random(), nulls);
    proxy.heal();
    let began = Instant::now();
    post(proxy.url().as_str(), &call(1, "eth_chainId")).await?;
    assert!(began.elapsed() < PATIENCE);
    Ok(())
}
