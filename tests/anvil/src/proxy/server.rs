//! The proxy's port: HTTP requests, each on its way through [`exchange`], and websockets.

use super::{
    Shared,
    exchange::{Delivery, Reply, exchange},
    ws,
};
use crate::http::read_request;
use eyre::Result;
use std::{future::pending, sync::Arc};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Takes connections until it is dropped, and all of them with it.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    // Fails only where there are no more file descriptors.
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        // How a connection ends is its client's business: most are simply dropped.
        connections.spawn(async move { drop(connection(stream, shared).await) });
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(mut stream: TcpStream, shared: Arc<Shared>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut first = [0];
    stream.peek(&mut first).await?;
    // Calls are made by POST: whoever begins with GET wants a websocket.
    if first == *b"G" {
        return ws::relay(stream, shared).await;
    }
    loop {
        let request = read_request(&mut stream).await?;
        let reply = exchange(&shared, &request.body).await;
        if !write(&mut stream, &reply).await? {
            return Ok(());
        }
    }
}

/// Writes the reply, and says whether the connection can take another request.
async fn write(stream: &mut TcpStream, reply: &Reply) -> Result<bool> {
    let retry_after = reply.retry_after.map(|seconds| format!("retry-after: {seconds}\r\n"));
    let head = format!(
        "HTTP/1.1 {} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{}\r\n",
        reply.status,
        reply.body.len(),
        retry_after.unwrap_or_default()
    );
    let body = reply.body.as_bytes();
    match reply.delivery {
        Delivery::Whole => {
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(body).await?;
        }
        Delivery::Drip(pause) => {
            stream.write_all(head.as_bytes()).await?;
            for byte in body {
                stream.write_all(&[*byte]).await?;
                tokio::time::sleep(pause).await;
            }
        }
        Delivery::Half => {
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body[..body.len() / 2]).await?;
            return Ok(false);
        }
        Delivery::Reset => return Ok(false),
        Delivery::Never => pending().await,
    }
    Ok(true)
}
