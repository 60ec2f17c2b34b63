// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title What the settlement contract uses of Circle's USDC (FiatTokenV2_2) beyond ERC-20
interface IUsdc is IERC20 {
    /// @notice ERC-3009: moves `value` from `from` to `to` by `from`'s signature; only `to` itself can call it.
    /// @param signature 65 bytes r, s, v of an account, or what a contract wallet takes for one (ERC-1271).
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;

    /// @notice Whether USDC refuses to move money from and to `account`.
    function isBlacklisted(address account) external view returns (bool);
}
