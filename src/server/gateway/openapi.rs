//! The gateway's description as an [OpenAPI](https://spec.openapis.org/oas/v3.1.1.html) document, made from the
//! interface's descriptors, so that it says what the service does and says it in the interface's words.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use axum::response::Response;
use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
};
use serde_json::{Map, Value, json};

use super::{ARTICLE, MODELS, TEXT, messages};
use crate::proto::FILE_DESCRIPTOR_SET;

const PACKAGE: &str = "tarjoman.v1";
const DURATION: &str = ".google.protobuf.Duration";
/// The numbers of fields in `descriptor.proto`, of which the paths of comments are made.
/// The numbers of fields in `descriptor.proto`, of which the paths of comments are made.
const MESSAGES: i32 = 4;
const ENUMS: i32 = 5;
const SERVICES: i32 = 6;
/// Of a message's fields, an enum's values and a service's methods alike.
const MEMBERS: i32 = 2;

/// The document.
pub(super) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| Interface::new().document());

pub(super) async fn answer() -> Response {
    messages::answer(&*DOCUMENT)
}

/// The interface as its descriptors have it.
struct Interface {
    file: FileDescriptorProto,
    /// By the path of what they stand above.
    comments: HashMap<Vec<i32>, String>,
}

impl Interface {
    fn new() -> Self {
        let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap_or_default();
        let file = set.file.into_iter().find(|file| file.package() == PACKAGE).unwrap_or_default();
        let info = file.source_code_info.clone().unwrap_or_default();
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let comments = info
            .location
            .into_iter()
            .filter_map(|location| Some((location.path, words(&location.leading_comments?))))
            .collect();
        Self { file, comments }
    }

    fn document(&self) -> Value {
        let error = json!({
            "description": "An error.",
            "content": { "application/json": { "schema": reference("Status") } },
        });
        let translate = |rpc: &str, request: &str, media_type: &str, response: &str| {
            json!({ "post": {
                "operationId": rpc,
                "description": self.method_comment(rpc),
                "parameters": [{ "$ref": "#/components/parameters/Timeout" }],
                "requestBody": {
                    "required": true,
                    "content": { "application/json": { "schema": reference(request) } },
                },
                "responses": {
                    "200": { "description": "OK", "content": { media_type: { "schema": reference(response) } } },
                    "default": error,
                },
            } })
        };
        let mut schemas = BTreeMap::from([("Status".to_owned(), status_schema())]);
        for root in ["TranslateTextRequest", "TranslateTextResponse", "TranslateArticleRequest"] {
            self.collect(root, &mut schemas);
        }
        for root in ["TranslateArticleResponse", "ListModelsResponse"] {
            self.collect(root, &mut schemas);
        }
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "tarjoman",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "Translates Persian text and articles into English. Spans count UTF-8 bytes and are \
                    half-open. Numbers of 64 bits are strings, as protobuf's JSON has them.",
            },
            "security": [{}, { "bearer": [] }, { "apiKey": [] }],
            "paths": {
                TEXT: translate(
                    "TranslateText", "TranslateTextRequest", "application/json", "TranslateTextResponse"),
                ARTICLE: translate(
                    "TranslateArticle", "TranslateArticleRequest", "text/event-stream", "TranslateArticleResponse"),
                MODELS: { "get": {
                    "operationId": "ListModels",
                    "description": self.method_comment("ListModels"),
                    "parameters": self.query("ListModelsRequest"),
                    "responses": {
                        "200": {
                            "description": "OK",
                            "content": { "application/json": { "schema": reference("ListModelsResponse") } },
                        },
                        "default": error,
                    },
                } },
            },
            "components": {
                "schemas": schemas,
                "parameters": { "Timeout": {
                    "name": "grpc-timeout",
                    "in": "header",
                    "description": "How long the client waits: up to 8 digits and one of H, M, S, m, u, n.",
                    "schema": { "type": "string", "pattern": "^[0-9]{1,8}[HMSmun]$" },
                } },
                "securitySchemes": {
                    "bearer": { "type": "http", "scheme": "bearer" },
                    "apiKey": { "type": "apiKey", "in": "header", "name": "x-api-key" },
                },
            },
        })
    }

    /// Adds the schema of a message or an enum, and those that it needs.
    fn collect(&self, name: &str, schemas: &mut BTreeMap<String, Value>) {
        if schemas.contains_key(name) {
            return;
        }
        if let Some((index, message)) = (0..).zip(&self.file.message_type).find(|(_, m)| m.name() == name) {
            schemas.insert(name.to_owned(), self.message_schema(index, message));
            for field in message.field.iter().filter(|field| field.type_name() != DURATION) {
                if !field.type_name().is_empty() {
                    self.collect(local(field.type_name()), schemas);
                }
            }
        } else if let Some((index, of)) = (0..).zip(&self.file.enum_type).find(|(_, e)| e.name() == name) {
            schemas.insert(name.to_owned(), self.enum_schema(index, of));
        }
    }

    fn message_schema(&self, index: i32, message: &DescriptorProto) -> Value {
        let properties: Map<String, Value> = (0..)
            .zip(&message.field)
            .map(|(at, field)| {
                let comment = self.comment(&[MESSAGES, index, MEMBERS, at]);
                (field.json_name().to_owned(), field_schema(field, comment))
            })
            .collect();
        json!({
            "type": "object",
            "description": self.comment(&[MESSAGES, index]),
            "properties": properties,
            "additionalProperties": false,
        })
    }

    fn enum_schema(&self, index: i32, of: &EnumDescriptorProto) -> Value {
        let values = (0..).zip(&of.value);
        let told: Vec<String> = values
            .map(|(at, value)| format!("{}: {}", value.name(), self.comment(&[ENUMS, index, MEMBERS, at])))
            .collect();
        let names: Vec<&str> = of.value.iter().map(prost_types::EnumValueDescriptorProto::name).collect();
        let comment = self.comment(&[ENUMS, index]);
        json!({ "type": "string", "description": format!("{comment} {}", told.join(" ")), "enum": names })
    }

    /// A message's fields as parameters of a query.
    fn query(&self, name: &str) -> Vec<Value> {
        let found = (0..).zip(&self.file.message_type).find(|(_, message)| message.name() == name);
        let Some((index, message)) = found else { return Vec::new() };
        (0..)
            .zip(&message.field)
            .map(|(at, field)| {
                json!({
                    "name": field.json_name(),
                    "in": "query",
                    "description": self.comment(&[MESSAGES, index, MEMBERS, at]),
                    "schema": field_schema(field, ""),
                })
            })
            .collect()
    }

    fn method_comment(&self, name: &str) -> &str {
        let methods = self.file.service.first().map_or(&[][..], |service| &service.method);
        let index = (0..).zip(methods).find(|(_, method)| method.name() == name).map(|(index, _)| index);
        index.map_or("", |index| self.comment(&[SERVICES, 0, MEMBERS, index]))
    }

    fn comment(&self, path: &[i32]) -> &str {
        self.comments.get(path).map_or("", String::as_str)
    }
}

