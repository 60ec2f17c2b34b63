//! Several providers: the next one answers where the first does not, and with a quorum of two no
//! final block is taken in that two nodes do not agree on.

use alloy::primitives::U256;
use eyre::Result;
use luxxon_script::devnet::IndexerOptions;
use luxxon_tests::{
    AnswerFault, Calls, Daemon, Done, ExchangeFault, FaultProxy, History, Injected, RANGE_WORDINGS,
    Rule, Suggestion, World, command, finish, tables,
};
use std::time::Duration;
use tokio::process::Command;

/// Nobody listens there.
const DOWN: &str = "http://127.0.0.1:9/";

/// A chain whose blocks are final four blocks later, with two proxies of its node.
#[derive(Debug)]
struct Pair {
    world: World,
    history: History,
    one: FaultProxy,
    other: FaultProxy,
    options: IndexerOptions,
}

impl Pair {
    async fn start(seed: u64) -> Result<Self> {
        let world = World::with_finality(2).await?;
        let mut history = History::seeded(seed);
        history.play(&world, 50).await?;
        let one = FaultProxy::start(world.rpc_url()).await?;
        let other = FaultProxy::start(world.rpc_url()).await?;
        let options = world.daemon_options(&world.path("ledger.db")).await?;
        Ok(Self { world, history, one, other, options })
    }

    /// A command that reads from both, the first one preferred.
    fn command(&self, args: &[&str]) -> Command {
        self.command_at(&[self.one.url().as_str(), self.other.url().as_str()], args)
    }

    fn command_at(&self, urls: &[&str], args: &[&str]) -> Command {
        let mut command = command::on_chain(&self.options, args);
        command.env("LUXXON_RPC_URL", urls.join(","));
        command
    }

    /// `sync` to the head, which ends with the rows of a clean run.
    async fn syncs(&self, urls: &[&str], more: &[&str]) -> Result<Done> {
        let head = self.world.head().await?.to_string();
        let args = [&["sync", "--until", &head], more].concat();
        let done = finish(self.command_at(urls, &args), Some("TOPSECRET")).await?;
        done.says(0, &[])?;
        tables::assert_same(&tables::dump(&self.options.db).await?, &self.world.clean_run().await?);
        Ok(done)
    }

