//! What the daemon counts, for Prometheus.

use crate::ledger::{Block, Change, Event, error_name};
use alloy::primitives::Selector;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Reasons without a name that are told apart. The contract has a name for each that it gives: these
/// are for one that is not what it was taken for, which must not fill the memory.
const MOST_UNNAMED: usize = 16;

/// Counters and gauges, and the registry that names them. Shared by the parts of one daemon.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    head: Gauge,
    cursor: Gauge,
    safe: Gauge,
    finalized: Gauge,
    lag_blocks: Gauge,
    lag_seconds: Gauge,
    /// Unix time of the cursor's block; 0 before there is one.
    cursor_time: AtomicU64,
    events: Counter,
    entries_skipped: Family<SkipLabels, Counter>,
    unnamed_reasons: Mutex<BTreeSet<Selector>>,
    reorg_depth: Histogram,
    rpc_calls: Family<RpcLabels, Counter>,
    range_blocks: Gauge,
    commit_seconds: Histogram,
    audits: Family<AuditLabels, Counter>,
    differences: Gauge,
}

/// How far the ledger has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// The last block that is in.
    pub(crate) cursor: u64,
    /// The node's last block.
    pub(crate) head: u64,
    /// Events taken in since the start.
    pub(crate) events: u64,
}

/// What a transaction takes in, as far as it is counted.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    events: u64,
    /// How many entries were skipped for each reason.
    skipped: BTreeMap<Selector, u64>,
}

