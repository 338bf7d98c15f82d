//! A resize that is larger than the host gives: a question, which a `no` answers. Peers that do not
//! read the `no` are suspended by the channel, as the deployed protocol has it.

use steward_wire::amount::of_sat;
use steward_wire::features::{HOSTED_CHANNELS, has_pair};
use steward_wire::{ErrorCode, ErrorText, NodeId, ResizeChannel, bolt1};

use crate::context::Context;
use crate::face::io::{ConnId, Level};
use crate::link::links::Link;

/// As host: true for a request that would be granted if it asked for less, of a peer that may read
/// our warning. A legacy one counts on its request at once: for it the channel decides.
pub(crate) fn is_refused(
    cx: &Context,
    link: &Link,
    features: &[u8],
    resize: &ResizeChannel,
) -> bool {
    has_pair(features, HOSTED_CHANNELS)
        && link.is_host()
        && link.channel().suspension().is_none()
        && resize.new_capacity_sat > cx.config().host.max_capacity_sat
}

/// Refuses the request.
pub(crate) fn refuse(cx: &mut Context, conn: ConnId, peer: NodeId) {
    let text = format!(
        "this host gives a capacity of {} at most: the request is ignored",
        of_sat(cx.config().host.max_capacity_sat)
    );
    cx.log(Level::Info, "resize_refused", peer, text.clone());
    let said = ErrorCode::InvalidResize.to_data(&text);
    cx.send(conn, bolt1::warning(&String::from_utf8_lossy(&said)));
}

/// The reason, if a host's warning refuses our request. No other warning of a peer has a meaning
/// for the engine.
pub(crate) fn refusal(text: &str) -> Option<String> {
    let said = ErrorText::parse(text.as_bytes());
    (said.code == Some(ErrorCode::InvalidResize)).then(|| said.text.trim().to_owned())
}
