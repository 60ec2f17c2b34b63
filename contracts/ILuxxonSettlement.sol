// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IUsdc} from "./IUsdc.sol";

/// @title Prepaid USDC pools from which metered sessions are settled
/// @notice A consumer deposits USDC into a pool of their own and can withdraw it at any time. When a session ends, the
/// relayer settles it: the pool pays the operator and, if there is one, the platform fee.
///
/// WARNING: the meter bounds what one settlement takes by a rate and a duration that the relayer itself supplies.
/// It does not bound what a stolen relayer key can take: until it is revoked, that key can empty every pool whose owner
/// set no limits, to any payee, one session id after another. What bounds a consumer's exposure is the size of their
/// pool, `setLimits` (a limit per day above all), and `withdraw`.
///
/// WARNING: nothing is reserved while a session runs. A consumer may withdraw before the session is settled, and then
/// its settlement fails. The relayer has to settle promptly, and carries that risk.
///
/// WARNING: a session id is all that keeps a settlement from being repeated, and it is remembered by one deployment
/// only. Never let one relayer serve two deployments with the same session ids.
///
/// Assumptions about the token. It is Circle's USDC, and the contract is sound only as long as it
/// - has 6 decimals, and moves exactly the amount asked for: takes no fee, and never changes a balance by itself;
/// - reverts or returns false when a transfer fails;
/// - calls neither the payer nor the payee during a transfer. (Every entry point is guarded all the same.)
/// USDC can be paused, can refuse an address (its blacklist), and can be upgraded by Circle. While it refuses a
/// transfer, the deposit, withdrawal, claim or settlement that needs it reverts as a whole, with USDC's own error; only
/// in a batch does a blacklisted payee not stop the others, and its money is held for it.
/// USDC sent here other than through a deposit belongs to no pool; the owner can take it out, and nothing else.
///
/// All amounts are µUSDC, a millionth of a USDC; all times are seconds. Amounts are `uint256` in every signature and
/// event, but no accepted one reaches 2^64.
interface ILuxxonSettlement {
    // --------------------------------------------------------------------------------------------------------- structs

    /// @notice One settlement of a batch: the arguments of `settleFromPool`, in their order.
    /// @param sessionId keccak256 of the session UUID's canonical lower-case text.
    /// @param from The consumer whose pool pays.
    /// @param to The operator's wallet.
    /// @param ratePerSecond µUSDC per second.
    /// @param chargeableSeconds Seconds.
    /// @param toAmount µUSDC, to the operator.
    /// @param feeAmount µUSDC, to the platform wallet.
    struct BatchEntry {
        bytes32 sessionId;
        address from;
        address to;
        uint256 ratePerSecond;
        uint256 chargeableSeconds;
        uint256 toAmount;
        uint256 feeAmount;
    }

    // ------------------------------------------------------------------------------------------------ accounts: events

    /// @notice `payer` moved `amount` into the pool of `account`.
    event Deposited(address indexed account, address indexed payer, uint256 amount);

    /// @notice `account` took `amount` out of its pool.
    event Withdrawn(address indexed account, uint256 amount);

    /// @notice `account` was paid the `amount` that had been held for it.
    event Claimed(address indexed account, uint256 amount);

    /// @notice `account` set the limits of its pool, from the next settlement on; zero is no limit.
    /// @param maxRatePerSecond µUSDC per second.
    /// @param maxPerSession µUSDC.
    /// @param maxPerDay µUSDC per UTC day.
    event LimitsSet(address indexed account, uint32 maxRatePerSecond, uint48 maxPerSession, uint48 maxPerDay);

    // ------------------------------------------------------------------------------------------------- relayer: events

