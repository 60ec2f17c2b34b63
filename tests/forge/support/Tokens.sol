// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @dev The least that passes for USDC, to be made hostile in one way by each contract below.
abstract contract TokenBase {
    uint8 public constant decimals = 6;
    mapping(address account => uint256) public balanceOf;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function transfer(address to, uint256 value) external virtual returns (bool) {
        return _move(msg.sender, to, value);
    }

    function transferFrom(address from, address to, uint256 value) external virtual returns (bool) {
        return _move(from, to, value);
    }

    /// @dev Takes any signature.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256,
        uint256,
        bytes32,
        bytes calldata
    ) external virtual {
        _move(from, to, value);
    }

    /// @dev Not `view`, for a token that makes calls of its own while it is asked.
    function isBlacklisted(address) external virtual returns (bool) {
        return false;
    }

    function _move(address from, address to, uint256 value) internal virtual returns (bool) {
        balanceOf[from] -= value;
        balanceOf[to] += value;
        return true;
    }
}

/// @dev Keeps one unit of every transfer for itself.
contract FeeTakingToken is TokenBase {
    function _move(address from, address to, uint256 value) internal override returns (bool) {
        balanceOf[from] -= value;
        balanceOf[to] += value - 1;
        return true;
    }
}

/// @dev Says false instead of reverting, once told to, and can be told whom it calls blacklisted.
contract SilentToken is TokenBase {
    bool public silent;
    address private _blacklisted;

    function beSilent() external {
        silent = true;
    }

    function blacklist(address account) external {
        _blacklisted = account;
    }

    function isBlacklisted(address account) external view override returns (bool) {
        return account == _blacklisted;
    }

    function _move(address from, address to, uint256 value) internal override returns (bool) {
        return !silent && super._move(from, to, value);
    }
}

/// @dev Takes away from a balance what it once gave: a debasement, a seizure.
contract TakingToken is TokenBase {
    function take(address from, uint256 amount) external {
        balanceOf[from] -= amount;
    }
}

/// @dev Needs millions of gas for a transfer. A 64th of that is left to a caller whose transfer ran out of it: enough
/// for the caller to go on.
contract HeavyToken is TokenBase {
    uint256 public constant TRANSFER_GAS = 2_500_000;
    address private _blacklisted;

    function blacklist(address account) external {
        _blacklisted = account;
    }

    function isBlacklisted(address account) external view override returns (bool) {
        return account == _blacklisted;
    }

    function transferFrom(address from, address to, uint256 value) external override returns (bool) {
        return super._move(from, to, value);
    }

    function _move(address from, address to, uint256 value) internal override returns (bool) {
        require(to != _blacklisted, "blacklisted");
        uint256 start = gasleft();
        while (start - gasleft() < TRANSFER_GAS) {}
        return super._move(from, to, value);
    }
}

/// @dev In the middle of a transfer makes the call it was given, and passes on what that call reverts with. Told to
/// refuse a payee, it makes the call when asked about its blacklist instead, and says whom it refused.
contract ReenteringToken is TokenBase {
    address private _callee;
    bytes private _call;
    address private _refused;

    function reenter(address callee, bytes calldata call) external {
        (_callee, _call) = (callee, call);
    }

    function refuse(address payee) external {
        _refused = payee;
    }

    function isBlacklisted(address account) external override returns (bool) {
        _reenter();
        return account == _refused;
    }

    function _move(address from, address to, uint256 value) internal override returns (bool) {
        require(to != _refused, "refused");
        _reenter();
        return super._move(from, to, value);
    }

    function _reenter() private {
        if (_callee == address(0)) return;
        (bool done, bytes memory answer) = _callee.call(_call);
        if (!done) {
            assembly ("memory-safe") {
                // to pass the reason on as it is; Solidity can only wrap it
                revert(add(answer, 32), mload(answer))
            }
        }
    }
}

/// @dev A token whose number of decimals is an argument.
contract DecimalsToken {
    uint8 public immutable decimals;

    constructor(uint8 decimals_) {
        decimals = decimals_;
    }
}
