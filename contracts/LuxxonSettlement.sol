// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {ILuxxonSettlement} from "./ILuxxonSettlement.sol";
import {IUsdc} from "./IUsdc.sol";

/// @title LuxxonSettlement
/// @notice Everything a caller needs to know, warnings included, is written in ILuxxonSettlement.
contract LuxxonSettlement is ILuxxonSettlement, Ownable2Step, ReentrancyGuardTransient {
    using SafeERC20 for IUsdc;

    // --------------------------------------------------------------------------------------------------------- structs

    /// @dev One word for each account: the limits stand beside the balance, so that enforcing them costs no further
    /// storage access. A limit of zero is none.
    struct Account {
        uint64 balance;
        uint32 maxRatePerSecond;
        uint48 maxPerSession;
        uint48 maxPerDay;
        uint48 spentToday; // means `day`; stays at its maximum rather than overflow
        uint16 day; // UTC days since 1970, modulo 2^16: it is only asked whether two of them are the same
    }

    /// @dev One word: all that a settlement needs to know apart from its session and its account.
    /// 88 bits hold the sum of 2^24 full pools, or 300 million times the USDC there is.
    struct Config {
        address relayer;
        uint88 totalOwed;
        bool paused;
    }

    /// @dev What a batch pays in one transfer: neighbouring entries of the same payee.
    struct Payout {
        address to;
        uint256 amount;
    }

    /// @dev One word, so that a candidate and its time can only change together.
    struct RelayerProposal {
        address candidate;
        uint64 acceptableAt;
    }

    // ------------------------------------------------------------------------------------------- constants, immutables

    uint256 private constant BPS = 10_000;
    uint256 private constant USDC_DECIMALS = 6;
    uint256 private constant MAX_RELAYER_DELAY = 30 days;

    /// @inheritdoc ILuxxonSettlement
    uint256 public constant MAX_FEE_BPS = 2_000;

    /// @inheritdoc ILuxxonSettlement
    uint256 public constant MAX_BATCH_SIZE = 100;

    /// @inheritdoc ILuxxonSettlement
    IUsdc public immutable USDC;

    /// @inheritdoc ILuxxonSettlement
    uint256 public immutable RELAYER_DELAY;

    // --------------------------------------------------------------------------------------------------------- storage

    Config private _config;
    RelayerProposal private _proposal;

    /// @inheritdoc ILuxxonSettlement
    address public pauser;

    /// @inheritdoc ILuxxonSettlement
    address public platformWallet;

    mapping(address account => Account) private _accounts;

    /// @inheritdoc ILuxxonSettlement
    mapping(address account => uint256) public claimable;

    /// @inheritdoc ILuxxonSettlement
    mapping(bytes32 sessionId => bool) public settled;

    // ----------------------------------------------------------------------------------------------------- constructor

    /// @dev Every role is an argument: whoever sends the deployment, a CREATE2 factory included, gets none.
    /// @param usdc The token; has to have code and 6 decimals.
    /// @param initialOwner Not zero.
    /// @param initialRelayer May be zero: then one has to be proposed.
    /// @param initialPauser May be zero: then the owner alone can pause.
    /// @param initialPlatformWallet Not zero, this contract or USDC.
    /// @param relayerDelay Seconds, at most 30 days.
    constructor(
        address usdc,
        address initialOwner,
        address initialRelayer,
        address initialPauser,
        address initialPlatformWallet,
        uint256 relayerDelay
    ) Ownable(initialOwner) {
        require(_isContract(usdc), NotAContract(usdc));
        uint256 decimals = IERC20Metadata(usdc).decimals();
        require(decimals == USDC_DECIMALS, WrongDecimals(decimals, USDC_DECIMALS));
        require(relayerDelay <= MAX_RELAYER_DELAY, RelayerDelayTooLong(relayerDelay, MAX_RELAYER_DELAY));

        USDC = IUsdc(usdc);
        RELAYER_DELAY = relayerDelay;
        _setRelayer(initialRelayer);
        _setPauser(initialPauser);
        _setPlatformWallet(initialPlatformWallet, usdc);
    }

    // -------------------------------------------------------------------------------------------------------- accounts

    /// @inheritdoc ILuxxonSettlement
    function deposit(uint256 amount) external {
        depositFor(msg.sender, amount);
    }

    /// @inheritdoc ILuxxonSettlement
    function depositFor(address account, uint256 amount) public nonReentrant {
        _credit(account, msg.sender, amount);
        USDC.safeTransferFrom(msg.sender, address(this), amount);
        _requireSolvent();
    }

    /// @inheritdoc ILuxxonSettlement
    function depositWithAuthorization(
        address from,
        uint256 amount,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external nonReentrant {
        _credit(from, from, amount);
        USDC.receiveWithAuthorization(from, address(this), amount, validAfter, validBefore, nonce, signature);
        _requireSolvent();
    }

    /// @inheritdoc ILuxxonSettlement
    function withdraw(uint256 amount) external nonReentrant {
        require(amount != 0, ZeroAmount());
        uint64 balance = _accounts[msg.sender].balance;
        require(amount <= balance, InsufficientPool(msg.sender, balance, amount));

        // forge-lint: disable-next-line(unsafe-typecast) -- at most the balance, which has this width
        uint64 debit = uint64(amount);
        _accounts[msg.sender].balance = balance - debit;
        _config.totalOwed -= debit;
        emit Withdrawn(msg.sender, amount);

        USDC.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc ILuxxonSettlement
    function claim(address account) external nonReentrant {
        uint256 amount = claimable[account];
        require(amount != 0, NothingToClaim(account));

        delete claimable[account];
        // forge-lint: disable-next-line(unsafe-typecast) -- part of totalOwed, which has this width
        _config.totalOwed -= uint88(amount);
        emit Claimed(account, amount);

        USDC.safeTransfer(account, amount);
    }

    /// @inheritdoc ILuxxonSettlement
    function setLimits(uint32 maxRatePerSecond, uint48 maxPerSession, uint48 maxPerDay) external nonReentrant {
        Account storage account = _accounts[msg.sender];
        account.maxRatePerSecond = maxRatePerSecond;
        account.maxPerSession = maxPerSession;
        account.maxPerDay = maxPerDay;
        emit LimitsSet(msg.sender, maxRatePerSecond, maxPerSession, maxPerDay);
    }

    // --------------------------------------------------------------------------------------------------------- relayer

    /// @inheritdoc ILuxxonSettlement
    function settleFromPool(
        bytes32 sessionId,
        address from,
        address to,
        uint256 ratePerSecond,
        uint256 chargeableSeconds,
        uint256 toAmount,
        uint256 feeAmount
    ) external nonReentrant {
        Config memory config = _configForRelayer();
        BatchEntry memory entry = BatchEntry(sessionId, from, to, ratePerSecond, chargeableSeconds, toAmount, feeAmount);

        bytes memory refusal = _book(entry);
        if (refusal.length != 0) LowLevelCall.bubbleRevert(refusal);
        // forge-lint: disable-next-line(unsafe-typecast) -- a booked gross is part of totalOwed, which has this width
        _config.totalOwed = config.totalOwed - uint88(toAmount + feeAmount);

        USDC.safeTransfer(to, toAmount);
        if (feeAmount != 0) USDC.safeTransfer(platformWallet, feeAmount);
    }

    /// @inheritdoc ILuxxonSettlement
    function settleBatch(BatchEntry[] calldata entries) external nonReentrant {
        Config memory config = _configForRelayer();
        uint256 size = entries.length;
        require(size != 0 && size <= MAX_BATCH_SIZE, BatchSizeOutOfRange(size, MAX_BATCH_SIZE));

        Payout[] memory payouts = new Payout[](size);
        uint256 count; // of payouts
        uint256 total; // of payouts
        uint256 fees;
        for (uint256 i = 0; i < size; ++i) {
            BatchEntry memory entry = entries[i];
            bytes memory refusal = _book(entry);
            if (refusal.length != 0) {
                // forge-lint: disable-next-line(unsafe-typecast) -- the first four bytes are the error's selector
                emit EntrySkipped(entry.sessionId, entry.from, i, bytes4(refusal));
                continue;
            }
            if (count == 0 || payouts[count - 1].to != entry.to) payouts[count++].to = entry.to;
            payouts[count - 1].amount += entry.toAmount;
            total += entry.toAmount;
            fees += entry.feeAmount;
        }
        // forge-lint: disable-next-line(unsafe-typecast) -- booked amounts are part of totalOwed, which has this width
        _config.totalOwed = config.totalOwed - uint88(total + fees);

        for (uint256 i = 0; i < count; ++i) {
            _payOrHold(payouts[i].to, payouts[i].amount);
        }
        if (fees != 0) _payOrHold(platformWallet, fees);
    }

    /// @inheritdoc ILuxxonSettlement
    function acceptRelayer() external nonReentrant {
        RelayerProposal memory proposal = _proposal;
        require(msg.sender == proposal.candidate, NotRelayerCandidate(msg.sender));
        require(block.timestamp >= proposal.acceptableAt, RelayerDelayRunning(block.timestamp, proposal.acceptableAt));

        delete _proposal;
        _setRelayer(msg.sender);
    }

    // ----------------------------------------------------------------------------------------------------------- admin

    /// @inheritdoc ILuxxonSettlement
    function pause() external nonReentrant {
        _requirePauserOrOwner();
        require(!_config.paused, ContractPaused());

        _config.paused = true;
        emit Paused(msg.sender);
    }

    /// @inheritdoc ILuxxonSettlement
    function unpause() external nonReentrant onlyOwner {
        require(_config.paused, ContractNotPaused());

        _config.paused = false;
        emit Unpaused(msg.sender);
    }

    /// @inheritdoc ILuxxonSettlement
    function proposeRelayer(address candidate) external nonReentrant onlyOwner {
        require(candidate != address(0), ZeroRelayer());

        uint64 acceptableAt = _toUint64(block.timestamp + RELAYER_DELAY);
        _proposal = RelayerProposal(candidate, acceptableAt);
        emit RelayerProposed(candidate, acceptableAt);
    }

    /// @inheritdoc ILuxxonSettlement
    function cancelRelayerProposal() external nonReentrant {
        _requirePauserOrOwner();
        address candidate = _proposal.candidate;
        require(candidate != address(0), NoRelayerProposal());

        delete _proposal;
        emit RelayerProposalCancelled(candidate);
    }

    /// @inheritdoc ILuxxonSettlement
    function revokeRelayer() external nonReentrant {
        _requirePauserOrOwner();
        require(_config.relayer != address(0), NoRelayer());

        _setRelayer(address(0));
    }

    /// @inheritdoc ILuxxonSettlement
    function setPauser(address newPauser) external nonReentrant onlyOwner {
        _setPauser(newPauser);
    }

    /// @inheritdoc ILuxxonSettlement
    function setPlatformWallet(address newWallet) external nonReentrant onlyOwner {
        _setPlatformWallet(newWallet, address(USDC));
    }

    /// @notice Names the next owner, who has to accept; zero withdraws the offer. Owner only.
    function transferOwnership(address newOwner) public override nonReentrant {
        super.transferOwnership(newOwner); // checks the caller
    }

    /// @notice Takes the ownership that was offered to the caller.
    function acceptOwnership() public override nonReentrant {
        super.acceptOwnership(); // checks the caller
    }

    /// @notice Always reverts: without an owner a pause could never end and no relayer could ever be proposed.
    function renounceOwnership() public pure override {
        revert OwnershipCannotBeRenounced();
    }

    /// @inheritdoc ILuxxonSettlement
    function rescue(address to, uint256 amount) external nonReentrant onlyOwner {
        require(amount != 0, ZeroAmount());
        require(_isPayable(to, address(USDC)), InvalidPayee(to));
        uint256 available = surplus();
        require(amount <= available, SurplusExceeded(amount, available));

        emit Rescued(to, amount);

        USDC.safeTransfer(to, amount);
    }

    // ----------------------------------------------------------------------------------------------------------- views

    /// @inheritdoc ILuxxonSettlement
    function deposits(address account) external view returns (uint256) {
        return _accounts[account].balance;
    }

    /// @inheritdoc ILuxxonSettlement
    function limitsOf(address account)
        external
        view
        returns (uint32 maxRatePerSecond, uint48 maxPerSession, uint48 maxPerDay, uint48 spentToday)
    {
        Account memory state = _accountToday(account);
        return (state.maxRatePerSecond, state.maxPerSession, state.maxPerDay, state.spentToday);
    }

    /// @inheritdoc ILuxxonSettlement
    function previewEntry(BatchEntry calldata entry) external view returns (bytes4 reason) {
        // forge-lint: disable-next-line(unsafe-typecast) -- the first four bytes are the error's selector
        return bytes4(_refusal(entry, _accountToday(entry.from)));
    }

    /// @inheritdoc ILuxxonSettlement
    function surplus() public view returns (uint256) {
        uint256 held = USDC.balanceOf(address(this));
        uint256 owed = _config.totalOwed;
        return held > owed ? held - owed : 0;
    }

    /// @inheritdoc ILuxxonSettlement
    function totalOwed() external view returns (uint256) {
        return _config.totalOwed;
    }

    /// @inheritdoc ILuxxonSettlement
    function paused() external view returns (bool) {
        return _config.paused;
    }

    /// @inheritdoc ILuxxonSettlement
    function relayer() external view returns (address) {
        return _config.relayer;
    }

    /// @inheritdoc ILuxxonSettlement
    function pendingRelayer() external view returns (address candidate, uint64 acceptableAt) {
        return (_proposal.candidate, _proposal.acceptableAt);
    }

    // ------------------------------------------------------------------------------------------------------- internals

    /// @dev The books of a deposit; the caller moves the money and then checks `_requireSolvent`.
    function _credit(address account, address payer, uint256 amount) private {
        Config memory config = _config;
        require(!config.paused, ContractPaused());
        require(amount != 0, ZeroAmount());
        require(_isPayable(account, address(USDC)), InvalidAccount(account));
        uint64 credit = _toUint64(amount);
        uint64 balance = _toUint64(uint256(_accounts[account].balance) + credit);

        _accounts[account].balance = balance;
        _config.totalOwed = config.totalOwed + credit;
        emit Deposited(account, payer, amount);
    }

    function _requireSolvent() private view {
        uint256 held = USDC.balanceOf(address(this));
        uint256 owed = _config.totalOwed;
        require(held >= owed, Insolvent(held, owed));
    }

    function _configForRelayer() private view returns (Config memory config) {
        config = _config;
        require(msg.sender == config.relayer, NotRelayer(msg.sender));
        require(!config.paused, ContractPaused());
    }

    /// @dev Takes one settlement out of its pool and emits it; the caller lowers `totalOwed` and pays. What is refused
    /// changes nothing, and its error is the answer, encoded as a revert would be; empty if the entry was booked.
    function _book(BatchEntry memory entry) private returns (bytes memory refusal) {
        Account memory account = _accountToday(entry.from);
        refusal = _refusal(entry, account);
        if (refusal.length != 0) return refusal;

        uint256 gross = entry.toAmount + entry.feeAmount;
        settled[entry.sessionId] = true;
        // forge-lint: disable-next-line(unsafe-typecast) -- at most the balance, which has this width
        account.balance -= uint64(gross);
        // forge-lint: disable-next-line(unsafe-typecast) -- at most the maximum of this width
        account.spentToday = uint48(Math.min(account.spentToday + gross, type(uint48).max));
        _accounts[entry.from] = account;
        emit Settled(
            entry.sessionId,
            entry.from,
            entry.to,
            entry.toAmount,
            entry.feeAmount,
            entry.ratePerSecond,
            entry.chargeableSeconds
        );
    }

    /// @dev Every rule of a settlement, in the order in which ILuxxonSettlement promises them: the error of the first
    /// one that `entry` breaks, encoded as a revert would be, or empty. With the widths checked before anything is
    /// computed nothing can overflow: rate * seconds < 2^96, and the fee comparison stays under 2^64 * 10_000 < 2^78.
    /// The fee is compared by multiplication, because a division would round a ceiling down or, for small amounts, away.
    function _refusal(BatchEntry memory entry, Account memory account) private view returns (bytes memory) {
        if (settled[entry.sessionId]) {
            return abi.encodeWithSelector(SessionAlreadySettled.selector, entry.sessionId);
        }
        if (!_isPayable(entry.to, address(USDC))) return abi.encodeWithSelector(InvalidPayee.selector, entry.to);

        if (entry.ratePerSecond > type(uint64).max) return _tooLarge(entry.ratePerSecond, type(uint64).max);
        if (entry.chargeableSeconds > type(uint32).max) return _tooLarge(entry.chargeableSeconds, type(uint32).max);
        if (entry.toAmount > type(uint64).max) return _tooLarge(entry.toAmount, type(uint64).max);
        if (entry.feeAmount > type(uint64).max) return _tooLarge(entry.feeAmount, type(uint64).max);
        uint256 gross = entry.toAmount + entry.feeAmount;
        if (gross > type(uint64).max) return _tooLarge(gross, type(uint64).max);

        if (gross == 0) return abi.encodeWithSelector(ZeroAmount.selector);
        uint256 metered = entry.ratePerSecond * entry.chargeableSeconds;
        if (gross > metered) return abi.encodeWithSelector(MeterExceeded.selector, gross, metered);
        if (entry.feeAmount * BPS > gross * MAX_FEE_BPS) {
            return abi.encodeWithSelector(FeeExceeded.selector, entry.feeAmount, gross);
        }

        if (_exceeds(entry.ratePerSecond, account.maxRatePerSecond)) {
            return _overLimit(RateLimitExceeded.selector, entry.from, entry.ratePerSecond, account.maxRatePerSecond);
        }
        if (_exceeds(gross, account.maxPerSession)) {
            return _overLimit(SessionLimitExceeded.selector, entry.from, gross, account.maxPerSession);
        }
        uint256 spent = account.spentToday + gross;
        if (_exceeds(spent, account.maxPerDay)) {
            return _overLimit(DayLimitExceeded.selector, entry.from, spent, account.maxPerDay);
        }

        if (gross > account.balance) {
            return abi.encodeWithSelector(InsufficientPool.selector, entry.from, account.balance, gross);
        }
        return "";
    }

    /// @dev A limit of zero is none.
    function _exceeds(uint256 value, uint256 limit) private pure returns (bool) {
        return limit != 0 && value > limit;
    }

    function _tooLarge(uint256 value, uint256 max) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ValueTooLarge.selector, value, max);
    }

    function _overLimit(bytes4 selector, address account, uint256 value, uint256 limit)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeWithSelector(selector, account, value, limit);
    }

    /// @dev The account as it stands in this block: what it spent on another day does not count.
    function _accountToday(address account) private view returns (Account memory state) {
        state = _accounts[account];
        // forge-lint: disable-next-line(unsafe-typecast) -- modulo 2^16, see Account
        uint16 today = uint16(block.timestamp / 1 days);
        if (state.day != today) (state.day, state.spentToday) = (today, 0);
    }

    /// @dev A payee whom USDC refuses must not stop those beside it: its money stays here, claimable. Only USDC's own
    /// word counts. A transfer that failed for anything else, too little gas included, is tried again without a net,
    /// and so reverts the whole batch with USDC's reason.
    function _payOrHold(address to, uint256 amount) private {
        if (USDC.trySafeTransfer(to, amount)) return;
        if (!USDC.isBlacklisted(to)) return USDC.safeTransfer(to, amount);

        claimable[to] += amount;
        // forge-lint: disable-next-line(unsafe-typecast) -- was part of totalOwed before the batch
        _config.totalOwed += uint88(amount);
        emit PayoutHeld(to, amount);
    }

    function _toUint64(uint256 value) private pure returns (uint64) {
        require(value <= type(uint64).max, ValueTooLarge(value, type(uint64).max));
        // forge-lint: disable-next-line(unsafe-typecast) -- the line above
        return uint64(value);
    }

    function _requirePauserOrOwner() private view {
        require(msg.sender == pauser || msg.sender == owner(), NotPauser(msg.sender));
    }

    /// @dev Paying this contract would leave USDC that no pool owns, and USDC refuses to hold itself.
    /// The token is an argument because the constructor cannot read an immutable it has not assigned.
    function _isPayable(address to, address usdc) private view returns (bool) {
        return to != address(0) && to != address(this) && to != usdc;
    }

    /// @dev An account that delegates by EIP-7702 has code too: 0xef0100 and the address it delegates to, 23 bytes.
    /// Its owner can point it elsewhere at any time, so it must not be taken for a token. No other contract can
    /// begin with 0xef (EIP-3541).
    function _isContract(address target) private view returns (bool) {
        bytes memory code = target.code;
        // forge-lint: disable-next-line(unsafe-typecast) -- only the first three bytes are meant
        return code.length != 0 && !(code.length == 23 && bytes3(code) == 0xef0100);
    }

    function _setRelayer(address newRelayer) private {
        address previous = _config.relayer;
        _config.relayer = newRelayer;
        emit RelayerSet(previous, newRelayer);
    }

    function _setPauser(address newPauser) private {
        address previous = pauser;
        pauser = newPauser;
        emit PauserSet(previous, newPauser);
    }

    function _setPlatformWallet(address newWallet, address usdc) private {
        require(_isPayable(newWallet, usdc), InvalidPlatformWallet(newWallet));
        address previous = platformWallet;
        platformWallet = newWallet;
        emit PlatformWalletSet(previous, newWallet);
    }
}