    /// @notice A session was paid out of the pool of `from`: `toAmount` to `to`, `feeAmount` to the platform wallet.
    /// @dev In a batch either amount may be part of a larger transfer, or be held (`PayoutHeld`).
    /// @param sessionId keccak256 of the session UUID's canonical lower-case text; emitted at most once, ever.
    /// @param toAmount What the operator got, µUSDC.
    /// @param feeAmount What the platform wallet got, µUSDC; may be zero.
    /// @param ratePerSecond The session's price, µUSDC per second, as the relayer stated it.
    /// @param chargeableSeconds The session's length in seconds, as the relayer stated it.
    event Settled(
        bytes32 indexed sessionId,
        address indexed from,
        address indexed to,
        uint256 toAmount,
        uint256 feeAmount,
        uint256 ratePerSecond,
        uint256 chargeableSeconds
    );

    /// @notice An entry of a batch was refused and changed nothing: its session can still be settled.
    /// @param index The entry's place in the batch, from 0.
    /// @param reason The selector of the error that `settleFromPool` would have reverted with.
    event EntrySkipped(bytes32 indexed sessionId, address indexed from, uint256 index, bytes4 reason);

    /// @notice USDC refuses `to`, so `amount` of a batch stays here until `claim` can pay it.
    event PayoutHeld(address indexed to, uint256 amount);

    // --------------------------------------------------------------------------------------------------- admin: events

    /// @notice `account` stopped deposits and settlement.
    event Paused(address account);

    /// @notice `account` resumed deposits and settlement.
    event Unpaused(address account);

    /// @notice The relayer changed: at construction, when a candidate accepted, or to zero when it was revoked.
    event RelayerSet(address indexed previousRelayer, address indexed newRelayer);

    /// @notice `candidate` may become the relayer from the timestamp `acceptableAt` on.
    event RelayerProposed(address indexed candidate, uint256 acceptableAt);

    /// @notice `candidate` can no longer become the relayer by the proposal made before.
    event RelayerProposalCancelled(address indexed candidate);

    /// @notice The pauser changed; zero means that only the owner can do what a pauser can.
    event PauserSet(address indexed previousPauser, address indexed newPauser);

    /// @notice The recipient of fees changed, from the next settlement on.
    event PlatformWalletSet(address indexed previousWallet, address indexed newWallet);

    /// @notice `amount` of USDC that belonged to no pool and no claim was sent to `to`.
    event Rescued(address indexed to, uint256 amount);

    // -------------------------------------------------------------------------------------------- errors: construction

    /// @notice The token must be a contract, and not an account that merely delegates to one (EIP-7702).
    error NotAContract(address token);

    /// @notice The token must count in units of 10^-expected.
    error WrongDecimals(uint256 decimals, uint256 expected);

    /// @notice The relayer delay may not be longer than `max` seconds.
    error RelayerDelayTooLong(uint256 delay, uint256 max);

    // ------------------------------------------------------------------------------------------------- errors: amounts

    /// @notice Nothing would be deposited, withdrawn, settled or rescued.
    error ZeroAmount();

    /// @notice A value, or the balance it would lead to, is wider than the contract accepts; `max` still fits.
    error ValueTooLarge(uint256 value, uint256 max);

    /// @notice The settlement takes more than `metered`, which is the rate times the seconds.
    error MeterExceeded(uint256 gross, uint256 metered);

    /// @notice The fee is more than `MAX_FEE_BPS` of the gross.
    error FeeExceeded(uint256 feeAmount, uint256 gross);

    /// @notice The pool of `account` holds less than `amount`.
    error InsufficientPool(address account, uint256 balance, uint256 amount);

    /// @notice The pool's owner allows at most `max` µUSDC per second.
    error RateLimitExceeded(address account, uint256 ratePerSecond, uint256 max);

    /// @notice The pool's owner allows at most `max` for one session.
    error SessionLimitExceeded(address account, uint256 gross, uint256 max);

    /// @notice With this settlement the pool would have spent more than the `max` its owner allows for a UTC day.
    error DayLimitExceeded(address account, uint256 spent, uint256 max);

    /// @notice Nothing is held for `account`.
    error NothingToClaim(address account);

