//! The calls that move roles.

use crate::{chain::Usage, contract::State};
use alloy::{
    primitives::{Address, Bytes},
    sol_types::SolCall,
};
use clap::ValueEnum;
use luxxon_bindings::settlement::LuxxonSettlement as Contract;

/// What can be done about roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ActionName {
    /// Owner: propose ACCOUNT as the next relayer; the delay begins anew
    ProposeRelayer,
    /// The proposed relayer: take the role, once the delay has passed
    AcceptRelayer,
    /// Owner or pauser: withdraw the proposal
    CancelRelayerProposal,
    /// Owner or pauser: take the relayer's role away at once
    RevokeRelayer,
    /// Owner: offer the ownership to ACCOUNT; the zero address withdraws the offer
    TransferOwnership,
    /// The account it was offered to: take the ownership
    AcceptOwnership,
    /// Owner: make ACCOUNT the pauser; the zero address for none
    SetPauser,
    /// Owner: send fees to ACCOUNT from the next settlement on
    SetPlatformWallet,
    /// Owner or pauser: stop deposits and settlement; withdrawals go on
    Pause,
    /// Owner: resume deposits and settlement
    Unpause,
}

/// An action with the account it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    name: ActionName,
    /// Zero where the action takes none.
    account: Address,
}

impl Action {
    /// The action, where `account` is given exactly where it takes one.
    pub fn new(name: ActionName, account: Option<Address>) -> Result<Self, Usage> {
        use ActionName::{ProposeRelayer, SetPauser, SetPlatformWallet, TransferOwnership};
        let takes_one =
            [ProposeRelayer, TransferOwnership, SetPauser, SetPlatformWallet].contains(&name);
        let flag = name.to_possible_value().map(|value| value.get_name().to_owned());
        let flag = flag.unwrap_or_default();
        match (takes_one, account) {
            (true, None) => Err(Usage(format!("{flag} needs an account: luxxon roles {flag} 0x…"))),
            (false, Some(_)) => Err(Usage(format!("{flag} takes no account"))),
            (_, account) => Ok(Self { name, account: account.unwrap_or_default() }),
        }
    }

    /// The contract's function.
    #[must_use]
    pub fn function(&self) -> &'static str {
        let signature = match self.name {
            ActionName::ProposeRelayer => Contract::proposeRelayerCall::SIGNATURE,
            ActionName::AcceptRelayer => Contract::acceptRelayerCall::SIGNATURE,
            ActionName::CancelRelayerProposal => Contract::cancelRelayerProposalCall::SIGNATURE,
            ActionName::RevokeRelayer => Contract::revokeRelayerCall::SIGNATURE,
            ActionName::TransferOwnership => Contract::transferOwnershipCall::SIGNATURE,
            ActionName::AcceptOwnership => Contract::acceptOwnershipCall::SIGNATURE,
            ActionName::SetPauser => Contract::setPauserCall::SIGNATURE,
            ActionName::SetPlatformWallet => Contract::setPlatformWalletCall::SIGNATURE,
            ActionName::Pause => Contract::pauseCall::SIGNATURE,
            ActionName::Unpause => Contract::unpauseCall::SIGNATURE,
        };
        signature.split('(').next().unwrap_or(signature)
    }

    /// The call's data.
    #[must_use]
    pub fn calldata(&self) -> Bytes {
        let account = self.account;
        let data = match self.name {
            ActionName::ProposeRelayer => {
                Contract::proposeRelayerCall { candidate: account }.abi_encode()
            }
            ActionName::AcceptRelayer => Contract::acceptRelayerCall {}.abi_encode(),
            ActionName::CancelRelayerProposal => {
                Contract::cancelRelayerProposalCall {}.abi_encode()
            }
            ActionName::RevokeRelayer => Contract::revokeRelayerCall {}.abi_encode(),
            ActionName::TransferOwnership => {
                Contract::transferOwnershipCall { newOwner: account }.abi_encode()
            }
            ActionName::AcceptOwnership => Contract::acceptOwnershipCall {}.abi_encode(),
            ActionName::SetPauser => Contract::setPauserCall { newPauser: account }.abi_encode(),
            ActionName::SetPlatformWallet => {
                Contract::setPlatformWalletCall { newWallet: account }.abi_encode()
            }
            ActionName::Pause => Contract::pauseCall {}.abi_encode(),
            ActionName::Unpause => Contract::unpauseCall {}.abi_encode(),
        };
        data.into()
    }

    /// The account that can do it, as things stand; the owner where more than one can.
    #[must_use]
    pub fn actor(&self, state: &State) -> Address {
        match self.name {
            ActionName::AcceptRelayer => {
                state.pending_relayer.map(|pending| pending.candidate).unwrap_or_default()
            }
            ActionName::AcceptOwnership => state.pending_owner,
            _ => state.owner,
        }
    }

    /// Whether it would change nothing that anybody could notice.
    #[must_use]
    pub fn is_done(&self, state: &State) -> bool {
        match self.name {
            ActionName::SetPauser => state.pauser == self.account,
            ActionName::SetPlatformWallet => state.platform_wallet == self.account,
            ActionName::TransferOwnership => state.pending_owner == self.account,
            ActionName::Pause => state.paused,
            ActionName::Unpause => !state.paused,
            ActionName::RevokeRelayer => state.relayer.is_zero(),
            ActionName::CancelRelayerProposal => state.pending_relayer.is_none(),
            // A second proposal begins the delay anew; an acceptance by the holder is refused.
            ActionName::ProposeRelayer
            | ActionName::AcceptRelayer
            | ActionName::AcceptOwnership => false,
        }
    }

    /// What will change, in words.
    #[must_use]
    pub fn change(&self, state: &State) -> String {
        let account = self.account;
        let candidate = state.pending_relayer.map(|pending| pending.candidate).unwrap_or_default();
        match self.name {
            ActionName::ProposeRelayer => format!(
                "{account} is proposed as relayer, in place of {}; the relayer stays {} until it \
                 accepts",
                or_nobody(candidate),
                or_nobody(state.relayer)
            ),
            ActionName::AcceptRelayer => {
                format!("relayer: {} -> {}", or_nobody(state.relayer), or_nobody(candidate))
            }
            ActionName::CancelRelayerProposal => {
                format!("{} is not proposed as relayer any more", or_nobody(candidate))
            }
            ActionName::RevokeRelayer => format!(
                "relayer: {} -> nobody; nothing settles until a proposed one accepts",
                or_nobody(state.relayer)
            ),
            ActionName::TransferOwnership if account.is_zero() => {
                format!(
                    "the ownership is not offered to {} any more",
                    or_nobody(state.pending_owner)
                )
            }
            ActionName::TransferOwnership => format!(
                "the ownership is offered to {account}; the owner stays {} until it accepts",
                state.owner
            ),
            ActionName::AcceptOwnership => {
                format!("owner: {} -> {}", state.owner, or_nobody(state.pending_owner))
            }
            ActionName::SetPauser => {
                format!("pauser: {} -> {}", or_nobody(state.pauser), or_nobody(account))
            }
            ActionName::SetPlatformWallet => {
                format!("platform wallet: {} -> {account}", state.platform_wallet)
            }
            ActionName::Pause => "deposits and settlement stop; withdrawals go on".to_owned(),
            ActionName::Unpause => "deposits and settlement go on".to_owned(),
        }
    }
}

