// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {Fixture} from "./support/Fixture.sol";
import {Refusals} from "./support/Refusals.sol";
import {SilentToken} from "./support/Tokens.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

contract SettleFromPoolTest is Fixture {
    uint256 private constant POOL = 100 * USDC;

    function setUp() public override {
        super.setUp();
        _fillPool(consumer, POOL);
        _fillPool(stranger, POOL);
    }

    // ---------------------------------------------------------------------------------------------------- what it does

    function test_SettleFromPool_pays_the_operator_and_the_fee_from_the_pool() public {
        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.Settled(SESSION, consumer, operator, 900, 100, 10, 120);
        _settle(SESSION, 10, 120, 900, 100);

        vm.assertTrue(settlement.settled(SESSION), "settled");
        vm.assertTrue(!settlement.settled(OTHER_SESSION), "other session");
        vm.assertEq(settlement.deposits(consumer), POOL - 1000, "pool");
        vm.assertEq(settlement.deposits(stranger), POOL, "other pool");
        vm.assertEq(settlement.totalOwed(), 2 * POOL - 1000, "totalOwed");
        vm.assertEq(usdc.balanceOf(operator), 900, "operator");
        vm.assertEq(usdc.balanceOf(wallet), 100, "platform wallet");
        vm.assertEq(usdc.balanceOf(address(settlement)), 2 * POOL - 1000, "held");
    }

    /// @dev Indexers of the published interface subscribe to this topic.
    function test_SettleFromPool_event_has_the_published_topic() public pure {
        vm.assertEq(
            ILuxxonSettlement.Settled.selector,
            0x3c2f1f2d0b72345a6485430cb4ac8fd6f0750636b3b793aa4976a0008d8c8079,
            "topic0"
        );
    }

    function test_SettleFromPool_has_the_published_selector() public pure {
        vm.assertEq(bytes32(LuxxonSettlement.settleFromPool.selector), bytes32(bytes4(0xb7bd737b)), "settleFromPool");
        vm.assertEq(bytes32(LuxxonSettlement.deposit.selector), bytes32(bytes4(0xb6b55f25)), "deposit");
        vm.assertEq(bytes32(LuxxonSettlement.withdraw.selector), bytes32(bytes4(0x2e1a7d4d)), "withdraw");
        vm.assertEq(bytes32(LuxxonSettlement.deposits.selector), bytes32(bytes4(0xfc7e286d)), "deposits");
    }

    function test_SettleFromPool_without_a_fee_does_not_touch_the_platform_wallet() public {
        _blacklist(wallet); // a transfer of zero to it would revert
        _settle(1000, 0);
        vm.assertEq(usdc.balanceOf(operator), 1000, "operator");
    }

    function test_SettleFromPool_may_pay_the_consumer_itself() public {
        vm.prank(relayer);
        settlement.settleFromPool(SESSION, consumer, consumer, 1000, 1, 900, 100);
        vm.assertEq(settlement.deposits(consumer), POOL - 1000, "pool");
        vm.assertEq(usdc.balanceOf(consumer), 900, "wallet");
    }

    function test_SettleFromPool_may_pay_the_platform_wallet() public {
        vm.prank(relayer);
        settlement.settleFromPool(SESSION, consumer, wallet, 1000, 1, 900, 100);
        vm.assertEq(usdc.balanceOf(wallet), 1000, "platform wallet");
    }

    function test_SettleFromPool_may_take_the_whole_pool() public {
        _settle(POOL, 0);
        vm.assertEq(settlement.deposits(consumer), 0, "pool");
    }

    function test_SettleFromPool_works_for_a_blacklisted_consumer() public {
        _blacklist(consumer);
        _settle(1000, 0);
        vm.assertEq(usdc.balanceOf(operator), 1000, "operator");
    }

    function test_SettleFromPool_counts_what_is_spent_today() public {
        _settle(SESSION, 1_000, 1, 900, 100);
        _settle(OTHER_SESSION, 7, 1, 7, 0);
        (,,, uint48 spentToday) = settlement.limitsOf(consumer);
        vm.assertEq(uint256(spentToday), 1_007, "spentToday");
        (,,, spentToday) = settlement.limitsOf(stranger);
        vm.assertEq(uint256(spentToday), 0, "spentToday of another");
    }

    /// @dev The dearest session the limits allow passes; what is one above any of them is in SetLimits.t.sol.
    function test_SettleFromPool_invariant_8_within_all_limits_passes() public {
        _setLimits(consumer, 10, 1_000, 1_000);
        _settle(SESSION, 10, 100, 800, 200);
        vm.assertEq(usdc.balanceOf(operator), 800, "operator");
    }

    function test_SettleFromPool_bears_trailing_calldata() public {
        bytes memory call =
            abi.encodeCall(ILuxxonSettlement.settleFromPool, (SESSION, consumer, operator, 1000, 1, 900, 100));
        vm.prank(relayer);
        (bool done,) = address(settlement).call(abi.encodePacked(call, "bc_builder", bytes32("8021")));
        vm.assertTrue(done, "refused");
        vm.assertEq(usdc.balanceOf(operator), 900, "operator");
    }

    // -------------------------------------------------------------------------------------------------- role and pause

    function test_SettleFromPool_invariant_9_only_the_relayer() public {
        address[5] memory others = [stranger, consumer, operator, admin, pauser];
        for (uint256 i = 0; i < others.length; i++) {
            vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.NotRelayer.selector, others[i]));
            vm.prank(others[i]);
            settlement.settleFromPool(SESSION, consumer, operator, 1000, 1, 900, 100);
        }
    }

    function test_SettleFromPool_invariant_9_not_by_a_revoked_relayer() public {
        vm.prank(pauser);
        settlement.revokeRelayer();
        _expectRefusal(
            abi.encodeWithSelector(ILuxxonSettlement.NotRelayer.selector, relayer), SESSION, operator, 1000, 1, 900, 100
        );
    }

    function test_SettleFromPool_invariant_9_not_while_paused() public {
        _pause();
        _expectRefusal(
            abi.encodeWithSelector(ILuxxonSettlement.ContractPaused.selector), SESSION, operator, 1000, 1, 900, 100
        );
    }

    // ---------------------------------------------------------------------------------------------------------- replay

    function test_SettleFromPool_invariant_6_refuses_a_session_settled_before() public {
        _settle(1000, 0);
        _expectRefusal(
            abi.encodeWithSelector(ILuxxonSettlement.SessionAlreadySettled.selector, SESSION),
            SESSION,
            operator,
            1,
            1,
            1,
            0
        );
    }

    function test_SettleFromPool_invariant_6_holds_for_another_consumer_too() public {
        _settle(1000, 0);
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.SessionAlreadySettled.selector, SESSION));
        vm.prank(relayer);
        settlement.settleFromPool(SESSION, stranger, operator, 1, 1, 1, 0);
    }

    function test_SettleFromPool_a_refused_session_can_still_be_settled() public {
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.MeterExceeded.selector, 1000, 999));
        _settle(SESSION, 999, 1, 1000, 0);
        _settle(SESSION, 1000, 1, 1000, 0);
    }

    function test_SettleFromPool_accepts_the_zero_session_id_once() public {
        _settle(bytes32(0), 1, 1, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.SessionAlreadySettled.selector, bytes32(0)));
        _settle(bytes32(0), 1, 1, 1, 0);
    }

    // ----------------------------------------------------------------------------------------------------------- payee

    function test_SettleFromPool_invariant_15_refuses_impossible_payees() public {
        address[3] memory payees = [address(0), address(settlement), address(usdc)];
        for (uint256 i = 0; i < payees.length; i++) {
            _expectRefusal(
                abi.encodeWithSelector(ILuxxonSettlement.InvalidPayee.selector, payees[i]),
                SESSION,
                payees[i],
                1,
                1,
                1,
                0
            );
        }
    }

    // ----------------------------------------------------------------------------------------------------------- meter

    function test_SettleFromPool_meter_exactly_reached_passes() public {
        _settle(SESSION, 7, 13, 90, 1); // 91 = 7 * 13
    }

    function test_SettleFromPool_meter_exceeded_by_one_is_refused() public {
        bytes memory refusal = abi.encodeWithSelector(ILuxxonSettlement.MeterExceeded.selector, 92, 91);
        _expectRefusal(refusal, SESSION, operator, 7, 13, 91, 1);
        _expectRefusal(refusal, SESSION, operator, 7, 13, 90, 2); // the fee counts as well
    }

    function test_SettleFromPool_meter_at_rest_pays_nothing() public {
        bytes memory refusal = abi.encodeWithSelector(ILuxxonSettlement.MeterExceeded.selector, 1, 0);
        _expectRefusal(refusal, SESSION, operator, 1000, 0, 1, 0);
        _expectRefusal(refusal, SESSION, operator, 0, 1000, 1, 0);
    }

    function test_SettleFromPool_refuses_zero_gross() public {
        bytes memory refusal = abi.encodeWithSelector(ILuxxonSettlement.ZeroAmount.selector);
        _expectRefusal(refusal, SESSION, operator, 1000, 1000, 0, 0);
    }

    // ------------------------------------------------------------------------------------------------------------- fee

    function test_SettleFromPool_fee_at_the_ceiling_passes() public {
        _settle(SESSION, 10_000, 1, 8_000, 2_000);
        _settle(OTHER_SESSION, 5, 1, 4, 1);
    }

    function test_SettleFromPool_fee_one_above_the_ceiling_is_refused() public {
        bytes memory refusal = abi.encodeWithSelector(ILuxxonSettlement.FeeExceeded.selector, 2_001, 10_000);
        _expectRefusal(refusal, SESSION, operator, 10_000, 1, 7_999, 2_001);
    }

    /// @dev A ceiling rounded up, or a gross taken one too large, would let these pass.
    function test_SettleFromPool_fee_ceiling_is_not_rounded() public {
        bytes memory refusal = abi.encodeWithSelector(ILuxxonSettlement.FeeExceeded.selector, 1, 4);
        _expectRefusal(refusal, SESSION, operator, 5, 1, 3, 1);
        refusal = abi.encodeWithSelector(ILuxxonSettlement.FeeExceeded.selector, 2_000, 9_999);
        _expectRefusal(refusal, SESSION, operator, 10_000, 1, 7_999, 2_000);
    }

    function test_SettleFromPool_fee_alone_is_refused() public {
        bytes memory refusal = abi.encodeWithSelector(ILuxxonSettlement.FeeExceeded.selector, 1, 1);
        _expectRefusal(refusal, SESSION, operator, 1, 1, 0, 1);
    }

    // ---------------------------------------------------------------------------------------------------------- widths

    function test_SettleFromPool_widest_rate_and_seconds_pass() public {
        _settle(SESSION, MAX_UINT64, MAX_UINT32, 1, 0);
    }

    function test_SettleFromPool_widest_gross_passes() public {
        uint256 fee = MAX_UINT64 / 5;
        _fillPool(consumer, MAX_UINT64 - POOL);
        _settle(SESSION, MAX_UINT64, 1, MAX_UINT64 - fee, fee);
        vm.assertEq(settlement.deposits(consumer), 0, "pool");
    }

    /// @dev No fee of that width is within the ceiling, but that is what it has to be refused for.
    function test_SettleFromPool_widest_fee_is_not_too_wide() public {
        bytes memory refusal = abi.encodeWithSelector(ILuxxonSettlement.FeeExceeded.selector, MAX_UINT64, MAX_UINT64);
        _expectRefusal(refusal, SESSION, operator, MAX_UINT64, 1, 0, MAX_UINT64);
    }

    function test_SettleFromPool_refuses_values_one_too_wide() public {
        bytes memory refusal = _tooLarge(2 ** 64, MAX_UINT64);
        _expectRefusal(refusal, SESSION, operator, 2 ** 64, 1, 1, 0);
        _expectRefusal(refusal, SESSION, operator, MAX_UINT64, 2, 2 ** 64, 0);
        _expectRefusal(refusal, SESSION, operator, MAX_UINT64, 2, 1, 2 ** 64);
        _expectRefusal(refusal, SESSION, operator, MAX_UINT64, 2, MAX_UINT64, 1); // the gross
        _expectRefusal(_tooLarge(2 ** 32, MAX_UINT32), SESSION, operator, 1, 2 ** 32, 1, 0);
    }

    /// @dev Sums and products that would come out small if they wrapped.
    function test_SettleFromPool_refuses_values_that_would_wrap() public {
        uint256 most = type(uint256).max;
        _expectRefusal(_tooLarge(most, MAX_UINT64), SESSION, operator, most, most, 1, 0);
        _expectRefusal(_tooLarge(most, MAX_UINT32), SESSION, operator, 1, most, 1, 0);
        _expectRefusal(_tooLarge(most, MAX_UINT64), SESSION, operator, 1, 1, most, 2);
        _expectRefusal(_tooLarge(most, MAX_UINT64), SESSION, operator, 1, 1, 2, most);
    }

    // ------------------------------------------------------------------------------------------------------------ pool

    function test_SettleFromPool_one_more_than_the_pool_is_refused() public {
        bytes memory refusal =
            abi.encodeWithSelector(ILuxxonSettlement.InsufficientPool.selector, consumer, POOL, POOL + 1);
        _expectRefusal(refusal, SESSION, operator, POOL + 1, 1, POOL, 1);
    }

    function test_SettleFromPool_after_the_consumer_withdrew_is_refused() public {
        vm.prank(consumer);
        settlement.withdraw(POOL - 999);
        bytes memory refusal = abi.encodeWithSelector(ILuxxonSettlement.InsufficientPool.selector, consumer, 999, 1000);
        _expectRefusal(refusal, SESSION, operator, 1000, 1, 900, 100);
    }

    // ------------------------------------------------------------------------------------------------- USDC's refusals

    function test_SettleFromPool_reverts_as_a_whole_for_a_blacklisted_payee() public {
        _blacklist(operator);
        _expectRefusal(bytes("Blacklistable: account is blacklisted"), SESSION, operator, 1000, 1, 900, 100);
    }

    function test_SettleFromPool_reverts_as_a_whole_for_a_blacklisted_platform_wallet() public {
        _blacklist(wallet);
        _expectRefusal(bytes("Blacklistable: account is blacklisted"), SESSION, operator, 1000, 1, 900, 100);
    }

    function test_SettleFromPool_reverts_as_a_whole_while_usdc_is_paused() public {
        _pauseToken();
        _expectRefusal(bytes("Pausable: paused"), SESSION, operator, 1000, 1, 900, 100);
    }

    function test_SettleFromPool_reverts_when_the_contract_itself_is_blacklisted() public {
        _blacklist(address(settlement));
        _expectRefusal(bytes("Blacklistable: account is blacklisted"), SESSION, operator, 1000, 1, 900, 100);
    }

    function test_SettleFromPool_refuses_a_transfer_that_fails_silently() public {
        SilentToken token = new SilentToken();
        settlement = new LuxxonSettlement(address(token), admin, relayer, pauser, wallet, RELAYER_DELAY);
        token.mint(consumer, 100);
        vm.prank(consumer);
        settlement.deposit(100);
        token.beSilent();
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token)));
        _settle(100, 0);
        vm.assertTrue(!settlement.settled(SESSION), "settled");
    }

    // ------------------------------------------------------------------------------------------------------------ fuzz

    /// @dev Values on both sides of every bound, against the rules written out a second time.
    function testFuzz_SettleFromPool_invariant_5_meter(uint256 rate, uint256 duration, uint256 gross) public {
        rate = _bound(rate, 0, 2 * POOL);
        duration = _bound(duration, 0, 2);
        uint256 metered = rate * duration;
        // Half of all runs come within two of the bound.
        gross = gross % 2 == 0 ? _bound(gross, 1, POOL) : _bound(gross, metered > 2 ? metered - 2 : 1, metered + 2);
        if (gross > POOL) gross = POOL;

        if (gross <= metered) {
            _settle(SESSION, rate, duration, gross, 0);
            vm.assertEq(settlement.deposits(consumer), POOL - gross, "pool");
        } else {
            bytes memory refusal = abi.encodeWithSelector(ILuxxonSettlement.MeterExceeded.selector, gross, metered);
            _expectRefusal(refusal, SESSION, operator, rate, duration, gross, 0);
        }
    }

    function testFuzz_SettleFromPool_invariant_5_fee(uint256 gross, uint256 fee) public {
        gross = _bound(gross, 1, POOL);
        uint256 ceiling = gross / 5; // 20 %; the largest whole fee that is not above it
        fee = fee % 2 == 0 ? _bound(fee, 0, gross) : _bound(fee, ceiling, ceiling + 1);
        if (fee > gross) fee = gross;

        if (fee <= ceiling) {
            _settle(SESSION, gross, 1, gross - fee, fee);
            vm.assertEq(usdc.balanceOf(operator), gross - fee, "operator");
            vm.assertEq(usdc.balanceOf(wallet), fee, "platform wallet");
        } else {
            bytes memory refusal = abi.encodeWithSelector(ILuxxonSettlement.FeeExceeded.selector, fee, gross);
            _expectRefusal(refusal, SESSION, operator, gross, 1, gross - fee, fee);
        }
    }

    /// @dev Any arguments at all: it pays exactly what it says or changes nothing, and never ends in a panic.
    function testFuzz_SettleFromPool_any_arguments(uint256 rate, uint256 duration, uint256 toAmount, uint256 fee)
        public
    {
        bytes32 before = _state();
        vm.prank(relayer);
        (bool done, bytes memory answer) = address(settlement)
            .call(
                abi.encodeCall(
                    ILuxxonSettlement.settleFromPool, (SESSION, consumer, operator, rate, duration, toAmount, fee)
                )
            );
        if (done) {
            vm.assertEq(POOL - settlement.deposits(consumer), toAmount + fee, "pool");
            vm.assertEq(usdc.balanceOf(operator), toAmount, "operator");
            vm.assertEq(usdc.balanceOf(wallet), fee, "platform wallet");
        } else {
            _assertUnchanged(before);
            vm.assertTrue(bytes4(answer) != bytes4(keccak256("Panic(uint256)")), "panic");
        }
    }

    // ------------------------------------------------------------------------------------------------------- internals

    function _tooLarge(uint256 value, uint256 max) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ILuxxonSettlement.ValueTooLarge.selector, value, max);
    }

    function _expectRefusal(
        bytes memory refusal,
        bytes32 sessionId,
        address to,
        uint256 rate,
        uint256 duration,
        uint256 toAmount,
        uint256 fee
    ) private {
        bytes32 before = _state();
        vm.expectRevert(refusal);
        vm.prank(relayer);
        settlement.settleFromPool(sessionId, consumer, to, rate, duration, toAmount, fee);
        _assertUnchanged(before);
    }
}

