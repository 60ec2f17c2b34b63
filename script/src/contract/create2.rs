//! Where the contract is deployed: an address that follows from its code and its arguments alone.

use crate::chain::json;
use alloy::{
    primitives::{Address, B256, Bytes, U256, address, b256, keccak256},
    sol_types::SolConstructor,
};
use luxxon_bindings::{build::runtime_code, settlement::LuxxonSettlement};
use serde::{Deserialize, Serialize};

/// The CREATE2 factory that stands at the same address on nearly every chain, Base and anvil among
/// them: <https://github.com/Arachnid/deterministic-deployment-proxy>.
///
/// It takes a salt and, right behind it, the code to run; has no owner, no storage and no roles.
pub const FACTORY: Address = address!("0x4e59b44847b379578588920cA78FbF26c0B4956C");

/// keccak256 of the factory's code.
pub const FACTORY_CODE_HASH: B256 =
    b256!("0x2fa86add0aed31f33a762c9d88e807c475bd51d0f52bd0955754b2608f7e4989");

/// What the salt is the hash of.
pub const SALT_TEXT: &str = "LuxxonSettlement";

/// The salt: `keccak256("LuxxonSettlement")`. Fixed, so that the same contract with the same
/// arguments has one address on every chain, whoever deploys it; a second one of the same kind on
/// one chain is not wanted.
pub const SALT: B256 = b256!("0x6302b44747cb39eb1b6399821810f933bd45b499830e02b906115bddc9aa7517");

/// The constructor's arguments. Every role is among them; the sender of a deployment, which is the
/// factory, gets none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConstructorArgs {
    /// The token.
    #[serde(serialize_with = "json::address")]
    pub usdc: Address,
    /// The first owner.
    #[serde(serialize_with = "json::address")]
    pub owner: Address,
    /// The first relayer; zero for none.
    #[serde(serialize_with = "json::address")]
    pub relayer: Address,
    /// The first pauser; zero for none.
    #[serde(serialize_with = "json::address")]
    pub pauser: Address,
    /// The first recipient of fees.
    #[serde(serialize_with = "json::address")]
    pub platform_wallet: Address,
    /// Seconds from a relayer's proposal to its earliest acceptance.
    pub relayer_delay: u64,
}

impl ConstructorArgs {
    /// The arguments as they follow the code.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        LuxxonSettlement::constructorCall {
            usdc: self.usdc,
            initialOwner: self.owner,
            initialRelayer: self.relayer,
            initialPauser: self.pauser,
            initialPlatformWallet: self.platform_wallet,
            relayerDelay: U256::from(self.relayer_delay),
        }
        .abi_encode()
    }
}

/// A deployment that follows from its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The arguments.
    pub args: ConstructorArgs,
    /// Where it stands.
    pub address: Address,
    /// The code that makes the contract: the creation code and the arguments.
    pub init_code: Bytes,
    /// The code that must be on chain afterwards.
    pub runtime_code: Bytes,
}

impl Deployment {
    /// The deployment with these arguments.
    #[must_use]
    pub fn new(args: ConstructorArgs) -> Self {
        let init_code = [&LuxxonSettlement::BYTECODE[..], &args.encoded()].concat();
        Self {
            args,
            address: FACTORY.create2(SALT, keccak256(&init_code)),
            init_code: init_code.into(),
            runtime_code: runtime_code(args.usdc, U256::from(args.relayer_delay)),
        }
    }

    /// What is sent to the factory.
    #[must_use]
    pub fn factory_input(&self) -> Bytes {
        [&SALT[..], &self.init_code].concat().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> ConstructorArgs {
        let account = Address::repeat_byte;
        ConstructorArgs {
            usdc: account(1),
            owner: account(2),
            relayer: account(3),
            pauser: account(4),
            platform_wallet: account(5),
            relayer_delay: 86_400,
        }
    }

    #[test]
    fn the_salt_is_the_hash_of_the_contracts_name() {
        assert_eq!(keccak256(SALT_TEXT), SALT);
    }

    #[test]
    fn every_argument_moves_the_address_and_none_moves_it_by_chance() {
        let deployment = Deployment::new(args());
        assert_eq!(Deployment::new(args()), deployment);
        let other = Address::repeat_byte(9);
        let changes: [fn(&mut ConstructorArgs, Address); 6] = [
            |args, other| args.usdc = other,
            |args, other| args.owner = other,
            |args, other| args.relayer = other,
            |args, other| args.pauser = other,
            |args, other| args.platform_wallet = other,
            |args, _| args.relayer_delay = 0,
        ];
        for change in changes {
            let mut args = args();
            change(&mut args, other);
            assert_ne!(Deployment::new(args).address, deployment.address);
        }
    }

    #[test]
    fn the_factory_gets_the_salt_then_the_code_then_the_arguments() {
        let deployment = Deployment::new(args());
        let input = deployment.factory_input();
        assert_eq!(input[..32], SALT[..]);
        assert!(input[32..].starts_with(&LuxxonSettlement::BYTECODE));
        assert!(input.ends_with(&args().encoded()));
        assert_eq!(args().encoded().len(), 6 * 32);
    }
}
