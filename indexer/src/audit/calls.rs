//! What the contract is asked, and how its answers are judged.

use super::{Difference, Subject};
use crate::{
    chain::{ChainError, Providers},
    ledger::{Block, Deployment, Limits},
};
use alloy::{
    primitives::{Address, Bytes, U256},
    sol_types::SolCall,
};
use luxxon_bindings::{
    MicroUsdc, SessionId,
    settlement::LuxxonSettlement::{
        claimableCall, depositsCall, limitsOfCall, settledCall, totalOwedCall,
    },
    usdc::UsdcStandIn::balanceOfCall,
};

/// A call with the answer that the tables give.
#[derive(Clone, Copy, Debug)]
pub(super) enum Question {
    /// `totalOwed()`.
    TotalOwed(MicroUsdc),
    /// The USDC the contract holds: what it owes, at least.
    UsdcHeld(MicroUsdc),
    /// `deposits(account)`.
    Pool(Address, MicroUsdc),
    /// `claimable(account)`.
    Claimable(Address, MicroUsdc),
    /// `limitsOf(account)`.
    Limits(Address, Limits),
    /// `settled(session)`: the tables only have those that are.
    Settled(SessionId),
}

impl Question {
    /// The differences that the contract's `answer` shows.
    pub(super) fn judge(&self, answer: &[u8]) -> Result<Vec<Difference>, ChainError> {
        let (words, rest) = answer.as_chunks::<32>();
        if words.len() != self.words() || !rest.is_empty() {
            let (expected, found) = (32 * self.words(), answer.len());
            let what = format!("{} was answered by {found} bytes, not {expected}", self.name());
            return Err(ChainError::Inconsistent(what));
        }
        let compared = self.tables().into_iter().zip(words).map(|((subject, tables), word)| {
            Difference { subject, chain: U256::from_be_bytes(*word), tables }
        });
        Ok(compared
            .filter(|Difference { subject, chain, tables }| match subject {
                // Anyone can send it USDC, which then belongs to no pool.
                Subject::UsdcHeld => chain < tables,
                _ => chain != tables,
            })
            .collect())
    }

    /// What the tables have for the words of the answer, from the first on.
    fn tables(&self) -> Vec<(Subject, U256)> {
        match *self {
            Self::TotalOwed(owed) => vec![(Subject::TotalOwed, owed.into())],
            Self::UsdcHeld(owed) => vec![(Subject::UsdcHeld, owed.into())],
            Self::Pool(account, pool) => vec![(Subject::Pool(account), pool.into())],
            Self::Claimable(account, held) => vec![(Subject::Claimable(account), held.into())],
            // What was spent today, which is the last word, is in no table.
            Self::Limits(account, limits) => vec![
                (Subject::MaxRatePerSecond(account), limits.max_rate_per_second.into()),
                (Subject::MaxPerSession(account), limits.max_per_session.into()),
                (Subject::MaxPerDay(account), limits.max_per_day.into()),
            ],
            // A boolean is 1 or 0.
            Self::Settled(session) => vec![(Subject::Settled(session), U256::ONE)],
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Limits(account, _) => format!("limitsOf({account})"),
            other => other.tables().iter().map(|(subject, _)| subject.to_string()).collect(),
        }
    }

    /// How many words the answer has.
    fn words(&self) -> usize {
        match self {
            Self::Limits(..) => 4,
            _ => 1,
        }
    }

    fn call(&self, deployment: &Deployment) -> (Address, Bytes) {
        let Deployment { settlement, usdc, .. } = *deployment;
        match *self {
            Self::TotalOwed(_) => (settlement, totalOwedCall {}.abi_encode().into()),
            Self::UsdcHeld(_) => (usdc, balanceOfCall::new((settlement,)).abi_encode().into()),
            Self::Pool(account, _) => {
                (settlement, depositsCall::new((account,)).abi_encode().into())
            }
            Self::Claimable(account, _) => {
                (settlement, claimableCall::new((account,)).abi_encode().into())
            }
            Self::Limits(account, _) => {
                (settlement, limitsOfCall::new((account,)).abi_encode().into())
            }
            Self::Settled(session) => {
                (settlement, settledCall::new((session.0,)).abi_encode().into())
            }
        }
    }
}