    /// @notice Only what belongs to no pool and no claim can be rescued.
    error SurplusExceeded(uint256 amount, uint256 surplus);

    /// @notice The token credited less than it was asked to move: the contract would owe more than it holds.
    error Insolvent(uint256 held, uint256 owed);

    // -------------------------------------------------------------------------------------- errors: sessions and roles

    /// @notice This session was settled before; that cannot be undone or repeated.
    error SessionAlreadySettled(bytes32 sessionId);

    /// @notice A batch has at least one entry and at most `max`.
    error BatchSizeOutOfRange(uint256 size, uint256 max);

    /// @notice A pool cannot belong to zero, this contract or USDC.
    error InvalidAccount(address account);

    /// @notice A payee cannot be zero, this contract or USDC.
    error InvalidPayee(address to);

    /// @notice The platform wallet cannot be zero, this contract or USDC.
    error InvalidPlatformWallet(address wallet);

    /// @notice Deposits and settlement, and pausing again, need the contract to be running.
    error ContractPaused();

    /// @notice Only a paused contract can be unpaused.
    error ContractNotPaused();

    /// @notice Only the relayer settles.
    error NotRelayer(address caller);

    /// @notice Only the pauser or the owner may do this.
    error NotPauser(address caller);

    /// @notice Only the proposed candidate can accept the relayer role.
    error NotRelayerCandidate(address caller);

    /// @notice The relayer role cannot be accepted yet.
    error RelayerDelayRunning(uint256 timestamp, uint256 acceptableAt);

    /// @notice The zero address cannot be proposed; the role is taken away by `revokeRelayer`.
    error ZeroRelayer();

    /// @notice There is no proposal to cancel.
    error NoRelayerProposal();

    /// @notice There is no relayer to revoke.
    error NoRelayer();

    /// @notice The contract always has an owner: unpausing needs one.
    error OwnershipCannotBeRenounced();

    // -------------------------------------------------------------------------------------------------------- accounts

    /// @notice Moves `amount` from the caller's wallet into the caller's own pool; needs an allowance of that much.
    /// Refused while paused.
    /// @dev WARNING: what is deposited is at the relayer's disposal from this moment on.
    /// @param amount µUSDC, at least 1. The pool must stay below 2^64.
    function deposit(uint256 amount) external;

    /// @notice Moves `amount` from the caller's wallet into the pool of `account`; needs an allowance of that much.
    /// Refused while paused.
    /// @dev WARNING: only `account` can withdraw it, and not while USDC refuses `account`.
    /// @param account Not zero, this contract or USDC.
    /// @param amount µUSDC, at least 1. The pool must stay below 2^64.
    function depositFor(address account, uint256 amount) external;

