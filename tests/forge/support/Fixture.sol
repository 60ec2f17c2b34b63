// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {UsdcStandIn} from "contracts/standin/UsdcStandIn.sol";
import {UsdcStandInProxy} from "contracts/standin/UsdcStandInProxy.sol";
import {Test} from "./Test.sol";

/// @dev A settlement contract over the USDC stand-in, behind its proxy as Circle's is, with every role held by somebody else.
abstract contract Fixture is Test {
    uint256 internal constant USDC = 1e6; // one USDC in µUSDC
    uint256 internal constant MAX_UINT64 = 2 ** 64 - 1;
    uint256 internal constant MAX_UINT32 = 2 ** 32 - 1;
    uint256 internal constant RELAYER_DELAY = 24 hours;
    bytes32 internal constant SESSION = keccak256("0b54c8a2-1c6f-4c0f-8a43-6d2a4e0f7c11");
    bytes32 internal constant OTHER_SESSION = keccak256("f3f1c1e5-5b0e-4f0e-9d5e-2f5d6c1b7a22");

    address internal admin = _account("owner");
    address internal relayer = _account("relayer");
    address internal pauser = _account("pauser");
    address internal wallet = _account("platformWallet");
    address internal consumer = _account("consumer");
    address internal operator = _account("operator");
    address internal stranger = _account("stranger");
    address internal minter = _account("minter");

    UsdcStandIn internal usdc;
    LuxxonSettlement internal settlement;

    function setUp() public virtual {
        UsdcStandInProxy proxy = new UsdcStandInProxy(new UsdcStandIn(minter), _account("proxyAdmin"), minter);
        usdc = UsdcStandIn(address(proxy));
        settlement = new LuxxonSettlement(address(usdc), admin, relayer, pauser, wallet, RELAYER_DELAY);
    }

    /// @dev Gives `account` USDC and the settlement contract an allowance of the same amount.
    function _fund(address account, uint256 amount) internal {
        vm.prank(minter);
        usdc.mint(account, amount);
        vm.prank(account);
        usdc.approve(address(settlement), amount);
    }

    /// @dev Brings the pool of `account` up by `amount` out of newly minted USDC.
    function _fillPool(address account, uint256 amount) internal {
        _fund(account, amount);
        vm.prank(account);
        settlement.deposit(amount);
    }

    /// @dev Settles SESSION between consumer and operator, metered at exactly what it takes.
    function _settle(uint256 toAmount, uint256 feeAmount) internal {
        _settle(SESSION, toAmount + feeAmount, 1, toAmount, feeAmount);
    }

    function _settle(bytes32 sessionId, uint256 rate, uint256 duration, uint256 toAmount, uint256 feeAmount) internal {
        vm.prank(relayer);
        settlement.settleFromPool(sessionId, consumer, operator, rate, duration, toAmount, feeAmount);
    }

    function _setLimits(address account, uint256 maxRate, uint256 maxPerSession, uint256 maxPerDay) internal {
        vm.prank(account);
        settlement.setLimits(uint32(maxRate), uint48(maxPerSession), uint48(maxPerDay));
    }

    function _blacklist(address account) internal {
        vm.prank(minter);
        usdc.blacklist(account);
    }

    function _unBlacklist(address account) internal {
        vm.prank(minter);
        usdc.unBlacklist(account);
    }

    function _pauseToken() internal {
        vm.prank(minter);
        usdc.pause();
    }

    function _pause() internal {
        vm.prank(pauser);
        settlement.pause();
    }

    /// @dev The books of the contract must be unchanged since `_state()` gave `before`.
    function _assertUnchanged(bytes32 before) internal view {
        vm.assertEq(_state(), before, "a refused call changed something");
    }

    /// @dev All that a deposit, withdrawal, claim, rescue or settlement could change, as one value.
    function _state() internal view returns (bytes32) {
        address[4] memory accounts = [consumer, stranger, operator, wallet];
        bytes memory books = abi.encode(
            settlement.totalOwed(),
            settlement.paused(),
            usdc.balanceOf(address(settlement)),
            settlement.settled(SESSION),
            settlement.settled(OTHER_SESSION)
        );
        for (uint256 i = 0; i < accounts.length; i++) {
            books = abi.encode(books, _stateOf(accounts[i]));
        }
        return keccak256(books);
    }

    /// @dev All that the contract and USDC know of `account`, as one value.
    function _stateOf(address account) internal view returns (bytes32) {
        (uint32 maxRate, uint48 maxPerSession, uint48 maxPerDay, uint48 spentToday) = settlement.limitsOf(account);
        bytes memory limits = abi.encode(maxRate, maxPerSession, maxPerDay, spentToday);
        return keccak256(
            abi.encode(settlement.deposits(account), settlement.claimable(account), usdc.balanceOf(account), limits)
        );
    }
}
