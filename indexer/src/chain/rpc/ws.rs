use super::{Failure, LARGEST_ANSWER, http::with_causes};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::TcpStream,
    sync::{Mutex, mpsc, oneshot, watch},
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Error, Message, protocol::WebSocketConfig},
};
use url::Url;

/// How often a silent connection is asked whether it is still there; after twice as long without a
/// word it is given up. A socket whose other end is gone says nothing by itself.
const PING_EVERY: Duration = Duration::from_secs(15);

/// How long the other end may take to take a question in.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// The id of the subscription's own call. Questions count from 1.
const SUBSCRIBE: &str =
    r#"{"jsonrpc":"2.0","id":0,"method":"eth_subscribe","params":["newHeads"]}"#;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A node over a websocket: answers questions, and says when there is a new head.
///
/// The connection is made with the first question, and again with the first one after it broke.
#[derive(Clone, Debug)]
pub(in crate::chain) struct Ws {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    url: Url,
    timeout: Duration,
    /// Where questions go while there is a connection.
    line: Mutex<Option<mpsc::Sender<Question>>>,
    news: watch::Sender<u64>,
    /// Whether the node took the subscription, and the connection stands.
    subscribed: AtomicBool,
}

#[derive(Debug)]
struct Question {
    first_id: u64,
    text: String,
    answer: oneshot::Sender<Result<Vec<u8>, Failure>>,
}

impl Ws {
    pub(in crate::chain) fn new(url: Url, timeout: Duration) -> Self {
        let (line, news) = (Mutex::new(None), watch::Sender::new(0));
        let subscribed = AtomicBool::new(false);
        Self { shared: Arc::new(Shared { url, timeout, line, news, subscribed }) }
    }

    /// A number that changes with every new head, and when the connection breaks: a head may have
    /// been missed then. It says that there is something to look at, and nothing else.
    pub(in crate::chain) fn news(&self) -> watch::Receiver<u64> {
        self.shared.news.subscribe()
    }

    /// Whether the node tells of new heads now.
    pub(in crate::chain) fn tells_of_heads(&self) -> bool {
        self.shared.subscribed.load(Ordering::Relaxed)
    }

    /// Sends `question`, whose ids begin with `first_id`, and waits for the answer.
    pub(in crate::chain) async fn exchange(
        &self,
        text: String,
        first_id: u64,
    ) -> Result<Vec<u8>, Failure> {
        let answered = async {
            let line = self.line().await?;
            let (answer, answered) = oneshot::channel();
            let broken = || Failure::Unreachable("the connection broke".to_owned());
            line.send(Question { first_id, text, answer }).await.map_err(|_| broken())?;
            answered.await.map_err(|_| broken())?
        };
        match timeout(self.shared.timeout, answered).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::Slow("no answer in time".to_owned())),
        }
    }

    async fn line(&self) -> Result<mpsc::Sender<Question>, Failure> {
        let mut line = self.shared.line.lock().await;
        if let Some(open) = line.as_ref().filter(|open| !open.is_closed()) {
            return Ok(open.clone());
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(LARGEST_ANSWER))
            .max_frame_size(Some(LARGEST_ANSWER));
        let (socket, _) = connect_async_with_config(self.shared.url.as_str(), Some(config), true)
            .await
            .map_err(|error| Failure::Unreachable(with_causes(&error)))?;
        let (questions, asked) = mpsc::channel(16);
        *line = Some(questions.clone());
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            if let Err(why) = serve(socket, asked, &shared).await {
                tracing::debug!(why, "the websocket ended");
            }
            shared.subscribed.store(false, Ordering::Relaxed);
            shared.news.send_modify(|count| *count += 1);
        });
        Ok(questions)
    }
}

