use super::{Status, view::EventDto};
use crate::{
    api::{
        envelope::TrueAt,
        error::{ApiError, Code},
        input::{self, invalid},
    },
    store::Store,
};
use alloy::primitives::B256;
use axum::extract::{Path, State, rejection::PathRejection};
use luxxon_bindings::SessionId;
use serde::Serialize;

/// What the chain knows of a session.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionDto {
    session_id_hash: B256,
    /// Its payment.
    settled: Option<EventDto>,
    /// The last time a batch left it out.
    last_skip: Option<EventDto>,
}

/// A session by its UUID or by its on-chain form. One that is registered, and that the chain has not,
/// is not found: who registered it is not for everyone.
pub(super) async fn session<S: Store>(
    State(status): State<Status<S>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<TrueAt<SessionDto>, ApiError> {
    let malformed = || invalid("sessionId:malformed");
    let Path(text) = path.map_err(|_| malformed())?;
    let session = session_id(&text).ok_or_else(malformed)?;
    let record = status.board.store.session(session).await?;
    let shown = |found: Option<_>| {
        found.map(|(event, block)| EventDto::of(&event, block, &record.cursor)).transpose()
    };
    let (settled, last_skip) = (shown(record.settled.clone())?, shown(record.last_skip.clone())?);
    if settled.is_none() && last_skip.is_none() {
        return Err(ApiError::new(Code::SessionNotFound));
    }
    let session_id_hash = session.0;
    Ok(TrueAt(record.cursor.block, SessionDto { session_id_hash, settled, last_skip }))
}

/// A hyphenated UUID, or `0x` and 64 hexadecimal digits.
fn session_id(text: &str) -> Option<SessionId> {
    if let Some(uuid) = input::uuid(text) {
        return Some(SessionId::of(uuid));
    }
    text.starts_with("0x").then(|| text.parse().ok().map(SessionId)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_session_is_named_by_its_uuid_or_by_its_hash_and_by_nothing_else() {
        let uuid = Uuid::from_u128(7);
        let id = SessionId::of(uuid);
        for text in [uuid.to_string(), uuid.to_string().to_uppercase(), id.to_string()] {
            assert_eq!(session_id(&text), Some(id), "{text}");
        }
        let hash = id.to_string();
        let upper = format!("0x{}", hash[2..].to_uppercase());
        assert_eq!(session_id(&upper), Some(id));
        for text in ["", "0x", "7", &hash[2..], &hash[..65], &format!("{hash}0"), "0xg"] {
            assert_eq!(session_id(text), None, "{text}");
        }
        assert_eq!(session_id(&uuid.simple().to_string()), None);
    }
}
