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

    /// @dev What each session of `settle` costs: its operator's part, the platform's, its rate and its seconds.
    uint256 private constant TO_AMOUNT = 51_000;
    uint256 private constant FEE_AMOUNT = 9_000;
    uint256 private constant RATE = 1_000;
    uint256 private constant TIME = 60;

    /// @dev How many events were written. In one word with what is owed.
    uint128 public written;
    uint128 private _owed;
    /// @dev How many sessions `settle` has settled.
    uint256 public sessions;

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

    /// @dev Settles the next `count` sessions, whose UUIDs are known: the last twelve digits of session `i`'s are `i`,
    /// and account `i` pays. The pools must be open.
    function settle(uint256 count) external {
        uint256 first = sessions;
        for (uint256 i = first; i < first + count; i++) {
            emit ILuxxonSettlement.Settled(
                _session(i), _consumer(i % ACCOUNTS), _operator(i % OPERATORS), TO_AMOUNT, FEE_AMOUNT, RATE, TIME
            );
        }
        sessions = first + count;
        _owed -= uint128(count * (TO_AMOUNT + FEE_AMOUNT));
    }

    /// @dev keccak256 of the text of the UUID.
    function _session(uint256 number) private pure returns (bytes32) {
        bytes memory uuid = "00000000-0000-8000-8000-000000000000";
        for (uint256 digit = 0; digit < 12; digit++) {
            uuid[35 - digit] = bytes16("0123456789abcdef")[(number >> (4 * digit)) & 0xf];
        }
        return keccak256(uuid);
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
