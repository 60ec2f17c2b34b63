use eyre::{Result, WrapErr, ensure, eyre};
use luxxon_script::project;
use luxxon_tests::{ApiClient, programs};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{fs, process::Stdio, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    task::JoinHandle,
    time::timeout,
};

const LONGEST: Duration = Duration::from_mins(1);

/// A `luxxon devnet` as somebody would start it from a shell, with a folder of its own for
/// temporary files.
struct Devnet {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: JoinHandle<String>,
    folder: TempDir,
}

impl Devnet {
    fn start(args: &[&str]) -> Result<Self> {
        let mut command = Command::new(programs()?.join("luxxon"));
        command.arg("devnet").args(args);
        Self::run(command)
    }

    fn run(mut command: Command) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut child = command
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| eyre!("no standard output"))?;
        let mut stderr = child.stderr.take().ok_or_else(|| eyre!("no standard error"))?;
        let stderr = tokio::spawn(async move {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text).await;
            text
        });
        Ok(Self { child, stdout: BufReader::new(stdout), stderr, folder })
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        timeout(LONGEST, self.stdout.read_line(&mut line)).await??;
        if line.is_empty() {
            let (code, stderr) = self.end().await?;
            return Err(eyre!("it ended with {code:?}: {stderr}"));
        }
        Ok(line)
    }

    fn pid(&self) -> Result<u32> {
        self.child.id().ok_or_else(|| eyre!("it has ended"))
    }

    /// What it started: the process ids and names of anvil and the indexer.
    fn children(&self) -> Result<Vec<(u32, String)>> {
        children_of(self.pid()?)
    }

    fn child_named(&self, name: &str) -> Result<u32> {
        let children = self.children()?;
        let child = children.iter().find(|(_, comm)| name.starts_with(comm.as_str()));
        child.map(|(pid, _)| *pid).ok_or_else(|| eyre!("no {name} among {children:?}"))
    }

    /// Waits for its end: the exit code, if it was not killed, and what it said on standard error.
    async fn end(&mut self) -> Result<(Option<i32>, String)> {
        let status = timeout(LONGEST, self.child.wait()).await.wrap_err("it did not end")??;
        let stderr = timeout(LONGEST, &mut self.stderr).await.wrap_err("a child lives on")??;
        Ok((status.code(), stderr))
    }

    /// Its temporary files, which must be gone with it.
    fn left_behind(&self) -> Result<Vec<String>> {
        let entries = fs::read_dir(self.folder.path())?;
        entries.map(|entry| Ok(entry?.path().display().to_string())).collect()
    }
}

fn children_of(pid: u32) -> Result<Vec<(u32, String)>> {
    let mut children = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let list = fs::read_to_string(task?.path().join("children"))?;
        for child in list.split_whitespace() {
            let name = fs::read_to_string(format!("/proc/{child}/comm"))?;
            children.push((child.parse()?, name.trim().to_owned()));
        }
    }
    children.sort();
    Ok(children)
}

fn send(pid: u32, signal: Signal) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(pid)?).ok_or_else(|| eyre!("process 0"))?;
    Ok(kill_process(pid, signal)?)
}

