// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {Drafts} from "./Drafts.sol";
import {Vm} from "./Vm.sol";

/// @dev Makes calls whose end the books foretell, and counts how each ended.
abstract contract Play is Drafts {
    /// @dev A settled session as the logs of the contract tell it, read apart from the books.
    struct Taken {
        address to;
        uint256 toAmount;
        uint256 feeAmount;
        uint256 ratePerSecond;
        uint256 chargeableSeconds;
    }

    Taken[] private _lastTaken; // by the last action that settled
    uint256 public actions;
    uint256 public entriesTried;
    uint256 public entriesSettled; // by the logs
    uint256 public entriesSkipped; // by the logs

    function lastTaken() external view returns (Taken[] memory) {
        return _lastTaken;
    }

    function _forgetTaken() internal {
        delete _lastTaken;
    }

    // ----------------------------------------------------------------------------------------------------------- calls

    /// @dev `call` has to succeed if `refusal` is empty, else to be refused with exactly that.
    function _play(string memory action, address caller, bytes memory call, bytes memory refusal)
        internal
        returns (bool done)
    {
        // forge-lint: disable-next-line(unsafe-typecast) -- the first four bytes are the error's selector
        happened[action][bytes4(refusal)] += 1;
        actions += 1;
        bytes memory answer;
        vm.prank(caller);
        (done, answer) = address(settlement).call(call);
        if (refusal.length == 0) {
            vm.assertTrue(done, string.concat(action, ": refused what it had to do"));
        } else {
            vm.assertTrue(!done, string.concat(action, ": did what it had to refuse"));
            vm.assertEq(keccak256(answer), keccak256(refusal), string.concat(action, ": refused for another reason"));
        }
    }

    /// @dev Invariant 11: a call of a role leaves alone what belongs to accounts.
    function _administer(string memory action, address caller, bytes memory call, bytes memory refusal)
        internal
        returns (bool done)
    {
        bytes32 before = _holdings();
        done = _play(action, caller, call, refusal);
        vm.assertEq(_holdings(), before, "invariant 11: a call of a role changed an account");
    }

    /// @dev Every pool, claim and limit, as one value.
    function _holdings() private view returns (bytes32 digest) {
        for (uint256 i = 0; i < parties.length; i++) {
            (uint256 rate, uint256 session, uint256 day, uint256 spent) = settlement.limitsOf(parties[i]);
            uint256 pool = settlement.deposits(parties[i]);
            digest = keccak256(abi.encode(digest, pool, settlement.claimable(parties[i]), rate, session, day, spent));
        }
    }

    /// @dev Settles, and compares every log, those of USDC too, with the ones that the books expect.
    function _settle(string memory action, address caller, bytes memory call, bytes memory refusal) internal {
        vm.recordLogs();
        _play(action, caller, call, refusal);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        if (refusal.length != 0) return; // what a refused call logged is gone with it
        bytes32 expected = _trail;
        delete _trail;
        for (uint256 i = 0; i < logs.length; i++) {
            _expectLog(logs[i].emitter, logs[i].topics, logs[i].data);
            if (logs[i].topics[0] == ILuxxonSettlement.EntrySkipped.selector) entriesSkipped += 1;
            if (logs[i].topics[0] != ILuxxonSettlement.Settled.selector) continue;
            entriesSettled += 1;
            (uint256 toAmount, uint256 fee, uint256 rate, uint256 duration) =
                abi.decode(logs[i].data, (uint256, uint256, uint256, uint256));
            _lastTaken.push(Taken(address(uint160(uint256(logs[i].topics[3]))), toAmount, fee, rate, duration));
        }
        vm.assertEq(_trail, expected, string.concat(action, ": other logs than expected"));
    }

    function _deposit(address account, uint256 amount) internal {
        _fund(account, amount);
        bytes memory call = abi.encodeCall(ILuxxonSettlement.deposit, (amount));
        if (_play("deposit", account, call, _depositRefusal(account, account, amount))) {
            _bookDeposit(account, account, amount);
        }
    }

    function _setLimits(address who, uint256 rate, uint256 session, uint256 day) internal {
        Account storage account = books[who];
        (account.maxRate, account.maxPerSession, account.maxPerDay) = (rate, session, day);
        (account.spentWhenSet, account.dayWhenSet) = (spentToday(who), today());
        bytes memory call = abi.encodeCall(ILuxxonSettlement.setLimits, (uint32(rate), uint48(session), uint48(day)));
        _play("setLimits", who, call, "");
    }

    function _withdraw(address account, uint256 amount) internal {
        bytes memory call = abi.encodeCall(ILuxxonSettlement.withdraw, (amount));
        if (!_play("withdraw", account, call, _withdrawRefusal(account, amount))) return;
        books[account].pool -= amount;
        books[account].wallet += amount;
        withdrawn += amount;
    }

    function _claim(address bearer, address account) internal {
        bytes memory call = abi.encodeCall(ILuxxonSettlement.claim, (account));
        if (!_play("claim", bearer, call, _claimRefusal(account))) return;
        books[account].wallet += books[account].claim;
        claimed += books[account].claim;
        books[account].claim = 0;
    }

    function _canClaim(address account) internal view returns (bool) {
        return books[account].claim != 0 && !books[account].blacklisted;
    }

    // ----------------------------------------------------------------------------------------------------------- roles

    function _propose(address next) internal {
        (candidate, acceptableAt) = (next, block.timestamp + RELAYER_DELAY);
        _administer("proposeRelayer", admin, abi.encodeCall(ILuxxonSettlement.proposeRelayer, (next)), "");
    }

    function _revokeRelayer(address caller) internal {
        bytes memory refusal;
        if (relayer == address(0)) refusal = abi.encodeWithSelector(ILuxxonSettlement.NoRelayer.selector);
        bytes memory call = abi.encodeCall(ILuxxonSettlement.revokeRelayer, ());
        if (_administer("revokeRelayer", caller, call, refusal)) relayer = address(0);
    }

    function _acceptRelayer(address caller) internal {
        bytes memory refusal;
        if (caller != candidate) {
            refusal = abi.encodeWithSelector(ILuxxonSettlement.NotRelayerCandidate.selector, caller);
        } else if (block.timestamp < acceptableAt) {
            bytes4 selector = ILuxxonSettlement.RelayerDelayRunning.selector;
            refusal = abi.encodeWithSelector(selector, block.timestamp, acceptableAt);
        }
        bytes memory call = abi.encodeCall(ILuxxonSettlement.acceptRelayer, ());
        if (_administer("acceptRelayer", caller, call, refusal)) (relayer, candidate) = (caller, address(0));
    }

    function _cancelProposal(address caller) internal {
        bytes memory refusal;
        if (candidate == address(0)) {
            refusal = abi.encodeWithSelector(ILuxxonSettlement.NoRelayerProposal.selector);
        }
        bytes memory call = abi.encodeCall(ILuxxonSettlement.cancelRelayerProposal, ());
        if (_administer("cancelRelayerProposal", caller, call, refusal)) candidate = address(0);
    }

    // ------------------------------------------------------------------------------------------------------ settlement

    /// @dev One session, both transfers or none.
    function _settleAlone(uint256 seed, uint256 defect) internal {
        ILuxxonSettlement.BatchEntry memory entry = _draft(seed, defect);
        address caller = _settler(_draw(seed, "settler"));
        delete _trail;
        bytes memory refusal = _settlerRefusal(caller);
        if (refusal.length == 0) refusal = _previewedRefusal(entry);
        if (refusal.length == 0) refusal = _transferRefusal(entry.to);
        if (refusal.length == 0 && entry.feeAmount != 0) refusal = _transferRefusal(platformWallet);
        if (refusal.length == 0) {
            entriesTried += 1;
            _bookSettlement(entry);
            _bookPayout(entry.to, entry.toAmount);
            _bookPayout(platformWallet, entry.feeAmount);
        }
        bytes memory call = abi.encodePacked(ILuxxonSettlement.settleFromPool.selector, abi.encode(entry));
        _settle("settleFromPool", caller, call, refusal);
    }

    /// @dev What `previewEntry` says has to be what the books say.
    function _previewedRefusal(ILuxxonSettlement.BatchEntry memory entry) internal view returns (bytes memory refusal) {
        refusal = _entryRefusal(entry);
        // forge-lint: disable-next-line(unsafe-typecast) -- the first four bytes are the error's selector
        vm.assertEq(bytes32(settlement.previewEntry(entry)), bytes32(bytes4(refusal)), "previewEntry");
    }

    /// @dev Books an entry of a batch that will be tried; whether it is good.
    function _tryEntry(ILuxxonSettlement.BatchEntry memory entry, uint256 index) internal returns (bool good) {
        // forge-lint: disable-next-line(unsafe-typecast) -- the first four bytes are the error's selector
        bytes4 reason = bytes4(_entryRefusal(entry));
        happened["entry"][reason] += 1;
        entriesTried += 1;
        good = reason == 0;
        if (good) _bookSettlement(entry);
        else _bookSkip(entry, index, reason);
    }

    /// @dev Pays the booked entries: neighbours with the same payee at once, and all fees at once.
    function _bookPayouts(ILuxxonSettlement.BatchEntry[] memory entries, bool[] memory booked) internal {
        address payee;
        uint256 sum;
        uint256 fees;
        for (uint256 i = 0; i < entries.length; i++) {
            if (!booked[i]) continue;
            if (entries[i].to != payee) {
                _bookPayout(payee, sum);
                (payee, sum) = (entries[i].to, 0);
            }
            sum += entries[i].toAmount;
            fees += entries[i].feeAmount;
        }
        _bookPayout(payee, sum);
        _bookPayout(platformWallet, fees);
    }

    // ----------------------------------------------------------------------------------------------------------- money

    /// @dev Any amount, seldom none or one that is too wide.
    function _amountToDeposit(uint256 seed) internal pure returns (uint256 amount) {
        amount = _amount(seed);
        if (_draw(seed, "wide") % 8 == 0) amount += MAX_UINT64 + 1;
        else if (_draw(seed, "zero") % 16 == 0) amount = 0;
    }

    /// @dev Sees to it that `payer` has `amount`, unless USDC lets it have nothing.
    function _fund(address payer, uint256 amount) internal {
        if (books[payer].blacklisted || books[payer].wallet >= amount) return;
        _mint(payer, amount - books[payer].wallet);
        books[payer].wallet = amount;
    }

    function _mint(address to, uint256 amount) internal {
        vm.prank(_account("minter"));
        usdc.mint(to, amount);
    }

    function _blacklist(address account) internal {
        books[account].blacklisted = true;
        vm.prank(_account("minter"));
        usdc.blacklist(account);
    }

    function _unBlacklist(address account) internal {
        books[account].blacklisted = false;
        vm.prank(_account("minter"));
        usdc.unBlacklist(account);
    }

    /// @dev The signature of an ERC-3009 `ReceiveWithAuthorization`.
    function _sign(uint256 key, address from, uint256 amount, uint256 validAfter, uint256 validBefore, bytes32 nonce)
        internal
        view
        returns (bytes memory)
    {
        bytes32 typeHash = usdc.RECEIVE_WITH_AUTHORIZATION_TYPEHASH();
        bytes32 structHash =
            keccak256(abi.encode(typeHash, from, address(settlement), amount, validAfter, validBefore, nonce));
        bytes32 digest = keccak256(abi.encodePacked("\x19\x01", usdc.DOMAIN_SEPARATOR(), structHash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }
}
