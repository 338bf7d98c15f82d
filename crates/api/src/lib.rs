//! The HTTP interface: JSON on loopback, an OpenAPI document, a token, an event stream.
//!
//! Every amount is in millisatoshi and says so in its name (`_msat`), every time is unix time in
//! milliseconds (`_ms`), ids are hexadecimal, words of a fixed choice are snake_case. Errors are
//! always `{"code", "message", "hint"}`.
//!
//! Layout
//! - [`server`]: the routes, what every request passes through, serving
//! - [`auth`]: the token, its file, its check
//! - `state`: what handlers share, the node's operations above all
//! - [`model`]: the JSON of requests and answers; the command line reads it as well
//! - [`error`]: errors on their way to the caller
//! - `document`, `answers`, `fields`: the OpenAPI document; the errors it describes everywhere;
//!   what a field holds, by its name
//! - `strict`: every request held to the document
//! - `routes`: one module per resource
//! - `extract`: bodies, queries and ids as handlers want them
//! - `guard`: time-outs and counts of requests
//! - [`listener`]: TCP, TLS or a unix socket
//! - `serving`, `connections`: a bounded number of connections, and how long they may take
//! - [`limits`]: every number this crate will not exceed
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

mod answers;
pub mod auth;
mod connections;
mod document;
pub mod error;
mod extract;
mod fields;
mod guard;
pub mod limits;
pub mod listener;
pub mod model;
mod routes;
pub mod server;
mod serving;
mod state;
mod strict;

pub use auth::{Token, TokenError};
pub use error::{ApiError, ErrorBody};
pub use extract::check_node_address;
pub use listener::{ListenError, Listener};
pub use server::{Api, openapi_json};
