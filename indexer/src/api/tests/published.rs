//! Every answer of these tests, against what the platform publishes, where that is at hand: at
//! `PUBLISHED_OPENAPI`, or beside the project.

use super::contract::{Asked, is_of, valid};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// Statuses that we answer where the platform declares none, and why.
const OURS: [(u16, &str); 5] = [
    (304, "entity tags are ours"),
    (400, "a sync token, which is ours, may be malformed on any route; so may a session's id"),
    (429, "so is the limit for a key"),
    (500, "a bug is answered in the envelope, too"),
    (503, "and so is a database that does not answer, on any route"),
];

/// Codes that we answer where the platform declares others with the same status, and why.
const OUR_CODES: [(&str, &str); 3] = [
    ("REVOKED_API_KEY", "published with the rules for keys, not with the operations"),
    ("INSUFFICIENT_SCOPE", "published with the rules for scopes, not with the operations"),
    ("UNAVAILABLE", "published, and used here for a replica that is behind"),
];

static DOCUMENT: LazyLock<Option<Value>> = LazyLock::new(|| {
    let named = env::var_os("PUBLISHED_OPENAPI");
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/luxxon/openapi.json");
    if named.is_none() && !beside.exists() {
        eprintln!("the platform's description is not here: nothing is compared with it");
        return None;
    }
    let file = named.map_or(beside, PathBuf::from);
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    let mut document: Value = serde_json::from_str(&text).unwrap();
    // It says that `data` is an object, and narrows it to an array where it is one.
    let data = "/components/schemas/LxSuccessResponseDto/properties/data/type";
    assert_eq!(document.pointer(data), Some(&json!("object")));
    *document.pointer_mut(data).unwrap() = json!(["object", "array"]);
    translate(&mut document);
    Some(document)
});

/// OpenAPI 3.0 says `nullable: true` where JSON Schema names the type null.
fn translate(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(translate),
        Value::Object(fields) => {
            fields.values_mut().for_each(translate);
            if fields.remove("nullable") == Some(true.into()) {
                let rest = Value::Object(fields.clone());
                *value = json!({ "anyOf": [{ "type": "null" }, rest] });
            }
        }
        _ => {}
    }
}

pub(super) fn check(asked: &Asked, status: StatusCode, body: Option<&Value>) {
    let Some(document) = &*DOCUMENT else { return };
    let mut paths = document["paths"].as_object().unwrap().iter();
    let item = paths.find(|(template, _)| is_of(&asked.path, template));
    let Some(operation) = item.and_then(|(_, item)| item.get(&asked.method)) else { return };
    let declared = operation["responses"].get(status.as_str());
    let ours = OURS.iter().any(|(ours, _)| *ours == status.as_u16());
    assert!(declared.is_some() || ours, "{asked:?}: the platform does not answer {status}");
    let Some(body) = body else { return };

    let content = declared.map(|response| &response["content"]["application/json"]);
    let schema = match content {
        Some(content) => content["schema"].clone(),
        None => json!({ "$ref": "#/components/schemas/LxErrorResponseDto" }),
    };
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": document["components"],
        "allOf": [schema],
    });
    valid(&format!("the platform's {asked:?}"), &schema, body);
    if let (Some(examples), Some(code)) =
        (content.and_then(|content| content.get("examples")), body["code"].as_str())
    {
        let known = examples.get(code).is_some() || OUR_CODES.iter().any(|(ours, _)| *ours == code);
        assert!(known, "{asked:?}: the platform does not answer {code}");
    }
}
