// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {BatchFixture} from "./support/BatchFixture.sol";
import {SilentToken} from "./support/Tokens.sol";

/// @dev 900 are held for `operator` and 100 for `wallet`; 4,000 are left in the pool they came from. USDC does not
/// refuse the two any longer.
contract ClaimTest is BatchFixture {
    function setUp() public override {
        super.setUp();
        _fillPool(consumer, 5_000);
        _blacklist(operator);
        _blacklist(wallet);
        _add(SESSION, consumer, operator, 900, 100);
        _settleBatch();
        _unBlacklist(operator);
        _unBlacklist(wallet);
    }

    function _claim(address account) private {
        vm.prank(stranger);
        settlement.claim(account);
    }

    function _assertClaims() private {
        _claim(operator);
        _claim(wallet);
        vm.assertEq(usdc.balanceOf(operator), 900, "operator");
        vm.assertEq(usdc.balanceOf(wallet), 100, "platform wallet");
        vm.assertEq(settlement.claimable(operator) + settlement.claimable(wallet), 0, "claimable");
        vm.assertEq(settlement.totalOwed(), settlement.deposits(consumer), "totalOwed");
    }

    function _expectRefusal(bytes memory refusal, address account) private {
        bytes32 before = _state();
        vm.expectRevert(refusal);
        _claim(account);
        _assertUnchanged(before);
    }

    // ---------------------------------------------------------------------------------------------------- what it does

    function test_Claim_pays_the_account_all_that_is_held_for_it() public {
        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.Claimed(operator, 900);
        _claim(operator);

        vm.assertEq(usdc.balanceOf(operator), 900, "operator");
        vm.assertEq(settlement.claimable(operator), 0, "claimable");
        vm.assertEq(settlement.claimable(wallet), 100, "the other claim");
        vm.assertEq(settlement.deposits(consumer), 4_000, "pool");
        vm.assertEq(settlement.totalOwed(), 4_100, "totalOwed");
        vm.assertEq(usdc.balanceOf(address(settlement)), 4_100, "held");
    }

    function test_Claim_by_anyone_pays_only_the_account() public {
        address[6] memory callers = [operator, stranger, consumer, relayer, admin, wallet];
        uint256 start = vm.snapshotState();
        for (uint256 i = 0; i < callers.length; i++) {
            vm.prank(callers[i]);
            settlement.claim(operator);
            vm.assertEq(usdc.balanceOf(operator), 900, "operator");
            if (callers[i] != operator) vm.assertEq(usdc.balanceOf(callers[i]), 0, "caller");
            vm.revertToState(start);
        }
    }

    function test_Claim_keeps_a_pool_of_the_same_account_apart() public {
        _fillPool(operator, 50);
        _setLimits(operator, 1, 2, 3);
        _claim(operator);
        vm.assertEq(settlement.deposits(operator), 50, "pool");
        (uint32 maxRate, uint48 maxPerSession, uint48 maxPerDay,) = settlement.limitsOf(operator);
        vm.assertTrue(maxRate == 1 && maxPerSession == 2 && maxPerDay == 3, "limits");
        vm.assertEq(usdc.balanceOf(operator), 900, "operator");
    }

    function test_Claim_a_held_payout_cannot_be_withdrawn() public {
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.InsufficientPool.selector, operator, 0, 1));
        vm.prank(operator);
        settlement.withdraw(1);
    }

    function test_Claim_of_what_several_batches_held_is_one_payment() public {
        _blacklist(operator);
        delete batch;
        _add(OTHER_SESSION, consumer, operator, 300, 0);
        _settleBatch();
        _unBlacklist(operator);
        vm.assertEq(settlement.claimable(operator), 1_200, "claimable");
        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.Claimed(operator, 1_200);
        _claim(operator);
        vm.assertEq(usdc.balanceOf(operator), 1_200, "operator");
    }

    /// @dev Fees are held for the wallet that was to get them, whoever is the platform wallet later.
    function test_Claim_of_a_former_platform_wallet() public {
        vm.prank(admin);
        settlement.setPlatformWallet(stranger);
        _claim(wallet);
        vm.assertEq(usdc.balanceOf(wallet), 100, "former platform wallet");
        _expectRefusal(abi.encodeWithSelector(ILuxxonSettlement.NothingToClaim.selector, stranger), stranger);
    }

    function test_Claim_bears_trailing_calldata() public {
        bytes memory call = abi.encodeCall(ILuxxonSettlement.claim, (operator));
        vm.prank(stranger);
        (bool done,) = address(settlement).call(abi.encodePacked(call, "bc_builder", bytes32("8021")));
        vm.assertTrue(done, "refused");
        vm.assertEq(usdc.balanceOf(operator), 900, "operator");
    }

    // -------------------------------------------------------------------------------------------------------- refusals

    function test_Claim_refuses_an_account_for_which_nothing_is_held() public {
        address[4] memory accounts = [consumer, stranger, address(0), address(settlement)];
        for (uint256 i = 0; i < accounts.length; i++) {
            _expectRefusal(abi.encodeWithSelector(ILuxxonSettlement.NothingToClaim.selector, accounts[i]), accounts[i]);
        }
    }

    function test_Claim_twice_is_refused() public {
        _claim(operator);
        _expectRefusal(abi.encodeWithSelector(ILuxxonSettlement.NothingToClaim.selector, operator), operator);
    }

    function test_Claim_of_a_blacklisted_account_reverts_and_stays_held() public {
        _blacklist(operator);
        _expectRefusal(bytes("Blacklistable: account is blacklisted"), operator);
        vm.assertEq(settlement.claimable(operator), 900, "claimable");
        _unBlacklist(operator);
        _assertClaims();
    }

    function test_Claim_reverts_while_usdc_is_paused_and_works_afterwards() public {
        _pauseToken();
        _expectRefusal(bytes("Pausable: paused"), operator);
        vm.prank(minter);
        usdc.unpause();
        _assertClaims();
    }

    function test_Claim_reverts_when_the_contract_itself_is_blacklisted_and_works_afterwards() public {
        _blacklist(address(settlement));
        _expectRefusal(bytes("Blacklistable: account is blacklisted"), operator);
        _unBlacklist(address(settlement));
        _assertClaims();
    }

    function test_Claim_of_one_account_does_not_depend_on_another() public {
        _blacklist(wallet);
        _blacklist(consumer);
        _claim(operator);
        vm.assertEq(usdc.balanceOf(operator), 900, "operator");
    }

    function test_Claim_refuses_a_transfer_that_fails_silently() public {
        SilentToken token = new SilentToken();
        settlement = new LuxxonSettlement(address(token), admin, relayer, pauser, wallet, RELAYER_DELAY);
        token.mint(consumer, 1_000);
        vm.prank(consumer);
        settlement.deposit(1_000);
        token.beSilent();
        token.blacklist(operator);
        delete batch;
        _add(SESSION, consumer, operator, 1_000, 0);
        _settleBatch();

        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token)));
        _claim(operator);
        vm.assertEq(settlement.claimable(operator), 1_000, "claimable");
        vm.assertEq(settlement.totalOwed(), 1_000, "totalOwed");
    }

    // ------------------------------------------------------------------------------------------------- nothing stops it

    function test_Claim_invariant_10_works_while_paused() public {
        _pause();
        _assertClaims();
    }

    function test_Claim_invariant_10_works_without_a_relayer() public {
        vm.prank(pauser);
        settlement.revokeRelayer();
        _assertClaims();
    }

    /// @dev A hostile owner has used every power there is, and the rescue of money that came astray.
    function test_Claim_invariant_10_works_under_a_hostile_owner() public {
        vm.prank(minter);
        usdc.mint(address(settlement), 77);
        vm.startPrank(admin);
        settlement.rescue(admin, 77);
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
        _assertClaims();
    }

    /// @dev Not even every pool emptied takes from what is held.
    function test_Claim_invariant_10_works_after_every_pool_was_emptied() public {
        vm.prank(consumer);
        settlement.withdraw(4_000);
        _assertClaims();
        vm.assertEq(usdc.balanceOf(address(settlement)), 0, "held");
    }

    function testFuzz_Claim_pays_exactly_what_was_held(uint256 amount) public {
        amount = _bound(amount, 1, MAX_UINT64 - 4_000);
        _fillPool(consumer, amount);
        _blacklist(stranger);
        delete batch;
        _add(OTHER_SESSION, consumer, stranger, amount, 0);
        _settleBatch();
        _unBlacklist(stranger);
        vm.assertEq(settlement.totalOwed(), 5_000 + amount, "totalOwed");
        _claim(stranger);
        vm.assertEq(usdc.balanceOf(stranger), amount, "payee");
        vm.assertEq(settlement.totalOwed(), 5_000, "totalOwed");
    }
}
