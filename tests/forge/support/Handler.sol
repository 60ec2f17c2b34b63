// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {Play} from "./Play.sol";

/// @dev Plays consumers, operators, roles, USDC's blacklister, a stray donor and time against one settlement contract.
/// Every action is one call whose end the books foretell: it has to succeed, or to be refused word for word as they
/// say. Nothing that fails goes unnoticed. What else it changed is compared after every action, in Invariants.t.sol.
contract Handler is Play {
    uint256 private _nonces;

    constructor() {
        for (uint256 i = 0; i < CONSUMERS; i++) {
            vm.prank(parties[i]);
            usdc.approve(address(settlement), type(uint256).max);
        }
        // A run is short: most consumers begin with a pool, and half of those with limits.
        for (uint256 i = 0; i < 6; i++) {
            _deposit(parties[i], 2 ** (30 + 4 * i));
            if (i % 2 == 0) _setLimits(parties[i], 2 ** (20 + i), 2 ** (24 + i), 2 ** (26 + i));
        }
    }

    // -------------------------------------------------------------------------------------------------------- accounts

    function deposit(uint256 who, uint256 seed) external {
        _deposit(_consumer(who), _amountToDeposit(seed));
    }

    function depositFor(uint256 who, uint256 forWhom, uint256 seed) external {
        address payer = _consumer(who);
        address account = seed % 16 == 0 ? _nobody(forWhom) : parties[forWhom % parties.length];
        uint256 amount = _amountToDeposit(seed);
        _fund(payer, amount);
        bytes memory call = abi.encodeCall(ILuxxonSettlement.depositFor, (account, amount));
        if (_play("depositFor", payer, call, _depositRefusal(account, payer, amount))) {
            _bookDeposit(account, payer, amount);
        }
    }

    /// @dev By the consumer's signature, brought by anybody; one in three is spoiled.
    function depositWithAuthorization(uint256 who, uint256 bearer, uint256 seed) external {
        address account = _consumer(who);
        uint256 amount = _amountToDeposit(seed);
        _fund(account, amount);
        uint256 spoiled = _draw(seed, "spoiled") % 12;
        uint256 validAfter = spoiled == 0 ? block.timestamp : block.timestamp - 1;
        uint256 validBefore = spoiled == 1 ? block.timestamp : block.timestamp + 1;
        if (spoiled != 2) _nonces += 1; // else the nonce of the one before
        bytes32 nonce = keccak256(abi.encode(account, _nonces));
        uint256 signer = who % CONSUMERS + (spoiled == 3 ? 1 : 0);
        bytes memory signature = _sign(_keys[signer % CONSUMERS], account, amount, validAfter, validBefore, nonce);

        bytes memory refusal = _depositRefusal(account, account, amount);
        if (refusal.length == 0) {
            if (spoiled == 0) {
                refusal = _usdcSays("FiatTokenV2: authorization is not yet valid");
            } else if (spoiled == 1) {
                refusal = _usdcSays("FiatTokenV2: authorization is expired");
            } else if (usdc.authorizationState(account, nonce)) {
                refusal = _usdcSays("FiatTokenV2: authorization is used or canceled");
            } else if (spoiled == 3) {
                refusal = _usdcSays("FiatTokenV2: invalid signature");
            }
        }
        bytes memory call = abi.encodeCall(
            ILuxxonSettlement.depositWithAuthorization, (account, amount, validAfter, validBefore, nonce, signature)
        );
        if (_play("depositWithAuthorization", parties[bearer % parties.length], call, refusal)) {
            _bookDeposit(account, account, amount);
        }
    }

    function withdraw(uint256 who, uint256 seed) external {
        address account = parties[who % parties.length];
        if (books[account].pool == 0) account = _consumer(who);
        _withdraw(account, seed % 8 == 0 ? 0 : _bound(_amount(seed), 1, books[account].pool + 1));
    }

    function withdrawTooMuch(uint256 who, uint256 seed) external {
        address account = _consumer(who);
        uint256 pool = books[account].pool;
        _withdraw(account, pool + (seed % 2 == 0 ? 1 : _bound(seed, 1, type(uint256).max - pool)));
    }

    /// @dev Called by anybody; if there is a claim that USDC lets pass, then mostly for one.
    function claim(uint256 bearer, uint256 who) external {
        address account = parties[who % parties.length];
        for (uint256 i = 1; i < parties.length && who % 4 != 0 && !_canClaim(account); i++) {
            account = parties[(who % parties.length + i) % parties.length];
        }
        _claim(parties[bearer % parties.length], account);
    }

    /// @dev Each of the limits is as likely none as some, and some are below what was spent already.
    function setLimits(uint256 who, uint256 seed) external {
        uint256 rate = seed % 2 == 0 ? 0 : _amount(_draw(seed, "rate")) % 2 ** 32;
        uint256 session = _draw(seed, "s") % 2 == 0 ? 0 : _amount(_draw(seed, "session")) % 2 ** 48;
        uint256 day = _draw(seed, "d") % 2 == 0 ? 0 : _amount(_draw(seed, "day")) % 2 ** 48;
        _setLimits(_consumer(who), rate, session, day);
    }

    /// @dev Invariant 10: takes out all there is, once USDC lets it.
    function takeEverything(uint256 who) external {
        address account = parties[who % parties.length];
        if (books[account].blacklisted) _unBlacklist(account);
        if (books[account].pool != 0) _withdraw(account, books[account].pool);
        if (books[account].claim != 0) _claim(parties[0], account);
    }

    function giveAway(uint256 seed) external {
        uint256 amount = _amount(seed) + 1;
        _mint(address(settlement), amount);
        gifts += amount;
    }

    // ------------------------------------------------------------------------------------------------------ settlement

    /// @dev Three in a row, of which half are good.
    function settleFromPool(uint256 seed) external {
        _forgetTaken();
        for (uint256 i = 0; i < 3; i++) {
            uint256 draw = _draw(seed / 2 + i, "settlement");
            _settleAlone(draw, draw % 2 == 0 ? 0 : _draw(draw, "defect") % DEFECTS);
        }
    }

    /// @dev Invariants 7, 13 and 14: entry by entry and payout by payout, down to the log.
    function settleBatch(uint256 seed, uint256 size) external {
        address caller = _settler(seed);
        bytes memory refusal = _settlerRefusal(caller);
        size = size % 16 == 0 ? 0 : 1 + size % 12;
        if (refusal.length == 0 && size == 0) {
            refusal = abi.encodeWithSelector(ILuxxonSettlement.BatchSizeOutOfRange.selector, 0, 100);
        }
        delete _trail;
        ILuxxonSettlement.BatchEntry[] memory entries = new ILuxxonSettlement.BatchEntry[](size);
        bool[] memory booked = new bool[](size);
        for (uint256 i = 0; i < size; i++) {
            uint256 draw = _draw(seed / 2 + i, "entry");
            uint256 defect = draw % 3 == 0 ? _draw(draw, "defect") % DEFECTS : 0;
            entries[i] = _draft(draw, defect);
            if (i != 0 && _draw(draw, "same payee") % 2 == 0 && defect != 2) entries[i].to = entries[i - 1].to;
            if (i != 0 && defect == 11) entries[i].sessionId = entries[i - 1].sessionId;
            if (refusal.length == 0) booked[i] = _tryEntry(entries[i], i);
        }
        _bookPayouts(entries, booked);
        _forgetTaken();
        _settle("settleBatch", caller, abi.encodeCall(ILuxxonSettlement.settleBatch, (entries)), refusal);
        for (uint256 i = 0; i < size; i++) {
            bool known = settlement.settled(entries[i].sessionId);
            vm.assertEq(known, isSettled[entries[i].sessionId], "invariants 6, 7: settled");
        }
    }

    // ----------------------------------------------------------------------------------------------------------- admin

    /// @dev Only one in four stops: most of a run has to be about money moving.
    function pauseOrUnpause(uint256 seed) external {
        bytes memory refusal;
        if (paused == (seed % 4 == 0)) {
            if (paused) refusal = abi.encodeWithSelector(ILuxxonSettlement.ContractPaused.selector);
            else refusal = abi.encodeWithSelector(ILuxxonSettlement.ContractNotPaused.selector);
        }
        if (seed % 4 == 0) {
            if (_administer("pause", pauser, abi.encodeCall(ILuxxonSettlement.pause, ()), refusal)) paused = true;
        } else {
            if (_administer("unpause", admin, abi.encodeCall(ILuxxonSettlement.unpause, ()), refusal)) paused = false;
        }
    }

    /// @dev Cancels, revokes, proposes, or has somebody accept, in time or too early. Without a relayer nothing settles,
    /// so one is revoked when the next stands ready, and then mostly accepts.
    function replaceRelayer(uint256 seed) external {
        uint256 choice = seed % 8;
        address caller = _draw(seed, "caller") % 2 == 0 ? pauser : admin;
        if (relayer == address(0) && choice % 2 == 0) choice = 4;
        if (choice == 0) return _cancelProposal(caller);
        if (choice == 1 && candidate != address(0)) {
            _revokeRelayer(caller);
            return _revokeRelayer(caller); // there is none any more
        }
        if (choice == 2 || candidate == address(0)) return _propose(relayers[_draw(seed, "next") % relayers.length]);
        if (choice == 3) vm.warp(acceptableAt <= block.timestamp ? block.timestamp : acceptableAt - 1);
        else if (block.timestamp < acceptableAt) vm.warp(acceptableAt);
        _acceptRelayer(choice == 5 ? relayers[_draw(seed, "who") % relayers.length] : candidate);
    }

    function replacePlatformWallet(uint256 seed) external {
        address next = seed % 4 == 0 ? _nobody(seed / 4) : parties[CONSUMERS + OPERATORS + seed % 2];
        bytes memory refusal;
        if (_isNobody(next)) {
            refusal = abi.encodeWithSelector(ILuxxonSettlement.InvalidPlatformWallet.selector, next);
        }
        bytes memory call = abi.encodeCall(ILuxxonSettlement.setPlatformWallet, (next));
        if (_administer("setPlatformWallet", admin, call, refusal)) platformWallet = next;
    }

    /// @dev Invariant 11: the surplus, to the last unit, and not one unit more.
    function rescue(uint256 who, uint256 seed) external {
        address to = seed % 16 == 3 ? _nobody(who) : parties[who % parties.length];
        uint256 surplus = gifts - rescued;
        uint256 amount = _bound(_amount(seed), 1, surplus + 1);
        if (seed % 8 < 3) amount = [0, surplus, surplus + 1][seed % 8];
        bytes memory refusal;
        if (amount == 0) {
            refusal = abi.encodeWithSelector(ILuxxonSettlement.ZeroAmount.selector);
        } else if (_isNobody(to)) {
            refusal = abi.encodeWithSelector(ILuxxonSettlement.InvalidPayee.selector, to);
        } else if (amount > surplus) {
            refusal = abi.encodeWithSelector(ILuxxonSettlement.SurplusExceeded.selector, amount, surplus);
        } else {
            refusal = _transferRefusal(to);
        }
        if (_administer("rescue", admin, abi.encodeCall(ILuxxonSettlement.rescue, (to, amount)), refusal)) {
            books[to].wallet += amount;
            rescued += amount;
        }
    }

    /// @dev Invariants 9 and 11: whoever has no role gets nowhere with a call of one.
    function trespass(uint256 who, uint256 which, uint256 seed) external {
        address caller = parties[who % parties.length];
        bytes memory notOwner = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, caller);
        bytes memory notPauser = abi.encodeWithSelector(ILuxxonSettlement.NotPauser.selector, caller);
        bytes[10] memory calls = [
            abi.encodeCall(ILuxxonSettlement.pause, ()),
            abi.encodeCall(ILuxxonSettlement.cancelRelayerProposal, ()),
            abi.encodeCall(ILuxxonSettlement.revokeRelayer, ()),
            abi.encodeCall(ILuxxonSettlement.unpause, ()),
            abi.encodeCall(ILuxxonSettlement.proposeRelayer, (caller)),
            abi.encodeCall(ILuxxonSettlement.setPauser, (caller)),
            abi.encodeCall(ILuxxonSettlement.setPlatformWallet, (caller)),
            abi.encodeCall(ILuxxonSettlement.rescue, (caller, seed)),
            abi.encodeCall(Ownable.transferOwnership, (caller)),
            abi.encodeCall(Ownable.renounceOwnership, ())
        ];
        which = which % calls.length;
        bytes memory refusal = which < 3 ? notPauser : notOwner;
        // Invariant 17: not even the owner.
        if (which == 9) refusal = abi.encodeWithSelector(ILuxxonSettlement.OwnershipCannotBeRenounced.selector);
        _administer("trespass", which == 9 ? admin : caller, calls[which], refusal);
    }

    // --------------------------------------------------------------------------------------------------- USDC and time

    /// @dev Four at most at a time, operators more often: most transfers have to succeed.
    function blacklist(uint256 who, uint256 seed) external {
        address account = seed % 2 == 0 ? parties[who % parties.length] : parties[CONSUMERS + who % OPERATORS];
        uint256 count;
        for (uint256 i = 0; i < parties.length; i++) {
            if (books[parties[i]].blacklisted) count += 1;
        }
        if (books[account].blacklisted) return _unBlacklist(account);
        _blacklist(account);
        for (uint256 i = 0; count >= 4; i++) {
            if (!books[parties[i]].blacklisted || parties[i] == account) continue;
            _unBlacklist(parties[i]);
            count -= 1;
        }
    }

    function passHours(uint256 count) external {
        vm.warp(block.timestamp + (1 + count % 12) * 1 hours);
    }

    /// @dev The last second of the day, or the first of the next.
    function passMidnight(uint256 seed) external {
        uint256 midnight = (today() + 1) * 1 days;
        vm.warp(seed % 2 == 0 || block.timestamp == midnight - 1 ? midnight : midnight - 1);
    }

    // --------------------------------------------------------------------------------------------------- for the suite

    function everybody() external view returns (address[] memory, Account[] memory accounts, uint256[] memory spent) {
        accounts = new Account[](parties.length);
        spent = new uint256[](parties.length);
        for (uint256 i = 0; i < parties.length; i++) {
            accounts[i] = books[parties[i]];
            spent[i] = spentToday(parties[i]);
        }
        return (parties, accounts, spent);
    }

    function partyCount() external view returns (uint256) {
        return parties.length;
    }

    function sessionCounts() external view returns (uint256 settledCount, uint256 refusedCount) {
        return (sessions.length, refusedSessions.length);
    }
}
