use super::{Ledger, ends, refuses};
use alloy::hex;
use eyre::{Result, eyre};
use luxxon_indexer::key::PlainKey;
use luxxon_tests::{ApiClient, Daemon, Done, command};
use serde_json::Value;
use std::fs;

const ADMIN_TOKEN: &str = "an-admin-token-of-the-tests-0123456789";

impl Ledger {
    /// What a command over the database prints, with `--json`.
    async fn printed(&self, args: &[&str]) -> Result<Value> {
        ends(self.over_database(&[args, &["--json"]].concat())).await?.json()
    }

    async fn says(&self, args: &[&str], words: &[&str]) -> Result<Done> {
        let done = ends(self.over_database(args)).await?;
        done.says(0, words)?;
        Ok(done)
    }

    async fn enter_harbour(&self) -> Result<Value> {
        let wallet = self.world.cast.consumer.to_string();
        let names = ["--slug", "harbour", "--name", "The harbour", "--wallet", &wallet];
        self.printed(&[&["workspace", "add"], &names[..]].concat()).await
    }
}

#[tokio::test]
async fn workspaces_and_keys_are_entered_from_a_shell_while_a_daemon_runs() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let daemon = Daemon::start(&ledger.options).await?;
    let api = ApiClient::new(daemon.api_url())?;
    let workspace = ledger.enter_harbour().await?;
    ledger.says(&["workspace", "list"], &["harbour", "The harbour"]).await?;
    assert_eq!(ledger.printed(&["workspace", "list"]).await?[0], workspace);

    let add = ["key", "add", "--workspace", "harbour", "--label", "laptop"];
    let add = [&add[..], &["--scopes", "wallet:read,sessions:read"]].concat();
    let made = ledger.says(&add, &[]).await?;
    let key = PlainKey::presented(made.stdout.trim());
    assert_eq!(made.stdout.lines().count(), 1, "{}", made.stdout);
    let data = api.data("/wallet", &key).await?;
    assert_eq!(data["workspaceId"], workspace["id"]);

    let list = ["key", "list", "--workspace", "harbour"];
    let prefix = key.prefix();
    let words = [prefix.as_str(), "wallet:read,sessions:read", "laptop"];
    let listed = ledger.says(&list, &words).await?;
    assert!(!listed.stdout.contains(key.reveal()), "{}", listed.stdout);
    let keys = ledger.printed(&list).await?;
    let id = keys[0]["id"].as_str().ok_or_else(|| eyre!("no id: {keys}"))?;
    ledger.says(&["key", "revoke", "--id", id], &["revoked"]).await?;
    // For a minute more.
    api.data("/wallet", &key).await?;

    let elsewhere = PlainKey::presented("lxxn_test_8c3a5b6f_made-elsewhere");
    let hash = hex::encode(elsewhere.hash());
    let import = ["key", "import", "--workspace", "harbour", "--label", "old"];
    let import = [&import[..], &["--scopes", "wallet:read", "--sha256", &hash]].concat();
    ledger.says(&import, &["old"]).await?;
    api.data("/wallet", &elsewhere).await?;

    let done = daemon.stop().await?;
    done.says(0, &[])?;
    for key in [&key, &elsewhere] {
        assert!(!done.stderr.contains(key.reveal()), "{}", done.stderr);
    }
    // Written down when the daemon stopped, at the latest.
    let used = ledger.printed(&list).await?;
    let laptop = used.as_array().into_iter().flatten().find(|key| key["label"] == "laptop");
    let laptop = laptop.ok_or_else(|| eyre!("no laptop: {used}"))?;
    assert!(laptop["lastUsedAt"].is_u64() && laptop["revokedAt"].is_u64(), "{laptop}");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_entered_from_a_shell_is_refused_in_one_line() -> Result<()> {
    let ledger = Ledger::synced().await?;
    ledger.enter_harbour().await?;
    let wallet = ledger.world.cast.operator.to_string();
    let nobody = uuid::Uuid::from_u128(1).to_string();
    let scopes = ["--scopes", "wallet:read", "--label", "l"];
    let cases: [(i32, &str, Vec<&str>); 6] = [
        (
            1,
            "harbour is already taken",
            vec!["workspace", "add", "--slug", "harbour", "--name", "Other", "--wallet", &wallet],
        ),
        (
            1,
            "--slug is malformed",
            vec!["workspace", "add", "--slug", "A b", "--name", "Other", "--wallet", &wallet],
        ),
        (1, "there is no workspace \"pier\"", vec!["key", "list", "--workspace", "pier"]),
        (
            1,
            "there is no workspace \"pier\"",
            [&["key", "add", "--workspace", "pier"][..], &scopes].concat(),
        ),
        (1, "there is no API key", vec!["key", "revoke", "--id", &nobody]),
        (
            2,
            "expected one of wallet:read",
            vec![
                "key",
                "add",
                "--workspace",
                "harbour",
                "--label",
                "l",
                "--scopes",
                "wallet:write",
            ],
        ),
    ];
    let before = ledger.printed(&["workspace", "list"]).await?;
    for (code, words, args) in cases {
        let done = ends(ledger.over_database(&args)).await?;
        if code == 1 {
            refuses(&done, code, &[words])?;
        } else {
            done.says(code, &[words])?;
        }
    }
    assert_eq!(ledger.printed(&["workspace", "list"]).await?, before);
    assert_eq!(
        ledger.printed(&["key", "list", "--workspace", "harbour"]).await?,
        Value::Array(vec![])
    );
    Ok(())
}

