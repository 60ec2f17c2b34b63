// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {Fixture} from "./support/Fixture.sol";
import {SilentToken} from "./support/Tokens.sol";

contract WithdrawTest is Fixture {
    function setUp() public override {
        super.setUp();
        _fillPool(consumer, 10 * USDC);
        _fillPool(stranger, 1 * USDC);
    }

    function _withdraw(uint256 amount) private {
        vm.prank(consumer);
        settlement.withdraw(amount);
    }

    function _assertWithdrawsEverything() private {
        _withdraw(10 * USDC);
        vm.assertEq(usdc.balanceOf(consumer), 10 * USDC, "wallet");
        vm.assertEq(settlement.deposits(consumer), 0, "pool");
    }

    function test_Withdraw_moves_usdc_to_the_callers_wallet() public {
        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.Withdrawn(consumer, 3 * USDC);
        _withdraw(3 * USDC);

        vm.assertEq(settlement.deposits(consumer), 7 * USDC, "pool");
        vm.assertEq(settlement.deposits(stranger), 1 * USDC, "other pool");
        vm.assertEq(settlement.totalOwed(), 8 * USDC, "totalOwed");
        vm.assertEq(usdc.balanceOf(address(settlement)), 8 * USDC, "held");
        vm.assertEq(usdc.balanceOf(consumer), 3 * USDC, "wallet");
    }

    function test_Withdraw_empties_the_pool() public {
        _assertWithdrawsEverything();
    }

    function test_Withdraw_refuses_zero() public {
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.ZeroAmount.selector));
        _withdraw(0);
    }

    function test_Withdraw_refuses_one_more_than_the_pool() public {
        bytes32 before = _state();
        vm.expectRevert(
            abi.encodeWithSelector(ILuxxonSettlement.InsufficientPool.selector, consumer, 10 * USDC, 10 * USDC + 1)
        );
        _withdraw(10 * USDC + 1);
        _assertUnchanged(before);
    }

    function test_Withdraw_refuses_an_amount_whose_low_64_bits_would_fit() public {
        vm.expectRevert(
            abi.encodeWithSelector(ILuxxonSettlement.InsufficientPool.selector, consumer, 10 * USDC, 2 ** 64 + 1)
        );
        _withdraw(2 ** 64 + 1);
    }

    /// @dev With every bit set that shares a storage word with the balance, none of them counts as balance.
    function test_Withdraw_refuses_one_more_than_the_pool_whatever_the_limits() public {
        uint256 pool = MAX_UINT64;
        _fillPool(consumer, pool - 10 * USDC);
        _setLimits(consumer, MAX_UINT32, 2 ** 48 - 1, 2 ** 48 - 1);
        uint256[3] memory amounts = [pool + 1, 2 * pool, type(uint256).max];
        for (uint256 i = 0; i < amounts.length; i++) {
            vm.expectRevert(
                abi.encodeWithSelector(ILuxxonSettlement.InsufficientPool.selector, consumer, pool, amounts[i])
            );
            _withdraw(amounts[i]);
        }
        _withdraw(pool);
        vm.assertEq(usdc.balanceOf(consumer), pool, "wallet");
    }

    function test_Withdraw_refuses_an_account_without_a_pool() public {
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.InsufficientPool.selector, operator, 0, 1));
        vm.prank(operator);
        settlement.withdraw(1);
    }

    /// @dev They share a storage word with the balance, and bound settlements only.
    function test_Withdraw_invariant_10_is_not_limited_and_leaves_the_limits_as_they_are() public {
        _setLimits(consumer, 1_000, 1_000, 1_001);
        _settle(900, 100);
        vm.prank(consumer);
        settlement.withdraw(10 * USDC - 1_000);
        (uint32 maxRate, uint48 maxPerSession, uint48 maxPerDay, uint48 spentToday) = settlement.limitsOf(consumer);
        vm.assertEq(uint256(maxRate), 1_000, "maxRatePerSecond");
        vm.assertEq(uint256(maxPerSession), 1_000, "maxPerSession");
        vm.assertEq(uint256(maxPerDay), 1_001, "maxPerDay");
        vm.assertEq(uint256(spentToday), 1_000, "spentToday");
        vm.assertEq(settlement.deposits(consumer), 0, "pool");
    }

    function test_Withdraw_invariant_10_works_while_paused() public {
        _pause();
        _assertWithdrawsEverything();
    }

    function test_Withdraw_invariant_10_works_without_a_relayer() public {
        vm.prank(pauser);
        settlement.revokeRelayer();
        _assertWithdrawsEverything();
    }

    /// @dev A hostile owner has used every power there is.
    function test_Withdraw_invariant_10_works_under_a_hostile_owner() public {
        vm.startPrank(admin);
        settlement.setPlatformWallet(stranger);
        settlement.setPauser(stranger);
        settlement.revokeRelayer();
        settlement.proposeRelayer(stranger);
        settlement.pause();
        settlement.transferOwnership(stranger);
        vm.stopPrank();
        vm.warp(block.timestamp + RELAYER_DELAY);
        vm.startPrank(stranger);
        settlement.acceptRelayer();
        settlement.acceptOwnership();
        vm.stopPrank();
        _assertWithdrawsEverything();
    }

    function test_Withdraw_reverts_while_usdc_is_paused_and_works_afterwards() public {
        _pauseToken();
        bytes32 before = _state();
        vm.expectRevert(bytes("Pausable: paused"));
        _withdraw(1);
        _assertUnchanged(before);

        vm.prank(minter);
        usdc.unpause();
        _assertWithdrawsEverything();
    }

    function test_Withdraw_reverts_for_a_blacklisted_account_and_works_afterwards() public {
        _blacklist(consumer);
        vm.expectRevert(bytes("Blacklistable: account is blacklisted"));
        _withdraw(1);

        vm.prank(minter);
        usdc.unBlacklist(consumer);
        _assertWithdrawsEverything();
    }

    function test_Withdraw_does_not_depend_on_other_accounts() public {
        _blacklist(stranger);
        _blacklist(wallet);
        _assertWithdrawsEverything();
    }

    function test_Withdraw_reverts_when_the_contract_itself_is_blacklisted_and_works_afterwards() public {
        _blacklist(address(settlement));
        bytes32 before = _state();
        vm.expectRevert(bytes("Blacklistable: account is blacklisted"));
        _withdraw(1);
        _assertUnchanged(before);
        _unBlacklist(address(settlement));
        _assertWithdrawsEverything();
    }

    function test_Withdraw_refuses_a_transfer_that_fails_silently() public {
        SilentToken token = new SilentToken();
        settlement = new LuxxonSettlement(address(token), admin, relayer, pauser, wallet, RELAYER_DELAY);
        token.mint(consumer, 100);
        vm.prank(consumer);
        settlement.deposit(100);
        token.beSilent();
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token)));
        _withdraw(100);
        vm.assertEq(settlement.deposits(consumer), 100, "pool");
    }

    function test_Withdraw_bears_trailing_calldata() public {
        vm.prank(consumer);
        (bool done,) = address(settlement)
            .call(abi.encodePacked(abi.encodeCall(ILuxxonSettlement.withdraw, (3)), "bc_builder", bytes32("8021")));
        vm.assertTrue(done, "refused");
        vm.assertEq(usdc.balanceOf(consumer), 3, "wallet");
    }

    function testFuzz_Withdraw_takes_exactly_the_amount(uint256 amount) public {
        amount = _bound(amount, 1, 10 * USDC);
        _withdraw(amount);
        vm.assertEq(usdc.balanceOf(consumer), amount, "wallet");
        vm.assertEq(settlement.deposits(consumer), 10 * USDC - amount, "pool");
        vm.assertEq(settlement.totalOwed(), 11 * USDC - amount, "totalOwed");
    }
}
