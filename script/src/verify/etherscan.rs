//! Etherscan's API, version 2, which serves Basescan:
//! <https://docs.etherscan.io/api-reference/endpoint/verifysourcecode>.

use super::{
    StandardInput,
    http::{Explorer, LONGEST_JOB},
};
use alloy::{hex, primitives::Address};
use eyre::{Result, bail};
use serde_json::Value;
use std::{fmt, time::Instant};
use url::{Url, form_urlencoded};

/// Where it serves, for every chain.
pub(super) const URL: &str = "https://api.etherscan.io/v2/api";

/// The variable with the key that it asks for.
pub(super) const KEY_VARIABLE: &str = "LUXXON_ETHERSCAN_KEY";

/// A key of theirs.
#[derive(Clone)]
pub(super) struct ApiKey(pub(super) String);

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// Has Etherscan compare the contract with the input and the constructor's arguments. Returns what
/// it says of it.
pub(super) async fn submit(
    url: &Url,
    key: &ApiKey,
    chain_id: u64,
    address: Address,
    input: &StandardInput,
    constructor_args: &[u8],
) -> Result<String> {
    let etherscan = Explorer::new("Etherscan", url)?;
    let args = hex::encode(constructor_args);
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("apikey", &key.0)
        .append_pair("module", "contract")
        .append_pair("action", "verifysourcecode")
        .append_pair("contractaddress", &address.to_string())
        .append_pair("sourceCode", &input.json.to_string())
        .append_pair("codeformat", "solidity-standard-json-input")
        .append_pair("contractname", &input.identifier())
        .append_pair("compilerversion", &format!("v{}", input.compiler))
        // Misspelt for years, and corrected in their documentation: either may be read.
        .append_pair("constructorArguements", &args)
        .append_pair("constructorArguments", &args)
        .finish();
    let mut route = etherscan.route("")?;
    route.query_pairs_mut().append_pair("chainid", &chain_id.to_string());
    let request = etherscan.post(route.clone(), "application/x-www-form-urlencoded", body);
    let (status, answer) = etherscan.answer(request).await?;
    let job = match verdict(status, &answer) {
        Verdict::Taken(job) => job,
        Verdict::Verified => return Ok("already verified".to_owned()),
        Verdict::Waiting | Verdict::Refused => {
            bail!("Etherscan refused it with status {status}: {}", said(&answer, key))
        }
    };
    route
        .query_pairs_mut()
        .append_pair("apikey", &key.0)
        .append_pair("module", "contract")
        .append_pair("action", "checkverifystatus")
        .append_pair("guid", &job);
    let began = Instant::now();
    while began.elapsed() < LONGEST_JOB {
        let (status, answer) = etherscan.answer(etherscan.get(route.clone())).await?;
        match verdict(status, &answer) {
            Verdict::Waiting => {}
            Verdict::Verified | Verdict::Taken(_) => return Ok("verified".to_owned()),
            Verdict::Refused => {
                bail!("Etherscan does not verify it: {}", said(&answer, key))
            }
        }
        tokio::time::sleep(etherscan.poll_interval()).await;
    }
    bail!("Etherscan's job {job} is not done after {LONGEST_JOB:?}: look at it later")
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// Success, with a job's id; of a job, that it is done.
    Taken(String),
    /// It has the sources already.
    Verified,
    /// The job is not done.
    Waiting,
    /// Anything else.
    Refused,
}

fn verdict(status: u16, answer: &Value) -> Verdict {
    let result = answer["result"].as_str().unwrap_or_default();
    let says = result.to_lowercase();
    match (status, answer["status"].as_str()) {
        (200, _) if says.contains("already verified") => Verdict::Verified,
        (200, _) if says.contains("pending") => Verdict::Waiting,
        (200, Some("1")) if !result.is_empty() => Verdict::Taken(result.to_owned()),
        _ => Verdict::Refused,
    }
}

/// Their words, without the key they may repeat.
fn said(answer: &Value, key: &ApiKey) -> String {
    let result = answer["result"].as_str().or(answer["message"].as_str());
    let text: String = result.unwrap_or("it does not say why").chars().take(300).collect();
    if key.0.is_empty() { text } else { text.replace(&key.0, "…") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_is_read_by_its_status_and_its_words() {
        let answer = |status: &str, result: &str| json!({ "status": status, "result": result });
        assert_eq!(verdict(200, &answer("1", "job")), Verdict::Taken("job".to_owned()));
        assert_eq!(verdict(200, &answer("0", "Pending in queue")), Verdict::Waiting);
        assert_eq!(
            verdict(200, &answer("0", "Contract source code already verified")),
            Verdict::Verified
        );
        for refused in
            [answer("0", "Fail - Unable to verify"), answer("0", "Missing API Key"), Value::Null]
        {
            assert_eq!(verdict(200, &refused), Verdict::Refused);
        }
        assert_eq!(verdict(500, &answer("1", "job")), Verdict::Refused);
    }

    #[test]
    fn the_key_is_not_repeated() {
        let key = ApiKey("SECRET".to_owned());
        let said = said(&json!({ "result": "Invalid API Key SECRET" }), &key);
        assert_eq!(said, "Invalid API Key …");
        assert!(!format!("{key:?}").contains("SECRET"));
    }
}
