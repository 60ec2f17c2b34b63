// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {ILuxxonSettlement} from "./ILuxxonSettlement.sol";

/// @title LuxxonSettlement
/// @notice Everything a caller needs to know, warnings included, is written in ILuxxonSettlement.
contract LuxxonSettlement is ILuxxonSettlement, Ownable2Step, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    // --------------------------------------------------------------------------------------------------------- structs

    /// @dev One word for each account. The 192 bits above the balance are kept free for the account's own limits, so
    /// that checking them will cost no further storage access.
    struct Account {
        uint64 balance;
    }

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

    /// @inheritdoc ILuxxonSettlement
    uint256 public constant MAX_FEE_BPS = 2_000;

    /// @inheritdoc ILuxxonSettlement
    IERC20 public immutable USDC;

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

        USDC = IERC20(usdc);
        RELAYER_DELAY = relayerDelay;
        _setRelayer(initialRelayer);
        _setPauser(initialPauser);
        _setPlatformWallet(initialPlatformWallet, usdc);
    }

    // -------------------------------------------------------------------------------------------------------- accounts

    /// @inheritdoc ILuxxonSettlement
    function deposit(uint256 amount) external nonReentrant {
        Config memory config = _config;
        require(!config.paused, ContractPaused());
        require(amount != 0, ZeroAmount());
        uint64 credit = _toUint64(amount);
        uint64 balance = _toUint64(uint256(_accounts[msg.sender].balance) + credit);

        uint88 owed = config.totalOwed + credit;
        _accounts[msg.sender].balance = balance;
        _config.totalOwed = owed;
        emit Deposited(msg.sender, msg.sender, amount);

        USDC.safeTransferFrom(msg.sender, address(this), amount);
        uint256 held = USDC.balanceOf(address(this));
        require(held >= owed, Insolvent(held, owed));
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
        Config memory config = _config;
        require(msg.sender == config.relayer, NotRelayer(msg.sender));
        require(!config.paused, ContractPaused());
        require(!settled[sessionId], SessionAlreadySettled(sessionId));
        require(_isPayable(to, address(USDC)), InvalidPayee(to));
        uint64 gross = _checkedGross(ratePerSecond, chargeableSeconds, toAmount, feeAmount);
        uint64 balance = _accounts[from].balance;
        require(gross <= balance, InsufficientPool(from, balance, gross));

        settled[sessionId] = true;
        _accounts[from].balance = balance - gross;
        _config.totalOwed = config.totalOwed - gross;
        emit Settled(sessionId, from, to, toAmount, feeAmount, ratePerSecond, chargeableSeconds);

        USDC.safeTransfer(to, toAmount);
        if (feeAmount != 0) USDC.safeTransfer(platformWallet, feeAmount);
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

    // ----------------------------------------------------------------------------------------------------------- views

    /// @inheritdoc ILuxxonSettlement
    function deposits(address account) external view returns (uint256) {
        return _accounts[account].balance;
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

    /// @dev The rules that need no storage. With the widths checked first nothing below can overflow:
    /// rate * seconds < 2^96, and the fee comparison stays under 2^64 * 10_000 < 2^78. The fee is compared by
    /// multiplication, because a division would round a ceiling down or, for small amounts, away.
    function _checkedGross(uint256 ratePerSecond, uint256 chargeableSeconds, uint256 toAmount, uint256 feeAmount)
        private
        pure
        returns (uint64 gross)
    {
        _requireFits(ratePerSecond, type(uint64).max);
        _requireFits(chargeableSeconds, type(uint32).max);
        _requireFits(toAmount, type(uint64).max);
        _requireFits(feeAmount, type(uint64).max);
        gross = _toUint64(toAmount + feeAmount);
        require(gross != 0, ZeroAmount());
        uint256 metered = ratePerSecond * chargeableSeconds;
        require(gross <= metered, MeterExceeded(gross, metered));
        require(feeAmount * BPS <= gross * MAX_FEE_BPS, FeeExceeded(feeAmount, gross));
    }

    function _toUint64(uint256 value) private pure returns (uint64) {
        _requireFits(value, type(uint64).max);
        // forge-lint: disable-next-line(unsafe-typecast) -- the line above
        return uint64(value);
    }

    function _requireFits(uint256 value, uint256 max) private pure {
        require(value <= max, ValueTooLarge(value, max));
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
