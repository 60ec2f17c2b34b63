//! What is the same for many routes: what the layers around them take and answer, and who may ask.

use super::answers::{enveloped, refused};
use crate::{api::error::Code, store::Scope};
use std::collections::BTreeMap;
use utoipa::openapi::{
    Components, Object, Ref, RefOr, Required, Response,
    header::HeaderBuilder,
    path::{Operation, ParameterBuilder, ParameterIn},
    schema::{ObjectBuilder, Type},
    security::SecurityRequirement,
};

/// The security schemes by their names in the documents.
pub(super) const KEY: &str = "access-token";
pub(super) const ADMIN_TOKEN: &str = "admin-token";

/// Routes that are described together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// `/api/v1`: what the platform publishes.
    Published,
    /// `/internal/v1`: what its backend and its operators enter.
    Internal,
}

/// What a caller has to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Needs {
    Nothing,
    /// An API key, whatever its scopes.
    Key,
    /// An API key with this scope.
    Scope(Scope),
    /// The admin's token.
    Admin,
}

impl Needs {
    fn security(self) -> Option<Vec<SecurityRequirement>> {
        let none: [&str; 0] = [];
        let requirement = match self {
            Self::Nothing => return None,
            Self::Key => SecurityRequirement::new(KEY, none),
            Self::Scope(scope) => SecurityRequirement::new(KEY, [scope.as_str()]),
            Self::Admin => SecurityRequirement::new(ADMIN_TOKEN, none),
        };
        Some(vec![requirement])
    }

    const fn refusals(self) -> &'static [Code] {
        use Code::{InsufficientScope, NotAuthenticated, RateLimited, RevokedApiKey};
        match self {
            Self::Nothing => &[],
            Self::Key => &[NotAuthenticated, RevokedApiKey, RateLimited],
            Self::Scope(_) => &[NotAuthenticated, RevokedApiKey, RateLimited, InsufficientScope],
            Self::Admin => &[NotAuthenticated],
        }
    }
}

