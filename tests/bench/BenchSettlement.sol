// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILuxxonSettlement} from "../../contracts/ILuxxonSettlement.sol";

/// @dev The one thing of USDC that an indexer of LuxxonSettlement reads.
contract BenchUsdc {
    event Approval(address indexed owner, address indexed spender, uint256 value);

    /// @dev `owner` allows the caller `value`. Nothing is kept.
    function approveCaller(address owner, uint256 value) external {
        emit Approval(owner, msg.sender, value);
    }
}

/// @title LuxxonSettlement as an indexer sees it, and nothing behind it
/// @notice For benchmarks: anybody makes it write any number of events, each for about 4,000 gas.
/// @dev Event `i` of the chain is a function of `i`. Together they are a ledger that could be: the first ACCOUNTS events
/// open a pool each, and no later one takes more than MOST out of one, so no pool runs dry before it was drawn on
/// OPENING / MOST times. No session settles twice. `totalOwed` is what the pools add up to.
contract BenchSettlement {
    uint256 public constant ACCOUNTS = 4096;
    uint256 public constant OPERATORS = 256;

    /// @dev What each pool begins with, µUSDC.
    uint256 private constant OPENING = 1e12;
    /// @dev The most that an event takes out of a pool, µUSDC.
    uint256 private constant MOST = 2e6;
    /// @dev Of so many events one is a deposit, one a withdrawal, one an allowance; the others are settlements.
    uint256 private constant CYCLE = 32;

    BenchUsdc public immutable USDC = new BenchUsdc();

    /// @dev How many events were written. In one word with what is owed.
    uint128 public written;
    uint128 private _owed;

    function totalOwed() external view returns (uint256) {
        return _owed;
    }

    /// @dev Writes the next `count` events.
    function write(uint256 count) external {
        uint256 first = written;
        uint256 owed = _owed;
        for (uint256 i = first; i < first + count; i++) {
            if (i < ACCOUNTS) {
                owed += OPENING;
                emit ILuxxonSettlement.Deposited(_consumer(i), _consumer(i), OPENING);
            } else {
                owed = _event(i, uint256(keccak256(abi.encode(i))), owed);
            }
        }
        written = uint128(first + count);
        _owed = uint128(owed);
    }

    /// @dev Writes event `i`, drawn from the random bits of `dice`; returns what is owed after it.
    function _event(uint256 i, uint256 dice, uint256 owed) private returns (uint256) {
        address consumer = _consumer(dice % ACCOUNTS);
        uint256 amount = 1 + (dice >> 64) % (MOST / 2);
        if (i % CYCLE == 0) {
            USDC.approveCaller(consumer, dice % 2 == 0 ? amount : type(uint256).max);
            return owed;
        }
        if (i % CYCLE == 1) {
            emit ILuxxonSettlement.Deposited(consumer, _consumer((dice >> 16) % ACCOUNTS), amount);
            return owed + amount;
        }
        if (i % CYCLE == 2) {
            emit ILuxxonSettlement.Withdrawn(consumer, amount);
            return owed - amount;
        }
        uint256 fee = amount / 10;
        uint256 time = 60 + (dice >> 96) % 3600;
        emit ILuxxonSettlement.Settled(
            bytes32(dice), consumer, _operator((dice >> 32) % OPERATORS), amount, fee, amount / time, time
        );
        return owed - amount - fee;
    }

    function _consumer(uint256 number) private pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode("consumer", number)))));
    }

    function _operator(uint256 number) private pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode("operator", number)))));
    }
}