/// Carries questions out and answers in until one side is gone.
async fn serve(
    mut socket: Socket,
    mut asked: mpsc::Receiver<Question>,
    shared: &Shared,
) -> Result<(), String> {
    let mut open = Open::new();
    let mut heard = Instant::now();
    let mut ping = interval(PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    send(&mut socket, Message::text(SUBSCRIBE)).await?;
    loop {
        tokio::select! {
            question = asked.recv() => {
                let Some(Question { first_id, text, answer }) = question else { return Ok(()) };
                open.insert(first_id, answer);
                send(&mut socket, Message::text(text)).await?;
            }
            message = socket.next() => {
                heard = Instant::now();
                acknowledge(socket.get_ref());
                let message = message.ok_or("it was closed")?.map_err(|error| {
                    if matches!(error, Error::Capacity(_)) {
                        // To whom is not known: all ask for less.
                        for answer in std::mem::take(&mut open).into_values() {
                            let _ = answer.send(Err(Failure::TooLarge));
                        }
                    }
                    with_causes(&error)
                })?;
                match message {
                    Message::Text(text) => take(text.as_str(), &mut open, shared),
                    Message::Binary(bytes) => {
                        take(&String::from_utf8_lossy(&bytes), &mut open, shared);
                    }
                    Message::Close(_) => return Err("it was closed".to_owned()),
                    _ => {}
                }
            }
            _ = ping.tick() => {
                if heard.elapsed() >= PING_EVERY * 2 {
                    return Err("nothing was heard any more".to_owned());
                }
                open.retain(|_, answer| !answer.is_closed());
                send(&mut socket, Message::Ping(Vec::new().into())).await?;
            }
        }
    }
}

async fn send(socket: &mut Socket, message: Message) -> Result<(), String> {
    match timeout(SEND_TIMEOUT, socket.send(message)).await {
        Ok(sent) => sent.map_err(|error| with_causes(&error)),
        Err(_) => Err("the other end takes nothing in".to_owned()),
    }
}

/// Lets the other end know at once that its bytes came. A node that waits for this before it sends
/// more (Nagle's algorithm) would have a new head lie for the 40 ms that Linux puts it off when it
/// has nothing else to send. Linux forgets the wish: it is told with every message.
fn acknowledge(stream: &MaybeTlsStream<TcpStream>) {
    let stream = match stream {
        MaybeTlsStream::Plain(stream) => stream,
        MaybeTlsStream::Rustls(stream) => stream.get_ref().0,
        _ => return,
    };
    #[cfg(target_os = "linux")]
    if let Err(error) = stream.set_quickack(true) {
        tracing::debug!(%error, "heads may be late");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

/// What an incoming text is about: the ids it answers, or the news it brings.
#[derive(Deserialize)]
struct About {
    id: Option<u64>,
    method: Option<String>,
    error: Option<serde::de::IgnoredAny>,
}

/// Questions that wait for their answers, under the first of their ids.
type Open = BTreeMap<u64, oneshot::Sender<Result<Vec<u8>, Failure>>>;

fn take(text: &str, open: &mut Open, shared: &Shared) {
    let about = if text.trim_start().starts_with('[') {
        serde_json::from_str::<Vec<About>>(text).map(|all| {
            let id = all.iter().filter_map(|about| about.id).min();
            About { id, method: None, error: None }
        })
    } else {
        serde_json::from_str(text)
    };
    match about {
        Ok(About { method: Some(method), .. }) if method == "eth_subscription" => {
            shared.news.send_modify(|count| *count += 1);
        }
        Ok(About { id: Some(0), error, .. }) => {
            shared.subscribed.store(error.is_none(), Ordering::Relaxed);
            if error.is_some() {
                tracing::warn!("the node does not tell of new heads: it is looked at now and then");
            }
        }
        // The ids of one question are consecutive and begin with the one it is kept under.
        Ok(About { id: Some(id), .. }) => {
            let Some((&first, _)) = open.range(..=id).next_back() else { return };
            if let Some(answer) = open.remove(&first) {
                let _ = answer.send(Ok(text.as_bytes().to_vec()));
            }
        }
        // An error without an id: it may be about any question. All learn of it, and ask again.
        Ok(About { id: None, .. }) | Err(_) => open.clear(),
    }
}
