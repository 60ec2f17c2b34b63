//! A client of the API for each wallet. It passes back what it is given, and remembers its keys.

use super::{
    base::{Base, enter_key, key_of},
    view::View,
};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, header::AUTHORIZATION},
};
use eyre::{Result, ensure, eyre};
use luxxon_indexer::{
    key::PlainKey,
    store::{ApiKey, SqliteStore, Store},
};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};
use tower::ServiceExt;

const SYNC_TOKEN: &str = "x-lx-sync-token";

/// A wallet's client.
#[derive(Debug)]
pub(super) struct Client {
    wallet: usize,
    generation: usize,
    token: Option<String>,
    /// Keys that work no more.
    dead: Vec<PlainKey>,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    token: Option<String>,
}

impl Client {
    pub(super) fn new(wallet: usize) -> Self {
        Self { wallet, generation: 0, token: None, dead: Vec::new() }
    }

    /// `GET path`, with the token of the answer before unless that is of a block which was taken back
    /// since, and nothing is above it.
    pub(super) async fn get(&mut self, router: &Router, view: &View, path: &str) -> Result<Answer> {
        let head = view.head().number;
        let token = self.token.take().filter(|token| block_of(token).is_some_and(|it| it <= head));
        let key = key_of(self.wallet, self.generation);
        let answer = get(router, path, &key, token.as_deref()).await?;
        self.token.clone_from(&answer.token);
        Ok(answer)
    }

    /// The data of a successful `GET path`.
    pub(super) async fn data(&mut self, router: &Router, view: &View, path: &str) -> Result<Value> {
        let mut answer = self.get(router, view, path).await?;
        ensure!(answer.status == 200, "{path}: {}", answer.body);
        Ok(answer.body["data"].take())
    }

    /// `GET path` by a client that waits; the wallet's answer then.
    pub(super) async fn wait(&self, router: &Router, path: &str) -> Result<Answer> {
        get(router, path, &key_of(self.wallet, self.generation), None).await
    }

    /// Revokes its key and gets another. The old one works for a while longer; one that was revoked
    /// before that does not.
    pub(super) async fn change_key(
        &mut self,
        base: &Base,
        store: &SqliteStore,
        router: &Router,
    ) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let workspace = base.workspaces[self.wallet];
        let old = key_of(self.wallet, self.generation);
        let known = store.api_key(old.hash()).await?.ok_or_else(|| eyre!("the key is gone"))?;
        store.revoke_api_key(known.id, now).await?;
        let answer = get(router, "/wallet", &old, None).await?;
        ensure!(answer.status == 200, "a key just revoked: {}", answer.body);

        let dead = key_of(self.wallet, 1_000 + self.generation);
        let id = enter_key(store, workspace, &dead).await?;
        store.revoke_api_key(id, now - ApiKey::GRACE_SECONDS).await?;
        self.dead.push(dead);
        self.generation += 1;
        enter_key(store, workspace, &key_of(self.wallet, self.generation)).await?;
        self.dead_keys_stay_dead(router).await
    }

    /// Nobody is let in with a key whose time is over.
    pub(super) async fn dead_keys_stay_dead(&self, router: &Router) -> Result<()> {
        for key in &self.dead {
            let answer = get(router, "/wallet", key, None).await?;
            let code = answer.body["code"].as_str();
            ensure!(code == Some("REVOKED_API_KEY"), "with a revoked key: {}", answer.body);
        }
        Ok(())
    }
}

/// The block that a token names: behind the chain's id.
fn block_of(token: &str) -> Option<u64> {
    u64::from_str_radix(token.get(16..32)?, 16).ok()
}

async fn get(router: &Router, path: &str, key: &PlainKey, token: Option<&str>) -> Result<Answer> {
    let mut request = Request::get(format!("/api/v1{path}"))
        .header(AUTHORIZATION, format!("Bearer {}", key.reveal()));
    if let Some(token) = token {
        request = request.header(SYNC_TOKEN, token);
    }
    let response = router.clone().oneshot(request.body(Body::empty())?).await?;
    let status = response.status().as_u16();
    let given = response.headers().get(SYNC_TOKEN).map(|token| token.to_str()).transpose()?;
    let token = given.map(str::to_owned);
    let body = to_bytes(response.into_body(), usize::MAX).await?;
    Ok(Answer { status, body: serde_json::from_slice(&body)?, token })
}
