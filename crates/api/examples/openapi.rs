//! Prints the OpenAPI document, as a running node serves it at `/openapi.json`.
#![allow(clippy::print_stdout, reason = "that is what it is for")]

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", steward_api::openapi_json()?);
    Ok(())
}
