//! What may be deployed where. Decisions only: what has to be asked of the chain was asked before.

use crate::{
    chain::{known, seconds_as_text},
    contract::{ConstructorArgs, FACTORY},
};
use alloy::primitives::Address;

/// The longest delay the contract takes, seconds.
const LONGEST_DELAY: u64 = 30 * 24 * 60 * 60;

/// The shortest delay where money is real: the time consumers have to leave before a relayer they
/// do not trust takes over. Seconds.
const SHORTEST_PRODUCTION_DELAY: u64 = 24 * 60 * 60;

/// What was found about a deployment's arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Why it is not deployed; nothing is where this is empty.
    pub refusals: Vec<String>,
    /// What whoever deploys it should have seen.
    pub warnings: Vec<String>,
}

/// Judges arguments for the chain `chain_id`. `owner_has_code` says whether the owner is a
/// contract, which a multisig is.
#[must_use]
pub fn judge(chain_id: u64, args: &ConstructorArgs, owner_has_code: bool) -> Findings {
    let production = known(chain_id).is_some_and(|known| known.is_production);
    let mut findings = Findings::default();
    judge_accounts(args, &mut findings);
    judge_delay(args.relayer_delay, production, &mut findings);

    let mut coincide = |one: (&str, Address), other: (&str, Address), why: &str, refused: bool| {
        if one.1 == other.1 && !one.1.is_zero() {
            let found = format!("{} and {} are both {}: {why}", one.0, other.0, one.1);
            let list = if refused { &mut findings.refusals } else { &mut findings.warnings };
            list.push(found);
        }
    };
    let owner = ("owner", args.owner);
    let relayer = ("relayer", args.relayer);
    let pauser = ("pauser", args.pauser);
    let stolen = "a stolen relayer key could then not be revoked";
    coincide(owner, relayer, stolen, production);
    coincide(pauser, relayer, stolen, production);
    coincide(owner, pauser, "one lost key then loses both", false);
    let fees = "fees would be in reach of a key that is online";
    coincide(("platform_wallet", args.platform_wallet), relayer, fees, false);

    let mut warn = |condition: bool, warning: &str| {
        if condition {
            findings.warnings.push(warning.to_owned());
        }
    };
    warn(
        args.relayer.is_zero(),
        "relayer is zero: nothing settles until one is proposed and accepts",
    );
    warn(args.pauser.is_zero(), "pauser is zero: only the owner can pause");
    warn(
        production && !owner_has_code,
        "owner has no code, so it is a single key: a multisig is safer for the account that can \
         name the next relayer",
    );
    findings
}

/// No role may go to an account that cannot act, or cannot be paid.
fn judge_accounts(args: &ConstructorArgs, findings: &mut Findings) {
    for (name, account) in [("owner", args.owner), ("platform_wallet", args.platform_wallet)] {
        if account.is_zero() {
            findings.refusals.push(format!("{name} is zero"));
        }
    }
    for (name, account) in [
        ("owner", args.owner),
        ("relayer", args.relayer),
        ("pauser", args.pauser),
        ("platform_wallet", args.platform_wallet),
    ] {
        if account == args.usdc {
            findings.refusals.push(format!("{name} is USDC itself, {account}"));
        }
        if account == FACTORY {
            findings.refusals.push(format!("{name} is the CREATE2 factory, {account}"));
        }
    }
}

