//! One request, and how it is answered.

use super::{
    Shared,
    call::Call,
    fault::{AnswerFault, BatchFault, ExchangeFault},
    rewrite::rewrite,
    script::{Plan, Source, Wanted},
    view,
};
use eyre::{Result, eyre};
use serde_json::{Value, json};
use std::time::Duration;

/// What a request is answered with, and how it is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) retry_after: Option<u64>,
    pub(super) body: String,
    pub(super) delivery: Delivery,
}

/// How a reply reaches the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// As it should.
    Whole,
    /// Byte by byte.
    Drip(Duration),
    /// Half of it.
    Half,
    /// Not at all, and the connection ends.
    Reset,
    /// Not at all, and the connection stays.
    Never,
}

impl Reply {
    fn whole(status: u16, body: String) -> Self {
        Self { status, retry_after: None, body, delivery: Delivery::Whole }
    }
}

/// What a node that is no node answers.
const WEB_PAGE: &str = "<!DOCTYPE html><html><body><h1>Please stand by</h1></body></html>";

/// Answers what `body` asks, with the faults that stand.
pub(super) async fn exchange(shared: &Shared, body: &str) -> Reply {
    match respond(shared, body).await {
        Ok(reply) => reply,
        Err(error) => Reply::whole(502, format!("{error:#}")),
    }
}

async fn respond(shared: &Shared, body: &str) -> Result<Reply> {
    let request: Value = serde_json::from_str(body)?;
    let calls = match &request {
        Value::Array(calls) => calls.iter().map(Call::of).collect(),
        call => Call::of(call).map(|call| vec![call]),
    };
    let calls: Vec<Call> = calls.ok_or_else(|| eyre!("no JSON-RPC: {body}"))?;
    let Plan { answers, batch, exchange } = shared.with_script(|script| script.plan(&calls));
    if let Some((source, fault)) = exchange
        && let Some(reply) = instead(fault)
        && shared.fire(source)
    {
        return Ok(reply);
    }
    let (mut status, mut answered, mut met) = (200, Vec::new(), Vec::new());
    for (call, faults) in calls.iter().zip(answers) {
        let (with, answer) = answer(shared, call, faults, &mut met).await?;
        status = with.unwrap_or(status);
        answered.push(answer);
    }
    let body = if request.is_array() {
        batch_body(answered, batch.filter(|(source, _)| shared.fire(*source)))
    } else {
        answered.remove(0)
    };
    let mut reply = Reply::whole(status, body.to_string());
    // Counted only now: whoever waits for it knows that the answer is taken.
    if let Some((source, fault)) = exchange
        && shared.fire(source)
    {
        reply.delivery = deliver(shared, source, fault).await;
    }
    Ok(reply)
}

