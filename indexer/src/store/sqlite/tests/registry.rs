use crate::{
    ledger::meter::{Disconnect, Reading},
    store::{ApiKey, NewApiKey, NewSession, NewWorkspace, Scope, Session, Store, StoreError},
    testing::{CONSUMER, OPERATOR, block, deposit, new_store, settle, take, terms, workspace},
};
use alloy::primitives::B256;
use luxxon_bindings::{MicroUsdc, SessionId};
use uuid::Uuid;

const SESSION: Uuid = Uuid::from_u128(1);

fn is_conflict(error: &StoreError) -> bool {
    matches!(error, StoreError::Conflict { .. }) && !error.is_retryable()
}

#[tokio::test]
async fn a_slug_is_taken_once_and_a_wallet_as_often_as_one_likes() {
    let (_directory, store) = new_store().await;
    let first = workspace(&store, "harbour", CONSUMER).await;
    let second = workspace(&store, "pier", CONSUMER).await;
    assert_ne!(first.id, second.id);
    assert_eq!((first.slug.as_str(), first.wallet), ("harbour", CONSUMER));

    let again =
        NewWorkspace { slug: "harbour".to_owned(), name: "Other".to_owned(), wallet: OPERATOR };
    let error = store.add_workspace(again).await.unwrap_err();
    assert!(is_conflict(&error), "{error}");
    assert_eq!(error.to_string(), "the workspace slug harbour is already taken");
}

#[tokio::test]
async fn a_key_is_found_by_its_hash_with_its_workspace_wallet_and_scopes() {
    let (_directory, store) = new_store().await;
    let workspace = workspace(&store, "harbour", CONSUMER).await;
    let all = vec![Scope::WalletRead, Scope::SessionsRead];
    let sets = [vec![], vec![Scope::WalletRead], vec![Scope::SessionsRead], all];
    for (number, scopes) in (1..).zip(sets) {
        let key_hash = [number; 32];
        let prefix = format!("lxxn_test_{number}");
        let label = format!("key {number}");
        let key = NewApiKey {
            workspace: workspace.id,
            key_hash,
            prefix: prefix.clone(),
            label: label.clone(),
            scopes: scopes.clone(),
        };
        let entered = store.add_api_key(key).await.unwrap();
        let found = store.api_key(key_hash).await.unwrap().unwrap();
        assert_eq!(found, entered);
        let expected = ApiKey {
            workspace: workspace.clone(),
            prefix,
            label,
            scopes,
            last_used_at: None,
            revoked_at: None,
            ..found.clone()
        };
        assert_eq!(found, expected);
    }
    assert_eq!(store.api_key([9; 32]).await.unwrap(), None);
    // One bit away from a known one.
    let mut near = [1; 32];
    near[31] ^= 1;
    assert_eq!(store.api_key(near).await.unwrap(), None);
}

#[tokio::test]
async fn a_key_is_entered_once_and_only_for_a_workspace_that_exists() {
    let (_directory, store) = new_store().await;
    let workspace = workspace(&store, "harbour", CONSUMER).await;
    let key = NewApiKey {
        workspace: workspace.id,
        key_hash: [7; 32],
        prefix: "lxxn_test_abcdef_xyz".to_owned(),
        label: "a key".to_owned(),
        scopes: vec![Scope::WalletRead],
    };
    store.add_api_key(key.clone()).await.unwrap();
    let error = store.add_api_key(key.clone()).await.unwrap_err();
    assert!(is_conflict(&error), "{error}");

    let homeless = NewApiKey { workspace: Uuid::from_u128(5), key_hash: [8; 32], ..key };
    let error = store.add_api_key(homeless).await.unwrap_err();
    assert!(matches!(error, StoreError::Unknown { .. }), "{error}");
    assert_eq!(store.api_key([8; 32]).await.unwrap(), None);
}

