// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {BatchFixture} from "./BatchFixture.sol";

/// @dev Every way in which a settlement can be refused, written down once: `settleFromPool` has to revert with these
/// errors, `settleBatch` to skip and `previewEntry` to answer with their selectors.
abstract contract Refusals is BatchFixture {
    struct Refusal {
        string rule;
        ILuxxonSettlement.BatchEntry entry;
        bytes answer;
    }

    Refusal[] private _refusals;

    /// @dev Three consumers, because the limits of one of them would hide one another: `consumer` is rich, limited in
    /// everything and has spent 5,000 today; `stranger` is poor; `operator` is poor and limited by the day.
    function setUp() public virtual override {
        super.setUp();
        _fillPool(consumer, 100 * USDC);
        _setLimits(consumer, 1_000, 5_000, 20_000);
        _settle(SESSION, 1_000, 5, 4_000, 1_000);
        _fillPool(stranger, 10);
        _fillPool(operator, 10);
        _setLimits(operator, 0, 0, 5);
    }

    /// @dev Breaks no rule.
    function _good() internal view returns (ILuxxonSettlement.BatchEntry memory) {
        return ILuxxonSettlement.BatchEntry(OTHER_SESSION, consumer, operator, 1_000, 4, 3_000, 500);
    }

    function _everyRefusal() internal returns (Refusal[] memory) {
        delete _refusals;
        _singleRefusals();
        _doubleRefusals();
        return _refusals;
    }

    /// @dev One rule broken by each entry.
    function _singleRefusals() private {
        _addSettled("settled before", operator);
        _addPayee("payee zero", address(0), 1_000, 4, 3_000, 500);
        _addPayee("payee this contract", address(settlement), 1_000, 4, 3_000, 500);
        _addPayee("payee USDC", address(usdc), 1_000, 4, 3_000, 500);
        _addWide("rate too wide", 2 ** 64, 4, 3_000, 500, 2 ** 64, MAX_UINT64);
        _addWide("seconds too wide", 1_000, 2 ** 32, 3_000, 500, 2 ** 32, MAX_UINT32);
        _addWide("toAmount too wide", 1_000, 4, 2 ** 64, 500, 2 ** 64, MAX_UINT64);
        _addWide("feeAmount too wide", 1_000, 4, 3_000, 2 ** 64, 2 ** 64, MAX_UINT64);
        _addWide("gross too wide", 1_000, 4, MAX_UINT64, 1, 2 ** 64, MAX_UINT64);
        _addWide("gross too wide by the fee", 1_000, 4, 1, MAX_UINT64, 2 ** 64, MAX_UINT64);
        bytes4 selector = ILuxxonSettlement.ZeroAmount.selector;
        _addOf("nothing taken", consumer, 1_000, 4, 0, 0, abi.encodeWithSelector(selector));
        selector = ILuxxonSettlement.MeterExceeded.selector;
        _addOf("meter exceeded", consumer, 1_000, 4, 3_501, 500, abi.encodeWithSelector(selector, 4_001, 4_000));
        selector = ILuxxonSettlement.FeeExceeded.selector;
        _addOf("fee exceeded", consumer, 1_000, 4, 3_000, 751, abi.encodeWithSelector(selector, 751, 3_751));
        _addOver("rate over the limit", ILuxxonSettlement.RateLimitExceeded.selector, 1_001, 4, 3_500, 1_001, 1_000);
        _addOver(
            "session over the limit", ILuxxonSettlement.SessionLimitExceeded.selector, 1_000, 6, 5_001, 5_001, 5_000
        );
        selector = ILuxxonSettlement.DayLimitExceeded.selector;
        _addOf("day over the limit", operator, 6, 1, 6, 0, abi.encodeWithSelector(selector, operator, 6, 5));
        selector = ILuxxonSettlement.InsufficientPool.selector;
        _addOf("pool too small", stranger, 11, 1, 11, 0, abi.encodeWithSelector(selector, stranger, 10, 11));
    }

    /// @dev Neighbouring rules broken at once: the one named first in the interface has to be the answer.
    function _doubleRefusals() private {
        _addSettled("settled before, and payee zero", address(0));
        _addPayee("payee, and rate too wide", address(usdc), 2 ** 64, 4, 3_000, 500);
        _addPayee("payee, and nothing taken", address(0), 1_000, 4, 0, 0);
        _addWide("rate too wide, and nothing taken", 2 ** 64, 4, 0, 0, 2 ** 64, MAX_UINT64);
        _addWide("seconds too wide, and nothing taken", 1_000, 2 ** 32, 0, 0, 2 ** 32, MAX_UINT32);
        _addWide("gross too wide, and meter exceeded", 0, 0, MAX_UINT64, 1, 2 ** 64, MAX_UINT64);
        bytes4 selector = ILuxxonSettlement.ZeroAmount.selector;
        _addOf("nothing taken, and rate over the limit", consumer, 1_001, 4, 0, 0, abi.encodeWithSelector(selector));
        selector = ILuxxonSettlement.MeterExceeded.selector;
        _addOf("meter, and fee", consumer, 1_000, 0, 1, 1, abi.encodeWithSelector(selector, 2, 0));
        selector = ILuxxonSettlement.FeeExceeded.selector;
        _addOf("fee, and rate over the limit", consumer, 1_001, 4, 3, 1, abi.encodeWithSelector(selector, 1, 4));
        _addOver("rate, and session", ILuxxonSettlement.RateLimitExceeded.selector, 5_001, 1, 5_001, 5_001, 1_000);
        _addOver("session, and day", ILuxxonSettlement.SessionLimitExceeded.selector, 1_000, 16, 15_001, 15_001, 5_000);
        selector = ILuxxonSettlement.DayLimitExceeded.selector;
        _addOf("day, and pool", operator, 11, 1, 11, 0, abi.encodeWithSelector(selector, operator, 11, 5));
    }

    // -------------------------------------------------------------------------------------------- entries of the table

    function _addSettled(string memory rule, address to) private {
        bytes memory answer = abi.encodeWithSelector(ILuxxonSettlement.SessionAlreadySettled.selector, SESSION);
        _refusals.push(Refusal(rule, ILuxxonSettlement.BatchEntry(SESSION, consumer, to, 1_000, 4, 3_000, 500), answer));
    }

    function _addPayee(string memory rule, address to, uint256 rate, uint256 duration, uint256 toAmount, uint256 fee)
        private
    {
        bytes memory answer = abi.encodeWithSelector(ILuxxonSettlement.InvalidPayee.selector, to);
        ILuxxonSettlement.BatchEntry memory entry =
            ILuxxonSettlement.BatchEntry(OTHER_SESSION, consumer, to, rate, duration, toAmount, fee);
        _refusals.push(Refusal(rule, entry, answer));
    }

    function _addWide(
        string memory rule,
        uint256 rate,
        uint256 duration,
        uint256 toAmount,
        uint256 fee,
        uint256 value,
        uint256 max
    ) private {
        bytes memory answer = abi.encodeWithSelector(ILuxxonSettlement.ValueTooLarge.selector, value, max);
        _addOf(rule, consumer, rate, duration, toAmount, fee, answer);
    }

    function _addOver(
        string memory rule,
        bytes4 selector,
        uint256 rate,
        uint256 duration,
        uint256 gross,
        uint256 value,
        uint256 max
    ) private {
        _addOf(rule, consumer, rate, duration, gross, 0, abi.encodeWithSelector(selector, consumer, value, max));
    }

    function _addOf(
        string memory rule,
        address from,
        uint256 rate,
        uint256 duration,
        uint256 toAmount,
        uint256 fee,
        bytes memory answer
    ) private {
        ILuxxonSettlement.BatchEntry memory entry =
            ILuxxonSettlement.BatchEntry(OTHER_SESSION, from, operator, rate, duration, toAmount, fee);
        _refusals.push(Refusal(rule, entry, answer));
    }
}
