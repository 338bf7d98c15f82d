//! `steward evidence`.

use steward_api::model::{EvidenceDetails, EvidenceList};

use super::channel::path_segment;
use super::{Context, page_query};
use crate::cli::EvidenceCommand;
use crate::failure::Failure;
use crate::render;

pub(super) fn run(context: &Context, command: EvidenceCommand) -> Result<(), Failure> {
    match command {
        EvidenceCommand::List { peer_id, page } => {
            let mut query = page_query(page);
            if let Some(peer_id) = &peer_id {
                query.push(("peer_id", path_segment(peer_id)?.to_owned()));
            }
            let list: EvidenceList = context.client()?.get("/v1/evidence", &query)?;
            context.output.answer(&list, render::evidence_list)
        }
        EvidenceCommand::Show { number } => {
            let path = format!("/v1/evidence/{number}");
            let kept: EvidenceDetails = context.client()?.get(&path, &[])?;
            context.output.answer(&kept, render::evidence)
        }
    }
}
