//! The configuration.
//!
//! - `sources`: which source overrides which, and what each refuses
//! - `values`: defaults, refusals and warnings
//! - `secrets`: never shown, taken whole, private

mod secrets;
mod setup;
mod sources;
mod values;