#[tokio::test]
async fn a_session_is_registered_once_however_often_it_is_said() {
    let (_directory, store) = new_store().await;
    let consumer = workspace(&store, "consumer", CONSUMER).await;
    let operator = workspace(&store, "operator", OPERATOR).await;
    let terms = terms(SESSION, &consumer, &operator);
    for _ in 0..3 {
        store.register_session(terms.clone()).await.unwrap();
    }
    let registered =
        Session { terms, consumer_wallet: CONSUMER, operator_wallet: OPERATOR, reported_tx: None };
    let record = store.session(SessionId::of(SESSION)).await.unwrap();
    assert_eq!((record.registered, record.settled), (Some(registered), None));
    let unknown = store.session(SessionId::of(Uuid::from_u128(2))).await.unwrap();
    assert_eq!((unknown.registered, unknown.settled), (None, None));
}

#[tokio::test]
async fn a_session_with_any_other_term_is_a_conflict_and_changes_nothing() {
    let (_directory, store) = new_store().await;
    let consumer = workspace(&store, "consumer", CONSUMER).await;
    let operator = workspace(&store, "operator", OPERATOR).await;
    let terms = terms(SESSION, &consumer, &operator);
    store.register_session(terms.clone()).await.unwrap();
    let others = [
        NewSession { consumer_workspace: operator.id, ..terms.clone() },
        NewSession { operator_workspace: consumer.id, ..terms.clone() },
        NewSession { rate_per_second: MicroUsdc::new(1_001), ..terms.clone() },
        NewSession { reading: Some(ran_for(6)), ..terms.clone() },
        NewSession { reading: None, ..terms.clone() },
        NewSession { max_duration_seconds: 61, ..terms.clone() },
        NewSession { platform_fee_bps: 1_499, ..terms.clone() },
    ];
    for other in others {
        let error = store.register_session(other).await.unwrap_err();
        assert!(is_conflict(&error), "{error}");
        assert!(error.to_string().contains(&SESSION.to_string()), "{error}");
    }
    let record = store.session(SessionId::of(SESSION)).await.unwrap();
    assert_eq!(record.registered.unwrap().terms, terms);
}

/// A session that ran for so many seconds.
fn ran_for(seconds: u64) -> Reading {
    Reading { started_at: 0, ended_at: seconds * 1_000, disconnects: Vec::new() }
}

#[tokio::test]
async fn a_session_that_goes_on_is_told_once_when_it_ran() {
    let (_directory, store) = new_store().await;
    let consumer = workspace(&store, "consumer", CONSUMER).await;
    let operator = workspace(&store, "operator", OPERATOR).await;
    let cut = Disconnect { from: 1_000, to: None };
    let cuts = Some(Reading { disconnects: vec![cut; 2], ..ran_for(5) });
    let ended = NewSession { reading: cuts, ..terms(SESSION, &consumer, &operator) };
    let goes_on = NewSession { reading: None, ..ended.clone() };
    let session = SessionId::of(SESSION);
    let terms = async || store.session(session).await.unwrap().registered.unwrap().terms;

    store.register_session(goes_on.clone()).await.unwrap();
    let error = store.report_transaction(session, B256::ZERO).await.unwrap_err();
    assert!(matches!(error, StoreError::NotEnded { session: SESSION }), "{error}");
    let other_rate = NewSession { rate_per_second: MicroUsdc::new(9), ..ended.clone() };
    assert!(is_conflict(&store.register_session(other_rate).await.unwrap_err()));
    assert_eq!(terms().await, goes_on);

    store.register_session(ended.clone()).await.unwrap();
    assert_eq!(terms().await, ended);
    let longer = NewSession { reading: Some(ran_for(6)), ..ended.clone() };
    assert!(is_conflict(&store.register_session(longer).await.unwrap_err()));
    assert!(is_conflict(&store.register_session(goes_on).await.unwrap_err()));
    assert_eq!(terms().await, ended);
}

