//! What the texts in answers look like: types that are never made, only described.

#![expect(dead_code, reason = "they only describe what other types are written as")]

use crate::{
    key::Environment as KeyEnvironment,
    store::{EventKind as Kind, Level, Scope as KeyScope},
};
use std::borrow::Cow;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

/// An address, with its EIP-55 checksum.
#[derive(ToSchema)]
#[schema(pattern = "^0x[0-9a-fA-F]{40}$", examples("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"))]
pub(in crate::api) struct Address(String);

/// 32 bytes in hexadecimal digits.
#[derive(ToSchema)]
#[schema(
    pattern = "^0x[0-9a-f]{64}$",
    examples("0x11254b9ab226814845c586958ab7ba56e54d5ddaeffab9d8705d80209ad9862d")
)]
pub(in crate::api) struct Bytes32(String);

/// An amount of µUSDC, below 2^64: 1 USDC is 1,000,000.
#[derive(ToSchema)]
#[schema(pattern = "^(0|[1-9][0-9]{0,19})$", examples("500000"))]
pub(in crate::api) struct MicroUsdc(String);

/// An amount of µUSDC, below 2^256: an allowance may be any number.
#[derive(ToSchema)]
#[schema(pattern = "^(0|[1-9][0-9]{0,77})$", examples("500000"))]
pub(in crate::api) struct Allowance(String);

/// The number of a block.
#[derive(ToSchema)]
#[schema(pattern = "^(0|[1-9][0-9]{0,19})$", examples("24000000"))]
pub(in crate::api) struct BlockNumber(String);

/// A moment, in UTC.
#[derive(ToSchema)]
#[schema(
    format = DateTime,
    pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$",
    examples("2026-05-13T11:30:00.000Z")
)]
pub(in crate::api) struct Timestamp(String);

/// The id of an event: a UUIDv8. Ids are in the chain's order, and the same on every replica.
#[derive(ToSchema)]
#[schema(
    format = Uuid,
    pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
    examples("0000016e-3600-8001-8c7f-9d06c2f5b1a4")
)]
pub(in crate::api) struct EventId(String);

/// A UUID with its hyphens, in either case.
#[derive(ToSchema)]
#[schema(
    pattern = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    examples("b1e2f3a4-5b6c-7d8e-9f0a-1b2c3d4e5f6a")
)]
pub(in crate::api) struct AnyUuid(String);

/// The id of an event, in either case. One of a block that a reorg replaced still says where to go on.
#[derive(ToSchema)]
#[schema(
    pattern = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-8[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$",
    examples("0000016e-3600-8001-8c7f-9d06c2f5b1a4")
)]
pub(in crate::api) struct Cursor(String);

/// The number of a block, as one is asked for.
#[derive(ToSchema)]
#[schema(
    format = "uint64",
    minimum = 0,
    maximum = 18_446_744_073_709_551_615_usize,
    examples(24_000_000)
)]
pub(in crate::api) struct Height(u64);

/// A short name, unique.
#[derive(ToSchema)]
#[schema(pattern = "^[a-z0-9-]{3,40}$", examples("harbour"))]
pub(in crate::api) struct Slug(String);

/// A name for people: 1 to 80 characters.
#[derive(ToSchema)]
#[schema(min_length = 1, max_length = 80, examples("The harbour"))]
pub(in crate::api) struct Name(String);

/// A name for people: 1 to 80 characters, none of them a control character. Space around it is left
/// out.
#[derive(ToSchema)]
#[schema(
    pattern = r"^[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*[^\x00- \x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]([^\x00-\x1f\x7f-\x9f]{0,78}[^\x00- \x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000])?[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$",
    examples("The harbour")
)]
pub(in crate::api) struct NewName(String);

/// An address other than zero, in one case, or with its EIP-55 checksum.
#[derive(ToSchema)]
#[schema(
    format = "eip55",
    pattern = "^0x(?!0{40})[0-9a-fA-F]{40}$",
    examples("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
)]
pub(in crate::api) struct GivenAddress(String);

/// 32 bytes in hexadecimal digits, in either case, with or without `0x`.
#[derive(ToSchema)]
#[schema(
    pattern = "^(0x)?[0-9a-fA-F]{64}$",
    examples("0x11254b9ab226814845c586958ab7ba56e54d5ddaeffab9d8705d80209ad9862d")
)]
pub(in crate::api) struct GivenBytes32(String);

/// An amount of µUSDC, below 2^64.
#[derive(ToSchema)]
#[schema(pattern = "^[0-9]{1,19}$", examples("1000"))]
pub(in crate::api) struct GivenMicroUsdc(String);

/// A moment with its offset from UTC, from 1970 on.
#[derive(ToSchema)]
#[schema(format = DateTime, examples("2026-05-13T11:30:00.000Z"))]
pub(in crate::api) struct GivenTime(String);

/// A text that is one of several, which the code knows.
macro_rules! one_of {
    ($name:ident, $description:literal, $known:expr) => {
        pub(in crate::api) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let object = ObjectBuilder::new().schema_type(Type::String);
                object.description(Some($description)).enum_values(Some($known)).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

one_of!(
    Environment,
    "`LIVE` is Base, `TEST` everything else.",
    [KeyEnvironment::Test, KeyEnvironment::Live].map(KeyEnvironment::as_str)
);
one_of!(CallerKind, "Who may ask here: keys alone.", ["api_key"]);
one_of!(EventKind, "What an event is.", Kind::ALL.map(Kind::as_str));
one_of!(
    Finality,
    "How sure the chain is: the node's three levels.",
    [Level::Latest, Level::Safe, Level::Finalized].map(Level::as_str)
);
one_of!(Scope, "What a key may be used for.", KeyScope::ALL.map(KeyScope::as_str));
