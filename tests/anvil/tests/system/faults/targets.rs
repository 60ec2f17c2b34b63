//! A node that serves something else: F18.

use super::scene::Scene;
use eyre::Result;
use luxxon_tests::{AnswerFault, Calls, Daemon, History, Rule};

#[tokio::test]
async fn f18_a_node_of_another_chain_or_with_other_code_is_refused() -> Result<()> {
    let scene = Scene::start().await?;
    let options = scene.options().await?;
    let other = scene.proxy.inject(Rule::new(Calls::All, AnswerFault::ChainId(8453)));
    Daemon::refusal(&options).await?.says(1, &["serves chain 8453, not 31337"])?;
    other.remove();
    assert!(!scene.db.exists(), "a refusal wrote a database");

    History::seeded(118).play(&scene.world, 5).await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    daemon.stop().await?.says(0, &[])?;
    let before = scene.rows().await?;
    // Only at the head: at the deployment it would look like a wrong --deploy-block.
    let other = scene.proxy.inject(Rule::new(Calls::All, AnswerFault::OtherCode).times(1));
    Daemon::refusal(&options).await?.says(1, &["code"])?;
    other.remove();
    assert_eq!(scene.rows().await?, before);
    let daemon = scene.follow().await?;
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f18_a_node_that_becomes_one_of_another_chain_changes_no_row() -> Result<()> {
    let scene = Scene::start().await?;
    History::seeded(118).play(&scene.world, 5).await?;
    let elsewhere = luxxon_tests::World::elsewhere().await?;
    elsewhere.mine(20).await?;
    let scene = scene.with_second_node(&elsewhere).await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    let before = scene.rows().await?;
    let other = Rule::new(Calls::All, AnswerFault::SecondNode).for_the_whole_request();
    let other = scene.proxy.inject(other);
    let done = daemon.end().await?;
    done.says(1, &["another chain"])?;
    assert_eq!(scene.rows().await?, before);
    other.remove();
    let daemon = scene.follow().await?;
    scene.ends_right(daemon).await
}
