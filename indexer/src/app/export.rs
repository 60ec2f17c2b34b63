use crate::{
    config::ExportFormat,
    ledger::{Block, Change, Event},
    store::SqliteStore,
};
use alloy::primitives::Address;
use eyre::{Result, WrapErr};
use luxxon_bindings::MicroUsdc;
use serde::Serialize;
use std::{
    fs::{self, File},
    io::{self, BufWriter, ErrorKind, Write, stdout},
    path::{Path, PathBuf},
};

/// An event as it is written out. Amounts are µUSDC, as text: some programs read numbers as floats.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    block_number: String,
    log_index: String,
    block_hash: String,
    /// Unix time in seconds.
    block_time: String,
    tx_hash: String,
    kind: &'static str,
    account: String,
    counterparty: Option<String>,
    amount: Option<String>,
    to_amount: Option<String>,
    fee_amount: Option<String>,
    rate_per_second: Option<String>,
    chargeable_seconds: Option<String>,
    session_hash: Option<String>,
    allowance: Option<String>,
    max_rate_per_second: Option<String>,
    max_per_session: Option<String>,
    max_per_day: Option<String>,
    /// The entry's place in its batch.
    entry_index: Option<String>,
    /// The selector of the contract's error.
    reason: Option<String>,
}

const NAMES: &str = "blockNumber,logIndex,blockHash,blockTime,txHash,kind,account,counterparty,\
                     amount,toAmount,feeAmount,ratePerSecond,chargeableSeconds,sessionHash,allowance,\
                     maxRatePerSecond,maxPerSession,maxPerDay,entryIndex,reason";

/// Writes every event, to `out` or to standard output.
pub(super) async fn export(db: PathBuf, format: ExportFormat, out: Option<PathBuf>) -> Result<()> {
    let store = SqliteStore::open_existing(&db).await?;
    let written = match &out {
        Some(path) => to_file(&store, format, path).await,
        None => match write(&store, format, BufWriter::new(stdout().lock())).await {
            // Who reads has read enough.
            Err(error) if is_closed_pipe(&error) => Ok(()),
            written => written,
        },
    };
    store.close().await;
    written
}

/// The file is there when it is whole.
async fn to_file(store: &SqliteStore, format: ExportFormat, path: &Path) -> Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let named = || format!("{} (--out)", path.display());
    let file = File::create(&part).wrap_err_with(named)?;
    let written = write(store, format, BufWriter::new(&file)).await;
    let kept = written
        .and_then(|()| file.sync_all().and_then(|()| fs::rename(&part, path)).wrap_err_with(named));
    if kept.is_err() {
        let _ = fs::remove_file(&part);
    }
    kept
}

async fn write(store: &SqliteStore, format: ExportFormat, mut out: impl Write) -> Result<()> {
    if format == ExportFormat::Csv {
        writeln!(out, "{NAMES}")?;
    }
    let each = |event: &Event, block: &Block| -> io::Result<()> {
        let row = Row::of(event, block);
        match format {
            ExportFormat::Csv => writeln!(out, "{}", row.csv()),
            ExportFormat::Jsonl => {
                serde_json::to_writer(&mut out, &row)?;
                writeln!(out)
            }
        }
    };
    store.each_event(each).await??;
    Ok(out.flush()?)
}

fn is_closed_pipe(error: &eyre::Report) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

impl Row {
    fn of(event: &Event, block: &Block) -> Self {
        let row = Self {
            block_number: event.position.block.to_string(),
            log_index: event.position.log_index.to_string(),
            block_hash: block.hash.to_string(),
            block_time: block.timestamp.to_string(),
            tx_hash: event.tx_hash.to_string(),
            ..Self::default()
        };
        let moved = |kind, account: &Address, amount: &MicroUsdc| Self {
            kind,
            account: account.to_string(),
            amount: Some(amount.to_string()),
            ..Self::default()
        };
        let what = match &event.change {
            Change::Deposit { account, payer, amount } => {
                Self { counterparty: Some(payer.to_string()), ..moved("DEPOSIT", account, amount) }
            }
            Change::Withdrawal { account, amount } => moved("WITHDRAWAL", account, amount),
            Change::PayoutHeld { account, amount } => moved("PAYOUT_HELD", account, amount),
            Change::Claimed { account, amount } => moved("CLAIMED", account, amount),
            Change::Settle(paid) => Self {
                counterparty: Some(paid.to.to_string()),
                to_amount: Some(paid.to_amount.to_string()),
                fee_amount: Some(paid.fee_amount.to_string()),
                rate_per_second: Some(paid.rate_per_second.to_string()),
                chargeable_seconds: Some(paid.chargeable_seconds.to_string()),
                session_hash: Some(paid.session.0.to_string()),
                ..moved("SETTLE", &paid.from, &paid.gross)
            },
            Change::Approval { owner, allowance } => Self {
                kind: "APPROVAL",
                account: owner.to_string(),
                allowance: Some(allowance.to_string()),
                ..Self::default()
            },
            Change::LimitsSet { account, limits } => Self {
                kind: "LIMITS_SET",
                account: account.to_string(),
                max_rate_per_second: Some(limits.max_rate_per_second.to_string()),
                max_per_session: Some(limits.max_per_session.to_string()),
                max_per_day: Some(limits.max_per_day.to_string()),
                ..Self::default()
            },
            Change::EntrySkipped { session, from, index, reason } => Self {
                kind: "ENTRY_SKIPPED",
                account: from.to_string(),
                session_hash: Some(session.0.to_string()),
                entry_index: Some(index.to_string()),
                reason: Some(reason.to_string()),
                ..Self::default()
            },
        };
        let Self { block_number, log_index, block_hash, block_time, tx_hash, .. } = row;
        Self { block_number, log_index, block_hash, block_time, tx_hash, ..what }
    }

    /// No value holds a comma or a quote.
    fn csv(&self) -> String {
        let or_nothing = |value: &Option<String>| value.clone().unwrap_or_default();
        [
            self.block_number.clone(),
            self.log_index.clone(),
            self.block_hash.clone(),
            self.block_time.clone(),
            self.tx_hash.clone(),
            self.kind.to_owned(),
            self.account.clone(),
            or_nothing(&self.counterparty),
            or_nothing(&self.amount),
            or_nothing(&self.to_amount),
            or_nothing(&self.fee_amount),
            or_nothing(&self.rate_per_second),
            or_nothing(&self.chargeable_seconds),
            or_nothing(&self.session_hash),
            or_nothing(&self.allowance),
            or_nothing(&self.max_rate_per_second),
            or_nothing(&self.max_per_session),
            or_nothing(&self.max_per_day),
            or_nothing(&self.entry_index),
            or_nothing(&self.reason),
        ]
        .join(",")
    }
}
