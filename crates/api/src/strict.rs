//! Holds every request to the document: what it does not describe is refused, by the name of the
//! field and in a sentence, before a handler sees it. A route that is in the document is checked;
//! no route has to ask for it.

#![allow(clippy::indexing_slicing, reason = "a missing key of a JSON value reads as null")]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use steward_engine::Code;

use axum::body::{Body, Bytes};
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::fields::is_of_type;
use crate::limits::{BODY_TIMEOUT_MS, MAX_BODY_BYTES};

const BODY_TIMEOUT: Duration = Duration::from_millis(BODY_TIMEOUT_MS);

/// The rules of the document for every operation, by method and path.
pub(crate) struct Rules(BTreeMap<(String, String), Rule>);

/// The parameters and the body that one operation takes.
#[derive(Default)]
struct Rule {
    query: Fields,
    /// `None`: it takes no body.
    body: Option<Fields>,
}

/// The named values of an object or of a query.
#[derive(Default)]
struct Fields {
    known: Map<String, Value>,
    required: Vec<String>,
}

/// A field, and what is wrong with it.
struct Problem {
    field: String,
    text: String,
}

impl Rules {
    /// Reads the rules of a document.
    pub(crate) fn of(document: &Value) -> Arc<Self> {
        let mut rules = BTreeMap::new();
        for (path, methods) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in methods.as_object().into_iter().flatten() {
                let rule = Rule::of(document, operation);
                rules.insert((method.to_ascii_uppercase(), path.clone()), rule);
            }
        }
        Arc::new(Self(rules))
    }
}

impl Rule {
    fn of(document: &Value, operation: &Value) -> Self {
        let mut query = Fields::default();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let Some(name) = parameter["name"].as_str().filter(|_| parameter["in"] == "query")
            else {
                continue;
            };
            query.known.insert(name.to_owned(), parameter["schema"].clone());
            if parameter["required"] == true {
                query.required.push(name.to_owned());
            }
        }
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let body = body.is_object().then(|| {
            let schema = resolve(document, body);
            let required = schema["required"].as_array().into_iter().flatten();
            Fields {
                known: schema["properties"].as_object().cloned().unwrap_or_default(),
                required: required.filter_map(Value::as_str).map(str::to_owned).collect(),
            }
        });
        Self { query, body }
    }
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let pointer = schema["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema)
}

/// Lets a request pass that is as the document says.
pub(crate) async fn strict(
    State(rules): State<Arc<Rules>>,
    request: Request,
    next: Next,
) -> Response {
    match checked(&rules, request).await {
        Ok(request) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

async fn checked(rules: &Rules, request: Request) -> Result<Request, ApiError> {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let operation = (request.method().to_string(), path.unwrap_or_default().to_owned());
    // Any other path or method has no handler either.
    let Some(rule) = rules.0.get(&operation) else { return Ok(request) };
    check_query(&rule.query, request.uri())?;
    let (parts, body) = request.into_parts();
    let body = Request::from_parts(parts.clone(), body);
    let body = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(body, &())).await;
    let late = |_| ApiError::of(Code::BadBody, "the body did not arrive in time");
    let body = body.map_err(late)?.map_err(unreadable)?;
    let body = match &rule.body {
        Some(fields) => checked_body(fields, &parts.headers, &body)?,
        None if matches!(body.trim_ascii(), b"" | b"{}") => Vec::new(),
        None => return Err(ApiError::of(Code::BadBody, "this request takes no body")),
    };
    Ok(Request::from_parts(parts, Body::from(body)))
}

fn check_query(fields: &Fields, uri: &Uri) -> Result<(), ApiError> {
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_| ApiError::of(Code::BadQuery, "the query is not `name=value&name=value`"))?;
    let mut given = Map::new();
    let check = || {
        for (name, text) in pairs.0 {
            let schema = fields.known.get(&name).and_then(Value::as_object);
            let value = schema.map_or(Value::Null, |schema| typed(schema, &text));
            if given.insert(name.clone(), value).is_some() {
                return Err(Problem::new(&name, format!("`{name}` is there twice")));
            }
        }
        fields.check(&given, "parameter")
    };
    check().map_err(|problem| problem.refuse(Code::BadQuery))
}

/// Returns a parameter's text as the value its schema asks for, if it is one.
fn typed(schema: &Map<String, Value>, text: &str) -> Value {
    let parsed = match () {
        () if is_of_type(schema, "integer") => {
            let is_number = text.bytes().all(|digit| digit.is_ascii_digit());
            text.parse::<u64>().ok().filter(|_| is_number).map(Value::from)
        }
        () if is_of_type(schema, "boolean") => text.parse::<bool>().ok().map(Value::from),
        () => None,
    };
    parsed.unwrap_or_else(|| Value::from(text))
}

