// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @dev The least that passes for a 6-decimals token, to be made hostile in one way by each contract below.
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

/// @dev Says false instead of reverting, once told to.
contract SilentToken is TokenBase {
    bool public silent;

    function beSilent() external {
        silent = true;
    }

    function _move(address from, address to, uint256 value) internal override returns (bool) {
        return !silent && super._move(from, to, value);
    }
}

/// @dev In the middle of a transfer makes the call it was given, and passes on what that call reverts with.
contract ReenteringToken is TokenBase {
    address private _callee;
    bytes private _call;

    function reenter(address callee, bytes calldata call) external {
        (_callee, _call) = (callee, call);
    }

    function _move(address from, address to, uint256 value) internal override returns (bool) {
        if (_callee != address(0)) {
            (bool done, bytes memory answer) = _callee.call(_call);
            if (!done) {
                assembly ("memory-safe") {
                    // to pass the reason on as it is; Solidity can only wrap it
                    revert(add(answer, 32), mload(answer))
                }
            }
        }
        return super._move(from, to, value);
    }
}

/// @dev A token whose number of decimals is an argument.
contract DecimalsToken {
    uint8 public immutable decimals;

    constructor(uint8 decimals_) {
        decimals = decimals_;
    }
}
