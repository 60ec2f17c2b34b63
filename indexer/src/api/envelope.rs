use super::{
    consistency::SyncedTo,
    error::{ApiError, Code},
    time,
};
use crate::ledger::Block;
use alloy::{hex, primitives::Address};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::ETAG},
    response::{IntoResponse, Response},
};
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

/// A successful answer: `data` in the published envelope, with status 200.
#[derive(Debug)]
pub(super) struct Success<T>(pub(super) T);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<T> {
    status_code: u16,
    message: &'static str,
    data: T,
    timestamp: String,
}

impl<T: Serialize> IntoResponse for Success<T> {
    fn into_response(self) -> Response {
        answer(StatusCode::OK, self.0)
    }
}

/// The same, true at a block: the answer's sync token names it.
#[derive(Debug)]
pub(super) struct TrueAt<T>(pub(super) Block, pub(super) T);

impl<T: Serialize> IntoResponse for TrueAt<T> {
    fn into_response(self) -> Response {
        let Self(block, data) = self;
        let mut response = answer(StatusCode::OK, data);
        response.extensions_mut().insert(SyncedTo(block));
        response
    }
}

/// Something was made: its `data` in the published envelope, with status 201.
#[derive(Debug)]
pub(super) struct Created<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        answer(StatusCode::CREATED, self.0)
    }
}

/// With a weak entity tag of `data`, which says whether that is the same, whatever the time is.
fn answer<T: Serialize>(status: StatusCode, data: T) -> Response {
    let data = match serde_json::value::to_raw_value(&data) {
        Ok(data) => data,
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written");
            return ApiError::new(Code::InternalServerError).into_response();
        }
    };
    let digest = Sha256::digest(data.get());
    let tag = HeaderValue::try_from(format!("W/\"{}\"", hex::encode(&digest[..16])));
    let (status_code, timestamp) = (status.as_u16(), time::now());
    let envelope = Envelope { status_code, message: "Request successful", data, timestamp };
    let mut response = (status, Json(envelope)).into_response();
    if let (StatusCode::OK, Ok(tag)) = (status, tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// What every handler returns.
pub(super) type Answer<T> = Result<Success<T>, ApiError>;

/// An address with its EIP-55 checksum, as the platform writes addresses.
pub(super) fn eip55<S: Serializer>(address: &Address, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(address)
}
