//! What callers send, as values. What is malformed is `INVALID_INPUT`, the field named in `detail`.

use super::error::{ApiError, Code};
use crate::{config, ledger::EventId, store::EventKind};
use alloy::primitives::Address;
use axum::{
    body::Bytes,
    extract::{FromRequest, Path, Request, rejection::PathRejection},
    http::{HeaderMap, header::CONTENT_TYPE},
};
use luxxon_bindings::MicroUsdc;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::{borrow::Cow, fmt, marker::PhantomData, time::Duration};
use tokio::time::timeout;
use uuid::Uuid;

/// The most events in a page.
const MAX_LIMIT: u32 = 200;

pub(super) fn invalid(detail: impl Into<Cow<'static, str>>) -> ApiError {
    ApiError::new(Code::InvalidInput).detail(detail)
}

/// A UUID in its hyphenated form, in either case; no other form is taken.
pub(super) fn uuid(text: &str) -> Option<Uuid> {
    const HYPHENATED_LEN: usize = 36;
    (text.len() == HYPHENATED_LEN).then(|| Uuid::try_parse(text).ok()).flatten()
}

/// A block's number, in digits alone.
pub(super) fn block(text: &str, detail: &'static str) -> Result<u64, ApiError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().ok_or_else(|| invalid(detail))
}

/// The id of an event, after which a page begins.
pub(super) fn cursor(text: &str) -> Result<EventId, ApiError> {
    uuid(text).and_then(EventId::from_uuid).ok_or_else(|| invalid("cursor:malformed"))
}

/// How many events a page may have: 1 to 200, in digits alone.
pub(super) fn limit(text: &str) -> Result<u32, ApiError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let limit = digits.then(|| text.parse().ok()).flatten();
    limit.filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or_else(|| invalid("limit:outOfRange"))
}

/// The UUID that the path holds; `detail` says where it is none.
pub(super) fn path_uuid(
    path: Result<Path<String>, PathRejection>,
    detail: &'static str,
) -> Result<Uuid, ApiError> {
    let Path(text) = path.map_err(|_| invalid(detail))?;
    uuid(&text).ok_or_else(|| invalid(detail))
}

/// A kind of event by its published name.
pub(super) fn kind(text: &str) -> Result<EventKind, ApiError> {
    let known = EventKind::ALL.into_iter().find(|kind| kind.as_str() == text);
    known.ok_or_else(|| invalid("kind:unknown"))
}

/// A JSON object: an array would be taken for the fields in their order.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields))
            }
        }

        json.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

/// A list of JSON objects.
pub(super) fn objects<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    json: D,
) -> Result<Vec<T>, D::Error> {
    let objects = Vec::<Object<T>>::deserialize(json)?;
    Ok(objects.into_iter().map(|Object(value)| value).collect())
}

/// An amount of µUSDC, in digits alone.
pub(super) fn micro_usdc(text: &str) -> Option<MicroUsdc> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().map(MicroUsdc::new)
}

/// An address, its checksum right where it has one.
pub(super) fn address(text: &str) -> Option<Address> {
    text.starts_with("0x").then(|| config::address(text).ok()).flatten()
}

/// How long a body may take to come: less than a request may take altogether.
const LONGEST_BODY: Duration = Duration::from_secs(8);

/// What a request carries as JSON.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(invalid("contentType:unsupported"));
        }
        let bytes = timeout(LONGEST_BODY, Bytes::from_request(request, state)).await;
        let bytes = bytes.map_err(|_| invalid("body:tooSlow"))?;
        let bytes = bytes.map_err(|rejection| {
            let too_large = rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE;
            invalid(if too_large { "body:tooLarge" } else { "body:unreadable" })
        })?;
        let mut json = serde_json::Deserializer::from_slice(&bytes);
        let Object(value) =
            serde_path_to_error::deserialize(&mut json).map_err(|error| blamed(&error))?;
        json.end().map_err(|_| invalid("body:malformed"))?;
        Ok(Self(value))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.map(|value| value.split(';').next().unwrap_or_default().trim());
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
}

/// The field that cannot be read, or is missing, or is there twice, or is not known.
fn blamed(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let path = error.path().to_string();
    let text = error.inner().to_string();
    let named = |what: &str| text.strip_prefix(what).and_then(|rest| rest.split('`').next());
    if let Some(field) = named("missing field `") {
        return invalid(format!("{field}:missing"));
    }
    if let Some(field) = named("duplicate field `") {
        return invalid(format!("{field}:duplicate"));
    }
    if path != "." && error.inner().is_data() {
        let what = if text.starts_with("unknown field") { "unknown" } else { "malformed" };
        return invalid(format!("{path}:{what}"));
    }
    invalid("body:malformed")
}

#[cfg(test)]
mod fuzz;
