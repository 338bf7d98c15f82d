//! The HTTP API with its OpenAPI document, token and event stream.
