use super::{
    Api, consistency,
    envelope::Eip55,
    error::{ApiError, Code},
    time,
};
use crate::{
    key::PlainKey,
    store::{ApiKey, Scope, Store},
};
use alloy::primitives::Address;
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header::AUTHORIZATION, request::Parts},
};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};
use uuid::Uuid;

/// How long a key is taken for what it was when it was looked up.
const REMEMBERED: Duration = Duration::from_secs(1);

/// Keys that were looked up a moment ago. Those that are not known are not among them, so there are
/// never more than were entered.
#[derive(Debug, Default)]
pub(super) struct RecentKeys(RwLock<HashMap<[u8; 32], Recent>>);

#[derive(Debug)]
struct Recent {
    holder: Arc<Holder>,
    asked: Instant,
}

/// A key, and its wallet as it is written: that takes a hash.
#[derive(Debug)]
struct Holder {
    key: ApiKey,
    wallet: Eip55,
}

impl From<ApiKey> for Holder {
    fn from(key: ApiKey) -> Self {
        Self { wallet: key.workspace.wallet.into(), key }
    }
}

impl RecentKeys {
    /// The holder of the key with that SHA-256, as it was a second ago or later.
    async fn find(
        &self,
        store: &impl Store,
        key_hash: [u8; 32],
    ) -> Result<Option<Arc<Holder>>, ApiError> {
        let recent = {
            let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let found = keys.get(&key_hash);
            found.filter(|it| it.asked.elapsed() < REMEMBERED).map(|it| Arc::clone(&it.holder))
        };
        if recent.is_some() {
            return Ok(recent);
        }
        let asked = Instant::now();
        let holder = store.api_key(key_hash).await?.map(|key| Arc::new(Holder::from(key)));
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match &holder {
            Some(holder) => {
                let holder = Arc::clone(holder);
                drop(keys.insert(key_hash, Recent { holder, asked }));
            }
            None => drop(keys.remove(&key_hash)),
        }
        Ok(holder)
    }
}

/// Who is asking: the holder of a known key.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    holder: Arc<Holder>,
    key_hash: [u8; 32],
}

impl Caller {
    pub(super) fn key(&self) -> &ApiKey {
        &self.holder.key
    }

    /// Whether the key still works.
    pub(super) async fn may_go_on(&self, store: &impl Store) -> Result<bool, ApiError> {
        let key = store.api_key(self.key_hash).await?;
        Ok(key.is_some_and(|key| key.works_at(time::unix_now())))
    }

    pub(super) fn workspace(&self) -> Uuid {
        self.key().workspace.id
    }

    pub(super) fn wallet(&self) -> Address {
        self.key().workspace.wallet
    }

    /// The same as it is written.
    pub(super) fn written_wallet(&self) -> Eip55 {
        self.holder.wallet
    }

    pub(super) fn has(&self, scope: Scope) -> bool {
        self.key().scopes.contains(&scope)
    }

    /// Refuses a key without `scope`.
    pub(super) fn needs(&self, scope: Scope) -> Result<(), ApiError> {
        if self.has(scope) {
            return Ok(());
        }
        Err(ApiError::new(Code::InsufficientScope)
            .message(format!("Missing required scope: {scope}")))
    }
}

/// `Authorization: Bearer lxxn_…`. The key is looked up by the SHA-256 of the whole of it.
impl<S: Store> FromRequestParts<Api<S>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api<S>) -> Result<Self, ApiError> {
        let refused = |detail| ApiError::new(Code::NotAuthenticated).detail(detail);
        let presented = bearer(&parts.headers).filter(|key| key.starts_with(PlainKey::MARK));
        let presented = presented.ok_or_else(|| refused("apiKey:missing"))?;
        let presented = PlainKey::presented(presented);
        if presented.environment().is_some_and(|other| other != api.config.environment()) {
            return Err(refused("apiKey:otherEnvironment"));
        }
        let key_hash = presented.hash();
        let holder = api.recent_keys.find(&api.store, key_hash).await?;
        let holder = holder.ok_or_else(|| refused("apiKey:unknown"))?;
        let (key, now) = (&holder.key, time::unix_now());
        if !key.works_at(now) {
            return Err(ApiError::new(Code::RevokedApiKey));
        }
        if let Some(limit) = &api.rate_limit {
            limit.count(key.id)?;
        }
        api.uses.note(key.id, now);
        consistency::catch_up(api, parts).await?;
        Ok(Self { holder, key_hash })
    }
}

/// What follows `Bearer` in `Authorization`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
