use super::common::{Needs, Surface};
use crate::{
    api::{Api, error::Code},
    store::Store,
};
use axum::{
    Router,
    handler::Handler,
    routing::{MethodFilter, on},
};
use utoipa::{
    Path,
    openapi::{HttpMethod, OpenApi},
};

/// Routes and what is said of them. A route's path and method come from its description, so there is
/// none without one.
#[derive(Clone)]
pub(in crate::api) struct Routes<S> {
    surface: Surface,
    group: &'static str,
    router: Router<Api<S>>,
    document: OpenApi,
}

impl<S: Store> Routes<S> {
    /// No routes yet.
    pub(in crate::api) fn of(surface: Surface) -> Self {
        Self { surface, group: "", router: Router::new(), document: surface.outline() }
    }

    /// What follows belongs to this group.
    pub(in crate::api) fn group(self, group: &'static str) -> Self {
        Self { group, ..self }
    }

    /// Adds a handler with its description. `refusals` are its own: what `needs` and the layers
    /// around it refuse is known.
    pub(in crate::api) fn add<P, H, T>(
        mut self,
        _: P,
        handler: H,
        needs: Needs,
        refusals: &[Code],
    ) -> Self
    where
        P: Path,
        H: Handler<T, Api<S>>,
        T: 'static,
    {
        let (path, methods) = (format!("{}{}", self.surface.prefix(), P::path()), P::methods());
        let components = self.document.components.get_or_insert_default();
        let mut operation = self.surface.described(P::operation(), needs, refusals, components);
        operation.tags = Some(vec![self.group.to_owned()]);
        if let Some(filter) = methods.iter().map(filter).reduce(MethodFilter::or) {
            self.router = self.router.route(&path, on(filter, handler));
        }
        self.document.paths.add_path_operation(path, methods, operation);
        self
    }

    pub(in crate::api) fn into_router(self) -> Router<Api<S>> {
        self.router
    }

    pub(in crate::api) fn into_document(self) -> OpenApi {
        self.document
    }
}

fn filter(method: &HttpMethod) -> MethodFilter {
    match method {
        HttpMethod::Get => MethodFilter::GET,
        HttpMethod::Post => MethodFilter::POST,
        HttpMethod::Put => MethodFilter::PUT,
        HttpMethod::Delete => MethodFilter::DELETE,
        HttpMethod::Options => MethodFilter::OPTIONS,
        HttpMethod::Head => MethodFilter::HEAD,
        HttpMethod::Patch => MethodFilter::PATCH,
        HttpMethod::Trace => MethodFilter::TRACE,
    }
}
