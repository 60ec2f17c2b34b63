use super::{Act, Event, Model, Outcome, Refusal, refusal::refuse_if};
use alloy::primitives::Address;

impl Model {
    fn check_owner(&self, caller: Address) -> Result<(), Refusal> {
        let other = caller != self.owner;
        refuse_if(other, "OwnableUnauthorizedAccount(address)", &[caller.into()])
    }

    fn check_pauser(&self, caller: Address) -> Result<(), Refusal> {
        let other = caller != self.owner && caller != self.pauser;
        refuse_if(other, "NotPauser(address)", &[caller.into()])
    }

    /// What owner, pauser and the next relayer do.
    pub(super) fn administer(&mut self, caller: Address, act: &Act, now: u64) -> Outcome {
        match act {
            Act::Pause => {
                self.check_pauser(caller)?;
                refuse_if(self.paused, "ContractPaused()", &[])?;
                self.paused = true;
                Ok(vec![Event::Role("Paused(address)", vec![caller])])
            }
            Act::Unpause => {
                self.check_owner(caller)?;
                refuse_if(!self.paused, "ContractNotPaused()", &[])?;
                self.paused = false;
                Ok(vec![Event::Role("Unpaused(address)", vec![caller])])
            }
            Act::ProposeRelayer { candidate } => self.propose(caller, *candidate, now),
            Act::CancelRelayerProposal => {
                self.check_pauser(caller)?;
                refuse_if(self.proposal.is_none(), "NoRelayerProposal()", &[])?;
                let candidate = self.proposal.take().map(|(candidate, _)| candidate);
                let candidate = candidate.into_iter().collect();
                Ok(vec![Event::Role("RelayerProposalCancelled(address)", candidate)])
            }
            Act::AcceptRelayer => self.accept(caller, now),
            Act::RevokeRelayer => {
                self.check_pauser(caller)?;
                refuse_if(self.relayer == Address::ZERO, "NoRelayer()", &[])?;
                Ok(vec![self.set_relayer(Address::ZERO)])
            }
            Act::SetPauser { to } => {
                self.check_owner(caller)?;
                let before = std::mem::replace(&mut self.pauser, *to);
                Ok(vec![Event::Role("PauserSet(address,address)", vec![before, *to])])
            }
            Act::SetPlatformWallet { to } => {
                self.check_owner(caller)?;
                let unfit = !self.is_payable(*to);
                refuse_if(unfit, "InvalidPlatformWallet(address)", &[(*to).into()])?;
                let before = std::mem::replace(&mut self.platform, *to);
                Ok(vec![Event::Role("PlatformWalletSet(address,address)", vec![before, *to])])
            }
            Act::Rescue { to, amount } => self.rescue(caller, *to, *amount),
            other => unreachable!("{other:?} is nobody's role"),
        }
    }

    fn propose(&mut self, caller: Address, candidate: Address, now: u64) -> Outcome {
        self.check_owner(caller)?;
        refuse_if(candidate == Address::ZERO, "ZeroRelayer()", &[])?;
        let acceptable_at = now + self.relayer_delay;
        self.proposal = Some((candidate, acceptable_at));
        Ok(vec![Event::RelayerProposed { candidate, acceptable_at }])
    }

    fn accept(&mut self, caller: Address, now: u64) -> Outcome {
        let proposal = self.proposal.filter(|(candidate, _)| *candidate == caller);
        let from = proposal.map(|(_, acceptable_at)| acceptable_at);
        refuse_if(from.is_none(), "NotRelayerCandidate(address)", &[caller.into()])?;
        let from = from.unwrap_or_default();
        let words = [u128::from(now).into(), u128::from(from).into()];
        refuse_if(now < from, "RelayerDelayRunning(uint256,uint256)", &words)?;
        self.proposal = None;
        Ok(vec![self.set_relayer(caller)])
    }

    fn set_relayer(&mut self, to: Address) -> Event {
        let before = std::mem::replace(&mut self.relayer, to);
        Event::Role("RelayerSet(address,address)", vec![before, to])
    }

    /// Only what belongs to no pool and no claim.
    fn rescue(&mut self, caller: Address, to: Address, amount: u128) -> Outcome {
        self.check_owner(caller)?;
        refuse_if(amount == 0, "ZeroAmount()", &[])?;
        refuse_if(!self.is_payable(to), "InvalidPayee(address)", &[to.into()])?;
        let surplus = self.surplus();
        let words = [amount.into(), surplus.into()];
        refuse_if(amount > surplus, "SurplusExceeded(uint256,uint256)", &words)?;
        let paid = self.token.transfer(self.settlement, to, amount)?;
        Ok(vec![Event::Rescued { to, amount }, paid])
    }
}
