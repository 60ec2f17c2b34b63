//! The headers that many requests may carry, and many answers do.

use utoipa::openapi::{
    Header, Object, Required,
    header::HeaderBuilder,
    path::{Parameter, ParameterBuilder, ParameterIn},
    schema::{ObjectBuilder, Type},
};

/// A header, and what is said of it.
pub(super) struct Shared {
    pub(super) name: &'static str,
    description: &'static str,
    form: Form,
}

/// What a header holds.
enum Form {
    Anything,
    Like(&'static str),
    /// A number of seconds.
    Seconds,
}

impl Shared {
    fn schema(&self) -> Object {
        let text = ObjectBuilder::new().schema_type(Type::String);
        match self.form {
            Form::Anything => text.build(),
            Form::Like(pattern) => text.pattern(Some(pattern)).build(),
            Form::Seconds => text.schema_type(Type::Integer).minimum(Some(1)).build(),
        }
    }

    /// As one of an answer.
    pub(super) fn header(&self) -> Header {
        let builder = HeaderBuilder::new().description(Some(self.description));
        builder.schema(Some(self.schema())).build()
    }

    /// As one of a request.
    pub(super) fn parameter(&self) -> Parameter {
        ParameterBuilder::new()
            .name(self.name)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(self.description))
            .schema(Some(self.schema()))
            .build()
    }
}

pub(super) const REQUEST_ID: Shared = Shared {
    name: "X-Request-Id",
    description: "The name of the request: the client's, or a new one.",
    form: Form::Like("^[!-~]{1,64}$"),
};

pub(super) const SYNC_TOKEN: Shared = Shared {
    name: "X-Lx-Sync-Token",
    description: "Stands for the block that the answer is true at, or for a later one that the \
                  client has seen. Not there where the client sent none and the database does \
                  not answer.",
    form: Form::Like("^[0-9a-f]{96}$"),
};

pub(super) const ETAG: Shared = Shared {
    name: "ETag",
    description: "Says which `data` this is, for `If-None-Match`.",
    form: Form::Like("^W/\"[0-9a-f]{32}\"$"),
};

pub(super) const WWW_AUTHENTICATE: Shared = Shared {
    name: "WWW-Authenticate",
    description: "The scheme that would do.",
    form: Form::Like("^Bearer$"),
};

pub(super) const RETRY_AFTER: Shared = Shared {
    name: "Retry-After",
    description: "After how many seconds to come again. Not with `DATABASE_ERROR`.",
    form: Form::Seconds,
};

pub(super) const IF_NONE_MATCH: Shared = Shared {
    name: "If-None-Match",
    description: "The `ETag`s of answers that the client has, commas between them.",
    form: Form::Anything,
};

pub(super) const GIVEN_SYNC_TOKEN: Shared = Shared {
    name: "X-Lx-Sync-Token",
    description: "That of an earlier answer of this chain: no older state is answered. It is \
                  waited for, two seconds at most.",
    form: Form::Like("^[0-9a-fA-F]{96}$"),
};

pub(super) const CONSISTENCY_TOKEN: Shared = Shared {
    name: "X-Lx-Consistency-Token",
    description: "The platform's. It is ignored.",
    form: Form::Anything,
};

pub(super) const GIVEN_REQUEST_ID: Shared = Shared {
    name: "X-Request-Id",
    description: "A name for the request: 1 to 64 printable characters of ASCII. Anything else is \
                  ignored.",
    form: Form::Anything,
};
