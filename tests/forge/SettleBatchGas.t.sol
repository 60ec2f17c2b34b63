// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {BatchFixture} from "./support/BatchFixture.sol";
import {HeavyToken} from "./support/Tokens.sol";

/// @dev Whoever sends a batch chooses its gas, and a transfer that runs out of it looks like one that USDC refused.
/// Nobody's payout may be held for that: at every gas limit a batch reverts whole, or ends as with all the gas there is.
contract SettleBatchGasTest is BatchFixture {
    address private another = _account("another operator");
    address private third = _account("third operator");
    bytes private call;

    function setUp() public override {
        super.setUp();
        _fillPool(consumer, 1_000);
        _add(_session(1), consumer, operator, 80, 20);
        _add(_session(2), consumer, another, 40, 10);
        _addBad(_session(3), another);
        _add(_session(4), consumer, third, 8, 2);
        call = abi.encodeCall(ILuxxonSettlement.settleBatch, (batch));
    }

    /// @dev The batch with `gas` for all of it, with cold storage as at the start of a transaction.
    function _settleWith(uint256 gas) private returns (bool done) {
        vm.cool(address(usdc));
        vm.cool(address(settlement));
        bytes memory data = call;
        vm.prank(relayer);
        (done,) = address(settlement).call{gas: gas}(data);
    }

    function _everything() private view returns (bytes32) {
        bytes memory sessions;
        for (uint256 i = 1; i <= 4; i++) {
            sessions = abi.encode(sessions, settlement.settled(_session(i)));
        }
        return keccak256(abi.encode(_state(), _stateOf(another), _stateOf(third), sessions));
    }

    /// @dev What the state was before and is after a run with plenty of gas, and how much that run took.
    function _fullRun() private returns (bytes32 before, bytes32 expected, uint256 used) {
        before = _everything();
        uint256 start = vm.snapshotState();
        uint256 gas = gasleft();
        vm.assertTrue(_settleWith(10_000_000), "refused");
        used = gas - gasleft();
        expected = _everything();
        vm.revertToState(start);
        vm.assertTrue(before != expected, "nothing happened");
    }

    /// @dev From too little for the first check to more than enough. Steps of a prime number of gas, so that no
    /// regular cost of the contract falls in step with them.
    function _sweep() private {
        (bytes32 before, bytes32 expected, uint256 used) = _fullRun();
        uint256 start = vm.snapshotState();
        uint256 reverted;
        uint256 settledRuns;
        for (uint256 gas = 20_000; gas < used + 40_000; gas += 409) {
            bool done = _settleWith(gas);
            vm.assertEq(_everything(), done ? expected : before, "neither nothing nor everything");
            if (done) settledRuns++;
            else reverted++;
            vm.revertToState(start);
        }
        vm.assertGe(reverted, 300, "runs that reverted");
        vm.assertGe(settledRuns, 50, "runs that settled");
    }

    function test_SettleBatch_at_every_gas_limit() public {
        _sweep();
    }

    function test_SettleBatch_at_every_gas_limit_with_a_blacklisted_payee() public {
        _blacklist(another);
        _sweep();
    }

    function test_SettleBatch_at_every_gas_limit_with_the_last_payee_blacklisted() public {
        _blacklist(third);
        _sweep();
    }

    function test_SettleBatch_at_every_gas_limit_with_a_blacklisted_platform_wallet() public {
        _blacklist(wallet);
        _sweep();
    }

    /// @dev At the edge to the single unit: the last limits that revert and the first that do not.
    function test_SettleBatch_at_the_least_gas_that_settles() public {
        (bytes32 before, bytes32 expected, uint256 used) = _fullRun();
        uint256 start = vm.snapshotState();
        uint256 low = 20_000; // reverts
        uint256 high = used + 40_000; // settles
        while (high - low > 1) {
            uint256 middle = (low + high) / 2;
            if (_settleWith(middle)) high = middle;
            else low = middle;
            vm.revertToState(start);
        }
        for (uint256 gas = low - 100; gas < high + 100; gas++) {
            bool done = _settleWith(gas);
            vm.assertEq(_everything(), done ? expected : before, "neither nothing nor everything");
            vm.revertToState(start);
        }
    }

    function testFuzz_SettleBatch_at_any_gas_limit(uint256 gas, uint256 refused) public {
        address[5] memory choices = [operator, another, third, wallet, stranger];
        _blacklist(choices[refused % 5]);
        (bytes32 before, bytes32 expected, uint256 used) = _fullRun();
        bool done = _settleWith(_bound(gas, 0, used + 10_000));
        vm.assertEq(_everything(), done ? expected : before, "neither nothing nor everything");
    }

    // ------------------------------------------------------------------------------- a token that needs much more gas

    /// @dev With USDC as it is, what is left after a transfer ran out of gas would not even pay for holding it. Circle
    /// can change that, so here is a token where it does: gas for the first payout, and none for the second.
    function test_SettleBatch_holds_nothing_for_a_payee_whose_transfer_ran_out_of_gas() public {
        HeavyToken token = _overHeavyToken();
        (uint256 held, uint256 settledRuns) = _sweepHeavy(token);
        vm.assertEq(held, 0, "a payout was held");
        vm.assertGe(settledRuns, 5, "runs that settled");
    }

    function test_SettleBatch_holds_for_a_blacklisted_payee_of_a_heavy_token_whatever_the_gas() public {
        HeavyToken token = _overHeavyToken();
        token.blacklist(another);
        (uint256 held, uint256 settledRuns) = _sweepHeavy(token);
        vm.assertEq(held, settledRuns, "runs that held");
        vm.assertGe(settledRuns, 5, "runs that settled");
    }

    function _overHeavyToken() private returns (HeavyToken token) {
        token = new HeavyToken();
        settlement = new LuxxonSettlement(address(token), admin, relayer, pauser, wallet, RELAYER_DELAY);
        token.mint(consumer, 1_000);
        vm.prank(consumer);
        settlement.deposit(1_000);
        delete batch;
        _add(_session(1), consumer, operator, 100, 0);
        _add(_session(2), consumer, another, 50, 0);
        call = abi.encodeCall(ILuxxonSettlement.settleBatch, (batch));
    }

    /// @dev The number of runs that settled, and of those that held 50 for the second payee instead of paying it.
    function _sweepHeavy(HeavyToken token) private returns (uint256 held, uint256 settledRuns) {
        uint256 start = vm.snapshotState();
        for (uint256 gas = 2_000_000; gas < 5_600_000; gas += 40_009) {
            if (_settleWith(gas)) {
                settledRuns++;
                if (settlement.claimable(another) == 50) held++;
                else vm.assertEq(token.balanceOf(another), 50, "paid");
                vm.assertEq(token.balanceOf(operator), 100, "the one before it");
                vm.assertEq(settlement.totalOwed(), token.balanceOf(address(settlement)), "totalOwed");
            } else {
                vm.assertEq(settlement.totalOwed(), 1_000, "reverted whole");
            }
            vm.revertToState(start);
        }
    }
}
