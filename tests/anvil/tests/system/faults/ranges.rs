//! Ranges of blocks that a node will not answer: F5 to F8, F22 and F32.

use super::scene::Scene;
use eyre::Result;
use futures_util::future::try_join_all;
use luxxon_tests::{
    AnswerFault, Calls, ExchangeFault, History, RANGE_WORDINGS, RangeWording, Rule, Suggestion,
};
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

/// Blocks that a node with a limit allows: fewer than a daemon asks for at first.
const MOST: u64 = 20;

/// A chain longer than [`MOST`] blocks, nearly all of them final, with events at both ends.
async fn long_chain() -> Result<Scene> {
    let scene = Scene::soon_final().await?;
    let mut history = History::seeded(105);
    history.play(&scene.world, 5).await?;
    quiet(&scene, MOST + 30).await?;
    history.play(&scene.world, 10).await?;
    Ok(scene)
}

/// Blocks without events.
async fn quiet(scene: &Scene, blocks: u64) -> Result<()> {
    scene.world.rpc("anvil_mine", json!([format!("{blocks:#x}")])).await
}

/// Reads the chain from a node that refuses more than [`MOST`] blocks in the words of one provider.
async fn reads_from(
    beside: &Scene,
    clean: &str,
    wording: &'static RangeWording,
    suggests: Suggestion,
) -> Result<()> {
    let scene = beside.beside(&format!("{}-{suggests:?}", wording.provider)).await?;
    let limit = AnswerFault::RangeTooLarge { most: MOST, wording, suggests };
    let _limit = scene.proxy.inject(Rule::new(Calls::RangeLogs, limit));
    let daemon = scene.follow().await?;
    let right = scene.ends_with(daemon, clean).await;
    right.map_err(|error| error.wrap_err(wording.provider))
}

#[tokio::test]
async fn f5_a_range_is_refused_in_the_words_and_codes_of_thirty_providers() -> Result<()> {
    let scene = long_chain().await?;
    let clean = scene.world.clean_run().await?;
    let reading = RANGE_WORDINGS.iter();
    let reading = reading.map(|wording| reads_from(&scene, &clean, wording, Suggestion::Smaller));
    try_join_all(reading).await?;
    Ok(())
}

#[tokio::test]
async fn f5_too_large_a_range_is_answered_with_nothing_instead_of_an_error() -> Result<()> {
    let scene = long_chain().await?;
    let empty = scene.proxy.inject(Rule::new(Calls::RangeLogs, AnswerFault::NoLogsBeyond(MOST)));
    let daemon = scene.follow().await?;
    empty.until_fired(1).await?;
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f6_a_suggested_range_is_not_smaller_or_ends_before_it_begins() -> Result<()> {
    let scene = long_chain().await?;
    let clean = scene.world.clean_run().await?;
    let suggesting = || RANGE_WORDINGS.iter().filter(|words| words.message.contains("{from}"));
    let mut reading = Vec::new();
    for suggests in [Suggestion::Same, Suggestion::Larger, Suggestion::Inverted] {
        for wording in suggesting().step_by(3) {
            reading.push(reads_from(&scene, &clean, wording, suggests));
        }
    }
    assert!(reading.len() >= 3);
    try_join_all(reading).await?;
    Ok(())
}

#[tokio::test]
async fn f7_a_range_that_failed_many_times_is_never_skipped() -> Result<()> {
    let scene = Scene::soon_final().await?;
    History::seeded(107).play(&scene.world, 30).await?;
    let error = AnswerFault::Error { code: -32603, message: "Internal error" };
    let failing = scene.proxy.inject(Rule::new(Calls::RangeLogs, error).for_the_whole_request());
    let daemon = scene.follow().await?;
    let before = scene.rows().await?;
    failing.until_fired(3).await?;
    assert_eq!(scene.rows().await?, before);
    failing.remove();
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f8_quiet_ranges_move_the_cursor_before_their_span_passes_the_limit() -> Result<()> {
    let scene = long_chain().await?;
    let limit = AnswerFault::RangeTooLarge {
        most: MOST,
        wording: &RANGE_WORDINGS[0],
        suggests: Suggestion::Smaller,
    };
    let _limit = scene.proxy.inject(Rule::new(Calls::RangeLogs, limit));
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    for _ in 0..4 {
        quiet(&scene, MOST / 3).await?;
        scene.at_head(&mut daemon).await?;
    }
    scene.deposit().await?;
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f22_a_later_range_is_answered_before_an_earlier_one_and_the_daemon_is_killed() -> Result<()>
{
    let scene = Scene::soon_final().await?;
    let mut history = History::seeded(122);
    history.play(&scene.world, 10).await?;
    // More than one range, whatever a daemon asks for at once.
    quiet(&scene, 1_050).await?;
    history.play(&scene.world, 10).await?;
    let first = Calls::RangeLogsFrom(scene.world.contracts.deploy_block);
    let hold = Rule::new(first, ExchangeFault::Hold).times(1);
    let hold = scene.proxy.inject(hold);
    let daemon = scene.follow().await?;
    hold.until_fired(1).await?;
    let before = scene.cursor().await?;
    // Meanwhile the next range is asked for, with two filters, and answered.
    let next = async {
        while scene.proxy.count(Calls::RangeLogs) < 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(30), next).await?;
    daemon.kill().await?;
    assert_eq!(scene.cursor().await?, before, "the cursor passed a range that was not in");
    scene.balances_are_right().await?;
    hold.remove();
    let daemon = scene.follow().await?;
    scene.ends_right(daemon).await
}

/// The daemon reads ranges up to what one node called final from another, which is far behind.
async fn reads_past_a_head(fault: AnswerFault) -> Result<()> {
    let scene = Scene::soon_final().await?;
    History::seeded(132).play(&scene.world, 40).await?;
    let behind = scene.proxy.inject(Rule::new(Calls::RangeLogs, fault).for_the_whole_request());
    let daemon = scene.follow().await?;
    behind.until_fired(1).await?;
    let (cursor, head) = (scene.cursor().await?, scene.world.head().await?);
    assert!(cursor <= head - 20, "block {cursor} was taken in from a node that lacks it");
    behind.remove();
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f32_a_range_past_the_head_is_answered_with_what_there_is() -> Result<()> {
    reads_past_a_head(AnswerFault::Behind(20)).await
}

#[tokio::test]
async fn f32_a_range_past_the_head_is_an_error() -> Result<()> {
    reads_past_a_head(AnswerFault::BehindAndSaysSo(20)).await
}
