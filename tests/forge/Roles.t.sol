// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {BatchFixture} from "./support/BatchFixture.sol";

contract RolesTest is BatchFixture {
    address private candidate = _account("candidate");

    function _propose(address who) private {
        vm.prank(admin);
        settlement.proposeRelayer(who);
    }

    function _accept(address who) private {
        vm.prank(who);
        settlement.acceptRelayer();
    }

    function _assertNoProposal() private view {
        (address proposed, uint64 acceptableAt) = settlement.pendingRelayer();
        vm.assertEq(proposed, address(0), "candidate");
        vm.assertEq(uint256(acceptableAt), 0, "acceptableAt");
    }

    function _expectNotOwner(address caller) private {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, caller));
        vm.prank(caller);
    }

    function _expectNotPauser(address caller) private {
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.NotPauser.selector, caller));
        vm.prank(caller);
    }

    // --------------------------------------------------------------------------------------------------------- relayer

    function test_ProposeRelayer_starts_the_delay() public {
        vm.warp(1_800_000_000);
        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.RelayerProposed(candidate, 1_800_000_000 + RELAYER_DELAY);
        _propose(candidate);

        (address proposed, uint64 acceptableAt) = settlement.pendingRelayer();
        vm.assertEq(proposed, candidate, "candidate");
        vm.assertEq(uint256(acceptableAt), 1_800_000_000 + RELAYER_DELAY, "acceptableAt");
        vm.assertEq(settlement.relayer(), relayer, "nothing changed yet");
    }

    function test_ProposeRelayer_only_by_the_owner() public {
        _expectNotOwner(pauser);
        settlement.proposeRelayer(candidate);
        _expectNotOwner(relayer);
        settlement.proposeRelayer(candidate);
    }

    function test_ProposeRelayer_refuses_zero() public {
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.ZeroRelayer.selector));
        _propose(address(0));
    }

    function test_ProposeRelayer_again_replaces_the_candidate_and_starts_anew() public {
        uint256 secondProposal = 1_800_000_000;
        vm.warp(secondProposal - RELAYER_DELAY);
        _propose(stranger);
        vm.warp(secondProposal);
        _propose(candidate);

        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.NotRelayerCandidate.selector, stranger));
        _accept(stranger);
        vm.expectRevert(
            abi.encodeWithSelector(
                ILuxxonSettlement.RelayerDelayRunning.selector, secondProposal, secondProposal + RELAYER_DELAY
            )
        );
        _accept(candidate);
    }

    function test_AcceptRelayer_invariant_9_not_a_second_early() public {
        _propose(candidate);
        uint256 acceptableAt = block.timestamp + RELAYER_DELAY;
        vm.warp(acceptableAt - 1);
        vm.expectRevert(
            abi.encodeWithSelector(ILuxxonSettlement.RelayerDelayRunning.selector, acceptableAt - 1, acceptableAt)
        );
        _accept(candidate);
        vm.assertEq(settlement.relayer(), relayer, "relayer");

        vm.warp(acceptableAt);
        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.RelayerSet(relayer, candidate);
        _accept(candidate);
        vm.assertEq(settlement.relayer(), candidate, "relayer");
        _assertNoProposal();
    }

    function test_AcceptRelayer_only_by_the_candidate() public {
        _propose(candidate);
        vm.warp(block.timestamp + RELAYER_DELAY);
        address[4] memory others = [admin, pauser, relayer, stranger];
        for (uint256 i = 0; i < others.length; i++) {
            vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.NotRelayerCandidate.selector, others[i]));
            _accept(others[i]);
        }
    }

    function test_AcceptRelayer_without_a_proposal_is_refused() public {
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.NotRelayerCandidate.selector, candidate));
        _accept(candidate);
    }

    function test_AcceptRelayer_works_once() public {
        _propose(candidate);
        vm.warp(block.timestamp + RELAYER_DELAY);
        _accept(candidate);
        vm.prank(admin);
        settlement.revokeRelayer();
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.NotRelayerCandidate.selector, candidate));
        _accept(candidate);
    }

    function test_AcceptRelayer_hands_settlement_over() public {
        _fillPool(consumer, 5 * USDC);
        _propose(candidate);
        vm.warp(block.timestamp + RELAYER_DELAY);
        _accept(candidate);

        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.NotRelayer.selector, relayer));
        _settle(1000, 0);
        _add(OTHER_SESSION, consumer, operator, 1_000, 0);
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.NotRelayer.selector, relayer));
        _settleBatch();
        vm.prank(candidate);
        settlement.settleFromPool(SESSION, consumer, operator, 1000, 1, 1000, 0);
        vm.assertEq(settlement.totalOwed(), 5 * USDC - 1000, "totalOwed shares the word");
    }

    function test_AcceptRelayer_has_no_expiry() public {
        _propose(candidate);
        vm.warp(block.timestamp + 3650 days);
        _accept(candidate);
        vm.assertEq(settlement.relayer(), candidate, "relayer");
    }

    function test_AcceptRelayer_without_a_delay_is_immediate() public {
        settlement = new LuxxonSettlement(address(usdc), admin, relayer, pauser, wallet, 0);
        _propose(candidate);
        _accept(candidate);
        vm.assertEq(settlement.relayer(), candidate, "relayer");
    }

    function test_CancelRelayerProposal_by_owner_and_pauser() public {
        address[2] memory cancellers = [admin, pauser];
        for (uint256 i = 0; i < cancellers.length; i++) {
            _propose(candidate);
            vm.expectEmit(address(settlement));
            emit ILuxxonSettlement.RelayerProposalCancelled(candidate);
            vm.prank(cancellers[i]);
            settlement.cancelRelayerProposal();
            _assertNoProposal();
        }
        vm.warp(block.timestamp + RELAYER_DELAY);
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.NotRelayerCandidate.selector, candidate));
        _accept(candidate);
    }

    function test_CancelRelayerProposal_by_nobody_else() public {
        _propose(candidate);
        _expectNotPauser(relayer);
        settlement.cancelRelayerProposal();
        _expectNotPauser(candidate);
        settlement.cancelRelayerProposal();
    }

    function test_CancelRelayerProposal_without_one_is_refused() public {
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.NoRelayerProposal.selector));
        vm.prank(pauser);
        settlement.cancelRelayerProposal();
    }

    function test_RevokeRelayer_by_owner_and_pauser_at_once() public {
        address[2] memory revokers = [admin, pauser];
        for (uint256 i = 0; i < revokers.length; i++) {
            setUp();
            vm.expectEmit(address(settlement));
            emit ILuxxonSettlement.RelayerSet(relayer, address(0));
            vm.prank(revokers[i]);
            settlement.revokeRelayer();
            vm.assertEq(settlement.relayer(), address(0), "relayer");
        }
    }

    function test_RevokeRelayer_by_nobody_else() public {
        _expectNotPauser(relayer);
        settlement.revokeRelayer();
        _expectNotPauser(stranger);
        settlement.revokeRelayer();
    }

    function test_RevokeRelayer_without_one_is_refused() public {
        vm.startPrank(pauser);
        settlement.revokeRelayer();
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.NoRelayer.selector));
        settlement.revokeRelayer();
        vm.stopPrank();
    }

    function test_RevokeRelayer_leaves_a_spare_key_standing() public {
        _propose(candidate);
        vm.warp(block.timestamp + RELAYER_DELAY);
        vm.prank(pauser);
        settlement.revokeRelayer();
        _accept(candidate);
        vm.assertEq(settlement.relayer(), candidate, "relayer");
    }

    // ----------------------------------------------------------------------------------------------------------- admin

    /// @dev Everything an admin can call, one after another; pools, limits, claims and every wallet stay as they were.
    /// What came astray is the one thing that goes, and to nobody whose wallet is looked at.
    function test_Admin_invariant_11_no_call_moves_money() public {
        _fillPool(consumer, 5 * USDC);
        _fillPool(stranger, 5 * USDC);
        _setLimits(consumer, 1_000, 2_000, 3_000);
        _blacklist(operator);
        _add(SESSION, consumer, operator, 900, 100);
        _settleBatch();
        vm.assertEq(settlement.claimable(operator), 900, "claimable");
        bytes32 before = _state();
        vm.prank(minter);
        usdc.mint(address(settlement), 7);
        vm.startPrank(admin);
        settlement.rescue(admin, 7);
        settlement.pause();
        settlement.unpause();
        settlement.proposeRelayer(candidate);
        settlement.cancelRelayerProposal();
        settlement.proposeRelayer(candidate);
        settlement.revokeRelayer();
        settlement.setPauser(admin);
        settlement.setPlatformWallet(admin);
        settlement.transferOwnership(stranger);
        vm.stopPrank();
        _assertUnchanged(before);
        vm.warp(block.timestamp + RELAYER_DELAY);
        _accept(candidate);
        vm.prank(stranger);
        settlement.acceptOwnership();
        vm.assertEq(settlement.deposits(consumer), 5 * USDC - 1_000, "pool");
        vm.assertEq(settlement.deposits(stranger), 5 * USDC, "other pool");
        vm.assertEq(settlement.claimable(operator), 900, "claimable");
        (uint32 maxRate, uint48 maxPerSession, uint48 maxPerDay,) = settlement.limitsOf(consumer);
        vm.assertTrue(maxRate == 1_000 && maxPerSession == 2_000 && maxPerDay == 3_000, "limits");
    }

    // -------------------------------------------------------------------------------------- pauser and platform wallet

    function test_SetPauser_by_the_owner_only() public {
        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.PauserSet(pauser, stranger);
        vm.prank(admin);
        settlement.setPauser(stranger);
        vm.assertEq(settlement.pauser(), stranger, "pauser");

        _expectNotOwner(stranger);
        settlement.setPauser(pauser);
        _expectNotPauser(pauser);
        settlement.pause();
    }

    function test_SetPauser_to_zero_leaves_the_owner() public {
        vm.startPrank(admin);
        settlement.setPauser(address(0));
        settlement.pause();
        vm.stopPrank();
        vm.assertTrue(settlement.paused(), "paused");
    }

    function test_SetPlatformWallet_redirects_the_next_fee() public {
        _fillPool(consumer, 1000);
        vm.expectEmit(address(settlement));
        emit ILuxxonSettlement.PlatformWalletSet(wallet, stranger);
        vm.prank(admin);
        settlement.setPlatformWallet(stranger);
        _settle(900, 100);
        vm.assertEq(settlement.platformWallet(), stranger, "platformWallet");
        vm.assertEq(usdc.balanceOf(stranger), 100, "fee");
    }

    function test_SetPlatformWallet_by_the_owner_only() public {
        _expectNotOwner(pauser);
        settlement.setPlatformWallet(pauser);
        _expectNotOwner(relayer);
        settlement.setPlatformWallet(relayer);
    }

    function test_SetPlatformWallet_invariant_17_refuses_impossible_wallets() public {
        address[3] memory wallets = [address(0), address(settlement), address(usdc)];
        for (uint256 i = 0; i < wallets.length; i++) {
            vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.InvalidPlatformWallet.selector, wallets[i]));
            vm.prank(admin);
            settlement.setPlatformWallet(wallets[i]);
        }
        vm.assertEq(settlement.platformWallet(), wallet, "platformWallet");
    }

    // ----------------------------------------------------------------------------------------------------------- owner

    function test_TransferOwnership_takes_two_steps() public {
        vm.prank(admin);
        settlement.transferOwnership(stranger);
        vm.assertEq(settlement.owner(), admin, "owner");
        vm.prank(stranger);
        settlement.acceptOwnership();
        vm.assertEq(settlement.owner(), stranger, "owner");
        _expectNotOwner(admin);
        settlement.setPauser(admin);
    }

    function test_TransferOwnership_by_the_owner_only_and_accepted_by_the_named_only() public {
        _expectNotOwner(stranger);
        settlement.transferOwnership(stranger);
        _expectNotOwner(stranger);
        settlement.acceptOwnership();
    }

    function test_TransferOwnership_to_zero_withdraws_the_offer() public {
        vm.startPrank(admin);
        settlement.transferOwnership(stranger);
        settlement.transferOwnership(address(0));
        vm.stopPrank();
        _expectNotOwner(stranger);
        settlement.acceptOwnership();
    }

    function test_RenounceOwnership_invariant_17_is_refused() public {
        vm.expectRevert(abi.encodeWithSelector(ILuxxonSettlement.OwnershipCannotBeRenounced.selector));
        vm.prank(admin);
        settlement.renounceOwnership();
        vm.assertEq(settlement.owner(), admin, "owner");
    }
}
