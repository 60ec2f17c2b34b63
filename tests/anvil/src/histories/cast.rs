//! Who takes part in a history.

use crate::model::Model;
use alloy::primitives::{Address, B256};
use eyre::{Result, eyre};
use luxxon_script::devnet::DevAccount;

/// Anvil's accounts, by their parts.
#[derive(Clone, Debug)]
pub(super) struct Players {
    pub(super) owner: Address,
    pub(super) stranger: Address,
    pub(super) relayers: [Address; 3],
    pub(super) pausers: [Address; 3],
    pub(super) platforms: [Address; 2],
    pub(super) consumers: [Address; 4],
    pub(super) operators: [Address; 3],
    accounts: Vec<DevAccount>,
}

impl Players {
    /// How many accounts they are.
    pub(super) const COUNT: usize = 16;

    pub(super) fn of(accounts: &[DevAccount]) -> Result<Self> {
        let addresses: Vec<Address> = accounts.iter().map(|account| account.address).collect();
        let [owner, stranger, r0, r1, r2, p0, p1, f0, f1, c0, c1, c2, c3, o0, o1, o2] =
            addresses[..]
        else {
            return Err(eyre!("{} accounts, {} are needed", addresses.len(), Self::COUNT));
        };
        Ok(Self {
            owner,
            stranger,
            relayers: [r0, r1, r2],
            // There may be none.
            pausers: [p0, p1, Address::ZERO],
            platforms: [f0, f1],
            consumers: [c0, c1, c2, c3],
            operators: [o0, o1, o2],
            accounts: accounts.to_vec(),
        })
    }

    /// The wallets that workspaces have: consumers, then operators.
    pub(super) fn wallets(&self) -> [Address; 7] {
        let ([c0, c1, c2, c3], [o0, o1, o2]) = (self.consumers, self.operators);
        [c0, c1, c2, c3, o0, o1, o2]
    }

    /// Everybody who may have money.
    pub(super) fn everybody(&self, model: &Model) -> Vec<Address> {
        let mut all = self.wallets().to_vec();
        all.extend(self.platforms);
        all.push(model.settlement);
        all
    }

    /// The key of one of them.
    pub(super) fn key_of(&self, account: Address) -> Result<B256> {
        let found = self.accounts.iter().find(|known| known.address == account);
        found.map(|known| known.key).ok_or_else(|| eyre!("{account} has no key here"))
    }

    /// A name for people.
    pub(super) fn name(&self, account: Address) -> String {
        let groups: [(&str, &[Address]); 7] = [
            ("owner", &[self.owner]),
            ("stranger", &[self.stranger]),
            ("relayer", &self.relayers),
            ("pauser", &self.pausers[..2]),
            ("platform", &self.platforms),
            ("consumer", &self.consumers),
            ("operator", &self.operators),
        ];
        let found = groups.iter().find_map(|(name, group)| {
            let at = group.iter().position(|known| *known == account)?;
            Some(if group.len() == 1 { (*name).to_owned() } else { format!("{name} {at}") })
        });
        found.unwrap_or_else(|| account.to_string())
    }
}
