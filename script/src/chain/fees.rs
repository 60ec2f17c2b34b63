use super::{CallError, Ether, Node};
use alloy::{
    consensus::{BlockHeader, SignableTransaction},
    eips::BlockNumberOrTag,
    primitives::{Address, Bytes, U256, address, utils::format_ether},
    providers::Provider,
    sol,
    sol_types::SolCall,
};
use eyre::{Result, WrapErr, eyre};

/// Where chains of the OP stack say what a transaction pays for its data on L1.
pub const GAS_PRICE_ORACLE: Address = address!("0x420000000000000000000000000000000000000F");

sol! {
    /// The fee, in wei, for publishing an unsigned transaction; it allows for the signature itself.
    function getL1Fee(bytes calldata transaction) external view returns (uint256);
}

/// What a transaction will cost its sender, all in wei.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The gas it takes, by the node's estimate.
    pub gas: u64,
    /// The gas it may take.
    pub gas_limit: u64,
    /// The price of gas now, the tip included.
    pub price: u128,
    /// The price it may rise to.
    pub max_price: u128,
    /// The part of the price that goes to who makes the block.
    pub tip: u128,
    /// The fee for its data on L1; `None` on a chain that takes none.
    pub l1_fee: Option<U256>,
}

impl Cost {
    /// The fee on the chain itself, at the price of now.
    #[must_use]
    pub fn l2_fee(&self) -> U256 {
        U256::from(self.gas) * U256::from(self.price)
    }

    /// The most the fee on the chain itself can come to.
    #[must_use]
    pub fn most_l2_fee(&self) -> U256 {
        U256::from(self.gas_limit) * U256::from(self.max_price)
    }

    /// What the sender has to have: nodes refuse a transaction that its sender could not pay at the
    /// highest price it allows.
    #[must_use]
    pub fn needed(&self) -> U256 {
        self.most_l2_fee() + self.l1_fee.unwrap_or_default()
    }

    /// The lines that say so.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("gas        {} (limit {})", self.gas, self.gas_limit),
            format!("L2 fee     {}, at most {}", Ether(self.l2_fee()), Ether(self.most_l2_fee())),
        ];
        if let Some(l1_fee) = self.l1_fee {
            lines.push(format!("L1 fee     {}", Ether(l1_fee)));
        }
        lines
    }

    /// Whether `balance` pays for it.
    pub fn check(&self, sender: Address, balance: U256) -> Result<()> {
        if balance >= self.needed() {
            return Ok(());
        }
        Err(eyre!(
            "the sender {sender} has {}, and the transaction may cost {}: send it {} ETH or more",
            Ether(balance),
            Ether(self.needed()),
            // To the last digit: rounded down it would not be enough.
            format_ether(self.needed() - balance).trim_end_matches('0').trim_end_matches('.')
        ))
    }
}

/// Gas limits are a tenth above the estimate: what the estimate was made on may change until the
/// transaction is in a block.
pub(super) fn limit_for(gas: u64) -> u64 {
    gas.saturating_add(gas / 10)
}

/// The prices of gas: now, at most, and the tip.
pub(super) async fn prices(node: &Node) -> Result<(u128, u128, u128)> {
    let fees = node.provider().estimate_eip1559_fees().await;
    let fees = fees.map_err(|error| node.explain("eth_feeHistory", &error))?;
    let head = node.provider().get_block_by_number(BlockNumberOrTag::Latest).await;
    let head = head.map_err(|error| node.explain("eth_getBlockByNumber", &error))?;
    let head = head.ok_or_else(|| eyre!("the node at {} has no block", node.name()))?;
    let base = head.header.base_fee_per_gas().map_or(fees.max_fee_per_gas, u128::from);
    let (tip, most) = (fees.max_priority_fee_per_gas, fees.max_fee_per_gas);
    Ok((base.saturating_add(tip).min(most), most, tip))
}

/// What the chain takes for the transaction's data on L1; `None` where it is no chain of the OP
/// stack.
pub(super) async fn l1_fee(
    node: &Node,
    transaction: &dyn SignableTransaction<alloy::primitives::Signature>,
) -> Result<Option<U256>> {
    if node.code(GAS_PRICE_ORACLE, None).await?.is_empty() {
        return Ok(None);
    }
    let mut encoded = Vec::new();
    transaction.encode_for_signing(&mut encoded);
    let call = getL1FeeCall { transaction: Bytes::from(encoded) };
    let returned = node.view(GAS_PRICE_ORACLE, call.abi_encode().into()).await;
    let returned = returned.map_err(|error| match error {
        CallError::Reverted(_) => eyre!("the GasPriceOracle at {GAS_PRICE_ORACLE} reverts"),
        CallError::Failed(error) => error,
    })?;
    let fee = getL1FeeCall::abi_decode_returns(&returned)
        .wrap_err_with(|| format!("the GasPriceOracle at {GAS_PRICE_ORACLE}"))?;
    Ok(Some(fee))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COST: Cost = Cost {
        gas: 1_000_000,
        gas_limit: 1_100_000,
        price: 1_000_000_000,
        max_price: 2_000_000_000,
        tip: 1,
        l1_fee: Some(U256::from_limbs([100_000_000_000_000, 0, 0, 0])),
    };

    #[test]
    fn the_sender_needs_the_limit_at_the_highest_price_and_the_fee_on_l1() {
        assert_eq!(Ether(COST.l2_fee()).to_string(), "0.001 ETH");
        assert_eq!(Ether(COST.needed()).to_string(), "0.0023 ETH");
        assert!(COST.check(Address::ZERO, COST.needed()).is_ok());
        let short = COST.check(Address::ZERO, COST.needed() - U256::ONE).unwrap_err().to_string();
        assert!(short.contains("may cost 0.0023 ETH"), "{short}");
        assert!(short.contains("send it 0.000000000000000001 ETH or more"), "{short}");
    }

    #[test]
    fn the_fee_on_l1_is_said_where_there_is_one() {
        assert_eq!(COST.lines()[2], "L1 fee     0.0001 ETH");
        assert_eq!(Cost { l1_fee: None, ..COST }.lines().len(), 2);
    }

    #[test]
    fn no_number_of_a_node_overflows_a_limit_or_a_fee() {
        assert_eq!(limit_for(u64::MAX), u64::MAX);
        let most = Cost { gas: u64::MAX, gas_limit: u64::MAX, max_price: u128::MAX, ..COST };
        assert!(most.needed() > most.l2_fee());
    }
}
