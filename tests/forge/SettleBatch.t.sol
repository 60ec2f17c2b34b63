// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {BatchFixture} from "./support/BatchFixture.sol";
import {Refusals} from "./support/Refusals.sol";
import {Vm} from "./support/Vm.sol";

/// @dev Who may settle a batch, how large it may be, and what its entries do to one another. What happens to the money
/// is in SettleBatchPayouts.t.sol.
contract SettleBatchTest is BatchFixture {
    uint256 private constant POOL = 100 * USDC;

    function setUp() public override {
        super.setUp();
        _fillPool(consumer, POOL);
        _fillPool(stranger, POOL);
    }

    function _expectRefusal(bytes memory refusal) private {
        bytes32 before = _state();
        vm.expectRevert(refusal);
        _settleBatch();
        _assertUnchanged(before);
    }

    function _addMany(uint256 size) private {
        for (uint256 i = 0; i < size; i++) {
            _add(_session(i), consumer, operator, 8, 2);
        }
    }

    function _expectSkipped(bytes32 sessionId, address from, uint256 index, bytes4 reason) private {
        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.EntrySkipped(sessionId, from, index, reason);
    }

    function _expectSettled(bytes32 sessionId, address from, uint256 toAmount, uint256 fee) private {
        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.Settled(sessionId, from, operator, toAmount, fee, toAmount + fee, 1);
    }

    // ---------------------------------------------------------------------------------------------------- what it does

    function test_SettleBatch_settles_every_entry() public {
        batch.push(ILuxxonSettlement.BatchEntry(SESSION, consumer, operator, 10, 120, 900, 100));
        _add(OTHER_SESSION, stranger, wallet, 70, 5);

        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.Settled(SESSION, consumer, operator, 900, 100, 10, 120);
        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.Settled(OTHER_SESSION, stranger, wallet, 70, 5, 75, 1);
        _settleBatch();

        vm.assertTrue(settlement.settled(SESSION) && settlement.settled(OTHER_SESSION), "settled");
        vm.assertEq(settlement.deposits(consumer), POOL - 1_000, "pool");
        vm.assertEq(settlement.deposits(stranger), POOL - 75, "other pool");
        vm.assertEq(settlement.totalOwed(), 2 * POOL - 1_075, "totalOwed");
        vm.assertEq(usdc.balanceOf(address(settlement)), 2 * POOL - 1_075, "held");
        vm.assertEq(usdc.balanceOf(operator), 900, "operator");
        vm.assertEq(usdc.balanceOf(wallet), 175, "platform wallet, both as payee and for fees");
    }

    /// @dev The books, the wallets and the event are the same; only how the money travelled may differ.
    function test_SettleBatch_of_one_is_a_settlement() public {
        uint256 start = vm.snapshotState();
        _settle(900, 100);
        bytes32 expected = _state();
        vm.revertToState(start);
        _add(SESSION, consumer, operator, 900, 100);
        _expectSettled(SESSION, consumer, 900, 100);
        _settleBatch();
        vm.assertEq(_state(), expected, "differs from settleFromPool");
    }

    function test_SettleBatch_counts_what_each_entry_spends_today() public {
        _add(SESSION, consumer, operator, 900, 100);
        _add(OTHER_SESSION, consumer, operator, 50, 0);
        _settleBatch();
        (,,, uint48 spentToday) = settlement.limitsOf(consumer);
        vm.assertEq(uint256(spentToday), 1_050, "spentToday");
    }

    function test_SettleBatch_works_for_a_blacklisted_consumer() public {
        _blacklist(consumer);
        _add(SESSION, consumer, operator, 900, 100);
        _settleBatch();
        vm.assertEq(usdc.balanceOf(operator), 900, "operator");
    }

    function test_SettleBatch_bears_trailing_calldata() public {
        _add(SESSION, consumer, operator, 900, 100);
        bytes memory call = abi.encodeCall(ILuxxonSettlement.settleBatch, (batch));
        vm.prank(relayer);
        (bool done,) = address(settlement).call(abi.encodePacked(call, "bc_builder", bytes32("8021")));
        vm.assertTrue(done, "refused");
        vm.assertEq(usdc.balanceOf(operator), 900, "operator");
    }

    // -------------------------------------------------------------------------------------------------- role and pause

    function test_SettleBatch_invariant_9_only_the_relayer() public {
        _add(SESSION, consumer, operator, 900, 100);
        address[6] memory others = [stranger, consumer, operator, admin, pauser, wallet];
        for (uint256 i = 0; i < others.length; i++) {
            vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.NotRelayer.selector, others[i]));
            vm.prank(others[i]);
            settlement.settleBatch(batch);
        }
        vm.assertTrue(!settlement.settled(SESSION), "settled");
    }

    function test_SettleBatch_invariant_9_not_by_a_revoked_relayer() public {
        _add(SESSION, consumer, operator, 900, 100);
        vm.prank(pauser);
        settlement.revokeRelayer();
        _expectRefusal(abi.encodeWithSelector(ILuxxonSettlement.NotRelayer.selector, relayer));
    }

    function test_SettleBatch_invariant_9_not_while_paused() public {
        _add(SESSION, consumer, operator, 900, 100);
        _pause();
        _expectRefusal(abi.encodeWithSelector(ILuxxonSettlement.ContractPaused.selector));
        vm.prank(admin);
        settlement.unpause();
        _settleBatch();
        vm.assertEq(usdc.balanceOf(operator), 900, "operator");
    }

    // ----------------------------------------------------------------------------------------------------------- sizes

    function test_SettleBatch_says_how_large_it_may_be() public view {
        vm.assertEq(settlement.MAX_BATCH_SIZE(), 100, "MAX_BATCH_SIZE");
    }

    function test_SettleBatch_of_none_is_refused() public {
        _expectRefusal(abi.encodeWithSelector(ILuxxonSettlement.BatchSizeOutOfRange.selector, 0, 100));
    }

    function test_SettleBatch_of_100_passes() public {
        _addMany(100);
        Vm.Log[] memory logs = _settleBatchRecorded();
        vm.assertEq(_count(logs, ILuxxonSettlement.Settled.selector), 100, "Settled");
        vm.assertEq(usdc.balanceOf(operator), 800, "operator");
        vm.assertEq(usdc.balanceOf(wallet), 200, "platform wallet");
        vm.assertEq(settlement.deposits(consumer), POOL - 1_000, "pool");
    }

    function test_SettleBatch_of_101_is_refused() public {
        _addMany(101);
        _expectRefusal(abi.encodeWithSelector(ILuxxonSettlement.BatchSizeOutOfRange.selector, 101, 100));
    }

    /// @dev A length that says more than the calldata holds, and one whose size in bytes would wrap.
    function test_SettleBatch_refuses_a_length_that_lies() public {
        uint256[3] memory lengths = [uint256(2), 2 ** 64, 2 ** 251 + 1];
        ILuxxonSettlement.BatchEntry memory entry = _entry(SESSION, consumer, operator, 900, 100);
        for (uint256 i = 0; i < lengths.length; i++) {
            bytes memory call =
                abi.encodePacked(ILuxxonSettlement.settleBatch.selector, uint256(32), lengths[i], abi.encode(entry));
            vm.prank(relayer);
            (bool done,) = address(settlement).call(call);
            vm.assertTrue(!done, "accepted");
        }
        vm.assertTrue(!settlement.settled(SESSION), "settled");
    }

    // -------------------------------------------------------------------------------------------- entries of one batch

    function test_SettleBatch_invariant_6_the_same_session_twice_is_settled_once() public {
        _add(SESSION, consumer, operator, 900, 100);
        _add(OTHER_SESSION, consumer, operator, 1, 0);
        _add(SESSION, stranger, operator, 50, 0); // neither for another consumer

        _expectSettled(SESSION, consumer, 900, 100);
        _expectSettled(OTHER_SESSION, consumer, 1, 0);
        _expectSkipped(SESSION, stranger, 2, ILuxxonSettlement.SessionAlreadySettled.selector);
        _settleBatch();
        vm.assertEq(usdc.balanceOf(operator), 901, "operator");
        vm.assertEq(settlement.deposits(stranger), POOL, "other pool");
    }

    function test_SettleBatch_invariant_6_a_settled_batch_again_skips_everything() public {
        _add(SESSION, consumer, operator, 900, 100);
        _add(OTHER_SESSION, stranger, operator, 1, 0);
        _settleBatch();
        bytes32 before = _state();
        _expectSkipped(SESSION, consumer, 0, ILuxxonSettlement.SessionAlreadySettled.selector);
        _expectSkipped(OTHER_SESSION, stranger, 1, ILuxxonSettlement.SessionAlreadySettled.selector);
        _settleBatch();
        _assertUnchanged(before);
    }

    /// @dev What was skipped can be settled in the same batch, once it is put right.
    function test_SettleBatch_a_skipped_session_can_still_be_settled() public {
        _addBad(SESSION, operator);
        _add(SESSION, consumer, operator, 900, 100);
        _expectSkipped(SESSION, consumer, 0, ILuxxonSettlement.ZeroAmount.selector);
        _expectSettled(SESSION, consumer, 900, 100);
        _settleBatch();
        vm.assertEq(usdc.balanceOf(operator), 900, "operator");
    }

    function test_SettleBatch_goes_on_when_a_pool_runs_out() public {
        _add(_session(1), consumer, operator, POOL - 10, 0);
        _add(_session(2), consumer, operator, 11, 0); // one too many
        _add(_session(3), stranger, operator, 7, 0);
        _add(_session(4), consumer, operator, 8, 2); // all that is left
        _add(_session(5), consumer, operator, 1, 0);

        _expectSettled(_session(1), consumer, POOL - 10, 0);
        _expectSkipped(_session(2), consumer, 1, ILuxxonSettlement.InsufficientPool.selector);
        _expectSettled(_session(3), stranger, 7, 0);
        _expectSettled(_session(4), consumer, 8, 2);
        _expectSkipped(_session(5), consumer, 4, ILuxxonSettlement.InsufficientPool.selector);
        _settleBatch();
        vm.assertEq(settlement.deposits(consumer), 0, "pool");
        vm.assertEq(usdc.balanceOf(operator), POOL - 10 + 7 + 8, "operator");
        vm.assertEq(settlement.totalOwed(), POOL - 7, "totalOwed");
    }

    function test_SettleBatch_invariant_8_goes_on_when_a_day_limit_is_reached() public {
        _setLimits(consumer, 0, 0, 100);
        _add(_session(1), consumer, operator, 90, 0);
        _add(_session(2), consumer, operator, 11, 0); // one too many
        _add(_session(3), stranger, operator, 200, 0);
        _add(_session(4), consumer, operator, 8, 2); // all that is left
        _add(_session(5), consumer, operator, 1, 0);

        _expectSettled(_session(1), consumer, 90, 0);
        _expectSkipped(_session(2), consumer, 1, ILuxxonSettlement.DayLimitExceeded.selector);
        _expectSettled(_session(3), stranger, 200, 0);
        _expectSettled(_session(4), consumer, 8, 2);
        _expectSkipped(_session(5), consumer, 4, ILuxxonSettlement.DayLimitExceeded.selector);
        _settleBatch();
        vm.assertEq(settlement.deposits(consumer), POOL - 100, "pool");
    }

    // ------------------------------------------------------------------------------------------------------------ fuzz

    /// @dev Whatever the relayer writes into an entry: it is settled as it stands or skipped, and nothing panics.
    function testFuzz_SettleBatch_any_arguments(ILuxxonSettlement.BatchEntry memory entry) public {
        entry.sessionId = SESSION;
        batch.push(entry);
        _add(OTHER_SESSION, consumer, operator, 5, 0);
        bool good = settlement.previewEntry(entry) == 0;
        Vm.Log[] memory logs = _settleBatchRecorded();

        vm.assertEq(settlement.settled(SESSION), good, "settled");
        vm.assertEq(_count(logs, ILuxxonSettlement.Settled.selector), good ? 2 : 1, "Settled");
        vm.assertEq(_count(logs, ILuxxonSettlement.EntrySkipped.selector), good ? 0 : 1, "EntrySkipped");
        vm.assertTrue(settlement.settled(OTHER_SESSION), "the entry beside it");
        uint256 gross = good ? entry.toAmount + entry.feeAmount : 0;
        vm.assertEq(settlement.totalOwed(), 2 * POOL - gross - 5, "totalOwed");
    }

    /// @dev The same with amounts in reach of the pool, so that many are settled.
    function testFuzz_SettleBatch_any_amounts(uint256 rate, uint256 duration, uint256 toAmount, uint256 fee) public {
        toAmount = _bound(toAmount, 0, 2 * POOL);
        fee = _bound(fee, 0, toAmount / 3);
        rate = _bound(rate, 0, 2 * POOL);
        duration = _bound(duration, 0, 3);
        batch.push(ILuxxonSettlement.BatchEntry(SESSION, consumer, operator, rate, duration, toAmount, fee));
        uint256 gross = toAmount + fee;
        bool good = gross != 0 && gross <= rate * duration && fee * 5 <= gross && gross <= POOL;
        _settleBatch();
        vm.assertEq(settlement.settled(SESSION), good, "settled");
        vm.assertEq(settlement.deposits(consumer), good ? POOL - gross : POOL, "pool");
        vm.assertEq(usdc.balanceOf(operator), good ? toAmount : 0, "operator");
        vm.assertEq(usdc.balanceOf(wallet), good ? fee : 0, "platform wallet");
    }
}

