use crate::ledger::meter::{self, Reading, Shares};
use alloy::primitives::{Address, B256};
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

impl NewWorkspace {
    /// A workspace with names as the platform has them: a slug of 3 to 40 of `a-z`, `0-9` and `-`,
    /// and a name of 1 to 80 characters without space around it.
    ///
    /// # Errors
    ///
    /// Which of the two is not so, as `field:what`.
    pub fn checked(slug: String, name: &str, wallet: Address) -> Result<Self, &'static str> {
        let in_slug = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if !(3..=40).contains(&slug.len()) || !slug.bytes().all(in_slug) {
            return Err("slug:malformed");
        }
        let name = name_within(name, 80).ok_or("name:malformed")?;
        if wallet == Address::ZERO {
            // The contract pays nobody there.
            return Err("walletAddress:zero");
        }
        Ok(Self { slug, name, wallet })
    }
}

/// `text` without the space around it, if it then has 1 to `most` characters, none of them a control
/// character.
fn name_within(text: &str, most: usize) -> Option<String> {
    let text = text.trim();
    let fits = (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

/// A workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Its id.
    pub id: Uuid,
    /// Its short name.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Its wallet.
    pub wallet: Address,
    /// When it was entered, in Unix seconds.
    pub created_at: u64,
}

/// What a key may be used for: the platform's scopes. Those that nothing here asks for are kept for
/// who else reads the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Reading the wallet and its events.
    WalletRead,
    /// Reading sessions and their settlements.
    SessionsRead,
    /// Asking for sessions.
    SessionsCreate,
    /// Serving sessions.
    SessionsOperate,
    /// Asking for prices.
    PricingRead,
}

impl Scope {
    /// All there are.
    pub const ALL: [Self; 5] = [
        Self::WalletRead,
        Self::SessionsRead,
        Self::SessionsCreate,
        Self::SessionsOperate,
        Self::PricingRead,
    ];

    /// The published name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WalletRead => "wallet:read",
            Self::SessionsRead => "sessions:read",
            Self::SessionsCreate => "sessions:create",
            Self::SessionsOperate => "sessions:operate",
            Self::PricingRead => "pricing:read",
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
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            format!("{text:?} is no scope: expected one of {known}")
        })
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
    /// What its holder calls it.
    pub label: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
}

impl NewApiKey {
    /// What `label` is without the space around it.
    ///
    /// # Errors
    ///
    /// Where that is nothing, more than 80 characters, or holds a control character: `label:malformed`.
    pub fn checked_label(label: &str) -> Result<String, &'static str> {
        name_within(label, 80).ok_or("label:malformed")
    }
}

/// A key that was entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The key's id.
    pub id: Uuid,
    /// Whose key it is.
    pub workspace: Workspace,
    /// The key's first 20 characters.
    pub prefix: String,
    /// What its holder calls it.
    pub label: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it was entered, in Unix seconds.
    pub created_at: u64,
    /// When it was last used, some seconds more or less, in Unix seconds.
    pub last_used_at: Option<u64>,
    /// When it was revoked, in Unix seconds.
    pub revoked_at: Option<u64>,
}

impl ApiKey {
    /// How long a revoked key still works, in seconds, so that its holder can change to another: the
    /// platform's rule.
    pub const GRACE_SECONDS: u64 = 60;

    /// When a revoked key ends to work, in Unix seconds.
    #[must_use]
    pub fn grace_period_end(&self) -> Option<u64> {
        self.revoked_at.map(|revoked| revoked.saturating_add(Self::GRACE_SECONDS))
    }

    /// Whether it works at `now`, in Unix seconds.
    #[must_use]
    pub fn works_at(&self, now: u64) -> bool {
        self.grace_period_end().is_none_or(|end| now < end)
    }
}

/// A session to enter.
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
    /// The platform's part, in basis points: 2,000 at most.
    pub platform_fee_bps: u16,
    /// The most seconds that are charged.
    pub max_duration_seconds: u32,
    /// When it ran; `None` while it has not ended.
    pub reading: Option<Reading>,
}

impl NewSession {
    /// The seconds to charge, and how their price is divided; `None` while it has not ended, and
    /// where the price does not fit 64 bits or the fee is above its ceiling.
    #[must_use]
    pub fn price(&self) -> Option<(u32, Shares)> {
        let seconds = self.reading.as_ref()?.chargeable_seconds(self.max_duration_seconds);
        Some((seconds, meter::shares(self.rate_per_second, seconds, self.platform_fee_bps)?))
    }

    /// Whether this is `before`, which had not ended then.
    pub(super) fn ends(&self, before: &Self) -> bool {
        before.reading.is_none() && *before == Self { reading: None, ..self.clone() }
    }
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
    /// The transaction that is said to pay it, the last one that was reported.
    pub reported_tx: Option<B256>,
}
