//! What callers send, as values. What is malformed is `INVALID_INPUT`, the field named in `detail`.

use super::error::{ApiError, Code};
use crate::ledger::EventId;
use uuid::Uuid;

/// The most events in a page.
const MAX_LIMIT: u32 = 200;

pub(super) fn invalid(detail: &'static str) -> ApiError {
    ApiError::new(Code::InvalidInput).detail(detail)
}

/// A UUID in its hyphenated form, in either case; no other form is taken.
pub(super) fn uuid(text: &str) -> Option<Uuid> {
    const HYPHENATED_LEN: usize = 36;
    (text.len() == HYPHENATED_LEN).then(|| Uuid::try_parse(text).ok()).flatten()
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