#[tokio::test]
async fn a_daemon_with_a_token_is_administered_over_http_and_never_shows_it() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let file = ledger.path("admin-token");
    fs::write(&file, format!("{ADMIN_TOKEN}\n"))?;
    let mut run = command::on_chain(&ledger.options, &["run"]);
    run.arg("--admin-token-file").arg(&file).env("LUXXON_LOG", "debug");
    let from_file = Daemon::serving(run).await?;
    assert_eq!(workspaces(&from_file, ADMIN_TOKEN).await?, 200);
    assert_eq!(workspaces(&from_file, &ADMIN_TOKEN[1..]).await?, 401);
    let done = from_file.stop().await?;
    done.says(0, &[])?;
    assert!(!done.stderr.contains(&ADMIN_TOKEN[1..]), "{}", done.stderr);

    let mut run = command::on_chain(&ledger.options, &["run"]);
    run.env("LUXXON_ADMIN_TOKEN", ADMIN_TOKEN);
    let from_environment = Daemon::serving(run).await?;
    assert_eq!(workspaces(&from_environment, ADMIN_TOKEN).await?, 200);
    from_environment.stop().await?.says(0, &[])?;

    let without = Daemon::start(&ledger.options).await?;
    assert_eq!(workspaces(&without, ADMIN_TOKEN).await?, 404);
    without.stop().await?.says(0, &[])?;
    Ok(())
}

/// The status of a look at the workspaces.
async fn workspaces(daemon: &Daemon, token: &str) -> Result<u16> {
    let api = ApiClient::new(&daemon.api_url().replace("/api/v1", "/internal/v1"))?;
    Ok(api.get("/workspaces", Some(token)).await?.0)
}

#[tokio::test]
async fn a_token_that_is_short_or_said_twice_is_refused_without_being_repeated() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let file = ledger.path("admin-token");
    fs::write(&file, "SECRET")?;
    let path = file.to_string_lossy().into_owned();
    let with = |flags: &[&str], variable: Option<&str>| {
        let mut run = command::on_chain(&ledger.options, &[&["run"], flags].concat());
        if let Some(token) = variable {
            run.env("LUXXON_ADMIN_TOKEN", token);
        }
        run
    };
    for (command, words) in [
        (with(&["--admin-token-file", &path], None), "admin_token_file"),
        (with(&[], Some("SECRET")), "LUXXON_ADMIN_TOKEN: it has 6 characters, expected 32"),
        (with(&["--admin-token-file", &path], Some(ADMIN_TOKEN)), "both set"),
        (with(&["--admin-token-file", "/nowhere/token"], None), "cannot be read"),
    ] {
        let done = ends(command).await?;
        refuses(&done, 2, &[words])?;
        assert!(!done.stderr.contains("SECRET"), "{}", done.stderr);
    }
    Ok(())
}
