use super::{consistency::SyncedTo, openapi::formats, time};
use crate::{ledger::Block, store::StoreError};
use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::borrow::Cow;
use utoipa::ToSchema;

/// The published error codes this API uses. Clients branch on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// 401: no key, or one that is not known.
    NotAuthenticated,
    /// 401: a key that was revoked more than a minute ago.
    RevokedApiKey,
    /// 403: the caller may not see this.
    NotAuthorized,
    /// 403: the key has none of the scopes that would do.
    InsufficientScope,
    /// 400: `detail` names the field.
    InvalidInput,
    /// 404: there is no such route.
    NotFound,
    /// 404: neither registered nor settled.
    SessionNotFound,
    /// 405: there is such a route, for another method. `Allow` says which.
    MethodNotAllowed,
    /// 409: something else is there already.
    Conflict,
    /// 409: not in this state.
    InvalidState,
    /// 429: this key asked too often.
    RateLimited,
    /// 503: what was asked for is not here yet.
    Unavailable,
    /// 503: the database did not answer.
    DatabaseError,
    /// 500: a bug.
    InternalServerError,
}

impl Code {
    /// The code as it is on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.parts().1
    }

    /// The HTTP status it comes with.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.parts().0
    }

    /// What it means, for people.
    pub(super) const fn message(self) -> &'static str {
        self.parts().2
    }

    const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NotAuthenticated => {
                (StatusCode::UNAUTHORIZED, "NOT_AUTHENTICATED", "Session expired or missing")
            }
            Self::RevokedApiKey => {
                (StatusCode::UNAUTHORIZED, "REVOKED_API_KEY", "API key has been revoked")
            }
            Self::NotAuthorized => {
                (StatusCode::FORBIDDEN, "NOT_AUTHORIZED", "Not authorized for this operation")
            }
            Self::InsufficientScope => {
                (StatusCode::FORBIDDEN, "INSUFFICIENT_SCOPE", "Missing required scope")
            }
            Self::InvalidInput => {
                (StatusCode::BAD_REQUEST, "INVALID_INPUT", "Invalid request payload")
            }
            Self::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND", "Resource not found"),
            Self::SessionNotFound => {
                (StatusCode::NOT_FOUND, "SESSION_NOT_FOUND", "Session not found")
            }
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "Method not allowed")
            }
            Self::InvalidState => (
                StatusCode::CONFLICT,
                "INVALID_STATE",
                "Operation not allowed in the current state",
            ),
            Self::Conflict => {
                (StatusCode::CONFLICT, "CONFLICT", "Conflicts with an existing resource")
            }
            Self::RateLimited => {
                (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", "Too many requests")
            }
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "Service temporarily unavailable")
            }
            Self::DatabaseError => {
                (StatusCode::SERVICE_UNAVAILABLE, "DATABASE_ERROR", "Database unavailable")
            }
            Self::InternalServerError => {
                (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", "Unexpected error")
            }
        }
    }
}

/// An unsuccessful answer, in the published envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    code: Code,
    message: Cow<'static, str>,
    detail: Option<Cow<'static, str>>,
    /// Seconds after which it may be tried again.
    retry_after: Option<u32>,
    /// The block that it is true at.
    at: Option<Block>,
}

impl ApiError {
    /// The code with its usual message.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self { code, message: code.message().into(), detail: None, retry_after: None, at: None }
    }

    /// With a label that says where it failed: `<field or resource>:<what>`. Safe to show to
    /// anyone.
    #[must_use]
    pub fn detail(self, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// To be tried again after so many seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// True at a block: the answer's sync token names it.
    #[must_use]
    pub fn true_at(self, block: Block) -> Self {
        Self { at: Some(block), ..self }
    }

    /// With another message.
    #[must_use]
    pub fn message(self, message: String) -> Self {
        Self { message: message.into(), ..self }
    }
}

/// What the caller can mend is said; any other reason stays in the log, and a client only learns that
/// it may try again.
impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Conflict { what } => return Self::new(Code::Conflict).detail(what.clone()),
            StoreError::NotEnded { .. } => {
                return Self::new(Code::InvalidState).detail("session:notEnded");
            }
            StoreError::Unpayable { .. } => {
                return Self::new(Code::InvalidInput).detail("session:unpayable");
            }
            StoreError::Unknown { what } => return Self::new(Code::NotFound).detail(what.clone()),
            _ => {}
        }
        tracing::error!(%error, "the store failed a request");
        Self::new(Code::DatabaseError)
    }
}

/// What every refusal has in common.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LxErrorResponseDto)]
pub(super) struct ErrorDto {
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, examples(400))]
    status_code: u16,
    /// What went wrong, for programs. New codes may come; none changes its meaning.
    #[schema(pattern = "^[A-Z]+(_[A-Z]+)*$", examples("INVALID_INPUT"))]
    code: &'static str,
    /// The same for people.
    #[schema(value_type = String, examples("Invalid request payload"))]
    message: Cow<'static, str>,
    /// Where it went wrong: `<field or resource>:<what>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, examples("limit:outOfRange"))]
    detail: Option<Cow<'static, str>>,
    /// When it was answered.
    #[schema(value_type = formats::Timestamp)]
    timestamp: String,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let envelope = ErrorDto {
            status_code: status.as_u16(),
            code: self.code.as_str(),
            message: self.message,
            detail: self.detail,
            timestamp: time::now(),
        };
        let mut response = (status, Json(envelope)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110, 11.6.1: a 401 names the scheme that would do.
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(block) = self.at {
            response.extensions_mut().insert(SyncedTo(block));
        }
        response
    }
}
