// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {ILuxxonSettlement} from "./ILuxxonSettlement.sol";
import {IUsdc} from "./IUsdc.sol";

/// @title LuxxonSettlement
/// @notice Everything a caller needs to know, warnings included, is written in ILuxxonSettlement.
contract LuxxonSettlement is ILuxxonSettlement, Ownable2Step, ReentrancyGuardTransient {
    using SafeERC20 for IUsdc;

    // --------------------------------------------------------------------------------------------------------- structs

    /// @dev One word: all that a settlement needs to know apart from its session and its account.
    /// 88 bits hold the sum of 2^24 full pools, or 300 million times the USDC there is.
    struct Config {
        address relayer;
        uint88 totalOwed;
        bool paused;
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

    // Where an account's word has what; see `_accounts`.
    uint256 private constant MAX_RATE_AT = 64;
    uint256 private constant MAX_SESSION_AT = 96;
    uint256 private constant MAX_DAY_AT = 144;
    uint256 private constant SPENT_AT = 192;
    uint256 private constant DAY_AT = 240;

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

    /// @dev One word for each account, from its lowest bit on:
    /// balance 64 | maxRatePerSecond 32 | maxPerSession 48 | maxPerDay 48 | spentToday 48 | day 16
    /// The limits, of which zero is none, stand beside the balance, so that enforcing them costs no further storage
    /// access. `spentToday` means `day`, the number of UTC days since 1970 modulo 2^16: it is only asked whether two of
    /// them are the same. Packed by hand, because a struct's fields would be read and written one by one.
    mapping(address account => uint256 word) private _accounts;

    /// @inheritdoc ILuxxonSettlement
    mapping(address account => uint256) public claimable;

    /// @dev 1 for a settled session. Not a bool, which would be read once more to be written. Never cleared.
    mapping(bytes32 sessionId => uint256) private _settled;

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
        uint256 word = _accounts[msg.sender];
        uint256 balance = word & type(uint64).max;
        require(amount <= balance, InsufficientPool(msg.sender, balance, amount));

        _accounts[msg.sender] = word - amount;
        // forge-lint: disable-next-line(unsafe-typecast) -- at most the balance, which is part of totalOwed
        _config.totalOwed -= uint88(amount);
        emit Withdrawn(msg.sender, amount);

        USDC.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc ILuxxonSettlement
    function claim(address account) external nonReentrant {
        uint256 amount = claimable[account];
        require(amount != 0, NothingToClaim(account));

        delete claimable[account];
        // forge-lint: disable-next-line(unsafe-typecast) -- part of totalOwed
        _config.totalOwed -= uint88(amount);
        emit Claimed(account, amount);

        USDC.safeTransfer(account, amount);
    }

    /// @inheritdoc ILuxxonSettlement
    function setLimits(uint32 maxRatePerSecond, uint48 maxPerSession, uint48 maxPerDay) external nonReentrant {
        uint256 word = _accounts[msg.sender];
        uint256 limits = uint256(maxRatePerSecond) << MAX_RATE_AT | uint256(maxPerSession) << MAX_SESSION_AT
            | uint256(maxPerDay) << MAX_DAY_AT;
        _accounts[msg.sender] = word >> SPENT_AT << SPENT_AT | limits | (word & type(uint64).max);
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
        // forge-lint: disable-next-line(unsafe-typecast) -- what was booked is part of totalOwed
        _config.totalOwed = config.totalOwed - uint88(toAmount + feeAmount);

        USDC.safeTransfer(to, toAmount);
        if (feeAmount != 0) USDC.safeTransfer(platformWallet, feeAmount);
    }

    /// @inheritdoc ILuxxonSettlement
    function settleBatch(BatchEntry[] calldata entries) external nonReentrant {
        Config memory config = _configForRelayer();
        uint256 size = entries.length;
        require(size != 0 && size <= MAX_BATCH_SIZE, BatchSizeOutOfRange(size, MAX_BATCH_SIZE));

        address[] memory payees = new address[](size);
        uint256[] memory payouts = new uint256[](size);
        address payee;
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
            // No payee is zero, so the first booked entry always begins a payout. A hundred amounts below 2^64 stay
            // below 2^71.
            unchecked {
                if (entry.to != payee) {
                    payee = entry.to;
                    payees[count++] = payee;
                }
                payouts[count - 1] += entry.toAmount;
                total += entry.toAmount;
                fees += entry.feeAmount;
            }
        }
        // forge-lint: disable-next-line(unsafe-typecast) -- what was booked is part of totalOwed
        _config.totalOwed = config.totalOwed - uint88(total + fees);

        for (uint256 i = 0; i < count; ++i) {
            _payOrHold(payees[i], payouts[i]);
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
        return uint64(_accounts[account]);
    }

    /// @inheritdoc ILuxxonSettlement
    function limitsOf(address account)
        external
        view
        returns (uint32 maxRatePerSecond, uint48 maxPerSession, uint48 maxPerDay, uint48 spentToday)
    {
        uint256 word = _accountToday(account);
        // Each cast cuts one field out of the word.
        // forge-lint: disable-start(unsafe-typecast)
        maxRatePerSecond = uint32(word >> MAX_RATE_AT);
        maxPerSession = uint48(word >> MAX_SESSION_AT);
        maxPerDay = uint48(word >> MAX_DAY_AT);
        spentToday = uint48(word >> SPENT_AT);
        // forge-lint: disable-end(unsafe-typecast)
    }

    /// @inheritdoc ILuxxonSettlement
    function settled(bytes32 sessionId) external view returns (bool) {
        return _settled[sessionId] != 0;
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
        uint256 word = _accounts[account];
        uint256 balance = (word & type(uint64).max) + credit;
        require(balance <= type(uint64).max, ValueTooLarge(balance, type(uint64).max));

        _accounts[account] = word + credit;
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
        uint256 word = _accountToday(entry.from);
        refusal = _refusal(entry, word);
        if (refusal.length != 0) return refusal;

        _settled[entry.sessionId] = 1;
        // Two amounts below 2^64 each; and a gross is at most the balance, so it borrows nothing from the bits above.
        unchecked {
            uint256 gross = entry.toAmount + entry.feeAmount;
            uint256 spent = (word >> SPENT_AT & type(uint48).max) + gross;
            if (spent > type(uint48).max) spent = type(uint48).max;
            _accounts[entry.from] = (word & ~(uint256(type(uint48).max) << SPENT_AT) | spent << SPENT_AT) - gross;
        }
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
    function _refusal(BatchEntry memory entry, uint256 word) private view returns (bytes memory) {
        unchecked {
            if (_settled[entry.sessionId] != 0) {
                return abi.encodeWithSelector(SessionAlreadySettled.selector, entry.sessionId);
            }
            if (!_isPayable(entry.to, address(USDC))) return abi.encodeWithSelector(InvalidPayee.selector, entry.to);

            if (entry.ratePerSecond > type(uint64).max) return _tooLarge(entry.ratePerSecond, type(uint64).max);
            if (entry.chargeableSeconds > type(uint32).max) {
                return _tooLarge(entry.chargeableSeconds, type(uint32).max);
            }
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

            if ((word >> MAX_RATE_AT & type(uint128).max) != 0) {
                bytes memory refusal = _limitRefusal(entry.from, entry.ratePerSecond, gross, word);
                if (refusal.length != 0) return refusal;
            }

            if (gross > (word & type(uint64).max)) {
                return abi.encodeWithSelector(InsufficientPool.selector, entry.from, word & type(uint64).max, gross);
            }
            return "";
        }
    }

    /// @dev The part of `_refusal` that is about the limits of `account`; each of them may be zero, for none.
    function _limitRefusal(address account, uint256 ratePerSecond, uint256 gross, uint256 word)
        private
        pure
        returns (bytes memory)
    {
        uint256 limit = word >> MAX_RATE_AT & type(uint32).max;
        if (limit != 0 && ratePerSecond > limit) {
            return abi.encodeWithSelector(RateLimitExceeded.selector, account, ratePerSecond, limit);
        }
        limit = word >> MAX_SESSION_AT & type(uint48).max;
        if (limit != 0 && gross > limit) {
            return abi.encodeWithSelector(SessionLimitExceeded.selector, account, gross, limit);
        }
        limit = word >> MAX_DAY_AT & type(uint48).max;
        uint256 spent = (word >> SPENT_AT & type(uint48).max) + gross;
        if (limit != 0 && spent > limit) {
            return abi.encodeWithSelector(DayLimitExceeded.selector, account, spent, limit);
        }
        return "";
    }

    function _tooLarge(uint256 value, uint256 max) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ValueTooLarge.selector, value, max);
    }

    /// @dev The account's word as it stands in this block: what was spent on another day does not count.
    function _accountToday(address account) private view returns (uint256 word) {
        word = _accounts[account];
        uint256 today = uint16(block.timestamp / 1 days);
        if (word >> DAY_AT != today) word = (word & type(uint192).max) | today << DAY_AT;
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