    /// Waits until a daemon has the rows of a clean run, and stops it.
    async fn ends_right(&self, mut daemon: Daemon) -> Result<()> {
        let clean = self.world.clean_run().await?;
        for _ in 0..1_000 {
            if daemon.has_ended()? || tables::dump(&self.options.db).await? == clean {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        daemon.stop().await?.says(0, &[])?;
        tables::assert_same(&tables::dump(&self.options.db).await?, &clean);
        Ok(())
    }

    async fn cursor(&self) -> Result<u64> {
        Ok(tables::cursor(&self.options.db).await?.0)
    }
}

/// Every request is refused, as by a machine on which the node was stopped.
fn die(proxy: &FaultProxy) -> Injected {
    proxy.inject(Rule::new(Calls::All, ExchangeFault::Reset))
}

fn name(proxy: &FaultProxy) -> String {
    proxy.url().as_str().trim_end_matches('/').to_owned()
}

const QUORUM: &[&str] = &["--quorum", "2"];

#[tokio::test]
async fn two_honest_nodes_make_the_rows_of_a_clean_run() -> Result<()> {
    let pair = Pair::start(301).await?;
    pair.syncs(&[pair.one.url().as_str(), pair.other.url().as_str()], QUORUM).await?;
    let ranges = [&pair.one, &pair.other].map(|proxy| proxy.count(Calls::RangeLogs));
    assert!(ranges[0] > 0 && ranges[0] == ranges[1], "both are asked: {ranges:?}");
    Ok(())
}

#[tokio::test]
async fn a_daemon_with_two_honest_nodes_follows_a_chain_that_grows_and_is_reorganised() -> Result<()>
{
    let mut pair = Pair::start(302).await?;
    let daemon = Daemon::serving(pair.command(&[&["run"], QUORUM].concat())).await?;
    for _ in 0..3 {
        pair.history.play(&pair.world, 6).await?;
        pair.world.reorg(2).await?;
        pair.history.play(&pair.world, 3).await?;
    }
    pair.ends_right(daemon).await
}

/// Either of two nodes may be the one that lacks a log; which one is wrong, a person must say.
#[tokio::test]
async fn f2_a_log_that_one_of_two_nodes_lacks_in_a_range_stops_the_ledger_below_it() -> Result<()> {
    for liar in [0, 1] {
        let pair = Pair::start(303).await?;
        let proxy = [&pair.one, &pair.other][liar];
        let drop = Rule::new(Calls::RangeLogs, AnswerFault::DropFirstLog).after(8);
        let dropped = proxy.inject(drop);
        let daemon =
            Daemon::serving(pair.command(&[&["run", "--max-block-range", "5"], QUORUM].concat()))
                .await?;
        let done = daemon.end().await?;
        let names = [name(&pair.one), name(&pair.other)];
        let words = ["the ledger cannot go on: two nodes disagree", &names[0], &names[1]];
        done.says(1, &words)?;
        assert!(dropped.fired() > 0);
        stopped_below(&pair, &done).await?;

        dropped.remove();
        pair.syncs(&[pair.one.url().as_str(), pair.other.url().as_str()], QUORUM).await?;
    }
    Ok(())
}

/// Fails unless the rows are those of a clean run up to the block before those that `done` names.
async fn stopped_below(pair: &Pair, done: &Done) -> Result<()> {
    let (_, blocks) = done.stderr.split_once("disagree about blocks ").unwrap_or_default();
    let from: u64 = blocks.split(' ').next().unwrap_or_default().parse()?;
    assert_eq!(pair.cursor().await?, from - 1, "nothing above is taken in");
    let rows = |dump: &str| -> Vec<String> {
        let events = dump.lines().filter(|line| line.starts_with("events "));
        events.map(str::to_owned).collect()
    };
    let (ours, clean) =
        (rows(&tables::dump(&pair.options.db).await?), rows(&pair.world.clean_run().await?));
    let block = |row: &String| -> u64 {
        let (_, rest) = row.split_once("block_number=").unwrap_or_default();
        rest.split(' ').next().unwrap_or_default().parse().unwrap_or(u64::MAX)
    };
    let below: Vec<String> = clean.into_iter().filter(|row| block(row) < from).collect();
    assert!(!ours.is_empty(), "too little was taken in to tell");
    assert_eq!(ours, below);
    Ok(())
}

/// Blocks are taken from one node while they are new. What becomes final is compared again.
#[tokio::test]
async fn f2_a_log_that_a_node_lacked_while_its_block_was_new_is_found_when_it_is_final()
-> Result<()> {
    let mut pair = Pair::start(304).await?;
    pair.syncs(&[pair.one.url().as_str(), pair.other.url().as_str()], QUORUM).await?;
    let lacks = pair.one.inject(Rule::new(Calls::BlockLogs, AnswerFault::DropFirstLog));
    for code in [0, 1] {
        pair.history.play(&pair.world, 4).await?;
        // Nor does it say what the contract owes, which would tell. `USDC()` is asked at first.
        let lost = AnswerFault::Error { code: -32000, message: "missing trie node" };
        let lost = pair.one.inject(Rule::new(Calls::Of("eth_call"), lost).after(1));
        let head = pair.world.head().await?.to_string();
        let args = [&["sync", "--until", &head], QUORUM].concat();
        let done = finish(pair.command(&args), None).await?;
        lost.remove();
        if code == 0 {
            done.says(0, &[])?;
        } else {
            done.says(1, &["two nodes agree that blocks", "repair --from"])?;
        }
    }
    assert!(lacks.fired() > 0);
    Ok(())
}

/// What was read from one node while it was new, and became final while no daemon ran, is compared
/// before anything is built on it.
#[tokio::test]
async fn f2_a_log_that_a_node_lacked_is_found_where_its_block_became_final_while_nothing_ran()
-> Result<()> {
    let mut pair = Pair::start(311).await?;
    let urls = [pair.one.url().to_string(), pair.other.url().to_string()];
    pair.syncs(&[&urls[0], &urls[1]], QUORUM).await?;
    let lacks = pair.one.inject(Rule::new(Calls::BlockLogs, AnswerFault::DropFirstLog));
    let lost = AnswerFault::Error { code: -32000, message: "missing trie node" };
    let lost = pair.one.inject(Rule::new(Calls::Of("eth_call"), lost).after(1));
    pair.history.play(&pair.world, 4).await?;
    let head = pair.world.head().await?.to_string();
    finish(pair.command(&[&["sync", "--until", &head], QUORUM].concat()), None)
        .await?
        .says(0, &[])?;
    lost.remove();
    lacks.remove();
    assert!(lacks.fired() > 0);

    let before = pair.cursor().await?;
    pair.history.play(&pair.world, 20).await?;
    let head = pair.world.head().await?.to_string();
    let done = finish(pair.command(&[&["sync", "--until", &head], QUORUM].concat()), None).await?;
    done.says(1, &["two nodes agree that blocks", "repair --from"])?;
    assert_eq!(pair.cursor().await?, before);
    Ok(())
}

/// Twenty blocks that are final, with a deposit in each: no lie about them leaves the sum right.
async fn deposits(world: &World) -> Result<()> {
    for _ in 0..20 {
        let deposit = world.contracts.settlement.deposit(U256::from(1_000));
        world.execute(world.cast.consumer, deposit.into_transaction_request()).await?;
    }
    world.mine(4).await
}

#[tokio::test]
async fn a_preferred_node_that_lies_is_left_for_the_next() -> Result<()> {
    let pair = Pair::start(312).await?;
    let urls = [pair.one.url().to_string(), pair.other.url().to_string()];
    pair.syncs(&[&urls[0], &urls[1]], &[]).await?;
    deposits(&pair.world).await?;
    let asked = pair.other.count(Calls::RangeLogs);
    let lies = pair.one.inject(Rule::new(Calls::RangeLogs, AnswerFault::NoLogs));
    pair.syncs(&[&urls[0], &urls[1]], &["--max-block-range", "5"]).await?;
    assert!(lies.fired() > 0, "the first is preferred");
    assert!(pair.other.count(Calls::RangeLogs) > asked, "the second was never asked");
    Ok(())
}

#[tokio::test]
async fn a_node_too_busy_to_say_what_is_owed_is_asked_again() -> Result<()> {
    let pair = Pair::start(313).await?;
    let url = pair.one.url().to_string();
    pair.syncs(&[&url], &[]).await?;
    let first = pair.cursor().await? + 1;
    deposits(&pair.world).await?;
    let busy = AnswerFault::Error { code: -32005, message: "daily request count exceeded" };
    let busy = pair.one.inject(Rule::new(Calls::Of("eth_call"), busy).after(1).times(2));
    let lacks = Rule::new(Calls::RangeLogsFrom(first), AnswerFault::DropFirstLog).times(1);
    let lacks = pair.one.inject(lacks);
    pair.syncs(&[&url], &["--max-block-range", "5"]).await?;
    assert!(busy.fired() > 0 && lacks.fired() > 0);
    Ok(())
}

/// It shows in a later range, when what came before was not compared: none of it is written.
#[tokio::test]
async fn a_log_that_was_missing_in_an_earlier_range_stops_before_that_is_written() -> Result<()> {
    let pair = Pair::start(314).await?;
    let url = pair.one.url().to_string();
    pair.syncs(&[&url], &[]).await?;
    let before = pair.cursor().await?;
    deposits(&pair.world).await?;
    let lost = AnswerFault::Error { code: -32000, message: "missing trie node" };
    // `USDC()` is asked at first; then two ranges are under way at once.
    let lost = pair.one.inject(Rule::new(Calls::Of("eth_call"), lost).after(1).times(2));
    let lacks = Rule::new(Calls::RangeLogsFrom(before + 1), AnswerFault::DropFirstLog).times(1);
    let lacks = pair.one.inject(lacks);
    let head = pair.world.head().await?.to_string();
    let args = ["sync", "--until", &head, "--max-block-range", "5"];
    let done = finish(pair.command_at(&[&url], &args), None).await?;
    done.says(1, &["the contract owes"])?;
    assert!(lost.fired() > 0 && lacks.fired() > 0);
    assert_eq!(pair.cursor().await?, before);
    pair.syncs(&[&url], &[]).await?;
    Ok(())
}

#[tokio::test]
async fn a_node_that_is_behind_is_said_to_be_once() -> Result<()> {
    let pair = Pair::start(315).await?;
    let url = pair.one.url().to_string();
    pair.syncs(&[&url], &[]).await?;
    let behind = pair.one.inject(Rule::new(Calls::All, AnswerFault::Behind(2)));
    let mut daemon = Daemon::serving(pair.command_at(&[&url], &["run"])).await?;
    daemon.until_said("the node is behind").await?;
    let looks = pair.one.count(Calls::All);
    while pair.one.count(Calls::All) < looks + 20 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    behind.remove();
    daemon.until_said("the node has caught up").await?;
    assert_eq!(daemon.said().matches("the node is behind").count(), 1, "{}", daemon.said());
    pair.ends_right(daemon).await
}

/// Providers that allow few blocks at once are asked for few, also about what becomes final.
#[tokio::test]
async fn a_quorum_of_nodes_that_allow_two_blocks_at_once_follows_to_the_end() -> Result<()> {
    let mut pair = Pair::start(305).await?;
    let urls = [pair.one.url().to_string(), pair.other.url().to_string()];
    let urls = [urls[0].as_str(), urls[1].as_str()];
    pair.syncs(&urls, QUORUM).await?;
    // They are new, and make as many blocks final.
    pair.history.play(&pair.world, 4).await?;
    for proxy in [&pair.one, &pair.other] {
        let (wording, suggests) = (&RANGE_WORDINGS[0], Suggestion::Smaller);
        let _ = proxy.inject(Rule::new(
            Calls::RangeLogs,
            AnswerFault::RangeTooLarge { most: 2, wording, suggests },
        ));
    }
    pair.syncs(&urls, QUORUM).await?;
    pair.one.ensure_all_met()
}

#[tokio::test]
async fn where_the_first_node_is_down_the_second_is_used_and_no_key_is_shown() -> Result<()> {
    let pair = Pair::start(306).await?;
    let secret = "http://me:TOPSECRET@127.0.0.1:9/v2/TOPSECRET?key=TOPSECRET";
    let urls = [secret, pair.other.url().as_str()];
    let done = pair.syncs(&urls, &[]).await?;
    done.says(0, &["a node does not answer", "http://127.0.0.1:9"])?;
    for args in [&["audit"][..], &["check"], &["repair", "--from", "20"]] {
        let mut command = pair.command_at(&urls, args);
        command.env("LUXXON_LOG", "trace");
        command.args(["--public-rpc-url", "http://127.0.0.1:1"]);
        finish(command, Some("TOPSECRET")).await?.says(0, &["http://127.0.0.1:9"])?;
    }
    Ok(())
}

#[tokio::test]
async fn a_daemon_starts_and_follows_while_the_first_node_is_down() -> Result<()> {
    let mut pair = Pair::start(307).await?;
    let urls = [DOWN, pair.other.url().as_str()];
    let daemon = Daemon::serving(pair.command_at(&urls, &["run"])).await?;
    pair.history.play(&pair.world, 10).await?;
    pair.ends_right(daemon).await
}

#[tokio::test]
async fn where_no_node_answers_all_of_them_were_asked() -> Result<()> {
    let pair = Pair::start(308).await?;
    let urls = [DOWN, "http://127.0.0.1:10/"];
    let done = finish(pair.command_at(&urls, &["sync", "--until", "1"]), None).await?;
    done.says(1, &["no answer from the node at http://127.0.0.1", ":9", ":10"])?;
    assert!(!pair.options.db.exists(), "nothing is written");
    Ok(())
}

#[tokio::test]
async fn a_node_that_dies_in_the_middle_is_replaced_by_the_second() -> Result<()> {
    let mut pair = Pair::start(309).await?;
    let died = pair.one.inject(Rule::new(Calls::All, ExchangeFault::Reset).after(60));
    let daemon = Daemon::serving(pair.command(&["run", "--max-block-range", "5"])).await?;
    died.until_fired(1).await?;
    pair.history.play(&pair.world, 10).await?;
    pair.ends_right(daemon).await?;
    assert!(pair.other.count(Calls::Logs) > 0, "the second one was never asked");
    Ok(())
}

#[tokio::test]
async fn nodes_that_die_in_turn_and_both_at_once_lose_nothing() -> Result<()> {
    let mut pair = Pair::start(310).await?;
    let mut daemon = Daemon::serving(pair.command(&["run"])).await?;
    for _ in 0..2 {
        let one = die(&pair.one);
        pair.history.play(&pair.world, 3).await?;
        one.until_fired(1).await?;
        // It is asked because the first one is dead.
        let other = die(&pair.other);
        other.until_fired(1).await?;
        pair.history.play(&pair.world, 3).await?;
        one.remove();
        pair.history.play(&pair.world, 3).await?;
        other.remove();
    }
    daemon.until_said("will try again").await?;
    pair.ends_right(daemon).await
}

/// With a quorum of two, one node is not enough: the ledger waits for the other and says so.
#[tokio::test]
async fn a_quorum_waits_for_its_second_node() -> Result<()> {
    let pair = Pair::start(311).await?;
    let down = pair.other.inject(Rule::new(Calls::Logs, ExchangeFault::Reset));
    let head = pair.world.head().await?.to_string();
    let args = [&["sync", "--until", &head], QUORUM].concat();
    let mut sync = Daemon::spawn(pair.command(&args))?;
    sync.until_said("will try again").await?;
    assert!(pair.cursor().await? < pair.world.contracts.deploy_block, "one node was believed");
    down.remove();
    sync.end().await?.says(0, &[])?;
    tables::assert_same(&tables::dump(&pair.options.db).await?, &pair.world.clean_run().await?);
    Ok(())
}

/// A node of another chain is never asked for anything else.
#[tokio::test]
async fn a_second_node_of_another_chain_is_refused_by_name() -> Result<()> {
    let pair = Pair::start(312).await?;
    let _ = pair.other.inject(Rule::new(Calls::Of("eth_chainId"), AnswerFault::ChainId(8453)));
    let done = finish(pair.command(&["check"]), None).await?;
    done.says(1, &[&name(&pair.other), "serves chain 8453, not 31337"])
}
