//! A resize that is larger than the host gives: a question, which a `no` answers. Peers that do not
//! read the `no` are suspended by the channel, as the deployed protocol has it.

use steward_hosted::{Input, Role};
use steward_wire::amount::of_sat;
use steward_wire::features::{HOSTED_CHANNELS, has_pair};
use steward_wire::{ErrorCode, ErrorText, LinkId, NodeId, ResizeChannel, bolt1};

use crate::engine::Engine;
use crate::io::{ConnId, Level};

impl Engine {
    /// As host: true for a request that would be granted if it asked for less, of a peer that may
    /// read our warning. A legacy one counts on its request at once: for it the channel decides.
    pub(crate) fn refuses_resize(
        &self,
        conn: ConnId,
        link: &LinkId,
        resize: &ResizeChannel,
    ) -> bool {
        let Some(entry) = self.channels.get(link).filter(|entry| entry.conn == Some(conn)) else {
            return false;
        };
        let reads_warnings = self
            .connections
            .get(&conn)
            .is_some_and(|connection| has_pair(&connection.features, HOSTED_CHANNELS));
        reads_warnings
            && entry.channel.role() == Role::Host
            && entry.channel.suspension().is_none()
            && resize.new_capacity_sat > self.config.host.max_capacity_sat
    }

    pub(crate) fn refuse_resize(&mut self, conn: ConnId, peer: NodeId) {
        let text = format!(
            "this host gives a capacity of {} at most: the request is ignored",
            of_sat(self.config.host.max_capacity_sat)
        );
        self.batch.log(Level::Info, "resize_refused", peer, text.clone());
        let said = ErrorCode::InvalidResize.to_data(&text);
        self.batch.send(conn, bolt1::warning(&String::from_utf8_lossy(&said)));
    }

    /// As client: a host that refuses our request says so by a warning. Nothing else a peer says
    /// in words has a meaning.
    pub(crate) fn warned(&mut self, conn: ConnId, text: String) {
        let Some(link) = self.connections.get(&conn).map(|connection| connection.link) else {
            return;
        };
        let said = ErrorText::parse(text.as_bytes());
        let is_current = self.channels.get(&link).is_some_and(|entry| entry.conn == Some(conn));
        if is_current && said.code == Some(ErrorCode::InvalidResize) {
            let reason = said.text.trim().to_owned();
            self.drive(link, Input::ResizeRefused { reason });
        }
    }
}
