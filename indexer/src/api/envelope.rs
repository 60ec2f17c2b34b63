use super::{
    consistency::SyncedTo,
    error::{ApiError, Code},
    time,
};
use crate::ledger::Block;
use alloy::{hex, primitives::Address};
use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, ETAG},
    },
    response::{IntoResponse, Response},
};
use serde::{Serialize, Serializer, ser::Error};
use twox_hash::XxHash3_128;

/// A successful answer: `data` in the published envelope, with status 200.
#[derive(Debug)]
pub(super) struct Success<T>(pub(super) T);

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

/// Room for most answers, in bytes.
const USUAL: usize = 2_048;

/// With a weak entity tag of `data`, which says whether that is the same, whatever the time is.
///
/// The envelope is written around the data: it holds nothing that would have to be escaped.
fn answer<T: Serialize>(status: StatusCode, data: T) -> Response {
    let mut body = Vec::with_capacity(USUAL);
    body.extend_from_slice(b"{\"statusCode\":");
    body.extend_from_slice(status.as_str().as_bytes());
    body.extend_from_slice(b",\"message\":\"Request successful\",\"data\":");
    let begin = body.len();
    if let Err(error) = serde_json::to_writer(&mut body, &data) {
        tracing::error!(%error, "an answer cannot be written");
        return ApiError::new(Code::InternalServerError).into_response();
    }
    let hash = XxHash3_128::oneshot(&body[begin..]).to_be_bytes();
    let tag = ["W/\"", hex::Buffer::<16>::new().format(&hash), "\""].concat();
    body.extend_from_slice(b",\"timestamp\":\"");
    body.extend_from_slice(time::now().as_bytes());
    body.extend_from_slice(b"\"}");
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let (StatusCode::OK, Ok(tag)) = (status, HeaderValue::try_from(tag)) {
        headers.insert(ETAG, tag);
    }
    response
}

/// What every handler returns.
pub(super) type Answer<T> = Result<Success<T>, ApiError>;

/// An address with its EIP-55 checksum, as the platform writes addresses.
pub(super) fn eip55<S: Serializer>(address: &Address, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(address.to_checksum_buffer(None).as_str())
}

/// The same, for what is written often: a checksum is a hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct Eip55([u8; 42]);

impl From<Address> for Eip55 {
    fn from(address: Address) -> Self {
        let mut text = [0; 42];
        text.copy_from_slice(address.to_checksum_buffer(None).as_str().as_bytes());
        Self(text)
    }
}

impl Serialize for Eip55 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(str::from_utf8(&self.0).map_err(S::Error::custom)?)
    }
}
