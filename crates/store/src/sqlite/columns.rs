//! Rows of a query into the engine's rows. Each reader names its columns in `SELECT` order, so
//! that the two cannot drift apart.

use rusqlite::Row;
use rusqlite::types::FromSql;
use steward_engine::io::Event;
use steward_engine::row::{
    ChannelRow, EvidenceRow, EvidenceSummary, ForwardRow, HtlcKey, InvoiceRow, Origin, PartRow,
    PaymentRow, PaymentStatus, PeerRow, Settlement,
};
use steward_wire::{DecodeError, NodeId, PaymentHash, Preimage, ShortChannelId};

use crate::codec;
use crate::error::StoreError;

pub(crate) const CHANNEL: &str = "SELECT peer, role, phase, short_channel_id, \
    local_balance_msat, remote_balance_msat, record FROM channel";
pub(crate) const ORIGIN: &str = "SELECT peer, htlc_id, origin FROM htlc_origin";
pub(crate) const OUTBOX: &str = "SELECT peer, htlc_id, settlement FROM outbox";
pub(crate) const PREIMAGE: &str = "SELECT payment_hash, preimage FROM preimage";
pub(crate) const PAYMENT: &str = "SELECT payment_hash, destination, amount_msat, fee_msat, \
    max_fee_msat, status, preimage, failure_code, failure_message, bolt11, created_ms, ended_ms, \
    number FROM payment";
pub(crate) const PART: &str = "SELECT payment_hash, part, peer, amount_msat, fee_msat, \
    session_key, path, status FROM payment_part";
pub(crate) const INVOICE: &str = "SELECT payment_hash, preimage, payment_secret, amount_msat, \
    description, bolt11, created_ms, expires_ms, status, received_msat, paid_ms, failure_code, \
    failure_message, number \
    FROM invoice";
pub(crate) const FORWARD: &str = "SELECT incoming_peer, incoming_id, outgoing_peer, \
    amount_in_msat, amount_out_msat, fulfilled, ended_ms, number FROM forward";
pub(crate) const EVIDENCE: &str =
    "SELECT number, peer, time_ms, what, message_type, body, number FROM evidence";
/// SQLite knows the length without reading the body.
pub(crate) const EVIDENCE_SUMMARY: &str =
    "SELECT number, peer, what, message_type, length(body) FROM evidence ORDER BY number";
pub(crate) const EVENT: &str = "SELECT number, time_ms, kind FROM event";
pub(crate) const PEER: &str = "SELECT peer, is_host, addresses, framing FROM peer";
pub(crate) const SETTING: &str = "SELECT name, value FROM setting";

/// The columns of one row, read one after the other.
pub(crate) struct Columns<'r> {
    row: &'r Row<'r>,
    table: &'static str,
    next: usize,
}

impl<'r> Columns<'r> {
    pub(crate) fn new(row: &'r Row<'r>, table: &'static str) -> Self {
        Self { row, table, next: 0 }
    }

    /// Any value SQLite can convert.
    pub(crate) fn value<T: FromSql>(&mut self) -> Result<T, StoreError> {
        let value = self.row.get(self.next).map_err(|error| self.error(&error.to_string()))?;
        self.next += 1;
        Ok(value)
    }

    /// A number that is never negative.
    pub(crate) fn number(&mut self) -> Result<u64, StoreError> {
        let value: i64 = self.value()?;
        u64::try_from(value).map_err(|_| self.error("a number is negative"))
    }

    fn optional_number(&mut self) -> Result<Option<u64>, StoreError> {
        let value: Option<i64> = self.value()?;
        value.map(u64::try_from).transpose().map_err(|_| self.error("a number is negative"))
    }

    /// 64 bits that a peer may have chosen: from 2^63 on they look negative.
    fn bits(&mut self) -> Result<u64, StoreError> {
        Ok(self.value::<i64>()?.cast_unsigned())
    }

    fn flag(&mut self) -> Result<bool, StoreError> {
        match self.value::<i64>()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.error("a flag is neither 0 nor 1")),
        }
    }

    fn code<T>(&mut self, read: impl FnOnce(i64) -> Option<T>) -> Result<T, StoreError> {
        let code = self.value()?;
        read(code).ok_or_else(|| self.error("a code is unknown"))
    }

    fn optional_code<T>(
        &mut self,
        read: impl FnOnce(i64) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let code: Option<i64> = self.value()?;
        code.map(|code| read(code).ok_or_else(|| self.error("a code is unknown"))).transpose()
    }

    /// A code and a sentence, or neither.
    fn failure(&mut self) -> Result<Option<(String, String)>, StoreError> {
        match (self.value()?, self.value()?) {
            (Some(code), Some(message)) => Ok(Some((code, message))),
            (None, None) => Ok(None),
            _ => Err(self.error("half a failure")),
        }
    }

    fn small<T: TryFrom<i64>>(&mut self) -> Result<T, StoreError> {
        let value: i64 = self.value()?;
        T::try_from(value).map_err(|_| self.error("a number is out of range"))
    }

    fn node(&mut self) -> Result<NodeId, StoreError> {
        self.value().map(NodeId)
    }

    fn hash(&mut self) -> Result<PaymentHash, StoreError> {
        self.value().map(PaymentHash)
    }

    fn preimage(&mut self) -> Result<Preimage, StoreError> {
        self.value().map(Preimage)
    }

    fn htlc_key(&mut self) -> Result<HtlcKey, StoreError> {
        Ok(HtlcKey { peer: self.node()?, id: self.bits()? })
    }

    fn blob<T>(
        &mut self,
        decode: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<T, StoreError> {
        let blob: Vec<u8> = self.value()?;
        decode(&blob).map_err(|error| self.error(&error.to_string()))
    }

    /// Names the row by its first column; every query begins with the key.
    pub(crate) fn error(&self, reason: &str) -> StoreError {
        use rusqlite::types::ValueRef;
        let key = match self.row.get_ref(0) {
            Ok(ValueRef::Integer(number)) => number.to_string(),
            Ok(ValueRef::Text(text)) => String::from_utf8_lossy(text).into_owned(),
            Ok(ValueRef::Blob(bytes)) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            _ => "unknown".to_owned(),
        };
        StoreError::Decode { table: self.table, key, reason: reason.to_owned() }
    }
}

