//! JSON-RPC as far as an indexer needs it: batches of calls out, their results in.
//!
//! It is written here because what decides about speed and memory is not in reach through a
//! general client: how large an answer was, how large it may be, when the node wants to be asked
//! again (`Retry-After`), and the answer's text, which is parsed once and in place.

mod http;
mod ws;

pub(super) use http::Http;
pub(super) use ws::Ws;

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use std::{borrow::Cow, ops::Range, time::Duration};

/// The largest answer that is read. A range aims at a sixteenth of it.
pub(super) const LARGEST_ANSWER: usize = 32 << 20;

/// A method with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) params: Value,
}

impl Call {
    pub(super) fn new(method: &'static str, params: Value) -> Self {
        Self { method, params }
    }
}

/// Why a question got no answer that is JSON-RPC.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Refused, cut off, or not JSON-RPC.
    Unreachable(String),
    /// Not in time.
    Slow(String),
    /// Longer than [`LARGEST_ANSWER`].
    TooLarge,
    /// HTTP's refusal.
    Status {
        /// HTTP's status code.
        status: u16,
        /// When the node wants to be asked again.
        retry_after: Option<Duration>,
        /// The beginning of what it said.
        text: String,
    },
}

/// What a node said no with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: i64,
    pub(super) message: String,
}

/// A question as it is sent: one call alone, several as a batch. Ids count up from `first_id`.
pub(super) fn encode(calls: &[Call], first_id: u64) -> String {
    let call = |(id, call): (u64, &Call)| json!({ "jsonrpc": "2.0", "id": id, "method": call.method, "params": call.params });
    match calls {
        [one] => call((first_id, one)).to_string(),
        many => (first_id..).zip(many).map(call).collect::<Value>().to_string(),
    }
}

/// A node's answer to a question: its text, and where in it the result of each call stands.
#[derive(Debug)]
pub(super) struct Replies {
    text: Vec<u8>,
    results: Vec<Result<Range<usize>, Refusal>>,
}

#[derive(Deserialize)]
struct Response<'a> {
    id: Option<u64>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<ResponseError<'a>>,
}

#[derive(Deserialize)]
struct ResponseError<'a> {
    #[serde(default)]
    code: i64,
    #[serde(borrow, default)]
    message: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

impl Replies {
    /// Reads the answer to `calls` calls whose ids count up from `first_id`. Each must have been
    /// answered once, in any order. One error without an id is the answer to all of them.
    pub(super) fn parse(text: Vec<u8>, calls: usize, first_id: u64) -> Result<Self, Failure> {
        let responses = responses(&text)?;
        let mut results = vec![None; calls];
        for response in responses {
            let place = response.id.and_then(|id| id.checked_sub(first_id));
            let result = match (response.error, response.result) {
                (Some(error), _) => Err(Refusal::of(&error)),
                (None, Some(result)) => Ok(place_of(&text, result.get())),
                // As good as `"result": null`, which serde does not tell from nothing.
                (None, None) => Ok(0..0),
            };
            match place.and_then(|place| results.get_mut(usize::try_from(place).ok()?)) {
                Some(slot @ None) => *slot = Some(result),
                Some(_) => return Err(no_answer("it answers one call of a batch twice")),
                None => match (response.id, result) {
                    (None, Err(refusal)) => {
                        return Ok(Self { results: vec![Err(refusal); calls], text });
                    }
                    _ => return Err(no_answer("it answers a call that was not made")),
                },
            }
        }
        let results: Option<Vec<_>> = results.into_iter().collect();
        let results = results.ok_or_else(|| {
            no_answer("it left a call of a batch unanswered; it may not take batches of this size")
        })?;
        Ok(Self { text, results })
    }

    /// How long the answer is, in bytes.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// The result of the call at `place` in the batch, as JSON.
    pub(super) fn result(&self, place: usize) -> Result<&[u8], &Refusal> {
        match &self.results[place] {
            Ok(range) if range.is_empty() => Ok(b"null"),
            Ok(range) => Ok(&self.text[range.clone()]),
            Err(refusal) => Err(refusal),
        }
    }
}

impl Refusal {
    /// Some nodes put what matters (a limit, a range that would work) into `data`.
    fn of(error: &ResponseError<'_>) -> Self {
        let detail = error.data.and_then(|data| serde_json::from_str::<String>(data.get()).ok());
        let message = match detail {
            Some(detail) if !detail.starts_with("0x") => format!("{}: {detail}", error.message),
            _ => error.message.to_string(),
        };
        Self { code: error.code, message }
    }
}

fn responses(text: &[u8]) -> Result<Vec<Response<'_>>, Failure> {
    let is_batch = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let parsed = if is_batch {
        serde_json::from_slice(text)
    } else {
        serde_json::from_slice(text).map(|one| vec![one])
    };
    parsed.map_err(|error| no_answer(&format!("what it answers is no JSON-RPC: {error}")))
}

fn place_of(text: &[u8], part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    start..start + part.len()
}

fn no_answer(why: &str) -> Failure {
    Failure::Unreachable(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, calls: usize) -> Result<Replies, Failure> {
        Replies::parse(text.as_bytes().to_vec(), calls, 7)
    }

    #[test]
    fn one_call_goes_alone_and_several_as_a_batch() {
        let call = Call::new("eth_chainId", json!([]));
        let alone: Value = serde_json::from_str(&encode(std::slice::from_ref(&call), 7)).unwrap();
        assert_eq!(
            alone,
            json!({"jsonrpc": "2.0", "id": 7, "method": "eth_chainId", "params": []})
        );
        let batch: Value = serde_json::from_str(&encode(&[call.clone(), call], 7)).unwrap();
        assert_eq!(batch[1]["id"], 8);
    }

    #[test]
    fn results_are_found_whatever_their_order() {
        let text = r#" [{"id":8,"result":"b"},{"id":7,"result":{"a":[1]}},{"id":9,"result":null}]"#;
        let replies = parse(text, 3).unwrap();
        assert_eq!(replies.result(0), Ok(br#"{"a":[1]}"#.as_slice()));
        assert_eq!(replies.result(1), Ok(br#""b""#.as_slice()));
        assert_eq!(replies.result(2), Ok(b"null".as_slice()));
        assert_eq!(replies.len(), text.len());
    }

    #[test]
    fn an_error_is_the_answer_to_its_call_and_one_without_an_id_to_all() {
        let one =
            r#"[{"id":7,"result":1},{"id":8,"error":{"code":-5,"message":"no","data":"too far"}}]"#;
        let replies = parse(one, 2).unwrap();
        assert!(replies.result(0).is_ok());
        let refusal = Refusal { code: -5, message: "no: too far".to_owned() };
        assert_eq!(replies.result(1), Err(&refusal));

        let all = r#"{"id":null,"error":{"code":-32600,"message":"batches are not allowed"}}"#;
        assert!(parse(all, 2).unwrap().result(1).is_err());
    }

    #[test]
    fn what_answers_less_more_or_something_else_is_no_answer() {
        let said = |text: &str| match parse(text, 2) {
            Err(Failure::Unreachable(why)) => why,
            other => panic!("{other:?}"),
        };
        assert!(said(r#"[{"id":7,"result":1}]"#).contains("unanswered"));
        assert!(said(r#"[{"id":7,"result":1},{"id":7,"result":1}]"#).contains("twice"));
        assert!(said(r#"[{"id":7,"result":1},{"id":9,"result":1}]"#).contains("not made"));
        assert!(said("<html>").contains("no JSON-RPC"));
        assert!(said(r#"[{"id":7,"result":1},{"id":8,"#).contains("no JSON-RPC"));
    }
}
