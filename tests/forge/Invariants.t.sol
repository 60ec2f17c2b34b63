// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {UsdcStandIn} from "contracts/standin/UsdcStandIn.sol";
import {Books} from "./support/Books.sol";
import {Handler} from "./support/Handler.sol";
import {Play} from "./support/Play.sol";
import {Test} from "./support/Test.sol";

/// @dev The numbers are those of docs/SECURITY.md. After every action of the handler the contract is compared with the
/// handler's books; how an action may end, its refusal or its logs, the handler itself foretells and checks.
contract InvariantsTest is Test {
    /// @dev An account, as the books have it and as the contract and USDC do.
    struct Party {
        address account;
        Books.Account books;
        uint256 spentToday; // by the books
        uint256 pool;
        uint256 claim;
        uint256 wallet;
    }

    bytes4 private constant DONE = 0;
    bytes4 private constant REFUSED_BY_USDC = 0x08c379a0; // Error(string)
    uint256 private constant CONSUMERS = 8; // who stand first among the parties; nobody else pays

    Handler private handler;
    LuxxonSettlement private settlement;
    UsdcStandIn private usdc;

    function setUp() public {
        handler = new Handler();
        settlement = handler.settlement();
        usdc = handler.usdc();
        _target(address(handler));
    }

    /// @dev One function for all of them, because forge plays a campaign of its own for each: the same one, as the seed
    /// is the same.
    function invariant_1_2_3_4_5_6_7_8_9_10_11_13_15_17_hold_after_every_action() public {
        Party[] memory parties = _parties();
        _invariant_1_Solvency();
        _invariant_2_TotalOwed_is_the_sum_of_all_pools_and_claims(parties);
        _invariant_3_Conservation(parties);
        _invariant_4_Pools_fall_only_by_withdrawal_or_settlement(parties);
        _invariant_5_Every_settled_session_keeps_the_meter_and_the_fee();
        _invariant_6_Settled_sessions_stay_settled();
        _invariant_7_Every_entry_is_settled_or_skipped_and_a_skipped_session_stays_open();
        _invariant_8_Limits_hold_for_every_day(parties);
        _invariant_9_Only_who_was_accepted_is_the_relayer();
        _invariant_11_Only_the_surplus_is_ever_rescued();
        _invariant_13_What_was_pushed_and_held_is_what_was_settled(parties);
        _invariant_15_Nobody_is_paid_at_zero_at_this_contract_or_at_USDC();
        _invariant_17_Owner_and_platform_wallet_exist();
        _invariant_10_Everybody_can_leave_with_everything(); // last, as everybody leaves
    }

    function _invariant_1_Solvency() private view {
        uint256 held = usdc.balanceOf(address(settlement));
        vm.assertGe(held, settlement.totalOwed(), "held >= totalOwed");
    }

    function _invariant_2_TotalOwed_is_the_sum_of_all_pools_and_claims(Party[] memory parties) private view {
        uint256 sum;
        for (uint256 i = 0; i < parties.length; i++) {
            sum += parties[i].pool + parties[i].claim;
        }
        _assertSame(settlement.totalOwed(), sum, "totalOwed = sum of pools and claims");
    }

    function _invariant_3_Conservation(Party[] memory parties) private view {
        uint256 out = handler.withdrawn() + handler.claimed() + handler.pushed();
        _assertSame(settlement.totalOwed(), handler.deposited() - out, "deposits - all payments = totalOwed");
        for (uint256 i = 0; i < parties.length; i++) {
            _assertSame(parties[i].wallet, parties[i].books.wallet, "wallet");
        }
    }

    function _invariant_4_Pools_fall_only_by_withdrawal_or_settlement(Party[] memory parties) private pure {
        for (uint256 i = 0; i < parties.length; i++) {
            _assertSame(parties[i].pool, parties[i].books.pool, "pool");
        }
    }

    /// @dev As the logs tell it, of each session of the last action.
    function _invariant_5_Every_settled_session_keeps_the_meter_and_the_fee() private view {
        Play.Taken[] memory taken = handler.lastTaken();
        for (uint256 i = 0; i < taken.length; i++) {
            uint256 gross = taken[i].toAmount + taken[i].feeAmount;
            vm.assertTrue(gross != 0, "gross > 0");
            vm.assertLe(gross, taken[i].ratePerSecond * taken[i].chargeableSeconds, "gross <= rate * seconds");
            vm.assertLe(5 * taken[i].feeAmount, gross, "fee <= 20 % of gross");
        }
    }

    /// @dev That settling one of them again is refused is checked by the handler, on every attempt.
    function _invariant_6_Settled_sessions_stay_settled() private view {
        (uint256 settledCount,) = handler.sessionCounts();
        _assertSame(handler.entriesSettled(), settledCount, "one Settled for each session");
        for (uint256 i = settledCount > 4 ? settledCount - 4 : 0; i < settledCount; i++) {
            vm.assertTrue(settlement.settled(handler.sessions(i)), "settled");
        }
    }

    /// @dev That it changed nothing else is what the other invariants say.
    function _invariant_7_Every_entry_is_settled_or_skipped_and_a_skipped_session_stays_open() private view {
        uint256 logged = handler.entriesSettled() + handler.entriesSkipped();
        _assertSame(handler.entriesTried(), logged, "one log for each entry");
        (, uint256 refusedCount) = handler.sessionCounts();
        for (uint256 i = refusedCount > 4 ? refusedCount - 4 : 0; i < refusedCount; i++) {
            bytes32 sessionId = handler.refusedSessions(i);
            vm.assertEq(settlement.settled(sessionId), handler.isSettled(sessionId), "settled by a refusal");
        }
    }

    function _invariant_8_Limits_hold_for_every_day(Party[] memory parties) private view {
        uint256 today = handler.today();
        for (uint256 i = 0; i < CONSUMERS; i++) {
            Books.Account memory books = parties[i].books;
            (uint256 rate, uint256 session, uint256 day, uint256 spent) = settlement.limitsOf(parties[i].account);
            _assertSame(rate, books.maxRate, "maxRatePerSecond");
            _assertSame(session, books.maxPerSession, "maxPerSession");
            _assertSame(day, books.maxPerDay, "maxPerDay");
            _assertSame(spent, parties[i].spentToday, "spentToday");
            // Whatever else: no more than the limit, but for what was spent when it was set.
            uint256 before = books.dayWhenSet == today ? books.spentWhenSet : 0;
            if (day != 0) vm.assertLe(spent, before > day ? before : day, "spent more than the limit of the day");
        }
    }

    /// @dev That nobody else settles, and when a candidate may not, the handler checks on every attempt.
    function _invariant_9_Only_who_was_accepted_is_the_relayer() private view {
        vm.assertEq(settlement.relayer(), handler.relayer(), "relayer");
        vm.assertEq(settlement.paused(), handler.paused(), "paused");
        (address candidate, uint256 acceptableAt) = settlement.pendingRelayer();
        vm.assertEq(candidate, handler.candidate(), "candidate");
        if (candidate != address(0)) _assertSame(acceptableAt, handler.acceptableAt(), "acceptableAt");
    }

    /// @dev One after another, an account after each action. It is undone: what an invariant changes does not last.
    function _invariant_10_Everybody_can_leave_with_everything() private {
        handler.takeEverything(handler.actions());
    }

    /// @dev That no call of a role changes an account is checked by the handler, on every call.
    function _invariant_11_Only_the_surplus_is_ever_rescued() private view {
        uint256 surplus = handler.gifts() - handler.rescued();
        _assertSame(settlement.surplus(), surplus, "surplus = gifts - rescued");
        _assertSame(usdc.balanceOf(address(settlement)), settlement.totalOwed() + surplus, "held = owed + surplus");
    }

    function _invariant_13_What_was_pushed_and_held_is_what_was_settled(Party[] memory parties) private view {
        _assertSame(handler.pushed() + handler.held(), handler.settledGross(), "pushed + held = settled");
        uint256 claims;
        for (uint256 i = 0; i < parties.length; i++) {
            _assertSame(parties[i].claim, parties[i].books.claim, "claimable");
            claims += parties[i].claim;
        }
        _assertSame(claims, handler.held() - handler.claimed(), "claims = held - claimed");
    }

    function _invariant_15_Nobody_is_paid_at_zero_at_this_contract_or_at_USDC() private view {
        Play.Taken[] memory taken = handler.lastTaken();
        address[3] memory nobody = [address(0), address(settlement), address(usdc)];
        for (uint256 i = 0; i < nobody.length; i++) {
            for (uint256 j = 0; j < taken.length; j++) {
                vm.assertTrue(taken[j].to != nobody[i], "payee");
            }
            _assertSame(settlement.deposits(nobody[i]) + settlement.claimable(nobody[i]), 0, "pool, claim");
        }
        _assertSame(usdc.balanceOf(address(0)) + usdc.balanceOf(address(usdc)), 0, "wallet");
    }

    function _invariant_17_Owner_and_platform_wallet_exist() private view {
        vm.assertTrue(settlement.owner() != address(0), "owner");
        vm.assertEq(settlement.owner(), handler.admin(), "owner");
        vm.assertTrue(settlement.platformWallet() != address(0), "platformWallet");
        vm.assertEq(settlement.platformWallet(), handler.platformWallet(), "platformWallet");
    }

    /// @dev Invariants 6 and 10: whatever state a run ended in, once USDC lets them everybody leaves with everything;
    /// and no session was ever forgotten.
    function afterInvariant() public {
        for (uint256 i = 0; i < handler.partyCount(); i++) {
            handler.takeEverything(i);
        }
        vm.assertEq(settlement.totalOwed(), 0, "totalOwed after everybody left");
        vm.assertEq(usdc.balanceOf(address(settlement)), settlement.surplus(), "held after everybody left");
        _invariant_3_Conservation(_parties());
        (uint256 settledCount,) = handler.sessionCounts();
        for (uint256 i = 0; i < settledCount; i++) {
            vm.assertTrue(settlement.settled(handler.sessions(i)), "settled");
        }
    }

    // ------------------------------------------------------------------------------------- what the handler really does

    /// @dev An action that never succeeds, or is never refused, would test nothing and nobody would notice. So here are
    /// 2,500 actions, the same every time, after which each has to have ended at least three times in each of its ways.
    function test_Handler_every_action_ends_in_each_of_its_ways() public {
        bytes4[19] memory actions = [
            Handler.deposit.selector,
            Handler.depositFor.selector,
            Handler.depositWithAuthorization.selector,
            Handler.withdraw.selector,
            Handler.withdrawTooMuch.selector,
            Handler.claim.selector,
            Handler.setLimits.selector,
            Handler.takeEverything.selector,
            Handler.giveAway.selector,
            Handler.settleFromPool.selector,
            Handler.settleBatch.selector,
            Handler.pauseOrUnpause.selector,
            Handler.replaceRelayer.selector,
            Handler.passMidnight.selector,
            Handler.replacePlatformWallet.selector,
            Handler.rescue.selector,
            Handler.trespass.selector,
            Handler.blacklist.selector,
            Handler.passHours.selector
        ];
        for (uint256 i = 0; i < 2_500; i++) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            bytes4 action = actions[seed % actions.length];
            (bool done, bytes memory answer) =
                address(handler).call(abi.encodeWithSelector(action, seed >> 16, seed >> 32, seed >> 48));
            if (!done) LowLevelCall.bubbleRevert(answer);
        }
        bytes memory entryRefusals = bytes.concat(
            ILuxxonSettlement.SessionAlreadySettled.selector,
            ILuxxonSettlement.InvalidPayee.selector,
            ILuxxonSettlement.ValueTooLarge.selector,
            ILuxxonSettlement.ZeroAmount.selector,
            ILuxxonSettlement.MeterExceeded.selector,
            ILuxxonSettlement.FeeExceeded.selector,
            ILuxxonSettlement.RateLimitExceeded.selector,
            ILuxxonSettlement.SessionLimitExceeded.selector,
            ILuxxonSettlement.DayLimitExceeded.selector,
            ILuxxonSettlement.InsufficientPool.selector
        );
        _assertEnds(
            "deposit",
            bytes.concat(
                DONE,
                ILuxxonSettlement.ContractPaused.selector,
                ILuxxonSettlement.ZeroAmount.selector,
                ILuxxonSettlement.ValueTooLarge.selector,
                REFUSED_BY_USDC
            )
        );
        _assertEnds(
            "depositFor",
            bytes.concat(
                DONE,
                ILuxxonSettlement.ContractPaused.selector,
                ILuxxonSettlement.ZeroAmount.selector,
                ILuxxonSettlement.InvalidAccount.selector,
                ILuxxonSettlement.ValueTooLarge.selector,
                REFUSED_BY_USDC
            )
        );
        _assertEnds(
            "depositWithAuthorization",
            bytes.concat(
                DONE,
                ILuxxonSettlement.ContractPaused.selector,
                ILuxxonSettlement.ValueTooLarge.selector,
                REFUSED_BY_USDC
            )
        );
        _assertEnds(
            "withdraw",
            bytes.concat(
                DONE,
                ILuxxonSettlement.ZeroAmount.selector,
                ILuxxonSettlement.InsufficientPool.selector,
                REFUSED_BY_USDC
            )
        );
        _assertEnds("claim", bytes.concat(DONE, ILuxxonSettlement.NothingToClaim.selector, REFUSED_BY_USDC));
        _assertEnds("setLimits", bytes.concat(DONE));
        _assertEnds("settleFromPool", bytes.concat(DONE, REFUSED_BY_USDC, entryRefusals));
        _assertEnds(
            "settleFromPool",
            bytes.concat(ILuxxonSettlement.NotRelayer.selector, ILuxxonSettlement.ContractPaused.selector)
        );
        _assertEnds(
            "settleBatch",
            bytes.concat(
                DONE,
                ILuxxonSettlement.NotRelayer.selector,
                ILuxxonSettlement.ContractPaused.selector,
                ILuxxonSettlement.BatchSizeOutOfRange.selector
            )
        );
        _assertEnds("entry", bytes.concat(DONE, entryRefusals));
        _assertEnds("hold", bytes.concat(DONE));
        _assertEnds("hold for the platform wallet", bytes.concat(DONE));
        _assertEnds("pause", bytes.concat(DONE, ILuxxonSettlement.ContractPaused.selector));
        _assertEnds("unpause", bytes.concat(DONE, ILuxxonSettlement.ContractNotPaused.selector));
        _assertEnds("proposeRelayer", bytes.concat(DONE));
        _assertEnds(
            "acceptRelayer",
            bytes.concat(
                DONE, ILuxxonSettlement.NotRelayerCandidate.selector, ILuxxonSettlement.RelayerDelayRunning.selector
            )
        );
        _assertEnds("cancelRelayerProposal", bytes.concat(DONE));
        _assertEnds("revokeRelayer", bytes.concat(DONE, ILuxxonSettlement.NoRelayer.selector));
        _assertEnds("setPlatformWallet", bytes.concat(DONE, ILuxxonSettlement.InvalidPlatformWallet.selector));
        _assertEnds(
            "rescue",
            bytes.concat(
                DONE,
                ILuxxonSettlement.ZeroAmount.selector,
                ILuxxonSettlement.InvalidPayee.selector,
                ILuxxonSettlement.SurplusExceeded.selector,
                REFUSED_BY_USDC
            )
        );
        _assertEnds(
            "trespass",
            bytes.concat(
                ILuxxonSettlement.NotPauser.selector,
                Ownable.OwnableUnauthorizedAccount.selector,
                ILuxxonSettlement.OwnershipCannotBeRenounced.selector
            )
        );
    }

    function _assertEnds(string memory action, bytes memory reasons) private view {
        for (uint256 i = 0; i < reasons.length; i += 4) {
            bytes4 reason = bytes4(bytes.concat(reasons[i], reasons[i + 1], reasons[i + 2], reasons[i + 3]));
            vm.assertGe(handler.happened(action, reason), 3, string.concat(action, " does not end in each of its ways"));
        }
    }

    /// @dev A cheatcode for each comparison that holds would take longer than all the rest.
    function _assertSame(uint256 left, uint256 right, string memory message) private pure {
        if (left != right) vm.assertEq(left, right, message);
    }

    function _parties() private view returns (Party[] memory parties) {
        (address[] memory accounts, Books.Account[] memory books, uint256[] memory spent) = handler.everybody();
        parties = new Party[](accounts.length);
        for (uint256 i = 0; i < accounts.length; i++) {
            address account = accounts[i];
            uint256 pool = settlement.deposits(account);
            uint256 claim = settlement.claimable(account);
            parties[i] = Party(account, books[i], spent[i], pool, claim, usdc.balanceOf(account));
        }
    }
}
