//! Runs on SQLite the statements of `sql`.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, Row, ToSql, params_from_iter};

use crate::error::StoreError;
use crate::rows::column::{Field, Fields, Value};
use crate::sql::Sql;

impl Sql for Connection {
    fn run(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        Ok(self.prepare_cached(sql)?.execute(params_from_iter(values))?)
    }

    fn ask(
        &self,
        sql: &str,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Fields) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.prepare_cached(sql)?;
        let mut found = statement.query(params_from_iter(values))?;
        while let Some(row) = found.next()? {
            each(row)?;
        }
        Ok(())
    }
}

impl Fields for Row<'_> {
    fn field(&self, at: usize) -> Field<'_> {
        match self.get_ref(at) {
            Ok(ValueRef::Null) => Field::Null,
            Ok(ValueRef::Integer(number)) => Field::Integer(number),
            Ok(ValueRef::Text(text)) => Field::Text(text),
            Ok(ValueRef::Blob(bytes)) => Field::Bytes(bytes),
            Ok(ValueRef::Real(_)) | Err(_) => Field::Other,
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let detail = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt { detail },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied,
            ) => Self::Io { action: "access the database".to_owned(), reason: detail },
            _ => Self::Database { detail },
        }
    }
}

/// The plans of SQLite for the queries of `sql`.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::hashed::Hashed;
    use crate::sql::load::{open_invoices, open_parts, open_payments};
    use crate::sqlite::schema;

    /// Returns SQLite's plan, a line for each step.
    fn plan(db: &Connection, sql: &str) -> Vec<String> {
        let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let parameters = vec![0; statement.parameter_count()];
        let steps =
            statement.query_map(params_from_iter(parameters), |row| row.get("detail")).unwrap();
        steps.map(Result::unwrap).collect()
    }

    /// Payments, parts and invoices are kept for good, so a start must not read them all.
    #[test]
    fn what_is_open_is_found_by_index() {
        let mut db = Connection::open_in_memory().unwrap();
        schema::migrate(&mut db).unwrap();
        for (sql, index) in [
            (open_payments(), "payment_status"),
            (open_payments(), "payment_part_open"),
            (open_parts(), "payment_status"),
            (open_parts(), "payment_part_open"),
            (open_invoices(), "invoice_open"),
        ] {
            let plan = plan(&db, &sql);
            assert!(plan.iter().any(|step| step.contains(index)), "{index}: {plan:#?}");
            // A partial index holds only the rows that are asked for.
            let scans = |step: &String| step.starts_with("SCAN") && !step.contains("_open");
            assert!(!plan.iter().any(scans), "{plan:#?}");
        }
    }

    #[test]
    fn a_hash_is_found_by_one_probe_of_its_segment_and_listed_from_the_index_alone() {
        let mut db = Connection::open_in_memory().unwrap();
        schema::migrate(&mut db).unwrap();
        for table in [Hashed::Payment, Hashed::Invoice] {
            let name = table.name();
            let found = plan(&db, table.probe());
            let by_index =
                format!("SEARCH {name} USING INDEX {name}_by_hash (<expr>=? AND <expr>=?)");
            assert_eq!(found, [by_index]);
            let listed = plan(&db, table.starts());
            let from_index =
                format!("SEARCH {name} USING COVERING INDEX {name}_by_hash (<expr>=?)");
            assert_eq!(listed, [from_index]);
        }
    }
}