fn judge_delay(delay: u64, production: bool, findings: &mut Findings) {
    let said = seconds_as_text(delay);
    if delay > LONGEST_DELAY {
        findings.refusals.push(format!("relayer_delay is {said}, the contract takes 30d at most"));
    }
    if production && delay < SHORTEST_PRODUCTION_DELAY {
        findings
            .refusals
            .push(format!("relayer_delay is {said}, on this chain it is at least 24h"));
    }
    if !production && delay == 0 {
        findings
            .warnings
            .push("relayer_delay is 0s: a proposed relayer can accept at once".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = 8453;
    const SEPOLIA: u64 = 84532;
    const HOUR: u64 = 60 * 60;

    fn args() -> ConstructorArgs {
        let account = Address::repeat_byte;
        ConstructorArgs {
            usdc: account(1),
            owner: account(2),
            relayer: account(3),
            pauser: account(4),
            platform_wallet: account(5),
            relayer_delay: 24 * HOUR,
        }
    }

    /// How many refusals and warnings there are, of one kind.
    fn found(
        chain_id: u64,
        change: impl FnOnce(&mut ConstructorArgs),
        word: &str,
    ) -> (usize, usize) {
        let mut args = args();
        change(&mut args);
        let findings = judge(chain_id, &args, true);
        let count = |list: &[String]| list.iter().filter(|text| text.contains(word)).count();
        (count(&findings.refusals), count(&findings.warnings))
    }

    #[test]
    fn separate_roles_with_a_day_of_delay_pass_everywhere_without_a_word() {
        for chain in [BASE, SEPOLIA, 31337, 1] {
            assert_eq!(judge(chain, &args(), true), Findings::default());
        }
    }

    #[test]
    fn roles_that_coincide_are_refused_on_base_and_warned_about_elsewhere() {
        assert_eq!(found(BASE, |args| args.relayer = args.owner, "owner and relayer"), (1, 0));
        assert_eq!(found(SEPOLIA, |args| args.relayer = args.owner, "owner and relayer"), (0, 1));
        assert_eq!(found(BASE, |args| args.relayer = args.pauser, "pauser and relayer"), (1, 0));
        assert_eq!(found(SEPOLIA, |args| args.relayer = args.pauser, "pauser and relayer"), (0, 1));
        assert_eq!(found(BASE, |args| args.pauser = args.owner, "owner and pauser"), (0, 1));
        assert_eq!(found(BASE, |args| args.platform_wallet = args.relayer, "fees"), (0, 1));
        let none = |args: &mut ConstructorArgs| {
            args.relayer = Address::ZERO;
            args.pauser = Address::ZERO;
        };
        assert_eq!(found(BASE, none, "both"), (0, 0));
        assert_eq!(found(BASE, none, "is zero"), (0, 2));
    }

    #[test]
    fn the_delay_is_at_most_thirty_days_and_on_base_at_least_one() {
        let with = |chain, delay| found(chain, |args| args.relayer_delay = delay, "relayer_delay");
        assert_eq!(with(BASE, 24 * HOUR - 1), (1, 0));
        assert_eq!(with(BASE, 0), (1, 0));
        assert_eq!(with(BASE, 24 * HOUR), (0, 0));
        assert_eq!(with(BASE, 30 * 24 * HOUR), (0, 0));
        assert_eq!(with(BASE, 30 * 24 * HOUR + 1), (1, 0));
        assert_eq!(with(SEPOLIA, u64::MAX), (1, 0));
        assert_eq!(with(SEPOLIA, 0), (0, 1));
        assert_eq!(with(SEPOLIA, HOUR), (0, 0));
    }

    #[test]
    fn accounts_that_cannot_act_or_be_paid_get_no_role() {
        assert_eq!(found(SEPOLIA, |args| args.owner = Address::ZERO, "owner is zero"), (1, 0));
        let zero = |args: &mut ConstructorArgs| args.platform_wallet = Address::ZERO;
        assert_eq!(found(SEPOLIA, zero, "platform_wallet is zero"), (1, 0));
        let usdc = |args: &mut ConstructorArgs| args.platform_wallet = args.usdc;
        assert_eq!(found(SEPOLIA, usdc, "is USDC itself"), (1, 0));
        assert_eq!(found(SEPOLIA, |args| args.owner = FACTORY, "factory"), (1, 0));
    }

    #[test]
    fn an_owner_that_is_a_single_key_is_warned_about_on_base_only() {
        assert_eq!(judge(BASE, &args(), false).warnings.len(), 1);
        assert_eq!(judge(SEPOLIA, &args(), false), Findings::default());
    }
}