pub(crate) fn channel(row: &Row<'_>) -> Result<ChannelRow, StoreError> {
    let mut c = Columns::new(row, "channel");
    Ok(ChannelRow {
        peer: c.node()?,
        role: c.code(codec::role)?,
        phase: c.code(codec::phase)?,
        short_channel_id: ShortChannelId(c.bits()?),
        local_balance_msat: c.number()?,
        remote_balance_msat: c.number()?,
        record: c.value()?,
    })
}

pub(crate) fn origin(row: &Row<'_>) -> Result<(HtlcKey, Origin), StoreError> {
    let mut c = Columns::new(row, "htlc_origin");
    Ok((c.htlc_key()?, c.blob(codec::decode_origin)?))
}

pub(crate) fn outbox(row: &Row<'_>) -> Result<(HtlcKey, Settlement), StoreError> {
    let mut c = Columns::new(row, "outbox");
    Ok((c.htlc_key()?, c.blob(codec::decode_settlement)?))
}

pub(crate) fn preimage(row: &Row<'_>) -> Result<Preimage, StoreError> {
    let mut c = Columns::new(row, "preimage");
    let (hash, preimage) = (c.hash()?, c.preimage()?);
    if preimage.hash() != hash {
        return Err(c.error("the preimage has another hash"));
    }
    Ok(preimage)
}

pub(crate) fn payment(row: &Row<'_>) -> Result<PaymentRow, StoreError> {
    let mut c = Columns::new(row, "payment");
    Ok(PaymentRow {
        payment_hash: c.hash()?,
        destination: c.node()?,
        amount_msat: c.number()?,
        fee_msat: c.number()?,
        max_fee_msat: c.number()?,
        status: c.code(codec::status)?,
        preimage: c.value::<Option<[u8; 32]>>()?.map(Preimage),
        failure: c.failure()?,
        bolt11: c.value()?,
        created_ms: c.number()?,
        ended_ms: c.optional_number()?,
    })
}

pub(crate) fn part(row: &Row<'_>) -> Result<PartRow, StoreError> {
    let mut c = Columns::new(row, "payment_part");
    Ok(PartRow {
        payment_hash: c.hash()?,
        part: c.small()?,
        peer: c.node()?,
        amount_msat: c.number()?,
        fee_msat: c.number()?,
        session_key: c.value()?,
        path: c.blob(codec::decode_path)?,
        status: c.code(codec::status)?,
    })
}

pub(crate) fn invoice(row: &Row<'_>) -> Result<InvoiceRow, StoreError> {
    let mut c = Columns::new(row, "invoice");
    Ok(InvoiceRow {
        payment_hash: c.hash()?,
        preimage: c.preimage()?,
        payment_secret: c.value()?,
        amount_msat: c.optional_number()?,
        description: c.value()?,
        bolt11: c.value()?,
        created_ms: c.number()?,
        expires_ms: c.number()?,
        status: c.code(codec::status)?,
        received_msat: c.number()?,
        paid_ms: c.optional_number()?,
        failure: c.failure()?,
    })
}

pub(crate) fn forward(row: &Row<'_>) -> Result<ForwardRow, StoreError> {
    let mut c = Columns::new(row, "forward");
    Ok(ForwardRow {
        incoming: c.htlc_key()?,
        outgoing_peer: c.node()?,
        amount_in_msat: c.number()?,
        amount_out_msat: c.number()?,
        fulfilled: c.flag()?,
        ended_ms: c.number()?,
    })
}

pub(crate) fn evidence(row: &Row<'_>) -> Result<EvidenceRow, StoreError> {
    let mut c = Columns::new(row, "evidence");
    c.number()?;
    Ok(EvidenceRow {
        peer: c.node()?,
        time_ms: c.number()?,
        what: c.value()?,
        message_type: c.small()?,
        body: c.value()?,
    })
}

pub(crate) fn evidence_summary(row: &Row<'_>) -> Result<EvidenceSummary, StoreError> {
    let mut c = Columns::new(row, "evidence");
    Ok(EvidenceSummary {
        number: c.number()?,
        peer: c.node()?,
        what: c.value()?,
        message_type: c.small()?,
        body_bytes: c.number()?,
    })
}

pub(crate) fn event(row: &Row<'_>) -> Result<Event, StoreError> {
    let mut c = Columns::new(row, "event");
    Ok(Event { number: c.number()?, time_ms: c.number()?, kind: c.blob(codec::decode_event)? })
}

pub(crate) fn peer(row: &Row<'_>) -> Result<PeerRow, StoreError> {
    let mut c = Columns::new(row, "peer");
    Ok(PeerRow {
        peer: c.node()?,
        is_host: c.flag()?,
        addresses: c.blob(codec::decode_addresses)?,
        framing: c.optional_code(codec::framing)?,
    })
}

pub(crate) fn setting(row: &Row<'_>) -> Result<(String, Vec<u8>), StoreError> {
    let mut c = Columns::new(row, "setting");
    Ok((c.value()?, c.value()?))
}

/// How the status filter and the readers above spell a status.
pub(crate) fn status_column(status: PaymentStatus) -> i64 {
    i64::from(codec::status_code(status))
}
