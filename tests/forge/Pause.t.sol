// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {BatchFixture} from "./support/BatchFixture.sol";

contract PauseTest is BatchFixture {
    function test_Pause_by_the_pauser() public {
        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.Paused(pauser);
        vm.prank(pauser);
        settlement.pause();
        vm.assertTrue(settlement.paused(), "paused");
        vm.assertEq(settlement.relayer(), relayer, "the relayer shares the word");
    }

    function test_Pause_by_the_owner() public {
        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.Paused(admin);
        vm.prank(admin);
        settlement.pause();
        vm.assertTrue(settlement.paused(), "paused");
    }

    function test_Pause_by_nobody_else() public {
        address[4] memory others = [stranger, relayer, wallet, consumer];
        for (uint256 i = 0; i < others.length; i++) {
            vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.NotPauser.selector, others[i]));
            vm.prank(others[i]);
            settlement.pause();
        }
    }

    function test_Pause_twice_is_refused() public {
        _pause();
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.ContractPaused.selector));
        vm.prank(pauser);
        settlement.pause();
    }

    function test_Unpause_by_the_owner_resumes_everything() public {
        _pause();
        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.Unpaused(admin);
        vm.prank(admin);
        settlement.unpause();

        vm.assertTrue(!settlement.paused(), "paused");
        _fillPool(consumer, 1000);
        _settle(900, 100);
        vm.assertEq(settlement.totalOwed(), 0, "totalOwed");
    }

    function test_Unpause_not_by_the_pauser() public {
        _pause();
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, pauser));
        vm.prank(pauser);
        settlement.unpause();
        vm.assertTrue(settlement.paused(), "paused");
    }

    function test_Unpause_of_a_running_contract_is_refused() public {
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.ContractNotPaused.selector));
        vm.prank(admin);
        settlement.unpause();
    }

    function test_Pause_stops_deposits_and_settlement() public {
        _fillPool(consumer, 1_000);
        _fund(consumer, 10);
        _add(SESSION, consumer, operator, 900, 100);
        _pause();
        bytes32 before = _state();
        bytes memory refusal = abi.encodeWithSelector(ILuxxonSettlement.ContractPaused.selector);
        vm.startPrank(consumer);
        vm.expectRevert(refusal);
        settlement.deposit(10);
        vm.expectRevert(refusal);
        settlement.depositFor(stranger, 10);
        vm.expectRevert(refusal);
        settlement.depositWithAuthorization(consumer, 10, 0, 2, bytes32(0), "");
        vm.stopPrank();
        vm.expectRevert(refusal);
        _settle(900, 100);
        vm.expectRevert(refusal);
        _settleBatch();
        _assertUnchanged(before);
    }

    /// @dev Exits, limits and what the owner needs to put things right go on.
    function test_Pause_stops_nothing_else() public {
        _fillPool(consumer, 2_000);
        _blacklist(operator);
        _add(SESSION, consumer, operator, 900, 100);
        _settleBatch();
        _unBlacklist(operator);
        vm.prank(minter);
        usdc.mint(address(settlement), 5);
        _pause();

        vm.startPrank(consumer);
        settlement.withdraw(1_000);
        settlement.setLimits(1, 2, 3);
        settlement.claim(operator);
        vm.stopPrank();
        vm.startPrank(admin);
        settlement.rescue(stranger, 5);
        settlement.setPauser(stranger);
        settlement.setPlatformWallet(stranger);
        settlement.revokeRelayer();
        settlement.proposeRelayer(stranger);
        settlement.cancelRelayerProposal();
        settlement.proposeRelayer(stranger);
        settlement.transferOwnership(stranger);
        vm.stopPrank();
        vm.warp(block.timestamp + RELAYER_DELAY);
        vm.startPrank(stranger);
        settlement.acceptRelayer();
        settlement.acceptOwnership();
        vm.stopPrank();
        vm.assertTrue(settlement.paused(), "paused");
        vm.assertEq(usdc.balanceOf(address(settlement)), 0, "held");
    }

    function test_Pause_keeps_the_books() public {
        _fillPool(consumer, 5);
        _pause();
        vm.assertEq(settlement.totalOwed(), 5, "totalOwed shares the word");
        vm.assertEq(settlement.deposits(consumer), 5, "pool");
    }
}