/// Asks in the state after `block`, and returns what differs.
pub(super) async fn ask(
    providers: &Providers,
    deployment: &Deployment,
    block: Block,
    questions: &[Question],
) -> Result<Vec<Difference>, ChainError> {
    let calls: Vec<_> = questions.iter().map(|question| question.call(deployment)).collect();
    let answers = providers.calls_at(block.hash, &calls).await?;
    let mut differences = Vec::new();
    for (question, answer) in questions.iter().zip(&answers) {
        differences.extend(question.judge(answer)?);
    }
    Ok(differences)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(values: &[u64]) -> Vec<u8> {
        values.iter().flat_map(|value| U256::from(*value).to_be_bytes::<32>()).collect()
    }

    /// What differs when the contract answers with `values`, in words.
    fn found(question: Question, values: &[u64]) -> Vec<String> {
        let differences = question.judge(&words(values)).unwrap();
        differences.iter().map(Difference::to_string).collect()
    }

    #[test]
    fn more_usdc_than_is_owed_is_no_difference_and_less_is() {
        let owed = MicroUsdc::new(5);
        let differs = |question| [4, 5, 6].map(|chain| !found(question, &[chain]).is_empty());
        assert_eq!(differs(Question::UsdcHeld(owed)), [true, false, false]);
        assert_eq!(differs(Question::TotalOwed(owed)), [true, false, true]);
    }

    #[test]
    fn a_difference_says_what_and_both_values() {
        let account = Address::repeat_byte(1);
        let text = found(Question::Pool(account, MicroUsdc::new(5)), &[7]);
        assert_eq!(text, [format!("deposits({account}) is 7 on chain, and 5 in the tables")]);
    }

    #[test]
    fn of_limits_that_differ_each_is_named_and_what_was_spent_is_no_matter() {
        let account = Address::repeat_byte(1);
        let limits = Limits {
            max_rate_per_second: MicroUsdc::new(1),
            max_per_session: MicroUsdc::new(2),
            max_per_day: MicroUsdc::new(3),
        };
        let found = |values: [u64; 4]| found(Question::Limits(account, limits), &values);
        let line = |limit: &str, chain: u64, tables: u64| {
            format!("limitsOf({account}).{limit} is {chain} on chain, and {tables} in the tables")
        };
        for spent_today in [0, 9] {
            assert_eq!(found([1, 2, 3, spent_today]), Vec::<String>::new());
        }
        assert_eq!(found([7, 2, 3, 0]), [line("maxRatePerSecond", 7, 1)]);
        assert_eq!(found([1, 7, 3, 0]), [line("maxPerSession", 7, 2)]);
        assert_eq!(found([1, 2, 7, 0]), [line("maxPerDay", 7, 3)]);
        let all =
            [line("maxRatePerSecond", 3, 1), line("maxPerSession", 1, 2), line("maxPerDay", 2, 3)];
        assert_eq!(found([3, 1, 2, 0]), all);
    }

    #[test]
    fn an_answer_of_another_length_is_no_answer() {
        let account = Address::repeat_byte(1);
        let pool = Question::Pool(account, MicroUsdc::ZERO);
        let limits = Question::Limits(account, Limits::default());
        for (question, name, bytes, lengths) in
            [(pool, "deposits", 32, [0, 33, 64]), (limits, "limitsOf", 128, [96, 127, 160])]
        {
            for length in lengths {
                let error = question.judge(&vec![0; length]).unwrap_err();
                assert!(matches!(error, ChainError::Inconsistent(_)), "{error}");
                let says = format!("{name}({account}) was answered by {length} bytes, not {bytes}");
                assert!(error.to_string().contains(&says), "{error}");
            }
        }
    }
}
