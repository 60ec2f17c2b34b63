//! The HTTP server: connections, and how long they may take.

use super::{awake::Machine, manners};
use axum::{Router, body::Body};
use core_affinity::CoreId;
use futures_util::FutureExt;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use std::{
    convert::Infallible,
    future::pending,
    io, net,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::{self, available_parallelism},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{self, Handle},
    sync::{Semaphore, watch},
    time::sleep,
};

/// How long a client may take to send the head of a request, and how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);

/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 16 << 10;

/// Connections at once. More wait until one ends.
pub(super) const CONNECTIONS: usize = 1_024;

/// After no connection could be taken (the process has no more files, say).
const REST: Duration = Duration::from_millis(100);

/// Serves `router` until `stop` is dropped; then what is being answered is answered, and no more.
///
/// While `awake_from` requests a second or more come for each core that it may use, it keeps idle cores of
/// the machine awake, where it may (`awake.rs`); never, where that is `None`.
///
/// # Errors
///
/// Where a thread cannot be started. What is wrong with one connection ends that alone.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    awake_from: Option<NonZeroU32>,
    stop: watch::Receiver<()>,
) -> io::Result<()> {
    let (threads, machine) = (Threads::start()?, Machine::this());
    let awake = async {
        let Some(from) = awake_from else { return pending().await };
        let enough = u64::from(from.get()) * threads.each.len() as u64;
        machine.stay_awake(enough, || threads.requests()).await
    };
    tokio::select! {
        () = take(listener, router, &threads, stop) => Ok(()),
        never = awake => match never {},
    }
}

