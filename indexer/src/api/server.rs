//! The HTTP server: connections, and how long they may take.

use super::manners;
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
    io, net,
    sync::{Arc, mpsc},
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
/// # Errors
///
/// Where a thread cannot be started. What is wrong with one connection ends that alone.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    mut stop: watch::Receiver<()>,
) -> io::Result<()> {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let threads = Threads::start()?;
    let mut turns = threads.handles.iter().cycle();
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
        thread.spawn(async move {
            let stream = match stream.and_then(at_once) {
                Ok(stream) => TokioIo::new(stream),
                Err(error) => return tracing::warn!(%error, "a connection could not be served"),
            };
            let answer = service_fn(|request: Request<Incoming>| {
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
    Ok(())
}

/// The threads that serve connections, one for each core of the machine. They end with this.
///
/// A connection stays on one thread. Where any thread may go on with any request, those that wait are
/// woken to look for more, and memory is given back by another thread than asked for it: a fifth of the
/// time of a wallet and a third of that of a page of events, by `make bench-api`. What the ledger does
/// meanwhile, on threads of its own, holds up none.
///
/// A thread stays on one core: Linux leaves two that wake often on one core for a tenth of a second
/// and more, though another has time, and half of the connections wait as long.
struct Threads {
    handles: Vec<Handle>,
    _end: watch::Sender<()>,
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
        let handles = cores().into_iter().map(start).collect::<io::Result<_>>()?;
        Ok(Self { handles, _end: end })
    }
}

/// The cores that may be used, one for each thread. None is named where the process may not use as much
/// time as they have: other processes with a share of the same machine would choose the same ones.
fn cores() -> Vec<Option<CoreId>> {
    let count = available_parallelism().map_or(1, usize::from);
    match core_affinity::get_core_ids() {
        Some(cores) if cores.len() == count => cores.into_iter().map(Some).collect(),
        _ => vec![None; count],
    }
}

/// Keeps this thread on `core`, if the system lets it.
fn stay_on(core: CoreId) {
    if !core_affinity::set_for_current(core) {
        tracing::debug!(core = core.id, "a thread that answers does not stay on its core");
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

// Other systems take a core as a hint, and do not say which it is.
#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// What a thread that serves runs on is asked of the system, by the thread itself.
    #[tokio::test]
    async fn each_thread_that_serves_stays_on_a_core_of_its_own() {
        let threads = Threads::start().unwrap();
        let mut found = Vec::new();
        for thread in &threads.handles {
            found.push(
                thread.spawn(async { core_affinity::get_core_ids() }).await.unwrap().unwrap(),
            );
        }
        let machine = core_affinity::get_core_ids().unwrap();
        if cores().contains(&None) {
            assert!(found.iter().all(|cores| *cores == machine));
        } else {
            assert!(found.iter().all(|cores| cores.len() == 1));
            assert_eq!(found.concat(), machine);
        }
    }
}
