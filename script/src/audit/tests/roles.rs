//! Hand-overs that the contract does not allow.

use super::*;
use luxxon_bindings::settlement::LuxxonSettlement::{
    OwnershipTransferStarted, Paused, RelayerProposalCancelled, RelayerProposed, Unpaused,
};

const NEXT: Address = Address::repeat_byte(0xb1);
const OTHER: Address = Address::repeat_byte(0xb2);

fn relayer(previous: Address, new: Address) -> Log {
    ours(&RelayerSet { previousRelayer: previous, newRelayer: new })
}

fn owner(previous: Address, new: Address) -> Log {
    ours(&OwnershipTransferred { previousOwner: previous, newOwner: new })
}

impl Chain {
    /// A relayer is proposed as the contract does it.
    fn proposes(&mut self, candidate: Address) -> &mut Self {
        let at = usd(self.time() + 1 + DELAY);
        self.transaction([ours(&RelayerProposed { candidate, acceptableAt: at })])
    }

    fn later(&mut self, seconds: u64, log: Log) -> &mut Self {
        self.transaction_at(self.time() + seconds, [log])
    }
}

#[test]
fn a_relayer_accepts_after_its_delay_and_not_a_second_before() {
    let mut chain = Chain::begun();
    chain.proposes(NEXT);
    let early = chain.clone().later(DELAY - 1, relayer(RELAYER, NEXT)).violates();
    assert_eq!(early.0, Check::Relayer);
    let history = chain.later(DELAY, relayer(RELAYER, NEXT)).play().unwrap();
    assert_eq!((history.roles.relayer, history.roles.proposal), (NEXT, None));
    let words: Vec<&str> =
        history.roles.history.iter().map(|change| change.words.as_str()).collect();
    assert_eq!(words.len(), 6, "{words:?}");
    assert_eq!(words[5], format!("relayer: {RELAYER} -> {NEXT}"));
}

#[test]
fn nobody_becomes_relayer_unproposed_cancelled_or_in_another_ones_place() {
    let check = |chain: &mut Chain| chain.violates().0;
    assert_eq!(check(Chain::begun().later(DELAY, relayer(RELAYER, NEXT))), Check::Relayer);
    let mut proposed = Chain::begun();
    proposed.proposes(NEXT);
    let other = relayer(RELAYER, OTHER);
    assert_eq!(check(proposed.clone().later(DELAY, other)), Check::Relayer);
    let from_another = relayer(OTHER, NEXT);
    assert_eq!(check(proposed.clone().later(DELAY, from_another)), Check::Relayer);
    let cancelled = ours(&RelayerProposalCancelled { candidate: NEXT });
    proposed.transaction([cancelled.clone()]);
    proposed.play().unwrap();
    assert_eq!(check(proposed.clone().later(DELAY, relayer(RELAYER, NEXT))), Check::Relayer);
    assert_eq!(check(proposed.transaction([cancelled])), Check::Relayer, "a second time");
}

#[test]
fn a_proposal_waits_exactly_the_delay_and_is_somebodys() {
    let at = |chain: &Chain, delay: u64| usd(chain.time() + 1 + delay);
    for (candidate, delay) in [(NEXT, DELAY - 1), (NEXT, DELAY + 1), (Address::ZERO, DELAY)] {
        let mut chain = Chain::begun();
        let proposed = RelayerProposed { candidate, acceptableAt: at(&chain, delay) };
        assert_eq!(chain.transaction([ours(&proposed)]).violates().0, Check::Relayer);
    }
}

#[test]
fn a_revoked_relayer_settles_nothing_and_a_spare_one_may_follow() {
    let mut chain = Chain::funded();
    chain.proposes(NEXT).later(DELAY, relayer(RELAYER, Address::ZERO));
    chain.play().unwrap();
    assert_eq!(chain.clone().transaction(settlement(1, 800, 200)).violates().0, Check::Relayer);
    let again = relayer(Address::ZERO, Address::ZERO);
    assert_eq!(chain.clone().transaction([again]).violates().0, Check::Relayer);
    chain.transaction([relayer(Address::ZERO, NEXT)]).transaction(settlement(1, 800, 200));
    chain.play().unwrap();
}

#[test]
fn the_ownership_is_taken_by_whom_it_was_offered_to() {
    let offer = |to| ours(&OwnershipTransferStarted { previousOwner: OWNER, newOwner: to });
    let mut chain = Chain::begun();
    chain.transaction([offer(NEXT)]);
    for taken in [owner(OWNER, OTHER), owner(OTHER, NEXT), owner(OWNER, Address::ZERO)] {
        assert_eq!(chain.clone().transaction([taken]).violates().0, Check::Roles);
    }
    let history = chain.transaction([owner(OWNER, NEXT)]).play().unwrap();
    assert_eq!((history.roles.owner, history.roles.pending_owner), (NEXT, Address::ZERO));
    assert_eq!(chain.transaction([offer(OTHER)]).violates().0, Check::Roles, "no owner any more");
}

#[test]
fn pauses_and_settings_follow_from_what_was_before() {
    let paused = |account| ours(&Paused { account });
    let unpaused = |account| ours(&Unpaused { account });
    let mut chain = Chain::begun();
    assert_eq!(chain.clone().transaction([paused(NEXT)]).violates().0, Check::Roles);
    assert_eq!(chain.clone().transaction([unpaused(OWNER)]).violates().0, Check::Roles);
    chain.transaction([paused(PAUSER)]);
    assert_eq!(chain.clone().transaction([paused(OWNER)]).violates().0, Check::Roles);
    assert_eq!(chain.clone().transaction([unpaused(PAUSER)]).violates().0, Check::Roles);
    chain.transaction([unpaused(OWNER)]);
    for set in [
        ours(&PauserSet { previousPauser: OTHER, newPauser: NEXT }),
        ours(&PlatformWalletSet { previousWallet: OTHER, newWallet: NEXT }),
    ] {
        assert_eq!(chain.clone().transaction([set]).violates().0, Check::Roles);
    }
    chain.transaction([ours(&PauserSet { previousPauser: PAUSER, newPauser: NEXT })]);
    assert!(chain.transaction([paused(NEXT)]).play().unwrap().roles.paused);
}
