//! A node that does not answer as it should, or not at all: F24 to F27.

use super::scene::Scene;
use eyre::Result;
use luxxon_tests::{
    AnswerFault, ApiClient, BatchFault, Calls, Daemon, ExchangeFault, Fault, History, Rule,
};
use std::time::Duration;

/// Gives the daemon a block for each of `faults`, which one of its requests meets.
async fn goes_on_after_each(scene: &Scene, daemon: &mut Daemon, faults: &[Fault]) -> Result<()> {
    scene.at_head(daemon).await?;
    for fault in faults {
        let met = scene.proxy.inject(Rule::new(Calls::All, fault.clone()).times(1));
        met.until_fired(1).await?;
        scene.deposit().await?;
        scene.at_head(daemon).await?;
    }
    Ok(())
}

#[tokio::test]
async fn f24_a_node_that_is_busy_or_out_of_order_is_asked_again() -> Result<()> {
    let scene = Scene::start().await?;
    let mut daemon = scene.follow().await?;
    let status = |status, body| ExchangeFault::Status { status, retry_after: None, body }.into();
    let error = |code, message| AnswerFault::Error { code, message }.into();
    let faults = [
        status(429, "Too Many Requests"),
        status(429, r#"{"jsonrpc":"2.0","id":1,"error":{"code":429,"message":"rate limited"}}"#),
        status(503, "Service Unavailable"),
        status(
            503,
            r#"{"jsonrpc":"2.0","error":{"code":-32011,"message":"no backend is currently healthy to serve traffic"}}"#,
        ),
        error(-32005, "daily request count exceeded, request rate limited"),
        error(-32011, "no backend is currently healthy to serve traffic"),
    ];
    goes_on_after_each(&scene, &mut daemon, &faults).await?;
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f24_a_node_that_says_when_to_come_again_is_left_alone_until_then() -> Result<()> {
    let scene = Scene::start().await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    let busy = ExchangeFault::Status { status: 429, retry_after: Some(1), body: "" };
    let busy = scene.proxy.inject(Rule::new(Calls::All, busy).times(1));
    busy.until_fired(1).await?;
    scene.deposit().await?;
    scene.at_head(&mut daemon).await?;
    let asked = scene.proxy.asked();
    let longest = asked.windows(2).map(|two| two[1].at - two[0].at).max();
    assert!(longest >= Some(Duration::from_millis(990)), "{longest:?}");
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f25_an_answer_that_breaks_off_or_is_no_answer_is_asked_for_again() -> Result<()> {
    let scene = Scene::start().await?;
    let mut daemon = scene.follow().await?;
    let faults = [
        ExchangeFault::Truncated.into(),
        ExchangeFault::NotJson.into(),
        ExchangeFault::Reset.into(),
        AnswerFault::Null.into(),
        BatchFault::LastMissing.into(),
        BatchFault::Refused.into(),
    ];
    goes_on_after_each(&scene, &mut daemon, &faults).await?;
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f25_answers_to_a_batch_come_in_any_order_and_late() -> Result<()> {
    let scene = Scene::start().await?;
    History::seeded(125).play(&scene.world, 10).await?;
    let _reversed = scene.proxy.inject(Rule::new(Calls::All, BatchFault::Reversed));
    let late = ExchangeFault::Delay(Duration::from_millis(30));
    let _late = scene.proxy.inject(Rule::new(Calls::Logs, late).times(10));
    let daemon = scene.follow().await?;
    scene.ends_right(daemon).await
}

/// Meets `fault` once while it follows the chain.
async fn goes_on_after(fault: ExchangeFault) -> Result<()> {
    let scene = Scene::start().await?;
    let mut daemon = scene.follow().await?;
    goes_on_after_each(&scene, &mut daemon, &[fault.into()]).await?;
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f25_a_request_that_hangs_on_a_half_open_socket_is_given_up() -> Result<()> {
    goes_on_after(ExchangeFault::Hang).await
}

#[tokio::test]
async fn f25_a_body_that_drips_is_given_up() -> Result<()> {
    goes_on_after(ExchangeFault::Drip(Duration::from_millis(500))).await
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn f26_an_answer_without_end_is_not_kept_in_memory() -> Result<()> {
    let scene = Scene::start().await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    let before = daemon.peak_memory()?;
    goes_on_after_each(&scene, &mut daemon, &[ExchangeFault::Huge(400 << 20).into()]).await?;
    let grown = daemon.peak_memory()? - before;
    assert!(grown < 200 << 20, "it took {} MiB", grown >> 20);
    scene.ends_right(daemon).await
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn f26_a_long_history_is_read_in_little_memory() -> Result<()> {
    let scene = Scene::soon_final().await?;
    History::seeded(126).play(&scene.world, 60).await?;
    let daemon = scene.follow().await?;
    let before = daemon.peak_memory()?;
    let mut daemon = daemon;
    scene.at_head(&mut daemon).await?;
    let grown = daemon.peak_memory()? - before;
    assert!(grown < 64 << 20, "it took {} MiB", grown >> 20);
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f27_a_daemon_that_cannot_advance_serves_what_it_has_and_says_why() -> Result<()> {
    let scene = Scene::start().await?;
    History::seeded(127).play(&scene.world, 10).await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    let error = AnswerFault::Error { code: -32603, message: "Internal error" };
    let failing = scene.proxy.inject(Rule::new(Calls::All, error));
    daemon.until_said("Internal error").await?;
    let (cursor, before) = (scene.cursor().await?, scene.rows().await?);
    scene.deposit().await?;
    failing.until_fired(failing.fired() + 2).await?;
    let api = ApiClient::new(daemon.api_url())?;
    let (status, _) = api.get("/health", None).await?;
    assert_eq!(status, 200);
    assert_eq!((scene.cursor().await?, scene.rows().await?), (cursor, before));
    failing.remove();
    scene.ends_right(daemon).await
}