/// The zero address in a role is nobody.
pub(super) fn or_nobody(account: Address) -> String {
    if account.is_zero() { "nobody".to_owned() } else { account.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::PendingRelayer;
    use alloy::primitives::U256;

    fn state() -> State {
        let account = Address::repeat_byte;
        State {
            usdc: account(1),
            owner: account(2),
            pending_owner: account(6),
            relayer: account(3),
            pending_relayer: Some(PendingRelayer { candidate: account(7), acceptable_at: 9 }),
            pauser: account(4),
            platform_wallet: account(5),
            relayer_delay: 60,
            paused: false,
            max_fee_bps: 2_000,
            max_batch_size: 100,
            total_owed: U256::ZERO,
        }
    }

    fn action(name: ActionName) -> Action {
        Action::new(name, Some(Address::repeat_byte(8)))
            .or_else(|_| Action::new(name, None))
            .unwrap()
    }

    #[test]
    fn an_account_is_demanded_where_one_is_needed_and_refused_elsewhere() {
        let account = Some(Address::repeat_byte(8));
        for name in ActionName::value_variants() {
            let (with, without) = (Action::new(*name, account), Action::new(*name, None));
            assert!(with.is_ok() != without.is_ok(), "{name:?}");
        }
        let error = Action::new(ActionName::SetPauser, None).unwrap_err().to_string();
        assert!(error.contains("set-pauser needs an account"), "{error}");
    }

    #[test]
    fn every_action_calls_a_function_of_its_own_name_and_says_what_will_change() {
        for name in ActionName::value_variants() {
            let action = action(*name);
            let value = name.to_possible_value().unwrap();
            let kebab: String = action
                .function()
                .chars()
                .flat_map(|c| {
                    if c.is_uppercase() { vec!['-', c.to_ascii_lowercase()] } else { vec![c] }
                })
                .collect();
            assert_eq!(kebab, value.get_name());
            assert!(!action.change(&state()).is_empty());
            let selector = alloy::primitives::keccak256(format!(
                "{}({})",
                action.function(),
                if action.calldata().len() > 4 { "address" } else { "" }
            ));
            assert_eq!(action.calldata()[..4], selector[..4]);
        }
    }

    #[test]
    fn those_who_were_chosen_accept_and_the_owner_can_do_the_rest() {
        for name in ActionName::value_variants() {
            let actor = match name {
                ActionName::AcceptRelayer => 7,
                ActionName::AcceptOwnership => 6,
                _ => 2,
            };
            assert_eq!(action(*name).actor(&state()), Address::repeat_byte(actor));
        }
    }

    #[test]
    fn what_would_change_nothing_is_known_before_it_is_sent() {
        let running = state();
        let paused = State { paused: true, ..state() };
        assert!(!action(ActionName::Pause).is_done(&running));
        assert!(action(ActionName::Pause).is_done(&paused));
        assert!(action(ActionName::Unpause).is_done(&running));
        let set = Action::new(ActionName::SetPauser, Some(running.pauser)).unwrap();
        assert!(set.is_done(&running));
        assert!(!action(ActionName::SetPauser).is_done(&running));
        let again = Action::new(ActionName::ProposeRelayer, Some(Address::repeat_byte(7))).unwrap();
        assert!(!again.is_done(&running), "it begins the delay anew");
    }
}