/// @dev Every refusal there is, with its arguments; of several rules broken at once the first is named.
contract SettleFromPoolRefusalsTest is Refusals {
    function test_SettleFromPool_refuses_by_the_first_rule_that_is_broken() public {
        Refusal[] memory refusals = _everyRefusal();
        for (uint256 i = 0; i < refusals.length; i++) {
            bytes32 before = _state();
            (bool done, bytes memory answer) = _try(refusals[i].entry);
            vm.assertTrue(!done, refusals[i].rule);
            vm.assertEq(keccak256(answer), keccak256(refusals[i].answer), refusals[i].rule);
            vm.assertEq(_state(), before, refusals[i].rule);
        }
        (bool good,) = _try(_good()); // and what breaks none passes
        vm.assertTrue(good, "refused");
    }

    /// @dev Who may settle comes before what is settled: a refusal tells a stranger nothing of an entry.
    function test_SettleFromPool_role_and_pause_come_first() public {
        Refusal[] memory refusals = _everyRefusal();
        _pause();
        for (uint256 i = 0; i < refusals.length; i++) {
            (, bytes memory answer) = _try(refusals[i].entry);
            vm.assertEq(bytes32(bytes4(answer)), bytes32(ILuxxonSettlement.ContractPaused.selector), refusals[i].rule);
        }
    }

    function _try(ILuxxonSettlement.BatchEntry memory entry) private returns (bool done, bytes memory answer) {
        vm.prank(relayer);
        return address(settlement).call(abi.encodePacked(ILuxxonSettlement.settleFromPool.selector, abi.encode(entry)));
    }
}
