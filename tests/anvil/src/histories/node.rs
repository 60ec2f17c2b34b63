//! JSON-RPC to anvil, many questions at a time.

use alloy::{
    hex,
    primitives::{Address, B256},
    transports::http::reqwest,
};
use eyre::{Result, WrapErr, ensure, eyre};
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

/// Anvil answers within milliseconds, unless the machine is busy.
const LONGEST: Duration = Duration::from_mins(2);

/// A question: a method and its parameters.
pub(super) type Asked = (&'static str, Value);

/// A node to ask.
#[derive(Clone, Debug)]
pub(super) struct Rpc {
    http: reqwest::Client,
    url: Url,
}

impl Rpc {
    pub(super) fn new(url: &Url) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(LONGEST).no_proxy();
        // It never speaks TLS: reading the system's certificates would take longer than all the rest.
        let http = http.tls_certs_only([]).build()?;
        Ok(Self { http, url: url.clone() })
    }

    /// Asks everything in one batch, which anvil carries out in its order. None may fail.
    pub(super) async fn ask(&self, questions: &[Asked]) -> Result<Vec<Value>> {
        let batch: Vec<Value> = (0..)
            .zip(questions)
            .map(|(id, (method, params)): (u64, _)| {
                json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
            })
            .collect();
        let body = serde_json::to_vec(&batch)?;
        let request = self.http.post(self.url.clone()).header("content-type", "application/json");
        let answer = request.body(body).send().await?.bytes().await?;
        let mut answers: Vec<Value> = serde_json::from_slice(&answer)
            .wrap_err_with(|| String::from_utf8_lossy(&answer).into_owned())?;
        ensure!(answers.len() == questions.len(), "{} answers", answers.len());
        answers.sort_by_key(|answer| answer["id"].as_u64());
        let result = |(answer, asked): (&mut Value, &Asked)| match answer.get("error") {
            Some(error) => Err(eyre!("{} {}: {error}", asked.0, asked.1)),
            None => Ok(answer["result"].take()),
        };
        answers.iter_mut().zip(questions).map(result).collect()
    }
}

/// A number as JSON-RPC writes it.
pub(super) fn quantity(number: u64) -> Value {
    Value::String(format!("{number:#x}"))
}

/// A field that is a number.
pub(super) fn number(of: &Value, field: &str) -> Result<u64> {
    let digits = of[field].as_str().and_then(|text| text.strip_prefix("0x"));
    let digits = digits.ok_or_else(|| eyre!("{field} is no number in {of}"))?;
    Ok(u64::from_str_radix(digits, 16)?)
}

/// A field, or an answer, that is a hash.
pub(super) fn hash(value: &Value) -> Result<B256> {
    let text = value.as_str().ok_or_else(|| eyre!("{value} is no hash"))?;
    Ok(text.parse()?)
}

/// A field that is an address.
pub(super) fn address(value: &Value) -> Result<Address> {
    let text = value.as_str().ok_or_else(|| eyre!("{value} is no address"))?;
    Ok(text.parse()?)
}

/// A field, or an answer, that is bytes.
pub(super) fn bytes(value: &Value) -> Result<Vec<u8>> {
    let text = value.as_str().ok_or_else(|| eyre!("{value} are no bytes"))?;
    Ok(hex::decode(text)?)
}