impl Taken {
    /// What `events` are.
    pub(crate) fn of(events: &[Event]) -> Self {
        let mut taken = Self { events: events.len() as u64, ..Self::default() };
        for event in events {
            if let Change::EntrySkipped { reason, .. } = event.change {
                *taken.skipped.entry(reason).or_default() += 1;
            }
        }
        taken
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SkipLabels {
    reason: Cow<'static, str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RpcLabels {
    method: &'static str,
    provider: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AuditLabels {
    result: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("luxxon_indexer"),
            head: Gauge::default(),
            cursor: Gauge::default(),
            safe: Gauge::default(),
            finalized: Gauge::default(),
            lag_blocks: Gauge::default(),
            lag_seconds: Gauge::default(),
            cursor_time: AtomicU64::new(0),
            events: Counter::default(),
            entries_skipped: Family::default(),
            unnamed_reasons: Mutex::default(),
            reorg_depth: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]),
            rpc_calls: Family::default(),
            range_blocks: Gauge::default(),
            commit_seconds: Histogram::new([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]),
            audits: Family::default(),
            differences: Gauge::default(),
        };
        metrics.registered()
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let all = &mut self.registry;
        all.register("head", "The node's last block", self.head.clone());
        all.register("cursor", "The last block that is in", self.cursor.clone());
        all.register("safe", "The last block that is in and safe", self.safe.clone());
        all.register("finalized", "The last block that is in and final", self.finalized.clone());
        all.register("lag_blocks", "Blocks of the node that are not in", self.lag_blocks.clone());
        let help = "Age of the last block that is in";
        all.register_with_unit("lag", help, Unit::Seconds, self.lag_seconds.clone());
        all.register("events", "Events taken in", self.events.clone());
        let help = "Entries that batches left out, by the contract's error";
        all.register("entries_skipped", help, self.entries_skipped.clone());
        let help = "Blocks taken back by a reorg";
        all.register("reorg_depth", help, self.reorg_depth.clone());
        all.register("rpc_calls", "Calls of nodes, by their outcome", self.rpc_calls.clone());
        all.register("range_blocks", "Blocks asked for at once", self.range_blocks.clone());
        let help = "Time a transaction of the ledger took";
        all.register_with_unit("commit", help, Unit::Seconds, self.commit_seconds.clone());
        all.register("audits", "Comparisons with the contract", self.audits.clone());
        let help = "Differences that the last comparison found";
        all.register("audit_differences", help, self.differences.clone());
        self
    }

    /// A call of a node.
    pub(crate) fn rpc_call(&self, method: &'static str, provider: &str, outcome: &'static str) {
        let labels = RpcLabels { method, provider: provider.to_owned(), outcome };
        self.rpc_calls.get_or_create(&labels).inc();
    }

    /// Where ledger and node stand.
    pub(crate) fn stands(&self, cursor: Block, safe: u64, finalized: u64, head: u64) {
        self.cursor.set(cursor.number.cast_signed());
        self.safe.set(safe.cast_signed());
        self.finalized.set(finalized.cast_signed());
        self.head.set(head.cast_signed());
        self.lag_blocks.set(head.saturating_sub(cursor.number).cast_signed());
        self.cursor_time.store(cursor.timestamp, Ordering::Relaxed);
    }

    /// A transaction that took in `taken`.
    pub(crate) fn committed(&self, taken: &Taken, took: Duration) {
        self.events.inc_by(taken.events);
        for (reason, count) in &taken.skipped {
            let labels = SkipLabels { reason: self.name_of(*reason) };
            self.entries_skipped.get_or_create(&labels).inc_by(*count);
        }
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// The name of the contract's error, else its selector; else, where there are too many of those,
    /// one word for all of them.
    fn name_of(&self, reason: Selector) -> Cow<'static, str> {
        if let Some(name) = error_name(reason) {
            return name.into();
        }
        let mut unnamed = self.unnamed_reasons.lock().unwrap_or_else(PoisonError::into_inner);
        if unnamed.len() < MOST_UNNAMED {
            unnamed.insert(reason);
        }
        if unnamed.contains(&reason) { reason.to_string().into() } else { "other".into() }
    }

    /// How far the ledger has come.
    pub(crate) fn counts(&self) -> Counts {
        let [cursor, head] = [&self.cursor, &self.head].map(|gauge| gauge.get().cast_unsigned());
        Counts { cursor, head, events: self.events.get() }
    }

    /// Blocks were asked for at once.
    pub(crate) fn range(&self, blocks: u64) {
        self.range_blocks.set(blocks.cast_signed());
    }

    /// The chain gave up blocks.
    #[expect(clippy::cast_precision_loss, reason = "a depth is small")]
    pub(crate) fn reorg(&self, depth: u64) {
        self.reorg_depth.observe(depth as f64);
    }

    /// A comparison with the contract that came to an end: `clean` or `differs`.
    pub(crate) fn audit(&self, result: &'static str, differences: usize) {
        self.audit_undecided(result);
        self.differences.set(i64::try_from(differences).unwrap_or(i64::MAX));
    }

    /// A comparison that did not: `state_unavailable`, `replaced` or `failed`.
    pub(crate) fn audit_undecided(&self, result: &'static str) {
        self.audits.get_or_create(&AuditLabels { result }).inc();
    }

    /// Everything, in Prometheus' text format.
    ///
    /// # Errors
    ///
    /// None that is known: the text is written into memory.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let time = self.cursor_time.load(Ordering::Relaxed);
        if time > 0 {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            self.lag_seconds.set(now.saturating_sub(time).cast_signed());
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CONSUMER, block, deposit, one_block};
    use alloy::{
        primitives::{B256, fixed_bytes},
        sol_types::SolError,
    };
    use luxxon_bindings::{
        SessionId,
        settlement::LuxxonSettlement::{DayLimitExceeded, InsufficientPool},
    };

    /// A transaction with an event for each of these reasons, behind one that is none.
    fn skipping(reasons: impl IntoIterator<Item = Selector>) -> Taken {
        let skipped = |reason| Change::EntrySkipped {
            session: SessionId(B256::ZERO),
            from: CONSUMER,
            index: 0,
            reason,
        };
        let changes = [deposit(CONSUMER, 1)].into_iter().chain(reasons.into_iter().map(skipped));
        Taken::of(&one_block(block(100), changes).events)
    }

    #[test]
    fn skipped_entries_are_counted_by_the_name_of_the_error_else_by_its_selector() {
        let metrics = Metrics::default();
        let (pool, day) = (InsufficientPool::SELECTOR.into(), DayLimitExceeded::SELECTOR.into());
        let unnamed = fixed_bytes!("0x0badf00d");
        metrics.committed(&skipping([pool, unnamed, pool, day]), Duration::ZERO);
        metrics.committed(&skipping([]), Duration::ZERO);
        metrics.committed(&skipping([pool]), Duration::ZERO);
        let text = metrics.text().unwrap();
        for line in [
            "luxxon_indexer_events_total 8",
            "luxxon_indexer_entries_skipped_total{reason=\"InsufficientPool\"} 3",
            "luxxon_indexer_entries_skipped_total{reason=\"DayLimitExceeded\"} 1",
            "luxxon_indexer_entries_skipped_total{reason=\"0x0badf00d\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn however_many_reasons_there_are_their_labels_are_few() {
        let metrics = Metrics::default();
        let reasons = (0..1_000u32).map(|number| Selector::from(number.to_be_bytes()));
        metrics.committed(&skipping(reasons), Duration::ZERO);
        // Those that are told apart still are.
        metrics.committed(&skipping([Selector::ZERO]), Duration::ZERO);
        let text = metrics.text().unwrap();
        let skipped: Vec<_> =
            text.lines().filter(|line| line.contains("entries_skipped_total{")).collect();
        assert_eq!(skipped.len(), MOST_UNNAMED + 1, "{text}");
        let others = format!("{{reason=\"other\"}} {}", 1_000 - MOST_UNNAMED);
        assert!(skipped.iter().any(|line| line.ends_with(&others)), "{text}");
        assert!(skipped.iter().any(|line| line.ends_with("{reason=\"0x00000000\"} 2")), "{text}");
    }

    #[test]
    fn what_was_counted_is_in_the_text_under_its_name() {
        let metrics = Metrics::default();
        metrics.stands(Block { number: 7, hash: B256::ZERO, timestamp: 1 }, 5, 3, 9);
        metrics.rpc_call("eth_getLogs", "https://base.example", "busy");
        metrics.reorg(2);
        metrics.audit("differs", 4);
        let text = metrics.text().unwrap();
        for line in [
            "luxxon_indexer_head 9",
            "luxxon_indexer_cursor 7",
            "luxxon_indexer_safe 5",
            "luxxon_indexer_finalized 3",
            "luxxon_indexer_lag_blocks 2",
            "luxxon_indexer_rpc_calls_total{method=\"eth_getLogs\",provider=\"https://base.example\",outcome=\"busy\"} 1",
            "luxxon_indexer_reorg_depth_bucket{le=\"2.0\"} 1",
            "luxxon_indexer_audits_total{result=\"differs\"} 1",
            "luxxon_indexer_audit_differences 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.contains("luxxon_indexer_lag_seconds "), "{text}");
    }
}