/// Takes connections and gives them to `threads`, in turn, until `stop` is dropped. Ends when the last
/// has ended.
async fn take(
    listener: TcpListener,
    router: Router,
    threads: &Threads,
    mut stop: watch::Receiver<()>,
) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut turns = threads.each.iter().cycle();
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(LONGEST_HEAD);
    // Answers are short: to send one from two places costs more than to copy it to one.
    server.writev(false);
    loop {
        let taken = async {
            let place = Arc::clone(&connections).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, stream) = tokio::select! {
            (place, accepted) = taken => match accepted {
                Ok((stream, _)) => (place, stream),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    sleep(REST).await;
                    continue;
                }
            },
            _ = stop.changed() => break,
        };
        let (stream, Some(thread)) = (stream.into_std(), turns.next()) else { continue };
        let (server, router, graceful) = (server.clone(), router.clone(), graceful.watcher());
        let requests = Arc::clone(&thread.requests);
        thread.handle.spawn(async move {
            let stream = match stream.and_then(at_once) {
                Ok(stream) => TokioIo::new(stream),
                Err(error) => return tracing::warn!(%error, "a connection could not be served"),
            };
            let answer = service_fn(|request: Request<Incoming>| {
                requests.fetch_add(1, Ordering::Relaxed);
                manners::named(router.clone(), request.map(Body::new)).map(Ok::<_, Infallible>)
            });
            let connection = server.serve_connection(stream, answer);
            if let Err(error) = graceful.watch(connection).await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// The threads that serve connections, one for each core that the process may use. They end with this.
///
/// A connection stays on one thread. Where any thread may go on with any request, those that wait are
/// woken to look for more, and memory is given back by another thread than asked for it: a fifth of the
/// time of a wallet and a third of that of a page of events, by `make bench-api`. What the ledger does
/// meanwhile, on threads of its own, holds up none.
///
/// On Linux, a thread stays on one core. On two cores it was seen, by `perf sched`, to leave two that
/// wake often on one of them for 75 ms, while the other had time: so long their connections wait.
struct Threads {
    each: Vec<Thread>,
    _end: watch::Sender<()>,
}

struct Thread {
    handle: Handle,
    /// How many requests came to it. Only this thread counts them.
    requests: Arc<AtomicU64>,
}

impl Threads {
    fn start() -> io::Result<Self> {
        let (end, ended) = watch::channel(());
        let start = |core| {
            let (started, handle) = mpsc::channel();
            let mut ended = ended.clone();
            // Who asked for it waits for the handle: nobody else is told of an error.
            let serve = move || {
                if let Some(core) = core {
                    stay_on(core);
                }
                match runtime::Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => {
                        drop(started.send(Ok(runtime.handle().clone())));
                        runtime.block_on(async { while ended.changed().await.is_ok() {} });
                    }
                    Err(error) => drop(started.send(Err(error))),
                }
            };
            thread::Builder::new().name("api".to_owned()).spawn(serve)?;
            handle.recv().map_err(io::Error::other)?
        };
        let start = |core| Ok(Thread { handle: start(core)?, requests: Arc::default() });
        let each = cores().into_iter().map(start).collect::<io::Result<_>>()?;
        Ok(Self { each, _end: end })
    }

    /// How many requests came to all of them.
    fn requests(&self) -> u64 {
        self.each.iter().map(|thread| thread.requests.load(Ordering::Relaxed)).sum()
    }
}

/// The core for each thread: as many as the process may use.
fn cores() -> Vec<Option<CoreId>> {
    let count = available_parallelism().map_or(1, usize::from);
    let allowed = if cfg!(target_os = "linux") { core_affinity::get_core_ids() } else { None };
    one_each(allowed, count)
}

/// A core of those `allowed` for each of `count` threads. None is named where a quota lets the process
/// have less time than its cores have: another one with a quota, on the same machine, would choose the
/// same ones.
fn one_each(allowed: Option<Vec<CoreId>>, count: usize) -> Vec<Option<CoreId>> {
    match allowed {
        Some(cores) if cores.len() == count => cores.into_iter().map(Some).collect(),
        _ => vec![None; count],
    }
}

/// Keeps this thread on `core`, if the system lets it.
fn stay_on(core: CoreId) {
    if !core_affinity::set_for_current(core) {
        tracing::warn!(core = core.id, "a thread that answers does not stay on its core");
    }
}

/// The stream, for the thread that asks. Answers are small and written whole: nothing is gained by
/// holding them back.
fn at_once(stream: net::TcpStream) -> io::Result<TcpStream> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "answers may be late");
    }
    TcpStream::from_std(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const NONE: Option<CoreId> = None;

    #[test]
    fn each_thread_has_a_core_unless_a_quota_leaves_fewer_threads_than_cores() {
        let allowed = || Some(vec![CoreId { id: 2 }, CoreId { id: 5 }]);
        assert_eq!(one_each(allowed(), 2), [Some(CoreId { id: 2 }), Some(CoreId { id: 5 })]);
        assert_eq!(one_each(allowed(), 1), [NONE]);
        assert_eq!(one_each(None, 2), [NONE, NONE]);
    }

    #[tokio::test]
    async fn requests_are_counted_whichever_thread_answers_them() {
        let (threads, (stop, stopped)) = (Threads::start().unwrap(), watch::channel(()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ask = async {
            for _ in 0..=2 * threads.each.len() {
                let (mut stream, mut answer) =
                    (TcpStream::connect(address).await.unwrap(), Vec::new());
                let request = b"GET / HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n";
                stream.write_all(request).await.unwrap();
                stream.read_to_end(&mut answer).await.unwrap();
                assert!(answer.starts_with(b"HTTP/1.1 404 "));
            }
            drop(stop);
        };
        tokio::join!(take(listener, Router::new(), &threads, stopped), ask);
        assert_eq!(threads.requests(), 2 * threads.each.len() as u64 + 1);
        assert!(threads.each.iter().all(|thread| thread.requests.load(Ordering::Relaxed) >= 2));
    }

    /// Where a thread may run is asked of the system, by the thread itself.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_thread_that_serves_stays_on_its_core() {
        let threads = Threads::start().unwrap();
        let mut found = Vec::new();
        for thread in &threads.each {
            let cores = thread.handle.spawn(async { core_affinity::get_core_ids() }).await;
            found.push(cores.unwrap().unwrap());
        }
        let machine = core_affinity::get_core_ids().unwrap();
        if available_parallelism().unwrap().get() == machine.len() {
            let each: Vec<_> = machine.into_iter().map(|core| vec![core]).collect();
            assert_eq!(found, each);
        } else {
            assert!(found.iter().all(|cores| *cores == machine));
        }
    }
}
