//! What is read from the node: the logs, and in the end the contract's state.

use super::{Check, History, Place, Progress, Violated, Violation, fact::is_first, report::State};
use crate::{
    chain::Node,
    contract::{PendingRelayer, State as Getters},
};
use alloy::primitives::{Address, U256};
use eyre::{Result, ensure};
use luxxon_bindings::SessionId;
use luxxon_indexer::{
    audit::{Difference, Subject, compare},
    chain::{ChainError, Providers, RangeLogs},
    ledger::{Block, Deployment},
    store::AccountState,
    sync::Replay,
};

/// Accounts, or sessions, that are compared before progress is looked at.
const PAGE: usize = 500;

/// Takes all logs up to `last` into `history`.
pub(super) async fn logs(
    providers: &Providers,
    history: &mut History,
    last: Block,
    progress: &mut Progress,
) -> Result<()> {
    let deployment = history.deployment;
    // The block before tells what the contract's address held already.
    let first = deployment.deploy_block.saturating_sub(1);
    let mut replay = Replay::new(providers.clone(), deployment, first, last);
    let (mut count, mut begun) = (0, false);
    while let Some(range) = replay.next().await? {
        if !begun && let Some(begins) = begins(history, &range) {
            ensure!(
                begins,
                "the contract's first log is not its constructor's: --deploy-block is too high, \
                 or the node does not have all logs"
            );
            begun = true;
        }
        if !history.adds_up(&range) && replay.again_in_parts(&range) {
            continue;
        }
        history.take(&range).map_err(Violated)?;
        count += range.logs.len();
        let at = range.blocks.last().map_or(range.first.number, |block| block.number);
        progress.at(|| format!("block {at} of {}, {count} logs", last.number));
    }
    ensure!(begun, "the node has no log of the contract's: it does not have all logs");
    Ok(())
}

/// Whether the contract's first log is its constructor's; `None` where there is none in `range`.
fn begins(history: &History, range: &RangeLogs) -> Option<bool> {
    let Deployment { settlement, deploy_block, .. } = history.deployment;
    let first = range.logs.iter().find(|raw| raw.log.address == settlement)?;
    Some(is_first(first) && first.position.block >= deploy_block)
}

/// Compares the contract's state after `last` with what `history` makes it.
pub(super) async fn state(
    node: &Node,
    providers: &Providers,
    history: &History,
    last: Block,
    progress: &mut Progress,
) -> Result<State> {
    let accounts: Vec<AccountState> = history.accounts().collect();
    let sessions: Vec<SessionId> = history.sessions();
    let all = accounts.len() + sessions.len();
    let empty = [(&accounts[..0], &sessions[..0])];
    let pages = empty
        .into_iter()
        .chain(accounts.chunks(PAGE).map(|some| (some, &sessions[..0])))
        .chain(sessions.chunks(PAGE).map(|some| (&accounts[..0], some)));
    let (mut done, mut owed) = (0, Some(history.owed()));
    for (accounts, sessions) in pages {
        let deployment = &history.deployment;
        // The sums come first, once.
        let compared = compare(providers, deployment, last, owed.take(), accounts, sessions).await;
        let differences = match compared {
            Err(ChainError::StateUnavailable { message, .. }) => {
                return Ok(State::Unavailable(message));
            }
            other => other?,
        };
        if let Some(first) = differences.first() {
            return Err(Violated(violation(history, last, first)).into());
        }
        done += accounts.len() + sessions.len();
        progress.at(|| format!("{done} of {all} accounts and sessions compared with the state"));
    }
    let getters = Getters::read(node, history.deployment.settlement, Some(last.number)).await?;
    roles(history, last, &getters).map_err(Violated)?;
    let now = providers.header(last.number).await?;
    ensure!(
        now.is_some_and(|now| now.hash == last.hash),
        "block {} was replaced meanwhile: run it again, or up to a final block",
        last.number
    );
    Ok(State::Compared { accounts: accounts.len(), sessions: sessions.len() })
}

/// A difference between the state and the logs, as a violation.
fn violation(history: &History, last: Block, difference: &Difference) -> Violation {
    let Difference { subject, chain, tables } = difference;
    let (check, at) = match *subject {
        Subject::TotalOwed => (Check::Owed, None),
        Subject::UsdcHeld => (Check::Held, None),
        Subject::Pool(account) | Subject::Claimable(account) => {
            (Check::Pools, history.last_of(account))
        }
        Subject::MaxRatePerSecond(account)
        | Subject::MaxPerSession(account)
        | Subject::MaxPerDay(account) => (Check::Limits, history.last_of(account)),
        Subject::Settled(session) => (Check::Replay, history.settled_at(session)),
    };
    let found = format!("{subject} is {chain}");
    let expected = match subject {
        Subject::UsdcHeld => format!("at least {tables}, which it owes by its logs"),
        _ => format!("{tables}, by its logs"),
    };
    Violation { check, place: Place::State(last.number, at), found, expected }
}

/// Compares who holds what.
fn roles(history: &History, last: Block, getters: &Getters) -> Result<(), Violation> {
    let roles = &history.roles;
    let proposal = getters
        .pending_relayer
        .map(|PendingRelayer { candidate, acceptable_at }| (candidate, U256::from(acceptable_at)));
    let shown = |proposal: Option<(Address, U256)>| {
        proposal.map_or("nobody".to_owned(), |(candidate, at)| format!("{candidate} from {at} on"))
    };
    let addresses = [
        (Check::Roles, "owner()", getters.owner, roles.owner),
        (Check::Roles, "pendingOwner()", getters.pending_owner, roles.pending_owner),
        (Check::Relayer, "relayer()", getters.relayer, roles.relayer),
        (Check::Roles, "pauser()", getters.pauser, roles.pauser),
        (Check::Roles, "platformWallet()", getters.platform_wallet, roles.platform_wallet),
    ];
    let addresses = addresses.map(|(check, getter, found, expected)| {
        (check, getter, found.to_string(), expected.to_string())
    });
    let paused = [getters.paused, roles.paused].map(|paused| paused.to_string());
    let [is_paused, was_paused] = paused;
    let delays = [getters.relayer_delay, roles.delay].map(|delay| delay.to_string());
    let [delay_now, delay_before] = delays;
    let others = [
        (Check::Relayer, "pendingRelayer()", shown(proposal), shown(roles.proposal)),
        (Check::Relayer, "paused()", is_paused, was_paused),
        (Check::Relayer, "RELAYER_DELAY()", delay_now, delay_before),
    ];
    for (check, getter, found, expected) in addresses.into_iter().chain(others) {
        if found != expected {
            let at = roles.history.last().map(|change| change.at);
            let (found, expected) =
                (format!("{getter} is {found}"), format!("{expected}, by its logs"));
            return Err(Violation { check, place: Place::State(last.number, at), found, expected });
        }
    }
    Ok(())
}
