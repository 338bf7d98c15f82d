//! Measures the performance budget.
fn main() {}