    /// @notice Moves `amount` from the wallet of `from` into the pool of `from`, by `from`'s own signature: ERC-3009
    /// `ReceiveWithAuthorization` with this contract as `to`. Needs no allowance; anyone may bring the signature, and
    /// whoever does, the same happens. Refused while paused.
    /// @dev Once used, USDC refuses it. `from` takes it back by USDC's `cancelAuthorization`.
    /// @param amount µUSDC, at least 1. The pool must stay below 2^64.
    /// @param validAfter Timestamp after which USDC accepts the signature.
    /// @param validBefore Timestamp before which it does.
    /// @param nonce Chosen by `from`, once for each authorization.
    /// @param signature 65 bytes r, s, v, or what a contract wallet takes for a signature (ERC-1271).
    function depositWithAuthorization(
        address from,
        uint256 amount,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;

    /// @notice Moves `amount` from the caller's pool to the caller's wallet. No pause, no role and no setting can
    /// prevent it; only USDC itself can, by refusing the transfer.
    /// @param amount µUSDC, at least 1, at most the pool.
    function withdraw(uint256 amount) external;

    /// @notice Pays `account` all that is held for it. Anyone may call; no pause, no role and no setting can prevent
    /// it; only USDC itself can, as long as it refuses `account`.
    function claim(address account) external;

    /// @notice Sets what settlements may take from the caller's pool; effective at once, while paused too. Withdrawing
    /// is not limited. Zero is no limit.
    /// @dev The day is the UTC day. Up to twice `maxPerDay` can be taken within minutes around midnight. What was
    /// settled today counts whether or not there was a limit then, and no setting takes it back: with a `maxPerDay`
    /// below it, nothing settles until the day ends.
    /// WARNING: a lower limit applies to sessions that are running, and then the relayer cannot settle them.
    /// @param maxRatePerSecond µUSDC per second.
    /// @param maxPerSession µUSDC, toAmount and feeAmount together.
    /// @param maxPerDay µUSDC, toAmount and feeAmount of all settlements of one UTC day together.
    function setLimits(uint32 maxRatePerSecond, uint48 maxPerSession, uint48 maxPerDay) external;

    // --------------------------------------------------------------------------------------------------------- relayer

    /// @notice Settles one session: pays `toAmount` to `to` and `feeAmount` to the platform wallet, both or neither,
    /// out of the pool of `from`. Only the relayer, and not while paused.
    /// @dev Refused unless, in this order: the session was not settled before; the payee is not zero, this contract or
    /// USDC (`to == from` is allowed: one workspace may hold both roles); the rate is below 2^64, the seconds below
    /// 2^32, and `toAmount`, `feeAmount` and the gross, which is their sum, below 2^64; the gross is not zero and at
    /// most rate * seconds; `feeAmount * 10_000 <= gross * MAX_FEE_BPS`; rate, gross, and what the pool spends this UTC
    /// day are within the limits of `from`; the pool covers the gross.
    /// WARNING: the contract cannot know whether `from` agreed to the rate, whether the session took place, or whether
    /// `to` served it. It takes the relayer's word.
    /// WARNING: it also reverts if USDC refuses either recipient, be it the operator or the platform wallet.
    /// @param sessionId keccak256 of the session UUID's canonical lower-case text.
    /// @param from The consumer whose pool pays.
    /// @param to The operator's wallet.
    /// @param ratePerSecond µUSDC per second.
    /// @param chargeableSeconds Seconds.
    /// @param toAmount µUSDC.
    /// @param feeAmount µUSDC.
    function settleFromPool(
        bytes32 sessionId,
        address from,
        address to,
        uint256 ratePerSecond,
        uint256 chargeableSeconds,
        uint256 toAmount,
        uint256 feeAmount
    ) external;

    /// @notice Settles up to `MAX_BATCH_SIZE` sessions. Only the relayer, and not while paused.
    /// @dev First every entry is tried in order, by the rules of `settleFromPool`: it is booked (`Settled`), or it is
    /// skipped (`EntrySkipped`) and changes nothing. An entry that repeats a session of the same batch is skipped; one
    /// that the pool no longer covers after those before it, too. Then the booked entries are paid: one transfer for
    /// neighbouring entries of the same payee, for which skipped ones between them do not count, and one for all fees.
    /// Sort by payee. A payee, or platform wallet, that USDC says is blacklisted does not get its transfer but a claim
    /// (`PayoutHeld`, `claim`), whatever else is wrong with USDC at that moment. Any other transfer that fails reverts
    /// the whole batch with USDC's reason, or without one where gas ran out.
    /// WARNING: entries are isolated once they are decoded. An address with more than 20 bytes, which no encoder
    /// writes, reverts the whole batch.
    function settleBatch(BatchEntry[] calldata entries) external;

    /// @notice Takes the relayer role; only the proposed candidate, and not before `RELAYER_DELAY` has passed. The
    /// relayer before it, if any, loses the role at that moment.
    function acceptRelayer() external;

    // ----------------------------------------------------------------------------------------------------------- admin

    /// @notice Stops deposits and settlement. Withdrawals go on. Pauser or owner.
    function pause() external;

    /// @notice Resumes deposits and settlement. Owner only.
    function unpause() external;

    /// @notice Proposes the next relayer, in place of any candidate proposed before. Owner only.
    /// @dev The delay starts anew with every proposal, and is there for consumers who do not trust the candidate to
    /// leave first. A proposal does not expire, so that a spare key can stand ready.
    function proposeRelayer(address candidate) external;

    /// @notice Withdraws the proposal. Pauser or owner.
    function cancelRelayerProposal() external;

    /// @notice Takes the relayer role away at once; nothing settles until a candidate accepts. Pauser or owner.
    /// @dev A proposal stands: a spare key whose delay has passed can take over right away. If the candidate is not to
    /// be trusted either, cancel the proposal too.
    function revokeRelayer() external;

    /// @notice Sets the pauser; zero for none, which leaves its powers with the owner alone. Owner only.
    function setPauser(address newPauser) external;

    /// @notice Sets the recipient of fees: not zero, this contract or USDC. Owner only.
    /// @dev A wallet that USDC refuses makes every `settleFromPool` with a fee revert until another one is set; a batch
    /// holds its fees.
    function setPlatformWallet(address newWallet) external;

    /// @notice Sends `amount` of the surplus to `to`. Owner only.
    /// @param to Not zero, this contract or USDC.
    /// @param amount µUSDC, at least 1, at most `surplus()`.
    function rescue(address to, uint256 amount) external;

    // ----------------------------------------------------------------------------------------------------------- views

    /// @notice The pool of `account`, µUSDC.
    function deposits(address account) external view returns (uint256);

    /// @notice What is held for `account` because USDC refused it, µUSDC.
    function claimable(address account) external view returns (uint256);

    /// @notice The limits that `account` set, zero for none, and what settlements took from its pool this UTC day.
    /// @return maxRatePerSecond µUSDC per second.
    /// @return maxPerSession µUSDC.
    /// @return maxPerDay µUSDC.
    /// @return spentToday µUSDC; stays at 2^48-1 from there on.
    function limitsOf(address account)
        external
        view
        returns (uint32 maxRatePerSecond, uint48 maxPerSession, uint48 maxPerDay, uint48 spentToday);

    /// @notice Why `entry` would be refused if it were settled now: the selector of the error, or zero if it would not.
    /// @dev Leaves aside whether the caller is the relayer, whether the contract is paused, and what USDC would say.
    function previewEntry(BatchEntry calldata entry) external view returns (bytes4 reason);

    /// @notice Whether this session was settled. Never goes back to false.
    function settled(bytes32 sessionId) external view returns (bool);

    /// @notice The sum of all pools and claims, µUSDC; between transactions the contract never holds less USDC.
    /// @dev While a deposit runs, it counts what is still on its way, and so does `deposits`.
    function totalOwed() external view returns (uint256);

    /// @notice The USDC held here that belongs to no pool and no claim, µUSDC.
    function surplus() external view returns (uint256);

    /// @notice Whether deposits and settlement are stopped.
    function paused() external view returns (bool);

    /// @notice The only account that settles; zero if there is none.
    function relayer() external view returns (address);

    /// @notice The proposed next relayer and the timestamp from which it can accept; both zero if there is none.
    function pendingRelayer() external view returns (address candidate, uint64 acceptableAt);

    /// @notice The account that can, like the owner, pause, revoke the relayer and cancel a proposal; zero if none.
    function pauser() external view returns (address);

    /// @notice The recipient of fees.
    function platformWallet() external view returns (address);

    /// @notice The token all pools are held in.
    function USDC() external view returns (IUsdc);

    /// @notice The most a settlement's fee may be, in basis points of its gross.
    function MAX_FEE_BPS() external view returns (uint256);

    /// @notice The most entries a batch may have.
    function MAX_BATCH_SIZE() external view returns (uint256);

    /// @notice Seconds from a relayer's proposal to its earliest acceptance.
    function RELAYER_DELAY() external view returns (uint256);
}
