//! A JSON-RPC proxy between an indexer and a node that does to the answers what bad nodes do.
//!
//! ```no_run
//! # async fn example(node: &str) -> eyre::Result<()> {
//! use luxxon_tests::{AnswerFault, Calls, FaultProxy, Rule};
//! let proxy = FaultProxy::start(node).await?;
//! let fault = proxy.inject(Rule::new(Calls::Logs, AnswerFault::NoLogs).times(2));
//! // … start an indexer on `proxy.url()` …
//! fault.until_fired(1).await?;
//! fault.remove();
//! proxy.ensure_all_met()
//! # }
//! ```

mod call;
mod exchange;
mod fault;
mod random;
mod rewrite;
mod script;
mod server;
mod upstream;
mod view;
mod wording;
mod ws;

pub use call::{Call, Calls};
pub use fault::{AnswerFault, BatchFault, ExchangeFault, Fault, PushFault, Suggestion};
pub use random::{Random, visible_faults};
pub use script::{Asked, Rule};
pub use wording::{RANGE_WORDINGS, RangeWording};

use eyre::{Result, ensure, eyre};
use script::{Script, Source};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch, task::AbortHandle, time::timeout};
use upstream::Upstream;
use url::Url;

/// How long to wait for a fault to be met. An indexer that fails waits between two calls.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// A proxy on a free port of this machine, for HTTP and websockets alike. It ends when it is
/// dropped, and with it every connection.
#[derive(Debug)]
pub struct FaultProxy {
    shared: Arc<Shared>,
    url: Url,
    serving: AbortHandle,
}

/// What every connection sees.
#[derive(Debug)]
struct Shared {
    node: Upstream,
    second: Option<Upstream>,
    script: Mutex<Script>,
    /// Told of every change of the script.
    changed: watch::Sender<()>,
    /// Told when websockets are to end.
    cut: watch::Sender<()>,
}

/// A rule that was given to a proxy.
#[derive(Clone, Debug)]
pub struct Injected {
    shared: Arc<Shared>,
    rule: usize,
}

impl FaultProxy {
    /// A proxy of the node at `node`, which answers as the node does.
    pub async fn start(node: &str) -> Result<Self> {
        Self::new(Upstream::new(node)?, None).await
    }

    /// The same, with a second node for [`AnswerFault::SecondNode`].
    pub async fn between(node: &str, second: &str) -> Result<Self> {
        Self::new(Upstream::new(node)?, Some(Upstream::new(second)?)).await
    }

    async fn new(node: Upstream, second: Option<Upstream>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?).parse()?;
        let shared = Arc::new(Shared {
            node,
            second,
            script: Mutex::default(),
            changed: watch::Sender::default(),
            cut: watch::Sender::default(),
        });
        let serving = tokio::spawn(server::serve(listener, shared.clone())).abort_handle();
        Ok(Self { shared, url, serving })
    }

    /// Where it takes HTTP requests.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where it takes websockets.
    pub fn ws_url(&self) -> Result<Url> {
        Ok(self.url.as_str().replacen("http", "ws", 1).parse()?)
    }

    /// Adds a rule.
    #[must_use = "a fault that is never met shows nothing"]
    pub fn inject(&self, rule: Rule) -> Injected {
        let rule = self.shared.with_script(|script| script.add(rule));
        Injected { shared: self.shared.clone(), rule }
    }

    /// Faults at random from now on, beside the rules.
    pub fn randomly(&self, random: Random) {
        self.shared.with_script(|script| script.set_random(Some(random)));
    }

    /// Removes every rule, and randomness.
    pub fn heal(&self) {
        self.shared.with_script(Script::remove_all);
    }

    /// Ends every websocket, without a closing frame.
    pub fn cut_websockets(&self) {
        self.shared.cut.send_replace(());
    }

    /// Every call that was made, in the order in which they came.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.with_script(|script| script.asked().to_vec())
    }

    /// How many calls of this kind were made.
    #[must_use]
    pub fn count(&self, calls: Calls) -> usize {
        self.asked().iter().filter(|asked| calls.include(&asked.call)).count()
    }

    /// How many faults were met at random.
    #[must_use]
    pub fn met_at_random(&self) -> u64 {
        self.shared.with_script(|script| script.fired_at_random())
    }

    /// Fails where a rule never changed anything: then the test has shown nothing.
    pub fn ensure_all_met(&self) -> Result<()> {
        let unmet = self.shared.with_script(|script| format!("{:?}", script.unmet()));
        ensure!(unmet == "[]", "never met: {unmet}");
        Ok(())
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Injected {
    /// How often it has happened.
    #[must_use]
    pub fn fired(&self) -> u64 {
        self.shared.with_script(|script| script.fired(self.rule))
    }

    /// Waits until it has happened so many times.
    pub async fn until_fired(&self, times: u64) -> Result<()> {
        let fired = self.shared.until(|script| script.fired(self.rule) >= times);
        let waited = timeout(LONGEST_WAIT, fired).await;
        waited.map_err(|_| eyre!("it happened {} times, not {times}", self.fired()))
    }

    /// Ends it. Whoever it holds up goes on.
    pub fn remove(&self) {
        self.shared.with_script(|script| script.remove(self.rule));
    }
}

impl Shared {
    /// Reads or changes the script, and lets everybody who waits for a change look again.
    fn with_script<T>(&self, with: impl FnOnce(&mut Script) -> T) -> T {
        let value = with(&mut self.lock());
        self.changed.send_replace(());
        value
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        // A panic in here is a failed test already.
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fire(&self, source: Source) -> bool {
        self.with_script(|script| script.fire(source))
    }

    fn push(&self, notification: &Call) -> Option<PushFault> {
        self.with_script(|script| script.push(notification))
    }

    async fn until(&self, condition: impl Fn(&Script) -> bool) {
        let mut changed = self.changed.subscribe();
        while !condition(&self.lock()) {
            // The sender lives as long as `self`.
            let _ = changed.changed().await;
        }
    }
}
