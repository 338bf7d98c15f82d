//! What callers of the HTTP interface send.

use axum::extract::Query;
use axum::http::Uri;
use serde::Serialize;
use serde::de::DeserializeOwned;
use steward_api::model;

/// Which model, then JSON.
pub(crate) fn body(data: &[u8]) {
    let Some((which, json)) = data.split_first() else { return };
    match which % 18 {
        0 => json_comes_back::<model::InvokeChannel>(json),
        1 => json_comes_back::<model::Connect>(json),
        2 => json_comes_back::<model::CreateInvoice>(json),
        3 => json_comes_back::<model::Pay>(json),
        4 => json_comes_back::<model::Keysend>(json),
        5 => json_comes_back::<model::BackupRequest>(json),
        // What the command line reads.
        6 => json_comes_back::<model::ChannelDetails>(json),
        7 => json_comes_back::<model::Channels>(json),
        8 => json_comes_back::<model::DecodedInvoice>(json),
        9 => json_comes_back::<model::Event>(json),
        10 => json_comes_back::<model::Forwards>(json),
        11 => json_comes_back::<model::Invoices>(json),
        12 => json_comes_back::<model::Metrics>(json),
        13 => json_comes_back::<model::PaymentDetails>(json),
        14 => json_comes_back::<model::Payments>(json),
        15 => json_comes_back::<model::Peers>(json),
        16 => json_comes_back::<model::Status>(json),
        _ => json_comes_back::<model::Backup>(json),
    }
}

fn json_comes_back<T>(json: &[u8])
where
    T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug,
{
    match serde_json::from_slice::<T>(json) {
        Ok(value) => {
            let again = serde_json::to_vec(&value).expect("what was read can be written");
            let read: T = serde_json::from_slice(&again).expect("what was written can be read");
            assert_eq!(read, value);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Which query, then its text.
pub(crate) fn query(data: &[u8]) {
    let Some((which, text)) = data.split_first() else { return };
    let uri = [b"/list?".as_slice(), text].concat();
    let Ok(uri) = Uri::try_from(uri.as_slice()) else { return };
    match which % 6 {
        0 => query_comes_back::<model::PageQuery>(&uri),
        1 => query_comes_back::<model::StatusPageQuery>(&uri),
        2 => query_comes_back::<model::InvoicePageQuery>(&uri),
        3 => query_comes_back::<model::DecodeQuery>(&uri),
        4 => query_comes_back::<model::WaitQuery>(&uri),
        _ => query_comes_back::<model::EventsQuery>(&uri),
    }
}

/// Through JSON: the queries of the command line are made from the same models.
fn query_comes_back<T>(uri: &Uri)
where
    T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug,
{
    match Query::<T>::try_from_uri(uri) {
        Ok(Query(value)) => {
            let json = serde_json::to_vec(&value).expect("what was read can be written");
            assert_eq!(serde_json::from_slice::<T>(&json).expect("and read again"), value);
        }
        Err(rejection) => assert!(!rejection.body_text().is_empty()),
    }
}
