//! Reading one's writes: a client that passes back the sync token of an answer never sees an older
//! state, whichever replica it asks.

use super::{
    Api,
    error::{ApiError, Code},
    input::invalid,
    manners::Known,
};
use crate::{ledger::Block, store::Store};
use alloy::{hex, primitives::B256};
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};

/// The header that carries the token, both ways.
pub(super) const SYNC_TOKEN: HeaderName = HeaderName::from_static("x-lx-sync-token");

/// How long a request waits for its block.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The block that an answer is true at.
#[derive(Clone, Copy, Debug)]
pub(super) struct SyncedTo(pub(super) Block);

/// What a client saw. It is opaque to clients: 48 bytes in hexadecimal digits, the chain's id, the
/// block's number and its hash. A reorg may replace the block; then the number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SyncToken {
    chain_id: u64,
    number: u64,
    hash: B256,
}

impl SyncToken {
    fn to_header(self) -> HeaderValue {
        let (chain, number) = (self.chain_id.to_be_bytes(), self.number.to_be_bytes());
        let mut bytes = [0; 48];
        bytes[..8].copy_from_slice(&chain);
        bytes[8..16].copy_from_slice(&number);
        bytes[16..].copy_from_slice(self.hash.as_slice());
        HeaderValue::from_str(hex::Buffer::<48>::new().format(&bytes)).expect("hexadecimal digits")
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; 48];
        // The decoder would pass over a `0x` before them.
        let digits = (text.len() == 2 * bytes.len()).then_some(text)?;
        hex::decode_to_slice(digits, &mut bytes).ok()?;
        let number = |at: usize| bytes[at..at + 8].try_into().map(u64::from_be_bytes);
        Some(Self {
            chain_id: number(0).ok()?,
            number: number(8).ok()?,
            hash: B256::from_slice(&bytes[16..]),
        })
    }
}

/// The block that was waited for, once it was.
#[derive(Clone, Debug, Default)]
struct Awaited(Arc<OnceLock<u64>>);

/// Gives every answer a token, and looks at those that waited once more. Of what the client has, by
/// its word, no more is sent than that it has it.
pub(super) async fn keep<S: Store>(api: &Api<S>, mut request: Request, next: Next) -> Response {
    let known = Known::of(request.headers());
    let seen = token(request.headers()).filter(|token| token.chain_id == api.config.chain_id);
    let awaited = request.headers().contains_key(SYNC_TOKEN).then(Awaited::default);
    if let Some(awaited) = &awaited {
        request.extensions_mut().insert(awaited.clone());
    }
    let (response, at) = with_token(api, next.run(request).await, seen).await;
    let awaited = awaited.and_then(|Awaited(number)| number.get().copied());
    let response = match (awaited, at) {
        // A reorg came in between.
        (Some(number), Some(at)) if at < number => {
            with_token(api, behind(at).into_response(), seen).await.0
        }
        _ => response,
    };
    known.unless(response)
}

/// Waits for the block of the token that a request carries. It is called once it is known who asks:
/// others neither wait nor learn what is wrong with their token.
pub(super) async fn catch_up<S: Store>(api: &Api<S>, parts: &Parts) -> Result<(), ApiError> {
    let Some(number) = seen(api, &parts.headers)? else { return Ok(()) };
    wait_for(api, number).await?;
    if let Some(Awaited(awaited)) = parts.extensions.get() {
        awaited.get_or_init(|| number);
    }
    Ok(())
}

/// The token that a request carries, where it is one.
fn token(headers: &HeaderMap) -> Option<SyncToken> {
    SyncToken::parse(headers.get(SYNC_TOKEN)?.as_bytes())
}

/// The block that the client has seen, where it says so.
fn seen<S>(api: &Api<S>, headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    if !headers.contains_key(SYNC_TOKEN) {
        return Ok(None);
    }
    let token = token(headers).ok_or_else(|| invalid("syncToken:malformed"))?;
    if token.chain_id != api.config.chain_id {
        return Err(invalid("syncToken:otherChain"));
    }
    Ok(Some(token.number))
}

/// Waits until block `number` is in.
pub(super) async fn wait_for<S: Store>(api: &Api<S>, number: u64) -> Result<(), ApiError> {
    let (mut moved, deadline) = (api.store.moved(), Instant::now() + LONGEST_WAIT);
    loop {
        let at = api.store.cursor().await?.block.number;
        if at >= number {
            return Ok(());
        }
        let Ok(Ok(())) = timeout_at(deadline, moved.changed()).await else {
            return Err(behind(at));
        };
    }
}

/// This replica stands at block `at`.
pub(super) fn behind(at: u64) -> ApiError {
    let detail = format!("consistency:behind:{at}");
    ApiError::new(Code::Unavailable).detail(detail).retry_after(1)
}

/// The answer with a token: of the block it is true at or, where it is about no block, of the last
/// one; but the client's own where it has `seen` a later block than this replica, or the store does not
/// answer. So what a client was given last is never older than what it was given before, whatever the
/// answer was. Returns the number of the answer's block; none where the store does not answer.
async fn with_token<S: Store>(
    api: &Api<S>,
    mut response: Response,
    seen: Option<SyncToken>,
) -> (Response, Option<u64>) {
    let block = match response.extensions().get::<SyncedTo>() {
        Some(SyncedTo(block)) => Some(*block),
        None => api.store.cursor().await.ok().map(|cursor| cursor.block),
    };
    let own = block.map(|Block { number, hash, .. }| {
        let chain_id = api.config.chain_id;
        SyncToken { chain_id, number, hash }
    });
    // Of two of one height, this replica's.
    if let Some(token) = seen.into_iter().chain(own).max_by_key(|token| token.number) {
        response.headers_mut().insert(SYNC_TOKEN, token.to_header());
    }
    (response, block.map(|block| block.number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::{fuzzed, spoiled};
    use proptest::prelude::*;

    #[test]
    fn a_token_is_what_it_was_and_nothing_else_is_one() {
        let token = SyncToken { chain_id: 8453, number: u64::MAX, hash: B256::repeat_byte(7) };
        let text = token.to_header();
        assert_eq!(SyncToken::parse(text.as_bytes()), Some(token));
        let text = text.to_str().unwrap();
        for other in [
            "",
            &text[1..],
            &text[2..],
            &format!("{text}00"),
            &text.replace('7', "g"),
            &format!("0x{text}"),
        ] {
            assert_eq!(SyncToken::parse(other.as_bytes()), None, "{other}");
        }
    }

    /// Tokens, and what is nearly one.
    fn texts() -> impl Strategy<Value = Vec<u8>> {
        let token =
            (any::<u64>(), any::<u64>(), any::<[u8; 32]>()).prop_map(|(chain_id, number, hash)| {
                SyncToken { chain_id, number, hash: hash.into() }.to_header().as_bytes().to_vec()
            });
        let upper = token.clone().prop_map(|text| text.to_ascii_uppercase());
        prop_oneof![2 => spoiled(token), 1 => spoiled(upper), 1 => any::<Vec<u8>>()]
    }

    proptest! {
        #![proptest_config(fuzzed())]

        #[test]
        fn fuzz_a_token_is_its_96_digits_in_either_case_and_nothing_else_is_one(text in texts()) {
            let digits = text.len() == 96 && text.iter().all(u8::is_ascii_hexdigit);
            let token = SyncToken::parse(&text);
            prop_assert_eq!(token.is_some(), digits);
            if let Some(token) = token {
                let again = token.to_header();
                prop_assert_eq!(again.as_bytes(), text.to_ascii_lowercase());
            }
        }
    }
}
