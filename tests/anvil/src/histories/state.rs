//! What the contracts should say of their state.

use super::{cast::Players, question::Questions};
use crate::model::Model;
use alloy::{
    primitives::{Address, B256, U256},
    sol_types::SolCall,
};
use luxxon_bindings::{
    settlement::LuxxonSettlement::{
        claimableCall, depositsCall, limitsOfCall, pausedCall, pauserCall, pendingRelayerCall,
        platformWalletCall, relayerCall, settledCall, surplusCall, totalOwedCall,
    },
    usdc::UsdcStandIn::{self, allowanceCall, balanceOfCall, isBlacklistedCall},
};

/// Everything that the contracts tell of a state, in a block of time `now`, with the model's answers.
pub(super) fn questions(
    model: &Model,
    players: &Players,
    now: u64,
    sessions: &[B256],
) -> Questions {
    let mut questions = Questions::new();
    of_roles(&mut questions, model);
    for account in players.everybody(model) {
        of_account(&mut questions, model, players, account, now);
    }
    for &session in sessions {
        let settled = model.settled.contains(&session);
        let input = settledCall { sessionId: session }.abi_encode();
        let label = || format!("settled({session})");
        questions.expect(model.settlement, &input, label, &[U256::from(settled)]);
    }
    questions
}

fn word(address: Address) -> U256 {
    U256::from_be_bytes(address.into_word().0)
}

fn of_roles(questions: &mut Questions, model: &Model) {
    let (candidate, from) = model.proposal.unwrap_or_default();
    let mut of = |input: &[u8], label: &str, answers: &[U256]| {
        questions.expect(model.settlement, input, || label.to_owned(), answers);
    };
    of(&totalOwedCall {}.abi_encode(), "totalOwed()", &[U256::from(model.total_owed())]);
    of(&surplusCall {}.abi_encode(), "surplus()", &[U256::from(model.surplus())]);
    of(&pausedCall {}.abi_encode(), "paused()", &[U256::from(model.paused)]);
    of(&relayerCall {}.abi_encode(), "relayer()", &[word(model.relayer)]);
    of(&pauserCall {}.abi_encode(), "pauser()", &[word(model.pauser)]);
    of(&platformWalletCall {}.abi_encode(), "platformWallet()", &[word(model.platform)]);
    let pending = [word(candidate), U256::from(from)];
    of(&pendingRelayerCall {}.abi_encode(), "pendingRelayer()", &pending);
    let paused = UsdcStandIn::pausedCall {}.abi_encode();
    let label = || "USDC.paused()".to_owned();
    questions.expect(model.token.address, &paused, label, &[U256::from(model.token.paused)]);
}

fn of_account(
    questions: &mut Questions,
    model: &Model,
    players: &Players,
    account: Address,
    now: u64,
) {
    let (it, token) = (model.account(account), &model.token);
    let mut expect = |to: Address, input: &[u8], what: &str, answers: &[U256]| {
        let label = || format!("{what}({})", players.name(account));
        questions.expect(to, input, label, answers);
    };
    let settlement = model.settlement;
    expect(settlement, &depositsCall { account }.abi_encode(), "deposits", &[U256::from(it.pool)]);
    let held = U256::from(model.held_for(account));
    expect(settlement, &claimableCall { account }.abi_encode(), "claimable", &[held]);
    let spent = model.spent_today(account, now);
    let limits = [it.max_rate, it.max_session, it.max_day, spent].map(U256::from);
    expect(settlement, &limitsOfCall { account }.abi_encode(), "limitsOf", &limits);
    let balance = U256::from(token.balance(account));
    expect(token.address, &balanceOfCall { account }.abi_encode(), "USDC.balanceOf", &[balance]);
    let allowance = allowanceCall { account, spender: settlement }.abi_encode();
    expect(token.address, &allowance, "USDC.allowance", &[token.allowance(account)]);
    let listed = U256::from(token.blacklisted.contains(&account));
    let input = isBlacklistedCall { account }.abi_encode();
    expect(token.address, &input, "USDC.isBlacklisted", &[listed]);
}
