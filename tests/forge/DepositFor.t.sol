// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {Fixture} from "./support/Fixture.sol";
import {FeeTakingToken, SilentToken} from "./support/Tokens.sol";

/// @dev `stranger` pays for `consumer`.
contract DepositForTest is Fixture {
    function _depositFor(address account, uint256 amount) private {
        vm.prank(stranger);
        settlement.depositFor(account, amount);
    }

    function _expectRefusal(bytes memory refusal, address account, uint256 amount) private {
        bytes32 before = _state();
        vm.expectRevert(refusal);
        _depositFor(account, amount);
        _assertUnchanged(before);
    }

    // ---------------------------------------------------------------------------------------------------- what it does

    function test_DepositFor_moves_usdc_from_the_caller_into_the_pool_of_the_account() public {
        _fund(stranger, 10 * USDC);

        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.Deposited(consumer, stranger, 4 * USDC);
        _depositFor(consumer, 4 * USDC);

        vm.assertEq(settlement.deposits(consumer), 4 * USDC, "pool");
        vm.assertEq(settlement.deposits(stranger), 0, "pool of the payer");
        vm.assertEq(settlement.totalOwed(), 4 * USDC, "totalOwed");
        vm.assertEq(usdc.balanceOf(address(settlement)), 4 * USDC, "held");
        vm.assertEq(usdc.balanceOf(stranger), 6 * USDC, "wallet of the payer");
    }

    function test_DepositFor_adds_to_what_the_account_has() public {
        _fillPool(consumer, 7);
        _fund(stranger, 3);
        _depositFor(consumer, 3);
        vm.assertEq(settlement.deposits(consumer), 10, "pool");
        vm.assertEq(settlement.totalOwed(), 10, "totalOwed");
    }

    function test_DepositFor_the_caller_itself_is_a_deposit() public {
        _fund(stranger, 3);
        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.Deposited(stranger, stranger, 3);
        _depositFor(stranger, 3);
        vm.assertEq(settlement.deposits(stranger), 3, "pool");
    }

    function test_DepositFor_what_was_deposited_is_for_the_account_alone() public {
        _fund(stranger, 3);
        _depositFor(consumer, 3);

        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.InsufficientPool.selector, stranger, 0, 1));
        vm.prank(stranger);
        settlement.withdraw(1);
        vm.prank(consumer);
        settlement.withdraw(3);
        vm.assertEq(usdc.balanceOf(consumer), 3, "wallet");
    }

    /// @dev They share a storage word with the balance. A stranger's gift must not loosen what a consumer has set.
    function test_DepositFor_leaves_limits_and_what_was_spent_as_they_are() public {
        _fillPool(consumer, 1_000);
        _setLimits(consumer, 1_000, 2_000, 3_000);
        _settle(900, 100);
        _fund(stranger, 50);
        _depositFor(consumer, 50);

        (uint32 maxRate, uint48 maxPerSession, uint48 maxPerDay, uint48 spentToday) = settlement.limitsOf(consumer);
        vm.assertEq(uint256(maxRate), 1_000, "maxRatePerSecond");
        vm.assertEq(uint256(maxPerSession), 2_000, "maxPerSession");
        vm.assertEq(uint256(maxPerDay), 3_000, "maxPerDay");
        vm.assertEq(uint256(spentToday), 1_000, "spentToday");
        vm.assertEq(settlement.deposits(consumer), 50, "pool");
    }

    function test_DepositFor_bears_trailing_calldata() public {
        _fund(stranger, 3);
        bytes memory call = abi.encodeCall(ILuxxonSettlement.depositFor, (consumer, 3));
        vm.prank(stranger);
        (bool done,) = address(settlement).call(abi.encodePacked(call, "bc_builder", bytes32("8021")));
        vm.assertTrue(done, "refused");
        vm.assertEq(settlement.deposits(consumer), 3, "pool");
    }

    // -------------------------------------------------------------------------------------------------------- refusals

    function test_DepositFor_refuses_impossible_accounts() public {
        _fund(stranger, 3);
        address[3] memory accounts = [address(0), address(settlement), address(usdc)];
        for (uint256 i = 0; i < accounts.length; i++) {
            bytes memory refusal = abi.encodeWithSelector(ILuxxonSettlement.InvalidAccount.selector, accounts[i]);
            _expectRefusal(refusal, accounts[i], 3);
            vm.assertEq(settlement.deposits(accounts[i]), 0, "pool");
        }
    }

    function test_DepositFor_refuses_zero() public {
        _expectRefusal(abi.encodeWithSelector(ILuxxonSettlement.ZeroAmount.selector), consumer, 0);
    }

    function test_DepositFor_refuses_while_paused() public {
        _fund(stranger, 3);
        _pause();
        _expectRefusal(abi.encodeWithSelector(ILuxxonSettlement.ContractPaused.selector), consumer, 3);
    }

    function test_DepositFor_accepts_an_amount_of_64_bits_and_refuses_one_of_65() public {
        _fund(stranger, MAX_UINT64 + 1);
        bytes memory refusal =
            abi.encodeWithSelector(ILuxxonSettlement.ValueTooLarge.selector, MAX_UINT64 + 1, MAX_UINT64);
        _expectRefusal(refusal, consumer, MAX_UINT64 + 1);
        _depositFor(consumer, MAX_UINT64);
        vm.assertEq(settlement.deposits(consumer), MAX_UINT64, "pool");
    }

    /// @dev An amount that would come out small if it were cut to 64 bits, or the sum if it wrapped.
    function test_DepositFor_refuses_amounts_that_would_wrap() public {
        _fillPool(consumer, 5);
        uint256[2] memory amounts = [2 ** 64 + 1, type(uint256).max];
        for (uint256 i = 0; i < amounts.length; i++) {
            bytes memory refusal =
                abi.encodeWithSelector(ILuxxonSettlement.ValueTooLarge.selector, amounts[i], MAX_UINT64);
            _expectRefusal(refusal, consumer, amounts[i]);
        }
    }

    function test_DepositFor_fills_a_pool_to_64_bits_and_refuses_one_of_65() public {
        _fillPool(consumer, MAX_UINT64 - 3);
        _fund(stranger, 4);
        bytes memory refusal =
            abi.encodeWithSelector(ILuxxonSettlement.ValueTooLarge.selector, MAX_UINT64 + 1, MAX_UINT64);
        _expectRefusal(refusal, consumer, 4);
        _depositFor(consumer, 3);
        vm.assertEq(settlement.deposits(consumer), MAX_UINT64, "pool");
    }

    // ------------------------------------------------------------------------------------------------ whose money it is

    /// @dev The account has allowed the contract everything it has; the caller has nothing. It is not taken from.
    function test_DepositFor_invariant_16_takes_from_the_callers_wallet_only() public {
        _fund(consumer, 5);
        _expectRefusal(bytes("ERC20: transfer amount exceeds allowance"), consumer, 5);
        _expectRefusal(bytes("ERC20: transfer amount exceeds allowance"), stranger, 5);
    }

    function test_DepositFor_needs_the_callers_allowance_and_balance() public {
        _fund(stranger, 5);
        _expectRefusal(bytes("ERC20: transfer amount exceeds allowance"), consumer, 6);
        vm.prank(stranger);
        usdc.approve(address(settlement), 6);
        _expectRefusal(bytes("ERC20: transfer amount exceeds balance"), consumer, 6);
    }

    // ------------------------------------------------------------------------------------------------- USDC's refusals

    function test_DepositFor_reverts_while_usdc_is_paused() public {
        _fund(stranger, 1);
        _pauseToken();
        _expectRefusal(bytes("Pausable: paused"), consumer, 1);
    }

    function test_DepositFor_reverts_for_a_blacklisted_payer() public {
        _fund(stranger, 1);
        _blacklist(stranger);
        _expectRefusal(bytes("Blacklistable: account is blacklisted"), consumer, 1);
    }

    function test_DepositFor_reverts_when_the_contract_itself_is_blacklisted() public {
        _fund(stranger, 1);
        _blacklist(address(settlement));
        _expectRefusal(bytes("Blacklistable: account is blacklisted"), consumer, 1);
    }

    /// @dev USDC is not asked about the account, which moves no money; its pool can pay for sessions all the same.
    function test_DepositFor_a_blacklisted_account_is_possible() public {
        _blacklist(consumer);
        _fund(stranger, 1_000);
        _depositFor(consumer, 1_000);
        _settle(900, 100);
        vm.assertEq(usdc.balanceOf(operator), 900, "operator");
    }

    function test_DepositFor_refuses_a_token_that_takes_a_fee() public {
        FeeTakingToken token = new FeeTakingToken();
        settlement = new LuxxonSettlement(address(token), admin, relayer, pauser, wallet, RELAYER_DELAY);
        token.mint(stranger, 100);
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.Insolvent.selector, 99, 100));
        _depositFor(consumer, 100);
        vm.assertEq(settlement.totalOwed(), 0, "totalOwed");
    }

    function test_DepositFor_refuses_a_transfer_that_fails_silently() public {
        SilentToken token = new SilentToken();
        settlement = new LuxxonSettlement(address(token), admin, relayer, pauser, wallet, RELAYER_DELAY);
        token.mint(stranger, 100);
        token.beSilent();
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token)));
        _depositFor(consumer, 100);
        vm.assertEq(settlement.totalOwed(), 0, "totalOwed");
    }

    // ------------------------------------------------------------------------------------------------------------ fuzz

    function testFuzz_DepositFor_credits_exactly_what_the_payer_pays(uint256 first, uint256 second) public {
        first = _bound(first, 1, MAX_UINT64 - 1);
        second = _bound(second, 1, MAX_UINT64 - first);
        _fillPool(consumer, first);
        _fund(stranger, second);
        _depositFor(consumer, second);
        vm.assertEq(settlement.deposits(consumer), first + second, "pool");
        vm.assertEq(settlement.totalOwed(), first + second, "totalOwed");
        vm.assertEq(usdc.balanceOf(stranger), 0, "wallet of the payer");
    }
}
