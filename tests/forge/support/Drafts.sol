// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {Books} from "./Books.sol";

/// @dev Who takes part, and what they might ask for, made up from a seed: amounts of every size, and settlements that
/// are good or have a defect. Whether a draft is really refused, and why, is for the books to say: an entry over the
/// pool may be over a limit as well.
abstract contract Drafts is Books {
    uint256 internal constant CONSUMERS = 8;
    uint256 internal constant OPERATORS = 5;
    uint256 internal constant DEFECTS = 12; // the first of which is none

    address[] public parties; // consumers, then operators, then whoever can be the platform wallet
    address[] public relayers; // who can be the relayer
    uint256[] internal _keys; // of the consumers

    uint256 private _newSessions;

    constructor() {
        string[8] memory consumers = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];
        for (uint256 i = 0; i < CONSUMERS; i++) {
            _keys.push(uint256(keccak256(bytes(consumers[i]))));
            parties.push(vm.addr(_keys[i]));
            vm.label(parties[i], consumers[i]);
        }
        string[5] memory operators = ["ivan", "judy", "mallory", "niaj", "olivia"];
        for (uint256 i = 0; i < OPERATORS; i++) {
            parties.push(_account(operators[i]));
        }
        parties.push(platformWallet);
        parties.push(_account("next platformWallet"));
        relayers.push(relayer);
        relayers.push(_account("spare relayer"));
        relayers.push(_account("next relayer"));
    }

    /// @dev A number of its own for every label.
    function _draw(uint256 seed, string memory label) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, label)));
    }

    /// @dev An amount of any size up to 2^64 - 1, small ones as often as large ones.
    function _amount(uint256 seed) internal pure returns (uint256) {
        return _draw(seed, "amount") % 2 ** (1 + _draw(seed, "size") % 64);
    }

    function _consumer(uint256 seed) internal view returns (address) {
        return parties[seed % CONSUMERS];
    }

    /// @dev Mostly an operator; also a consumer, be it the payer itself, and the platform wallet.
    function _payee(uint256 seed) internal view returns (address) {
        return _draw(seed, "any") % 5 == 0 ? parties[seed % parties.length] : parties[CONSUMERS + seed % OPERATORS];
    }

    /// @dev Mostly the relayer; also whoever could be it, was it, or never can.
    function _settler(uint256 seed) internal view returns (address) {
        if (relayer != address(0) && seed % 16 != 0) return relayer;
        return _draw(seed, "trespasser") % 4 == 0 ? parties[seed % parties.length] : relayers[seed % relayers.length];
    }

    /// @dev Nobody's address.
    function _nobody(uint256 seed) internal view returns (address) {
        return [address(0), address(settlement), address(usdc)][seed % 3];
    }

    function _newSession() internal returns (bytes32) {
        _newSessions += 1;
        return keccak256(abi.encode("session", _newSessions));
    }

    /// @dev A settlement between some consumer and some payee with this defect, as far as the books allow it.
    function _draft(uint256 seed, uint256 defect) internal returns (ILuxxonSettlement.BatchEntry memory entry) {
        entry.sessionId = _newSession();
        if (_draw(seed, "again") % 4 == 0 && refusedSessions.length != 0) {
            entry.sessionId = refusedSessions[_draw(seed, "which") % refusedSessions.length];
        }
        entry.from = _consumer(_draw(seed, "consumer"));
        entry.to = _payee(_draw(seed, "operator"));
        uint256 most = _spendable(entry.from);
        _meter(entry, seed, _bound(_amount(_draw(seed, "gross")), 1, most == 0 ? 1 : most));
        _spoil(entry, seed, defect);
    }

    /// @dev Gross, fee, rate and seconds that fit each other and the rate limit; half of them to the last unit.
    function _meter(ILuxxonSettlement.BatchEntry memory entry, uint256 seed, uint256 gross) private view {
        uint256 duration = 1 + _draw(seed, "seconds") % 2 ** (1 + _draw(seed, "hours") % 31);
        uint256 rate = (gross - 1) / duration + 1;
        uint256 max = books[entry.from].maxRate;
        if (max != 0 && rate > max) {
            rate = max;
            duration = (gross - 1) / rate + 1;
        } else if (_draw(seed, "exactly") % 2 == 0) {
            duration = (gross - 1) / rate + 1;
        }
        entry.ratePerSecond = rate;
        entry.chargeableSeconds = duration;
        entry.feeAmount = _bound(_draw(seed, "fee"), 0, gross / 5);
        if (_draw(seed, "no fee") % 3 == 0) entry.feeAmount = 0;
        entry.toAmount = gross - entry.feeAmount;
    }

    function _spoil(ILuxxonSettlement.BatchEntry memory entry, uint256 seed, uint256 defect) private view {
        uint256 gross = entry.toAmount + entry.feeAmount;
        uint256 excess = 1 + _amount(_draw(seed, "excess")) / 2;
        if (_draw(seed, "barely") % 2 == 0) excess = 1;
        if (defect == 1 && sessions.length != 0) entry.sessionId = sessions[seed % sessions.length];
        else if (defect == 2) entry.to = _nobody(seed);
        else if (defect == 3) _widen(entry, seed % 5, excess);
        else if (defect == 4) (entry.toAmount, entry.feeAmount) = (0, 0);
        else if (defect == 5) entry.toAmount = entry.ratePerSecond * entry.chargeableSeconds - entry.feeAmount + excess;
        else if (defect == 6) _overcharge(entry, gross);
        else if (defect == 7) entry.ratePerSecond = books[entry.from].maxRate + excess;
        else if (defect == 8) _take(entry, books[entry.from].maxPerSession + excess);
        else if (defect == 9) _take(entry, books[entry.from].maxPerDay + 1 - _lesser(entry.from));
        else if (defect == 10) _take(entry, books[entry.from].pool + excess);
        // 11 is for a batch: an entry that repeats the one before it.
    }

    /// @dev The part of the day's limit that is used up.
    function _lesser(address account) private view returns (uint256) {
        uint256 spent = spentToday(account);
        return spent < books[account].maxPerDay ? spent : books[account].maxPerDay;
    }

    /// @dev One value that does not fit its width.
    function _widen(ILuxxonSettlement.BatchEntry memory entry, uint256 which, uint256 excess) private pure {
        if (which == 0) entry.ratePerSecond = MAX_UINT64 + excess;
        else if (which == 1) entry.chargeableSeconds = MAX_UINT32 + excess;
        else if (which == 2) entry.toAmount = type(uint256).max - excess;
        else if (which == 3) entry.feeAmount = MAX_UINT64 + excess;
        else (entry.toAmount, entry.feeAmount) = (MAX_UINT64, 1);
    }

    /// @dev A fee that is one unit above the ceiling.
    function _overcharge(ILuxxonSettlement.BatchEntry memory entry, uint256 gross) private pure {
        entry.feeAmount = gross / 5 + 1;
        entry.toAmount = gross - entry.feeAmount;
    }

    /// @dev Metered for `gross`, whatever it is, at the lowest rate.
    function _take(ILuxxonSettlement.BatchEntry memory entry, uint256 gross) private pure {
        if (gross > MAX_UINT64) gross = MAX_UINT64;
        entry.ratePerSecond = gross / MAX_UINT32 + 1;
        entry.chargeableSeconds = (gross - 1) / entry.ratePerSecond + 1;
        entry.feeAmount = gross / 10;
        entry.toAmount = gross - entry.feeAmount;
    }
}
