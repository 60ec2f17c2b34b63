// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {BatchFixture} from "./support/BatchFixture.sol";
import {SilentToken} from "./support/Tokens.sol";
import {Vm} from "./support/Vm.sol";

/// @dev How a batch pays: in how many transfers, what it holds for whom, and when it pays nobody.
contract SettleBatchPayoutsTest is BatchFixture {
    uint256 private constant POOL = 1_000_000;

    address private another = _account("another operator");
    uint256 private number;

    function setUp() public override {
        super.setUp();
        _fillPool(consumer, POOL);
    }

    /// @dev Adds an entry of the next session.
    function _pay(address to, uint256 toAmount, uint256 fee) private {
        number += 1;
        _add(_session(number), consumer, to, toAmount, fee);
    }

    function _skip(address to) private {
        number += 1;
        _addBad(_session(number), to);
    }

    function _expectTransfer(address to, uint256 amount) private {
        vm.expectEmit(address(usdc));
        emit IERC20.Transfer(address(settlement), to, amount);
    }

    function _expectHeld(address to, uint256 amount) private {
        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.PayoutHeld(to, amount);
    }

    function _expectRefusal(bytes memory refusal) private {
        bytes32 before = keccak256(abi.encode(_state(), _stateOf(another)));
        vm.expectRevert(refusal);
        _settleBatch();
        vm.assertEq(keccak256(abi.encode(_state(), _stateOf(another))), before, "a refused call changed something");
        for (uint256 i = 1; i <= number; i++) {
            vm.assertTrue(!settlement.settled(_session(i)), "settled");
        }
    }

    function _assertTransfers(uint256 expected) private {
        vm.assertEq(_transfers(_settleBatchRecorded()), expected, "transfers");
    }

    function _claim(address account) private {
        vm.prank(stranger);
        settlement.claim(account);
    }

    // ------------------------------------------------------------------------------------------------------------ runs

    function test_SettleBatch_pays_neighbouring_entries_of_a_payee_at_once_and_all_fees_at_once() public {
        _pay(operator, 80, 20);
        _pay(operator, 40, 10);
        _pay(operator, 1, 0);
        _pay(another, 8, 2);
        _expectTransfer(operator, 121);
        _expectTransfer(another, 8);
        _expectTransfer(wallet, 32);
        _assertTransfers(3);
    }

    function test_SettleBatch_pays_a_payee_that_comes_back_again() public {
        _pay(operator, 1, 0);
        _pay(another, 2, 0);
        _pay(operator, 3, 0);
        _expectTransfer(operator, 1);
        _expectTransfer(another, 2);
        _expectTransfer(operator, 3);
        _assertTransfers(3);
        vm.assertEq(usdc.balanceOf(operator), 4, "operator");
    }

    /// @dev A batch is sorted before anybody knows which entries it will skip.
    function test_SettleBatch_a_skipped_entry_does_not_end_a_run() public {
        _skip(another); // nor begin one
        _pay(operator, 1, 0);
        _skip(another);
        _skip(operator);
        _pay(operator, 2, 0);
        _skip(another);
        _pay(another, 4, 0);
        _skip(operator);
        _pay(another, 8, 0);
        _skip(another);
        _expectTransfer(operator, 3);
        _expectTransfer(another, 12);
        _assertTransfers(2);
    }

    function test_SettleBatch_a_run_of_several_consumers_is_one_transfer() public {
        _fillPool(stranger, 10);
        _pay(operator, 1, 0);
        _add(SESSION, stranger, operator, 2, 0);
        _expectTransfer(operator, 3);
        _assertTransfers(1);
        vm.assertEq(settlement.deposits(stranger), 8, "pool");
    }

    function test_SettleBatch_without_fees_does_not_touch_the_platform_wallet() public {
        _blacklist(wallet); // a transfer of zero to it would be held
        _pay(operator, 1, 0);
        _pay(another, 2, 0);
        Vm.Log[] memory logs = _settleBatchRecorded();
        vm.assertEq(_transfers(logs), 2, "transfers");
        vm.assertEq(_count(logs, ILuxxonSettlement.PayoutHeld.selector), 0, "PayoutHeld");
    }

    function test_SettleBatch_of_skipped_entries_pays_nobody() public {
        _pauseToken(); // a transfer of anything would revert
        _skip(operator);
        _skip(another);
        _assertTransfers(0);
    }

    function test_SettleBatch_a_fee_of_a_skipped_entry_is_not_paid() public {
        _pay(operator, 8, 2);
        _pay(operator, 1, 1); // more than the ceiling
        _expectTransfer(operator, 8);
        _expectTransfer(wallet, 2);
        _assertTransfers(2);
    }

    function test_SettleBatch_operator_and_platform_wallet_can_be_the_same() public {
        _pay(wallet, 80, 20);
        _expectTransfer(wallet, 80);
        _expectTransfer(wallet, 20);
        _assertTransfers(2);
        vm.assertEq(usdc.balanceOf(wallet), 100, "platform wallet");
    }

    function test_SettleBatch_consumer_and_operator_can_be_the_same() public {
        _pay(consumer, 80, 20);
        _expectTransfer(consumer, 80);
        _assertTransfers(2);
        vm.assertEq(settlement.deposits(consumer), POOL - 100, "pool");
        vm.assertEq(usdc.balanceOf(consumer), 80, "wallet");
    }

    function test_SettleBatch_pays_the_largest_amounts() public {
        _fillPool(consumer, MAX_UINT64 - POOL);
        _fillPool(stranger, MAX_UINT64);
        uint256 fee = MAX_UINT64 / 5;
        _pay(operator, MAX_UINT64 - fee, fee);
        _add(SESSION, stranger, operator, MAX_UINT64 - fee, fee);
        _expectTransfer(operator, 2 * (MAX_UINT64 - fee));
        _expectTransfer(wallet, 2 * fee);
        _assertTransfers(2);
        vm.assertEq(settlement.totalOwed(), 0, "totalOwed");
    }

    // ------------------------------------------------------------------------------------------------------------ held

    function test_SettleBatch_holds_what_a_blacklisted_payee_cannot_get() public {
        _blacklist(operator);
        _pay(operator, 80, 20);
        _expectHeld(operator, 80);
        _settleBatch();

        vm.assertEq(settlement.claimable(operator), 80, "claimable");
        vm.assertEq(usdc.balanceOf(operator), 0, "operator");
        vm.assertEq(usdc.balanceOf(wallet), 20, "platform wallet");
        vm.assertEq(settlement.deposits(consumer), POOL - 100, "pool");
        vm.assertEq(settlement.totalOwed(), POOL - 20, "totalOwed");
        vm.assertEq(usdc.balanceOf(address(settlement)), POOL - 20, "held");
        vm.assertEq(settlement.surplus(), 0, "surplus");
    }

    /// @dev The one in the middle is refused, and nobody around it notices.
    function test_SettleBatch_invariant_14_of_100_payees_one_is_blacklisted() public {
        for (uint256 i = 0; i < 100; i++) {
            _pay(_party("operator", i), 80, 20);
        }
        address refused = _party("operator", 50);
        _blacklist(refused);
        _expectHeld(refused, 80);
        Vm.Log[] memory logs = _settleBatchRecorded();

        vm.assertEq(_count(logs, ILuxxonSettlement.Settled.selector), 100, "Settled");
        vm.assertEq(_count(logs, ILuxxonSettlement.PayoutHeld.selector), 1, "PayoutHeld");
        vm.assertEq(_transfers(logs), 100, "99 operators and the fees");
        for (uint256 i = 0; i < 100; i++) {
            vm.assertEq(usdc.balanceOf(_party("operator", i)), i == 50 ? 0 : 80, "operator");
            vm.assertEq(settlement.claimable(_party("operator", i)), i == 50 ? 80 : 0, "claimable");
        }
        vm.assertEq(usdc.balanceOf(wallet), 2_000, "platform wallet");
        vm.assertEq(settlement.deposits(consumer), POOL - 10_000, "pool");
        vm.assertEq(settlement.totalOwed(), POOL - 10_000 + 80, "totalOwed");

        _unBlacklist(refused);
        _claim(refused);
        vm.assertEq(usdc.balanceOf(refused), 80, "operator, later");
        vm.assertEq(settlement.totalOwed(), POOL - 10_000, "totalOwed");
    }

    function test_SettleBatch_holds_the_fees_of_a_blacklisted_platform_wallet() public {
        _blacklist(wallet);
        _pay(operator, 80, 20);
        _pay(another, 40, 10);
        _expectTransfer(operator, 80);
        _expectTransfer(another, 40);
        _expectHeld(wallet, 30);
        _settleBatch();
        vm.assertEq(settlement.claimable(wallet), 30, "claimable");
        vm.assertEq(settlement.totalOwed(), POOL - 120, "totalOwed");
    }

    function test_SettleBatch_invariant_14_with_every_payee_blacklisted_everything_is_held() public {
        _blacklist(operator);
        _blacklist(another);
        _blacklist(wallet);
        _pay(operator, 80, 20);
        _pay(another, 40, 10);
        Vm.Log[] memory logs = _settleBatchRecorded();
        vm.assertEq(_transfers(logs), 0, "transfers");
        vm.assertEq(_count(logs, ILuxxonSettlement.PayoutHeld.selector), 3, "PayoutHeld");
        vm.assertEq(settlement.totalOwed(), POOL, "nothing has left");
        vm.assertEq(settlement.deposits(consumer), POOL - 150, "pool");
    }

    function test_SettleBatch_holds_both_for_an_operator_that_is_the_platform_wallet() public {
        _blacklist(wallet);
        _pay(wallet, 80, 20);
        _expectHeld(wallet, 80);
        _expectHeld(wallet, 20);
        _settleBatch();
        vm.assertEq(settlement.claimable(wallet), 100, "claimable");
    }

    /// @dev The consumer's own wallet as payee: what is held for it is no part of its pool.
    function test_SettleBatch_holds_for_a_consumer_that_is_the_operator() public {
        _blacklist(consumer);
        _pay(consumer, 80, 20);
        _expectHeld(consumer, 80);
        _settleBatch();
        vm.assertEq(settlement.claimable(consumer), 80, "claimable");
        vm.assertEq(settlement.deposits(consumer), POOL - 100, "pool");
    }

    function test_SettleBatch_adds_up_what_it_holds() public {
        _blacklist(operator);
        _pay(operator, 1, 0);
        _pay(another, 2, 0);
        _pay(operator, 4, 0);
        _expectHeld(operator, 1);
        _expectTransfer(another, 2);
        _expectHeld(operator, 4);
        _settleBatch();
        delete batch;
        _pay(operator, 8, 0);
        _pay(operator, 16, 0);
        _expectHeld(operator, 24);
        _settleBatch();
        vm.assertEq(settlement.claimable(operator), 29, "claimable");
        vm.assertEq(settlement.totalOwed(), POOL - 2, "totalOwed");
    }

    /// @dev A claim that is open is no reason to hold more.
    function test_SettleBatch_pays_again_once_the_blacklist_is_lifted() public {
        _blacklist(operator);
        _pay(operator, 1, 0);
        _settleBatch();
        _unBlacklist(operator);
        delete batch;
        _pay(operator, 2, 0);
        _settleBatch();
        vm.assertEq(usdc.balanceOf(operator), 2, "operator");
        vm.assertEq(settlement.claimable(operator), 1, "claimable");
    }

    /// @dev Where `settleFromPool` would revert: a relayer that must not fail sends a batch of one.
    function test_SettleBatch_of_one_holds_where_settleFromPool_reverts() public {
        _blacklist(operator);
        vm.expectRevert(bytes("Blacklistable: account is blacklisted"));
        _settle(80, 20);
        _add(SESSION, consumer, operator, 80, 20);
        _settleBatch();
        vm.assertTrue(settlement.settled(SESSION), "settled");
        vm.assertEq(settlement.claimable(operator), 80, "claimable");
    }

    // ------------------------------------------------------------------------------------------------- all or nothing

    function test_SettleBatch_reverts_as_a_whole_while_usdc_is_paused() public {
        _pay(operator, 80, 20);
        _pay(another, 40, 10);
        _pauseToken();
        _expectRefusal(bytes("Pausable: paused"));
    }

    function test_SettleBatch_reverts_as_a_whole_when_the_contract_itself_is_blacklisted() public {
        _pay(operator, 80, 20);
        _pay(another, 40, 10);
        _blacklist(address(settlement));
        _expectRefusal(bytes("Blacklistable: account is blacklisted"));
    }

    /// @dev What was held for the first payee is undone when the second cannot be paid for another reason.
    function test_SettleBatch_reverts_as_a_whole_after_a_payout_was_held() public {
        _pay(operator, 80, 0);
        _pay(another, 40, 10);
        _blacklist(operator);
        _blacklist(address(settlement));
        _expectRefusal(bytes("Blacklistable: account is blacklisted"));
        _unBlacklist(address(settlement));
        _pauseToken();
        _expectRefusal(bytes("Pausable: paused"));
    }

    function test_SettleBatch_reverts_as_a_whole_when_the_fees_cannot_be_paid() public {
        _pay(operator, 80, 20);
        _blacklist(operator);
        _pauseToken(); // the operator's money can be held, the platform wallet's not
        _expectRefusal(bytes("Pausable: paused"));
    }

    function test_SettleBatch_settles_what_it_reverted_once_usdc_goes_on() public {
        _pay(operator, 80, 20);
        _pauseToken();
        _expectRefusal(bytes("Pausable: paused"));
        vm.prank(minter);
        usdc.unpause();
        _settleBatch();
        vm.assertEq(usdc.balanceOf(operator), 80, "operator");
    }

    /// @dev The token is paused as well; but the payee is blacklisted, and that is all the contract asks.
    function test_SettleBatch_holds_for_a_blacklisted_payee_while_usdc_is_paused_too() public {
        _pay(operator, 80, 0);
        _blacklist(operator);
        _pauseToken();
        _expectHeld(operator, 80);
        _settleBatch();
        vm.assertEq(settlement.claimable(operator), 80, "claimable");
    }

    function test_SettleBatch_refuses_a_transfer_that_fails_silently() public {
        SilentToken token = _overSilentToken();
        _pay(operator, 80, 20);
        token.beSilent();
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token)));
        _settleBatch();
        vm.assertTrue(!settlement.settled(_session(1)), "settled");
        vm.assertEq(settlement.deposits(consumer), POOL, "pool");
    }

    function test_SettleBatch_holds_a_silent_failure_only_for_a_blacklisted_payee() public {
        SilentToken token = _overSilentToken();
        _pay(operator, 80, 0);
        token.beSilent();
        token.blacklist(operator);
        _expectHeld(operator, 80);
        _settleBatch();
        vm.assertEq(settlement.claimable(operator), 80, "claimable");
        vm.assertEq(settlement.totalOwed(), POOL, "totalOwed");
    }

    /// @dev Blacklisted by a token that pays all the same: the transfer is what counts, not the list.
    function test_SettleBatch_asks_the_blacklist_only_after_a_refusal() public {
        SilentToken token = _overSilentToken();
        _pay(operator, 80, 0);
        token.blacklist(operator);
        _settleBatch();
        vm.assertEq(token.balanceOf(operator), 80, "operator");
        vm.assertEq(settlement.claimable(operator), 0, "claimable");
    }

    function _overSilentToken() private returns (SilentToken token) {
        token = new SilentToken();
        settlement = new LuxxonSettlement(address(token), admin, relayer, pauser, wallet, RELAYER_DELAY);
        token.mint(consumer, POOL);
        vm.prank(consumer);
        settlement.deposit(POOL);
    }

    // ------------------------------------------------------------------------------------------------------------ fuzz

    /// @dev Any mixture of payees, amounts, skipped entries and refused payees. Each payee, the platform wallet among
    /// them, gets or has held for it exactly its sum, and together it is what the pools lost.
    function testFuzz_SettleBatch_invariant_13_each_payee_gets_exactly_its_sum(uint256 seed) public {
        address[4] memory payees = [operator, another, stranger, wallet];
        uint256[4] memory sums;
        uint256 gross;
        uint256 size = seed % 12 + 1;
        for (uint256 i = 0; i < size; i++) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 which = seed % 4;
            uint256 toAmount = (seed >> 8) % 1_000 + 1;
            uint256 fee = (seed >> 32) % 2 * (toAmount / 4);
            if ((seed >> 40) % 4 == 0) {
                _skip(payees[which]);
                continue;
            }
            _pay(payees[which], toAmount, fee);
            sums[which] += toAmount;
            sums[3] += fee;
            gross += toAmount + fee;
        }
        for (uint256 i = 0; i < 4; i++) {
            if ((seed >> (48 + i)) % 2 == 0) _blacklist(payees[i]);
        }
        _settleBatch();

        for (uint256 i = 0; i < 4; i++) {
            bool refused = usdc.isBlacklisted(payees[i]);
            vm.assertEq(usdc.balanceOf(payees[i]), refused ? 0 : sums[i], "pushed");
            vm.assertEq(settlement.claimable(payees[i]), refused ? sums[i] : 0, "held for it");
        }
        vm.assertEq(settlement.deposits(consumer), POOL - gross, "pool");
        vm.assertEq(settlement.totalOwed(), usdc.balanceOf(address(settlement)), "totalOwed");
    }
}
