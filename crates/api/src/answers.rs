//! The errors that the document describes for every route.

use std::collections::BTreeMap;

use steward_engine::Blame;
use utoipa::IntoResponses;
use utoipa::openapi::schema::Ref;
use utoipa::openapi::{ContentBuilder, RefOr, Response, ResponseBuilder};

/// The errors every route may answer with.
pub(crate) struct Errors;

impl IntoResponses for Errors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let response = |what: &str| {
            let schema = RefOr::Ref(Ref::from_schema_name("Error"));
            let content = ContentBuilder::new().schema(Some(schema)).build();
            ResponseBuilder::new().description(what).content("application/json", content).build()
        };
        let of_blame =
            |blame: &Blame| (blame.status().to_string(), response(blame.meaning()).into());
        Blame::ALL.iter().map(of_blame).collect()
    }
}