#[tokio::test]
async fn the_last_transaction_that_was_reported_counts() {
    let (_directory, store) = new_store().await;
    let consumer = workspace(&store, "consumer", CONSUMER).await;
    let session = SessionId::of(SESSION);
    let error = store.report_transaction(session, B256::ZERO).await.unwrap_err();
    assert!(matches!(error, StoreError::Unknown { .. }), "{error}");
    store.register_session(terms(SESSION, &consumer, &consumer)).await.unwrap();
    for byte in [1, 2, 2] {
        let tx_hash = B256::repeat_byte(byte);
        store.report_transaction(session, tx_hash).await.unwrap();
        let registered = store.session(session).await.unwrap().registered.unwrap();
        assert_eq!(registered.reported_tx, Some(tx_hash));
    }
    // What was registered stays as it is.
    store.register_session(terms(SESSION, &consumer, &consumer)).await.unwrap();
    let registered = store.session(session).await.unwrap().registered.unwrap();
    assert_eq!(registered.reported_tx, Some(B256::repeat_byte(2)));
}

#[tokio::test]
async fn a_session_the_contract_could_not_pay_is_refused() {
    let (_directory, store) = new_store().await;
    let consumer = workspace(&store, "consumer", CONSUMER).await;
    let operator = workspace(&store, "operator", OPERATOR).await;
    let terms = terms(SESSION, &consumer, &operator);
    let rate_per_second = MicroUsdc::new(u64::MAX / 4);
    let unpayable = [
        NewSession { platform_fee_bps: 2_001, ..terms.clone() },
        NewSession { platform_fee_bps: 2_001, reading: None, ..terms.clone() },
        NewSession { rate_per_second, reading: Some(ran_for(5)), ..terms.clone() },
        // Fits the contract's 64 bits, but not the ledger's 63.
        NewSession { rate_per_second, reading: Some(ran_for(3)), ..terms.clone() },
    ];
    for session in unpayable {
        let error = store.register_session(session).await.unwrap_err();
        assert!(matches!(error, StoreError::Unpayable { session: SESSION }), "{error}");
    }
    let too_large = NewSession {
        rate_per_second: MicroUsdc::new(1 << 63),
        reading: Some(ran_for(0)),
        ..terms.clone()
    };
    let error = store.register_session(too_large).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { column: "rate_per_second", .. }), "{error}");
    let record = store.session(SessionId::of(SESSION)).await.unwrap();
    assert_eq!((record.registered, record.settled), (None, None));
}

#[tokio::test]
async fn a_session_of_a_workspace_that_does_not_exist_is_refused() {
    let (_directory, store) = new_store().await;
    let consumer = workspace(&store, "consumer", CONSUMER).await;
    let nowhere = NewSession {
        operator_workspace: Uuid::from_u128(5),
        ..terms(SESSION, &consumer, &consumer)
    };
    let error = store.register_session(nowhere).await.unwrap_err();
    assert!(matches!(error, StoreError::Unknown { .. }), "{error}");
    let record = store.session(SessionId::of(SESSION)).await.unwrap();
    assert_eq!(record.registered, None);
}

#[tokio::test]
async fn a_session_may_be_registered_before_or_after_its_payment() {
    let (_directory, store) = new_store().await;
    let consumer = workspace(&store, "consumer", CONSUMER).await;
    let operator = workspace(&store, "operator", OPERATOR).await;
    let later = Uuid::from_u128(2);
    take(&store, block(100), [deposit(CONSUMER, 10_000)]).await;
    store.register_session(terms(SESSION, &consumer, &operator)).await.unwrap();
    let pays = |session| settle(session, CONSUMER, OPERATOR, 4_250, 750);
    take(&store, block(101), [pays(SESSION), pays(later)]).await;
    store.register_session(terms(later, &consumer, &operator)).await.unwrap();
    for session in [SESSION, later] {
        let record = store.session(SessionId::of(session)).await.unwrap();
        assert_eq!(record.registered.unwrap().terms.id, session);
        let (event, block) = record.settled.unwrap();
        assert_eq!((event.change, block.number), (pays(session), 101));
    }
}
