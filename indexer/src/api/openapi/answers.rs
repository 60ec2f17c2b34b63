//! The two envelopes, and the headers beside them.

use super::formats;
use crate::api::error::{Code, ErrorDto};
use serde_json::{Value, json};
use utoipa::{
    ToSchema,
    openapi::{
        Content, Ref, RefOr, Response,
        example::{Example, ExampleBuilder},
        response::ResponseBuilder,
        schema::{AllOfBuilder, ObjectBuilder, Schema, Type},
    },
};

/// When the examples happened.
const ONCE: &str = "2026-05-13T12:00:00.000Z";

/// What every answer that succeeds has in common. `data` is described at each operation.
#[derive(ToSchema)]
#[schema(as = LxSuccessResponseDto, rename_all = "camelCase")]
#[expect(dead_code, reason = "it only describes the envelope")]
pub(super) struct SuccessDto {
    /// The HTTP status.
    #[schema(minimum = 200, maximum = 299, examples(200))]
    status_code: u16,
    #[schema(examples("Request successful"))]
    message: String,
    /// What was asked for.
    data: Value,
    /// When it was answered.
    #[schema(value_type = formats::Timestamp)]
    timestamp: String,
}

/// `data` in the envelope of an answer that succeeds.
pub(super) fn enveloped(status: &str, data: RefOr<Schema>) -> RefOr<Schema> {
    let status: u16 = status.parse().unwrap_or_default();
    let narrowed = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("statusCode", one(status, Type::Integer))
        .property("data", data);
    in_envelope(&SuccessDto::name(), narrowed)
}

/// A refusal with `status` and one of `codes`.
pub(super) fn refused(status: u16, codes: &[Code]) -> Response {
    let names = codes.iter().map(|code| code.as_str());
    let narrowed = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("statusCode", one(status, Type::Integer))
        .property(
            "code",
            ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names.clone())),
        );
    let mut content = Content::new(Some(in_envelope(&ErrorDto::name(), narrowed)));
    let examples = codes.iter().map(|code| (code.as_str().to_owned(), example(*code).into()));
    content.examples.extend(examples);
    ResponseBuilder::new()
        .description(names.collect::<Vec<_>>().join(", "))
        .content("application/json", content)
        .build()
}

fn in_envelope(name: &str, narrowed: ObjectBuilder) -> RefOr<Schema> {
    AllOfBuilder::new().item(Ref::from_schema_name(name)).item(narrowed).into()
}

fn one(value: impl Into<Value>, of: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(of).enum_values(Some([value.into()]))
}

fn example(code: Code) -> Example {
    let value = json!({
        "statusCode": code.status().as_u16(),
        "code": code.as_str(),
        "message": code.message(),
        "timestamp": ONCE,
    });
    ExampleBuilder::new().summary(code.message()).value(Some(value)).build()
}
