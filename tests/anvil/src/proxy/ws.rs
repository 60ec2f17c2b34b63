//! Websockets: calls go the way of HTTP requests, subscriptions through to the node.

use super::{
    Shared,
    call::{Call, Calls},
    exchange::{Delivery, barred, exchange},
    fault::PushFault,
};
use eyre::Result;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::{future::pending, sync::Arc};
use tokio::{
    net::TcpStream,
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::JoinSet,
};
use tokio_tungstenite::{accept_async, connect_async, tungstenite::Message};

/// Relays one client's connection to the first node, until either ends or a fault ends it.
pub(super) async fn relay(stream: TcpStream, shared: Arc<Shared>) -> Result<()> {
    match barred(&shared, &Call::handshake()) {
        None => {}
        Some(Delivery::Never) => return pending().await,
        Some(_) => return Ok(()),
    }
    let mut client = accept_async(stream).await?;
    let (mut node, _) = connect_async(shared.node.ws_url()).await?;
    let mut cut = shared.cut.subscribe();
    let (sender, mut replies) = unbounded_channel();
    // Calls may be answered late and out of order: they wait beside each other.
    let mut calls = JoinSet::new();
    loop {
        tokio::select! {
            // Whoever drops a connection says nothing: no closing frame.
            _ = cut.changed() => return Ok(()),
            message = client.next() => match message.transpose()? {
                Some(Message::Text(text)) => match subscription(&text) {
                    None => {
                        calls.spawn(reply(shared.clone(), text.to_string(), sender.clone()));
                    }
                    Some(call) => match barred(&shared, &call) {
                        None => node.send(Message::Text(text)).await?,
                        Some(Delivery::Never) => {}
                        Some(_) => return Ok(()),
                    },
                },
                Some(Message::Close(_)) | None => return Ok(()),
                // Pings are answered by the library.
                Some(_) => {}
            },
            message = node.next() => match message.transpose()? {
                Some(Message::Text(text)) => match pushed(&shared, &text) {
                    None => client.send(Message::Text(text)).await?,
                    Some(PushFault::Swallow) => {}
                    Some(PushFault::Disconnect) => return Ok(()),
                    Some(PushFault::Repeat(times)) => {
                        for _ in 0..times {
                            client.send(Message::Text(text.clone())).await?;
                        }
                    }
                },
                Some(Message::Close(_)) | None => return Ok(()),
                Some(_) => {}
            },
            Some(reply) = replies.recv() => match reply {
                Some(body) => client.send(Message::text::<String>(body)).await?,
                None => return Ok(()),
            },
        }
        while calls.try_join_next().is_some() {}
    }
}

/// Answers one message, or ends the connection (`None`).
async fn reply(shared: Arc<Shared>, body: String, replies: UnboundedSender<Option<String>>) {
    let reply = exchange(&shared, &body).await;
    let message = match reply.delivery {
        Delivery::Whole if reply.status == 200 => Some(reply.body),
        Delivery::Never => return,
        _ => None,
    };
    // Fails only where the connection is gone.
    let _ = replies.send(message);
}

fn parsed(text: &str) -> Option<Call> {
    serde_json::from_str::<Value>(text).ok().and_then(|value| Call::of(&value))
}

/// The call that `text` is, where it makes or ends a subscription.
fn subscription(text: &str) -> Option<Call> {
    parsed(text).filter(|call| ["eth_subscribe", "eth_unsubscribe"].contains(&call.method.as_str()))
}

/// What happens to a message of the node, if it is a notification.
fn pushed(shared: &Shared, text: &str) -> Option<PushFault> {
    let call = parsed(text).filter(|call| Calls::Notifications.include(call))?;
    shared.push(&call)
}
