// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {BatchFixture} from "./support/BatchFixture.sol";
import {Vm} from "./support/Vm.sol";

/// @dev The contract against other ways to the same result.
/// The same entries by settleBatch and by settleFromPool one by one, from the same state, have to leave the same books.
/// Few accounts, sessions and amounts, so that entries get into each other's way: sessions repeat, pools run out,
/// limits are reached.
/// And the meter and the fee, which the contract compares by multiplication, by division and by subtraction.
contract DifferentialTest is BatchFixture {
    uint256 private constant POOL = 4_000;
    uint256 private constant CONSUMERS = 3;
    uint256 private constant OPERATORS = 4;

    /// @dev What a run left behind. `events` is a hash of what it said of each entry, in order.
    struct Outcome {
        bytes32 events;
        uint256 settled;
        uint256[] books;
        uint256[] paid;
        uint256 owedToPools;
    }

    uint256 private _random;

    /// @dev Whoever USDC refuses, an operator or the platform wallet: it is owed what it would have been paid.
    function testFuzz_Differential_invariant_12_a_batch_equals_its_entries_one_by_one(uint256 seed) public {
        _random = seed;
        _arrange();
        uint256 start = vm.snapshotState();

        if (_pick(2) == 0) _blacklist(_pick(4) == 0 ? wallet : _payee());
        Outcome memory asBatch = _runBatch();
        vm.revertToState(start);
        Outcome memory oneByOne = _runOneByOne();

        vm.assertEq(asBatch.events, oneByOne.events, "what was said of the entries");
        vm.assertEq(asBatch.settled, oneByOne.settled, "settled sessions");
        vm.assertEq(keccak256(abi.encode(asBatch.books)), keccak256(abi.encode(oneByOne.books)), "pools and spent");
        vm.assertEq(keccak256(abi.encode(asBatch.paid)), keccak256(abi.encode(oneByOne.paid)), "paid or held");
        vm.assertEq(asBatch.owedToPools, oneByOne.owedToPools, "totalOwed without claims");
    }

    // ----------------------------------------------------------------------------------------------------------- runs

    function _runBatch() private returns (Outcome memory outcome) {
        Vm.Log[] memory logs = _settleBatchRecorded();
        for (uint256 i = 0; i < logs.length; i++) {
            outcome.events = _fold(outcome.events, logs[i]);
        }
        _finish(outcome);
    }

    function _runOneByOne() private returns (Outcome memory outcome) {
        for (uint256 i = 0; i < batch.length; i++) {
            ILuxxonSettlement.BatchEntry memory entry = batch[i];
            vm.recordLogs();
            vm.prank(relayer);
            try settlement.settleFromPool(
                entry.sessionId,
                entry.from,
                entry.to,
                entry.ratePerSecond,
                entry.chargeableSeconds,
                entry.toAmount,
                entry.feeAmount
            ) {
                Vm.Log[] memory logs = vm.getRecordedLogs();
                for (uint256 j = 0; j < logs.length; j++) {
                    outcome.events = _fold(outcome.events, logs[j]);
                }
            } catch (bytes memory refusal) {
                outcome.events = _fold(outcome.events, _skip(entry, i, bytes4(refusal)));
            }
        }
        _finish(outcome);
    }

    /// @dev The log that a batch should have written for an entry that was refused.
    function _skip(ILuxxonSettlement.BatchEntry memory entry, uint256 index, bytes4 reason)
        private
        view
        returns (Vm.Log memory log)
    {
        log.topics = new bytes32[](3);
        log.topics[0] = ILuxxonSettlement.EntrySkipped.selector;
        log.topics[1] = entry.sessionId;
        log.topics[2] = bytes32(uint256(uint160(entry.from)));
        log.data = abi.encode(index, reason);
        log.emitter = address(settlement);
    }

    /// @dev Only what is said of entries: payouts differ, a batch makes fewer of them.
    function _fold(bytes32 events, Vm.Log memory log) private pure returns (bytes32) {
        bytes32 topic = log.topics[0];
        if (topic != ILuxxonSettlement.Settled.selector && topic != ILuxxonSettlement.EntrySkipped.selector) {
            return events;
        }
        return keccak256(abi.encode(events, log.topics, log.data));
    }

    function _finish(Outcome memory outcome) private view {
        for (uint256 i = 0; i < batch.length; i++) {
            if (settlement.settled(batch[i].sessionId)) outcome.settled |= 1 << i;
        }
        outcome.books = new uint256[](2 * CONSUMERS);
        for (uint256 i = 0; i < CONSUMERS; i++) {
            address account = _party("consumer", i);
            outcome.books[2 * i] = settlement.deposits(account);
            (,,, outcome.books[2 * i + 1]) = settlement.limitsOf(account);
        }
        outcome.paid = new uint256[](OPERATORS + CONSUMERS + 1);
        outcome.owedToPools = settlement.totalOwed();
        for (uint256 i = 0; i < outcome.paid.length; i++) {
            address payee = _payeeAt(i);
            outcome.paid[i] = usdc.balanceOf(payee) + settlement.claimable(payee);
            outcome.owedToPools -= settlement.claimable(payee);
        }
    }

    // ------------------------------------------------------------------------------------------------- random entries

    function _arrange() private {
        for (uint256 i = 0; i < CONSUMERS; i++) {
            address account = _party("consumer", i);
            _fillPool(account, POOL);
            if (_pick(2) == 0) continue;
            vm.prank(account);
            settlement.setLimits(uint32(_pick(3) * 200), uint48(_pick(3) * 700), uint48(_pick(3) * 1_500));
        }
        uint256 size = 1 + _pick(12);
        for (uint256 i = 0; i < size; i++) {
            batch.push(_randomEntry());
        }
    }

    function _randomEntry() private returns (ILuxxonSettlement.BatchEntry memory entry) {
        entry.sessionId = _session(_pick(16));
        entry.from = _party("consumer", _pick(CONSUMERS));
        entry.to = _payee();
        entry.ratePerSecond = 1 + _pick(300);
        entry.chargeableSeconds = 1 + _pick(10);
        uint256 gross = entry.ratePerSecond * entry.chargeableSeconds;
        entry.feeAmount = gross * _pick(2_001) / 10_000;
        entry.toAmount = gross - entry.feeAmount;

        uint256 fault = _pick(24);
        if (fault == 0) entry.toAmount += 1; // over the meter
        if (fault == 1) (entry.toAmount, entry.feeAmount) = (entry.feeAmount, entry.toAmount); // over the fee's ceiling
        if (fault == 2) (entry.toAmount, entry.feeAmount) = (0, 0);
        if (fault == 3) entry.to = address(settlement);
        if (fault == 4) entry.ratePerSecond = 2 ** 64;
        if (fault == 5) entry.chargeableSeconds = 2 ** 32;
        if (fault == 6) entry.from = stranger; // has no pool
    }

    /// @dev Operators mostly, for runs of one payee; consumers and the platform wallet may be paid as well.
    function _payee() private returns (address) {
        return _payeeAt(_pick(2) == 0 ? _pick(2) : _pick(OPERATORS + CONSUMERS + 1));
    }

    function _payeeAt(uint256 number) private view returns (address) {
        if (number < OPERATORS) return _party("operator", number);
        if (number < OPERATORS + CONSUMERS) return _party("consumer", number - OPERATORS);
        return wallet;
    }

    /// @dev The next random number below `end`.
    function _pick(uint256 end) private returns (uint256) {
        _random = uint256(keccak256(abi.encode(_random)));
        return _random % end;
    }

    // --------------------------------------------------------------------------------------------------- meter and fee

    /// @dev The meter covers a gross if the rate is at least gross / seconds, rounded up. Nothing here is wider than what
    /// goes in, so nothing could wrap where the contract would.
    function testFuzz_Differential_invariant_5_meter_by_division(
        uint256 rate,
        uint256 duration,
        uint256 gross,
        uint256 near
    ) public view {
        (rate, duration) = (_width(rate, 64), _width(duration, 32));
        gross = _width(gross, 64);
        // Half of them within two units of the bound, where there is something to get wrong.
        if (near % 2 == 0 && duration != 0 && rate < 2 ** 64 / duration) gross = rate * duration + near / 2 % 5;
        if (near % 2 == 0 && gross > 2) gross -= 2;
        if (gross >= 2 ** 64 || gross == 0) return;
        bool fits = duration != 0 && rate >= gross / duration + (gross % duration == 0 ? 0 : 1);
        bytes4 expected = fits ? ILuxxonSettlement.InsufficientPool.selector : ILuxxonSettlement.MeterExceeded.selector;
        _assertReason(rate, duration, gross, 0, expected);
    }

    function testFuzz_Differential_invariant_5_fee_by_subtraction(uint256 gross, uint256 fee, uint256 near)
        public
        view
    {
        gross = _width(gross, 64);
        if (gross == 0) return;
        fee = near % 2 == 0 ? gross / 5 + near / 2 % 3 : _width(fee, 64);
        if (near % 2 == 0 && fee != 0) fee -= 1;
        if (fee > gross) return;
        // 20 % of the gross is a quarter of what is left beside it: the operator gets four units for each of the fee.
        uint256 rest = gross - fee;
        bool fits = true;
        for (uint256 i = 0; i < 4 && fits; i++) {
            fits = rest >= fee;
            if (fits) rest -= fee;
        }
        bytes4 expected = fits ? ILuxxonSettlement.InsufficientPool.selector : ILuxxonSettlement.FeeExceeded.selector;
        _assertReason(2 ** 64 - 1, 1, gross, fee, expected);
    }

    /// @dev Of an account without a pool: what no rule before that one refuses, the pool does.
    function _assertReason(uint256 rate, uint256 duration, uint256 gross, uint256 fee, bytes4 expected) private view {
        bytes4 reason = settlement.previewEntry(
            ILuxxonSettlement.BatchEntry(bytes32(0), consumer, operator, rate, duration, gross - fee, fee)
        );
        vm.assertEq(bytes32(reason), bytes32(expected), "reason");
    }

    /// @dev Any number of bits up to `width`, each as likely.
    function _width(uint256 value, uint256 width) private pure returns (uint256) {
        return (value >> 8) % 2 ** (1 + uint8(value) % width);
    }
}
