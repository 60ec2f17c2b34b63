// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {Fixture} from "./support/Fixture.sol";
import {ReenteringToken} from "./support/Tokens.sol";

/// @dev USDC calls nobody during a transfer. A later version of it might, so every entry point is tried from inside
/// each of the three functions that move the token, by a token that holds every role.
contract ReentrancyTest is Fixture {
    ReenteringToken private token;

    function setUp() public override {
        token = new ReenteringToken();
        address evil = address(token);
        settlement = new LuxxonSettlement(evil, evil, evil, evil, wallet, 0);
        token.mint(consumer, 1000);
        vm.prank(consumer);
        settlement.deposit(500);
    }

    /// @dev Every state-changing entry point but acceptOwnership, which has a test of its own below, and
    /// renounceOwnership, which always reverts. The guard comes before any other check, so each must fail by it.
    function _entryPoints() private view returns (bytes[] memory calls) {
        calls = new bytes[](12);
        calls[0] = abi.encodeCall(ILuxxonSettlement.deposit, (1));
        calls[1] = abi.encodeCall(ILuxxonSettlement.withdraw, (1));
        calls[2] = abi.encodeCall(ILuxxonSettlement.settleFromPool, (OTHER_SESSION, consumer, stranger, 1, 1, 1, 0));
        calls[3] = abi.encodeCall(ILuxxonSettlement.acceptRelayer, ());
        calls[4] = abi.encodeCall(ILuxxonSettlement.pause, ());
        calls[5] = abi.encodeCall(ILuxxonSettlement.unpause, ());
        calls[6] = abi.encodeCall(ILuxxonSettlement.proposeRelayer, (stranger));
        calls[7] = abi.encodeCall(ILuxxonSettlement.cancelRelayerProposal, ());
        calls[8] = abi.encodeCall(ILuxxonSettlement.revokeRelayer, ());
        calls[9] = abi.encodeCall(ILuxxonSettlement.setPauser, (stranger));
        calls[10] = abi.encodeCall(ILuxxonSettlement.setPlatformWallet, (stranger));
        calls[11] = abi.encodeCall(Ownable2Step.transferOwnership, (stranger));
    }

    function _expectGuard() private {
        vm.expectRevert(abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector));
    }

    function test_Reentrancy_invariant_18_from_deposit() public {
        bytes[] memory calls = _entryPoints();
        for (uint256 i = 0; i < calls.length; i++) {
            token.reenter(address(settlement), calls[i]);
            _expectGuard();
            vm.prank(consumer);
            settlement.deposit(1);
        }
    }

    function test_Reentrancy_invariant_18_from_withdraw() public {
        bytes[] memory calls = _entryPoints();
        for (uint256 i = 0; i < calls.length; i++) {
            token.reenter(address(settlement), calls[i]);
            _expectGuard();
            vm.prank(consumer);
            settlement.withdraw(1);
        }
    }

    function test_Reentrancy_invariant_18_from_settleFromPool() public {
        bytes[] memory calls = _entryPoints();
        for (uint256 i = 0; i < calls.length; i++) {
            token.reenter(address(settlement), calls[i]);
            _expectGuard();
            vm.prank(address(token));
            settlement.settleFromPool(SESSION, consumer, operator, 100, 1, 90, 10);
        }
    }

    function test_Reentrancy_invariant_18_acceptOwnership() public {
        vm.prank(address(token));
        settlement.transferOwnership(address(token));
        token.reenter(address(settlement), abi.encodeCall(Ownable2Step.acceptOwnership, ()));
        _expectGuard();
        vm.prank(consumer);
        settlement.withdraw(1);
    }

    /// @dev The guard is what refuses above: the same token, not reentering, is served.
    function test_Reentrancy_the_same_calls_pass_outside_a_transfer() public {
        vm.prank(consumer);
        settlement.withdraw(1);
        vm.prank(address(token));
        settlement.settleFromPool(SESSION, consumer, operator, 100, 1, 90, 10);
        vm.assertEq(settlement.totalOwed(), 399, "totalOwed");
    }

    /// @dev Books are closed before USDC is called, so what a view says from inside a transfer is already final.
    function test_Reentrancy_views_show_the_new_state_during_a_transfer() public {
        DuringTransfer observer = new DuringTransfer(settlement, consumer, SESSION);
        token.reenter(address(observer), abi.encodeCall(DuringTransfer.observe, ()));
        vm.prank(address(token));
        settlement.settleFromPool(SESSION, consumer, operator, 100, 1, 100, 0);
        vm.assertEq(observer.pool(), 400, "pool");
        vm.assertEq(observer.owed(), 400, "totalOwed");
        vm.assertTrue(observer.settled(), "settled");
    }
}

contract DuringTransfer {
    LuxxonSettlement private immutable SETTLEMENT;
    address private immutable ACCOUNT;
    bytes32 private immutable SESSION;
    uint256 public pool;
    uint256 public owed;
    bool public settled;

    constructor(LuxxonSettlement settlement, address account, bytes32 session) {
        SETTLEMENT = settlement;
        ACCOUNT = account;
        SESSION = session;
    }

    function observe() external {
        (pool, owed, settled) = (SETTLEMENT.deposits(ACCOUNT), SETTLEMENT.totalOwed(), SETTLEMENT.settled(SESSION));
    }
}