fn is_alive(pid: u32) -> bool {
    // A process that has ended but was not waited for is in state Z.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

async fn all_end(pids: &[(u32, String)]) -> Result<()> {
    let gone = async {
        while pids.iter().any(|(pid, _)| is_alive(*pid)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LONGEST, gone).await.wrap_err_with(|| format!("some of {pids:?} live on"))
}

#[tokio::test]
async fn with_json_one_line_says_all_and_every_endpoint_answers() -> Result<()> {
    let mut devnet = Devnet::start(&["--json", "--block-time", "0.5"])?;
    let ready: Value = serde_json::from_str(&devnet.line().await?)?;
    let keys = |value: &Value| -> Vec<String> {
        value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
    };
    let mut expected = [
        "rpcUrl",
        "chainId",
        "apiUrl",
        "statusUrl",
        "settlementAddress",
        "usdcAddress",
        "deployBlock",
        "relayerKey",
        "workspaces",
    ];
    expected.sort_unstable();
    assert_eq!(keys(&ready), expected);
    let workspaces = ready["workspaces"].as_array().cloned().unwrap_or_default();
    let roles: Vec<&Value> = workspaces.iter().map(|workspace| &workspace["role"]).collect();
    assert_eq!(roles, ["consumer", "operator"]);
    for workspace in &workspaces {
        let expected = ["apiKey", "id", "role", "slug", "walletAddress", "walletKey"];
        assert_eq!(keys(workspace), expected);
    }

    let url = ready["apiUrl"].as_str().unwrap_or_default();
    assert!(url.ends_with("/api/v1"), "{url}");
    let api = ApiClient::new(url)?;
    let key = workspaces[0]["apiKey"].as_str();
    let (status, health) = api.get("/health", None).await?;
    assert_eq!((status, &health["data"]["surface"]), (200, &Value::from("luxxon")));
    let (status, config) = api.get("/config", None).await?;
    assert_eq!((status, &config["data"]["chainId"]), (200, &ready["chainId"]));
    assert_eq!(config["data"]["rpcUrl"], ready["rpcUrl"]);
    assert_eq!(config["data"]["settlementAddress"], ready["settlementAddress"]);
    let (status, wallet) = api.get("/wallet", key).await?;
    assert_eq!((status, &wallet["data"]["workspaceId"]), (200, &workspaces[0]["id"]));
    assert_ne!(wallet["data"]["trackedBalance"], "0", "the traffic has begun");
    let (status, events) = api.get("/wallet/events", key).await?;
    assert_eq!(status, 200);
    let events = events["data"].as_array().cloned().unwrap_or_default();
    let settled = events.iter().find(|event| event["kind"] == "SETTLE");
    let session = settled.and_then(|event| event["relatedSession"].as_str()).unwrap_or_default();
    for workspace in &workspaces {
        let key = workspace["apiKey"].as_str();
        let (status, settlement) = api.get(&format!("/settlements/{session}"), key).await?;
        assert_eq!((status, &settlement["data"]["state"]), (200, &Value::from("CONFIRMED")));
    }

    send(devnet.pid()?, Signal::TERM)?;
    assert_eq!(devnet.end().await?.0, Some(0));
    let mut more = String::new();
    devnet.stdout.read_to_string(&mut more).await?;
    assert_eq!(more, "", "after the line there is silence");
    Ok(())
}

#[tokio::test]
async fn each_stop_signal_ends_everything_and_leaves_nothing() -> Result<()> {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut devnet = Devnet::start(&["--json", "--no-traffic"])?;
        devnet.line().await?;
        let children = devnet.children()?;
        assert_eq!(children.len(), 2, "{children:?}");
        send(devnet.pid()?, signal)?;
        assert_eq!(devnet.end().await?.0, Some(0));
        assert!(!children.iter().any(|(pid, _)| is_alive(*pid)), "{signal:?}: {children:?}");
        assert_eq!(devnet.left_behind()?, [""; 0], "{signal:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_part_that_gets_the_signal_ends_everything_too() -> Result<()> {
    for part in ["anvil", "luxxon-indexer"] {
        let mut devnet = Devnet::start(&["--json", "--no-traffic"])?;
        devnet.line().await?;
        let children = devnet.children()?;
        send(devnet.child_named(part)?, Signal::TERM)?;
        assert_eq!(devnet.end().await?.0, Some(0));
        all_end(&children).await?;
        assert_eq!(devnet.left_behind()?, [""; 0], "{part}");
    }
    Ok(())
}

/// Even a devnet that had no chance to clean up takes its children with it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_devnet_that_is_killed_leaves_no_process_behind() -> Result<()> {
    let mut devnet = Devnet::start(&["--json", "--no-traffic"])?;
    devnet.line().await?;
    let children = devnet.children()?;
    assert_eq!(children.len(), 2, "{children:?}");
    send(devnet.pid()?, Signal::KILL)?;
    devnet.end().await?;
    all_end(&children).await
}

/// make itself passes only SIGTERM on.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_signal_to_the_make_that_runs_it_alone_ends_everything() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let luxxon = programs()?.join("luxxon").display().to_string();
    let makefile = folder.path().join("Makefile");
    fs::write(&makefile, format!("devnet:\n\t@exec {luxxon} devnet --json --no-traffic\n"))?;
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::KILL] {
        // Started by a shell in the background, or by nohup, it would ignore what they do.
        let mut make = Command::new("env");
        make.args(["--default-signal=INT,HUP", "make", "-f"]).arg(&makefile).arg("devnet");
        let mut make = Devnet::run(make)?;
        make.line().await?;
        let devnet = make.child_named("luxxon")?;
        let mut all = children_of(devnet)?;
        assert_eq!(all.len(), 2, "{all:?}");
        all.push((devnet, "luxxon".to_owned()));
        send(make.pid()?, signal)?;
        make.end().await?;
        all_end(&all).await.wrap_err_with(|| format!("{signal:?}"))?;
        assert_eq!(make.left_behind()?, [""; 0], "{signal:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_signal_while_starting_ends_everything() -> Result<()> {
    let mut devnet = Devnet::start(&["--json", "--no-traffic"])?;
    let anvil = timeout(LONGEST, async {
        loop {
            if let Ok(pid) = devnet.child_named("anvil") {
                return pid;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await?;
    send(devnet.pid()?, Signal::TERM)?;
    assert_eq!(devnet.end().await?.0, Some(0));
    all_end(&[(anvil, "anvil".to_owned())]).await?;
    assert_eq!(devnet.left_behind()?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn an_indexer_that_is_killed_is_started_again_where_it_was() -> Result<()> {
    let mut devnet = Devnet::start(&["--json", "--no-traffic"])?;
    let ready: Value = serde_json::from_str(&devnet.line().await?)?;
    let api = ApiClient::new(ready["apiUrl"].as_str().unwrap_or_default())?;
    let killed = devnet.child_named("luxxon-indexer")?;
    send(killed, Signal::KILL)?;
    let answered = timeout(LONGEST, async {
        while is_alive(killed) || api.get("/health", None).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    answered.await.wrap_err("the API did not come back")?;
    send(devnet.pid()?, Signal::TERM)?;
    let (code, said) = devnet.end().await?;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the indexer was killed: starting it again"), "{said}");
    Ok(())
}

#[tokio::test]
async fn the_printed_curl_lines_answer_when_pasted() -> Result<()> {
    let mut devnet = Devnet::start(&["--block-time", "0.5"])?;
    let (mut curls, mut page) = (Vec::new(), None);
    while curls.len() < 3 {
        let line = devnet.line().await?;
        ensure!(!line.is_empty(), "it ended early");
        if let Some(url) = line.strip_prefix("Status ") {
            page = url.split_whitespace().next().map(str::to_owned);
        }
        if line.starts_with("curl ") {
            curls.push(line);
        }
    }
    let page = page.ok_or_else(|| eyre!("no URL of the status page"))?;
    let page = Command::new("curl").args(["-sf", &page]).output().await?;
    ensure!(String::from_utf8_lossy(&page.stdout).contains("<title>Luxxon Settlement"), "{page:?}");
    let mut answers = Vec::new();
    for line in curls {
        let output = Command::new("sh").arg("-c").arg(&line).output().await?;
        let answer: Value = serde_json::from_slice(&output.stdout).wrap_err(line)?;
        assert_eq!(answer["statusCode"], 200, "{answer}");
        answers.push(answer);
    }
    // The first and the last are in the README as they answered once.
    let readme = fs::read_to_string(project::root()?.join("README.md"))?;
    let examples = readme.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    let examples: Vec<Value> = examples.map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!(examples.len(), 2);
    for (example, answer) in examples.iter().zip([&answers[0], &answers[2]]) {
        assert_eq!(fields("", example), fields("", answer));
    }
    send(devnet.pid()?, Signal::INT)?;
    assert_eq!(devnet.end().await?.0, Some(0));
    Ok(())
}

/// The names of all fields, each behind those it lies in.
fn fields(within: &str, value: &Value) -> Vec<String> {
    let of = |(name, value): (&String, &Value)| {
        let name = format!("{within}.{name}");
        [fields(&name, value), vec![name]].concat()
    };
    value.as_object().into_iter().flatten().flat_map(of).collect()
}

#[tokio::test]
async fn a_port_that_is_taken_or_a_database_of_another_chain_is_said_and_nothing_stays()
-> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("kept.db");
    let db = db.to_str().ok_or_else(|| eyre!("an odd folder"))?;
    let mut first = Devnet::start(&["--json", "--no-traffic", "--db", db])?;
    let ready: Value = serde_json::from_str(&first.line().await?)?;
    let port = ready["rpcUrl"].as_str().and_then(|url| url.rsplit(':').next()).unwrap_or_default();
    let mut second = Devnet::start(&["--json", "--no-traffic", "--port", port])?;
    let (code, said) = second.end().await?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("in use") && said.contains(port), "{said}");
    assert_eq!(second.left_behind()?, [""; 0]);
    send(first.pid()?, Signal::TERM)?;
    assert_eq!(first.end().await?.0, Some(0));

    assert!(fs::metadata(db)?.len() > 0, "--db is kept");
    let mut third = Devnet::start(&["--json", "--no-traffic", "--db", db])?;
    let (code, said) = third.end().await?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("exists: a devnet's chain is new each time"), "{said}");
    Ok(())
}
