//! Commands about the node as a whole: status, metrics, forwards, peers, backup, stop.

use std::path::Path;
use std::thread;
use std::time::Instant;
use steward_engine::Code;

use steward_api::check_node_address;
use steward_api::model::{Backup, BackupRequest, Connect, Forwards, Metrics, Peers, Status};

use super::channel::path_segment;
use super::{Context, page_query, utf8};
use crate::cli::Page;
use crate::failure::Failure;
use crate::limits::{MAX_OPENING_WAIT, MAX_STOP_WAIT, POLL_INTERVAL};
use crate::render;

pub(super) fn status(context: &Context) -> Result<(), Failure> {
    let status: Status = context.client()?.get("/v1/status", &[])?;
    context.output.answer(&status, render::status)
}

pub(super) fn metrics(context: &Context) -> Result<(), Failure> {
    let metrics: Metrics = context.client()?.get("/v1/metrics", &[])?;
    context.output.answer(&metrics, render::metrics)
}

pub(super) fn forwards(context: &Context, page: Page) -> Result<(), Failure> {
    let forwards: Forwards = context.client()?.get("/v1/forwards", &page_query(page))?;
    context.output.answer(&forwards, render::forwards)
}

pub(super) fn peers(context: &Context) -> Result<(), Failure> {
    let peers: Peers = context.client()?.get("/v1/peers", &[])?;
    context.output.answer(&peers, render::peers)
}

pub(super) fn connect(context: &Context, peer: String) -> Result<(), Failure> {
    check_node_address(&peer)?;
    let client = context.client()?;
    context.output.progress("connecting...");
    let peers: Peers = client.post_for("/v1/peers", &Connect { peer }, MAX_OPENING_WAIT)?;
    context.output.answer(&peers, render::peers)
}

pub(super) fn forget_peer(context: &Context, peer_id: &str) -> Result<(), Failure> {
    let path = format!("/v1/peers/{}", path_segment(peer_id)?);
    let peers: Peers = context.client()?.delete(&path)?;
    context.output.answer(&peers, render::peers)
}

pub(super) fn backup(context: &Context, file: &Path) -> Result<(), Failure> {
    // The daemon has another working directory.
    let path = std::path::absolute(file).map_err(|error| Failure::io(file.display(), &error))?;
    let request = BackupRequest { path: utf8(&path)?.to_owned() };
    let backup: Backup = context.client()?.post_for("/v1/backup", &request, MAX_STOP_WAIT)?;
    context.output.answer(&backup, |backup| {
        format!(
            "{}\nOnly the newest backup may be restored: an older one shows balances that no longer hold.",
            backup.path
        )
    })
}

pub(super) fn stop(context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let _: serde_json::Value = client.post("/v1/stop", &serde_json::json!({}))?;
    let deadline = Instant::now() + MAX_STOP_WAIT;
    // It has ended when nothing listens any more; until then it may answer or hang up.
    while !matches!(client.get::<Status>("/v1/status", &[]), Err(error) if error.code == "daemon_not_running")
    {
        if Instant::now() >= deadline {
            return Err(Failure::new(
                Code::StillStopping,
                "the daemon has not ended yet",
                "see its log; it ends when everything is durable",
            ));
        }
        thread::sleep(POLL_INTERVAL);
    }
    context.output.answer(&serde_json::json!({ "stopped": true }), |_| "stopped".to_owned())
}
