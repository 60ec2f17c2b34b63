// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "./Vm.sol";

/// @dev What forge needs of a test contract. (forge-std is not published on npm, and little of it would be used.)
abstract contract Test {
    // All of these are public or external because the runners read them: forge, and symbolic runners, which without
    // one of the functions below would quietly take every contract and every function as a target.
    bool public constant IS_TEST = true;

    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    struct FuzzArtifactSelector {
        string artifact;
        bytes4[] selectors;
    }

    struct FuzzInterface {
        address addr;
        string[] artifacts;
    }

    address[] private _targetContracts;

    /// @dev Invariant runs call the functions of `target` only.
    function _target(address target) internal {
        _targetContracts.push(target);
    }

    function targetContracts() external view returns (address[] memory) {
        return _targetContracts;
    }

    function targetSenders() external pure returns (address[] memory none) {}
    function targetSelectors() external pure returns (FuzzSelector[] memory none) {}
    function targetArtifacts() external pure returns (string[] memory none) {}
    function targetArtifactSelectors() external pure returns (FuzzArtifactSelector[] memory none) {}
    function targetInterfaces() external pure returns (FuzzInterface[] memory none) {}
    function excludeArtifacts() external pure returns (string[] memory none) {}
    function excludeContracts() external pure returns (address[] memory none) {}
    function excludeSelectors() external pure returns (FuzzSelector[] memory none) {}
    function excludeSenders() external pure returns (address[] memory none) {}

    /// @dev An address that belongs to nobody else and shows as `name` in traces.
    function _account(string memory name) internal returns (address account) {
        account = address(uint160(uint256(keccak256(bytes(name)))));
        vm.label(account, name);
    }

    /// @dev `value` folded into [min, max]. forge's own cheatcode reverts for values outside, which wastes the run.
    /// A value already inside stays as it is, and values at either end of the type go to that end of the range, so
    /// that the fuzzer's favourite edge values stay edge values.
    function _bound(uint256 value, uint256 min, uint256 max) internal pure returns (uint256) {
        require(min <= max, "_bound: min > max");
        if (value >= min && value <= max) return value;
        uint256 size = max - min + 1;
        if (type(uint256).max - value < size && value > max) return max - (type(uint256).max - value);
        return min + value % size;
    }
}
