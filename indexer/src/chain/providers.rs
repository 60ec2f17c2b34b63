use super::{BlockLogs, ChainError, DEFAULT_TIMEOUT, Header, Heads, Node, RangeLogs, Wanted};
use crate::ledger::{Deployment, RawLog};
use alloy::primitives::{Address, B256, Bytes, Keccak256};
use futures_util::future::BoxFuture;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;
use url::Url;

/// The first rest of a node that failed; it doubles with each failure in a row.
const FIRST_REST: Duration = Duration::from_millis(250);
/// The longest rest of a node that did not say itself when to ask it again.
const LONGEST_REST: Duration = Duration::from_secs(15);
/// The longest `Retry-After` that is honoured.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(5);
/// A node that was not doubted for so long after its rest begins anew.
const FORGIVEN_AFTER: Duration = Duration::from_mins(5);
/// After this long, a question is not put to yet another node.
const LONGEST_ROUND: Duration = Duration::from_secs(45);

/// One or several nodes of the same chain, in the order they are preferred in.
///
/// A question goes to the first node that is not resting. One that fails rests, longer each time,
/// and the question goes to the next. Clones share the nodes.
#[derive(Clone, Debug)]
pub struct Providers {
    nodes: Arc<[Provider]>,
    quorum: Quorum,
}

/// How many nodes must agree on the logs of final blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quorum {
    /// One node's answer is taken.
    #[default]
    One,
    /// Two nodes must give the same logs.
    Two,
}

#[derive(Debug)]
struct Provider {
    node: Node,
    rest: Mutex<Rest>,
}

/// Why, and until when, a node is left alone.
#[derive(Debug, Default)]
struct Rest {
    /// Failures in a row.
    failures: u32,
    until: Option<Instant>,
    /// Answers that were no good, or never came, though it answers other questions: those do not
    /// clear it.
    doubts: u32,
    doubted_until: Option<Instant>,
}

/// Which node told of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source(usize);

impl Providers {
    /// The nodes, most preferred first. There must be one at least, and as many as the quorum.
    ///
    /// # Panics
    ///
    /// Where there are fewer: the configuration is checked before.
    #[must_use]
    pub fn new(nodes: Vec<Node>, quorum: Quorum) -> Self {
        assert!(nodes.len() > usize::from(quorum == Quorum::Two), "too few nodes");
        let provider = |node| Provider { node, rest: Mutex::default() };
        Self { nodes: nodes.into_iter().map(provider).collect(), quorum }
    }

    /// The single node at `url`, with the timeout that is usual.
    pub fn at(url: Url) -> Result<Self, ChainError> {
        Ok(Self::new(vec![Node::new(url, DEFAULT_TIMEOUT)?], Quorum::One))
    }

    /// Scheme, host and port of each node: what may be shown of them.
    #[must_use]
    pub fn names(&self) -> String {
        let names: Vec<String> = self.nodes.iter().map(|provider| provider.node.name()).collect();
        names.join(", ")
    }

    /// Whether the logs of final blocks need two nodes that agree.
    #[must_use]
    pub fn quorum(&self) -> Quorum {
        self.quorum
    }

    /// See [`Node::news`]: the first node that tells of new heads by itself.
    #[must_use]
    pub fn news(&self) -> Option<watch::Receiver<u64>> {
        self.nodes.iter().find_map(|provider| provider.node.news())
    }

    /// Whether a node tells of new heads now.
    #[must_use]
    pub fn tells_of_heads(&self) -> bool {
        self.nodes.iter().any(|provider| provider.node.tells_of_heads())
    }

    /// What `source` told contradicts what is known: others are asked for a while, where there are
    /// any, longer each time.
    pub fn doubt(&self, Source(index): Source) {
        if let Some(provider) = self.nodes.get(index) {
            provider.doubted();
        }
    }

    /// See [`Node::heads`].
    pub async fn heads(&self) -> Result<Heads, ChainError> {
        self.ask(|node| Box::pin(node.heads())).await
    }

    /// See [`Node::header`].
    pub async fn header(&self, number: u64) -> Result<Option<Header>, ChainError> {
        self.ask(|node| Box::pin(node.header(number))).await
    }

