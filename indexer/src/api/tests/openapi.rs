//! What the API says of itself.

use super::{
    Server,
    contract::{Contract, valid},
    get_without_key,
};
use crate::api::Surface;
use axum::{body::Body, http::Request};
use data_encoding::BASE64;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, fs, path::Path};
use tower::ServiceExt;

/// All texts under a key, wherever it is.
fn all<'v>(value: &'v Value, key: &str, found: &mut BTreeSet<&'v str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| all(item, key, found)),
        Value::Object(fields) => {
            found.extend(fields.get(key).and_then(Value::as_str));
            fields.values().for_each(|item| all(item, key, found));
        }
        _ => {}
    }
}

fn document(surface: Surface) -> Value {
    serde_json::from_str(&surface.pretty_json()).unwrap()
}

#[test]
fn the_committed_documents_are_what_the_handlers_say() {
    for (surface, name) in
        [(Surface::Published, "openapi.json"), (Surface::Internal, "openapi.internal.json")]
    {
        let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let committed = fs::read_to_string(committed).unwrap_or_default();
        assert!(committed == surface.pretty_json(), "{name} is another: run `make openapi`");
    }
}

#[tokio::test]
async fn the_document_is_served_without_an_envelope() {
    let server = Server::start().await;
    let answer = get_without_key(&server.router, "/docs-json").await;
    assert_eq!(answer.body, document(Surface::Published));
}

#[test]
fn what_a_document_refers_to_is_there_and_what_is_there_is_referred_to() {
    for surface in [Surface::Published, Surface::Internal] {
        let document = document(surface);
        let mut references = BTreeSet::new();
        all(&document, "$ref", &mut references);
        let mut there = BTreeSet::new();
        for group in ["schemas", "responses", "parameters", "headers"] {
            let names = document["components"][group].as_object().unwrap().keys();
            there.extend(names.map(|name| format!("#/components/{group}/{name}")));
        }
        let there: BTreeSet<&str> = there.iter().map(String::as_str).collect();
        assert_eq!(references, there, "{surface:?}");
    }
}

#[test]
fn every_operation_is_described() {
    let mut ids = BTreeSet::new();
    for (contract, path, method, operation) in Contract::operations() {
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{method} {path}");
        assert!(operation["summary"].is_string(), "{method} {path}");
        assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{method} {path}");
        for parameter in operation["parameters"].as_array().unwrap() {
            let parameter = contract.resolved(parameter);
            assert!(parameter["description"].is_string(), "{method} {path}: {parameter}");
            let in_path = path.contains(&format!("{{{}}}", parameter["name"].as_str().unwrap()));
            assert_eq!(parameter["in"] == "path", in_path, "{method} {path}: {parameter}");
            assert_eq!(parameter["required"], in_path, "{method} {path}: {parameter}");
        }
        let named = path.matches('{').count();
        let parameters = operation["parameters"].as_array().unwrap();
        let in_path = parameters.iter().filter(|p| contract.resolved(p)["in"] == "path").count();
        assert_eq!(named, in_path, "{method} {path}");
    }
}

/// The platform's clients are generated from its names.
#[test]
fn what_the_platform_names_has_its_name() {
    let document = document(Surface::Published);
    for name in [
        "LxSuccessResponseDto",
        "LxErrorResponseDto",
        "LxHealthDto",
        "LxConfigDto",
        "LxMeApiKeyDto",
        "LxMeApiKeyWorkspaceDto",
        "LxWalletStateDto",
        "LxOnChainEventDto",
        "LxSettlementViewDto",
        "LxSettlementPayloadDto",
    ] {
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
}

#[test]
fn the_examples_are_what_they_are_examples_of() {
    for surface in [Surface::Published, Surface::Internal] {
        let document = document(surface);
        let schemas = &document["components"]["schemas"];
        let within =
            |schema: &Value| json!({ "components": { "schemas": schemas }, "allOf": [schema] });
        let mut compared = 0;
        let properties = |schema: &Value| -> Vec<Value> {
            let fields = schema["properties"].as_object().into_iter().flat_map(|all| all.values());
            fields.cloned().chain([schema.clone()]).collect()
        };
        for schema in schemas.as_object().unwrap().values().flat_map(properties) {
            for example in schema["examples"].as_array().into_iter().flatten() {
                valid("an example", &within(&schema), example);
                compared += 1;
            }
        }
        for response in document["components"]["responses"].as_object().unwrap().values() {
            let content = &response["content"]["application/json"];
            for example in content["examples"].as_object().into_iter().flat_map(|all| all.values())
            {
                valid("an example", &within(&content["schema"]), &example["value"]);
                compared += 1;
            }
        }
        assert!(compared > 20, "{compared}");
    }
}

/// The policy lets the page's own script and style run: it names what they are.
#[tokio::test]
async fn the_page_runs_nothing_but_itself_and_asks_nobody_else() {
    let server = Server::start().await;
    let request = Request::get("/docs").body(Body::empty()).unwrap();
    let (head, body) = server.router.clone().oneshot(request).await.unwrap().into_parts();
    assert_eq!(head.status, 200);
    assert_eq!(head.headers["content-type"], "text/html; charset=utf-8");
    let policy = head.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let page = body.collect().await.unwrap().to_bytes();
    let page = std::str::from_utf8(&page).unwrap();
    for tag in ["script", "style"] {
        let parts: Vec<&str> = page.split(&format!("<{tag}>")).collect();
        assert_eq!(parts.len(), 2, "one {tag}");
        let inline = parts[1].split_once(&format!("</{tag}>")).unwrap().0;
        let hash = BASE64.encode(&Sha256::digest(inline));
        assert!(policy.contains(&format!("{tag}-src 'sha256-{hash}'")), "{policy}");
    }
    for outside in ["//", "innerHTML", "outerHTML", "document.write", "eval("] {
        let comments = if outside == "//" { page.matches("\n// ").count() } else { 0 };
        assert_eq!(page.matches(outside).count(), comments, "{outside}");
    }
}
