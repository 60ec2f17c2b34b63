//! What bad nodes do, by small numbers.

use crate::{Calls, Fault, Rule, visible_faults};
use std::{collections::BTreeMap, sync::LazyLock};

/// Faults by their kinds.
static FAULTS: LazyLock<BTreeMap<String, Vec<Fault>>> = LazyLock::new(|| {
    let mut kinds: BTreeMap<String, Vec<Fault>> = BTreeMap::new();
    for fault in visible_faults() {
        kinds.entry(name(&fault)).or_default().push(fault);
    }
    kinds
});

/// The names of all kinds.
pub(super) fn kinds() -> Vec<String> {
    FAULTS.keys().cloned().collect()
}

/// The number of a node's refusal of a range, the `which`-th of those there are.
pub(super) fn range_too_large(which: u8) -> u8 {
    let kinds = FAULTS.len();
    let place = FAULTS.keys().position(|name| name == "Answer RangeTooLarge").unwrap_or_default();
    let most = (usize::from(u8::MAX) - place) / kinds;
    u8::try_from(place + kinds * (usize::from(which) % (most + 1))).unwrap_or(u8::MAX)
}

/// A fault that happens so often, and its kind's name.
pub(super) fn rule(kind: u8, times: u8) -> (String, Rule) {
    let number = usize::from(kind);
    let place = number % FAULTS.len();
    let (name, faults) = FAULTS.iter().nth(place).expect("there are so many");
    let fault = faults[number / FAULTS.len() % faults.len()].clone();
    (name.clone(), Rule::new(Calls::All, fault).times(times.into()))
}

/// What a fault is, without its values: `Answer Null`.
fn name(fault: &Fault) -> String {
    let text = format!("{fault:?}");
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.take(2).collect::<Vec<_>>().join(" ")
}
