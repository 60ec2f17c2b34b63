//! Many clients of an API at once, each on a connection that it keeps.

use eyre::{Result, ensure, eyre};
use futures_util::future::try_join_all;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::retry_on_intr,
};
use std::{
    io::{Read, Write},
    net::{self, SocketAddr},
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::spawn_blocking,
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
    connections: u32,
    requests: &Requests,
    time: Duration,
) -> Result<f64> {
    let end = Instant::now() + time;
    let clients = (0..connections).map(|client| {
        let requests = Arc::clone(requests);
        spawn(async move {
            let mut connection = Connection::open(server).await?;
            let mut answers = 0_u32;
            let first = client as usize * requests.len() / connections as usize;
            for request in requests.iter().cycle().skip(first) {
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
///
/// One thread asks for all of them, and waits to some microseconds. tokio's timers tick each
/// millisecond: most of what was measured would be how late they are, and what is due in one would be
/// asked at once.
pub async fn pace(
    server: SocketAddr,
    connections: u32,
    requests: &Requests,
    rate: f64,
    time: Duration,
) -> Result<Vec<Duration>> {
    let requests = Arc::clone(requests);
    let between = Duration::from_secs_f64(1.0 / rate);
    spawn_blocking(move || {
        let clients = (0..connections).map(|number| Paced::open(server, number, connections));
        let mut clients = clients.collect::<Result<Vec<_>>>()?;
        let (begin, mut times) = (Instant::now(), Vec::new());
        loop {
            let (mut next, mut asked) = (time, Vec::new());
            for client in &mut clients {
                let due = between * client.turn;
                if !client.asked && due <= begin.elapsed() && due < time {
                    client.ask(&requests)?;
                }
                if client.asked {
                    asked.push(client);
                } else {
                    next = next.min(due);
                }
            }
            if asked.is_empty() && next >= time {
                return Ok(times);
            }
            let mut ready: Vec<PollFd<'_>> =
                asked.iter().map(|client| PollFd::new(&client.stream, PollFlags::IN)).collect();
            let wait = Timespec::try_from(next.saturating_sub(begin.elapsed()))?;
            retry_on_intr(|| poll(&mut ready, (next < time).then_some(&wait)))?;
            let ready: Vec<bool> = ready.iter().map(|fd| !fd.revents().is_empty()).collect();
            for (client, _) in asked.into_iter().zip(ready).filter(|(_, ready)| *ready) {
                let turn = client.turn;
                if client.read()? {
                    times.push(begin.elapsed().saturating_sub(between * turn));
                }
            }
        }
    })
    .await?
}

/// A connection, and the requests of [`pace`] that are asked over it: one of as many as there are.
struct Paced {
    stream: net::TcpStream,
    answer: Vec<u8>,
    /// How many requests there are before its next one, or the one that is not answered yet.
    turn: u32,
    /// From one of its requests to the next.
    step: u32,
    asked: bool,
}

impl Paced {
    fn open(server: SocketAddr, turn: u32, step: u32) -> Result<Self> {
        let stream = net::TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::new(), turn, step, asked: false })
    }

    fn ask(&mut self, requests: &Requests) -> Result<()> {
        self.stream.write_all(&requests[self.turn as usize % requests.len()])?;
        self.answer.clear();
        self.asked = true;
        Ok(())
    }

    /// Reads what there is. Returns whether the answer is whole.
    fn read(&mut self) -> Result<bool> {
        let mut part = [0; 4 << 10];
        let length = self.stream.read(&mut part)?;
        ensure!(length > 0, "an answer without an end");
        self.answer.extend_from_slice(&part[..length]);
        let whole = body(&self.answer)?.is_some_and(|body| body.end <= self.answer.len());
        if whole {
            self.asked = false;
            self.turn += self.step;
        }
        Ok(whole)
    }
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
        let mut found = 0..usize::MAX;
        while self.answer.len() < found.end {
            ensure!(self.stream.read_buf(&mut self.answer).await? > 0, "an answer without an end");
            if found.end == usize::MAX {
                found = body(&self.answer)?.unwrap_or(found);
            }
        }
        Ok(&self.answer[found])
    }
}

/// Where the body of an answer begins and ends, once its head is there.
fn body(answer: &[u8]) -> Result<Option<Range<usize>>> {
    let Some(head) = find(answer, b"\r\n\r\n") else { return Ok(None) };
    let begin = head + 4;
    Ok(Some(begin..begin + length(&answer[..head])?))
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
