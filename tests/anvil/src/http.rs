//! An HTTP server of a few lines, for tests that decide what is answered.

use eyre::{Result, ensure, eyre};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The body.
    pub body: String,
}

/// Reads the request that a connection begins with.
pub async fn read_request(stream: &mut TcpStream) -> Result<Request> {
    let mut bytes = Vec::new();
    let head = loop {
        ensure!(stream.read_buf(&mut bytes).await? > 0, "a request without an end");
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            break head.to_owned();
        }
    };
    let length = head.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let (begin, length) = (head.len() + 4, length.unwrap_or(0));
    while bytes.len() < begin + length {
        ensure!(stream.read_buf(&mut bytes).await? > 0, "a body without an end");
    }
    let mut line = head.split(' ').map(str::to_owned);
    let (method, target) = line.next().zip(line.next()).ok_or_else(|| eyre!("{head}"))?;
    Ok(Request { method, target, body: String::from_utf8(bytes[begin..].to_vec())? })
}

/// Answers with JSON, and ends the connection.
pub async fn answer(stream: &mut TcpStream, status: u16, json: &str) -> Result<()> {
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        json.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(json.as_bytes()).await?;
    Ok(stream.shutdown().await?)
}
