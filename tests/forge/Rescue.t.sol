// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {BatchFixture} from "./support/BatchFixture.sol";
import {SilentToken, TakingToken} from "./support/Tokens.sol";

/// @dev The contract owes 4,000 to a pool and 1,000 to a claim, and holds 70 that came astray.
contract RescueTest is BatchFixture {
    uint256 private constant ASTRAY = 70;

    function setUp() public override {
        super.setUp();
        _fillPool(consumer, 5_000);
        _blacklist(operator);
        _add(SESSION, consumer, operator, 1_000, 0);
        _settleBatch();
        _unBlacklist(operator);
        _giveAway(ASTRAY);
    }

    function _giveAway(uint256 amount) private {
        vm.prank(minter);
        usdc.mint(address(settlement), amount);
    }

    function _rescue(address to, uint256 amount) private {
        vm.prank(admin);
        settlement.rescue(to, amount);
    }

    function _expectRefusal(bytes memory refusal, address to, uint256 amount) private {
        bytes32 before = _state();
        vm.expectRevert(refusal);
        _rescue(to, amount);
        _assertUnchanged(before);
    }

    function _exceeded(uint256 amount, uint256 surplus) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ILuxxonSettlement.SurplusExceeded.selector, amount, surplus);
    }

    // ---------------------------------------------------------------------------------------------------- what it does

    function test_Rescue_sends_the_surplus() public {
        vm.assertEq(settlement.surplus(), ASTRAY, "surplus");
        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.Rescued(stranger, ASTRAY);
        _rescue(stranger, ASTRAY);
        vm.assertEq(usdc.balanceOf(stranger), ASTRAY, "recipient");
        vm.assertEq(settlement.surplus(), 0, "surplus");
        vm.assertEq(usdc.balanceOf(address(settlement)), 5_000, "held");
    }

    function test_Rescue_sends_a_part_and_then_the_rest() public {
        _rescue(stranger, 1);
        vm.assertEq(settlement.surplus(), ASTRAY - 1, "surplus");
        _expectRefusal(_exceeded(ASTRAY, ASTRAY - 1), stranger, ASTRAY);
        _rescue(wallet, ASTRAY - 1);
        vm.assertEq(usdc.balanceOf(wallet), ASTRAY - 1, "recipient");
    }

    function test_Rescue_works_while_paused() public {
        _pause();
        _rescue(stranger, ASTRAY);
        vm.assertEq(usdc.balanceOf(stranger), ASTRAY, "recipient");
    }

    function test_Rescue_to_the_owner_itself_is_possible() public {
        _rescue(admin, ASTRAY);
        vm.assertEq(usdc.balanceOf(admin), ASTRAY, "recipient");
    }

    function test_Rescue_bears_trailing_calldata() public {
        bytes memory call = abi.encodeCall(ILuxxonSettlement.rescue, (stranger, ASTRAY));
        vm.prank(admin);
        (bool done,) = address(settlement).call(abi.encodePacked(call, "bc_builder", bytes32("8021")));
        vm.assertTrue(done, "refused");
        vm.assertEq(usdc.balanceOf(stranger), ASTRAY, "recipient");
    }

    // ----------------------------------------------------------------------------------------- pools and claims, never

    function test_Rescue_invariant_11_refuses_one_more_than_the_surplus() public {
        _expectRefusal(_exceeded(ASTRAY + 1, ASTRAY), stranger, ASTRAY + 1);
        _expectRefusal(_exceeded(ASTRAY + 5_000, ASTRAY), stranger, ASTRAY + 5_000);
        _expectRefusal(_exceeded(type(uint256).max, ASTRAY), stranger, type(uint256).max);
    }

    function test_Rescue_invariant_11_finds_nothing_in_pools_and_claims() public {
        _rescue(stranger, ASTRAY);
        _expectRefusal(_exceeded(1, 0), stranger, 1);
    }

    /// @dev A payout that is held has left its pool and not the contract: it must not look like a surplus.
    function test_Rescue_invariant_11_a_claim_alone_is_no_surplus() public {
        vm.prank(consumer);
        settlement.withdraw(4_000);
        vm.assertEq(settlement.surplus(), ASTRAY, "surplus");
        _expectRefusal(_exceeded(ASTRAY + 1, ASTRAY), stranger, ASTRAY + 1);
        _rescue(stranger, ASTRAY);
        settlement.claim(operator);
        vm.assertEq(usdc.balanceOf(operator), 1_000, "operator");
        vm.assertEq(usdc.balanceOf(address(settlement)), 0, "held");
    }

    function test_Rescue_invariant_11_changes_no_account() public {
        _fillPool(stranger, 100);
        _setLimits(consumer, 1, 2, 3);
        address[3] memory accounts = [consumer, stranger, operator];
        bytes32[3] memory before;
        for (uint256 i = 0; i < accounts.length; i++) {
            before[i] = _stateOf(accounts[i]);
        }
        _rescue(wallet, ASTRAY);
        for (uint256 i = 0; i < accounts.length; i++) {
            vm.assertEq(_stateOf(accounts[i]), before[i], "account");
        }
        vm.assertEq(settlement.totalOwed(), 5_100, "totalOwed");

        vm.prank(consumer);
        settlement.withdraw(4_000);
        vm.prank(stranger);
        settlement.withdraw(100);
        settlement.claim(operator);
        vm.assertEq(settlement.totalOwed(), 0, "totalOwed");
    }

    function test_Rescue_refuses_all_but_the_owner() public {
        address[6] memory others = [pauser, relayer, wallet, consumer, operator, stranger];
        for (uint256 i = 0; i < others.length; i++) {
            vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, others[i]));
            vm.prank(others[i]);
            settlement.rescue(others[i], 1);
        }
    }

    function test_Rescue_refuses_zero() public {
        _expectRefusal(abi.encodeWithSelector(ILuxxonSettlement.ZeroAmount.selector), stranger, 0);
    }

    function test_Rescue_invariant_15_refuses_impossible_payees() public {
        address[3] memory payees = [address(0), address(settlement), address(usdc)];
        for (uint256 i = 0; i < payees.length; i++) {
            _expectRefusal(
                abi.encodeWithSelector(ILuxxonSettlement.InvalidPayee.selector, payees[i]), payees[i], ASTRAY
            );
        }
    }

    // ------------------------------------------------------------------------------------------------- USDC's refusals

    function test_Rescue_reverts_as_usdc_does() public {
        _blacklist(stranger);
        _expectRefusal(bytes("Blacklistable: account is blacklisted"), stranger, 1);
        _pauseToken();
        _expectRefusal(bytes("Pausable: paused"), wallet, 1);
    }

    function test_Rescue_refuses_a_transfer_that_fails_silently() public {
        SilentToken token = new SilentToken();
        settlement = new LuxxonSettlement(address(token), admin, relayer, pauser, wallet, RELAYER_DELAY);
        token.mint(address(settlement), 5);
        token.beSilent();
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token)));
        _rescue(stranger, 5);
    }

    /// @dev USDC does not do this. If it did, the owner would have nothing to take, and no deposit would pay for it.
    function test_Surplus_is_zero_when_the_token_took_money_away() public {
        TakingToken token = new TakingToken();
        settlement = new LuxxonSettlement(address(token), admin, relayer, pauser, wallet, RELAYER_DELAY);
        token.mint(consumer, 200);
        vm.prank(consumer);
        settlement.deposit(100);
        vm.assertEq(settlement.surplus(), 0, "surplus");
        token.take(address(settlement), 1);

        vm.assertEq(settlement.surplus(), 0, "surplus");
        vm.expectRevert(_exceeded(1, 0));
        _rescue(stranger, 1);
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.Insolvent.selector, 109, 110));
        vm.prank(consumer);
        settlement.deposit(10);
        vm.prank(consumer);
        settlement.withdraw(99);
    }

    // ------------------------------------------------------------------------------------------------------------ fuzz

    function testFuzz_Rescue_invariant_11_takes_at_most_the_surplus(uint256 pool, uint256 gift, uint256 amount) public {
        pool = _bound(pool, 1, MAX_UINT64 - 4_000);
        gift = _bound(gift, 0, MAX_UINT64);
        uint256 surplus = ASTRAY + gift;
        // Half of all runs come within one of the bound.
        amount = amount % 2 == 0 ? _bound(amount, 1, type(uint256).max) : _bound(amount, surplus - 1, surplus + 1);
        _fillPool(consumer, pool);
        if (gift != 0) _giveAway(gift);
        vm.assertEq(settlement.surplus(), surplus, "surplus");

        if (amount <= surplus) {
            _rescue(stranger, amount);
            vm.assertEq(usdc.balanceOf(stranger), amount, "recipient");
            vm.assertEq(settlement.surplus(), surplus - amount, "surplus");
        } else {
            _expectRefusal(_exceeded(amount, surplus), stranger, amount);
        }
        vm.assertEq(settlement.deposits(consumer), 4_000 + pool, "pool");
        vm.assertEq(settlement.claimable(operator), 1_000, "claim");
    }
}
