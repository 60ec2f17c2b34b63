// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {Fixture} from "./support/Fixture.sol";
import {FeeTakingToken, SilentToken} from "./support/Tokens.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

contract DepositTest is Fixture {
    function test_Deposit_moves_usdc_into_the_callers_pool() public {
        _fund(consumer, 10 * USDC);

        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.Deposited(consumer, consumer, 4 * USDC);
        vm.prank(consumer);
        settlement.deposit(4 * USDC);

        vm.assertEq(settlement.deposits(consumer), 4 * USDC, "pool");
        vm.assertEq(settlement.totalOwed(), 4 * USDC, "totalOwed");
        vm.assertEq(usdc.balanceOf(address(settlement)), 4 * USDC, "held");
        vm.assertEq(usdc.balanceOf(consumer), 6 * USDC, "wallet");
    }

    function test_Deposit_adds_to_the_pool_and_leaves_others_alone() public {
        _fillPool(stranger, 7);
        _fillPool(consumer, 1);
        _fillPool(consumer, 2);
        vm.assertEq(settlement.deposits(consumer), 3, "pool");
        vm.assertEq(settlement.deposits(stranger), 7, "other pool");
        vm.assertEq(settlement.totalOwed(), 10, "totalOwed");
    }

    function test_Deposit_refuses_zero() public {
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.ZeroAmount.selector));
        vm.prank(consumer);
        settlement.deposit(0);
    }

    function test_Deposit_refuses_while_paused() public {
        _fund(consumer, 1);
        _pause();
        bytes32 before = _state();
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.ContractPaused.selector));
        vm.prank(consumer);
        settlement.deposit(1);
        _assertUnchanged(before);
    }

    /// @dev A caller is never zero, nor this contract, which calls nobody but USDC; but it might be USDC.
    function test_Deposit_refuses_usdc_as_the_account() public {
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.InvalidAccount.selector, address(usdc)));
        vm.prank(address(usdc));
        settlement.deposit(1);
    }

    /// @dev They share a storage word with the balance.
    function test_Deposit_leaves_limits_and_what_was_spent_as_they_are() public {
        _fillPool(consumer, 1_000);
        _setLimits(consumer, MAX_UINT32, 2 ** 48 - 1, 2 ** 48 - 1);
        _settle(900, 100);
        _fillPool(consumer, MAX_UINT64);
        (uint32 maxRate, uint48 maxPerSession, uint48 maxPerDay, uint48 spentToday) = settlement.limitsOf(consumer);
        vm.assertEq(uint256(maxRate), MAX_UINT32, "maxRatePerSecond");
        vm.assertEq(uint256(maxPerSession), 2 ** 48 - 1, "maxPerSession");
        vm.assertEq(uint256(maxPerDay), 2 ** 48 - 1, "maxPerDay");
        vm.assertEq(uint256(spentToday), 1_000, "spentToday");
        vm.assertEq(settlement.deposits(consumer), MAX_UINT64, "pool");
    }

    function test_Deposit_accepts_an_amount_of_64_bits() public {
        _fillPool(consumer, MAX_UINT64);
        vm.assertEq(settlement.deposits(consumer), MAX_UINT64, "pool");
    }

    function test_Deposit_refuses_an_amount_of_65_bits() public {
        _fund(consumer, MAX_UINT64 + 1);
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.ValueTooLarge.selector, MAX_UINT64 + 1, MAX_UINT64));
        vm.prank(consumer);
        settlement.deposit(MAX_UINT64 + 1);
    }

    function test_Deposit_refuses_the_largest_uint256_by_name() public {
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.ValueTooLarge.selector, type(uint256).max, MAX_UINT64));
        vm.prank(consumer);
        settlement.deposit(type(uint256).max);
    }

    function test_Deposit_refuses_a_pool_of_65_bits() public {
        _fillPool(consumer, MAX_UINT64);
        _fund(consumer, 1);
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.ValueTooLarge.selector, MAX_UINT64 + 1, MAX_UINT64));
        vm.prank(consumer);
        settlement.deposit(1);
    }

    function test_Deposit_total_of_several_full_pools_does_not_wrap() public {
        _fillPool(consumer, MAX_UINT64);
        _fillPool(stranger, MAX_UINT64);
        vm.assertEq(settlement.totalOwed(), 2 * MAX_UINT64, "totalOwed");
        vm.assertEq(settlement.relayer(), relayer, "the relayer shares the word");
        vm.assertEq(settlement.paused(), false, "paused shares the word");
    }

    function test_Deposit_needs_an_allowance() public {
        _fund(consumer, 5);
        bytes32 before = _state();
        vm.expectRevert(bytes("ERC20: transfer amount exceeds allowance"));
        vm.prank(consumer);
        settlement.deposit(6);
        _assertUnchanged(before);
    }

    /// @dev A standing allowance of somebody else is of no use to the caller.
    function test_Deposit_invariant_16_takes_from_the_callers_wallet_only() public {
        _fund(consumer, 5);
        bytes32 before = _state();
        vm.expectRevert(bytes("ERC20: transfer amount exceeds allowance"));
        vm.prank(stranger);
        settlement.deposit(5);
        _assertUnchanged(before);
    }

    function test_Deposit_needs_the_balance() public {
        vm.prank(consumer);
        usdc.approve(address(settlement), 6);
        vm.expectRevert(bytes("ERC20: transfer amount exceeds balance"));
        vm.prank(consumer);
        settlement.deposit(6);
    }

    function test_Deposit_reverts_while_usdc_is_paused() public {
        _fund(consumer, 1);
        _pauseToken();
        vm.expectRevert(bytes("Pausable: paused"));
        vm.prank(consumer);
        settlement.deposit(1);
    }

    function test_Deposit_reverts_for_a_blacklisted_payer() public {
        _fund(consumer, 1);
        _blacklist(consumer);
        vm.expectRevert(bytes("Blacklistable: account is blacklisted"));
        vm.prank(consumer);
        settlement.deposit(1);
    }

    function test_Deposit_refuses_a_token_that_takes_a_fee() public {
        FeeTakingToken token = new FeeTakingToken();
        settlement = new LuxxonSettlement(address(token), admin, relayer, pauser, wallet, RELAYER_DELAY);
        token.mint(consumer, 100);
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.Insolvent.selector, 99, 100));
        vm.prank(consumer);
        settlement.deposit(100);
    }

    function test_Deposit_refuses_a_transfer_that_fails_silently() public {
        SilentToken token = new SilentToken();
        settlement = new LuxxonSettlement(address(token), admin, relayer, pauser, wallet, RELAYER_DELAY);
        token.mint(consumer, 100);
        token.beSilent();
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token)));
        vm.prank(consumer);
        settlement.deposit(100);
    }

    function test_Deposit_with_usdc_sent_directly_stays_solvent() public {
        vm.prank(minter);
        usdc.mint(address(settlement), 9);
        _fillPool(consumer, 1);
        vm.assertEq(settlement.totalOwed(), 1, "a gift belongs to no pool");
        vm.assertEq(usdc.balanceOf(address(settlement)), 10, "held");
    }

    function test_Deposit_bears_trailing_calldata() public {
        _fund(consumer, 3);
        vm.prank(consumer);
        (bool done,) = address(settlement)
            .call(abi.encodePacked(abi.encodeCall(ILuxxonSettlement.deposit, (3)), "bc_builder", bytes32("8021")));
        vm.assertTrue(done, "refused");
        vm.assertEq(settlement.deposits(consumer), 3, "pool");
    }

    function testFuzz_Deposit_then_withdraw_gives_everything_back(uint256 amount) public {
        amount = _bound(amount, 1, MAX_UINT64);
        _fillPool(consumer, amount);
        vm.prank(consumer);
        settlement.withdraw(amount);
        vm.assertEq(usdc.balanceOf(consumer), amount, "wallet");
        vm.assertEq(settlement.totalOwed(), 0, "totalOwed");
    }
}
