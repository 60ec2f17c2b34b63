//! Sourcify's API, version 2: <https://docs.sourcify.dev/docs/api/>.

use super::{
    StandardInput,
    http::{Explorer, LONGEST_JOB},
};
use alloy::primitives::{Address, B256};
use eyre::{Result, bail, eyre};
use serde_json::{Value, json};
use std::time::Instant;
use url::Url;

/// Where it serves.
pub(super) const URL: &str = "https://sourcify.dev/server";

/// Has Sourcify compare the contract with the input. Returns what it says of it.
pub(super) async fn submit(
    url: &Url,
    chain_id: u64,
    address: Address,
    input: &StandardInput,
    tx_hash: Option<B256>,
) -> Result<String> {
    let sourcify = Explorer::new("Sourcify", url)?;
    let mut body = json!({
        "stdJsonInput": input.json,
        "compilerVersion": input.compiler,
        "contractIdentifier": input.identifier(),
    });
    if let Some(tx_hash) = tx_hash {
        body["creationTransactionHash"] = tx_hash.to_string().into();
    }
    let route = sourcify.route(&format!("v2/verify/{chain_id}/{address}"))?;
    let request = sourcify.post(route, "application/json", body.to_string());
    let (status, answer) = sourcify.answer(request).await?;
    let job = match (status, answer["verificationId"].as_str()) {
        (409, _) => return Ok("already verified".to_owned()),
        (202, Some(job)) if is_job(job) => job.to_owned(),
        _ => bail!("Sourcify refused it with status {status}: {}", said(&answer)),
    };
    let began = Instant::now();
    while began.elapsed() < LONGEST_JOB {
        let route = sourcify.route(&format!("v2/verify/{job}"))?;
        let (status, answer) = sourcify.answer(sourcify.get(route)).await?;
        if let Some(outcome) = outcome(status, &answer)? {
            return Ok(outcome);
        }
        tokio::time::sleep(sourcify.poll_interval()).await;
    }
    bail!("Sourcify's job {job} is not done after {LONGEST_JOB:?}: look at it later")
}

/// It becomes part of a URL.
fn is_job(job: &str) -> bool {
    !job.is_empty() && job.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// What a job came to; `None` while it runs.
fn outcome(status: u16, answer: &Value) -> Result<Option<String>> {
    if status != 200 {
        bail!("Sourcify answers with status {status} about its own job: {}", said(answer));
    }
    if answer["isJobCompleted"] != true {
        return Ok(None);
    }
    if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
        if error["customCode"] == "already_verified" {
            return Ok(Some("already verified".to_owned()));
        }
        bail!("Sourcify does not verify it: {}", said(error));
    }
    let found = answer["contract"]["match"].as_str();
    let found = found.ok_or_else(|| eyre!("Sourcify finds no match, and does not say why"))?;
    Ok(Some(format!("verified ({found})")))
}

/// An error of theirs, in their words.
fn said(answer: &Value) -> String {
    let message = answer["message"].as_str().unwrap_or("it does not say why");
    message.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_waited_for_and_ends_well_or_with_their_reason() {
        assert_eq!(outcome(200, &json!({ "isJobCompleted": false })).unwrap(), None);
        let done = json!({ "isJobCompleted": true, "contract": { "match": "match" } });
        assert_eq!(outcome(200, &done).unwrap().unwrap(), "verified (match)");
        let again =
            json!({ "isJobCompleted": true, "error": { "customCode": "already_verified" } });
        assert_eq!(outcome(200, &again).unwrap().unwrap(), "already verified");
        let failed = json!({ "isJobCompleted": true, "error": { "message": "bytecodes differ" } });
        assert!(outcome(200, &failed).unwrap_err().to_string().contains("bytecodes differ"));
        let nothing = json!({ "isJobCompleted": true, "contract": { "match": null } });
        assert!(outcome(200, &nothing).is_err());
        assert!(outcome(404, &Value::Null).is_err());
    }

    #[test]
    fn a_job_id_that_would_change_the_route_is_refused() {
        assert!(is_job("3c90c3cc-0d44-4b50-8888-8dd25736052a"));
        for bad in ["", "../x", "a/b", "a?b", "a b"] {
            assert!(!is_job(bad), "{bad}");
        }
    }
}