impl Surface {
    /// What all its paths begin with.
    pub(in crate::api) const fn prefix(self) -> &'static str {
        match self {
            Self::Published => "/api/v1",
            Self::Internal => "/internal/v1",
        }
    }

    /// The operation with all that its handler knows nothing of. `own` is what the handler refuses.
    /// What is the same for several goes into `components`.
    pub(super) fn described(
        self,
        mut operation: Operation,
        needs: Needs,
        own: &[Code],
        components: &mut Components,
    ) -> Operation {
        let takes_input = operation.parameters.is_some() || operation.request_body.is_some();
        let (mut has_tag, mut has_data) = (false, false);
        for (status, response) in &mut operation.responses.responses {
            let RefOr::T(response) = response else { continue };
            if let Some(RefOr::T(content)) = response.content.get_mut(JSON) {
                content.schema = content.schema.take().map(|data| enveloped(status, data));
                has_data = content.schema.is_some();
                has_tag = status == "200";
            }
            let tag = has_tag.then_some(&ETAG);
            self.add_headers(response, tag.into_iter());
        }
        let mut codes = Vec::new();
        // All of `/api/v1` looks where the ledger stands, and the sync token is input.
        if has_data || self == Self::Published {
            codes.extend([Code::InternalServerError, Code::Unavailable, Code::DatabaseError]);
        }
        if takes_input || self == Self::Published {
            codes.push(Code::InvalidInput);
        }
        codes.extend(needs.refusals());
        codes.extend(own);
        let mut refusals = self.refusals(codes);
        if self == Self::Published && has_tag {
            let mut known = Response::new("`If-None-Match` names what would be answered");
            self.add_headers(&mut known, [&ETAG].into_iter());
            refusals.push(("304".to_owned(), "304".to_owned(), known));
        }
        for (status, name, response) in refusals {
            let reference = Ref::new(format!("#/components/responses/{name}"));
            operation.responses.responses.insert(status, reference.into());
            components.responses.insert(name, response.into());
        }
        let shared = self
            .parameters()
            .iter()
            .map(|(name, _)| RefOr::Ref(Ref::new(format!("#/components/parameters/{name}"))));
        operation.parameters.get_or_insert_default().extend(shared);
        operation.security = needs.security();
        operation
    }

    /// What is answered where it is not what was asked for: status, name and answer.
    fn refusals(self, codes: Vec<Code>) -> Vec<(String, String, Response)> {
        let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
        for code in codes {
            by_status.entry(code.status().as_u16()).or_default().push(code);
        }
        let named = by_status.into_iter().map(|(status, codes)| {
            let mut response = refused(status, &codes);
            let mut headers = Vec::new();
            if codes.contains(&Code::NotAuthenticated) {
                headers.push(&WWW_AUTHENTICATE);
            }
            if codes.contains(&Code::RateLimited) || codes.contains(&Code::Unavailable) {
                headers.push(&RETRY_AFTER);
            }
            self.add_headers(&mut response, headers.into_iter());
            let names: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
            (status.to_string(), names.join("."), response)
        });
        named.collect()
    }

    fn add_headers<'h>(self, response: &mut Response, own: impl Iterator<Item = &'h Shared>) {
        for (name, _) in own.chain(self.headers()) {
            let reference = Ref::new(format!("#/components/headers/{name}"));
            response.headers.insert((*name).to_owned(), RefOr::Ref(reference));
        }
    }

    /// What every answer carries.
    const fn headers(self) -> &'static [Shared] {
        match self {
            Self::Published => &[REQUEST_ID, SYNC_TOKEN],
            Self::Internal => &[REQUEST_ID],
        }
    }

    /// What every request may carry.
    const fn parameters(self) -> &'static [Shared] {
        match self {
            Self::Published => {
                &[IF_NONE_MATCH, GIVEN_SYNC_TOKEN, CONSISTENCY_TOKEN, GIVEN_REQUEST_ID]
            }
            Self::Internal => &[GIVEN_REQUEST_ID],
        }
    }

    /// Adds what operations refer to.
    pub(super) fn add_shared(self, components: &mut Components) {
        let text = || ObjectBuilder::new().schema_type(Type::String).build();
        let own = [ETAG, WWW_AUTHENTICATE, RETRY_AFTER];
        for (name, description) in own.iter().chain(self.headers()) {
            let seconds = (*name == RETRY_AFTER.0).then(|| Object::with_type(Type::Integer));
            let header = HeaderBuilder::new()
                .schema(Some(seconds.unwrap_or_else(text)))
                .description(Some(*description))
                .build();
            components.headers.insert((*name).to_owned(), header.into());
        }
        for (name, description) in self.parameters() {
            let parameter = ParameterBuilder::new()
                .name(*name)
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(*description))
                .schema(Some(text()))
                .build();
            components.parameters.insert((*name).to_owned(), parameter.into());
        }
    }
}

/// What is in an envelope, where it has a schema. An OpenAPI document has none here, and is bare.
const JSON: &str = "application/json";

/// A header and what is said of it.
type Shared = (&'static str, &'static str);

const REQUEST_ID: Shared = ("X-Request-Id", "The name of the request: the client's, or a new one.");
const SYNC_TOKEN: Shared = (
    "X-Lx-Sync-Token",
    "Stands for the block that the answer is true at. Not there where the database does not answer.",
);
const ETAG: Shared = ("ETag", "Says which `data` this is, for `If-None-Match`.");
const WWW_AUTHENTICATE: Shared = ("WWW-Authenticate", "The scheme that would do: `Bearer`.");
const RETRY_AFTER: Shared =
    ("Retry-After", "After how many seconds to come again. Not with `DATABASE_ERROR`.");

const IF_NONE_MATCH: Shared =
    ("If-None-Match", "The `ETag`s of answers that the client has, commas between them.");
const GIVEN_SYNC_TOKEN: Shared = (
    "X-Lx-Sync-Token",
    "That of an earlier answer: no older state is answered. Anything else is refused.",
);
const CONSISTENCY_TOKEN: Shared = ("X-Lx-Consistency-Token", "The platform's. It is ignored.");
const GIVEN_REQUEST_ID: Shared = (
    "X-Request-Id",
    "A name for the request: 1 to 64 printable characters of ASCII. Anything else is ignored.",
);
