//! A history that was drawn, and its shorter forms.

use super::{Played, Step, generate::step};
use eyre::{Result, eyre};
use proptest::{
    strategy::{BoxedStrategy, Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use std::time::{Duration, Instant};

/// A history of which each step can be left out, or made of smaller numbers.
pub(super) struct Drawn(Vec<(Step, <BoxedStrategy<Step> as Strategy>::Tree)>);

/// The history of so many steps that `seed` stands for.
pub fn drawn(seed: u64, steps: usize) -> Result<Vec<Step>> {
    Ok(Drawn::new(seed, steps)?.steps())
}

impl Drawn {
    pub(super) fn new(seed: u64, steps: usize) -> Result<Self> {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_be_bytes());
        let config = Config { failure_persistence: None, ..Config::default() };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &key);
        let (mut runner, strategy) = (TestRunner::new_with_rng(config, rng), step().boxed());
        let draw = |_| {
            let tree = strategy.new_tree(&mut runner).map_err(|why| eyre!("no step: {why}"))?;
            Ok((tree.current(), tree))
        };
        Ok(Self((0..steps).map(draw).collect::<Result<_>>()?))
    }

    pub(super) fn steps(&self) -> Vec<Step> {
        self.0.iter().map(|(step, _)| step.clone()).collect()
    }

    /// Makes it shorter as long as it still fails, which it did in step `at` as `played` says, and for
    /// no longer than `longest`. Returns how its shortest form fails.
    pub(super) fn shorten(
        &mut self,
        at: usize,
        mut played: Played,
        longest: Duration,
        mut attempt: impl FnMut(&[Step]) -> Played,
    ) -> Played {
        let until = Instant::now() + longest;
        self.0.truncate(at + 1);
        let mut fails = |steps: &[Step]| {
            let again = attempt(steps);
            let fails = again.failure.is_some();
            if fails {
                played = again;
            }
            fails
        };
        self.leave_out(until, &mut fails);
        self.make_smaller(until, &mut fails);
        played
    }

    /// Leaves steps out, many at once and then fewer.
    fn leave_out(&mut self, until: Instant, fails: &mut impl FnMut(&[Step]) -> bool) {
        let mut many = self.0.len() / 2;
        while many > 0 {
            let mut from = 0;
            while from < self.0.len() && Instant::now() < until {
                let to = (from + many).min(self.0.len());
                let mut steps = self.steps();
                steps.drain(from..to);
                if fails(&steps) {
                    self.0.drain(from..to);
                } else {
                    from = to;
                }
            }
            many /= 2;
        }
    }

    /// Makes the numbers of each step smaller, and its transactions fewer.
    fn make_smaller(&mut self, until: Instant, fails: &mut impl FnMut(&[Step]) -> bool) {
        for place in 0..self.0.len() {
            let mut steps = self.steps();
            let (smallest, tree) = &mut self.0[place];
            let mut failed = true;
            while Instant::now() < until {
                // From a smaller form that is right, the way to it is gone back a little.
                if !(if failed { tree.simplify() } else { tree.complicate() }) {
                    break;
                }
                steps[place] = tree.current();
                failed = fails(&steps);
                if failed {
                    smallest.clone_from(&steps[place]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histories::{Does, Met, Move};
    use eyre::eyre;

    /// A history that withdraws fails, in its last such step.
    fn withdraws(steps: &[Step]) -> Played {
        let is_withdrawal = |step: &Step| match &step.does {
            Does::Block { moves, .. } => {
                moves.iter().any(|it| matches!(it, Move::Withdraw { size, .. } if *size > 9))
            }
            _ => false,
        };
        let failure = steps.iter().rposition(is_withdrawal).map(|at| (at, eyre!("a withdrawal")));
        Played { met: Met::default(), told: Vec::new(), failure }
    }

    #[test]
    fn a_failing_history_shrinks_to_the_step_that_fails_with_the_smallest_numbers() {
        let mut failed = 0;
        for seed in 0..20 {
            let mut drawn = Drawn::new(seed, 40).unwrap();
            let played = withdraws(&drawn.steps());
            let Some((at, _)) = played.failure else { continue };
            let played = drawn.shorten(at, played, Duration::from_mins(1), withdraws);
            assert_eq!(played.failure.unwrap().0, 0);
            let text = crate::histories::script::write(&drawn.steps(), &[]);
            let smallest = r#"{"does":{"block":{"moves":[{"withdraw":{"who":0,"size":10}}]}}}"#;
            assert_eq!(text.trim(), smallest);
            failed += 1;
        }
        assert!(failed > 10, "{failed} histories fail");
    }

    #[test]
    fn a_seed_draws_the_same_history() {
        assert_eq!(drawn(5, 40).unwrap(), drawn(5, 40).unwrap());
        assert_ne!(drawn(5, 40).unwrap(), drawn(6, 40).unwrap());
    }
}
