//! Chains whose contracts do what they must not: the real ones, with their storage or their code
//! changed under them.

use super::{audit, violation};
use alloy::{
    primitives::{Address, B256, Bytes, U256, Uint, hex, keccak256},
    providers::Provider,
    rpc::types::TransactionRequest,
};
use eyre::{Result, ensure};
use luxxon_tests::World;
use serde_json::json;

/// Where the contract has what, by the order of its declarations: `solc --storage-layout`.
const CONFIG: u64 = 2;
const PROPOSAL: u64 = 3;
const PAUSER: u64 = 4;
const ACCOUNTS: u64 = 6;
const SETTLED: u64 = 8;
/// Where the stand-in has its balances.
const BALANCES: u64 = 3;

/// Of the word of an account: what is beside its balance, and what it spent and when.
const LIMITS_AT: usize = 64;
const SPENT_AT: usize = 192;
/// Of the first word: what is owed, and whether it is paused.
const OWED_AT: usize = 160;
const PAUSED_AT: usize = 248;

/// The place of a mapping's value.
fn place_of(key: B256, mapping: u64) -> U256 {
    keccak256([key, B256::from(U256::from(mapping))].concat()).into()
}

/// A chain whose consumer has 20,000 µUSDC in its pool.
struct Scene {
    world: World,
    consumer: Address,
}

impl Scene {
    async fn start() -> Result<Self> {
        let world = World::start().await?;
        let scene = Self { consumer: world.cast.consumer, world };
        scene.deposit(20_000).await?;
        audit(&scene.world, &[]).await?.says(0, &["clean"])?;
        Ok(scene)
    }

    async fn execute(&self, from: Address, call: TransactionRequest) -> Result<B256> {
        self.world.execute(from, call).await
    }

    async fn deposit(&self, amount: u64) -> Result<B256> {
        let call = self.world.contracts.settlement.deposit(U256::from(amount));
        self.execute(self.consumer, call.into_transaction_request()).await
    }

    async fn withdraw(&self, from: Address, amount: u64) -> Result<B256> {
        let call = self.world.contracts.settlement.withdraw(U256::from(amount));
        self.execute(from, call.into_transaction_request()).await
    }

    async fn limit(&self, per_session: u64, per_day: u64) -> Result<()> {
        let [per_session, per_day] = [per_session, per_day].map(Uint::from);
        let call = self.world.contracts.settlement.setLimits(0, per_session, per_day);
        self.execute(self.consumer, call.into_transaction_request()).await?;
        Ok(())
    }

    /// The relayer settles a session out of the consumer's pool.
    async fn settle(&self, session: u8, amount: u64, fee: u64) -> Result<B256> {
        let call = self.world.contracts.settlement.settleFromPool(
            B256::repeat_byte(session),
            self.consumer,
            self.world.cast.operator,
            U256::from(1_000),
            U256::from(60),
            U256::from(amount),
            U256::from(fee),
        );
        self.execute(self.world.cast.relayer, call.into_transaction_request()).await
    }

    fn account(account: Address) -> U256 {
        place_of(account.into_word(), ACCOUNTS)
    }

    /// Changes a word of `contract`, which holds something now.
    async fn change(
        &self,
        contract: Address,
        place: U256,
        change: impl FnOnce(U256) -> U256,
    ) -> Result<()> {
        let before = self.world.provider.get_storage_at(contract, place).await?;
        ensure!(!before.is_zero(), "nothing stands at {place}");
        self.put(contract, place, change(before)).await
    }

    async fn put(&self, contract: Address, place: U256, word: U256) -> Result<()> {
        let (place, word) = (B256::from(place), B256::from(word));
        self.world.rpc("anvil_setStorageAt", json!([contract, place, word])).await
    }

    async fn change_ours(&self, place: U256, change: impl FnOnce(U256) -> U256) -> Result<()> {
        self.change(*self.world.contracts.settlement.address(), place, change).await
    }

    async fn names(&self, invariants: &[u8], tx_hash: B256) -> Result<()> {
        violation(&self.world, invariants, Some(tx_hash)).await?;
        Ok(())
    }
}

