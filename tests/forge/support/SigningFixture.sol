// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {Fixture} from "./Fixture.sol";

/// @dev What a consumer's wallet does for a deposit by signature.
abstract contract SigningFixture is Fixture {
    /// @dev One authorization, with everything that its signature covers.
    struct Authorization {
        address from;
        address to;
        uint256 amount;
        uint256 validAfter;
        uint256 validBefore;
        bytes32 nonce;
    }

    /// @dev The signature of an ERC-3009 `ReceiveWithAuthorization` on this chain's USDC.
    function _sign(uint256 key, Authorization memory authorization) internal view returns (bytes memory) {
        return _sign(key, usdc.RECEIVE_WITH_AUTHORIZATION_TYPEHASH(), usdc.DOMAIN_SEPARATOR(), authorization);
    }

    function _sign(uint256 key, bytes32 typeHash, bytes32 domain, Authorization memory authorization)
        internal
        pure
        returns (bytes memory)
    {
        return _signHash(key, domain, keccak256(abi.encode(typeHash, authorization)));
    }

    function _signHash(uint256 key, bytes32 domain, bytes32 structHash) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked("\x19\x01", domain, structHash)));
        return abi.encodePacked(r, s, v);
    }

    /// @dev `caller` brings the signature to the contract.
    function _bring(address caller, Authorization memory authorization, bytes memory signature) internal {
        vm.prank(caller);
        settlement.depositWithAuthorization(
            authorization.from,
            authorization.amount,
            authorization.validAfter,
            authorization.validBefore,
            authorization.nonce,
            signature
        );
    }
}

/// @dev A wallet that is a contract, and whose signature is whatever bytes it was told to take for one.
contract ContractWallet is IERC1271 {
    bytes32 private immutable SIGNATURE_HASH;

    constructor(bytes memory signature) {
        SIGNATURE_HASH = keccak256(signature);
    }

    function isValidSignature(bytes32, bytes calldata signature) external view returns (bytes4) {
        return keccak256(signature) == SIGNATURE_HASH ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}
