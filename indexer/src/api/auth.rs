use super::{
    Api,
    error::{ApiError, Code},
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
use uuid::Uuid;

/// Who is asking: the holder of a known key.
#[derive(Clone, Debug)]
pub(super) struct Caller(ApiKey);

impl Caller {
    pub(super) fn workspace(&self) -> Uuid {
        self.0.workspace
    }

    pub(super) fn wallet(&self) -> Address {
        self.0.wallet
    }

    /// Refuses a key without `scope`.
    pub(super) fn needs(&self, scope: Scope) -> Result<(), ApiError> {
        if self.0.scopes.contains(&scope) {
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
        let key = bearer(&parts.headers).ok_or_else(|| refused("apiKey:missing"))?;
        let key = api.store.api_key(key.hash()).await?;
        key.map(Self).ok_or_else(|| refused("apiKey:unknown"))
    }
}

fn bearer(headers: &HeaderMap) -> Option<PlainKey> {
    let (scheme, key) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && key.starts_with(PlainKey::MARK))
        .then(|| PlainKey::presented(key))
}
