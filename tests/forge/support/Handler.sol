// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {UsdcStandIn} from "contracts/standin/UsdcStandIn.sol";
import {Test} from "./Test.sol";

/// @dev Plays consumers, operators and roles against one settlement contract and keeps books of its own, in the
/// plainest way, to compare with. Every action ends in a call that has to succeed or in a refusal checked word for
/// word: nothing that fails goes unnoticed. Every actor may be consumer and operator, of its own sessions too.
contract Handler is Test {
    uint256 private constant MAX_DEPOSIT = 1e12;
    uint256 private constant RELAYER_DELAY = 24 hours;

    UsdcStandIn public immutable usdc;
    LuxxonSettlement public immutable settlement;

    address public minter = _account("minter");
    address public admin = _account("owner");
    address public pauser = _account("pauser");
    address public relayer = _account("relayer");
    address[] public actors;
    address[] public wallets; // all that ever were the platform wallet; the last one is

    // The books.
    uint256 public deposited;
    uint256 public withdrawn;
    uint256 public settledGross;
    uint256 public gifts;
    mapping(address account => uint256) public pool;
    mapping(address account => uint256) public received;
    bytes32[] public sessions;

    constructor() {
        usdc = new UsdcStandIn(minter);
        string[4] memory names = ["alice", "bob", "carol", "dave"];
        for (uint256 i = 0; i < names.length; i++) {
            actors.push(_account(names[i]));
        }
        wallets.push(_account("platformWallet"));
        settlement = new LuxxonSettlement(address(usdc), admin, relayer, pauser, wallets[0], RELAYER_DELAY);
    }

    // -------------------------------------------------------------------------------------------------------- accounts

    function deposit(uint256 who, uint256 amount) external {
        address account = _actor(who);
        amount = _bound(amount, 1, MAX_DEPOSIT);
        vm.prank(minter);
        usdc.mint(account, amount);
        received[account] += amount; // until the deposit takes it
        vm.prank(account);
        usdc.approve(address(settlement), amount);

        bytes memory call = abi.encodeCall(ILuxxonSettlement.deposit, (amount));
        if (settlement.paused()) {
            _mustRefuse(account, call, abi.encodeWithSelector(ILuxxonSettlement.ContractPaused.selector));
            return;
        }
        _must(account, call);
        received[account] -= amount;
        pool[account] += amount;
        deposited += amount;
    }

    function withdraw(uint256 who, uint256 amount) external {
        address account = _actor(who);
        if (pool[account] == 0) return _withdrawTooMuch(account, 1);
        amount = _bound(amount, 1, pool[account]);
        _must(account, abi.encodeCall(ILuxxonSettlement.withdraw, (amount)));
        pool[account] -= amount;
        received[account] += amount;
        withdrawn += amount;
    }

    function withdrawTooMuch(uint256 who, uint256 excess) external {
        _withdrawTooMuch(_actor(who), excess);
    }

    function giveAway(uint256 amount) external {
        amount = _bound(amount, 1, MAX_DEPOSIT);
        vm.prank(minter);
        usdc.mint(address(settlement), amount);
        gifts += amount;
    }

    // --------------------------------------------------------------------------------------------------------- relayer

    function settle(uint256 consumer, uint256 operator, uint256 gross, uint256 fee, uint256 duration) external {
        address from = _actor(consumer);
        uint256 most = pool[from];
        gross = _bound(gross, 1, most == 0 ? MAX_DEPOSIT : most);
        fee = _bound(fee, 0, gross / 5);
        duration = _bound(duration, 1, 1 days);
        bytes32 sessionId = keccak256(abi.encode("session", sessions.length));
        uint256 rate = gross / duration + 1; // a whole rate that meters at least this gross
        address to = _actor(operator);
        bytes memory call =
            abi.encodeCall(ILuxxonSettlement.settleFromPool, (sessionId, from, to, rate, duration, gross - fee, fee));

        if (settlement.relayer() == address(0)) {
            return _mustRefuse(relayer, call, abi.encodeWithSelector(ILuxxonSettlement.NotRelayer.selector, relayer));
        }
        if (settlement.paused()) {
            return _mustRefuse(relayer, call, abi.encodeWithSelector(ILuxxonSettlement.ContractPaused.selector));
        }
        if (most == 0) {
            bytes memory refusal = abi.encodeWithSelector(ILuxxonSettlement.InsufficientPool.selector, from, 0, gross);
            return _mustRefuse(relayer, call, refusal);
        }
        _must(relayer, call);
        sessions.push(sessionId);
        pool[from] -= gross;
        received[to] += gross - fee;
        received[wallets[wallets.length - 1]] += fee;
        settledGross += gross;
    }

    /// @dev A settlement that would be good, but for a session settled before.
    function settleAgain(uint256 which, uint256 consumer, uint256 operator) external {
        if (sessions.length == 0) return;
        bytes32 sessionId = sessions[which % sessions.length];
        bytes memory call = abi.encodeCall(
            ILuxxonSettlement.settleFromPool, (sessionId, _actor(consumer), _actor(operator), 1, 1, 1, 0)
        );
        bytes memory refusal = abi.encodeWithSelector(ILuxxonSettlement.SessionAlreadySettled.selector, sessionId);
        if (settlement.paused()) refusal = abi.encodeWithSelector(ILuxxonSettlement.ContractPaused.selector);
        if (settlement.relayer() == address(0)) {
            refusal = abi.encodeWithSelector(ILuxxonSettlement.NotRelayer.selector, relayer);
        }
        _mustRefuse(relayer, call, refusal);
    }

    // ----------------------------------------------------------------------------------------------------------- admin

    function pauseOrUnpause(uint256 choice) external {
        if (settlement.paused()) _must(admin, abi.encodeCall(ILuxxonSettlement.unpause, ()));
        // Only one in four stops: most of a run has to be about money moving.
        else if (choice % 4 == 0) _must(pauser, abi.encodeCall(ILuxxonSettlement.pause, ()));
    }

    function replaceRelayer(uint256 choice) external {
        if (settlement.relayer() != address(0) && choice % 2 == 0) {
            _must(pauser, abi.encodeCall(ILuxxonSettlement.revokeRelayer, ()));
            return;
        }
        relayer = _account(choice % 4 == 1 ? "relayer" : "spare relayer");
        _must(admin, abi.encodeCall(ILuxxonSettlement.proposeRelayer, (relayer)));
        vm.warp(block.timestamp + RELAYER_DELAY);
        _must(relayer, abi.encodeCall(ILuxxonSettlement.acceptRelayer, ()));
    }

    function replacePlatformWallet(uint256 choice) external {
        wallets.push(_account(choice % 2 == 0 ? "platformWallet" : "next platformWallet"));
        _must(admin, abi.encodeCall(ILuxxonSettlement.setPlatformWallet, (wallets[wallets.length - 1])));
    }

    // --------------------------------------------------------------------------------------------------- for the suite

    function actorCount() external view returns (uint256) {
        return actors.length;
    }

    function walletCount() external view returns (uint256) {
        return wallets.length;
    }

    function sessionCount() external view returns (uint256) {
        return sessions.length;
    }

    function sumOfPools() external view returns (uint256 sum) {
        for (uint256 i = 0; i < actors.length; i++) {
            sum += settlement.deposits(actors[i]);
        }
    }

    // ------------------------------------------------------------------------------------------------------- internals

    function _actor(uint256 seed) private view returns (address) {
        return actors[seed % actors.length];
    }

    function _withdrawTooMuch(address account, uint256 excess) private {
        uint256 amount = pool[account] + _bound(excess, 1, type(uint256).max - pool[account]);
        bytes memory refusal =
            abi.encodeWithSelector(ILuxxonSettlement.InsufficientPool.selector, account, pool[account], amount);
        _mustRefuse(account, abi.encodeCall(ILuxxonSettlement.withdraw, (amount)), refusal);
    }

    function _must(address caller, bytes memory call) private {
        vm.prank(caller);
        (bool done,) = address(settlement).call(call);
        vm.assertTrue(done, "refused what it had to do");
    }

    function _mustRefuse(address caller, bytes memory call, bytes memory refusal) private {
        vm.prank(caller);
        (bool done, bytes memory answer) = address(settlement).call(call);
        vm.assertTrue(!done, "did what it had to refuse");
        vm.assertEq(keccak256(answer), keccak256(refusal), "refused for another reason");
    }
}
