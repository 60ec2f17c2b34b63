//! What the API says of itself: an OpenAPI 3.1 document, made from the handlers and from what they
//! answer.

mod answers;
mod common;
pub(super) mod formats;
mod headers;
mod routes;

pub(super) use common::Needs;
pub use common::Surface;
pub(super) use routes::Routes;

use super::{
    admin::{self, KeyDto, NewKeyDto, NewWorkspaceDto, RegistrationDto, ReportDto, WorkspaceDto},
    config::{ConfigDto, HealthDto},
    error::ErrorDto,
    me::MeDto,
    published,
    settlements::SettlementDto,
    wallet::{EventDto, WalletDto},
};
use crate::store::SqliteStore;
use answers::SuccessDto;
use common::{ADMIN_TOKEN, KEY};
use utoipa::{
    OpenApi as _,
    openapi::{
        OpenApi,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

/// What is true of all routes under `/api/v1`.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Luxxon Settlement", description = include_str!("published.md")),
    components(schemas(
        SuccessDto, ErrorDto, HealthDto, ConfigDto, MeDto, WalletDto, EventDto, SettlementDto,
        // Of parameters, these are not found by themselves.
        formats::AnyUuid, formats::Cursor, formats::Height
    )),
    tags(
        (name = "Health", description = "What is running"),
        (name = "Config", description = "Where the contracts are"),
        (name = "Me", description = "Who is asking"),
        (name = "Wallet", description = "A wallet's pool and what happens to it"),
        (name = "Settlements", description = "How far the payment of a session is"),
        (name = "Documentation", description = "This document")
    )
)]
struct Published;

/// What is true of all routes under `/internal/v1`.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Luxxon Settlement, internal", description = include_str!("internal.md")),
    components(schemas(
        SuccessDto, ErrorDto, NewWorkspaceDto, WorkspaceDto, NewKeyDto, KeyDto, RegistrationDto,
        ReportDto, SettlementDto
    )),
    tags(
        (name = "Workspaces", description = "Names for wallets"),
        (name = "API keys", description = "Who may ask for a workspace"),
        (name = "Settlements", description = "Sessions to be paid"),
        (name = "Documentation", description = "This document")
    )
)]
struct Internal;

/// Why a document can always be written.
const ONLY_TEXT: &str = "texts and numbers";

impl Surface {
    /// The document as it is kept beside the sources.
    #[must_use]
    pub fn pretty_json(self) -> String {
        self.document().to_pretty_json().expect(ONLY_TEXT) + "\n"
    }

    /// The document as it is served.
    pub(super) fn json(self) -> String {
        self.document().to_json().expect(ONLY_TEXT)
    }

    fn document(self) -> OpenApi {
        match self {
            Self::Published => published::<SqliteStore>().into_document(),
            Self::Internal => admin::routes::<SqliteStore>().into_document(),
        }
    }

    /// What is true of all its routes, without them.
    fn outline(self) -> OpenApi {
        let (mut document, name, format, description) = match self {
            Self::Published => {
                let description =
                    "An API key. The scope that is needed stands beside each operation.";
                (Published::openapi(), KEY, Some("lxxn_*"), description)
            }
            Self::Internal => (Internal::openapi(), ADMIN_TOKEN, None, "The admin's token."),
        };
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.description = Some(description.to_owned());
        scheme.bearer_format = format.map(str::to_owned);
        let components = document.components.get_or_insert_default();
        self.add_shared(components);
        components.add_security_scheme(name, SecurityScheme::Http(scheme));
        document
    }
}
