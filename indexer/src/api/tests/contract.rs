//! Every answer of these tests, against what the API says of itself.

use super::published;
use crate::api::Surface;
use axum::{
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// A document and its schemas, closed: what they do not describe may not be there.
pub(super) struct Contract {
    document: Value,
    schemas: Value,
}

/// What was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
}

impl Asked {
    pub(super) fn of(request: &Request<Body>) -> Self {
        let method = request.method().as_str().to_lowercase();
        Self { method, path: request.uri().path().to_owned() }
    }
}

/// Whether a header that is declared may be missing: with these codes, and where no key is needed,
/// because such answers come from no database.
fn may_be_missing(header: &str, code: &str, operation: &Value) -> bool {
    match header {
        "X-Lx-Sync-Token" => {
            ["DATABASE_ERROR", "INTERNAL_SERVER_ERROR"].contains(&code)
                || operation.get("security").is_none()
        }
        "Retry-After" => code == "DATABASE_ERROR",
        _ => false,
    }
}

static CONTRACTS: LazyLock<[Contract; 2]> =
    LazyLock::new(|| [Surface::Published, Surface::Internal].map(Contract::of));

impl Contract {
    fn of(surface: Surface) -> Self {
        let document: Value = serde_json::from_str(&surface.pretty_json()).unwrap();
        let mut schemas = document["components"]["schemas"].clone();
        for (name, schema) in schemas.as_object_mut().unwrap() {
            // The two that others narrow are closed where they are.
            let narrowed = ["LxSuccessResponseDto", "LxErrorResponseDto"].contains(&name.as_str());
            if schema.get("properties").is_some() && !narrowed {
                schema["unevaluatedProperties"] = false.into();
            }
        }
        Self { document, schemas }
    }

    /// The contract of what is asked for, if it is there at all.
    pub(super) fn for_path(path: &str) -> Option<&'static Self> {
        CONTRACTS.iter().find(|contract| contract.item(path).is_some())
    }

    fn paths(&self) -> &Map<String, Value> {
        self.document["paths"].as_object().unwrap()
    }

    /// All operations: path, method, description.
    pub(super) fn operations() -> Vec<(&'static Self, &'static str, &'static str, &'static Value)> {
        let mut all = Vec::new();
        for contract in CONTRACTS.iter() {
            for (path, item) in contract.paths() {
                for (method, operation) in item.as_object().unwrap() {
                    all.push((contract, path.as_str(), method.as_str(), operation));
                }
            }
        }
        all
    }

    /// What is at a path.
    fn item(&self, path: &str) -> Option<&Map<String, Value>> {
        let item = self.paths().iter().find(|(template, _)| is_of(path, template));
        item.and_then(|(_, item)| item.as_object())
    }

    /// What `value` is, or refers to.
    pub(super) fn resolved<'v>(&'v self, value: &'v Value) -> &'v Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.document.pointer(&reference[1..]).expect(reference),
            None => value,
        }
    }

    /// Checks `body` against `schema`, closed.
    fn check_body(&self, asked: &Asked, schema: &Value, body: &Value) {
        let closed = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "components": { "schemas": self.schemas },
            "allOf": [schema],
            "unevaluatedProperties": false,
        });
        valid(&format!("{asked:?}"), &closed, body);
    }
}

/// Fails where `value` is not what `schema` says.
pub(super) fn valid(what: &str, schema: &Value, value: &Value) {
    let validator = jsonschema::options().should_validate_formats(true).build(schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{} at {:?}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{what}: {value}\n{}", errors.join("\n"));
}

/// Whether `path` is one of the `template`'s.
pub(super) fn is_of(path: &str, template: &str) -> bool {
    let (path, template): (Vec<_>, Vec<_>) =
        (path.split('/').collect(), template.split('/').collect());
    path.len() == template.len()
        && path
            .iter()
            .zip(template)
            .all(|(part, wanted)| *part == wanted || (wanted.starts_with('{') && !part.is_empty()))
}

/// Checks an answer: its status is declared for what was asked, its headers are there, its body is as
/// described. `body` is `None` where it is not JSON, or has no end.
pub(super) fn check(asked: &Asked, status: StatusCode, headers: &HeaderMap, body: Option<&Value>) {
    let Some(contract) = Contract::for_path(&asked.path) else {
        return no_such_route(asked, status, body);
    };
    let code = body.map(|body| body["code"].as_str().unwrap_or_default()).unwrap_or_default();
    let item = contract.item(&asked.path).unwrap();
    let Some(operation) = item.get(&asked.method) else {
        assert_eq!((status.as_u16(), code), (405, "METHOD_NOT_ALLOWED"), "{asked:?}");
        let allowed: Vec<String> =
            headers["allow"].to_str().unwrap().split(',').map(str::to_lowercase).collect();
        for method in item.keys() {
            assert!(allowed.contains(method), "{asked:?}: {allowed:?}");
        }
        return;
    };
    let is_off = asked.path.starts_with("/internal/")
        && body.is_some_and(|body| body["detail"] == "route:unknown");
    if is_off {
        return no_such_route(asked, status, body);
    }
    let response = operation["responses"].get(status.as_str());
    let response = contract.resolved(
        response.unwrap_or_else(|| panic!("{asked:?}: {status} {code} is not declared: {body:?}")),
    );
    for (name, header) in response["headers"].as_object().into_iter().flatten() {
        let Some(value) = headers.get(name.as_str()) else {
            assert!(may_be_missing(name, code, operation), "{asked:?}: no {name}");
            continue;
        };
        let (value, schema) = (value.to_str().unwrap(), &contract.resolved(header)["schema"]);
        let is_number = schema["type"] == "integer";
        let value = if is_number { json!(value.parse::<u64>().unwrap()) } else { json!(value) };
        valid(name, schema, &value);
    }
    match response.get("content") {
        None => assert_eq!(body, None, "{asked:?}"),
        Some(content) => {
            let kind = headers["content-type"].to_str().unwrap();
            let described = content.get(kind).unwrap_or_else(|| panic!("{asked:?}: {kind}"));
            if let (Some(schema), Some(body)) = (described.get("schema"), body) {
                contract.check_body(asked, schema, body);
            }
        }
    }
    published::check(asked, status, body);
}

fn no_such_route(asked: &Asked, status: StatusCode, body: Option<&Value>) {
    let code = body.and_then(|body| body["code"].as_str());
    assert_eq!((status.as_u16(), code), (404, Some("NOT_FOUND")), "{asked:?}");
}
