//! What a proxy is told to do to which calls, and what it has done.

use super::{
    call::{Call, Calls},
    fault::{AnswerFault, BatchFault, ExchangeFault, Fault, PushFault},
    random::Random,
};
use std::time::Instant;

/// A fault, and when it happens.
#[derive(Clone, Debug)]
pub struct Rule {
    calls: Calls,
    fault: Fault,
    after: u64,
    times: Option<u64>,
    whole_request: bool,
}

impl Rule {
    /// `fault` happens to each of `calls`, for as long as the rule stands.
    pub fn new(calls: Calls, fault: impl Into<Fault>) -> Self {
        Self { calls, fault: fault.into(), after: 0, times: None, whole_request: false }
    }

    /// Not to the first `calls` of them.
    #[must_use]
    pub fn after(mut self, calls: u64) -> Self {
        self.after = calls;
        self
    }

    /// So many times at most.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// To every call of a request that one of them is in, and counted once: a balancer hands a batch
    /// to one node.
    #[must_use]
    pub fn for_the_whole_request(mut self) -> Self {
        self.whole_request = true;
        self
    }
}

/// A call that was made, and when.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When it arrived.
    pub at: Instant,
    /// The call.
    pub call: Call,
}

/// Who wants a fault: counted where it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A rule, for one call.
    Call(usize),
    /// A rule, for all calls of a request: it spoils all of them or none, and counts once.
    Request(usize),
    /// Chance, for all calls of a request.
    Random,
}

impl Source {
    pub(super) fn is_for_a_request(self) -> bool {
        !matches!(self, Self::Call(_))
    }
}

/// A fault that is wanted. It happens only if [`Script::fire`] agrees.
pub(super) type Wanted<F> = (Source, F);

/// What is wanted of one exchange.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// For each call.
    pub(super) answers: Vec<Vec<Wanted<AnswerFault>>>,
    pub(super) batch: Option<Wanted<BatchFault>>,
    pub(super) exchange: Option<Wanted<ExchangeFault>>,
}

#[derive(Debug)]
struct Standing {
    rule: Rule,
    met: u64,
    fired: u64,
    removed: bool,
}

impl Standing {
    fn source(&self, index: usize) -> Source {
        if self.rule.whole_request { Source::Request(index) } else { Source::Call(index) }
    }

    fn spent(&self) -> bool {
        self.removed || self.rule.times.is_some_and(|times| self.fired >= times)
    }

    /// Which of `calls` the rule wants to spoil.
    fn meet(&mut self, calls: &[Call]) -> Vec<usize> {
        let mut wanted = Vec::new();
        for (index, call) in calls.iter().enumerate() {
            if self.rule.calls.include(call) {
                self.met += 1;
                if self.met > self.rule.after {
                    wanted.push(index);
                }
            }
        }
        if self.rule.whole_request && !wanted.is_empty() {
            wanted = (0..calls.len()).collect();
        }
        wanted
    }
}

/// The rules of a proxy, by their index, and the record of what it was asked.
#[derive(Debug, Default)]
pub(super) struct Script {
    rules: Vec<Standing>,
    random: Option<Random>,
    fired_at_random: u64,
    asked: Vec<Asked>,
}

impl Script {
    pub(super) fn add(&mut self, rule: Rule) -> usize {
        self.rules.push(Standing { rule, met: 0, fired: 0, removed: false });
        self.rules.len() - 1
    }

    pub(super) fn remove(&mut self, rule: usize) {
        self.rules[rule].removed = true;
    }

    pub(super) fn set_random(&mut self, random: Option<Random>) {
        self.random = random;
    }

    pub(super) fn remove_all(&mut self) {
        self.rules.iter_mut().for_each(|standing| standing.removed = true);
        self.random = None;
    }

    pub(super) fn fired(&self, rule: usize) -> u64 {
        self.rules[rule].fired
    }

    pub(super) fn fired_at_random(&self) -> u64 {
        self.fired_at_random
    }

    pub(super) fn asked(&self) -> &[Asked] {
        &self.asked
    }

    /// The rules that never spoiled anything.
    pub(super) fn unmet(&self) -> Vec<&Rule> {
        self.rules.iter().filter(|known| known.fired == 0).map(|known| &known.rule).collect()
    }

    /// Whether the fault that `source` wanted may still be delayed by it: not once it is removed.
    pub(super) fn stands(&self, source: Source) -> bool {
        match source {
            Source::Call(rule) | Source::Request(rule) => !self.rules[rule].removed,
            Source::Random => false,
        }
    }

