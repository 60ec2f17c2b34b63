// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {BatchFixture} from "./support/BatchFixture.sol";
import {ReenteringToken} from "./support/Tokens.sol";

/// @dev USDC calls nobody during a transfer. A later version of it might, so every entry point is tried from inside
/// each of the functions that call the token, by somebody who holds every role. The other functions call nobody.
contract ReentrancyTest is BatchFixture {
    ReenteringToken private token;
    Intruder private intruder;
    address private evil;
    address private debtor = _account("payee with a claim");

    /// @dev Everything is prepared for every entry point to succeed, if only it were entered.
    function setUp() public override {
        token = new ReenteringToken();
        intruder = new Intruder();
        evil = address(intruder);
        settlement = new LuxxonSettlement(address(token), evil, evil, evil, wallet, 0);
        token.mint(consumer, 1_000);
        token.mint(evil, 1_000);
        vm.prank(consumer);
        settlement.deposit(500);
        vm.startPrank(evil);
        settlement.deposit(10);
        settlement.proposeRelayer(evil);
        settlement.transferOwnership(evil);
        vm.stopPrank();
        token.mint(address(settlement), 7); // a surplus

        token.refuse(debtor);
        _add(_session(1), consumer, debtor, 30, 0);
        vm.prank(evil);
        settlement.settleBatch(batch);
        token.refuse(address(0));
        delete batch;
        _add(SESSION, consumer, operator, 90, 10);
    }

    /// @dev Every state-changing entry point but renounceOwnership, which always reverts. The guard comes before any
    /// other check, so each must fail by it.
    function _entryPoints() private view returns (bytes[] memory calls) {
        ILuxxonSettlement.BatchEntry[] memory entries = new ILuxxonSettlement.BatchEntry[](1);
        entries[0] = _entry(OTHER_SESSION, consumer, stranger, 1, 0);
        calls = new bytes[](19);
        calls[0] = abi.encodeCall(ILuxxonSettlement.deposit, (1));
        calls[1] = abi.encodeCall(ILuxxonSettlement.depositFor, (stranger, 1));
        calls[2] = abi.encodeCall(ILuxxonSettlement.depositWithAuthorization, (evil, 1, 0, 1, bytes32(0), ""));
        calls[3] = abi.encodeCall(ILuxxonSettlement.withdraw, (1));
        calls[4] = abi.encodeCall(ILuxxonSettlement.claim, (debtor));
        calls[5] = abi.encodeCall(ILuxxonSettlement.setLimits, (1, 2, 3));
        calls[6] = abi.encodeCall(ILuxxonSettlement.settleFromPool, (OTHER_SESSION, consumer, stranger, 1, 1, 1, 0));
        calls[7] = abi.encodeCall(ILuxxonSettlement.settleBatch, (entries));
        calls[8] = abi.encodeCall(ILuxxonSettlement.acceptRelayer, ());
        calls[9] = abi.encodeCall(ILuxxonSettlement.pause, ());
        calls[10] = abi.encodeCall(ILuxxonSettlement.unpause, ());
        calls[11] = abi.encodeCall(ILuxxonSettlement.proposeRelayer, (stranger));
        calls[12] = abi.encodeCall(ILuxxonSettlement.cancelRelayerProposal, ());
        calls[13] = abi.encodeCall(ILuxxonSettlement.revokeRelayer, ());
        calls[14] = abi.encodeCall(ILuxxonSettlement.setPauser, (stranger));
        calls[15] = abi.encodeCall(ILuxxonSettlement.setPlatformWallet, (stranger));
        calls[16] = abi.encodeCall(Ownable2Step.transferOwnership, (stranger));
        calls[17] = abi.encodeCall(Ownable2Step.acceptOwnership, ());
        calls[18] = abi.encodeCall(ILuxxonSettlement.rescue, (stranger, 1));
    }

    /// @dev From inside `call`, made by `caller`, every entry point is tried; from the first call of the token on, or
    /// only once something is held for `payee`.
    function _assertClosedDuring(address caller, bytes memory call, address payee) private {
        bytes[] memory calls = _entryPoints();
        bytes memory guard = abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        token.reenter(evil, abi.encodeCall(Intruder.enter, ()));
        for (uint256 i = 0; i < calls.length; i++) {
            intruder.prepare(settlement, calls[i], payee);
            vm.prank(caller);
            (bool done, bytes memory answer) = address(settlement).call(call);
            vm.assertTrue(!done, "entered");
            vm.assertEq(keccak256(answer), keccak256(guard), "refused by something else");
        }
        // The guard is what refused: with nobody intruding the same call is served.
        token.reenter(address(0), "");
        vm.prank(caller);
        (bool served,) = address(settlement).call(call);
        vm.assertTrue(served, "refused");
    }

    function _assertClosedDuring(address caller, bytes memory call) private {
        _assertClosedDuring(caller, call, address(0));
    }

    function test_Reentrancy_invariant_18_from_deposit() public {
        _assertClosedDuring(consumer, abi.encodeCall(ILuxxonSettlement.deposit, (1)));
    }

    function test_Reentrancy_invariant_18_from_depositFor() public {
        _assertClosedDuring(consumer, abi.encodeCall(ILuxxonSettlement.depositFor, (stranger, 1)));
    }

    function test_Reentrancy_invariant_18_from_depositWithAuthorization() public {
        bytes memory call =
            abi.encodeCall(ILuxxonSettlement.depositWithAuthorization, (consumer, 1, 0, 1, bytes32(0), ""));
        _assertClosedDuring(stranger, call);
    }

    function test_Reentrancy_invariant_18_from_withdraw() public {
        _assertClosedDuring(consumer, abi.encodeCall(ILuxxonSettlement.withdraw, (1)));
    }

    function test_Reentrancy_invariant_18_from_claim() public {
        _assertClosedDuring(stranger, abi.encodeCall(ILuxxonSettlement.claim, (debtor)));
    }

    function test_Reentrancy_invariant_18_from_settleFromPool() public {
        bytes memory call =
            abi.encodeCall(ILuxxonSettlement.settleFromPool, (SESSION, consumer, operator, 100, 1, 90, 10));
        _assertClosedDuring(evil, call);
    }

    function test_Reentrancy_invariant_18_from_settleBatch() public {
        _assertClosedDuring(evil, abi.encodeCall(ILuxxonSettlement.settleBatch, (batch)));
    }

    /// @dev The token refuses the operator and reenters when it is asked whether that is blacklisted.
    function test_Reentrancy_invariant_18_from_settleBatch_while_a_payout_is_held() public {
        token.refuse(operator);
        _assertClosedDuring(evil, abi.encodeCall(ILuxxonSettlement.settleBatch, (batch)));
        vm.assertEq(settlement.claimable(operator), 90, "claimable");
    }

    /// @dev Between a payout that was held and the transfer to the platform wallet.
    function test_Reentrancy_invariant_18_from_settleBatch_after_a_payout_was_held() public {
        token.refuse(operator);
        _assertClosedDuring(evil, abi.encodeCall(ILuxxonSettlement.settleBatch, (batch)), operator);
        vm.assertEq(settlement.claimable(operator), 90, "claimable");
        vm.assertEq(token.balanceOf(wallet), 10, "platform wallet");
    }

    function test_Reentrancy_invariant_18_from_rescue() public {
        _assertClosedDuring(evil, abi.encodeCall(ILuxxonSettlement.rescue, (stranger, 7)));
    }

    function test_Reentrancy_renounceOwnership_is_closed_at_all_times() public {
        token.reenter(address(settlement), abi.encodeCall(settlement.renounceOwnership, ()));
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.OwnershipCannotBeRenounced.selector));
        vm.prank(consumer);
        settlement.withdraw(1);
    }

    /// @dev Each of the calls that are refused above would pass by itself.
    function test_Reentrancy_the_same_calls_pass_outside_a_transfer() public {
        bytes[] memory calls = _entryPoints();
        uint256 start = vm.snapshotState();
        for (uint256 i = 0; i < calls.length; i++) {
            if (bytes4(calls[i]) == ILuxxonSettlement.unpause.selector) {
                vm.prank(evil);
                settlement.pause();
            }
            vm.prank(evil);
            (bool done,) = address(settlement).call(calls[i]);
            vm.assertTrue(done, "refused");
            vm.revertToState(start);
        }
    }

    /// @dev Books are closed before USDC is called, so what a view says from inside a transfer is already final.
    function test_Reentrancy_views_show_the_new_state_during_a_transfer() public {
        DuringTransfer observer = new DuringTransfer(settlement, consumer, SESSION);
        token.reenter(address(observer), abi.encodeCall(DuringTransfer.observe, ()));
        vm.prank(evil);
        settlement.settleFromPool(SESSION, consumer, operator, 100, 1, 100, 0);
        vm.assertEq(observer.pool(), 370, "pool");
        vm.assertEq(observer.owed(), 410, "totalOwed");
        vm.assertTrue(observer.settled(), "settled");
    }
}

/// @dev Called by the token, calls the settlement contract, and passes on what that reverts with.
contract Intruder {
    LuxxonSettlement private _settlement;
    bytes private _call;
    address private _payee;

    /// @param payee Waits until something is held for it; zero does not wait.
    function prepare(LuxxonSettlement settlement, bytes calldata call, address payee) external {
        (_settlement, _call, _payee) = (settlement, call, payee);
    }

    function enter() external {
        if (_payee != address(0) && _settlement.claimable(_payee) == 0) return;
        (bool done, bytes memory answer) = address(_settlement).call(_call);
        if (!done) {
            assembly ("memory-safe") {
                // to pass the reason on as it is; Solidity can only wrap it
                revert(add(answer, 32), mload(answer))
            }
        }
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
