//! `/internal/v1`: what the platform's backend and the people who run it enter. Apart from the
//! published routes, so that a proxy can leave it out, and off unless there is a token.

mod keys;
mod settlements;
mod workspaces;

use super::{
    Api,
    auth::bearer,
    docs,
    error::{
        ApiError,
        Code::{self, Conflict, InvalidState, NotFound, SessionNotFound},
    },
    openapi::{Needs, Routes, Surface},
};
use crate::store::Store;
use axum::{
    extract::{FromRequestParts, State},
    http::request::Parts,
    response::IntoResponse,
};
pub(super) use keys::{KeyDto, NewKeyDto};
pub(super) use settlements::{RegistrationDto, ReportDto};
use sha2::{Digest, Sha256};
use std::fmt;
pub(super) use workspaces::{NewWorkspaceDto, WorkspaceDto};

/// The routes under `/internal/v1`.
pub(super) fn routes<S: Store>() -> Routes<S> {
    use Needs::Admin;
    Routes::of(Surface::Internal)
        .group("Workspaces")
        .add(workspaces::__path_list, workspaces::list::<S>, Admin, &[])
        .add(workspaces::__path_add, workspaces::add::<S>, Admin, &[Conflict])
        .group("API keys")
        .add(keys::__path_list, keys::list::<S>, Admin, &[])
        .add(keys::__path_add, keys::add::<S>, Admin, &[NotFound, Conflict])
        .add(keys::__path_revoke, keys::revoke::<S>, Admin, &[NotFound])
        .group("Settlements")
        .add(settlements::__path_register, settlements::register::<S>, Admin, &[NotFound, Conflict])
        .add(
            settlements::__path_report,
            settlements::report::<S>,
            Admin,
            &[SessionNotFound, InvalidState],
        )
        .group("Documentation")
        .add(__path_json, json::<S>, Admin, &[])
}

/// This document
///
/// OpenAPI 3.1, without an envelope.
#[utoipa::path(get, path = "/docs-json", operation_id = "docs", responses(docs::Bare))]
async fn json<S: Store>(State(api): State<Api<S>>, _: Admin) -> impl IntoResponse {
    api.internal_document.answer()
}

/// What whoever administers has to show. Only its SHA-256 is kept, so that comparing it tells
/// nothing by how long that takes.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminToken([u8; 32]);

impl AdminToken {
    /// A token has so many characters at least: 128 bits, written in hexadecimal.
    const SHORTEST: usize = 32;

    /// The token `text`, without the space around it.
    ///
    /// # Errors
    ///
    /// What is wrong with it, without the token.
    pub fn new(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("expected printable ASCII without spaces".to_owned());
        }
        if text.len() < Self::SHORTEST {
            let (found, least) = (text.len(), Self::SHORTEST);
            return Err(format!("it has {found} characters, expected {least} at least"));
        }
        Ok(Self(Sha256::digest(text).into()))
    }

    fn is(&self, presented: &str) -> bool {
        self.0 == <[u8; 32]>::from(Sha256::digest(presented))
    }
}

/// Never the token.
impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(…)")
    }
}

/// Whoever shows the token: `Authorization: Bearer …`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admin;

impl<S: Store> FromRequestParts<Api<S>> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api<S>) -> Result<Self, ApiError> {
        let refused = |detail| ApiError::new(Code::NotAuthenticated).detail(detail);
        let presented = bearer(&parts.headers).ok_or_else(|| refused("adminToken:missing"))?;
        let known = api.admin.as_ref().is_some_and(|token| token.is(presented));
        known.then_some(Self).ok_or_else(|| refused("adminToken:unknown"))
    }
}
