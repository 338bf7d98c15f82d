//! Prints the OpenAPI document, as a running node serves it at `/openapi.json`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", steward_api::openapi_json()?);
    Ok(())
}
