//! A key that is known to everybody, in plain and as a file.

/// An account without money. Its key is from the documentation of a library, and used nowhere else.
pub const POOR_KEY: &str = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318";
/// That account's address.
pub const POOR: &str = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23";

/// The same key as a V3 keystore with the weakest of parameters, so that it opens at once.
pub const KEYSTORE: &str = r#"{
    "version": 3,
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": { "iv": "09090909090909090909090909090909" },
        "ciphertext": "c9ea7d07d0825f63e137398186c03ac6c5a23daadeba5f10c139c7c8b5252494",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32, "n": 2, "p": 1, "r": 8,
            "salt": "0707070707070707070707070707070707070707070707070707070707070707"
        },
        "mac": "56919bff60097737f853e073f65f194152c13c4a2a70dd3a768c487e5463bc98"
    }
}"#;

/// The keystore's password.
pub const PASSWORD: &str = "correct horse";