    /// See [`Node::chain_id`]. Every node is asked: each must be one of the same chain.
    pub async fn chain_ids(&self) -> Result<Vec<(String, u64)>, ChainError> {
        let mut ids = Vec::new();
        for provider in self.nodes.iter() {
            match provider.node.chain_id().await {
                Ok(id) => ids.push((provider.node.name(), id)),
                // It may be out of order for now; the others will do until it is back.
                Err(error) if self.nodes.len() > 1 => {
                    provider.failed(&error);
                    tracing::warn!(%error, "a node does not answer");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(ids)
    }

    /// See [`Node::code`].
    pub async fn code(&self, address: Address, at: Option<u64>) -> Result<Bytes, ChainError> {
        self.ask(|node| Box::pin(node.code(address, at))).await
    }

    /// See [`Node::eth_call`].
    pub async fn eth_call(&self, to: Address, input: Bytes) -> Result<Bytes, ChainError> {
        self.ask(|node| {
            let input = input.clone();
            Box::pin(node.eth_call(to, input))
        })
        .await
    }

    /// See [`Node::calls_at`].
    pub async fn calls_at(
        &self,
        block: B256,
        calls: &[(Address, Bytes)],
    ) -> Result<Vec<Bytes>, ChainError> {
        let calls: Arc<[(Address, Bytes)]> = calls.into();
        self.ask(|node| {
            let calls = Arc::clone(&calls);
            Box::pin(async move { node.calls_at(block, &calls).await })
        })
        .await
    }

    /// See [`Node::block_logs`].
    pub async fn block_logs(
        &self,
        deployment: Deployment,
        header: Header,
    ) -> Result<(BlockLogs, Source), ChainError> {
        let ask = |node| -> BoxFuture<'_, _> { Box::pin(block_of(node, deployment, header)) };
        self.ask_one_of(&mut Vec::new(), false, &ask).await
    }

    /// See [`Node::range_logs`]. With a quorum of two, two nodes are asked, and must agree; the source
    /// is the first of them.
    pub async fn range_logs(
        &self,
        deployment: Deployment,
        wanted: Wanted,
        from: u64,
        to: u64,
    ) -> Result<(RangeLogs, Source), ChainError> {
        let ask =
            |node| -> BoxFuture<'_, _> { Box::pin(range_of(node, deployment, wanted, from, to)) };
        let mut asked = Vec::new();
        let (first, source) = self.ask_one_of(&mut asked, from < to, &ask).await?;
        if self.quorum == Quorum::Two {
            let (second, _) = self.ask_one_of(&mut asked, from < to, &ask).await?;
            if (&first.logs, &first.blocks) != (&second.logs, &second.blocks) {
                let said = |place: usize, logs| said(&self.nodes[asked[place]].node, logs);
                let (one, other) = (said(0, &first.logs), said(1, &second.logs));
                return Err(ChainError::Disagreement { from, to, one, other });
            }
        }
        Ok((first, source))
    }

    async fn ask<'a, T>(
        &'a self,
        question: impl Fn(&'a Node) -> BoxFuture<'a, Result<T, ChainError>>,
    ) -> Result<T, ChainError> {
        Ok(self.ask_one_of(&mut Vec::new(), false, &question).await?.0)
    }

    /// Puts `question` to the nodes that are not among `asked`, until one answers; that one is
    /// added. Those at rest are only asked when there is no other. A question that can be made
    /// smaller comes back when a node asks for less; the next node would be asked the same.
    async fn ask_one_of<'a, T>(
        &'a self,
        asked: &mut Vec<usize>,
        can_be_smaller: bool,
        question: &impl Fn(&'a Node) -> BoxFuture<'a, Result<T, ChainError>>,
    ) -> Result<(T, Source), ChainError> {
        let began = Instant::now();
        let mut order: Vec<usize> =
            (0..self.nodes.len()).filter(|index| !asked.contains(index)).collect();
        // Stable: among equals, the order of preference.
        order.sort_by_key(|&index| self.nodes[index].rests_until());
        let mut failure = None;
        for index in order {
            let provider = &self.nodes[index];
            if failure.is_some()
                && (provider.rests_until().is_some() || began.elapsed() > LONGEST_ROUND)
            {
                break;
            }
            match question(&provider.node).await {
                Ok(answer) => {
                    provider.answered();
                    asked.push(index);
                    return Ok((answer, Source(index)));
                }
                Err(error)
                    if !error.is_retryable()
                        || (can_be_smaller && error.asks_for_less().is_some()) =>
                {
                    if matches!(error, ChainError::TooMuch { .. }) {
                        // It may hang at this question alone: the smaller one goes to another.
                        provider.doubted();
                    }
                    return Err(error);
                }
                Err(error) => {
                    provider.failed(&error);
                    if self.nodes.len() > 1 {
                        tracing::debug!(%error, node = provider.node.name(), "asking the next node");
                    }
                    failure = Some(error);
                }
            }
        }
        Err(failure
            .unwrap_or_else(|| ChainError::Inconsistent("there is no other node".to_owned())))
    }

    /// When the first of the nodes is to be asked again; `None` where one can be asked now.
    #[must_use]
    pub fn all_rest_until(&self) -> Option<Instant> {
        self.nodes.iter().map(Provider::rests_until).min().flatten()
    }
}

async fn block_of(
    node: &Node,
    deployment: Deployment,
    header: Header,
) -> Result<BlockLogs, ChainError> {
    node.block_logs(&deployment, &header).await
}

async fn range_of(
    node: &Node,
    deployment: Deployment,
    wanted: Wanted,
    from: u64,
    to: u64,
) -> Result<RangeLogs, ChainError> {
    node.range_logs(&deployment, wanted, from, to).await
}

/// What a node says a range holds, so that two can be compared by eye.
fn said(node: &Node, logs: &[RawLog]) -> String {
    let mut digest = Keccak256::new();
    for log in logs {
        digest.update(log.position.block.to_be_bytes());
        digest.update(log.position.log_index.to_be_bytes());
        digest.update(log.tx_hash);
        digest.update(log.log.address);
        for topic in log.log.topics() {
            digest.update(topic);
        }
        digest.update(&log.log.data.data);
    }
    format!("{} has {} logs with digest {}", node.name(), logs.len(), digest.finalize())
}

impl Provider {
    fn rest(&self) -> std::sync::MutexGuard<'_, Rest> {
        // What it guards is some numbers, whole at every moment.
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rests_until(&self) -> Option<Instant> {
        let rest = self.rest();
        rest.until.max(rest.doubted_until).filter(|until| *until > Instant::now())
    }

    fn answered(&self) {
        let mut rest = self.rest();
        (rest.failures, rest.until) = (0, None);
    }

    fn doubted(&self) {
        let (mut rest, now) = (self.rest(), Instant::now());
        if rest.doubted_until.is_some_and(|until| until + FORGIVEN_AFTER < now) {
            rest.doubts = 0;
        }
        rest.doubts = rest.doubts.saturating_add(1);
        rest.doubted_until = Some(now + backoff(rest.doubts, fastrand::f64()));
    }

    fn failed(&self, error: &ChainError) {
        let mut rest = self.rest();
        rest.failures = rest.failures.saturating_add(1);
        let wait = match error.retry_after() {
            Some(wait) => wait.min(LONGEST_RETRY_AFTER),
            None => backoff(rest.failures, fastrand::f64()),
        };
        rest.until = Some(Instant::now() + wait);
    }
}

/// The rest after the `failures`th failure in a row: 250 ms, doubled each time, 15 s at most, and
/// of that a part between a half and the whole (`jitter` from 0 to 1): those who failed together
/// do not come back together.
pub(crate) fn backoff(failures: u32, jitter: f64) -> Duration {
    let longest =
        FIRST_REST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_REST);
    longest.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_up_to_the_longest_and_jitter_takes_up_to_half() {
        assert_eq!(backoff(1, 1.0), Duration::from_millis(250));
        assert_eq!(backoff(2, 1.0), Duration::from_millis(500));
        assert_eq!(backoff(2, 0.0), Duration::from_millis(250));
        assert_eq!(backoff(u32::MAX, 1.0), LONGEST_REST);
    }
}
