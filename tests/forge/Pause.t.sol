// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {Fixture} from "./support/Fixture.sol";

contract PauseTest is Fixture {
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

    function test_Pause_keeps_the_books() public {
        _fillPool(consumer, 5);
        _pause();
        vm.assertEq(settlement.totalOwed(), 5, "totalOwed shares the word");
        vm.assertEq(settlement.deposits(consumer), 5, "pool");
    }
}
