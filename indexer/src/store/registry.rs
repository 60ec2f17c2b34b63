use alloy::primitives::Address;
use luxxon_bindings::MicroUsdc;
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// A workspace to enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWorkspace {
    /// Its short name, unique.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Its wallet. Several workspaces may share one.
    pub wallet: Address,
}

/// A workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Its id.
    pub id: Uuid,
    /// Its short name.
    pub slug: String,
    /// Its wallet.
    pub wallet: Address,
}

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Reading the wallet and its events.
    WalletRead,
    /// Reading sessions and their settlements.
    SessionsRead,
}

impl Scope {
    const ALL: [Self; 2] = [Self::WalletRead, Self::SessionsRead];

    /// The published name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WalletRead => "wallet:read",
            Self::SessionsRead => "sessions:read",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| format!("{text} is no scope known here"))
    }
}

/// A key to enter. The key itself is not among what is entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApiKey {
    /// Whose key it is.
    pub workspace: Uuid,
    /// SHA-256 of the whole key.
    pub key_hash: [u8; 32],
    /// The key's first 20 characters.
    pub prefix: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
}

/// A key, as far as a request needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The key's id.
    pub id: Uuid,
    /// Whose key it is.
    pub workspace: Uuid,
    /// That workspace's wallet.
    pub wallet: Address,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
}

/// An ended session to enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// The session.
    pub id: Uuid,
    /// The workspace that pays.
    pub consumer_workspace: Uuid,
    /// The workspace that is paid.
    pub operator_workspace: Uuid,
    /// Its price in µUSDC per second.
    pub rate_per_second: MicroUsdc,
    /// The seconds to charge.
    pub chargeable_seconds: u32,
    /// The platform's part, in basis points.
    pub platform_fee_bps: u16,
}

/// A registered session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What was entered.
    pub terms: NewSession,
    /// The wallet of the workspace that pays.
    pub consumer_wallet: Address,
    /// The wallet of the workspace that is paid.
    pub operator_wallet: Address,
}
