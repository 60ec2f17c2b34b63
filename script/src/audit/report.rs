//! What an audit without a violation comes to, for people and for programs.

use super::{Check, Counts, History, check::NOT_VISIBLE, roles::Change};
use crate::chain::{seconds_as_text, timestamp};
use alloy::primitives::{Address, U256};
use luxxon_bindings::MicroUsdc;
use luxxon_indexer::ledger::Block;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt};

/// Whether the contract's state after the last block was compared with its logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is what its logs make it.
    Compared {
        /// `deposits`, `claimable` and `limitsOf` of so many.
        accounts: usize,
        /// `settled` of so many.
        sessions: usize,
    },
    /// The node no longer has it, in its own words.
    Unavailable(String),
}

/// All that was found, where nothing was wrong.
#[derive(Clone, Debug)]
pub struct Report {
    pub(super) chain_id: u64,
    pub(super) address: Address,
    pub(super) usdc: Address,
    pub(super) code_is_ours: bool,
    pub(super) first: u64,
    pub(super) last: Block,
    pub(super) state: State,
    pub(super) owed: MicroUsdc,
    pub(super) held: Option<U256>,
    pub(super) events: BTreeMap<&'static str, u64>,
    pub(super) counts: Counts,
    pub(super) relayer_delay: u64,
    pub(super) roles: Vec<Change>,
}

impl Report {
    pub(super) fn of(history: History, chain_id: u64, last: Block, state: State) -> Self {
        let (owed, held) = (history.owed(), history.held());
        let History { deployment, counts, events, roles, .. } = history;
        Self {
            chain_id,
            address: deployment.settlement,
            usdc: deployment.usdc,
            code_is_ours: false,
            first: deployment.deploy_block,
            last,
            state,
            owed,
            held,
            events,
            counts,
            relayer_delay: roles.delay,
            roles: roles.history,
        }
    }

    /// One object.
    #[must_use]
    pub fn json(&self) -> Value {
        let (result, state) = match &self.state {
            State::Compared { accounts, sessions } => {
                ("clean", json!({ "accounts": accounts, "sessions": sessions }))
            }
            State::Unavailable(reason) => ("stateUnavailable", json!({ "unavailable": reason })),
        };
        let checks = Check::ALL.map(|check| {
            json!({
                "check": check,
                "invariants": check.invariants(),
                "checked": self.counts.of(check),
            })
        });
        let roles = self.roles.iter().map(|change| {
            json!({
                "block": change.at.position.block,
                "time": timestamp(change.time),
                "txHash": change.at.tx_hash,
                "change": change.words,
            })
        });
        json!({
            "result": result,
            "chainId": self.chain_id,
            "address": self.address.to_string(),
            "usdc": self.usdc.to_string(),
            "codeIsCommitted": self.code_is_ours,
            "firstBlock": self.first,
            "lastBlock": self.last.number,
            "lastBlockHash": self.last.hash,
            "totalOwed": self.owed,
            "held": self.held.map(|held| held.to_string()),
            "events": self.events,
            "state": state,
            "checks": checks,
            "notVisible": NOT_VISIBLE,
            "relayerDelay": self.relayer_delay,
            "roles": roles.collect::<Vec<Value>>(),
        })
    }

    fn write_checks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nInvariants, by their numbers in docs/SECURITY.md:")?;
        for check in Check::ALL {
            let numbers: Vec<String> = check.invariants().iter().map(u8::to_string).collect();
            let (words, what) = check.words();
            let (count, numbers) = (self.counts.of(check), numbers.join(", "));
            let verdict = if count == 0 {
                "nothing to check".to_owned()
            } else {
                format!("holds ({count} {what})")
            };
            writeln!(f, "  {numbers:>5}  {words:<61}  {verdict}")?;
        }
        let hidden = NOT_VISIBLE.map(|number| number.to_string()).join(", ");
        writeln!(f, "Not to be seen from outside: {hidden}, and who called: a log names no caller.")
    }

    fn write_roles(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let delay = seconds_as_text(self.relayer_delay);
        writeln!(f, "\nRoles, a relayer's hand-over taking {delay}:")?;
        for Change { at, time, words } in &self.roles {
            let (block, tx_hash) = (at.position.block, at.tx_hash);
            writeln!(f, "  block {block}, {}  {words}\n    {tx_hash}", timestamp(*time))?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain_id, address, usdc, first, last, owed, .. } = self;
        let time = timestamp(last.timestamp);
        writeln!(f, "LuxxonSettlement at {address} on chain {chain_id}")?;
        writeln!(f, "  USDC         {usdc}")?;
        let code = if self.code_is_ours {
            "the committed one"
        } else {
            "ANOTHER than the committed one: see `luxxon verify`"
        };
        writeln!(f, "  code         {code}")?;
        writeln!(f, "  blocks       {first} to {}, of {time}", last.number)?;
        writeln!(f, "               {}", last.hash)?;
        let events = self.events.iter().map(|(name, count)| format!("{count} {}", spaced(name)));
        let events: Vec<String> = events.collect();
        writeln!(f, "  events       {}", events.join(", "))?;
        let surplus = self.held.map(|held| (held, held.saturating_sub(U256::from(owed.get()))));
        let held = surplus.map_or("not known".to_owned(), |(held, surplus)| {
            format!("{held} µUSDC, {surplus} of it surplus")
        });
        writeln!(f, "  owes         {owed} µUSDC\n  holds        {held}")?;
        self.write_checks(f)?;
        self.write_roles(f)?;
        match &self.state {
            State::Compared { accounts, sessions } => write!(
                f,
                "\nclean: no violation, and in the state after block {} {accounts} accounts and \
                 {sessions} sessions are what the logs make them",
                last.number
            ),
            State::Unavailable(reason) => {
                write!(f, "\nno violation in the logs, but the state was not compared: {reason}")
            }
        }
    }
}

/// `skippedEntries` as people write it.
fn spaced(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_json_are_words_for_people() {
        assert_eq!(["claims", "skippedEntries"].map(spaced), ["claims", "skipped entries"]);
    }
}
