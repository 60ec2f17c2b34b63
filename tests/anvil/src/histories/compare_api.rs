//! The API and the model, side by side.

use super::{
    base::Base,
    cast::Players,
    chain::Block,
    client::Client,
    expected::{Expected, Seen, Shown},
    sessions::{Terms, hash_of, number_of, terms_of, uuid_of},
    view::View,
};
use crate::model::Entry;
use alloy::primitives::{Address, B256};
use axum::Router;
use eyre::{Result, ensure, eyre};
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// What is compared, and with what.
pub(super) struct Comparison<'a> {
    pub(super) base: &'a Base,
    pub(super) players: &'a Players,
    pub(super) router: &'a Router,
    pub(super) view: &'a View,
    pub(super) expected: &'a Expected,
}

impl Comparison<'_> {
    /// `GET /wallet`.
    pub(super) async fn wallet(&self, client: &mut Client, wallet: usize) -> Result<()> {
        let found = client.data(self.router, self.view, "/wallet").await?;
        self.is_wallet(found, wallet)
    }

    /// Whether an answer is the wallet as the view has it.
    pub(super) fn is_wallet(&self, mut found: Value, wallet: usize) -> Result<()> {
        let address = self.players.wallets()[wallet];
        let [latest, safe, last_final] = self.view.levels();
        take_time(&mut found, "updatedAt", latest)?;
        let account = latest.model.account(address);
        let expected = json!({
            "workspaceId": self.base.workspaces[wallet],
            "walletAddress": address.to_string(),
            "trackedBalance": account.pool.to_string(),
            "lastSyncBlock": latest.number.to_string(),
            "blockHash": latest.hash,
            "claimable": latest.model.held_for(address).to_string(),
            "limits": {
                "maxRatePerSecond": account.max_rate.to_string(),
                "maxPerSession": account.max_session.to_string(),
                "maxPerDay": account.max_day.to_string(),
            },
            "safe": level(safe, address),
            "finalized": level(last_final, address),
        });
        same(&found, &expected)
    }

    /// All pages of `GET /wallet/events`, so many events in each.
    pub(super) async fn events(
        &self,
        client: &mut Client,
        wallet: usize,
        limit: usize,
    ) -> Result<()> {
        let history = self.expected.history(self.players.wallets()[wallet]);
        let mut cursor = String::new();
        for page in history.chunks(limit).chain([&[][..]]) {
            let path = format!("/wallet/events?limit={limit}{cursor}");
            let found = client.data(self.router, self.view, &path).await?;
            let found = found.as_array().cloned().unwrap_or_default();
            ensure!(found.len() == page.len(), "{path}: {found:?}, {page:?}");
            for (mut found, shown) in found.into_iter().zip(page) {
                take_time(&mut found, "confirmedAt", &shown.block)?;
                same(&found, &self.event(shown, wallet))?;
            }
            if let Some(last) = page.last() {
                cursor = format!("&cursor={}", last.id());
            }
        }
        Ok(())
    }

    fn event(&self, shown: &Shown, wallet: usize) -> Value {
        let number = shown.session.and_then(number_of);
        let uuid = number.filter(|number| terms_of(*number).is_some()).map(uuid_of);
        let mut event = json!({
            "id": shown.id(),
            "workspaceId": self.base.workspaces[wallet],
            "kind": shown.kind,
            "txHash": shown.tx_hash,
            "blockNumber": shown.block.number.to_string(),
            "amountUsdc": shown.amount,
            "relatedSession": uuid,
        });
        if let (Some(session), None) = (shown.session, uuid) {
            event["relatedSessionHash"] = json!(session);
        }
        event
    }

    /// `GET /settlements/{id}` by one of its sides.
    pub(super) async fn settlement(&self, clients: &mut [Client], number: u8) -> Result<()> {
        let session = hash_of(number);
        let settled = self.expected.settled.get(&session);
        let registered = terms_of(number);
        let wallets = self.players.wallets();
        let side = match (registered, settled) {
            (Some(terms), _) => Some(terms.consumer),
            (None, Some(seen)) => wallets.iter().position(|wallet| *wallet == seen.what.to),
            (None, None) => None,
        };
        let path = format!("/settlements/{}", uuid_of(number));
        let client = &mut clients[side.unwrap_or_default()];
        if side.is_none() {
            let answer = client.get(self.router, self.view, &path).await?;
            ensure!(answer.body["code"] == "SESSION_NOT_FOUND", "{path}: {}", answer.body);
            return Ok(());
        }
        let mut found = client.data(self.router, self.view, &path).await?;
        if let Some(seen) = settled {
            take_time(&mut found, "confirmedAt", &seen.block)?;
        }
        same(&found, &self.payment(number, session, registered, settled))
    }

    fn payment(
        &self,
        number: u8,
        session: B256,
        registered: Option<Terms>,
        settled: Option<&Seen<Entry>>,
    ) -> Value {
        let due = registered.and_then(|terms| terms.due(session, self.players));
        let free = due.is_some_and(|due| due.gross() == 0);
        let state = match (settled, due) {
            (Some(_), _) => "CONFIRMED",
            (None, None) => "NOT_READY",
            (None, Some(_)) if free => "CONFIRMED",
            (None, Some(_)) => "PENDING",
        };
        let mut payment = Map::new();
        let mut say = |name: &str, value: Value| drop(payment.insert(name.to_owned(), value));
        say("sessionId", json!(uuid_of(number)));
        say("state", json!(state));
        say_if(&mut say, "nothingToSettle", settled.is_none() && free);
        if let Some(Seen { block, tx_hash, what, .. }) = settled {
            say("txHash", json!(tx_hash));
            say("finality", json!(self.view.finality(block.number)));
            if let Some(terms) = registered {
                let differences = differences(terms, due, what, self.players);
                if !differences.is_empty() {
                    say("differences", json!(differences));
                }
            }
        }
        if let Some(Seen { block, tx_hash, what: (_, reason), .. }) =
            self.expected.skipped.get(&session)
        {
            let block = block.number.to_string();
            let skip = json!({ "reason": reason, "txHash": tx_hash, "blockNumber": block });
            say("lastSkip", skip);
        }
        if let (Some(terms), Some(entry)) = (registered, settled.map(|seen| seen.what).or(due)) {
            say("payload", self.payload(terms, &entry));
        }
        Value::Object(payment)
    }

    fn payload(&self, terms: Terms, entry: &Entry) -> Value {
        let consumers = self.players.consumers.len();
        json!({
            "sessionIdHash": entry.session,
            "from": entry.from.to_string(),
            "to": entry.to.to_string(),
            "toAmount": entry.to_amount.to_string(),
            "feeAmount": entry.fee_amount.to_string(),
            "ratePerSecond": entry.rate.to_string(),
            "chargeableSeconds": u64::try_from(entry.seconds).unwrap_or(u64::MAX),
            "consumerWorkspaceId": self.base.workspaces[terms.consumer],
            "operatorWorkspaceId": self.base.workspaces[consumers + terms.operator],
            "platformFeeBps": terms.bps,
        })
    }
}

