// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {Fixture} from "tests/forge/support/Fixture.sol";

interface GasVm {
    function snapshotGasLastCall(string calldata group, string calldata name) external returns (uint256 gasUsed);
    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
}

/// @dev One transaction a test, measured whole. Every word that a transaction of the kind finds filled on a chain in use
/// is filled here before it, unless the scenario's name says "first" or "new".
contract GasTest is Fixture {
    GasVm private constant GAS = GasVm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 private constant CONSUMER_KEY = 0xc0ffee;
    uint256 private constant FULL = 100 * USDC;

    /// @dev A session of 5 minutes at 2,000 µUSDC a second, 15 % of it the fee.
    uint256 private constant RATE = 2_000;
    uint256 private constant DURATION = 300;
    uint256 private constant TO_AMOUNT = 510_000;
    uint256 private constant FEE_AMOUNT = 90_000;

    function setUp() public override {
        super.setUp();
        vm.warp(1_800_000_000);
        consumer = vm.addr(CONSUMER_KEY);
        _fillPool(stranger, FULL);
        _fillPool(consumer, FULL);
        _fund(consumer, FULL);
        _give(operator);
        _give(wallet);
    }

    // -------------------------------------------------------------------------------------------------------- accounts

    function test_Gas_deposit_top_up() public {
        vm.prank(consumer);
        settlement.deposit(FULL / 2);
        _record("deposit, top-up");
    }

    function test_Gas_deposit_first() public {
        address newcomer = _account("newcomer");
        _fund(newcomer, FULL);
        vm.prank(newcomer);
        settlement.deposit(FULL / 2);
        _record("deposit, first");
    }

    function test_Gas_depositFor_top_up() public {
        vm.prank(consumer);
        settlement.depositFor(stranger, FULL / 2);
        _record("depositFor, top-up");
    }

    function test_Gas_depositWithAuthorization_top_up() public {
        _depositWithAuthorization(CONSUMER_KEY);
        _record("depositWithAuthorization, top-up");
    }

    function test_Gas_depositWithAuthorization_first() public {
        _fund(vm.addr(0xbeef), FULL);
        _depositWithAuthorization(0xbeef);
        _record("depositWithAuthorization, first");
    }

    function test_Gas_withdraw_partial() public {
        vm.prank(consumer);
        settlement.withdraw(FULL / 2);
        _record("withdraw, partial");
    }

    function test_Gas_withdraw_everything_to_an_empty_wallet() public {
        vm.prank(consumer);
        usdc.transfer(minter, FULL);
        vm.prank(consumer);
        settlement.withdraw(FULL);
        _record("withdraw, everything to an empty wallet");
    }

    function test_Gas_setLimits() public {
        vm.prank(consumer);
        settlement.setLimits(5_000, uint48(FULL), uint48(2 * FULL));
        _record("setLimits");
    }

    function test_Gas_claim() public {
        ILuxxonSettlement.BatchEntry[] memory entries = _batch(1, 1, false);
        _blacklist(operator);
        vm.prank(relayer);
        settlement.settleBatch(entries);
        vm.prank(minter);
        usdc.unBlacklist(operator);
        vm.prank(stranger);
        settlement.claim(operator);
        _record("claim");
    }

    // --------------------------------------------------------------------------------------------------------- relayer

    function test_Gas_settleFromPool() public {
        _settle(SESSION, RATE, DURATION, TO_AMOUNT, FEE_AMOUNT);
        _record("settleFromPool");
    }

    function test_Gas_settleFromPool_with_limits() public {
        vm.prank(consumer);
        settlement.setLimits(5_000, uint48(FULL), uint48(2 * FULL));
        _settle(SESSION, RATE, DURATION, TO_AMOUNT, FEE_AMOUNT);
        _record("settleFromPool, with limits");
    }

    function test_Gas_settleFromPool_without_a_fee() public {
        _settle(SESSION, RATE, DURATION, TO_AMOUNT, 0);
        _record("settleFromPool, without a fee");
    }

    function test_Gas_settleFromPool_new_operator() public {
        operator = _account("new operator");
        _settle(SESSION, RATE, DURATION, TO_AMOUNT, FEE_AMOUNT);
        _record("settleFromPool, new operator");
    }

    function test_Gas_settleBatch_of_1() public {
        _recordBatch("settleBatch of 1", 1, 1, false);
    }

    function test_Gas_settleBatch_of_1_new_operator() public {
        _recordBatch("settleBatch of 1, new operator", 1, 1, true);
    }

    function test_Gas_settleBatch_of_10_same_operator() public {
        _recordBatch("settleBatch of 10, same operator", 10, 1, false);
    }

    function test_Gas_settleBatch_of_10_different_operators() public {
        _recordBatch("settleBatch of 10, 10 operators", 10, 10, false);
    }

    function test_Gas_settleBatch_of_10_new_operators() public {
        _recordBatch("settleBatch of 10, 10 new operators", 10, 10, true);
    }

    function test_Gas_settleBatch_of_100_same_operator() public {
        _recordBatch("settleBatch of 100, same operator", 100, 1, false);
    }

    function test_Gas_settleBatch_of_100_grouped() public {
        _recordBatch("settleBatch of 100, 10 operators grouped", 100, 10, false);
    }

    function test_Gas_settleBatch_of_100_different_operators() public {
        _recordBatch("settleBatch of 100, 100 operators", 100, 100, false);
    }

    function test_Gas_settleBatch_of_100_new_operators() public {
        _recordBatch("settleBatch of 100, 100 new operators", 100, 100, true);
    }

    function test_Gas_settleBatch_of_100_all_skipped() public {
        ILuxxonSettlement.BatchEntry[] memory entries = _batch(100, 10, false);
        vm.prank(relayer);
        settlement.settleBatch(entries);
        vm.prank(relayer);
        settlement.settleBatch(entries);
        _record("settleBatch of 100, all settled before");
    }

    // ----------------------------------------------------------------------------------------------------------- admin

    function test_Gas_pause() public {
        _pause();
        _record("pause");
    }

    function test_Gas_revokeRelayer() public {
        vm.prank(pauser);
        settlement.revokeRelayer();
        _record("revokeRelayer");
    }

    // ------------------------------------------------------------------------------------------------------- internals

    function _record(string memory scenario) private {
        GAS.snapshotGasLastCall("LuxxonSettlement", scenario);
    }

    function _recordBatch(string memory scenario, uint256 size, uint256 operators, bool newOperators) private {
        ILuxxonSettlement.BatchEntry[] memory entries = _batch(size, operators, newOperators);
        vm.prank(relayer);
        settlement.settleBatch(entries);
        _record(scenario);
    }

    /// @dev `size` sessions of as many consumers, with `operators` different operators, sorted by operator.
    function _batch(uint256 size, uint256 operators, bool newOperators)
        private
        returns (ILuxxonSettlement.BatchEntry[] memory entries)
    {
        entries = new ILuxxonSettlement.BatchEntry[](size);
        for (uint256 i = 0; i < size; i++) {
            address from = _numbered("consumer", i);
            _fillPool(from, FULL);
            address to = operators == 1 && !newOperators ? operator : _numbered("operator", i / (size / operators));
            if (!newOperators) _give(to);
            bytes32 session = _hash("session", i);
            entries[i] = ILuxxonSettlement.BatchEntry(session, from, to, RATE, DURATION, TO_AMOUNT, FEE_AMOUNT);
        }
    }

    function _numbered(string memory name, uint256 number) private pure returns (address) {
        return address(uint160(uint256(_hash(name, number))));
    }

    function _hash(string memory name, uint256 number) private pure returns (bytes32) {
        return keccak256(abi.encode(name, number));
    }

    function _give(address account) private {
        vm.prank(minter);
        usdc.mint(account, USDC);
    }

    function _depositWithAuthorization(uint256 key) private {
        address from = vm.addr(key);
        bytes32 nonce = keccak256("nonce");
        bytes32 typeHash = usdc.RECEIVE_WITH_AUTHORIZATION_TYPEHASH();
        bytes32 structHash = keccak256(
            abi.encode(typeHash, from, address(settlement), FULL / 2, 0, block.timestamp + 1 hours, nonce)
        );
        bytes32 digest = keccak256(abi.encodePacked("\x19\x01", usdc.DOMAIN_SEPARATOR(), structHash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        bytes memory signature = abi.encodePacked(r, s, v);
        vm.prank(stranger);
        settlement.depositWithAuthorization(from, FULL / 2, 0, block.timestamp + 1 hours, nonce, signature);
    }
}
