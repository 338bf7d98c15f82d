//! The OpenAPI document. The macros on routes and models say most of it; what they cannot say,
//! or would have to say at every place again, is added here.

#![allow(
    clippy::indexing_slicing,
    reason = "a missing key of a JSON value reads as null; written are only our own objects"
)]

use serde_json::{Map, Value, json};
use steward_engine::{Code, Scope};
use utoipa::PartialSchema;

use crate::error::ErrorBody;
use crate::fields::{self, Place};
use crate::routes;

const ABOUT: &str = "Hosted channels for Lightning. Amounts are in millisatoshi (`_msat`), times \
                     in milliseconds since 1970 (`_ms`), ids in hexadecimal. Every error is \
                     `{code, message, hint}`; the schema `Error` lists the codes in `x-codes`.";

/// The document, as served at `/openapi.json`.
///
/// # Errors
/// If it cannot be written as JSON: a bug.
pub(crate) fn document() -> Result<Value, serde_json::Error> {
    let mut document = serde_json::to_value(routes::all().into_openapi())?;
    let schemas = &mut document["components"]["schemas"];
    schemas["Error"] = serde_json::to_value(ErrorBody::schema())?;
    schemas["Error"]["x-codes"] = codes();
    if let Some(schemas) = schemas.as_object_mut() {
        flatten_unions(schemas);
        schemas.values_mut().for_each(describe_schema);
    }
    if let Some(paths) = document["paths"].as_object_mut() {
        let operations = paths.values_mut().filter_map(Value::as_object_mut);
        operations.flat_map(|methods| methods.values_mut()).for_each(describe_operation);
    }
    describe_answers(&mut document);
    join_lines(&mut document);
    document["info"] = json!({
        "title": "steward",
        "version": env!("CARGO_PKG_VERSION"),
        "description": ABOUT,
        "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
    });
    document["servers"] = json!([{
        "url": "http://127.0.0.1:9737",
        "description": "A node on this machine whose `api.address` is the default.",
    }]);
    document["components"]["securitySchemes"] =
        json!({ "token": { "type": "http", "scheme": "bearer" } });
    document["security"] = json!([{ "token": [] }]);
    Ok(document)
}

/// Lists every code an answer may have. More may come, so the schema does not close the list.
fn codes() -> Value {
    let in_answers = Code::ALL.iter().filter(|code| code.scope() == Scope::Api);
    let described = in_answers.map(|code| {
        json!({
            "code": code.name(),
            "status": code.blame().status(),
            "meaning": code.meaning(),
            "hint": code.hint(),
        })
    });
    described.collect()
}

/// Gives an operation its name, one line and a description, and says what its parameters hold.
fn describe_operation(operation: &mut Value) {
    let function = operation["operationId"].as_str().unwrap_or_default();
    let tag = operation["tags"][0].as_str().unwrap_or_default();
    // Functions are called alike in the modules of several resources.
    operation["operationId"] = json!(format!("{tag}_{function}"));
    let text = [&operation["summary"], &operation["description"]]
        .map(|text| text.as_str().unwrap_or_default())
        .join("\n");
    let text = text.trim().replace('\n', " ");
    let first_sentence = text.split_once(". ").map_or(&*text, |(first, _)| first);
    operation["summary"] = json!(first_sentence.trim_end_matches('.'));
    operation["description"] = json!(text);
    for parameter in array_mut(operation, "parameters") {
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        let Some(schema) = object_mut(parameter, "schema") else { continue };
        // A parameter is there or not; it is never null.
        if let Some(Value::Array(types)) = schema.get("type")
            && let [only] = types.iter().filter(|one| *one != "null").collect::<Vec<_>>()[..]
        {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
        fields::describe(&name, Place::Request, schema);
    }
}

/// Describes a success that has no description of its own by that of its schema.
fn describe_answers(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object().cloned() else { return };
    let paths = document["paths"].as_object_mut();
    let methods = paths.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut);
    for operation in methods.flat_map(Map::values_mut) {
        let Some(responses) = object_mut(operation, "responses") else { continue };
        for response in responses.values_mut().filter_map(Value::as_object_mut) {
            if response.get("description").is_some_and(|text| text != "") {
                continue;
            }
            let content = response.get("content").and_then(Value::as_object);
            let schema = content.and_then(|content| content.values().next());
            let name = schema.and_then(|schema| schema["schema"]["$ref"].as_str());
            let name = name.and_then(|name| name.rsplit('/').next()).unwrap_or_default();
            let says = schemas.get(name).and_then(|schema| schema["description"].as_str());
            response.insert("description".to_owned(), json!(says.unwrap_or("The answer.")));
        }
    }
}

