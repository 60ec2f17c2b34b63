// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {UsdcStandIn} from "contracts/standin/UsdcStandIn.sol";
import {Handler} from "./support/Handler.sol";
import {Test} from "./support/Test.sol";

/// @dev The numbers are those of docs/SECURITY.md.
contract InvariantsTest is Test {
    Handler private handler;
    LuxxonSettlement private settlement;
    UsdcStandIn private usdc;

    function setUp() public {
        handler = new Handler();
        settlement = handler.settlement();
        usdc = handler.usdc();
        _target(address(handler));
    }

    function invariant_1_Solvency() public view {
        uint256 held = usdc.balanceOf(address(settlement));
        vm.assertGe(held, settlement.totalOwed(), "held >= totalOwed");
        vm.assertEq(held, settlement.totalOwed() + handler.gifts(), "held = totalOwed + gifts");
    }

    function invariant_2_TotalOwed_is_the_sum_of_all_pools() public view {
        vm.assertEq(settlement.totalOwed(), handler.sumOfPools(), "totalOwed = sum of pools");
    }

    function invariant_3_Conservation() public view {
        uint256 left = handler.deposited() - handler.withdrawn() - handler.settledGross();
        vm.assertEq(settlement.totalOwed(), left, "deposits - withdrawals - settlements = totalOwed");
        for (uint256 i = 0; i < handler.actorCount(); i++) {
            address actor = handler.actors(i);
            vm.assertEq(usdc.balanceOf(actor), handler.received(actor), "wallet");
        }
        for (uint256 i = 0; i < handler.walletCount(); i++) {
            address wallet = handler.wallets(i);
            vm.assertEq(usdc.balanceOf(wallet), handler.received(wallet), "platform wallet");
        }
    }

    function invariant_4_Pools_fall_only_by_withdrawal_or_settlement() public view {
        for (uint256 i = 0; i < handler.actorCount(); i++) {
            address actor = handler.actors(i);
            vm.assertEq(settlement.deposits(actor), handler.pool(actor), "pool");
        }
    }

    /// @dev That settling one of them again is refused is checked by the handler, on every attempt.
    function invariant_6_Settled_sessions_stay_settled() public view {
        for (uint256 i = 0; i < handler.sessionCount(); i++) {
            vm.assertTrue(settlement.settled(handler.sessions(i)), "settled");
        }
        bytes32 next = keccak256(abi.encode("session", handler.sessionCount()));
        vm.assertTrue(!settlement.settled(next), "a refused settlement used up its session");
    }

    function invariant_17_Owner_and_platform_wallet_exist() public view {
        vm.assertTrue(settlement.owner() != address(0), "owner");
        vm.assertTrue(settlement.platformWallet() != address(0), "platformWallet");
    }

    /// @dev Invariant 10: whatever state a run ended in, everybody can leave with everything.
    function afterInvariant() public {
        for (uint256 i = 0; i < handler.actorCount(); i++) {
            handler.withdraw(i, type(uint256).max);
        }
        vm.assertEq(settlement.totalOwed(), 0, "totalOwed after everybody left");
        vm.assertEq(usdc.balanceOf(address(settlement)), handler.gifts(), "held after everybody left");
    }
}