fn field_schema(field: &FieldDescriptorProto, comment: &str) -> Value {
    let one = match field.r#type() {
        Type::Bool => json!({ "type": "boolean" }),
        Type::Int32 => json!({ "type": "integer", "format": "int32" }),
        Type::Uint32 => json!({ "type": "integer", "format": "uint32", "minimum": 0 }),
        Type::Int64 => json!({ "type": "string", "format": "int64" }),
        Type::Uint64 => json!({ "type": "string", "format": "uint64" }),
        Type::Float | Type::Double => json!({ "type": "number" }),
        Type::Message if field.type_name() == DURATION => {
            json!({ "type": "string", "format": "duration", "pattern": "^[0-9]+(\\.[0-9]+)?s$" })
        }
        Type::Message | Type::Enum => reference(local(field.type_name())),
        _ => json!({ "type": "string" }),
    };
    let mut schema = match field.label() {
        Label::Repeated => json!({ "type": "array", "items": one }),
        _ => one,
    };
    if !comment.is_empty() {
        schema["description"] = comment.into();
    }
    schema
}

/// `google.rpc.Status`.
fn status_schema() -> Value {
    json!({
        "type": "object",
        "description": "An error, as google.rpc.Status.",
        "properties": {
            "code": { "type": "integer", "format": "int32", "description": "The gRPC status code." },
            "message": {
                "type": "string",
                "description": "What is wrong, in which field, and what to do about it.",
            },
            "details": {
                "type": "array",
                "description": "google.rpc.BadRequest names the field; google.rpc.RetryInfo says when to try again.",
                "items": { "type": "object" },
            },
        },
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The name of a type without its package.
fn local(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All references in a part of the document.
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(target) if name == "$ref" => found.push(target.clone()),
                        _ => references(value, found),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_nothing_is_undescribed() {
        let mut found = Vec::new();
        references(&DOCUMENT, &mut found);
        assert!(found.len() > 20, "{found:?}");
        for target in found {
            assert!(DOCUMENT.pointer(target.trim_start_matches('#')).is_some(), "{target}");
        }
        for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
            assert_ne!(schema["description"], "", "{name}");
            for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
                assert!(schema["description"].is_string(), "{name}.{field}");
            }
        }
    }

    #[test]
    fn fields_have_the_names_and_types_of_protobufs_json() {
        let field = |path: &str| {
            &DOCUMENT["components"]["schemas"][path.split_once('.').unwrap().0]["properties"]
                [path.split_once('.').unwrap().1]
        };
        assert_eq!(field("Options.beamSize")["type"], "integer");
        assert_eq!(field("Span.start")["type"], "string");
        assert_eq!(field("ArticleSummary.elapsed")["type"], "string");
        assert_eq!(field("TranslatedSentence.flags")["items"]["$ref"], "#/components/schemas/Flag");
        assert_eq!(DOCUMENT["components"]["schemas"]["Flag"]["enum"][1], "FLAG_EMPTY");
    }
}