/// The reply of a fault that needs no node.
fn instead(fault: ExchangeFault) -> Option<Reply> {
    Some(match fault {
        ExchangeFault::Status { status, retry_after, body } => {
            Reply { retry_after, ..Reply::whole(status, body.to_owned()) }
        }
        ExchangeFault::NotJson => Reply::whole(200, WEB_PAGE.to_owned()),
        ExchangeFault::Huge(size) => {
            let result = "a".repeat(size);
            Reply::whole(200, format!(r#"{{"jsonrpc":"2.0","id":0,"result":"{result}"}}"#))
        }
        ExchangeFault::Hang => {
            Reply { delivery: Delivery::Never, ..Reply::whole(200, String::new()) }
        }
        ExchangeFault::Reset => {
            Reply { delivery: Delivery::Reset, ..Reply::whole(200, String::new()) }
        }
        ExchangeFault::Delay(_)
        | ExchangeFault::Hold
        | ExchangeFault::Drip(_)
        | ExchangeFault::Truncated => return None,
    })
}

/// What happens to `call` instead of being passed on to the node as it is. Faults of its answer, and
/// those of time, are not for it.
pub(super) fn barred(shared: &Shared, call: &Call) -> Option<Delivery> {
    let plan = shared.with_script(|script| script.plan(std::slice::from_ref(call)));
    let (source, delivery) = match plan.exchange? {
        (_, ExchangeFault::Delay(_) | ExchangeFault::Hold) => return None,
        (source, ExchangeFault::Hang) => (source, Delivery::Never),
        (source, _) => (source, Delivery::Reset),
    };
    shared.fire(source).then_some(delivery)
}

/// Waits as `fault` wants, and says how the reply is delivered then.
async fn deliver(shared: &Shared, source: Source, fault: ExchangeFault) -> Delivery {
    match fault {
        ExchangeFault::Delay(time) => tokio::time::sleep(time).await,
        ExchangeFault::Hold => shared.until(|script| !script.stands(source)).await,
        ExchangeFault::Drip(pause) => return Delivery::Drip(pause),
        ExchangeFault::Truncated => return Delivery::Half,
        _ => {}
    }
    Delivery::Whole
}

/// The answer to `call`, and the HTTP status it comes with where that is not the usual one. `met`
/// are those whose fault the request has met already.
async fn answer(
    shared: &Shared,
    call: &Call,
    faults: Vec<Wanted<AnswerFault>>,
    met: &mut Vec<Source>,
) -> Result<(Option<u16>, Value)> {
    let mut answer = shared.node.ask(call).await?;
    let mut status = None;
    for (source, fault) in faults {
        let spoiled = spoil(shared, &fault, call, answer.clone()).await?;
        let counted = source.is_for_a_request() && met.contains(&source);
        if spoiled == answer || !(counted || shared.fire(source)) {
            continue;
        }
        met.push(source);
        answer = spoiled;
        if let AnswerFault::RangeTooLarge { wording, .. } = fault {
            status = Some(wording.status);
        }
    }
    Ok((status, answer))
}

async fn spoil(shared: &Shared, fault: &AnswerFault, call: &Call, right: Value) -> Result<Value> {
    let heights = shared.node.heights();
    let (heights, says_so) = match fault {
        AnswerFault::SecondNode => {
            let second = shared.second.as_ref().ok_or_else(|| eyre!("there is no second node"))?;
            return second.ask(call).await;
        }
        AnswerFault::Behind(blocks) => (heights.await?.behind(*blocks), false),
        AnswerFault::BehindAndSaysSo(blocks) => (heights.await?.behind(*blocks), true),
        AnswerFault::SyncingAt(head) => (heights.await?.no_higher(*head), false),
        other => return Ok(rewrite(other, call, right)),
    };
    let healthy = shared.node.ask(&view::ask(call, heights)).await?;
    Ok(view::answer(call, healthy, heights, says_so))
}

fn batch_body(mut answers: Vec<Value>, fault: Option<Wanted<BatchFault>>) -> Value {
    match fault.map(|(_, fault)| fault) {
        None => {}
        Some(BatchFault::Reversed) => answers.reverse(),
        Some(BatchFault::LastMissing) => {
            answers.pop();
        }
        Some(BatchFault::Refused) => {
            let error = json!({ "code": -32600, "message": "batch requests are not supported" });
            return json!({ "jsonrpc": "2.0", "id": null, "error": error });
        }
    }
    Value::Array(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_to_a_batch_are_reversed_cut_or_refused() {
        let body = |fault| batch_body(vec![json!(1), json!(2)], fault);
        let with = |fault| body(Some((Source::Random, fault)));
        assert_eq!(body(None), json!([1, 2]));
        assert_eq!(with(BatchFault::Reversed), json!([2, 1]));
        assert_eq!(with(BatchFault::LastMissing), json!([1]));
        assert_eq!(with(BatchFault::Refused)["error"]["code"], -32600);
    }

    #[test]
    fn faults_that_need_no_node_are_answered_at_once() {
        let refused =
            ExchangeFault::Status { status: 429, retry_after: Some(2), body: "slow down" };
        let reply = instead(refused).unwrap();
        assert_eq!((reply.status, reply.retry_after), (429, Some(2)));
        let huge = instead(ExchangeFault::Huge(1_000)).unwrap();
        assert!(huge.body.len() > 1_000);
        let delivery = |fault| instead(fault).map(|reply| reply.delivery);
        assert_eq!(delivery(ExchangeFault::Hang), Some(Delivery::Never));
        assert_eq!(delivery(ExchangeFault::Reset), Some(Delivery::Reset));
        assert_eq!(delivery(ExchangeFault::Truncated), None);
    }
}