fn say_if(say: &mut impl FnMut(&str, Value), name: &str, condition: bool) {
    if condition {
        say(name, json!(true));
    }
}

/// Which fields were settled differently. While a session goes on, nobody knows what it costs.
fn differences(terms: Terms, due: Option<Entry>, settled: &Entry, players: &Players) -> Vec<Value> {
    let (consumer, operator) =
        (players.consumers[terms.consumer], players.operators[terms.operator]);
    let due = due.unwrap_or(*settled);
    let fields = [
        ("from", consumer.to_string(), settled.from.to_string()),
        ("to", operator.to_string(), settled.to.to_string()),
        ("toAmount", due.to_amount.to_string(), settled.to_amount.to_string()),
        ("feeAmount", due.fee_amount.to_string(), settled.fee_amount.to_string()),
        ("ratePerSecond", terms.rate.to_string(), settled.rate.to_string()),
        ("chargeableSeconds", due.seconds.to_string(), settled.seconds.to_string()),
    ];
    let different = fields.into_iter().filter(|(_, registered, settled)| registered != settled);
    different
        .map(|(field, registered, settled)| {
            json!({ "field": field, "registered": registered, "settled": settled })
        })
        .collect()
}

fn level(block: &Block, wallet: Address) -> Value {
    json!({
        "balance": block.model.account(wallet).pool.to_string(),
        "claimable": block.model.held_for(wallet).to_string(),
        "blockNumber": block.number.to_string(),
        "blockHash": block.hash,
    })
}

/// Takes a time out of an answer; it must be the block's.
fn take_time(found: &mut Value, field: &str, block: &Block) -> Result<()> {
    let text = found.as_object_mut().and_then(|object| object.remove(field));
    let text = text.ok_or_else(|| eyre!("no {field} in {found}"))?;
    let time = OffsetDateTime::parse(text.as_str().unwrap_or_default(), &Rfc3339)?;
    let expected = i128::from(block.timestamp) * 1_000_000_000;
    ensure!(time.unix_timestamp_nanos() == expected, "{field} of {found} is {text}");
    Ok(())
}

#[track_caller]
fn same(found: &Value, expected: &Value) -> Result<()> {
    ensure!(found == expected, "the API says\n{found}\nand the model\n{expected}");
    Ok(())
}
