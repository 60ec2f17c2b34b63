// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ERC1967Utils} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Utils.sol";
import {Proxy} from "@openzeppelin/contracts/proxy/Proxy.sol";
import {UsdcStandIn} from "./UsdcStandIn.sol";

/// @title The proxy in front of the stand-in for USDC, for tests
/// @notice Makes a call cost what it costs on Circle's USDC, which stands behind a proxy of the same kind: each call
/// reads the admin, whom the proxy keeps from the token, and the implementation, and delegates to it.
contract UsdcStandInProxy is Proxy {
    constructor(UsdcStandIn implementation, address proxyAdmin, address tokenOwner) {
        ERC1967Utils.upgradeToAndCall(address(implementation), abi.encodeCall(UsdcStandIn.initialize, (tokenOwner)));
        ERC1967Utils.changeAdmin(proxyAdmin);
    }

    function _fallback() internal override {
        require(msg.sender != ERC1967Utils.getAdmin(), "Cannot call fallback function from the proxy admin");
        super._fallback();
    }

    function _implementation() internal view override returns (address) {
        return ERC1967Utils.getImplementation();
    }
}
