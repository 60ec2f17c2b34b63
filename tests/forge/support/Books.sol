// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {UsdcStandIn} from "contracts/standin/UsdcStandIn.sol";
import {Test} from "./Test.sol";

/// @dev A second set of books, kept from the specification in the plainest way: a variable for each quantity, a sum for
/// each day, nothing packed, nothing netted, nothing ever reset. They foretell what the contract has to answer, word
/// for word, and what it has to log.
abstract contract Books is Test {
    uint256 internal constant MAX_UINT32 = 2 ** 32 - 1;
    uint256 internal constant MAX_UINT48 = 2 ** 48 - 1;
    uint256 internal constant MAX_UINT64 = 2 ** 64 - 1;
    uint256 internal constant RELAYER_DELAY = 24 hours;

    struct Account {
        uint256 pool;
        uint256 claim;
        uint256 wallet; // USDC of its own
        uint256 maxRate;
        uint256 maxPerSession;
        uint256 maxPerDay;
        uint256 spentWhenSet; // spent on `dayWhenSet`, when the limits were set
        uint256 dayWhenSet;
        bool blacklisted; // by USDC
    }

    UsdcStandIn public immutable usdc;
    LuxxonSettlement public immutable settlement;

    mapping(address account => Account) internal books;
    mapping(address account => mapping(uint256 day => uint256)) public spentOn;
    mapping(bytes32 sessionId => bool) public isSettled;
    bytes32[] public sessions; // settled
    bytes32[] public refusedSessions; // at least once; they can still be settled

    // Sums over the whole run, in µUSDC.
    uint256 public deposited;
    uint256 public withdrawn;
    uint256 public pushed; // to operators and the platform wallet
    uint256 public held; // for them instead
    uint256 public claimed;
    uint256 public settledGross;
    uint256 public gifts;
    uint256 public rescued;

    // Roles and switches.
    address public admin = _account("owner");
    address public pauser = _account("pauser");
    address public relayer = _account("relayer");
    address public platformWallet = _account("platformWallet");
    address public candidate;
    uint256 public acceptableAt;
    bool public paused;

    /// @dev How often each action ended in each way: 0 is success, else the selector of the refusal.
    mapping(string action => mapping(bytes4 reason => uint256)) public happened;

    bytes32 internal _trail; // of the logs that have to be emitted, one hash over all of them

    constructor() {
        vm.warp(1_800_000_000); // some day
        usdc = new UsdcStandIn(_account("minter"));
        settlement = new LuxxonSettlement(address(usdc), admin, relayer, pauser, platformWallet, RELAYER_DELAY);
    }

    // -------------------------------------------------------------------------------------------------------- refusals

    function _depositRefusal(address account, address payer, uint256 amount) internal view returns (bytes memory) {
        if (paused) return abi.encodeWithSelector(ILuxxonSettlement.ContractPaused.selector);
        if (amount == 0) return abi.encodeWithSelector(ILuxxonSettlement.ZeroAmount.selector);
        if (_isNobody(account)) return abi.encodeWithSelector(ILuxxonSettlement.InvalidAccount.selector, account);
        if (amount > MAX_UINT64) return _tooLarge(amount, MAX_UINT64);
        if (books[account].pool + amount > MAX_UINT64) return _tooLarge(books[account].pool + amount, MAX_UINT64);
        return _transferRefusal(payer);
    }

    function _withdrawRefusal(address account, uint256 amount) internal view returns (bytes memory) {
        if (amount == 0) return abi.encodeWithSelector(ILuxxonSettlement.ZeroAmount.selector);
        uint256 pool = books[account].pool;
        if (amount > pool) {
            return abi.encodeWithSelector(ILuxxonSettlement.InsufficientPool.selector, account, pool, amount);
        }
        return _transferRefusal(account);
    }

    function _claimRefusal(address account) internal view returns (bytes memory) {
        if (books[account].claim == 0) {
            return abi.encodeWithSelector(ILuxxonSettlement.NothingToClaim.selector, account);
        }
        return _transferRefusal(account);
    }

    /// @dev Why nothing at all would be settled for `caller`.
    function _settlerRefusal(address caller) internal view returns (bytes memory) {
        if (caller != relayer) return abi.encodeWithSelector(ILuxxonSettlement.NotRelayer.selector, caller);
        if (paused) return abi.encodeWithSelector(ILuxxonSettlement.ContractPaused.selector);
        return "";
    }

    /// @dev Invariants 5, 6, 8 and 15, one rule after the other.
    function _entryRefusal(ILuxxonSettlement.BatchEntry memory entry) internal view returns (bytes memory) {
        if (isSettled[entry.sessionId]) {
            return abi.encodeWithSelector(ILuxxonSettlement.SessionAlreadySettled.selector, entry.sessionId);
        }
        if (_isNobody(entry.to)) return abi.encodeWithSelector(ILuxxonSettlement.InvalidPayee.selector, entry.to);
        if (entry.ratePerSecond > MAX_UINT64) return _tooLarge(entry.ratePerSecond, MAX_UINT64);
        if (entry.chargeableSeconds > MAX_UINT32) return _tooLarge(entry.chargeableSeconds, MAX_UINT32);
        if (entry.toAmount > MAX_UINT64) return _tooLarge(entry.toAmount, MAX_UINT64);
        if (entry.feeAmount > MAX_UINT64) return _tooLarge(entry.feeAmount, MAX_UINT64);
        uint256 gross = entry.toAmount + entry.feeAmount;
        if (gross > MAX_UINT64) return _tooLarge(gross, MAX_UINT64);
        if (gross == 0) return abi.encodeWithSelector(ILuxxonSettlement.ZeroAmount.selector);
        uint256 metered = entry.ratePerSecond * entry.chargeableSeconds;
        if (gross > metered) return abi.encodeWithSelector(ILuxxonSettlement.MeterExceeded.selector, gross, metered);
        if (entry.feeAmount > gross / 5) {
            return abi.encodeWithSelector(ILuxxonSettlement.FeeExceeded.selector, entry.feeAmount, gross);
        }
        return _poolRefusal(entry.from, entry.ratePerSecond, gross);
    }

    function _poolRefusal(address from, uint256 rate, uint256 gross) private view returns (bytes memory) {
        Account storage account = books[from];
        if (account.maxRate != 0 && rate > account.maxRate) {
            return abi.encodeWithSelector(ILuxxonSettlement.RateLimitExceeded.selector, from, rate, account.maxRate);
        }
        uint256 max = account.maxPerSession;
        if (max != 0 && gross > max) {
            return abi.encodeWithSelector(ILuxxonSettlement.SessionLimitExceeded.selector, from, gross, max);
        }
        max = account.maxPerDay;
        uint256 spent = spentToday(from) + gross;
        if (max != 0 && spent > max) {
            return abi.encodeWithSelector(ILuxxonSettlement.DayLimitExceeded.selector, from, spent, max);
        }
        if (gross > account.pool) {
            return abi.encodeWithSelector(ILuxxonSettlement.InsufficientPool.selector, from, account.pool, gross);
        }
        return "";
    }

    /// @dev What USDC says to a transfer from or to `account`.
    function _transferRefusal(address account) internal view returns (bytes memory) {
        return books[account].blacklisted ? _usdcSays("Blacklistable: account is blacklisted") : bytes("");
    }

    function _usdcSays(string memory words) internal pure returns (bytes memory) {
        return abi.encodeWithSignature("Error(string)", words);
    }

    function _tooLarge(uint256 value, uint256 max) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ILuxxonSettlement.ValueTooLarge.selector, value, max);
    }

    /// @dev Who has no pool and is never paid.
    function _isNobody(address account) internal view returns (bool) {
        return account == address(0) || account == address(settlement) || account == address(usdc);
    }

    // --------------------------------------------------------------------------------------------------------- entries

    function _bookDeposit(address account, address payer, uint256 amount) internal {
        books[payer].wallet -= amount;
        books[account].pool += amount;
        deposited += amount;
    }

    /// @dev Books a settlement, except for its payment.
    function _bookSettlement(ILuxxonSettlement.BatchEntry memory entry) internal {
        uint256 gross = entry.toAmount + entry.feeAmount;
        isSettled[entry.sessionId] = true;
        sessions.push(entry.sessionId);
        books[entry.from].pool -= gross;
        spentOn[entry.from][today()] += gross;
        settledGross += gross;
        bytes32[] memory topics = _topics(ILuxxonSettlement.Settled.selector, entry.sessionId, entry.from, entry.to);
        bytes memory data = abi.encode(entry.toAmount, entry.feeAmount, entry.ratePerSecond, entry.chargeableSeconds);
        _expectLog(address(settlement), topics, data);
    }

    function _bookSkip(ILuxxonSettlement.BatchEntry memory entry, uint256 index, bytes4 reason) internal {
        refusedSessions.push(entry.sessionId);
        bytes32[] memory topics = new bytes32[](3);
        topics[0] = ILuxxonSettlement.EntrySkipped.selector;
        topics[1] = entry.sessionId;
        topics[2] = _word(entry.from);
        _expectLog(address(settlement), topics, abi.encode(index, reason));
    }

    /// @dev A payment out of the contract, which becomes a claim where USDC refuses it.
    function _bookPayout(address to, uint256 amount) internal {
        if (amount == 0) return;
        if (books[to].blacklisted) {
            books[to].claim += amount;
            held += amount;
            bytes32[] memory topics = new bytes32[](2);
            topics[0] = ILuxxonSettlement.PayoutHeld.selector;
            topics[1] = _word(to);
            _expectLog(address(settlement), topics, abi.encode(amount));
            happened[to == platformWallet ? "hold for the platform wallet" : "hold"][0]++;
        } else {
            books[to].wallet += amount;
            pushed += amount;
            bytes32[] memory topics = new bytes32[](3);
            topics[0] = IERC20.Transfer.selector;
            topics[1] = _word(address(settlement));
            topics[2] = _word(to);
            _expectLog(address(usdc), topics, abi.encode(amount));
        }
    }

    function _expectLog(address emitter, bytes32[] memory topics, bytes memory data) internal {
        _trail = keccak256(abi.encode(_trail, emitter, topics, data));
    }

    function _topics(bytes32 selector, bytes32 sessionId, address from, address to)
        private
        pure
        returns (bytes32[] memory topics)
    {
        topics = new bytes32[](4);
        (topics[0], topics[1], topics[2], topics[3]) = (selector, sessionId, _word(from), _word(to));
    }

    function _word(address account) private pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }

    // ----------------------------------------------------------------------------------------------------------- views

    function today() public view returns (uint256) {
        return block.timestamp / 1 days;
    }

    /// @dev The contract has 48 bits for it.
    function spentToday(address account) public view returns (uint256) {
        uint256 spent = spentOn[account][today()];
        return spent < MAX_UINT48 ? spent : MAX_UINT48;
    }

    /// @dev What a settlement could take from `account` now, at a rate that it allows.
    function _spendable(address account) internal view returns (uint256 most) {
        most = books[account].pool;
        uint256 max = books[account].maxPerSession;
        if (max != 0 && max < most) most = max;
        max = books[account].maxPerDay;
        if (max == 0) return most;
        uint256 left = max > spentToday(account) ? max - spentToday(account) : 0;
        if (left < most) most = left;
    }
}
