// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {BatchFixture} from "./support/BatchFixture.sol";

/// @dev Somebody has the relayer's key, and takes what can be taken: payee, rate, seconds and session ids are theirs to
/// choose. What the contract cannot prevent is measured here, and that it is no more than that.
contract StolenRelayerTest is BatchFixture {
    uint256 private constant MIDNIGHT = 1_800_057_600; // 00:00:00 UTC
    uint256 private constant POOL = 1_000 * USDC;
    uint256 private constant MAX_PER_DAY = 37 * USDC + 11;

    address private thief = _account("thief");
    address private careful = _account("careful consumer"); // a limit for the day
    address private cautious = _account("cautious consumer"); // limits for everything
    address private careless = _account("careless consumer"); // none

    uint256 private sessions;
    uint256 private attempts;

    function setUp() public override {
        super.setUp();
        vm.warp(MIDNIGHT);
        _fillPool(careful, POOL);
        _fillPool(cautious, POOL);
        _fillPool(careless, POOL);
        _setLimits(careful, 0, 0, MAX_PER_DAY);
        _setLimits(cautious, 5_000, 3 * USDC, 10 * USDC);
    }

    // ------------------------------------------------------------------------------------------------------- the thief

    /// @dev Takes all there is to take from `victim`: offers its whole pool, and as long as that is refused half as
    /// much, down to a single unit. Knows nothing of limits, and need not. By turns uses `settleFromPool` and
    /// `settleBatch`, with and without a fee.
    function _plunder(address victim) private returns (uint256 taken) {
        uint256 start = settlement.deposits(victim);
        for (uint256 gross = start; gross != 0; gross /= 2) {
            while (_attempt(victim, gross)) {}
        }
        taken = start - settlement.deposits(victim);
    }

    function _attempt(address victim, uint256 gross) private returns (bool done) {
        attempts += 1;
        if (attempts % 2 == 0) return _attemptBatch(victim, gross);
        ILuxxonSettlement.BatchEntry memory entry = _theft(victim, gross, attempts % 3 == 0 ? gross / 5 : 0);
        vm.prank(relayer);
        (done,) =
            address(settlement).call(abi.encodePacked(ILuxxonSettlement.settleFromPool.selector, abi.encode(entry)));
    }

    /// @dev Three sessions at once, in the hope that a batch counts them badly.
    function _attemptBatch(address victim, uint256 gross) private returns (bool done) {
        delete batch;
        for (uint256 i = 0; i < 3; i++) {
            batch.push(_theft(victim, gross, i == 0 ? gross / 5 : 0));
        }
        uint256 before = settlement.deposits(victim);
        _settleBatch();
        return settlement.deposits(victim) != before;
    }

    /// @dev A new session, at the lowest rate there is, for as long as it takes.
    function _theft(address victim, uint256 gross, uint256 fee)
        private
        returns (ILuxxonSettlement.BatchEntry memory entry)
    {
        sessions += 1;
        entry = ILuxxonSettlement.BatchEntry(_session(sessions), victim, thief, 1, gross, gross - fee, fee);
    }

    // --------------------------------------------------------------------------------------------------- what it takes

    function test_StolenRelayer_takes_the_whole_pool_of_an_account_without_limits() public {
        vm.assertEq(_plunder(careless), POOL, "taken");
        vm.assertEq(settlement.deposits(careless), 0, "pool");
        vm.assertEq(usdc.balanceOf(thief) + usdc.balanceOf(wallet), POOL, "loot, and the fees it had to leave");
    }

    /// @dev A limit of the rate or of the session alone bounds nothing: there are always more seconds and sessions.
    function test_StolenRelayer_takes_the_whole_pool_of_an_account_without_a_limit_for_the_day() public {
        _setLimits(careless, 1, POOL / 7, 0);
        vm.assertEq(_plunder(careless), POOL, "taken");
    }

    function test_StolenRelayer_invariant_8_takes_at_most_maxPerDay_a_day() public {
        for (uint256 day = 0; day < 5; day++) {
            vm.warp(MIDNIGHT + day * 1 days + 6 hours);
            vm.assertEq(_plunder(careful), MAX_PER_DAY, "taken, all that the limit allows");
            vm.assertEq(_plunder(cautious), 10 * USDC, "taken, all that the limit allows");
            vm.assertEq(_plunder(careful) + _plunder(cautious), 0, "taken in a second visit");
            vm.warp(MIDNIGHT + day * 1 days + 1 days - 1);
            vm.assertEq(_plunder(careful) + _plunder(cautious), 0, "taken at the end of the day");
        }
        vm.assertEq(settlement.deposits(careful), POOL - 5 * MAX_PER_DAY, "pool");
        vm.assertEq(settlement.deposits(cautious), POOL - 50 * USDC, "pool");
        vm.assertEq(settlement.deposits(careless), POOL, "untouched");
    }

    /// @dev Accounts in one batch, so that what one spends could be booked on another.
    function test_StolenRelayer_invariant_8_limits_are_each_accounts_own() public {
        address[3] memory victims = [careful, cautious, careless];
        uint256[3] memory expected = [MAX_PER_DAY, 10 * USDC, POOL];
        for (uint256 gross = POOL; gross != 0; gross /= 2) {
            delete batch;
            for (uint256 i = 0; i < 99; i++) {
                batch.push(_theft(victims[i % 3], gross, 0));
            }
            _settleBatch();
        }
        for (uint256 i = 0; i < 3; i++) {
            vm.assertEq(POOL - settlement.deposits(victims[i]), expected[i], "taken");
        }
    }

    /// @dev Of the UTC day: around midnight two days' worth goes within seconds, and then nothing for a day.
    function test_StolenRelayer_invariant_8_takes_twice_maxPerDay_around_midnight_and_never_more() public {
        vm.warp(MIDNIGHT + 1 days - 1);
        uint256 taken = _plunder(careful);
        vm.warp(MIDNIGHT + 1 days);
        taken += _plunder(careful);
        vm.assertEq(taken, 2 * MAX_PER_DAY, "within two seconds");
        for (uint256 hour = 1; hour < 24; hour++) {
            vm.warp(MIDNIGHT + 1 days + hour * 1 hours);
            taken += _plunder(careful);
        }
        vm.warp(MIDNIGHT + 2 days - 1);
        taken += _plunder(careful);
        vm.assertEq(taken, 2 * MAX_PER_DAY, "until the next midnight");
    }

    /// @dev What honest settlements took today is not taken again.
    function test_StolenRelayer_invariant_8_shares_the_day_with_the_honest_relayer() public {
        vm.prank(relayer);
        settlement.settleFromPool(SESSION, careful, operator, 5 * USDC, 1, 4 * USDC, 1 * USDC);
        vm.assertEq(_plunder(careful), MAX_PER_DAY - 5 * USDC, "taken");
    }

    /// @dev A consumer that notices: the lower limit holds from the next block on, whatever was taken before.
    function test_StolenRelayer_invariant_8_a_consumer_can_stop_it_at_once() public {
        vm.assertTrue(_attempt(careful, 1 * USDC), "taken");
        _setLimits(careful, 0, 0, 1);
        vm.assertEq(_plunder(careful), 0, "taken");
        vm.prank(careful);
        settlement.withdraw(POOL - 1 * USDC);
        vm.assertEq(usdc.balanceOf(careful), POOL - 1 * USDC, "saved");
    }

    /// @dev A pool that is refilled each day loses each day's limit and nothing of the rest.
    function test_StolenRelayer_invariant_8_a_deposit_does_not_raise_the_limit() public {
        vm.assertEq(_plunder(careful), MAX_PER_DAY, "taken");
        _fillPool(careful, POOL);
        vm.assertEq(_plunder(careful), 0, "taken");
    }

    function test_StolenRelayer_pause_and_revocation_end_it_at_once() public {
        vm.assertTrue(_attempt(careless, 1 * USDC), "taken");
        uint256 start = vm.snapshotState();
        _pause();
        _assertTakesNothing();
        vm.revertToState(start);
        vm.prank(pauser);
        settlement.revokeRelayer();
        _assertTakesNothing();
    }

    // ------------------------------------------------------------------------------------------------ what else it can

    /// @dev A session id that is known can be used up for 1 µUSDC: its operator is not paid through this contract.
    function test_StolenRelayer_can_lock_a_session_that_is_known() public {
        vm.prank(relayer);
        settlement.settleFromPool(SESSION, careless, thief, 1, 1, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.SessionAlreadySettled.selector, SESSION));
        vm.prank(relayer);
        settlement.settleFromPool(SESSION, careful, operator, 1_000, 1, 900, 100);
    }

    /// @dev With the day's limit used up no honest session is paid until midnight, either.
    function test_StolenRelayer_can_use_up_the_day() public {
        _plunder(careful);
        vm.expectRevert(
            abi.encodeWithSelector(
                ILuxxonSettlement.DayLimitExceeded.selector, careful, MAX_PER_DAY + 1_000, MAX_PER_DAY
            )
        );
        vm.prank(relayer);
        settlement.settleFromPool(SESSION, careful, operator, 1_000, 1, 900, 100);
    }

    /// @dev Neither what is held for somebody, nor money that came astray, nor the wallets of consumers who once gave
    /// an allowance: settling moves pools and nothing else.
    function test_StolenRelayer_cannot_take_claims_surplus_or_allowances() public {
        _blacklist(operator);
        _add(SESSION, careless, operator, 500, 0);
        _settleBatch();
        _fund(careless, 70);
        vm.prank(minter);
        usdc.mint(address(settlement), 30);

        _plunder(careful);
        _plunder(cautious);
        _plunder(careless);
        _plunder(operator);
        vm.assertEq(settlement.claimable(operator), 500, "claimable");
        vm.assertEq(usdc.balanceOf(careless), 70, "wallet");
        vm.assertEq(settlement.surplus(), 30, "surplus");
    }

    /// @dev The pools are emptied all the same; but what is held for the thief stays here.
    function test_StolenRelayer_gets_nothing_to_a_blacklisted_wallet() public {
        _blacklist(thief);
        while (_attemptBatch(careless, POOL / 10)) {}
        vm.assertEq(usdc.balanceOf(thief), 0, "loot");
        vm.expectRevert(bytes("Blacklistable: account is blacklisted"));
        settlement.claim(thief);
    }

    function _assertTakesNothing() private {
        ILuxxonSettlement.BatchEntry memory entry = _theft(careless, 1, 0);
        batch.push(entry);
        vm.prank(relayer);
        (bool done,) = address(settlement).call(abi.encodeCall(ILuxxonSettlement.settleBatch, (batch)));
        vm.assertTrue(!done, "settleBatch");
        vm.prank(relayer);
        (done,) =
            address(settlement).call(abi.encodePacked(ILuxxonSettlement.settleFromPool.selector, abi.encode(entry)));
        vm.assertTrue(!done, "settleFromPool");
    }

    // ------------------------------------------------------------------------------------------------------------ fuzz

    /// @dev Any moments and any amounts, for several days: never more than the limit in a UTC day, never more than
    /// twice the limit in any 24 hours.
    function testFuzz_StolenRelayer_invariant_8_at_any_moments(uint256 seed) public {
        uint256 size = 12;
        uint256[] memory times = new uint256[](size);
        uint256[] memory takings = new uint256[](size);
        uint256 time = MIDNIGHT;
        for (uint256 i = 0; i < size; i++) {
            seed = uint256(keccak256(abi.encode(seed)));
            time += seed % 14 hours;
            vm.warp(time);
            times[i] = time;
            uint256 before = settlement.deposits(careful);
            _attempt(careful, (seed >> 64) % MAX_PER_DAY + 1);
            _attempt(careful, (seed >> 128) % (MAX_PER_DAY / 8) + 1);
            takings[i] = before - settlement.deposits(careful);
        }
        for (uint256 i = 0; i < size; i++) {
            uint256 inTheDay;
            uint256 in24Hours;
            for (uint256 j = i; j < size; j++) {
                if (times[j] / 1 days == times[i] / 1 days) inTheDay += takings[j];
                if (times[j] - times[i] < 24 hours) in24Hours += takings[j];
            }
            vm.assertLe(inTheDay, MAX_PER_DAY, "in a day");
            vm.assertLe(in24Hours, 2 * MAX_PER_DAY, "in 24 hours");
        }
    }
}
