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

    // ------------------------------------------------------------------------------------------------------- any call

    /// @dev No call of anybody ever makes a settled session settleable again.
    function check_Any_invariant_6_call_leaves_settled_sessions_settled(address caller, bytes32 sessionId)
        public
        inAnyState
    {
        if (!settlement.settled(sessionId)) return;
        bytes memory call = SVM.createCalldata("LuxxonSettlement");
        vm.prank(caller);
        (bool done,) = address(settlement).call(call);
        if (done) assert(settlement.settled(sessionId));
    }

    /// @dev Nobody but the account itself and the relayer makes a pool fall, and nobody else changes a limit. What the
    /// relayer can do is above; `claim`, which anybody may call, is below.
    function check_Any_invariants_4_11_call_of_another_leaves_pool_limits_and_claim(address caller, address account)
        public
        inAnyState
    {
        if (caller == account || caller == settlement.relayer()) return;
        uint256 pool = settlement.deposits(account);
        uint256 claim = settlement.claimable(account);
        bytes32 limits = _limits(account);
        bytes memory call = SVM.createCalldata("LuxxonSettlement");
        if (bytes4(call) == ILuxxonSettlement.claim.selector) return;
        vm.prank(caller);
        (bool done,) = address(settlement).call(call);
        if (!done) return;
        assert(settlement.deposits(account) >= pool);
        assert(settlement.claimable(account) == claim);
        assert(_limits(account) == limits);
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