/// @dev Every refusal there is, as an entry among others.
contract SettleBatchRefusalsTest is Refusals {
    address private neighbour = _account("neighbour");
    address private payee = _account("another operator");

    function setUp() public override {
        super.setUp();
        _fillPool(neighbour, 1_000);
    }

    function _books(bytes32 sessionId) private view returns (bytes32) {
        return keccak256(abi.encode(_state(), _stateOf(neighbour), _stateOf(payee), settlement.settled(sessionId)));
    }

    /// @dev The batch is settled with the entry and without it. With it there is one more log, of the right index and
    /// reason, and no other difference.
    function test_SettleBatch_invariant_7_a_skipped_entry_changes_nothing_but_the_log() public {
        Refusal[] memory refusals = _everyRefusal();
        uint256 start = vm.snapshotState();
        for (uint256 i = 0; i < refusals.length; i++) {
            ILuxxonSettlement.BatchEntry memory entry = refusals[i].entry;
            delete batch;
            _add(_session(1), neighbour, payee, 40, 10);
            _add(_session(2), neighbour, payee, 30, 0);
            Vm.Log[] memory expected = _settleBatchRecorded();
            bytes32 books = _books(entry.sessionId);
            vm.revertToState(start);

            delete batch;
            _add(_session(1), neighbour, payee, 40, 10);
            batch.push(entry);
            _add(_session(2), neighbour, payee, 30, 0);
            Vm.Log[] memory logs = _settleBatchRecorded();
            vm.assertEq(_books(entry.sessionId), books, refusals[i].rule);
            vm.assertEq(logs.length, expected.length + 1, refusals[i].rule);
            bytes32 skipped = keccak256(abi.encode(_skipped(entry, 1, bytes4(refusals[i].answer))));
            for (uint256 j = 0; j < logs.length; j++) {
                // The entry stands second, and so does its log.
                bytes32 log = j == 1 ? skipped : keccak256(abi.encode(expected[j < 1 ? j : j - 1]));
                vm.assertEq(keccak256(abi.encode(logs[j])), log, refusals[i].rule);
            }
            vm.revertToState(start);
        }
    }

    function test_SettleBatch_names_each_refusal_by_its_index_and_reason() public {
        Refusal[] memory refusals = _everyRefusal();
        for (uint256 i = 0; i < refusals.length; i++) {
            batch.push(refusals[i].entry);
        }
        bytes32 before = _state();
        for (uint256 i = 0; i < refusals.length; i++) {
            ILuxxonSettlement.BatchEntry memory entry = refusals[i].entry;
            vm.expectEmit(address(settlement));
            emit ILuxxonSettlement.EntrySkipped(entry.sessionId, entry.from, i, bytes4(refusals[i].answer));
        }
        _settleBatch();
        _assertUnchanged(before);
    }

    /// @dev One good entry after as many bad ones as a batch can hold.
    function test_SettleBatch_settles_the_last_entry_after_99_bad_ones() public {
        Refusal[] memory refusals = _everyRefusal();
        for (uint256 i = 0; i < 99; i++) {
            batch.push(refusals[i % refusals.length].entry);
        }
        batch.push(_good());
        Vm.Log[] memory logs = _settleBatchRecorded();
        vm.assertEq(_count(logs, ILuxxonSettlement.EntrySkipped.selector), 99, "EntrySkipped");
        vm.assertEq(_count(logs, ILuxxonSettlement.Settled.selector), 1, "Settled");
        vm.assertEq(usdc.balanceOf(operator), 4_000 + 3_000, "operator");
    }

    function _skipped(ILuxxonSettlement.BatchEntry memory entry, uint256 index, bytes4 reason)
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
}
