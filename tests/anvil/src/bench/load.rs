//! Many clients of an API at once, each on a connection that it keeps.

use eyre::{Result, ensure, eyre};
use futures_util::future::try_join_all;
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep_until,
};

/// Requests that are asked in turn: each its bytes.
pub type Requests = Arc<[Vec<u8>]>;

/// `GET target` with an API key.
#[must_use]
pub fn get(target: &str, key: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nhost: api\r\nauthorization: Bearer {key}\r\n\r\n")
        .into_bytes()
}

/// Asks over `connections` connections for `time`, each for the next as soon as it is answered.
/// Returns how many answers came in a second.
pub async fn saturate(
    server: SocketAddr,
    connections: usize,
    requests: &Requests,
    time: Duration,
) -> Result<f64> {
    let end = Instant::now() + time;
    let clients = (0..connections).map(|client| {
        let requests = Arc::clone(requests);
        spawn(async move {
            let mut connection = Connection::open(server).await?;
            let mut answers = 0_u32;
            for request in requests.iter().cycle().skip(client * requests.len() / connections) {
                if Instant::now() >= end {
                    break;
                }
                connection.ask(request).await?;
                answers += 1;
            }
            Ok(answers)
        })
    });
    let answers: u32 = try_join_all(clients).await?.into_iter().sum();
    Ok(f64::from(answers) / time.as_secs_f64())
}

/// Asks `rate` times a second over `connections` connections for `time`. Returns how long each
/// answer took, from the moment when its request was due: what a slow answer holds up counts too.
pub async fn pace(
    server: SocketAddr,
    connections: usize,
    requests: &Requests,
    rate: f64,
    time: Duration,
) -> Result<Vec<Duration>> {
    let (begin, end) = (Instant::now(), Instant::now() + time);
    let from_one_to_the_next = Duration::from_secs_f64(1.0 / rate);
    let all = u32::try_from(connections)?;
    let clients = (0..all).map(|client| {
        let requests = Arc::clone(requests);
        spawn(async move {
            let mut connection = Connection::open(server).await?;
            let mut times = Vec::new();
            let turns =
                requests.iter().cycle().skip(client as usize * requests.len() / connections);
            for (turn, request) in (0..).zip(turns) {
                let due = begin + from_one_to_the_next * (turn * all + client);
                if due >= end {
                    break;
                }
                sleep_until(due.into()).await;
                connection.ask(request).await?;
                times.push(due.elapsed());
            }
            Ok(times)
        })
    });
    Ok(try_join_all(clients).await?.concat())
}

async fn spawn<T: Send + 'static>(
    client: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tokio::spawn(client).await?
}

/// One client's connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::with_capacity(64 << 10) })
    }

    /// Sends a request and reads its answer, which has to be 200 and say how long it is. Returns the
    /// body.
    pub async fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        let (mut body, mut end) = (0, usize::MAX);
        while self.answer.len() < end {
            ensure!(self.stream.read_buf(&mut self.answer).await? > 0, "an answer without an end");
            if end == usize::MAX
                && let Some(head) = find(&self.answer, b"\r\n\r\n")
            {
                body = head + 4;
                end = body + length(&self.answer[..head])?;
            }
        }
        Ok(&self.answer[body..])
    }
}

/// How long the body is, by the head of an answer with status 200.
fn length(head: &[u8]) -> Result<usize> {
    const LENGTH: &[u8] = b"\r\ncontent-length: ";
    let said = || String::from_utf8_lossy(head).into_owned();
    ensure!(head.starts_with(b"HTTP/1.1 200 "), "{}", said());
    let at = find(head, LENGTH).ok_or_else(|| eyre!("no length: {}", said()))?;
    let digits = head[at + LENGTH.len()..].split(|byte| *byte == b'\r').next().unwrap_or_default();
    Ok(str::from_utf8(digits)?.parse()?)
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
