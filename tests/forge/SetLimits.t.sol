// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {BatchFixture} from "./support/BatchFixture.sol";

contract SetLimitsTest is BatchFixture {
    uint256 private constant MAX_UINT48 = 2 ** 48 - 1;
    uint256 private constant MIDNIGHT = 1_800_057_600; // 2027-01-16 00:00:00 UTC
    uint256 private constant NOON = MIDNIGHT - 12 hours;

    uint256 private sessions;

    function setUp() public override {
        super.setUp();
        vm.warp(NOON);
        _fillPool(consumer, 100 * USDC);
    }

    /// @dev Settles `gross` of a new session at a rate of 1 µUSDC per second.
    function _spend(uint256 gross) private {
        _spend(1, gross);
    }

    function _spend(uint256 rate, uint256 gross) private {
        sessions += 1;
        _settle(_session(sessions), rate, (gross + rate - 1) / rate, gross, 0);
    }

    function _expectRefusal(bytes4 selector, uint256 rate, uint256 gross, uint256 value, uint256 max) private {
        bytes32 before = _state();
        vm.expectRevert(abi.encodeWithSelector(selector, consumer, value, max));
        _spend(rate, gross);
        _assertUnchanged(before);
    }

    function _expectDayLimit(uint256 gross, uint256 spent, uint256 max) private {
        _expectRefusal(ILuxxonSettlement.DayLimitExceeded.selector, 1, gross, spent, max);
    }

    function _assertLimits(address account, uint256 maxRate, uint256 maxPerSession, uint256 maxPerDay) private view {
        (uint32 rate, uint48 perSession, uint48 perDay,) = settlement.limitsOf(account);
        vm.assertEq(uint256(rate), maxRate, "maxRatePerSecond");
        vm.assertEq(uint256(perSession), maxPerSession, "maxPerSession");
        vm.assertEq(uint256(perDay), maxPerDay, "maxPerDay");
    }

    function _assertSpent(uint256 expected) private view {
        (,,, uint48 spentToday) = settlement.limitsOf(consumer);
        vm.assertEq(uint256(spentToday), expected, "spentToday");
    }

    function _expectNotDecoded(uint256 maxRate, uint256 maxPerSession, uint256 maxPerDay) private {
        vm.expectRevert(bytes(""));
        vm.prank(consumer);
        (bool done,) = address(settlement)
            .call(abi.encodeWithSelector(ILuxxonSettlement.setLimits.selector, maxRate, maxPerSession, maxPerDay));
        vm.assertTrue(done, "expectRevert"); // for it turns a revert into success
    }

    // ---------------------------------------------------------------------------------------------------- what it does

    function test_SetLimits_sets_all_three_for_the_caller_alone() public {
        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.LimitsSet(consumer, 10, 20, 30);
        _setLimits(consumer, 10, 20, 30);
        _assertLimits(consumer, 10, 20, 30);
        _assertLimits(stranger, 0, 0, 0);
        vm.assertEq(settlement.deposits(consumer), 100 * USDC, "the balance shares the word");
        vm.assertEq(settlement.totalOwed(), 100 * USDC, "totalOwed");
    }

    function test_SetLimits_replaces_the_limits_set_before() public {
        _setLimits(consumer, 10, 20, 30);
        _setLimits(consumer, 40, 0, 50);
        _assertLimits(consumer, 40, 0, 50);
    }

    function test_SetLimits_takes_the_widest_values() public {
        _setLimits(consumer, MAX_UINT32, MAX_UINT48, MAX_UINT48);
        _assertLimits(consumer, MAX_UINT32, MAX_UINT48, MAX_UINT48);
        vm.assertEq(settlement.deposits(consumer), 100 * USDC, "the balance shares the word");
        _assertSpent(0);
    }

    function test_SetLimits_works_without_a_pool() public {
        _setLimits(stranger, 1, 2, 3);
        _assertLimits(stranger, 1, 2, 3);
        _fillPool(stranger, 10);
        _assertLimits(stranger, 1, 2, 3);
    }

    function test_SetLimits_works_while_paused() public {
        _pause();
        _setLimits(consumer, 10, 20, 30);
        _assertLimits(consumer, 10, 20, 30);
    }

    function test_SetLimits_is_effective_at_once() public {
        _spend(30);
        _setLimits(consumer, 0, 29, 0);
        _expectRefusal(ILuxxonSettlement.SessionLimitExceeded.selector, 1, 30, 30, 29);
        _setLimits(consumer, 0, 30, 0);
        _spend(30);
    }

    function test_SetLimits_bears_trailing_calldata() public {
        bytes memory call = abi.encodeCall(ILuxxonSettlement.setLimits, (1, 2, 3));
        vm.prank(consumer);
        (bool done,) = address(settlement).call(abi.encodePacked(call, "bc_builder", bytes32("8021")));
        vm.assertTrue(done, "refused");
        _assertLimits(consumer, 1, 2, 3);
    }

    /// @dev A value wider than its type must not be cut to a limit the caller did not mean: the ABI decoder refuses it.
    function test_SetLimits_refuses_values_wider_than_their_types() public {
        _expectNotDecoded(2 ** 32 + 1, 2, 3);
        _expectNotDecoded(1, 2 ** 48 + 2, 3);
        _expectNotDecoded(1, 2, 2 ** 48 + 3);
        _assertLimits(consumer, 0, 0, 0);
    }

    // ------------------------------------------------------------------------------------------------------ each limit

    function test_SetLimits_invariant_8_rate_at_the_limit_passes_and_one_more_is_refused() public {
        _setLimits(consumer, 10, 0, 0);
        _spend(9, 9);
        _spend(10, 1_000);
        _expectRefusal(ILuxxonSettlement.RateLimitExceeded.selector, 11, 1, 11, 10);
    }

    /// @dev A rate that would pass if it were cut to the limit's 32 bits.
    function test_SetLimits_invariant_8_rate_wider_than_the_limit_is_refused() public {
        _setLimits(consumer, 10, 0, 0);
        _expectRefusal(ILuxxonSettlement.RateLimitExceeded.selector, 2 ** 32 + 1, 1, 2 ** 32 + 1, 10);
        _setLimits(consumer, MAX_UINT32, 0, 0);
        _expectRefusal(ILuxxonSettlement.RateLimitExceeded.selector, 2 ** 32, 1, 2 ** 32, MAX_UINT32);
        _spend(MAX_UINT32, 1);
    }

    function test_SetLimits_invariant_8_session_at_the_limit_passes_and_one_more_is_refused() public {
        _setLimits(consumer, 0, 100, 0);
        _spend(99);
        _spend(100);
        _expectRefusal(ILuxxonSettlement.SessionLimitExceeded.selector, 1, 101, 101, 100);
    }

    function test_SetLimits_invariant_8_the_fee_counts_as_well() public {
        _setLimits(consumer, 0, 100, 150);
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.SessionLimitExceeded.selector, consumer, 101, 100));
        _settle(SESSION, 101, 1, 81, 20);
        _settle(SESSION, 100, 1, 80, 20);
        _assertSpent(100);
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.DayLimitExceeded.selector, consumer, 151, 150));
        _settle(OTHER_SESSION, 51, 1, 41, 10);
    }

    function test_SetLimits_invariant_8_day_at_the_limit_passes_and_one_more_is_refused() public {
        _setLimits(consumer, 0, 0, 100);
        _expectDayLimit(101, 101, 100);
        _spend(60);
        _expectDayLimit(41, 101, 100);
        _spend(40);
        _assertSpent(100);
        _expectDayLimit(1, 101, 100);
    }

    /// @dev Amounts that would pass if they were cut to the limits' 48 bits.
    function test_SetLimits_invariant_8_amounts_wider_than_the_limits_are_refused() public {
        _fillPool(consumer, 2 ** 60);
        uint256 wide = 2 ** 48 + 1;
        _setLimits(consumer, 0, 100, 0);
        _expectRefusal(ILuxxonSettlement.SessionLimitExceeded.selector, wide, wide, wide, 100);
        _setLimits(consumer, 0, 0, 100);
        _expectRefusal(ILuxxonSettlement.DayLimitExceeded.selector, wide, wide, wide, 100);
    }

    function test_SetLimits_zero_is_no_limit() public {
        _setLimits(consumer, 1, 1, 1);
        _setLimits(consumer, 0, 0, 0);
        _spend(MAX_UINT64, 100 * USDC);
        vm.assertEq(settlement.deposits(consumer), 0, "pool");
    }

    /// @dev Each of the three alone must not bring the others with it.
    function test_SetLimits_one_limit_does_not_bring_another() public {
        _setLimits(consumer, 10, 0, 0);
        _spend(10, 1_000_000);
        _setLimits(consumer, 0, 10, 0);
        _spend(1_000_000, 10);
        _spend(1_000_000, 10);
        _setLimits(consumer, 0, 0, 2_000_000);
        _spend(1_000_000, 900_000);
    }

    function test_SetLimits_are_those_of_the_payer_not_of_the_payee() public {
        _setLimits(operator, 1, 1, 1);
        _settle(SESSION, 1_000, 1, 900, 100);
        vm.assertEq(usdc.balanceOf(operator), 900, "operator");
    }

    function test_SetLimits_are_checked_rate_first_then_session_day_and_pool() public {
        _setLimits(consumer, 1, 1, 1);
        uint256 gross = 100 * USDC + 1;
        _expectRefusal(ILuxxonSettlement.RateLimitExceeded.selector, 2, gross, 2, 1);
        _expectRefusal(ILuxxonSettlement.SessionLimitExceeded.selector, 1, gross, gross, 1);
        _setLimits(consumer, 1, 0, 1);
        _expectDayLimit(gross, gross, 1);
        _setLimits(consumer, 0, 0, 0);
        _expectRefusal(ILuxxonSettlement.InsufficientPool.selector, 1, gross, 100 * USDC, gross);
    }

    /// @dev The smallest and the widest limit, with no other beside it that would hold as well.
    function test_SetLimits_invariant_8_a_limit_alone_holds_at_either_end() public {
        _setLimits(consumer, 1, 0, 0);
        _expectRefusal(ILuxxonSettlement.RateLimitExceeded.selector, 2, 1, 2, 1);
        _setLimits(consumer, 0, 2 ** 47, 0);
        _expectRefusal(ILuxxonSettlement.SessionLimitExceeded.selector, 2 ** 32, 2 ** 47 + 1, 2 ** 47 + 1, 2 ** 47);
        _setLimits(consumer, 0, 0, 2 ** 47);
        _expectRefusal(ILuxxonSettlement.DayLimitExceeded.selector, 2 ** 32, 2 ** 47 + 1, 2 ** 47 + 1, 2 ** 47);
    }

    function test_SetLimits_come_before_an_empty_pool() public {
        _setLimits(stranger, 10, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.RateLimitExceeded.selector, stranger, 11, 10));
        vm.prank(relayer);
        settlement.settleFromPool(SESSION, stranger, operator, 11, 1, 11, 0);
    }

    /// @dev A pool that is too small is named to its highest bit, and without the limit that stands above it.
    function test_SetLimits_are_not_taken_for_a_part_of_the_pool() public {
        _setLimits(consumer, 1, 0, 0);
        uint256 gross = 100 * USDC + 1;
        _expectRefusal(ILuxxonSettlement.InsufficientPool.selector, 1, gross, 100 * USDC, gross);
        _fillPool(stranger, 2 ** 63);
        vm.expectRevert(
            abi.encodeWithSelector(ILuxxonSettlement.InsufficientPool.selector, stranger, 2 ** 63, 2 ** 63 + 1)
        );
        vm.prank(relayer);
        settlement.settleFromPool(SESSION, stranger, operator, 2 ** 63 + 1, 1, 2 ** 63 + 1, 0);
    }

    function test_SetLimits_hold_in_batches_too() public {
        _setLimits(consumer, 200, 100, 150);
        _add(_session(1), consumer, operator, 101, 0); // over the session's
        _add(_session(2), consumer, operator, 100, 0);
        _add(_session(3), consumer, operator, 51, 0); // over the day's
        _add(_session(4), consumer, operator, 50, 0);
        _settleBatch();
        vm.assertEq(usdc.balanceOf(operator), 150, "operator");
        _assertSpent(150);
    }

    // --------------------------------------------------------------------------------------------------------- the day

    function test_LimitsOf_shows_what_was_spent_today_without_a_limit_too() public {
        _assertSpent(0);
        _spend(70);
        _spend(5);
        _assertSpent(75);
    }

    function test_SetLimits_what_was_spent_without_a_limit_counts() public {
        _spend(70);
        _setLimits(consumer, 0, 0, 100);
        _expectDayLimit(31, 101, 100);
        _spend(30);
    }

    function test_SetLimits_below_what_was_spent_stops_until_the_day_ends() public {
        _spend(70);
        _setLimits(consumer, 0, 0, 69);
        _expectDayLimit(1, 71, 69);
        vm.warp(MIDNIGHT - 1);
        _expectDayLimit(1, 71, 69);
        vm.warp(MIDNIGHT);
        _spend(69);
        _expectDayLimit(1, 70, 69);
    }

    function test_SetLimits_the_next_day_begins_at_midnight_utc_to_the_second() public {
        _setLimits(consumer, 0, 0, 100);
        vm.warp(MIDNIGHT - 1);
        _spend(100);
        _expectDayLimit(1, 101, 100);
        vm.warp(MIDNIGHT);
        _assertSpent(0);
        _spend(100);
        _expectDayLimit(1, 101, 100);
        vm.warp(MIDNIGHT + 1);
        _expectDayLimit(1, 101, 100);
        vm.warp(MIDNIGHT + 1 days - 1);
        _assertSpent(100);
        _expectDayLimit(1, 101, 100);
        vm.warp(MIDNIGHT + 1 days);
        _spend(1);
        _assertSpent(1);
    }

    function test_SetLimits_a_day_of_another_year_is_not_today() public {
        _setLimits(consumer, 0, 0, 100);
        _spend(100);
        vm.warp(NOON + 365 days);
        _assertSpent(0);
        _spend(100);
    }

    /// @dev Days whose numbers differ in one bit only, up to the highest that is kept.
    function test_SetLimits_no_other_day_is_today() public {
        for (uint256 bit = 0; bit < 16; bit++) {
            vm.warp(NOON);
            _spend(1);
            vm.warp((NOON / 1 days ^ 2 ** bit) * 1 days);
            _assertSpent(0);
        }
    }

    /// @dev The number of the day is kept in 16 bits, which are enough until the year 2149, and begin anew after it.
    function test_SetLimits_hold_on_any_day_there_will_be() public {
        uint256[5] memory numbers = [uint256(2 ** 15 - 1), 2 ** 15, 2 ** 16 - 1, 2 ** 16, 2 ** 16 + 1];
        _setLimits(consumer, 0, 0, 100);
        for (uint256 i = 0; i < numbers.length; i++) {
            vm.warp(numbers[i] * 1 days);
            _assertSpent(0);
            _spend(100);
            vm.warp(numbers[i] * 1 days + 1 days - 1);
            _expectDayLimit(1, 101, 100);
        }
    }

    /// @dev Neither a limit set, lifted or set again, nor money going in or out, takes back what was spent.
    function test_SetLimits_nothing_but_the_day_resets_what_was_spent() public {
        _spend(70);
        _setLimits(consumer, 1, 1_000, 100);
        _setLimits(consumer, 0, 0, 0);
        _setLimits(consumer, 0, 0, 100);
        _fillPool(consumer, 50);
        _fund(stranger, 50);
        vm.prank(stranger);
        settlement.depositFor(consumer, 50);
        vm.prank(consumer);
        settlement.withdraw(100 * USDC);
        _pause();
        vm.prank(admin);
        settlement.unpause();
        _assertSpent(70);
        _expectDayLimit(31, 101, 100);
    }

    /// @dev The other way round: only settlements spend.
    function test_SetLimits_do_not_bound_withdrawals_nor_count_them() public {
        _setLimits(consumer, 1, 1, 1);
        vm.prank(consumer);
        settlement.withdraw(99 * USDC);
        vm.assertEq(usdc.balanceOf(consumer), 99 * USDC, "wallet");
        _assertSpent(0);
        _spend(1);
        vm.prank(consumer);
        settlement.withdraw(1 * USDC - 1);
        vm.assertEq(settlement.deposits(consumer), 0, "pool");
    }

    function test_SetLimits_a_refused_settlement_spends_nothing() public {
        _setLimits(consumer, 0, 0, 100);
        _expectDayLimit(101, 101, 100);
        _add(_session(1), consumer, operator, 101, 0);
        _settleBatch();
        _assertSpent(0);
        _spend(100);
    }

    function test_SetLimits_accounts_spend_each_on_their_own() public {
        _fillPool(stranger, 100);
        _setLimits(stranger, 0, 0, 100);
        _setLimits(consumer, 0, 0, 100);
        _spend(100);
        vm.prank(relayer);
        settlement.settleFromPool(SESSION, stranger, operator, 100, 1, 100, 0);
        _assertSpent(100);
    }

    // ------------------------------------------------------------------------------------------------------ saturation

    function test_SetLimits_what_was_spent_stays_at_48_bits() public {
        _fillPool(consumer, MAX_UINT64 - 100 * USDC);
        _spend(MAX_UINT64, MAX_UINT48 - 1);
        _assertSpent(MAX_UINT48 - 1);
        _spend(MAX_UINT64, 1);
        _assertSpent(MAX_UINT48);
        _spend(MAX_UINT64, 1); // without a limit nothing is refused
        _assertSpent(MAX_UINT48);
        _spend(MAX_UINT64, 2 ** 63);
        _assertSpent(MAX_UINT48);
        _assertLimits(consumer, 0, 0, 0);
    }

    /// @dev Over its whole width, across every carry: no bit of what was spent before is left standing, or lost.
    function testFuzz_SetLimits_what_was_spent_is_the_sum(uint256 first, uint256 second, uint256 third) public {
        _fillPool(consumer, 2 ** 60);
        _spend(MAX_UINT64, _bound(first, 1, 2 ** 47));
        _spend(MAX_UINT64, _bound(second, 1, 2 ** 47));
        _spend(MAX_UINT64, _bound(third, 1, 2 ** 47));
        uint256 sum = 2 ** 60 + 100 * USDC - settlement.deposits(consumer);
        _assertSpent(sum < MAX_UINT48 ? sum : MAX_UINT48);
        _assertLimits(consumer, 0, 0, 0);
    }

    /// @dev Saturated, it still refuses: it stands for at least that much, so any limit is exceeded.
    function test_SetLimits_the_widest_day_limit_holds_for_a_saturated_day() public {
        _fillPool(consumer, 2 ** 60);
        _setLimits(consumer, 0, 0, MAX_UINT48);
        _spend(MAX_UINT64, MAX_UINT48);
        _expectRefusal(ILuxxonSettlement.DayLimitExceeded.selector, 1, 1, MAX_UINT48 + 1, MAX_UINT48);

        vm.warp(MIDNIGHT);
        _setLimits(consumer, 0, 0, 0);
        _spend(MAX_UINT64, 2 ** 50);
        _setLimits(consumer, 0, 0, MAX_UINT48);
        _expectRefusal(ILuxxonSettlement.DayLimitExceeded.selector, 1, 1, MAX_UINT48 + 1, MAX_UINT48);
        vm.warp(MIDNIGHT + 1 days);
        _assertSpent(0);
        _spend(1);
    }

    // ------------------------------------------------------------------------------------------------------------ fuzz

    /// @dev Against the rules written out a second time, with values on both sides of every limit.
    function testFuzz_SetLimits_invariant_8(uint256 maxRate, uint256 maxPerSession, uint256 maxPerDay, uint256 seed)
        public
    {
        _setLimits(consumer, _bound(maxRate, 0, 20), _bound(maxPerSession, 0, 20), _bound(maxPerDay, 0, 40));
        (uint32 rateLimit, uint48 sessionLimit, uint48 dayLimit,) = settlement.limitsOf(consumer);
        uint256 spent;
        for (uint256 i = 0; i < 6; i++) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 rate = seed % 25 + 1;
            uint256 gross = (seed >> 128) % 25 + 1;
            bool good = (rateLimit == 0 || rate <= rateLimit) && (sessionLimit == 0 || gross <= sessionLimit)
                && (dayLimit == 0 || spent + gross <= dayLimit);
            vm.prank(relayer);
            (bool done,) = address(settlement)
                .call(
                    abi.encodeCall(
                        ILuxxonSettlement.settleFromPool, (_session(i), consumer, operator, rate, 25, gross, 0)
                    )
                );
            vm.assertEq(done, good, "within the limits");
            if (done) spent += gross;
            _assertSpent(spent);
        }
        vm.assertEq(usdc.balanceOf(operator), spent, "operator");
    }

    /// @dev Whatever the moment, what counts is the number of the UTC day.
    function testFuzz_SetLimits_day_is_the_utc_day(uint256 first, uint256 second) public {
        first = _bound(first, MIDNIGHT, MIDNIGHT + 10 days);
        second = _bound(second, first, first + 3 days);
        _setLimits(consumer, 0, 0, 100);
        vm.warp(first);
        _spend(100);
        vm.warp(second);
        if (first / 1 days == second / 1 days) _expectDayLimit(1, 101, 100);
        else _spend(100);
    }
}
