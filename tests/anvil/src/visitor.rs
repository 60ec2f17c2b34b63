use eyre::{Result, WrapErr, ensure, eyre};
use luxxon_script::project;
use serde_json::{Value, json};
use std::{
    io::{Write, stderr},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// Longer than a step of `tests/page/visit.js` may take.
const LONGEST: Duration = Duration::from_mins(1);

/// Somebody who looks at the status page: a headless Chromium.
#[derive(Debug)]
pub struct Visitor {
    child: Child,
    steps: ChildStdin,
    found: Lines<BufReader<ChildStdout>>,
}

/// What a page did so far, and how wide it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The URLs that it asked for.
    pub requests: Vec<String>,
    /// What it complained of, each with the URL that it is about.
    pub errors: Vec<(String, String)>,
    /// How wide it is, in pixels.
    pub wide: u64,
    /// How wide the window is.
    pub room: u64,
}

impl Visitor {
    /// Starts the browser that `CHROMIUM` names, or the first that is found; `None`, and a word about
    /// it, where this machine has none.
    pub async fn start() -> Result<Option<Self>> {
        let mut child = Command::new("node")
            .arg(project::root()?.join("tests/page/visit.js"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .wrap_err("node does not run: it drives the browser")?;
        let steps = child.stdin.take().ok_or_else(|| eyre!("no standard input"))?;
        let found = child.stdout.take().ok_or_else(|| eyre!("no standard output"))?;
        let found = BufReader::new(found).lines();
        let mut visitor = Self { child, steps, found };
        if visitor.answer().await?["browser"].is_null() {
            // Not `eprintln!`: of a test that passes nobody would see it.
            writeln!(stderr(), "skipped: it needs Chromium, on PATH or named by CHROMIUM")?;
            return Ok(None);
        }
        Ok(Some(visitor))
    }

    /// Opens a page in a window of that many pixels. The page before is left.
    pub async fn open(&mut self, url: &str, width: u32, height: u32) -> Result<()> {
        self.step(json!({ "open": url, "width": width, "height": height })).await?;
        Ok(())
    }

    /// Waits until the text of the first element that `selector` finds matches the regular
    /// expression `says`; returns it.
    pub async fn until(&mut self, selector: &str, says: &str) -> Result<String> {
        let found = self.step(json!({ "until": selector, "says": says })).await;
        let found = found.wrap_err_with(|| format!("{selector} does not say {says}"))?;
        Ok(found["text"].as_str().unwrap_or_default().to_owned())
    }

    /// Types into a field, and presses Enter.
    pub async fn fill(&mut self, selector: &str, text: &str) -> Result<()> {
        self.step(json!({ "fill": selector, "with": text })).await?;
        Ok(())
    }

    /// What the page did so far.
    pub async fn observe(&mut self) -> Result<Observed> {
        let found = self.step(json!({ "observe": true })).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let all = |name: &str| found[name].as_array().cloned().unwrap_or_default();
        let number = |name: &str| found[name].as_u64().ok_or_else(|| eyre!("{name} in {found}"));
        Ok(Observed {
            requests: all("requests").iter().map(text).collect(),
            errors: all("errors").iter().map(|e| (text(&e["text"]), text(&e["url"]))).collect(),
            wide: number("wide")?,
            room: number("room")?,
        })
    }

    /// Closes the browser.
    pub async fn leave(self) -> Result<()> {
        let Self { mut child, steps, .. } = self;
        drop(steps);
        let status = timeout(LONGEST, child.wait()).await.wrap_err("the browser stays")??;
        ensure!(status.success(), "the visitor ended with {status}");
        Ok(())
    }

    async fn step(&mut self, told: Value) -> Result<Value> {
        self.steps.write_all(format!("{told}\n").as_bytes()).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> Result<Value> {
        let line = timeout(LONGEST, self.found.next_line()).await.wrap_err("silence")??;
        let found: Value = serde_json::from_str(&line.ok_or_else(|| eyre!("the visitor left"))?)?;
        match found["failed"].as_str() {
            Some(why) => Err(eyre!("{why}")),
            None => Ok(found),
        }
    }
}
