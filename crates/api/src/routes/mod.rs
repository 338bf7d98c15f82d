//! The routes, one module per resource. A handler parses, calls the node, answers.

mod channels;
mod events;
mod evidence;
mod invoices;
mod node;
mod operator;
mod payments;
mod peers;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::Shared;

/// Lists all of them, to be described.
pub(crate) fn all() -> OpenApiRouter<Shared> {
    quick().merge(waiting()).merge(streams())
}

/// The routes that are answered at once.
pub(crate) fn quick() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(node::status))
        .routes(routes!(node::metrics))
        .routes(routes!(node::forwards))
        .routes(routes!(node::stop))
        .routes(routes!(channels::list))
        .routes(routes!(channels::show, channels::forget))
        .routes(routes!(operator::suspend))
        .routes(routes!(evidence::list))
        .routes(routes!(evidence::show))
        .routes(routes!(operator::propose_override))
        .routes(routes!(operator::accept_override))
        .routes(routes!(operator::submit_preimage))
        .routes(routes!(peers::list))
        .routes(routes!(peers::forget))
        .routes(routes!(invoices::list, invoices::create))
        .routes(routes!(invoices::show))
        .routes(routes!(invoices::decode))
        .routes(routes!(payments::list))
}

/// The routes that are answered when something has happened, or a time the caller chose is over.
pub(crate) fn waiting() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(channels::invoke))
        .routes(routes!(peers::connect))
        .routes(routes!(operator::resize))
        .routes(routes!(payments::pay))
        .routes(routes!(payments::show))
        .routes(routes!(payments::keysend))
        .routes(routes!(node::backup))
}

/// The routes that are answered for as long as the caller listens.
pub(crate) fn streams() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(events::stream))
}
