use super::{consistency::SyncedTo, error::ApiError, time};
use crate::ledger::Block;
use alloy::primitives::Address;
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Serialize, Serializer};

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

fn answer<T: Serialize>(status: StatusCode, data: T) -> Response {
    let (status_code, timestamp) = (status.as_u16(), time::now());
    let envelope = Envelope { status_code, message: "Request successful", data, timestamp };
    (status, Json(envelope)).into_response()
}

/// What every handler returns.
pub(super) type Answer<T> = Result<Success<T>, ApiError>;

/// An address with its EIP-55 checksum, as the platform writes addresses.
pub(super) fn eip55<S: Serializer>(address: &Address, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(address)
}
