//! The answer to a package of transactions.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The answer to `submitpackage`, of bitcoind and of esplora alike.
#[derive(Deserialize)]
pub(crate) struct PackageResult {
    package_msg: String,
    #[serde(default, rename = "tx-results")]
    results: BTreeMap<String, PackageEntry>,
}

#[derive(Deserialize)]
struct PackageEntry {
    #[serde(default)]
    error: Option<String>,
}

impl PackageResult {
    /// Returns true if every transaction is in the mempool now.
    pub(crate) fn is_success(&self) -> bool {
        self.package_msg == "success"
    }

    /// Returns why it was not taken, for people.
    pub(crate) fn describe(&self) -> String {
        let errors = self.results.values().filter_map(|entry| entry.error.as_deref());
        [self.package_msg.as_str()].into_iter().chain(errors).collect::<Vec<_>>().join(", ")
    }
}