/// Returns the body as its handler shall read it.
fn checked_body(fields: &Fields, headers: &HeaderMap, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let says = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = says.and_then(|says| says.split(';').next()).unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let text = match says {
            None => "the body does not say what it is".to_owned(),
            Some(_) => "the body says that it is something else than JSON".to_owned(),
        };
        return Err(ApiError::of(Code::BadContentType, text));
    }
    let mut object = match serde_json::from_slice::<Object>(body) {
        Ok(Object { twice: Some(name), .. }) => {
            return Err(
                Problem::new(&name, format!("`{name}` is there twice")).refuse(Code::BadField)
            );
        }
        Ok(object) => object.fields,
        Err(error) if error.is_data() => {
            return Err(ApiError::of(Code::BadField, "the body is no JSON object"));
        }
        Err(error) => {
            let place = format!("line {}, column {}", error.line(), error.column());
            return Err(ApiError::of(Code::BadJson, format!("the body is not JSON: see {place}")));
        }
    };
    fields.write_out_whole_numbers(&mut object);
    fields.check(&object, "field").map_err(|problem| problem.refuse(Code::BadField))?;
    // Texts, numbers and lists always have a JSON form.
    Ok(serde_json::to_vec(&object).unwrap_or_default())
}

impl Fields {
    /// Checks that nothing is unknown or missing, and everything of its type and within its bounds.
    /// `kind` is what one of them is called.
    fn check(&self, given: &Map<String, Value>, kind: &str) -> Result<(), Problem> {
        for (name, value) in given {
            let Some(schema) = self.known.get(name).and_then(Value::as_object) else {
                return Err(Problem::new(name, self.unknown(name, kind)));
            };
            check_value(name, schema, value)?;
        }
        match self.required.iter().find(|name| !given.contains_key(*name)) {
            Some(name) => Err(Problem::new(name, format!("the {kind} `{name}` is missing"))),
            None => Ok(()),
        }
    }

    /// `10.0` is a whole number too: some languages know no other.
    fn write_out_whole_numbers(&self, given: &mut Map<String, Value>) {
        for (name, value) in given {
            let schema = self.known.get(name).and_then(Value::as_object);
            let is_whole =
                |number: &f64| number.fract() == 0.0 && (0.0..MAX_EXACT).contains(number);
            if schema.is_some_and(|schema| is_of_type(schema, "integer"))
                && value.is_f64()
                && let Some(number) = value.as_f64().filter(is_whole)
            {
                // Below 2^53 and whole: its digits are exact.
                *value = format!("{number:.0}").parse::<u64>().map_or(Value::Null, Value::from);
            }
        }
    }

    fn unknown(&self, name: &str, kind: &str) -> String {
        let known: Vec<String> = self.known.keys().map(|name| format!("`{name}`")).collect();
        match &known[..] {
            [] => format!("there is no {kind} `{name}`, nor any other"),
            [only] => format!("there is no {kind} `{name}`, only {only}"),
            known => format!("there is no {kind} `{name}`; there are {}", known.join(", ")),
        }
    }
}

/// The bound from which on a floating-point number no longer names one whole number only.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Checks numbers, texts and choices; what is made of others is left to its model.
fn check_value(name: &str, schema: &Map<String, Value>, value: &Value) -> Result<(), Problem> {
    let fail = |must: String| Err(Problem::new(name, format!("`{name}` must be {must}")));
    if value.is_null() && is_of_type(schema, "null") {
        return Ok(());
    }
    if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
        let names: Vec<String> =
            choices.iter().map(|choice| choice.to_string().replace('"', "`")).collect();
        return if choices.contains(value) {
            Ok(())
        } else {
            fail(format!("one of {}", names.join(", ")))
        };
    }
    if is_of_type(schema, "integer") {
        let bound =
            |key: &str, unbounded| schema.get(key).and_then(Value::as_u64).unwrap_or(unbounded);
        let (min, max) = (bound("minimum", 0), bound("maximum", u64::MAX));
        return match value.as_u64() {
            Some(number) if (min..=max).contains(&number) => Ok(()),
            _ => fail(format!("a whole number from {min} to {max}")),
        };
    }
    match value {
        _ if is_of_type(schema, "boolean") && !value.is_boolean() => {
            fail("true or false".to_owned())
        }
        _ if is_of_type(schema, "array") && !value.is_array() => fail("a list".to_owned()),
        _ if is_of_type(schema, "object") && !value.is_object() => fail("an object".to_owned()),
        _ if is_of_type(schema, "string") && !value.is_string() => fail("a text".to_owned()),
        _ => Ok(()),
    }
}

impl Problem {
    fn new(field: &str, text: String) -> Self {
        Self { field: field.to_owned(), text }
    }

    /// Returns the error's code; some fields have one of their own.
    fn refuse(self, code: Code) -> ApiError {
        let code = match self.field.as_str() {
            "limit" => Code::BadLimit,
            "wait_ms" => Code::BadWait,
            "expiry_s" => Code::BadExpiry,
            _ => code,
        };
        ApiError::of(code, self.text)
    }
}

/// A JSON object, and a key that is in it twice, if there is one.
#[derive(Default)]
struct Object {
    fields: Map<String, Value>,
    twice: Option<String>,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut object = Object::default();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if object.fields.insert(name.clone(), value).is_some() {
                object.twice.get_or_insert(name);
            }
        }
        Ok(object)
    }
}

fn unreadable(rejection: BytesRejection) -> ApiError {
    match rejection {
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
            let text = format!("the body is longer than {MAX_BODY_BYTES} bytes");
            ApiError::of(Code::BodyTooLarge, text)
        }
        _ => ApiError::of(Code::BadBody, "the body ended too early"),
    }
}
