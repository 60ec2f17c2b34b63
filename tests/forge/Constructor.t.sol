// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {Fixture} from "./support/Fixture.sol";
import {DecimalsToken} from "./support/Tokens.sol";

contract ConstructorTest is Fixture {
    function _deploy(address token, address owner, address platformWallet, uint256 delay) private {
        settlement = new LuxxonSettlement(token, owner, relayer, pauser, platformWallet, delay);
    }

    function test_Constructor_hands_out_the_roles_it_is_given() public view {
        vm.assertEq(address(settlement.USDC()), address(usdc), "USDC");
        vm.assertEq(settlement.owner(), admin, "owner");
        vm.assertEq(settlement.relayer(), relayer, "relayer");
        vm.assertEq(settlement.pauser(), pauser, "pauser");
        vm.assertEq(settlement.platformWallet(), wallet, "platformWallet");
        vm.assertEq(settlement.RELAYER_DELAY(), RELAYER_DELAY, "RELAYER_DELAY");
        vm.assertEq(settlement.MAX_FEE_BPS(), 2_000, "MAX_FEE_BPS");
        vm.assertEq(settlement.MAX_BATCH_SIZE(), 100, "MAX_BATCH_SIZE");
        vm.assertEq(settlement.totalOwed(), 0, "totalOwed");
        vm.assertEq(settlement.surplus(), 0, "surplus");
        vm.assertEq(settlement.pendingOwner(), address(0), "pendingOwner");
        (address candidate, uint64 acceptableAt) = settlement.pendingRelayer();
        vm.assertTrue(candidate == address(0) && acceptableAt == 0, "pendingRelayer");
        vm.assertTrue(!settlement.paused(), "paused");
    }

    /// @dev Deployed through a factory, whoever sends the transaction must end up with nothing.
    function test_Constructor_gives_the_sender_no_role() public {
        _deploy(address(usdc), admin, wallet, RELAYER_DELAY);
        address[5] memory holders = [
            settlement.owner(),
            settlement.relayer(),
            settlement.pauser(),
            settlement.platformWallet(),
            settlement.pendingOwner()
        ];
        for (uint256 i = 0; i < holders.length; i++) {
            vm.assertTrue(holders[i] != address(this), "role of the sender");
        }
    }

    function test_Constructor_announces_every_role() public {
        vm.expectEmit();
        emit Ownable.OwnershipTransferred(address(0), admin);
        vm.expectEmit();
        emit ILuxxonSettlement.RelayerSet(address(0), relayer);
        vm.expectEmit();
        emit ILuxxonSettlement.PauserSet(address(0), pauser);
        vm.expectEmit();
        emit ILuxxonSettlement.PlatformWalletSet(address(0), wallet);
        _deploy(address(usdc), admin, wallet, RELAYER_DELAY);
    }

    function test_Constructor_relayer_and_pauser_may_be_left_out() public {
        settlement = new LuxxonSettlement(address(usdc), admin, address(0), address(0), wallet, 0);
        vm.assertEq(settlement.relayer(), address(0), "relayer");
        vm.assertEq(settlement.pauser(), address(0), "pauser");
    }

    function test_Constructor_refuses_a_token_without_code() public {
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.NotAContract.selector, stranger));
        _deploy(stranger, admin, wallet, 0);
    }

    function test_Constructor_refuses_the_zero_token() public {
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.NotAContract.selector, address(0)));
        _deploy(address(0), admin, wallet, 0);
    }

    /// @dev The delegation answers `decimals()` like the real token, which is why the code itself is looked at.
    function test_Constructor_refuses_an_account_that_delegates_to_the_token() public {
        vm.etch(stranger, abi.encodePacked(hex"ef0100", address(usdc)));
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.NotAContract.selector, stranger));
        _deploy(stranger, admin, wallet, 0);
    }

    /// @dev What tells a delegation is its first three bytes and its length together. Code of 23 bytes that begins
    /// otherwise is a contract, here one that answers 6 to anything; and so is code of one byte less or more.
    function test_Constructor_accepts_small_contracts() public {
        bytes memory small = hex"600660005260206000f3";
        for (uint256 size = 22; size <= 24; size++) {
            vm.etch(stranger, abi.encodePacked(small, new bytes(size - small.length)));
            _deploy(stranger, admin, wallet, 0);
            vm.assertEq(address(settlement.USDC()), stranger, "USDC");
        }
    }

    function test_Constructor_refuses_other_decimals() public {
        uint8[3] memory wrong = [5, 7, 18];
        for (uint256 i = 0; i < wrong.length; i++) {
            address token = address(new DecimalsToken(wrong[i]));
            vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.WrongDecimals.selector, wrong[i], 6));
            _deploy(token, admin, wallet, 0);
        }
    }

    function test_Constructor_invariant_17_refuses_no_owner() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableInvalidOwner.selector, address(0)));
        _deploy(address(usdc), address(0), wallet, 0);
    }

    function test_Constructor_invariant_17_refuses_impossible_platform_wallets() public {
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.InvalidPlatformWallet.selector, address(0)));
        _deploy(address(usdc), admin, address(0), 0);
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.InvalidPlatformWallet.selector, address(usdc)));
        _deploy(address(usdc), admin, address(usdc), 0);

        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.InvalidPlatformWallet.selector, next));
        _deploy(address(usdc), admin, next, 0);
    }

    function test_Constructor_delay_of_30_days_passes_and_a_second_more_is_refused() public {
        _deploy(address(usdc), admin, wallet, 30 days);
        vm.assertEq(settlement.RELAYER_DELAY(), 30 days, "RELAYER_DELAY");
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.RelayerDelayTooLong.selector, 30 days + 1, 30 days));
        _deploy(address(usdc), admin, wallet, 30 days + 1);
    }
}
