// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {UsdcStandIn} from "contracts/standin/UsdcStandIn.sol";
import {BatchFixture} from "./support/BatchFixture.sol";
import {SigningFixture} from "./support/SigningFixture.sol";
import {FeeTakingToken, SilentToken} from "./support/Tokens.sol";
import {Vm} from "./support/Vm.sol";

/// @dev What went wrong in other contracts that hold money to pay others with, tried on this one. Held elsewhere:
/// A2, a payee that USDC refuses must not stop those beside it: SettleBatchPayouts.t.sol, …_invariant_14_….
/// A3, nor must an entry that is wrong: SettleBatch.t.sol, …_invariant_7_… and …_after_99_bad_ones.
/// A5, a fee of everything: SettleFromPool.t.sol, …_fee_…; the ceiling is a constant.
/// A9, a token that is none: Constructor.t.sol, …_token_without_code, …_delegates_to_the_token, …_other_decimals.
/// A10, a signature used up by somebody else: DepositWithAuthorization.t.sol, …_by_another_bearer_….
/// A11, an allowance used by somebody else: Deposit.t.sol, DepositFor.t.sol and DepositWithAuthorization.t.sol,
/// …_invariant_16_….
/// A16, an owner that takes what belongs to others: Rescue.t.sol and Roles.t.sol, …_invariant_11_….
/// A17, a pause that locks money in: Withdraw.t.sol and Claim.t.sol, …_invariant_10_….
/// A18, fees sent to nobody: Constructor.t.sol and Roles.t.sol, …_invariant_17_….
/// A21, too little gas taken for a refusal: SettleBatchGas.t.sol.
contract FindingsTest is BatchFixture, SigningFixture {
    uint256 private constant POOL = 1_000_000;

    function setUp() public override {
        super.setUp();
        _fillPool(consumer, POOL);
    }

    /// @dev Every way to be paid, over a token that was told to fail or over USDC; nothing is prepared for them here.
    function _payouts() private view returns (address[] memory callers, bytes[] memory calls) {
        ILuxxonSettlement.BatchEntry[] memory entries = new ILuxxonSettlement.BatchEntry[](1);
        entries[0] = _entry(SESSION, consumer, operator, 80, 20);
        (callers, calls) = (new address[](5), new bytes[](5));
        (callers[0], calls[0]) = (consumer, abi.encodeCall(ILuxxonSettlement.withdraw, (10)));
        (callers[1], calls[1]) = (stranger, abi.encodeCall(ILuxxonSettlement.claim, (stranger)));
        (callers[2], calls[2]) =
        (relayer, abi.encodePacked(ILuxxonSettlement.settleFromPool.selector, abi.encode(entries[0])));
        (callers[3], calls[3]) = (relayer, abi.encodeCall(ILuxxonSettlement.settleBatch, (entries)));
        (callers[4], calls[4]) = (admin, abi.encodeCall(ILuxxonSettlement.rescue, (stranger, 5)));
    }

    /// @dev A payee, or a payer, gets a call of the contract's and does with it what it likes. Here all of them are
    /// contracts that fail at whatever calls them; they are paid, for nobody calls them.
    function test_A1_payees_are_never_called() public {
        address[4] memory parties = [operator, wallet, stranger, consumer];
        for (uint256 i = 0; i < parties.length; i++) {
            vm.etch(parties[i], hex"fe"); // invalid: uses up all gas
        }
        vm.prank(minter);
        usdc.mint(address(settlement), 5);
        _blacklist(stranger);
        _add(OTHER_SESSION, consumer, stranger, 30, 0);
        _settleBatch(); // held, for the claim below
        _unBlacklist(stranger);

        (address[] memory callers, bytes[] memory calls) = _payouts();
        uint256 start = vm.snapshotState();
        for (uint256 i = 0; i < calls.length; i++) {
            vm.prank(callers[i]);
            (bool done,) = address(settlement).call(calls[i]);
            vm.assertTrue(done, "not paid");
            vm.revertToState(start);
        }
    }

    /// @dev A ceiling computed by division is rounded, and an amount cut into small parts gets by below the rounding.
    function testFuzz_A4_no_split_gets_more_fee_through(uint256 seed) public {
        uint256 gross;
        uint256 fees;
        for (uint256 i = 0; i < 20; i++) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 toAmount = seed % 12;
            uint256 fee = (seed >> 64) % 4;
            batch.push(_entry(_session(i), consumer, operator, toAmount, fee));
            if (settlement.previewEntry(batch[i]) == 0) {
                vm.assertLe(fee * 5, toAmount + fee, "a fee above the ceiling");
                gross += toAmount + fee;
                fees += fee;
            }
        }
        _settleBatch();
        vm.assertEq(usdc.balanceOf(wallet), fees, "fees");
        vm.assertLe(5 * fees, gross, "fees in all");
    }

    /// @dev Not even a unit of fee passes that the parts cannot bear: the smallest gross with a fee is five.
    function test_A4_the_smallest_amounts_bear_no_fee() public view {
        for (uint256 gross = 1; gross <= 5; gross++) {
            bytes4 expected = gross == 5 ? bytes4(0) : ILuxxonSettlement.FeeExceeded.selector;
            bytes4 reason = settlement.previewEntry(_entry(SESSION, consumer, operator, gross - 1, 1));
            vm.assertEq(bytes32(reason), bytes32(expected), "reason");
        }
    }

    /// @dev A settlement of nothing looks paid and uses the session up.
    function test_A6_a_settlement_of_nothing_does_not_use_the_session_up() public {
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.ZeroAmount.selector));
        _settle(SESSION, 1_000, 1, 0, 0);
        _addBad(SESSION, operator);
        Vm.Log[] memory logs = _settleBatchRecorded();
        vm.assertEq(_count(logs, ILuxxonSettlement.Settled.selector), 0, "Settled");
        vm.assertTrue(!settlement.settled(SESSION), "settled");
        _settle(900, 100);
        vm.assertEq(usdc.balanceOf(operator), 900, "operator");
    }

    /// @dev Bytes of any length make a call as expensive as whoever sends it likes, for somebody else. There are none
    /// but a signature, which USDC alone reads, at the cost of whoever brings it.
    function test_A7_an_oversized_signature_is_refused_by_usdc() public {
        bytes32 before = _state();
        uint256 validBefore = block.timestamp + 1;
        vm.expectRevert(bytes("FiatTokenV2: invalid signature"));
        vm.prank(stranger);
        settlement.depositWithAuthorization(consumer, 1, 0, validBefore, bytes32(0), new bytes(100_000));
        _assertUnchanged(before);
    }

    /// @dev A token says false, nobody looks, and a payment is booked that never was.
    function test_A8_no_payment_that_failed_silently_is_booked() public {
        SilentToken token = _overSilentToken();
        (address[] memory callers, bytes[] memory calls) = _payouts();
        bytes memory refusal = abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token));
        for (uint256 i = 0; i < calls.length; i++) {
            bytes32 before = _state();
            vm.prank(callers[i]);
            (bool done, bytes memory answer) = address(settlement).call(calls[i]);
            vm.assertTrue(!done, "booked");
            vm.assertEq(keccak256(answer), keccak256(refusal), "refused for another reason");
            _assertUnchanged(before);
        }
    }

    /// @dev Or an entry leaves no trace at all. Each leaves one.
    function test_A8_every_entry_of_a_batch_leaves_one_event() public {
        for (uint256 i = 0; i < 100; i++) {
            // Good ones, bad ones, and ones that repeat a session.
            _add(_session(i / 2), consumer, i % 3 == 0 ? address(0) : operator, 8, i % 5 == 0 ? 3 : 2);
        }
        Vm.Log[] memory logs = _settleBatchRecorded();
        uint256 settledCount = _count(logs, ILuxxonSettlement.Settled.selector);
        vm.assertEq(settledCount + _count(logs, ILuxxonSettlement.EntrySkipped.selector), 100, "events");
        vm.assertEq(usdc.balanceOf(operator), 8 * settledCount, "each settled one is paid");
    }

    /// @dev Some functions know that a payee is impossible and others do not. Here all of them do; and the payer as
    /// payee, which is possible, is so everywhere.
    function test_A12_impossible_parties_are_refused_everywhere_alike() public {
        vm.prank(minter);
        usdc.mint(address(settlement), 5);
        address[3] memory parties = [address(0), address(settlement), address(usdc)];
        for (uint256 i = 0; i < parties.length; i++) {
            bytes memory payee = abi.encodeWithSelector(ILuxxonSettlement.InvalidPayee.selector, parties[i]);
            bytes memory account = abi.encodeWithSelector(ILuxxonSettlement.InvalidAccount.selector, parties[i]);
            vm.expectRevert(payee);
            vm.prank(relayer);
            settlement.settleFromPool(SESSION, consumer, parties[i], 1, 1, 1, 0);
            vm.expectRevert(payee);
            vm.prank(admin);
            settlement.rescue(parties[i], 1);
            vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.InvalidPlatformWallet.selector, parties[i]));
            vm.prank(admin);
            settlement.setPlatformWallet(parties[i]);
            vm.expectRevert(account);
            settlement.depositFor(parties[i], 1);
            vm.expectRevert(account);
            settlement.depositWithAuthorization(parties[i], 1, 0, 2, bytes32(0), "");
            _add(_session(i), consumer, parties[i], 1, 0);
        }
        Vm.Log[] memory logs = _settleBatchRecorded();
        vm.assertEq(_count(logs, ILuxxonSettlement.EntrySkipped.selector), 3, "EntrySkipped");
        vm.assertEq(logs.length, 3, "and nothing else");
    }

    function test_A12_the_payer_as_payee_is_possible_everywhere() public {
        vm.prank(relayer);
        settlement.settleFromPool(SESSION, consumer, consumer, 100, 1, 80, 20);
        _add(OTHER_SESSION, consumer, consumer, 40, 10);
        _settleBatch();
        vm.prank(minter);
        usdc.mint(address(settlement), 5);
        vm.prank(admin);
        settlement.rescue(consumer, 5);
        vm.assertEq(usdc.balanceOf(consumer), 125, "wallet");
        vm.assertEq(settlement.deposits(consumer), POOL - 150, "pool");
    }

    /// @dev A rate times a time that wraps pays too much; one that panics blocks whoever is beside it.
    function test_A13_the_widest_values_neither_wrap_nor_panic() public {
        uint256[6] memory values = [uint256(0), 1, 2 ** 32 - 1, 2 ** 64 - 1, 2 ** 128, type(uint256).max];
        uint256 count;
        for (uint256 i = 0; i < 6 ** 4; i++) {
            batch.push(
                ILuxxonSettlement.BatchEntry(
                    _session(i),
                    consumer,
                    operator,
                    values[i % 6],
                    values[(i / 6) % 6],
                    values[(i / 36) % 6],
                    values[i / 216]
                )
            );
            if (batch.length == 81) {
                count += _count(_settleBatchRecorded(), ILuxxonSettlement.Settled.selector);
                delete batch;
            }
        }
        // 1 µUSDC, without a fee, for each of three rates and two times that are neither zero nor too wide.
        vm.assertEq(count, 6, "Settled");
        vm.assertEq(settlement.deposits(consumer), POOL - 6, "pool");
    }

    /// @dev Nothing is reserved, so a consumer can be faster than its settlement. The others are paid all the same, and
    /// so is this one, once the pool is filled again.
    function test_A14_a_withdrawal_before_the_settlement_costs_only_its_own_operator() public {
        _fillPool(stranger, 100);
        vm.prank(consumer);
        settlement.withdraw(POOL);
        _add(SESSION, consumer, operator, 80, 20);
        _add(OTHER_SESSION, stranger, operator, 80, 20);
        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.EntrySkipped(SESSION, consumer, 0, ILuxxonSettlement.InsufficientPool.selector);
        _settleBatch();
        vm.assertEq(usdc.balanceOf(operator), 80, "operator");
        _fillPool(consumer, 100);
        _settleBatch();
        vm.assertEq(usdc.balanceOf(operator), 160, "operator, later");
    }

    /// @dev The same session again on another deployment. The contract cannot know of it, which is why one relayer must
    /// never serve two with the same sessions; this shows that the warning is meant.
    function test_A15_a_session_is_remembered_by_one_deployment_only() public {
        _settle(900, 100);
        settlement = new LuxxonSettlement(address(usdc), admin, relayer, pauser, wallet, RELAYER_DELAY);
        vm.assertTrue(!settlement.settled(SESSION), "settled");
        _fillPool(consumer, 1_000);
        _settle(900, 100);
        vm.assertEq(usdc.balanceOf(operator), 1_800, "operator");
    }

    /// @dev A consumer's signature, other than a session, is for one deployment on one chain.
    function test_A15_an_authorization_is_for_one_deployment_only() public {
        uint256 key = 0xC0115;
        consumer = vm.addr(key);
        vm.prank(minter);
        usdc.mint(consumer, 200);
        Authorization memory authorization =
            Authorization(consumer, address(settlement), 100, 0, block.timestamp + 1, bytes32(0));
        bytes memory signature = _sign(key, authorization);
        LuxxonSettlement first = settlement;
        settlement = new LuxxonSettlement(address(usdc), admin, relayer, pauser, wallet, RELAYER_DELAY);
        vm.expectRevert(bytes("FiatTokenV2: invalid signature"));
        _bring(stranger, authorization, signature);
        settlement = first;
        _bring(stranger, authorization, signature);
        vm.assertEq(settlement.deposits(consumer), 100, "pool");
    }

    /// @dev A guard that outlives its call locks the rest of the transaction; one that keeps storage costs every call.
    function test_A19_the_guard_is_open_again_within_the_same_transaction() public {
        SeveralCalls caller = new SeveralCalls(settlement, usdc);
        vm.prank(minter);
        usdc.mint(address(caller), 100);
        caller.run();
        vm.assertEq(usdc.balanceOf(address(caller)), 40, "wallet");
        vm.assertEq(settlement.deposits(address(caller)), 60, "pool");
    }

    /// @dev A token that keeps a part credits more than there is, and the last to leave gets nothing.
    function test_A20_a_token_that_takes_a_fee_never_makes_the_contract_owe_more_than_it_holds() public {
        FeeTakingToken token = new FeeTakingToken();
        settlement = new LuxxonSettlement(address(token), admin, relayer, pauser, wallet, RELAYER_DELAY);
        token.mint(consumer, 200);
        token.mint(address(settlement), 1);
        // One unit came astray, and makes good for one deposit. The check is of solvency, not of what came in.
        vm.prank(consumer);
        settlement.depositFor(stranger, 50);
        vm.assertEq(settlement.totalOwed(), token.balanceOf(address(settlement)), "owed and held");
        bytes memory refusal = abi.encodeWithSelector(ILuxxonSettlement.Insolvent.selector, 99, 100);
        vm.expectRevert(refusal);
        vm.prank(consumer);
        settlement.deposit(50);
        vm.expectRevert(refusal);
        vm.prank(consumer);
        settlement.depositFor(stranger, 50);
        vm.expectRevert(refusal);
        settlement.depositWithAuthorization(consumer, 50, 0, 1, bytes32(0), "");
        vm.assertEq(settlement.totalOwed(), 50, "totalOwed");
    }

    /// @dev 1,000 in the pool of `consumer`, 30 held for `stranger`, 5 astray, and a token that has begun to say false.
    function _overSilentToken() private returns (SilentToken token) {
        token = new SilentToken();
        settlement = new LuxxonSettlement(address(token), admin, relayer, pauser, wallet, RELAYER_DELAY);
        token.mint(consumer, 1_030);
        vm.prank(consumer);
        settlement.deposit(1_030);
        token.mint(address(settlement), 5);
        token.beSilent();
        token.blacklist(stranger);
        _add(OTHER_SESSION, consumer, stranger, 30, 0);
        _settleBatch();
        vm.assertEq(settlement.claimable(stranger), 30, "claimable");
    }
}

/// @dev Makes several calls in one transaction, one of which reverts.
contract SeveralCalls {
    LuxxonSettlement private immutable SETTLEMENT;
    UsdcStandIn private immutable TOKEN;

    constructor(LuxxonSettlement settlement, UsdcStandIn token) {
        SETTLEMENT = settlement;
        TOKEN = token;
    }

    function run() external {
        TOKEN.approve(address(SETTLEMENT), 100);
        SETTLEMENT.deposit(70);
        try SETTLEMENT.withdraw(71) {
            revert("withdrew more than the pool");
        } catch {}
        SETTLEMENT.setLimits(1, 2, 3);
        SETTLEMENT.depositFor(address(this), 30);
        SETTLEMENT.withdraw(40);
    }
}