/// Says what every property of a schema holds, by its name.
fn describe_schema(schema: &mut Value) {
    // Bodies refuse what they do not know, answers may grow.
    let place = match schema["additionalProperties"] == json!(false) {
        true => Place::Request,
        false => Place::Answer,
    };
    for part in array_mut(schema, "allOf") {
        describe_properties(part, place);
    }
    describe_properties(schema, place);
}

fn describe_properties(schema: &mut Value, place: Place) {
    let Some(properties) = object_mut(schema, "properties") else { return };
    for (name, property) in properties {
        let Some(property) = property.as_object_mut() else { continue };
        fields::describe(name, place, property);
        if let Some(items) = property.get_mut("items").and_then(Value::as_object_mut) {
            fields::describe(name, place, items);
        }
    }
}

/// An object that carries a tagged choice, `allOf` of a `oneOf`, becomes a choice of whole objects
/// with a discriminator: generators do not multiply out by themselves.
fn flatten_unions(schemas: &mut Map<String, Value>) {
    let names: Vec<String> = schemas.keys().cloned().collect();
    for name in names {
        let Some((base, choice_name)) = union_of(schemas, &name) else { continue };
        let Some(choices) = schemas.remove(&choice_name) else { continue };
        let mut mapping = Map::new();
        for mut choice in choices["oneOf"].as_array().cloned().unwrap_or_default() {
            let tag = choice["properties"]["type"]["enum"][0].as_str().unwrap_or_default();
            let (tag, choice_name) = (tag.to_owned(), name.clone() + &camel_case(tag));
            merge(&mut choice, &base);
            choice["properties"]["type"] = json!({ "type": "string", "const": tag });
            mapping.insert(tag, json!(format!("#/components/schemas/{choice_name}")));
            schemas.insert(choice_name, choice);
        }
        let choices: Vec<Value> = mapping.values().map(|to| json!({ "$ref": to })).collect();
        schemas.insert(
            name,
            json!({
                "description": base["description"],
                "oneOf": choices,
                "discriminator": { "propertyName": "type", "mapping": mapping },
            }),
        );
    }
}

/// Returns what an object has besides its choice, and the name of the choice's schema.
fn union_of(schemas: &Map<String, Value>, name: &str) -> Option<(Value, String)> {
    let schema = schemas.get(name)?;
    let parts = schema["allOf"].as_array()?;
    let choice = parts.iter().find_map(|part| {
        let choice = part["$ref"].as_str()?.rsplit('/').next()?;
        schemas.get(choice)?.get("oneOf")?;
        Some(choice.to_owned())
    })?;
    let mut base = parts.iter().find(|part| part.get("properties").is_some())?.clone();
    base["description"] = schema["description"].clone();
    Some((base, choice))
}

/// Adds the properties of `base`, and which of them are required, to an object.
fn merge(object: &mut Value, base: &Value) {
    for (name, property) in base["properties"].as_object().into_iter().flatten() {
        object["properties"][name] = property.clone();
    }
    let required = [&base["required"], &object["required"]];
    let required = required.into_iter().filter_map(Value::as_array).flatten().cloned();
    object["required"] = required.collect();
}

/// Spells `channel_opened` as `ChannelOpened`.
fn camel_case(snake_case: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at_checked(1).unwrap_or_default();
        first.to_ascii_uppercase() + rest
    };
    snake_case.split('_').map(word).collect()
}

/// Looks a value up; indexing would put a null where nothing is.
fn object_mut<'a>(value: &'a mut Value, key: &str) -> Option<&'a mut Map<String, Value>> {
    value.get_mut(key)?.as_object_mut()
}

fn array_mut<'a>(value: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    value.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

/// Joins lines: comments wrap at the width of the source, and their readers have another.
fn join_lines(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(text) if key == "description" => *text = text.replace('\n', " "),
                    _ => join_lines(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(join_lines),
        _ => {}
    }
}
