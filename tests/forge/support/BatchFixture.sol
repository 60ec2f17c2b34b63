// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {Fixture} from "./Fixture.sol";
import {Vm} from "./Vm.sol";

/// @dev A batch to be filled entry by entry, and questions to the logs of its settlement.
abstract contract BatchFixture is Fixture {
    ILuxxonSettlement.BatchEntry[] internal batch;

    /// @dev Adds an entry that is metered at exactly what it takes.
    function _add(bytes32 sessionId, address from, address to, uint256 toAmount, uint256 feeAmount) internal {
        batch.push(_entry(sessionId, from, to, toAmount, feeAmount));
    }

    /// @dev Adds an entry that no state of the books could make good: it takes nothing.
    function _addBad(bytes32 sessionId, address to) internal {
        _add(sessionId, consumer, to, 0, 0);
    }

    function _settleBatch() internal {
        vm.prank(relayer);
        settlement.settleBatch(batch);
    }

    /// @dev Settles the batch and gives the logs of it, those of the token too.
    function _settleBatchRecorded() internal returns (Vm.Log[] memory logs) {
        vm.recordLogs();
        _settleBatch();
        return vm.getRecordedLogs();
    }

    function _entry(bytes32 sessionId, address from, address to, uint256 toAmount, uint256 feeAmount)
        internal
        pure
        returns (ILuxxonSettlement.BatchEntry memory)
    {
        return ILuxxonSettlement.BatchEntry(sessionId, from, to, toAmount + feeAmount, 1, toAmount, feeAmount);
    }

    /// @dev As many accounts of a kind as a test needs.
    function _party(string memory kind, uint256 number) internal pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode(kind, number)))));
    }

    function _session(uint256 number) internal pure returns (bytes32) {
        return keccak256(abi.encode("session", number));
    }

    function _count(Vm.Log[] memory logs, bytes32 topic) internal pure returns (uint256 count) {
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].topics[0] == topic) count++;
        }
    }

    function _transfers(Vm.Log[] memory logs) internal pure returns (uint256) {
        return _count(logs, IERC20.Transfer.selector);
    }
}
