//! What the contract is asked, and how its answers are judged.

use super::{Difference, Subject};
use crate::{
    chain::{ChainError, Providers},
    ledger::{Block, Deployment},
};
use alloy::{
    primitives::{Address, Bytes, U256},
    sol_types::SolCall,
};
use luxxon_bindings::{
    settlement::LuxxonSettlement::{claimableCall, depositsCall, settledCall, totalOwedCall},
    usdc::UsdcStandIn::balanceOfCall,
};

/// A question with the answer that the tables give.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    subject: Subject,
    tables: U256,
}

impl Question {
    pub(super) fn new(subject: Subject, tables: U256) -> Self {
        Self { subject, tables }
    }

    /// The difference, if `chain` is one.
    pub(super) fn judge(&self, chain: U256) -> Option<Difference> {
        let Self { subject, tables } = *self;
        let agrees = match subject {
            // Anyone can send it USDC, which then belongs to no pool.
            Subject::UsdcHeld => chain >= tables,
            _ => chain == tables,
        };
        (!agrees).then_some(Difference { subject, chain, tables })
    }

    fn call(&self, deployment: &Deployment) -> (Address, Bytes) {
        let Deployment { settlement, usdc, .. } = *deployment;
        match self.subject {
            Subject::TotalOwed => (settlement, totalOwedCall {}.abi_encode().into()),
            Subject::UsdcHeld => (usdc, balanceOfCall::new((settlement,)).abi_encode().into()),
            Subject::Pool(account) => {
                (settlement, depositsCall::new((account,)).abi_encode().into())
            }
            Subject::Claimable(account) => {
                (settlement, claimableCall::new((account,)).abi_encode().into())
            }
            Subject::Settled(session) => {
                (settlement, settledCall::new((session.0,)).abi_encode().into())
            }
        }
    }
}

/// Asks in the state after `block`. Every answer is one word; a boolean is 1 or 0.
pub(super) async fn ask(
    providers: &Providers,
    deployment: &Deployment,
    block: Block,
    questions: &[Question],
) -> Result<Vec<U256>, ChainError> {
    let calls: Vec<_> = questions.iter().map(|question| question.call(deployment)).collect();
    let answers = providers.calls_at(block.hash, &calls).await?;
    let word = |(question, answer): (&Question, &Bytes)| {
        <[u8; 32]>::try_from(answer.as_ref()).map(U256::from_be_bytes).map_err(|_| {
            let found = answer.len();
            let subject = question.subject;
            ChainError::Inconsistent(format!("{subject} was answered by {found} bytes, not 32"))
        })
    };
    questions.iter().zip(&answers).map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_usdc_than_is_owed_is_no_difference_and_less_is() {
        let held = |chain: u64| {
            Question::new(Subject::UsdcHeld, U256::from(5)).judge(U256::from(chain)).is_some()
        };
        assert_eq!([4, 5, 6].map(held), [true, false, false]);
        let owed = |chain: u64| {
            Question::new(Subject::TotalOwed, U256::from(5)).judge(U256::from(chain)).is_some()
        };
        assert_eq!([4, 5, 6].map(owed), [true, false, true]);
    }

    #[test]
    fn a_difference_says_what_and_both_values() {
        let account = Address::repeat_byte(1);
        let question = Question::new(Subject::Pool(account), U256::from(5));
        let text = question.judge(U256::from(7)).unwrap().to_string();
        assert_eq!(text, format!("deposits({account}) is 7 on chain, and 5 in the tables"));
    }
}