/// `word` with no bits from `from` up to `to`.
fn cleared(word: U256, from: usize, to: usize) -> U256 {
    let low = |bits: usize| (U256::ONE << bits) - U256::ONE;
    let kept = if to == 256 { U256::ZERO } else { (word >> to) << to };
    kept | (word & low(from))
}

#[tokio::test]
async fn a_contract_that_forgets_a_session_and_settles_it_again_is_caught() -> Result<()> {
    let scene = Scene::start().await?;
    let first = scene.settle(1, 4_250, 750).await?;
    let place = place_of(B256::repeat_byte(1), SETTLED);
    scene.change_ours(place, |_| U256::ZERO).await?;
    let text = audit(&scene.world, &[]).await?;
    text.says(3, &["settled(0x0101", " is 0", "1, by its logs", &first.to_string()])?;
    let second = scene.settle(1, 4_250, 750).await?;
    let found = violation(&scene.world, &[6], Some(second)).await?;
    assert!(found["expected"].as_str().is_some_and(|text| text.contains(&first.to_string())));
    let text = audit(&scene.world, &[]).await?;
    let transaction = format!("transaction  {second}");
    text.says(3, &["VIOLATION of invariant 6", "settled again", &transaction])
}

#[tokio::test]
async fn a_contract_that_lets_out_more_than_was_put_in_is_caught() -> Result<()> {
    let scene = Scene::start().await?;
    let thief = scene.world.cast.operator;
    let contract = *scene.world.contracts.settlement.address();
    scene.put(contract, Scene::account(thief), U256::from(5_000)).await?;
    let stolen = scene.withdraw(thief, 5_000).await?;
    scene.deposit(1).await?;
    scene.names(&[4], stolen).await
}

#[tokio::test]
async fn a_contract_that_forgets_a_limit_is_caught() -> Result<()> {
    let scene = Scene::start().await?;
    scene.limit(1_000, 0).await?;
    scene.settle(1, 900, 100).await?;
    let place = Scene::account(scene.consumer);
    scene.change_ours(place, |word| cleared(word, LIMITS_AT, SPENT_AT)).await?;
    let above = scene.settle(2, 900, 101).await?;
    scene.names(&[8], above).await
}

#[tokio::test]
async fn a_contract_that_forgets_what_a_day_has_spent_is_caught() -> Result<()> {
    let scene = Scene::start().await?;
    scene.settle(1, 900, 100).await?;
    scene.limit(0, 1_500).await?;
    let place = Scene::account(scene.consumer);
    scene.change_ours(place, |word| cleared(word, SPENT_AT, 256)).await?;
    let above = scene.settle(2, 900, 100).await?;
    scene.names(&[8], above).await
}

#[tokio::test]
async fn a_contract_that_settles_while_paused_is_caught() -> Result<()> {
    let scene = Scene::start().await?;
    let pause = scene.world.contracts.settlement.pause().into_transaction_request();
    scene.execute(scene.world.cast.pauser, pause).await?;
    scene.change_ours(U256::from(CONFIG), |word| cleared(word, PAUSED_AT, 256)).await?;
    let settled = scene.settle(1, 900, 100).await?;
    scene.names(&[9], settled).await
}

#[tokio::test]
async fn a_contract_that_lets_somebody_become_relayer_unproposed_is_caught() -> Result<()> {
    let scene = Scene::start().await?;
    let next = scene.world.cast.operator;
    let contract = *scene.world.contracts.settlement.address();
    let proposal: U256 = next.into_word().into();
    scene.put(contract, U256::from(PROPOSAL), proposal).await?;
    let accept = scene.world.contracts.settlement.acceptRelayer().into_transaction_request();
    let accepted = scene.execute(next, accept).await?;
    scene.names(&[9], accepted).await
}

