use super::progress::Progress;
use crate::{
    audit::{AuditError, Auditor, Compared, Difference, Outcome, Subject},
    chain::identify,
    config::Config,
    health::Health,
    ledger::Position,
    metrics::Metrics,
    store::{Contradiction, Misplaced, SqliteStore, Store, StoreError},
};
use eyre::{Report, Result, bail};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    io::{Write, stdout},
    sync::Arc,
    time::Duration,
};
use tracing::{debug, error, warn};

/// Compares the tables with each other and with the contract, and says what differs.
pub(super) async fn audit(config: Config, as_json: bool) -> Result<()> {
    let providers = config.providers(&Arc::default())?;
    let pins =
        identify(&providers, config.chain_id, config.settlement, config.deploy_block).await?.pins;
    SqliteStore::check(&config.db, &pins).await?;
    let store = SqliteStore::open_existing(&config.db).await?;
    let auditor = Auditor::new(providers, store.clone(), pins.deployment);
    let progress = Progress::new("accounts and sessions compared");
    let contradictions = store.contradictions().await;
    let outcome = auditor.compare_all(|compared| progress.at(compared)).await;
    progress.done();
    store.close().await;
    let (contradictions, outcome) = (contradictions?, outcome.map_err(Report::from));
    if as_json {
        if let Some(object) = in_json(&outcome, &contradictions) {
            writeln!(stdout(), "{object}")?;
        }
    } else {
        for contradiction in &contradictions {
            let (subject, events, tables) = both_sides(contradiction);
            writeln!(stdout(), "{subject} is {events} by its events, and {tables} in the tables")?;
        }
        if let Ok(outcome) = &outcome {
            writeln!(stdout(), "{}", in_words(outcome))?;
        }
    }
    let differences = match outcome? {
        Outcome::Clean(_) => 0,
        Outcome::Differs(_, differences) => differences.len(),
        Outcome::StateUnavailable { .. } => {
            bail!("nothing could be compared with the contract: ask an archive node")
        }
        Outcome::Replaced(_) => bail!("nothing could be compared with the contract: run it again"),
    };
    match differences + contradictions.len() {
        0 => Ok(()),
        differences => bail!("{differences} differences: see `repair` and `rebuild`"),
    }
}

/// How many accounts, and sessions, one look of the daemon compares beside those that changed.
const SOME: u32 = 100;

/// Compares some of the ledger with the contract, for ever: the accounts that changed first, and all
/// others in rotation.
pub(super) async fn go_on<S: Store>(
    mut auditor: Auditor<S>,
    every: Option<Duration>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
) -> Infallible {
    let Some(every) = every else { return std::future::pending().await };
    loop {
        tokio::time::sleep(every).await;
        match auditor.look(SOME).await {
            Ok(Outcome::Clean(compared)) => {
                metrics.audit("clean", 0);
                health.compared(Some(compared.block.number), 0, Vec::new());
                debug!(block = compared.block.number, accounts = compared.accounts, "compared");
            }
            Ok(Outcome::Differs(Compared { block, .. }, differences)) => {
                metrics.audit("differs", differences.len());
                for difference in &differences {
                    error!(block = block.number, %difference, "the ledger is not the chain's");
                }
                let shown = differences.iter().take(10);
                let shown = shown.map(|difference| format!("block {}: {difference}", block.number));
                health.compared(Some(block.number), differences.len(), shown.collect());
            }
            // None of these says that anything is wrong: what was found before stands.
            Ok(Outcome::StateUnavailable { block, reason }) => {
                metrics.audit_undecided("state_unavailable");
                debug!(block = block.number, reason, "nothing could be compared");
            }
            Ok(Outcome::Replaced(block)) => {
                metrics.audit_undecided("replaced");
                debug!(block = block.number, "nothing could be compared");
            }
            Err(error @ AuditError::Store(StoreError::Balance(_))) => {
                metrics.audit("differs", 1);
                error!(%error, "the ledger does not add up");
                health.compared(None, 1, vec![error.to_string()]);
            }
            Err(error) => {
                metrics.audit_undecided("failed");
                warn!(%error, "nothing could be compared");
            }
        }
    }
}

fn in_words(outcome: &Outcome) -> String {
    let of = |Compared { block, accounts, sessions }: &Compared| {
        format!("block {} ({}): {accounts} accounts, {sessions} sessions", block.number, block.hash)
    };
    match outcome {
        Outcome::Clean(compared) => format!("{}: no difference", of(compared)),
        Outcome::Differs(compared, differences) => {
            let lines: Vec<String> = differences.iter().map(Difference::to_string).collect();
            format!("{}\n{}", of(compared), lines.join("\n"))
        }
        Outcome::StateUnavailable { block, reason } => {
            format!("block {}: state unavailable: {reason}", block.number)
        }
        Outcome::Replaced(block) => format!("block {} was replaced meanwhile", block.number),
    }
}

/// What it is about, what the events say and what the tables do.
fn both_sides(contradiction: &Contradiction) -> (String, u64, u64) {
    match *contradiction {
        Contradiction::Balance { holding, events, tables } => {
            (Subject::from(holding).to_string(), events.get(), tables.get())
        }
        Contradiction::Owed { events, tables } => {
            (Subject::TotalOwed.to_string(), events.get(), tables.get())
        }
        Contradiction::NoBlock(number) => (format!("block {number}, which has events,"), 1, 0),
        Contradiction::Misplaced { what, by_event } => {
            let what = match what {
                Misplaced::Settlement(session) => Subject::Settled(session).to_string(),
                Misplaced::WalletEvent(account, Position { block, log_index }) => {
                    format!("event {log_index} of block {block}, as {account} sees it,")
                }
                Misplaced::Skip(session, Position { block, log_index }) => {
                    let session = session.0;
                    format!("event {log_index} of block {block}, as one that skips {session},")
                }
                Misplaced::LimitsSet(account, Position { block, log_index }) => {
                    format!("event {log_index} of block {block}, as one that limits {account},")
                }
            };
            (what, by_event.into(), (!by_event).into())
        }
    }
}

/// One object, where there is anything to say.
fn in_json(outcome: &Result<Outcome>, contradictions: &[Contradiction]) -> Option<Value> {
    let contradictions = contradictions.iter().map(|contradiction| {
        let (subject, events, tables) = both_sides(contradiction);
        json!({
            "subject": subject,
            "events": events.to_string(),
            "tables": tables.to_string(),
        })
    });
    let mut all: Vec<Value> = contradictions.collect();
    let mut object = match outcome {
        Ok(Outcome::Clean(compared)) => of_compared("clean", compared),
        Ok(Outcome::Differs(compared, differences)) => {
            all.extend(differences.iter().map(|Difference { subject, chain, tables }| {
                json!({
                    "subject": subject.to_string(),
                    "chain": chain.to_string(),
                    "tables": tables.to_string(),
                })
            }));
            of_compared("differs", compared)
        }
        Ok(Outcome::StateUnavailable { block, reason }) => json!({
            "result": "stateUnavailable", "block": block.number, "reason": reason,
        }),
        Ok(Outcome::Replaced(block)) => json!({ "result": "replaced", "block": block.number }),
        Err(_) if all.is_empty() => return None,
        Err(_) => json!({}),
    };
    if !all.is_empty() {
        object["result"] = "differs".into();
    }
    object["differences"] = all.into();
    Some(object)
}

fn of_compared(result: &str, compared: &Compared) -> Value {
    json!({
        "result": result,
        "block": compared.block.number,
        "blockHash": compared.block.hash,
        "accounts": compared.accounts,
        "sessions": compared.sessions,
    })
}