    /// Counts a fault that `source` wanted, unless its rule is spent by now.
    pub(super) fn fire(&mut self, source: Source) -> bool {
        match source {
            Source::Random => self.fired_at_random += 1,
            Source::Call(rule) | Source::Request(rule) => {
                if self.rules[rule].spent() {
                    return false;
                }
                self.rules[rule].fired += 1;
            }
        }
        true
    }

    /// Records `calls`, which arrived together, and says what is wanted of them.
    pub(super) fn plan(&mut self, calls: &[Call]) -> Plan {
        let at = Instant::now();
        self.asked.extend(calls.iter().map(|call| Asked { at, call: call.clone() }));
        let mut plan = Plan { answers: vec![Vec::new(); calls.len()], ..Plan::default() };
        for (index, standing) in self.rules.iter_mut().enumerate() {
            if standing.spent() {
                continue;
            }
            let wanted = standing.meet(calls);
            plan.want(standing.source(index), &standing.rule.fault, &wanted);
        }
        if let Some(fault) = self.random.as_mut().and_then(Random::draw) {
            let every: Vec<usize> = (0..calls.len()).collect();
            plan.want(Source::Random, &fault, &every);
        }
        plan
    }

    /// What happens to `notification`; counts it.
    pub(super) fn push(&mut self, notification: &Call) -> Option<PushFault> {
        let calls = std::slice::from_ref(notification);
        let wanted = |(index, standing): (usize, &mut Standing)| {
            let Fault::Push(fault) = standing.rule.fault else { return None };
            let meets = !standing.spent() && !standing.meet(calls).is_empty();
            meets.then_some((Source::Call(index), fault))
        };
        let (source, fault) = self.rules.iter_mut().enumerate().find_map(wanted)?;
        self.fire(source).then_some(fault)
    }
}

impl Plan {
    fn want(&mut self, source: Source, fault: &Fault, calls: &[usize]) {
        if calls.is_empty() {
            return;
        }
        match fault {
            Fault::Answer(fault) => {
                for &call in calls {
                    self.answers[call].push((source, fault.clone()));
                }
            }
            Fault::Batch(fault) => self.batch = self.batch.or(Some((source, *fault))),
            Fault::Exchange(fault) => self.exchange = self.exchange.or(Some((source, *fault))),
            Fault::Push(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn call(method: &str) -> Call {
        Call { id: json!(1), method: method.to_owned(), params: Value::Null }
    }

    fn wants(script: &mut Script, methods: &[&str]) -> Vec<usize> {
        let calls: Vec<Call> = methods.iter().map(|method| call(method)).collect();
        let plan = script.plan(&calls);
        plan.answers
            .iter()
            .map(|wanted| wanted.iter().filter(|(source, _)| script.fire(*source)).count())
            .collect()
    }

    #[test]
    fn a_rule_begins_after_and_ends_after_so_many_calls() {
        let mut script = Script::default();
        let rule = Rule::new(Calls::Of("a"), AnswerFault::Null).after(1).times(2);
        let rule = script.add(rule);
        assert_eq!(wants(&mut script, &["a", "b"]), [0, 0]);
        assert_eq!(wants(&mut script, &["b", "a"]), [0, 1]);
        assert_eq!(wants(&mut script, &["a", "a"]), [1, 0]);
        assert_eq!(script.fired(rule), 2);
        assert!(script.unmet().is_empty());
        assert_eq!(script.asked().len(), 6);
    }

    #[test]
    fn a_rule_for_the_whole_request_wants_every_call_of_it() {
        let mut script = Script::default();
        script.add(Rule::new(Calls::Of("a"), AnswerFault::Null).for_the_whole_request());
        assert_eq!(wants(&mut script, &["b", "a"]), [1, 1]);
        assert_eq!(wants(&mut script, &["b", "b"]), [0, 0]);
    }

    #[test]
    fn a_rule_that_is_removed_wants_nothing_and_is_remembered() {
        let mut script = Script::default();
        let rule = script.add(Rule::new(Calls::All, AnswerFault::Null));
        assert_eq!(wants(&mut script, &["a"]), [1]);
        script.remove(rule);
        assert_eq!(wants(&mut script, &["a"]), [0]);
        assert_eq!(script.fired(rule), 1);
        assert!(!script.stands(Source::Call(rule)));
    }

    #[test]
    fn notifications_are_spoiled_by_their_own_faults_only() {
        let mut script = Script::default();
        script.add(Rule::new(Calls::All, AnswerFault::Null));
        script.add(Rule::new(Calls::Notifications, PushFault::Swallow).times(1));
        assert_eq!(script.push(&call("eth_subscription")), Some(PushFault::Swallow));
        assert_eq!(script.push(&call("eth_subscription")), None);
        assert_eq!(script.unmet().len(), 1);
    }
}
