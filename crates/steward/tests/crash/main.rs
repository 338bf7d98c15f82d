//! Real processes that lose more than their memory: storms of kills, disks copied at arbitrary
//! moments and put back.
//!
//! - `storm`: random nodes killed at random times for a bounded while
//! - `copies`: plain copies of a running node's directory, and restoring them
//! - `lost_client`: a client goes on from an old copy
//! - `lost_host`: a host does, or has nothing left
//! - `stale_htlcs`: HTLCs that may have ended since, at those hosts
//! - `twins`: one directory wanted twice, one seed run twice

mod copies;
mod lost_client;
mod lost_host;
mod stale_htlcs;
mod storm;
#[path = "../support/mod.rs"]
mod support;
mod twins;
