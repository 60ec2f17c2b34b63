//! What is the same for many routes: what the layers around them take and answer, and who may ask.

use super::{
    answers::{enveloped, refused},
    headers::{
        CONSISTENCY_TOKEN, ETAG, GIVEN_REQUEST_ID, GIVEN_SYNC_TOKEN, IF_NONE_MATCH, REQUEST_ID,
        RETRY_AFTER, SYNC_TOKEN, Shared, WWW_AUTHENTICATE,
    },
};
use crate::{api::error::Code, store::Scope};
use std::collections::BTreeMap;
use utoipa::openapi::{
    Components, Ref, RefOr, Response, path::Operation, security::SecurityRequirement,
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
            self.add_headers(response, has_tag.then_some(&ETAG));
        }

        let mut codes = self.codes(needs, takes_input, has_data).to_vec();
        codes.extend(needs.refusals());
        codes.extend(own);
        let mut others = self.refusals(&codes);
        let mut parameters = vec![&GIVEN_REQUEST_ID];
        if self == Self::Published && has_tag {
            let mut known = Response::new("`If-None-Match` names what would be answered");
            self.add_headers(&mut known, Some(&ETAG));
            others.push(("304".to_owned(), "304".to_owned(), known));
            parameters.push(&IF_NONE_MATCH);
        }
        if self == Self::Published && needs != Needs::Nothing {
            parameters.extend([&GIVEN_SYNC_TOKEN, &CONSISTENCY_TOKEN]);
        }

        for (status, name, response) in others {
            let reference = Ref::new(format!("#/components/responses/{name}"));
            operation.responses.responses.insert(status, reference.into());
            components.responses.insert(name, response.into());
        }
        for shared in parameters {
            let Shared { name, .. } = shared;
            let reference = Ref::new(format!("#/components/parameters/{name}"));
            operation.parameters.get_or_insert_default().push(RefOr::Ref(reference));
            components.parameters.insert((*name).to_owned(), shared.parameter().into());
        }
        operation.security = needs.security();
        operation
    }

    /// What may go wrong around every handler.
    const fn codes(self, needs: Needs, takes_input: bool, has_data: bool) -> &'static [Code] {
        use Code::{DatabaseError, InternalServerError, InvalidInput, Unavailable};
        match (self, needs) {
            // The answer does not come from the database, only its sync token does.
            (Self::Published, Needs::Nothing) => &[InternalServerError, Unavailable],
            // A sync token is input.
            (Self::Published, _) => {
                &[InternalServerError, Unavailable, DatabaseError, InvalidInput]
            }
            (Self::Internal, _) if !has_data => &[],
            (Self::Internal, _) if !takes_input => {
                &[InternalServerError, Unavailable, DatabaseError]
            }
            (Self::Internal, _) => &[InternalServerError, Unavailable, DatabaseError, InvalidInput],
        }
    }

    /// What is answered where it is not what was asked for: status, name and answer.
    fn refusals(self, codes: &[Code]) -> Vec<(String, String, Response)> {
        let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
        for code in codes {
            by_status.entry(code.status().as_u16()).or_default().push(*code);
        }
        let named = by_status.into_iter().map(|(status, codes)| {
            let mut response = refused(status, &codes);
            let is_in = |code| codes.contains(&code);
            let scheme = is_in(Code::NotAuthenticated).then_some(&WWW_AUTHENTICATE);
            let waits = is_in(Code::RateLimited) || is_in(Code::Unavailable);
            self.add_headers(&mut response, scheme.or(waits.then_some(&RETRY_AFTER)));
            let names: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
            (status.to_string(), names.join("."), response)
        });
        named.collect()
    }

    /// Refers to the headers of an answer: one of its own, and those that all have.
    fn add_headers(self, response: &mut Response, own: Option<&Shared>) {
        for Shared { name, .. } in own.into_iter().chain(self.headers()) {
            let reference = Ref::new(format!("#/components/headers/{name}"));
            response.headers.insert((*name).to_owned(), RefOr::Ref(reference));
        }
    }

    const fn headers(self) -> &'static [Shared] {
        match self {
            Self::Published => &[REQUEST_ID, SYNC_TOKEN],
            Self::Internal => &[REQUEST_ID],
        }
    }

    /// Adds the headers of answers.
    pub(super) fn add_shared(self, components: &mut Components) {
        for shared in [ETAG, WWW_AUTHENTICATE, RETRY_AFTER].iter().chain(self.headers()) {
            components.headers.insert(shared.name.to_owned(), shared.header().into());
        }
    }
}

/// What is in an envelope, where it has a schema. An OpenAPI document has none here, and is bare.
const JSON: &str = "application/json";
