// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {Refusals} from "./support/Refusals.sol";

contract PreviewEntryTest is Refusals {
    function _assertReason(ILuxxonSettlement.BatchEntry memory entry, bytes4 reason) private view {
        vm.assertEq(bytes32(settlement.previewEntry(entry)), bytes32(reason), "reason");
    }

    /// @dev Settles `entry` alone, by `settleFromPool`.
    function _try(ILuxxonSettlement.BatchEntry memory entry) private returns (bool done, bytes memory answer) {
        vm.prank(relayer);
        return address(settlement).call(abi.encodePacked(ILuxxonSettlement.settleFromPool.selector, abi.encode(entry)));
    }

    function test_PreviewEntry_of_a_good_entry_is_zero() public {
        _assertReason(_good(), 0);
        (bool done,) = _try(_good());
        vm.assertTrue(done, "settleFromPool");
        _assertReason(_good(), ILuxxonSettlement.SessionAlreadySettled.selector);
    }

    /// @dev The three ways to ask give one answer, for every refusal there is.
    function test_PreviewEntry_is_what_settleFromPool_reverts_with_and_settleBatch_skips_with() public {
        Refusal[] memory refusals = _everyRefusal();
        for (uint256 i = 0; i < refusals.length; i++) {
            bytes4 reason = bytes4(refusals[i].answer);
            vm.assertEq(bytes32(settlement.previewEntry(refusals[i].entry)), bytes32(reason), refusals[i].rule);

            (bool done, bytes memory answer) = _try(refusals[i].entry);
            vm.assertTrue(!done, refusals[i].rule);
            vm.assertEq(keccak256(answer), keccak256(refusals[i].answer), refusals[i].rule);

            ILuxxonSettlement.BatchEntry[] memory alone = new ILuxxonSettlement.BatchEntry[](1);
            alone[0] = refusals[i].entry;
            vm.expectEmit(address(settlement));
            emit ILuxxonSettlement.EntrySkipped(alone[0].sessionId, alone[0].from, 0, reason);
            vm.prank(relayer);
            settlement.settleBatch(alone);
        }
    }

    function test_PreviewEntry_leaves_aside_who_asks_and_who_is_relayer() public {
        vm.prank(pauser);
        settlement.revokeRelayer();
        vm.prank(stranger);
        vm.assertEq(bytes32(settlement.previewEntry(_good())), bytes32(0), "reason");
    }

    function test_PreviewEntry_leaves_aside_a_pause() public {
        _pause();
        _assertReason(_good(), 0);
        Refusal[] memory refusals = _everyRefusal();
        for (uint256 i = 0; i < refusals.length; i++) {
            _assertReason(refusals[i].entry, bytes4(refusals[i].answer));
        }
    }

    function test_PreviewEntry_leaves_aside_what_usdc_would_say() public {
        _blacklist(operator);
        _blacklist(wallet);
        _blacklist(consumer);
        _blacklist(address(settlement));
        _pauseToken();
        _assertReason(_good(), 0);
    }

    function test_PreviewEntry_follows_the_day() public {
        uint256 today = 1_800_057_600; // a midnight
        vm.warp(today);
        ILuxxonSettlement.BatchEntry memory entry = _entry(OTHER_SESSION, operator, consumer, 5, 0);
        _assertReason(entry, 0);
        vm.prank(relayer);
        settlement.settleFromPool(_session(1), operator, consumer, 1, 1, 1, 0);
        vm.warp(today + 1 days - 1);
        _assertReason(entry, ILuxxonSettlement.DayLimitExceeded.selector);
        vm.warp(today + 1 days);
        _assertReason(entry, 0);
    }

    function test_PreviewEntry_follows_limits_and_pools() public {
        _setLimits(consumer, 0, 3_499, 0);
        _assertReason(_good(), ILuxxonSettlement.SessionLimitExceeded.selector);
        _setLimits(consumer, 0, 3_500, 0);
        _assertReason(_good(), 0);
        uint256 pool = settlement.deposits(consumer);
        vm.prank(consumer);
        settlement.withdraw(pool - 3_499);
        _assertReason(_good(), ILuxxonSettlement.InsufficientPool.selector);
        _fillPool(consumer, 1);
        _assertReason(_good(), 0);
    }

    function test_PreviewEntry_bears_trailing_calldata() public view {
        bytes memory call = abi.encodeCall(ILuxxonSettlement.previewEntry, (_good()));
        (bool done, bytes memory answer) =
            address(settlement).staticcall(abi.encodePacked(call, "bc_builder", bytes32("8021")));
        vm.assertTrue(done && abi.decode(answer, (bytes4)) == 0, "refused");
    }

    /// @dev Any entry: what it foretells is what happens.
    function testFuzz_PreviewEntry_foretells_settleFromPool(ILuxxonSettlement.BatchEntry memory entry, uint256 seed)
        public
    {
        // Most runs come near the bounds: a payer that has something, and amounts around its pool and its limits.
        if (seed % 16 != 0) {
            entry.from = [consumer, stranger, operator][(seed >> 8) % 3];
            entry.toAmount = _bound(entry.toAmount, 0, entry.from == consumer ? 6_000 : 12);
            entry.feeAmount = _bound(entry.feeAmount, 0, entry.toAmount / 4 + 1);
            entry.ratePerSecond = _bound(entry.ratePerSecond, 0, 1_100);
            entry.chargeableSeconds = _bound(entry.chargeableSeconds, 0, 12);
            if (seed % 4 == 0) entry.to = operator;
        }
        bytes4 reason = settlement.previewEntry(entry);
        (bool done, bytes memory answer) = _try(entry);
        vm.assertEq(done, reason == 0, "preview");
        if (!done) vm.assertEq(bytes32(bytes4(answer)), bytes32(reason), "reason");
        vm.assertEq(settlement.settled(entry.sessionId), done || entry.sessionId == SESSION, "settled");
    }
}
