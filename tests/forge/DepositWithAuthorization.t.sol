// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {UsdcStandIn} from "contracts/standin/UsdcStandIn.sol";
import {ContractWallet, SigningFixture} from "./support/SigningFixture.sol";
import {FeeTakingToken, SilentToken} from "./support/Tokens.sol";

/// @dev `consumer` signs, `stranger` brings the signature.
contract DepositWithAuthorizationTest is SigningFixture {
    uint256 private constant KEY = 0xC0115;
    uint256 private constant OTHER_KEY = 0xBAD;
    uint256 private constant AFTER = 1_800_000_000;
    uint256 private constant BEFORE = AFTER + 1 hours;
    uint256 private constant AMOUNT = 4 * USDC;
    bytes32 private constant NONCE = keccak256("nonce");

    function setUp() public override {
        super.setUp();
        vm.warp(AFTER + 1);
        consumer = vm.addr(KEY);
        vm.prank(minter);
        usdc.mint(consumer, 10 * USDC);
    }

    function _authorization() private view returns (Authorization memory) {
        return Authorization(consumer, address(settlement), AMOUNT, AFTER, BEFORE, NONCE);
    }

    function _assertDeposited() private view {
        vm.assertEq(settlement.deposits(consumer), AMOUNT, "pool");
        vm.assertEq(settlement.totalOwed(), AMOUNT, "totalOwed");
        vm.assertEq(usdc.balanceOf(address(settlement)), AMOUNT, "held");
        vm.assertEq(usdc.balanceOf(consumer), 6 * USDC, "wallet");
        vm.assertTrue(usdc.authorizationState(consumer, NONCE), "used");
    }

    /// @dev The call must be refused, and neither move money nor use the authorization up.
    function _expectRefusal(bytes memory refusal, Authorization memory authorization, bytes memory signature) private {
        bytes32 before = _state();
        bool used = usdc.authorizationState(authorization.from, authorization.nonce);
        vm.expectRevert(refusal);
        _bring(stranger, authorization, signature);
        _assertUnchanged(before);
        vm.assertEq(usdc.authorizationState(authorization.from, authorization.nonce), used, "used");
    }

    function _expectInvalid(Authorization memory authorization, bytes memory signature) private {
        _expectRefusal(bytes("FiatTokenV2: invalid signature"), authorization, signature);
    }

    // ---------------------------------------------------------------------------------------------------- what it does

    function test_DepositWithAuthorization_moves_usdc_into_the_signers_pool_without_an_allowance() public {
        bytes memory signature = _sign(KEY, _authorization());

        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.Deposited(consumer, consumer, AMOUNT);
        vm.expectEmit(address(usdc));
        emit UsdcStandIn.AuthorizationUsed(consumer, NONCE);
        _bring(stranger, _authorization(), signature);

        _assertDeposited();
        vm.assertEq(settlement.deposits(stranger), 0, "pool of the bearer");
    }

    function test_DepositWithAuthorization_leaves_an_allowance_untouched() public {
        vm.prank(consumer);
        usdc.approve(address(settlement), 7);
        _bring(stranger, _authorization(), _sign(KEY, _authorization()));
        vm.assertEq(usdc.allowance(consumer, address(settlement)), 7, "allowance");
    }

    /// @dev Whoever sees the signature on its way can bring it first. That has to be worth nothing.
    function test_DepositWithAuthorization_by_another_bearer_has_the_same_result() public {
        bytes memory signature = _sign(KEY, _authorization());
        address[4] memory bearers = [consumer, stranger, relayer, admin];
        bytes32 expected;
        uint256 start = vm.snapshotState();
        for (uint256 i = 0; i < bearers.length; i++) {
            vm.expectEmit(address(settlement));
            emit ILuxxonSettlement.Deposited(consumer, consumer, AMOUNT);
            _bring(bearers[i], _authorization(), signature);
            _assertDeposited();
            if (i == 0) expected = _state();
            vm.assertEq(_state(), expected, "depends on the bearer");
            vm.revertToState(start);
        }
    }

    function test_DepositWithAuthorization_brought_first_by_another_is_not_deposited_twice() public {
        bytes memory signature = _sign(KEY, _authorization());
        _bring(stranger, _authorization(), signature);
        vm.expectRevert(bytes("FiatTokenV2: authorization is used or canceled"));
        _bring(consumer, _authorization(), signature);
        _assertDeposited();
    }

    /// @dev At USDC itself nobody can use the signature up, so nobody can keep it from this contract.
    function test_DepositWithAuthorization_signature_is_of_no_use_anywhere_else() public {
        Authorization memory signed = _authorization();
        bytes memory signature = _sign(KEY, signed);
        vm.expectRevert(bytes("FiatTokenV2: caller must be the payee"));
        vm.prank(stranger);
        usdc.receiveWithAuthorization(signed.from, signed.to, AMOUNT, AFTER, BEFORE, NONCE, signature);
        vm.expectRevert(bytes("FiatTokenV2: invalid signature"));
        vm.prank(stranger);
        usdc.transferWithAuthorization(signed.from, signed.to, AMOUNT, AFTER, BEFORE, NONCE, signature);

        _bring(stranger, signed, signature);
        _assertDeposited();
    }

    function test_DepositWithAuthorization_of_a_contract_wallet() public {
        // An ERC-1271 signature can have any length.
        bytes memory signature = abi.encode("open", "sesame", "and more than sixty-five bytes of it");
        consumer = address(new ContractWallet(signature));
        vm.prank(minter);
        usdc.mint(consumer, 10 * USDC);
        _expectInvalid(_authorization(), "open sesame");
        _bring(stranger, _authorization(), signature);
        _assertDeposited();
    }

    function test_DepositWithAuthorization_two_nonces_are_two_deposits_in_any_order() public {
        Authorization memory first = _authorization();
        Authorization memory second = _authorization();
        second.nonce = keccak256("another nonce");
        _bring(stranger, second, _sign(KEY, second));
        _bring(stranger, first, _sign(KEY, first));
        vm.assertEq(settlement.deposits(consumer), 2 * AMOUNT, "pool");
    }

    function test_DepositWithAuthorization_leaves_limits_and_what_was_spent_as_they_are() public {
        _fillPool(consumer, 1_000);
        _setLimits(consumer, 1_000, 2_000, 3_000);
        _settle(900, 100);
        _bring(stranger, _authorization(), _sign(KEY, _authorization()));
        (uint32 maxRate, uint48 maxPerSession, uint48 maxPerDay, uint48 spentToday) = settlement.limitsOf(consumer);
        vm.assertEq(uint256(maxRate), 1_000, "maxRatePerSecond");
        vm.assertEq(uint256(maxPerSession), 2_000, "maxPerSession");
        vm.assertEq(uint256(maxPerDay), 3_000, "maxPerDay");
        vm.assertEq(uint256(spentToday), 1_000, "spentToday");
        vm.assertEq(settlement.deposits(consumer), AMOUNT, "pool");
    }

    function test_DepositWithAuthorization_bears_trailing_calldata() public {
        bytes memory signature = _sign(KEY, _authorization());
        bytes memory call = abi.encodeCall(
            ILuxxonSettlement.depositWithAuthorization, (consumer, AMOUNT, AFTER, BEFORE, NONCE, signature)
        );
        vm.prank(stranger);
        (bool done,) = address(settlement).call(abi.encodePacked(call, "bc_builder", bytes32("8021")));
        vm.assertTrue(done, "refused");
        _assertDeposited();
    }

    // ------------------------------------------------------------------------------------------------ whose money it is

    function test_DepositWithAuthorization_invariant_16_refuses_another_signer() public {
        _expectInvalid(_authorization(), _sign(OTHER_KEY, _authorization()));
    }

    /// @dev A standing allowance is no signature.
    function test_DepositWithAuthorization_invariant_16_refuses_no_signature_whatever_the_allowance() public {
        vm.prank(consumer);
        usdc.approve(address(settlement), type(uint256).max);
        _expectInvalid(_authorization(), "");
    }

    /// @dev Each value of the call in turn is another one than was signed.
    function test_DepositWithAuthorization_invariant_16_refuses_anything_but_what_was_signed() public {
        bytes memory signature = _sign(KEY, _authorization());
        Authorization memory changed = _authorization();
        changed.amount += 1;
        _expectInvalid(changed, signature);
        changed = _authorization();
        changed.validAfter -= 1;
        _expectInvalid(changed, signature);
        changed = _authorization();
        changed.validBefore += 1;
        _expectInvalid(changed, signature);
        changed = _authorization();
        changed.nonce = keccak256("another nonce");
        _expectInvalid(changed, signature);
        changed = _authorization();
        changed.from = stranger;
        _expectInvalid(changed, signature);
    }

    /// @dev Signed for another payee: another deployment of this contract, or the bearer.
    function test_DepositWithAuthorization_invariant_16_refuses_a_signature_for_another_payee() public {
        LuxxonSettlement other = new LuxxonSettlement(address(usdc), admin, relayer, pauser, wallet, RELAYER_DELAY);
        address[2] memory payees = [address(other), stranger];
        for (uint256 i = 0; i < payees.length; i++) {
            Authorization memory signed = _authorization();
            signed.to = payees[i];
            _expectInvalid(_authorization(), _sign(KEY, signed));
        }
    }

    /// @dev USDC's other authorization could be used by anybody, with no pool to credit; it is not this one.
    function test_DepositWithAuthorization_invariant_16_refuses_a_signature_of_another_kind() public {
        bytes32 typeHash = usdc.TRANSFER_WITH_AUTHORIZATION_TYPEHASH();
        _expectInvalid(_authorization(), _sign(KEY, typeHash, usdc.DOMAIN_SEPARATOR(), _authorization()));
    }

    function test_DepositWithAuthorization_invariant_16_refuses_a_signature_for_another_chain() public {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("USD Coin"),
                keccak256("2"),
                block.chainid + 1,
                address(usdc)
            )
        );
        bytes32 typeHash = usdc.RECEIVE_WITH_AUTHORIZATION_TYPEHASH();
        _expectInvalid(_authorization(), _sign(KEY, typeHash, domain, _authorization()));
    }

    function test_DepositWithAuthorization_refuses_malformed_signatures() public {
        bytes memory signature = _sign(KEY, _authorization());
        _expectInvalid(_authorization(), abi.encodePacked(signature, hex"00"));
        _expectInvalid(_authorization(), new bytes(65));
        _expectInvalid(_authorization(), new bytes(64));
    }

    // -------------------------------------------------------------------------------------------------- time and nonce

    function test_DepositWithAuthorization_not_yet_valid_at_validAfter() public {
        bytes memory signature = _sign(KEY, _authorization());
        vm.warp(AFTER);
        _expectRefusal(bytes("FiatTokenV2: authorization is not yet valid"), _authorization(), signature);
        vm.warp(AFTER + 1);
        _bring(stranger, _authorization(), signature);
        _assertDeposited();
    }

    function test_DepositWithAuthorization_expired_at_validBefore() public {
        bytes memory signature = _sign(KEY, _authorization());
        vm.warp(BEFORE);
        _expectRefusal(bytes("FiatTokenV2: authorization is expired"), _authorization(), signature);
        vm.warp(BEFORE - 1);
        _bring(stranger, _authorization(), signature);
        _assertDeposited();
    }

    function test_DepositWithAuthorization_refuses_a_used_nonce() public {
        _bring(stranger, _authorization(), _sign(KEY, _authorization()));
        Authorization memory again = _authorization();
        again.amount = 1;
        _expectRefusal(bytes("FiatTokenV2: authorization is used or canceled"), again, _sign(KEY, again));
        _assertDeposited();
    }

    function test_DepositWithAuthorization_refuses_a_cancelled_nonce() public {
        bytes memory signature = _sign(KEY, _authorization());
        bytes32 structHash = keccak256(abi.encode(usdc.CANCEL_AUTHORIZATION_TYPEHASH(), consumer, NONCE));
        usdc.cancelAuthorization(consumer, NONCE, _signHash(KEY, usdc.DOMAIN_SEPARATOR(), structHash));
        _expectRefusal(bytes("FiatTokenV2: authorization is used or canceled"), _authorization(), signature);
    }

    // ----------------------------------------------------------------------------------------------- amounts, accounts

    /// @dev The contract's own refusals come before USDC is asked, so no signature is needed to meet them.
    function test_DepositWithAuthorization_refuses_zero() public {
        Authorization memory nothing = _authorization();
        nothing.amount = 0;
        bytes memory refusal = abi.encodeWithSelector(ILuxxonSettlement.ZeroAmount.selector);
        _expectRefusal(refusal, nothing, _sign(KEY, nothing));
    }

    function test_DepositWithAuthorization_refuses_impossible_accounts() public {
        address[3] memory accounts = [address(0), address(settlement), address(usdc)];
        for (uint256 i = 0; i < accounts.length; i++) {
            Authorization memory authorization = _authorization();
            authorization.from = accounts[i];
            bytes memory refusal = abi.encodeWithSelector(ILuxxonSettlement.InvalidAccount.selector, accounts[i]);
            _expectRefusal(refusal, authorization, "");
        }
    }

    function test_DepositWithAuthorization_accepts_an_amount_of_64_bits_and_refuses_one_of_65() public {
        vm.prank(minter);
        usdc.mint(consumer, MAX_UINT64);
        Authorization memory large = _authorization();
        large.amount = MAX_UINT64 + 1;
        bytes memory refusal =
            abi.encodeWithSelector(ILuxxonSettlement.ValueTooLarge.selector, MAX_UINT64 + 1, MAX_UINT64);
        _expectRefusal(refusal, large, _sign(KEY, large));
        large.amount = MAX_UINT64;
        _bring(stranger, large, _sign(KEY, large));
        vm.assertEq(settlement.deposits(consumer), MAX_UINT64, "pool");
    }

    function test_DepositWithAuthorization_refuses_a_pool_of_65_bits() public {
        _fillPool(consumer, MAX_UINT64 - AMOUNT + 1);
        bytes memory refusal =
            abi.encodeWithSelector(ILuxxonSettlement.ValueTooLarge.selector, MAX_UINT64 + 1, MAX_UINT64);
        _expectRefusal(refusal, _authorization(), _sign(KEY, _authorization()));
        vm.prank(consumer);
        settlement.withdraw(1);
        _bring(stranger, _authorization(), _sign(KEY, _authorization()));
        vm.assertEq(settlement.deposits(consumer), MAX_UINT64, "pool");
    }

    // -------------------------------------------------------------------------------------------------- pause and USDC

    /// @dev A pause does not cost the consumer the authorization.
    function test_DepositWithAuthorization_refuses_while_paused_and_works_afterwards() public {
        bytes memory signature = _sign(KEY, _authorization());
        _pause();
        _expectRefusal(abi.encodeWithSelector(ILuxxonSettlement.ContractPaused.selector), _authorization(), signature);
        vm.prank(admin);
        settlement.unpause();
        _bring(stranger, _authorization(), signature);
        _assertDeposited();
    }

    function test_DepositWithAuthorization_reverts_while_usdc_is_paused() public {
        bytes memory signature = _sign(KEY, _authorization());
        _pauseToken();
        _expectRefusal(bytes("Pausable: paused"), _authorization(), signature);
    }

    function test_DepositWithAuthorization_reverts_for_a_blacklisted_signer_or_contract() public {
        bytes memory signature = _sign(KEY, _authorization());
        _blacklist(consumer);
        _expectRefusal(bytes("Blacklistable: account is blacklisted"), _authorization(), signature);
        _unBlacklist(consumer);
        _blacklist(address(settlement));
        _expectRefusal(bytes("Blacklistable: account is blacklisted"), _authorization(), signature);
    }

    function test_DepositWithAuthorization_reverts_without_the_balance() public {
        Authorization memory large = _authorization();
        large.amount = 10 * USDC + 1;
        _expectRefusal(bytes("ERC20: transfer amount exceeds balance"), large, _sign(KEY, large));
    }

    function test_DepositWithAuthorization_refuses_a_token_that_takes_a_fee() public {
        FeeTakingToken token = new FeeTakingToken();
        settlement = new LuxxonSettlement(address(token), admin, relayer, pauser, wallet, RELAYER_DELAY);
        token.mint(consumer, AMOUNT);
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.Insolvent.selector, AMOUNT - 1, AMOUNT));
        _bring(stranger, _authorization(), "");
        vm.assertEq(settlement.totalOwed(), 0, "totalOwed");
    }

    /// @dev `receiveWithAuthorization` returns nothing, so the balance is all that tells.
    function test_DepositWithAuthorization_refuses_a_transfer_that_fails_silently() public {
        SilentToken token = new SilentToken();
        settlement = new LuxxonSettlement(address(token), admin, relayer, pauser, wallet, RELAYER_DELAY);
        token.mint(consumer, AMOUNT);
        token.beSilent();
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.Insolvent.selector, 0, AMOUNT));
        _bring(stranger, _authorization(), "");
        vm.assertEq(settlement.totalOwed(), 0, "totalOwed");
    }

    // ------------------------------------------------------------------------------------------------------------ fuzz

    function testFuzz_DepositWithAuthorization_credits_exactly_what_was_signed(uint256 amount, bytes32 nonce) public {
        amount = _bound(amount, 1, MAX_UINT64);
        vm.prank(minter);
        usdc.mint(consumer, MAX_UINT64);
        Authorization memory authorization = _authorization();
        (authorization.amount, authorization.nonce) = (amount, nonce);
        _bring(stranger, authorization, _sign(KEY, authorization));
        vm.assertEq(settlement.deposits(consumer), amount, "pool");
        vm.assertEq(usdc.balanceOf(address(settlement)), amount, "held");
    }
}
