//! Heads that are pushed: F19 and F20.

use super::scene::Scene;
use eyre::Result;
use luxxon_tests::{Calls, ExchangeFault, History, PushFault, Rule};

#[tokio::test]
async fn f19_a_websocket_that_is_made_again_hides_the_blocks_between() -> Result<()> {
    let scene = Scene::start().await?;
    let mut history = History::seeded(119);
    let mut daemon = scene.follow_by_websocket().await?;
    scene.at_head(&mut daemon).await?;
    for _ in 0..3 {
        let swallow = scene.proxy.inject(Rule::new(Calls::Notifications, PushFault::Swallow));
        history.play(&scene.world, 3).await?;
        swallow.until_fired(3).await?;
        swallow.remove();
        let refused = Rule::new(Calls::Handshakes, ExchangeFault::Reset).times(1);
        let refused = scene.proxy.inject(refused);
        scene.proxy.cut_websockets();
        refused.until_fired(1).await?;
        history.play(&scene.world, 2).await?;
        scene.at_head(&mut daemon).await?;
    }
    scene.world.reorg(2).await?;
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f19_a_subscription_that_falls_silent_is_not_the_end_of_the_chain() -> Result<()> {
    let scene = Scene::start().await?;
    let mut daemon = scene.follow_by_websocket().await?;
    scene.at_head(&mut daemon).await?;
    let silent = scene.proxy.inject(Rule::new(Calls::Notifications, PushFault::Swallow));
    History::seeded(120).play(&scene.world, 4).await?;
    silent.until_fired(4).await?;
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f19_a_websocket_that_opens_and_then_says_nothing_is_given_up() -> Result<()> {
    let scene = Scene::start().await?;
    let mut daemon = scene.follow_by_websocket().await?;
    scene.at_head(&mut daemon).await?;
    let deaf = scene.proxy.inject(Rule::new(Calls::Of("eth_subscribe"), ExchangeFault::Hang));
    scene.proxy.cut_websockets();
    deaf.until_fired(1).await?;
    History::seeded(219).play(&scene.world, 4).await?;
    scene.at_head(&mut daemon).await?;
    deaf.remove();
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f20_more_heads_are_pushed_than_can_be_taken_in() -> Result<()> {
    let scene = Scene::start().await?;
    let mut daemon = scene.follow_by_websocket().await?;
    scene.at_head(&mut daemon).await?;
    let flood = scene.proxy.inject(Rule::new(Calls::Notifications, PushFault::Repeat(500)));
    let mut history = History::seeded(121);
    history.play(&scene.world, 10).await?;
    scene.world.reorg(3).await?;
    history.play(&scene.world, 10).await?;
    flood.until_fired(10).await?;
    scene.ends_right(daemon).await
}
