use super::{error::ApiError, time};
use alloy::primitives::Address;
use axum::{
    Json,
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
        Json(Envelope {
            status_code: 200,
            message: "Request successful",
            data: self.0,
            timestamp: time::now(),
        })
        .into_response()
    }
}

/// What every handler returns.
pub(super) type Answer<T> = Result<Success<T>, ApiError>;

/// An address with its EIP-55 checksum, as the platform writes addresses.
pub(super) fn eip55<S: Serializer>(address: &Address, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(address)
}
