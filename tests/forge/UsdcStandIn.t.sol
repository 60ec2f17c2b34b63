// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {UsdcStandIn} from "contracts/standin/UsdcStandIn.sol";
import {Test} from "./support/Test.sol";

contract UsdcStandInTest is Test {
    uint256 private constant KEY = 0xA11CE;
    uint256 private constant NOW = 1_800_000_000;
    uint256 private constant AFTER = NOW - 1;
    uint256 private constant BEFORE = NOW + 1;
    bytes32 private constant NONCE = keccak256("nonce");

    address private minter = _account("minter");
    address private payee = _account("payee");
    address private stranger = _account("stranger");
    address private payer = vm.addr(KEY);
    UsdcStandIn private usdc;

    function setUp() public {
        vm.warp(NOW);
        usdc = new UsdcStandIn(minter);
        vm.prank(minter);
        usdc.mint(payer, 100);
    }

    // -------------------------------------------------------------------------------------------- against the original

    function test_UsdcStandIn_describes_itself_like_usdc() public view {
        vm.assertEq(usdc.name(), "USD Coin", "name");
        vm.assertEq(usdc.symbol(), "USDC", "symbol");
        vm.assertEq(usdc.version(), "2", "version");
        vm.assertEq(uint256(usdc.decimals()), 6, "decimals");
    }

    /// @dev The constants of the deployed FiatTokenV2.
    function test_UsdcStandIn_has_the_type_hashes_of_usdc() public view {
        vm.assertEq(
            usdc.TRANSFER_WITH_AUTHORIZATION_TYPEHASH(),
            0x7c7c6cdb67a18743f49ec6fa9b35f50d52ed05cbed4cc592e13b44501c1a2267,
            "transfer"
        );
        vm.assertEq(
            usdc.RECEIVE_WITH_AUTHORIZATION_TYPEHASH(),
            0xd099cc98ef71107a616c4f0f941f04c322d8e254fe26b3c6668db87aae413de8,
            "receive"
        );
        vm.assertEq(
            usdc.CANCEL_AUTHORIZATION_TYPEHASH(),
            0x158b0a9edf7a828aad02f63cd515c68ef2f50ba807396f6d12842833a1597429,
            "cancel"
        );
    }

    function test_UsdcStandIn_domain_separator_is_of_eip712() public view {
        bytes32 expected = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("USD Coin"),
                keccak256("2"),
                block.chainid,
                address(usdc)
            )
        );
        vm.assertEq(usdc.DOMAIN_SEPARATOR(), expected, "DOMAIN_SEPARATOR");
    }

    // ---------------------------------------------------------------------------------------------------------- ERC-20

    function test_UsdcStandIn_transfer() public {
        vm.expectEmit(address(usdc));
        emit IERC20.Transfer(payer, payee, 60);
        vm.prank(payer);
        vm.assertTrue(usdc.transfer(payee, 60), "answer");
        vm.assertEq(usdc.balanceOf(payer), 40, "payer");
        vm.assertEq(usdc.balanceOf(payee), 60, "payee");
        vm.assertEq(usdc.totalSupply(), 100, "supply");
    }

    function test_UsdcStandIn_transfer_to_oneself_changes_nothing() public {
        vm.prank(payer);
        usdc.transfer(payer, 60);
        vm.assertEq(usdc.balanceOf(payer), 100, "payer");
    }

    function test_UsdcStandIn_transfer_refusals() public {
        vm.expectRevert(bytes("ERC20: transfer amount exceeds balance"));
        vm.prank(payer);
        usdc.transfer(payee, 101);
        vm.expectRevert(bytes("ERC20: transfer to the zero address"));
        vm.prank(payer);
        usdc.transfer(address(0), 1);
        vm.expectRevert(bytes("Blacklistable: account is blacklisted"));
        vm.prank(payer);
        usdc.transfer(address(usdc), 1);
    }

    function test_UsdcStandIn_transferFrom_uses_up_even_an_unlimited_allowance() public {
        vm.prank(payer);
        usdc.approve(stranger, type(uint256).max);
        vm.prank(stranger);
        usdc.transferFrom(payer, payee, 60);
        vm.assertEq(usdc.allowance(payer, stranger), type(uint256).max - 60, "allowance");
        vm.assertEq(usdc.balanceOf(payee), 60, "payee");
    }

    function test_UsdcStandIn_transferFrom_refuses_more_than_the_allowance() public {
        vm.prank(payer);
        usdc.approve(stranger, 59);
        vm.expectRevert(bytes("ERC20: transfer amount exceeds allowance"));
        vm.prank(stranger);
        usdc.transferFrom(payer, payee, 60);
    }

    function test_UsdcStandIn_pause_stops_every_movement() public {
        vm.prank(minter);
        usdc.pause();
        bytes memory paused = bytes("Pausable: paused");
        vm.startPrank(payer);
        vm.expectRevert(paused);
        usdc.transfer(payee, 1);
        vm.expectRevert(paused);
        usdc.transferFrom(payer, payee, 1);
        vm.expectRevert(paused);
        usdc.approve(payee, 1);
        vm.expectRevert(paused);
        usdc.transferWithAuthorization(payer, payee, 1, AFTER, BEFORE, NONCE, "");
        vm.expectRevert(paused);
        usdc.receiveWithAuthorization(payer, payee, 1, AFTER, BEFORE, NONCE, "");
        vm.expectRevert(paused);
        usdc.cancelAuthorization(payer, NONCE, "");
        vm.stopPrank();

        vm.prank(minter);
        usdc.unpause();
        vm.prank(payer);
        usdc.transfer(payee, 1);
    }

    function test_UsdcStandIn_blacklist_stops_both_sides_and_the_caller() public {
        vm.prank(minter);
        usdc.blacklist(stranger);
        bytes memory refusal = bytes("Blacklistable: account is blacklisted");
        vm.startPrank(payer);
        vm.expectRevert(refusal);
        usdc.transfer(stranger, 1);
        vm.expectRevert(refusal);
        usdc.approve(stranger, 1);
        vm.expectRevert(refusal);
        usdc.transferFrom(stranger, payer, 0);
        vm.expectRevert(refusal);
        usdc.transferWithAuthorization(payer, stranger, 1, AFTER, BEFORE, NONCE, "");
        vm.stopPrank();
        vm.startPrank(stranger);
        vm.expectRevert(refusal);
        usdc.transfer(payer, 0);
        vm.expectRevert(refusal);
        usdc.transferFrom(payer, payee, 0);
        vm.stopPrank();

        vm.prank(minter);
        usdc.unBlacklist(stranger);
        vm.prank(payer);
        usdc.transfer(stranger, 1);
    }

    function test_UsdcStandIn_only_the_owner_administers() public {
        bytes memory refusal = bytes("Ownable: caller is not the owner");
        vm.startPrank(stranger);
        vm.expectRevert(refusal);
        usdc.mint(stranger, 1);
        vm.expectRevert(refusal);
        usdc.pause();
        vm.expectRevert(refusal);
        usdc.unpause();
        vm.expectRevert(refusal);
        usdc.blacklist(payer);
        vm.expectRevert(refusal);
        usdc.unBlacklist(payer);
        vm.stopPrank();
    }

    // -------------------------------------------------------------------------------------------------------- ERC-3009

    function test_UsdcStandIn_receiveWithAuthorization() public {
        bytes memory signature = _sign(_receive(60));
        vm.expectEmit(address(usdc));
        emit UsdcStandIn.AuthorizationUsed(payer, NONCE);
        vm.prank(payee);
        usdc.receiveWithAuthorization(payer, payee, 60, AFTER, BEFORE, NONCE, signature);
        vm.assertEq(usdc.balanceOf(payee), 60, "payee");
        vm.assertTrue(usdc.authorizationState(payer, NONCE), "authorizationState");
    }

    function test_UsdcStandIn_receiveWithAuthorization_with_v_r_s() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, _digest(_receive(60)));
        vm.prank(payee);
        usdc.receiveWithAuthorization(payer, payee, 60, AFTER, BEFORE, NONCE, v, r, s);
        vm.assertEq(usdc.balanceOf(payee), 60, "payee");
    }

    function test_UsdcStandIn_receiveWithAuthorization_only_by_the_payee() public {
        bytes memory signature = _sign(_receive(60));
        vm.expectRevert(bytes("FiatTokenV2: caller must be the payee"));
        vm.prank(stranger);
        usdc.receiveWithAuthorization(payer, payee, 60, AFTER, BEFORE, NONCE, signature);
    }

    function test_UsdcStandIn_transferWithAuthorization_by_anyone() public {
        bytes memory signature = _sign(_authorization(usdc.TRANSFER_WITH_AUTHORIZATION_TYPEHASH(), 60));
        vm.prank(stranger);
        usdc.transferWithAuthorization(payer, payee, 60, AFTER, BEFORE, NONCE, signature);
        vm.assertEq(usdc.balanceOf(payee), 60, "payee");
    }

    function test_UsdcStandIn_transferWithAuthorization_with_v_r_s() public {
        bytes32 structHash = _authorization(usdc.TRANSFER_WITH_AUTHORIZATION_TYPEHASH(), 60);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, _digest(structHash));
        usdc.transferWithAuthorization(payer, payee, 60, AFTER, BEFORE, NONCE, v, r, s);
        vm.assertEq(usdc.balanceOf(payee), 60, "payee");
    }

    function test_UsdcStandIn_authorization_works_once() public {
        bytes memory signature = _sign(_receive(60));
        vm.startPrank(payee);
        usdc.receiveWithAuthorization(payer, payee, 60, AFTER, BEFORE, NONCE, signature);
        vm.expectRevert(bytes("FiatTokenV2: authorization is used or canceled"));
        usdc.receiveWithAuthorization(payer, payee, 60, AFTER, BEFORE, NONCE, signature);
        vm.stopPrank();
    }

    function test_UsdcStandIn_authorization_window_excludes_both_ends() public {
        bytes memory signature = _sign(_receive(60));
        vm.warp(AFTER);
        vm.expectRevert(bytes("FiatTokenV2: authorization is not yet valid"));
        vm.prank(payee);
        usdc.receiveWithAuthorization(payer, payee, 60, AFTER, BEFORE, NONCE, signature);
        vm.warp(BEFORE);
        vm.expectRevert(bytes("FiatTokenV2: authorization is expired"));
        vm.prank(payee);
        usdc.receiveWithAuthorization(payer, payee, 60, AFTER, BEFORE, NONCE, signature);
    }

    function test_UsdcStandIn_authorization_refuses_another_signer_or_content() public {
        bytes memory signature = _sign(_receive(60));
        bytes memory refusal = bytes("FiatTokenV2: invalid signature");
        vm.startPrank(payee);
        vm.expectRevert(refusal);
        usdc.receiveWithAuthorization(stranger, payee, 60, AFTER, BEFORE, NONCE, signature);
        vm.expectRevert(refusal);
        usdc.receiveWithAuthorization(payer, payee, 61, AFTER, BEFORE, NONCE, signature);
        vm.expectRevert(refusal);
        usdc.receiveWithAuthorization(payer, payee, 60, AFTER, BEFORE, NONCE, "");
        vm.expectRevert(refusal); // one signed for `receive` is not one for `transfer`
        usdc.transferWithAuthorization(payer, payee, 60, AFTER, BEFORE, NONCE, signature);
        vm.stopPrank();
    }

    function test_UsdcStandIn_authorization_of_a_contract_wallet() public {
        ContractWallet account = new ContractWallet(payer);
        vm.prank(minter);
        usdc.mint(address(account), 5);
        bytes32 structHash = keccak256(
            abi.encode(usdc.RECEIVE_WITH_AUTHORIZATION_TYPEHASH(), address(account), payee, 5, AFTER, BEFORE, NONCE)
        );
        bytes memory signature = _sign(structHash);
        vm.startPrank(payee);
        vm.expectRevert(bytes("FiatTokenV2: invalid signature"));
        usdc.receiveWithAuthorization(address(account), payee, 4, AFTER, BEFORE, NONCE, signature);
        usdc.receiveWithAuthorization(address(account), payee, 5, AFTER, BEFORE, NONCE, signature);
        vm.stopPrank();
        vm.assertEq(usdc.balanceOf(payee), 5, "payee");
    }

    function test_UsdcStandIn_cancelAuthorization() public {
        bytes32 structHash = keccak256(abi.encode(usdc.CANCEL_AUTHORIZATION_TYPEHASH(), payer, NONCE));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, _digest(structHash));
        vm.expectEmit(address(usdc));
        emit UsdcStandIn.AuthorizationCanceled(payer, NONCE);
        vm.prank(stranger);
        usdc.cancelAuthorization(payer, NONCE, v, r, s);

        bytes memory signature = _sign(_receive(60));
        vm.expectRevert(bytes("FiatTokenV2: authorization is used or canceled"));
        vm.prank(payee);
        usdc.receiveWithAuthorization(payer, payee, 60, AFTER, BEFORE, NONCE, signature);
        vm.expectRevert(bytes("FiatTokenV2: authorization is used or canceled"));
        usdc.cancelAuthorization(payer, NONCE, v, r, s);
    }

    function test_UsdcStandIn_cancelAuthorization_needs_the_signature() public {
        bytes memory signature = _sign(_receive(60));
        vm.expectRevert(bytes("FiatTokenV2: invalid signature"));
        usdc.cancelAuthorization(payer, NONCE, signature);
    }

    // ------------------------------------------------------------------------------------------------------- internals

    function _receive(uint256 value) private view returns (bytes32) {
        return _authorization(usdc.RECEIVE_WITH_AUTHORIZATION_TYPEHASH(), value);
    }

    function _authorization(bytes32 typeHash, uint256 value) private view returns (bytes32) {
        return keccak256(abi.encode(typeHash, payer, payee, value, AFTER, BEFORE, NONCE));
    }

    function _digest(bytes32 structHash) private view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", usdc.DOMAIN_SEPARATOR(), structHash));
    }

    function _sign(bytes32 structHash) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, _digest(structHash));
        return abi.encodePacked(r, s, v);
    }
}

/// @dev A wallet contract that signs with one key.
contract ContractWallet is IERC1271 {
    address private immutable SIGNER;

    constructor(address signer) {
        SIGNER = signer;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        (bytes32 r, bytes32 s) = abi.decode(signature[:64], (bytes32, bytes32));
        bool valid = ecrecover(hash, uint8(signature[64]), r, s) == SIGNER;
        return valid ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}