#[tokio::test]
async fn a_contract_whose_pauser_changes_without_a_word_is_caught() -> Result<()> {
    let scene = Scene::start().await?;
    let thief: U256 = scene.world.cast.operator.into_word().into();
    scene.change_ours(U256::from(PAUSER), |_| thief).await?;
    scene.world.mine(1).await?;
    let text = audit(&scene.world, &[]).await?;
    let found = format!("pauser() is {}", scene.world.cast.operator);
    text.says(3, &["VIOLATION of invariant 17", &found, "by its logs"])
}

#[tokio::test]
async fn another_contract_that_takes_half_as_a_fee_is_caught() -> Result<()> {
    let scene = Scene::start().await?;
    let contract = *scene.world.contracts.settlement.address();
    let code = hex::encode(scene.world.provider.get_code_at(contract).await?);
    // PUSH2 2,000 is the highest fee; 10,000 is all.
    let other = code.replace("6107d0", "612710");
    ensure!(other != code, "the code does not have the constant");
    scene.world.rpc("anvil_setCode", json!([contract, format!("0x{other}")])).await?;
    audit(&scene.world, &[]).await?.says(0, &["ANOTHER than the committed one"])?;
    let settled = scene.settle(1, 500, 500).await?;
    scene.names(&[5], settled).await
}

#[tokio::test]
async fn a_contract_that_miscounts_what_it_owes_is_caught_in_its_block() -> Result<()> {
    let scene = Scene::start().await?;
    for _ in 0..20 {
        scene.deposit(100).await?;
    }
    let wrong = scene.deposit(100).await?;
    let less = U256::from(3) << OWED_AT;
    scene.change_ours(U256::from(CONFIG), |word| word - less).await?;
    for _ in 0..20 {
        scene.deposit(100).await?;
    }
    let found = violation(&scene.world, &[2], Some(wrong)).await?;
    assert!(found["logIndex"].is_null(), "it is found by the state after the block: {found}");
    Ok(())
}

#[tokio::test]
async fn a_stand_in_that_takes_balances_away_is_caught_in_its_block() -> Result<()> {
    let scene = Scene::start().await?;
    let (usdc, holder) = (&scene.world.contracts.usdc, &scene.world.contracts.settlement);
    let lower = scene.withdraw(scene.consumer, 5).await?;
    let place = place_of(holder.address().into_word(), BALANCES);
    scene.change(*usdc.address(), place, |held| held - U256::ONE).await?;
    scene.withdraw(scene.consumer, 5).await?;
    scene.names(&[1], lower).await
}

/// Code that stands before the stand-in's own, which is at `behind` now: of each `transfer`, it
/// moves one µUSDC less than it is told to.
fn moves_one_less(behind: Address) -> Bytes {
    let parts = [
        "365f5f37",               // copy the call
        "5f3560e01c63a9059cbb14", // is it transfer(address,uint256)?
        "15601c57",               // go on at 0x1c where it is not
        "600160245103602452",     // the amount, less 1
        "5b5f5f365f73",           // 0x1c: delegate all of it
        &hex::encode(behind),
        "5af4",
        "3d5f5f3e", // copy what came back
        "604257",   // go on at 0x42 where it did not revert
        "3d5ffd",   // revert with it
        "5b3d5ff3", // 0x42: return it
    ];
    hex::decode(parts.concat()).expect("hexadecimal digits").into()
}

#[tokio::test]
async fn a_stand_in_that_moves_less_than_it_is_told_to_is_caught() -> Result<()> {
    let scene = Scene::start().await?;
    let usdc = *scene.world.contracts.usdc.address();
    let behind = Address::repeat_byte(0x0b);
    let code = scene.world.provider.get_code_at(usdc).await?;
    scene.world.rpc("anvil_setCode", json!([behind, code])).await?;
    scene.world.rpc("anvil_setCode", json!([usdc, moves_one_less(behind)])).await?;
    scene.deposit(100).await?;
    let short = scene.settle(1, 4_250, 750).await?;
    scene.withdraw(scene.consumer, 5).await?;
    let found = violation(&scene.world, &[3, 13], Some(short)).await?;
    let text = found["found"].as_str().unwrap_or_default();
    assert!(text.contains("got 4249 µUSDC") || text.contains("got 749 µUSDC"), "{found}");
    Ok(())
}
