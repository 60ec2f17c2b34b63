// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {Fixture} from "tests/forge/support/Fixture.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @dev Cheatcodes that only these tests use; see tests/forge/support/Vm.sol.
interface GasVm {
    function snapshotGasLastCall(string calldata group, string calldata name) external returns (uint256 gasUsed);
    function snapshotValue(string calldata group, string calldata name, uint256 value) external;
}

/// @dev Calls USDC as the settlement contract does, and says what each call cost inside of the transaction.
contract UsdcCaller {
    function costs(address token, bytes[] calldata calls) external returns (uint256[] memory gas) {
        gas = new uint256[](calls.length);
        for (uint256 i = 0; i < calls.length; i++) {
            bytes memory call = calls[i];
            uint256 before = gasleft();
            (bool done,) = token.call(call);
            gas[i] = before - gasleft();
            require(done, "USDC refused");
        }
    }
}

/// @dev One transaction a test, measured whole. Every word that a transaction of the kind finds filled on a chain in use
/// is filled here before it, unless the scenario's name says "first" or "new". run.js reads what these tests record:
/// the gas of each scenario, what its calldata costs, and what USDC takes of it.
contract GasTest is Fixture {
    GasVm private constant GAS = GasVm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 private constant CONSUMER_KEY = 0xc0ffee;
    uint256 private constant NEWCOMER_KEY = 0xbeef;
    uint256 private constant FULL = 100 * USDC;
    uint256 private constant NOW = 1_800_000_000;
    uint256 private constant VALID_BEFORE = NOW + 1 hours;

    /// @dev A session of 5 minutes at 2,000 µUSDC a second, 15 % of it the fee.
    uint256 private constant RATE = 2_000;
    uint256 private constant DURATION = 300;
    uint256 private constant TO_AMOUNT = 510_000;
    uint256 private constant FEE_AMOUNT = 90_000;

    function setUp() public override {
        super.setUp();
        vm.warp(NOW);
        consumer = vm.addr(CONSUMER_KEY);
        _fillPool(stranger, FULL);
        _fillPool(consumer, FULL);
        _fund(consumer, FULL);
        _give(operator);
        _give(wallet);
    }

    // -------------------------------------------------------------------------------------------------------- accounts

    function test_Gas_deposit_top_up() public {
        _measure("deposit, top-up", consumer, abi.encodeCall(ILuxxonSettlement.deposit, (FULL / 2)));
    }

    function test_Gas_deposit_first() public {
        address newcomer = _account("newcomer");
        _fund(newcomer, FULL);
        _measure("deposit, first", newcomer, abi.encodeCall(ILuxxonSettlement.deposit, (FULL / 2)));
    }

    function test_Gas_depositFor_top_up() public {
        _measure("depositFor, top-up", consumer, abi.encodeCall(ILuxxonSettlement.depositFor, (stranger, FULL / 2)));
    }

    function test_Gas_depositWithAuthorization_top_up() public {
        bytes memory call = _signedDeposit(CONSUMER_KEY);
        _measure("depositWithAuthorization, top-up", stranger, call);
    }

    function test_Gas_depositWithAuthorization_first() public {
        _fund(vm.addr(NEWCOMER_KEY), FULL);
        bytes memory call = _signedDeposit(NEWCOMER_KEY);
        _measure("depositWithAuthorization, first", stranger, call);
    }

    function test_Gas_withdraw_partial() public {
        _measure("withdraw, partial", consumer, abi.encodeCall(ILuxxonSettlement.withdraw, (FULL / 2)));
    }

    function test_Gas_withdraw_everything_to_an_empty_wallet() public {
        vm.prank(consumer);
        usdc.transfer(minter, FULL);
        bytes memory call = abi.encodeCall(ILuxxonSettlement.withdraw, (FULL));
        _measure("withdraw, everything to an empty wallet", consumer, call);
    }

    function test_Gas_setLimits() public {
        _measure("setLimits", consumer, _limits());
    }

    function test_Gas_claim() public {
        bytes memory batch = _batch(1, 1, false);
        _blacklist(operator);
        _call(relayer, batch);
        vm.prank(minter);
        usdc.unBlacklist(operator);
        _measure("claim", stranger, abi.encodeCall(ILuxxonSettlement.claim, (operator)));
    }

    // --------------------------------------------------------------------------------------------------------- relayer

    function test_Gas_settleFromPool() public {
        _measure("settleFromPool", relayer, _settlement(operator, FEE_AMOUNT));
    }

    function test_Gas_settleFromPool_with_limits() public {
        _call(consumer, _limits());
        _measure("settleFromPool, with limits", relayer, _settlement(operator, FEE_AMOUNT));
    }

    function test_Gas_settleFromPool_without_a_fee() public {
        _measure("settleFromPool, without a fee", relayer, _settlement(operator, 0));
    }

    function test_Gas_settleFromPool_new_operator() public {
        _measure("settleFromPool, new operator", relayer, _settlement(_account("newcomer"), FEE_AMOUNT));
    }

    function test_Gas_settleBatch_of_1() public {
        _measure("settleBatch of 1", relayer, _batch(1, 1, false));
    }

    function test_Gas_settleBatch_of_1_new_operator() public {
        _measure("settleBatch of 1, new operator", relayer, _batch(1, 1, true));
    }

    function test_Gas_settleBatch_of_10_same_operator() public {
        _measure("settleBatch of 10, same operator", relayer, _batch(10, 1, false));
    }

    function test_Gas_settleBatch_of_10_different_operators() public {
        _measure("settleBatch of 10, 10 operators", relayer, _batch(10, 10, false));
    }

    function test_Gas_settleBatch_of_10_new_operators() public {
        _measure("settleBatch of 10, 10 new operators", relayer, _batch(10, 10, true));
    }

    function test_Gas_settleBatch_of_100_same_operator() public {
        _measure("settleBatch of 100, same operator", relayer, _batch(100, 1, false));
    }

    function test_Gas_settleBatch_of_100_grouped() public {
        _measure("settleBatch of 100, 10 operators grouped", relayer, _batch(100, 10, false));
    }

    function test_Gas_settleBatch_of_100_different_operators() public {
        _measure("settleBatch of 100, 100 operators", relayer, _batch(100, 100, false));
    }

    function test_Gas_settleBatch_of_100_new_operators() public {
        _measure("settleBatch of 100, 100 new operators", relayer, _batch(100, 100, true));
    }

    function test_Gas_settleBatch_of_100_held() public {
        bytes memory batch = _batch(100, 1, false);
        _blacklist(operator);
        _measure("settleBatch of 100, operator blacklisted", relayer, batch);
    }

    function test_Gas_settleBatch_of_100_skipped() public {
        bytes memory batch = _batch(100, 10, false);
        _call(relayer, batch);
        _measure("settleBatch of 100, all settled before", relayer, batch);
    }

    // ----------------------------------------------------------------------------------------------------------- admin

    function test_Gas_pause() public {
        _measure("pause", pauser, abi.encodeCall(ILuxxonSettlement.pause, ()));
    }

    function test_Gas_revokeRelayer() public {
        _measure("revokeRelayer", pauser, abi.encodeCall(ILuxxonSettlement.revokeRelayer, ()));
    }

    // ------------------------------------------------------------------------------------------------------------ USDC

    /// @dev What USDC's part of each scenario costs by itself, warm and cold as the settlement contract finds it.
    function test_Gas_usdc() public {
        UsdcCaller caller = new UsdcCaller();
        _give(address(caller));
        bytes[] memory calls = new bytes[](3);
        calls[0] = abi.encodeCall(usdc.transfer, (operator, 1));
        calls[1] = abi.encodeCall(usdc.transfer, (wallet, 1));
        calls[2] = abi.encodeCall(usdc.transfer, (_account("newcomer"), 1));
        uint256[] memory gas = caller.costs(address(usdc), calls);
        GAS.snapshotValue("usdc", "transfer, first", gas[0]);
        GAS.snapshotValue("usdc", "transfer, later", gas[1]);
        GAS.snapshotValue("usdc", "transfer, later to a new wallet", gas[2]);
    }

    function test_Gas_usdc_deposit() public {
        UsdcCaller caller = new UsdcCaller();
        _give(address(caller));
        vm.prank(consumer);
        usdc.approve(address(caller), FULL);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(usdc.transferFrom, (consumer, address(caller), FULL / 2));
        calls[1] = abi.encodeCall(usdc.balanceOf, (address(caller)));
        uint256[] memory gas = caller.costs(address(usdc), calls);
        GAS.snapshotValue("usdc", "transferFrom and balanceOf", gas[0] + gas[1]);
    }

    function test_Gas_usdc_signed_deposit() public {
        UsdcCaller caller = new UsdcCaller();
        _give(address(caller));
        (bytes32 nonce, bytes memory signature) = _sign(CONSUMER_KEY, address(caller));
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeWithSignature(
            "receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)",
            consumer,
            address(caller),
            FULL / 2,
            0,
            VALID_BEFORE,
            nonce,
            signature
        );
        calls[1] = abi.encodeCall(usdc.balanceOf, (address(caller)));
        uint256[] memory gas = caller.costs(address(usdc), calls);
        GAS.snapshotValue("usdc", "receiveWithAuthorization and balanceOf", gas[0] + gas[1]);
    }

    // ------------------------------------------------------------------------------------------------------- internals

    /// @dev One transaction of `caller`: what it takes altogether, and what of it is for the calldata (EIP-2028).
    function _measure(string memory scenario, address caller, bytes memory call) private {
        _call(caller, call);
        GAS.snapshotGasLastCall("settlement", scenario);
        uint256 calldataGas;
        for (uint256 i = 0; i < call.length; i++) {
            calldataGas += call[i] == 0 ? 4 : 16;
        }
        GAS.snapshotValue("calldata", scenario, calldataGas);
    }

    function _call(address caller, bytes memory call) private {
        vm.prank(caller);
        (bool done,) = address(settlement).call(call);
        vm.assertTrue(done, "refused");
    }

    function _limits() private pure returns (bytes memory) {
        return abi.encodeCall(ILuxxonSettlement.setLimits, (5_000, uint48(FULL), uint48(2 * FULL)));
    }

    function _settlement(address to, uint256 feeAmount) private view returns (bytes memory) {
        return
            abi.encodeCall(
                ILuxxonSettlement.settleFromPool, (SESSION, consumer, to, RATE, DURATION, TO_AMOUNT, feeAmount)
            );
    }

    /// @dev `size` sessions of as many consumers, with `operators` different operators, sorted by operator.
    function _batch(uint256 size, uint256 operators, bool newOperators) private returns (bytes memory) {
        ILuxxonSettlement.BatchEntry[] memory entries = new ILuxxonSettlement.BatchEntry[](size);
        for (uint256 i = 0; i < size; i++) {
            address from = _numbered("consumer", i);
            _fillPool(from, FULL);
            address to = operators == 1 && !newOperators ? operator : _numbered("operator", i / (size / operators));
            if (!newOperators) _give(to);
            bytes32 session = _hash("session", i);
            entries[i] = ILuxxonSettlement.BatchEntry(session, from, to, RATE, DURATION, TO_AMOUNT, FEE_AMOUNT);
        }
        return abi.encodeCall(ILuxxonSettlement.settleBatch, (entries));
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

    function _signedDeposit(uint256 key) private view returns (bytes memory) {
        (bytes32 nonce, bytes memory signature) = _sign(key, address(settlement));
        return abi.encodeCall(
            ILuxxonSettlement.depositWithAuthorization, (vm.addr(key), FULL / 2, 0, VALID_BEFORE, nonce, signature)
        );
    }

    function _sign(uint256 key, address to) private view returns (bytes32 nonce, bytes memory signature) {
        nonce = keccak256("nonce");
        bytes32 typeHash = usdc.RECEIVE_WITH_AUTHORIZATION_TYPEHASH();
        bytes32 structHash = keccak256(abi.encode(typeHash, vm.addr(key), to, FULL / 2, 0, VALID_BEFORE, nonce));
        bytes32 digest = MessageHashUtils.toTypedDataHash(usdc.DOMAIN_SEPARATOR(), structHash);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        signature = abi.encodePacked(r, s, v);
    }
}
