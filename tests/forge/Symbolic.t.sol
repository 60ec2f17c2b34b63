// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILuxxonSettlement} from "contracts/ILuxxonSettlement.sol";
import {LuxxonSettlement} from "contracts/LuxxonSettlement.sol";
import {UsdcStandIn} from "contracts/standin/UsdcStandIn.sol";
import {Test} from "./support/Test.sol";

/// @dev The cheatcodes of halmos that these checks use.
interface Svm {
    function enableSymbolicStorage(address account) external;
    function createCalldata(string memory contractName) external pure returns (bytes memory data);
    function createBytes32(string memory name) external pure returns (bytes32 value);
}

interface Store {
    function store(address target, bytes32 slot, bytes32 value) external;
}

/// @dev What halmos proves: forge passes over functions named check_. Arguments, callers and the whole storage of the
/// contract are unknowns, so a check that passes holds for every state whatever calls led to it, reachable or not, and
/// for every argument. USDC is the stand-in, with enough money. `make audit` runs it, with the settings of halmos.toml.
contract SymbolicTest is Test {
    Store private constant STORE = Store(address(vm));
    Svm private constant SVM = Svm(address(uint160(uint256(keccak256("svm cheat code")))));

    UsdcStandIn private usdc;
    LuxxonSettlement private settlement;

    /// @dev Everything a settlement may touch, of one account.
    struct Books {
        uint256 pool;
        uint256 owed;
        uint256 maxRate;
        uint256 maxPerSession;
        uint256 maxPerDay;
        uint256 spent;
        bool settled;
    }

    function setUp() public {
        usdc = new UsdcStandIn(address(0x11));
        settlement =
            new LuxxonSettlement(address(usdc), address(0x22), address(0x33), address(0x44), address(0x55), 24 hours);
        vm.prank(address(0x11));
        usdc.mint(address(settlement), 2 ** 100);
    }

    /// @dev Makes every word of the contract's storage an unknown: those of its mappings by halmos, which leaves alone
    /// what the constructor wrote, and the six words before them one by one.
    modifier inAnyState() {
        SVM.enableSymbolicStorage(address(settlement));
        for (uint256 slot = 0; slot < 6; slot++) {
            STORE.store(address(settlement), bytes32(slot), SVM.createBytes32("word"));
        }
        _;
    }

    // ------------------------------------------------------------------------------------------------------ settlement

    /// @dev Whoever calls, with whatever arguments: what succeeds keeps every rule and moves exactly the gross.
    function check_SettleFromPool_invariants_4_5_6_8_9_15(address caller, ILuxxonSettlement.BatchEntry memory entry)
        public
        inAnyState
    {
        Books memory before = _books(entry);
        bool allowed = caller == settlement.relayer() && !settlement.paused();

        vm.prank(caller);
        try settlement.settleFromPool(
            entry.sessionId,
            entry.from,
            entry.to,
            entry.ratePerSecond,
            entry.chargeableSeconds,
            entry.toAmount,
            entry.feeAmount
        ) {
            assert(allowed);
            _assertRules(entry, before);
            _assertBooked(entry, before);
        } catch {}
    }

    /// @dev The same for a batch of one, which may hold the payout instead of pushing it: here USDC accepts it.
    function check_SettleBatch_of_one_invariants_4_5_6_7_8_9_15(
        address caller,
        ILuxxonSettlement.BatchEntry memory entry
    ) public inAnyState {
        Books memory before = _books(entry);
        bool allowed = caller == settlement.relayer() && !settlement.paused();
        bytes4 reason = settlement.previewEntry(entry);
        if (settlement.platformWallet() == address(usdc)) return; // cannot be set; its fees would be held
        ILuxxonSettlement.BatchEntry[] memory entries = new ILuxxonSettlement.BatchEntry[](1);
        entries[0] = entry;

        vm.prank(caller);
        try settlement.settleBatch(entries) {
            assert(allowed);
            if (reason == 0) {
                _assertRules(entry, before);
                _assertBooked(entry, before);
            } else {
                _assertSame(entry, before);
            }
        } catch {}
    }

    /// @dev previewEntry's reason is the selector of the error that the relayer would meet, or none.
    function check_PreviewEntry_invariant_12_tells_what_settleFromPool_would_do(
        ILuxxonSettlement.BatchEntry memory entry
    ) public inAnyState {
        address relayer = settlement.relayer();
        if (settlement.paused()) return;
        if (settlement.totalOwed() < settlement.deposits(entry.from)) return; // invariant 2
        bytes4 reason = settlement.previewEntry(entry);

        vm.prank(relayer);
        try settlement.settleFromPool(
            entry.sessionId,
            entry.from,
            entry.to,
            entry.ratePerSecond,
            entry.chargeableSeconds,
            entry.toAmount,
            entry.feeAmount
        ) {
            assert(reason == 0);
        } catch (bytes memory refusal) {
            // USDC may refuse what the rules allow: its own address, or the zero address as a fee's recipient.
            if (reason != 0) assert(bytes4(refusal) == reason);
        }
    }

    /// @dev Whoever else has a pool, limits or a claim: a settlement of `from` leaves them, be it the payee's.
    function check_SettleFromPool_invariants_4_11_leaves_other_accounts(
        ILuxxonSettlement.BatchEntry memory entry,
        address other
    ) public inAnyState {
        if (other == entry.from) return;
        uint256 pool = settlement.deposits(other);
        bytes32 limits = _limits(other);
        uint256 claim = settlement.claimable(other);
        vm.prank(settlement.relayer());
        (bool done,) =
            address(settlement).call(abi.encodePacked(ILuxxonSettlement.settleFromPool.selector, abi.encode(entry)));
        if (!done) return;
        assert(settlement.deposits(other) == pool);
        assert(_limits(other) == limits);
        assert(settlement.claimable(other) == claim);
    }

    /// @dev Two settlements of one account, of one session or two, to one payee or two, at once on one deployment and
    /// one by one on another. Pool, limit of the day and amounts are any; what the checks above have is left out: both
    /// are metered to the unit and without a fee, and the account has no other limits and has spent nothing.
    function check_SettleBatch_of_two_invariants_6_8_12_13_equals_one_by_one(
        uint64 pool,
        uint48 maxPerDay,
        uint64[2] memory amounts,
        bool sameSession,
        bool samePayee
    ) public {
        LuxxonSettlement twin = new LuxxonSettlement(
            address(usdc), address(0x22), address(0x33), address(0x44), address(0x55), 24 hours
        );
        _open(settlement, pool, maxPerDay);
        _open(twin, pool, maxPerDay);
        ILuxxonSettlement.BatchEntry[] memory entries = new ILuxxonSettlement.BatchEntry[](2);
        entries[0] = _plain(bytes32(uint256(1)), address(0x77), amounts[0]);
        entries[1] =
            _plain(bytes32(uint256(sameSession ? 1 : 2)), samePayee ? address(0x77) : address(0x88), amounts[1]);

        vm.prank(address(0x33));
        settlement.settleBatch(entries);
        uint256[2] memory paid = [usdc.balanceOf(address(0x77)), usdc.balanceOf(address(0x88))];
        for (uint256 i = 0; i < 2; i++) {
            bytes memory call = abi.encodePacked(ILuxxonSettlement.settleFromPool.selector, abi.encode(entries[i]));
            vm.prank(address(0x33));
            (bool done,) = address(twin).call(call);
            done; // refused as the batch skips
        }
        assert(settlement.deposits(address(0x66)) == twin.deposits(address(0x66)));
        assert(settlement.totalOwed() == twin.totalOwed());
        (,,, uint48 spent) = settlement.limitsOf(address(0x66));
        (,,, uint48 twinSpent) = twin.limitsOf(address(0x66));
        assert(spent == twinSpent);
        assert(settlement.settled(bytes32(uint256(1))) == twin.settled(bytes32(uint256(1))));
        assert(settlement.settled(bytes32(uint256(2))) == twin.settled(bytes32(uint256(2))));
        unchecked {
            assert(usdc.balanceOf(address(0x77)) == 2 * paid[0]);
            assert(usdc.balanceOf(address(0x88)) == 2 * paid[1]);
        }
    }

    // ------------------------------------------------------------------------------------------------------- any call

    /// @dev Of anybody: no call makes a settled session settleable again. The relayer stays who it is, is revoked by
    /// pauser or owner, or is a candidate that waited; owner and platform wallet stay somebody. The time is 1, but when
    /// the candidate may accept is an unknown. Nothing is asked before the call that each of its paths would repeat.
    function check_Any_invariants_6_9_17_call_leaves_sessions_settled_and_roles_in_order(
        address caller,
        bytes32 sessionId
    ) public inAnyState {
        if (caller == address(0)) return; // nobody's key
        bool settled = settlement.settled(sessionId);
        (address owner, address pauser) = (settlement.owner(), settlement.pauser());
        (address relayer, address wallet) = (settlement.relayer(), settlement.platformWallet());
        (address candidate, uint64 acceptableAt) = settlement.pendingRelayer();
        bytes memory call = SVM.createCalldata("LuxxonSettlement");
        vm.prank(caller);
        (bool done,) = address(settlement).call(call);
        if (!done) return;

        if (!settlement.settled(sessionId)) assert(!settled);
        address next = settlement.relayer();
        if (next != relayer) {
            if (next == address(0)) assert(caller == owner || caller == pauser);
            else assert(next == caller && caller == candidate && block.timestamp >= acceptableAt);
        }
        if (settlement.owner() != owner) assert(settlement.owner() != address(0));
        if (settlement.platformWallet() != wallet) assert(!_isNobody(settlement.platformWallet()));
    }

    /// @dev Of anybody but the account itself: no call lowers its pool or changes its limits or its claim. Left out are
    /// the calls that may, each of which has a check of its own: the two settlements, and `claim`.
    function check_Any_invariants_4_11_call_of_another_leaves_pool_limits_and_claim(address caller, address account)
        public
        inAnyState
    {
        if (caller == account) return;
        uint256 pool = settlement.deposits(account);
        bytes32 limits = _limits(account);
        uint256 claim = settlement.claimable(account);
        bytes memory call = SVM.createCalldata("LuxxonSettlement");
        bytes4 selector = bytes4(call);
        if (selector == ILuxxonSettlement.settleFromPool.selector) return;
        if (selector == ILuxxonSettlement.settleBatch.selector) return;
        if (selector == ILuxxonSettlement.claim.selector) return;
        vm.prank(caller);
        (bool done,) = address(settlement).call(call);
        if (!done) return;
        assert(settlement.deposits(account) >= pool);
        assert(_limits(account) == limits);
        assert(settlement.claimable(account) == claim);
    }

    // -------------------------------------------------------------------------------------------------------- deposits

    function check_DepositFor_invariants_1_2_3_16(address payer, address account, uint256 amount) public inAnyState {
        SVM.enableSymbolicStorage(address(usdc));
        uint256 pool = settlement.deposits(account);
        uint256 owed = settlement.totalOwed();
        uint256 held = usdc.balanceOf(address(settlement));
        uint256 wallet = usdc.balanceOf(payer);
        bool paused = settlement.paused();
        if (payer == address(settlement)) return; // it calls no deposit

        vm.prank(payer);
        try settlement.depositFor(account, amount) {
            assert(!paused);
            assert(amount != 0 && !_isNobody(account));
            assert(settlement.deposits(account) == pool + amount);
            assert(pool + amount < 2 ** 64);
            assert(settlement.totalOwed() == owed + amount);
            assert(usdc.balanceOf(address(settlement)) == held + amount);
            assert(usdc.balanceOf(address(settlement)) >= owed + amount);
            assert(usdc.balanceOf(payer) == wallet - amount);
        } catch {}
    }

    /// @dev By whoever sets them, in every state.
    function check_SetLimits_invariants_8_11(address account, uint32 rate, uint48 session, uint48 day)
        public
        inAnyState
    {
        uint256 pool = settlement.deposits(account);
        uint256 owed = settlement.totalOwed();
        (,,, uint48 spent) = settlement.limitsOf(account);
        vm.prank(account);
        try settlement.setLimits(rate, session, day) {
            (uint32 newRate, uint48 newSession, uint48 newDay, uint48 newSpent) = settlement.limitsOf(account);
            assert(newRate == rate);
            assert(newSession == session);
            assert(newDay == day);
            assert(newSpent == spent);
            assert(settlement.deposits(account) == pool);
            assert(settlement.totalOwed() == owed);
        } catch {
            assert(false);
        }
    }

    function check_Rescue_invariants_1_11_15(address caller, address to, uint256 amount) public inAnyState {
        address owner = settlement.owner();
        uint256 owed = settlement.totalOwed();
        uint256 held = usdc.balanceOf(address(settlement));
        vm.prank(caller);
        try settlement.rescue(to, amount) {
            assert(caller == owner);
            assert(amount != 0 && !_isNobody(to));
            assert(settlement.totalOwed() == owed);
            assert(usdc.balanceOf(address(settlement)) == held - amount);
            assert(held - amount >= owed);
        } catch {}
    }

    // ----------------------------------------------------------------------------------------------------------- exits

    /// @dev Whatever the roles, the pause and the limits are.
    /// @custom:halmos --solver z3
    function check_Withdraw_invariant_10_works_in_every_state(address account, uint256 amount) public inAnyState {
        if (account == address(0) || account == address(settlement) || account == address(usdc)) return;
        uint256 pool = settlement.deposits(account);
        uint256 owed = settlement.totalOwed();
        if (amount == 0 || amount > pool || pool > owed) return; // the last is invariant 2
        uint256 held = usdc.balanceOf(account);

        vm.prank(account);
        try settlement.withdraw(amount) {
            assert(settlement.deposits(account) == pool - amount);
            assert(settlement.totalOwed() == owed - amount);
            assert(usdc.balanceOf(account) == held + amount);
        } catch {
            assert(false);
        }
    }

    function check_Claim_invariant_10_works_in_every_state(address caller, address account) public inAnyState {
        if (account == address(0) || account == address(settlement) || account == address(usdc)) return;
        uint256 amount = settlement.claimable(account);
        uint256 owed = settlement.totalOwed();
        if (amount == 0 || amount > owed) return; // the last is invariant 2
        uint256 held = usdc.balanceOf(account);

        vm.prank(caller);
        try settlement.claim(account) {
            assert(settlement.claimable(account) == 0);
            assert(settlement.totalOwed() == owed - amount);
            assert(usdc.balanceOf(account) == held + amount);
        } catch {
            assert(false);
        }
    }

    // ------------------------------------------------------------------------------------------------------- internals

    function _limits(address account) private view returns (bytes32) {
        (uint32 rate, uint48 session, uint48 day, uint48 spent) = settlement.limitsOf(account);
        return bytes32(abi.encodePacked(rate, session, day, spent));
    }

    function _isNobody(address account) private view returns (bool) {
        return account == address(0) || account == address(settlement) || account == address(usdc);
    }

    /// @dev A pool with a limit of the day, for address 0x66.
    function _open(LuxxonSettlement deployment, uint64 pool, uint48 maxPerDay) private {
        if (pool != 0) {
            vm.prank(address(0x11));
            usdc.mint(address(this), pool);
            usdc.approve(address(deployment), pool);
            deployment.depositFor(address(0x66), pool);
        }
        vm.prank(address(0x66));
        deployment.setLimits(0, 0, maxPerDay);
    }

    function _plain(bytes32 sessionId, address to, uint256 amount)
        private
        pure
        returns (ILuxxonSettlement.BatchEntry memory)
    {
        return ILuxxonSettlement.BatchEntry(sessionId, address(0x66), to, amount, 1, amount, 0);
    }

    function _books(ILuxxonSettlement.BatchEntry memory entry) private view returns (Books memory books) {
        (books.maxRate, books.maxPerSession, books.maxPerDay, books.spent) = settlement.limitsOf(entry.from);
        books.pool = settlement.deposits(entry.from);
        books.owed = settlement.totalOwed();
        books.settled = settlement.settled(entry.sessionId);
    }

    function _assertRules(ILuxxonSettlement.BatchEntry memory entry, Books memory before) private view {
        unchecked {
            uint256 gross = entry.toAmount + entry.feeAmount;
            assert(!before.settled);
            assert(entry.to != address(0) && entry.to != address(settlement) && entry.to != address(usdc));
            assert(entry.ratePerSecond < 2 ** 64 && entry.chargeableSeconds < 2 ** 32);
            assert(entry.toAmount < 2 ** 64 && entry.feeAmount < 2 ** 64);
            assert(gross != 0 && gross < 2 ** 64);
            assert(gross <= entry.ratePerSecond * entry.chargeableSeconds);
            assert(entry.feeAmount * 10_000 <= gross * 2_000);
            assert(before.maxRate == 0 || entry.ratePerSecond <= before.maxRate);
            assert(before.maxPerSession == 0 || gross <= before.maxPerSession);
            assert(before.maxPerDay == 0 || before.spent + gross <= before.maxPerDay);
            assert(gross <= before.pool);
        }
    }

    function _assertBooked(ILuxxonSettlement.BatchEntry memory entry, Books memory before) private view {
        unchecked {
            uint256 gross = entry.toAmount + entry.feeAmount;
            Books memory now_ = _books(entry);
            assert(now_.settled);
            assert(now_.pool == before.pool - gross);
            assert(now_.owed == before.owed - gross);
            assert(now_.maxRate == before.maxRate);
            assert(now_.maxPerSession == before.maxPerSession);
            assert(now_.maxPerDay == before.maxPerDay);
            uint256 spent = before.spent + gross;
            assert(now_.spent == (spent < 2 ** 48 ? spent : 2 ** 48 - 1));
        }
    }

    function _assertSame(ILuxxonSettlement.BatchEntry memory entry, Books memory before) private view {
        assert(keccak256(abi.encode(_books(entry))) == keccak256(abi.encode(before)));
    }
}
