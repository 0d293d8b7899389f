//! The gateway's description as a page for people: plain HTML, nothing to run and nothing to fetch.

use std::fmt::Write;
use std::sync::LazyLock;

use axum::response::{Html, IntoResponse, Response};
use http::header::CONTENT_SECURITY_POLICY;
use serde_json::Value;
use tonic::Code;

use super::openapi::DOCUMENT;
use super::{ARTICLE, Ending, OPENAPI, TEXT};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
    pre{background:#f4f4f4;padding:1rem;overflow-x:auto}td{vertical-align:top;padding:.2rem .8rem .2rem 0}";

static PAGE: LazyLock<String> = LazyLock::new(|| {
    let mut page = String::new();
    // Writing to a string can't fail.
    let _ = write(&mut page, &DOCUMENT);
    page
});

pub(super) async fn answer() -> Response {
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    let mut response = ([(CONTENT_SECURITY_POLICY, policy)], Html(PAGE.as_str())).into_response();
    response.extensions_mut().insert(Ending::known(Code::Ok));
    response
}

fn write(page: &mut String, document: &Value) -> std::fmt::Result {
    write!(
        page,
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>tarjoman</title><style>{STYLE}</style>\
         <h1>tarjoman {}</h1><p>{}</p><p>For programs: <a href=\"{OPENAPI}\">{OPENAPI}</a>. An API key, where the \
         service wants one, goes with each call as <code>authorization: Bearer KEY</code> or <code>x-api-key: \
         KEY</code>.</p><pre>curl -H 'content-type: application/json' -d '{{\"text\": \"سلام دنیا.\"}}' \
         http://localhost:50051{TEXT}\ncurl -N -H 'content-type: application/json' -d '{{\"text\": \"سلام دنیا.\"}}' \
         http://localhost:50051{ARTICLE}</pre>",
        words(&document["info"]["version"]),
        words(&document["info"]["description"]),
    )?;
    for (path, methods) in fields(&document["paths"]) {
        for (method, operation) in fields(methods) {
            write!(
                page,
                "<h2>{} {path}</h2><p>{}</p>",
                method.to_uppercase(),
                words(&operation["description"])
            )?;
            for (role, content) in [
                ("Takes", &operation["requestBody"]["content"]),
                ("Answers", &operation["responses"]["200"]["content"]),
            ] {
                for (media_type, content) in fields(content) {
                    write!(page, "<p>{role} {media_type}: {}.</p>", kind(&content["schema"]))?;
                }
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                if let Some(name) = parameter["name"].as_str() {
                    write!(page, "<p><code>{name}</code>: {}</p>", words(&parameter["description"]))?;
                }
            }
        }
    }
    for (name, schema) in fields(&document["components"]["schemas"]) {
        write!(page, "<h3 id=\"{name}\">{name}</h3><p>{}</p><table>", words(&schema["description"]))?;
        for (field, schema) in fields(&schema["properties"]) {
            let (kind, words) = (kind(schema), words(&schema["description"]));
            write!(page, "<tr><td><code>{field}</code><td>{kind}<td>{words}")?;
        }
        page.push_str("</table>");
    }
    Ok(())
}

/// The name of a schema's type, as a link where it has a schema of its own.
fn kind(schema: &Value) -> String {
    let name = |target: &str| target.rsplit('/').next().unwrap_or(target).to_owned();
    match (schema["$ref"].as_str(), schema["type"].as_str()) {
        (Some(target), _) => format!("<a href=\"#{0}\">{0}</a>", name(target)),
        (None, Some("array")) => format!("list of {}", kind(&schema["items"])),
        (None, other) => other.unwrap_or_default().to_owned(),
    }
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// A text as HTML has it.
fn words(text: &Value) -> String {
    text.as_str().unwrap_or_default().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_tells_each_path_and_links_lead_to_what_is_there() {
        for words in ["POST /v1/text:translate", "GET /v1/models", "<code>beamSize</code>", "[start, end)"] {
            assert!(PAGE.contains(words), "{words}");
        }
        for link in PAGE.split("href=\"#").skip(1) {
            let name = link.split('"').next().unwrap();
            assert!(PAGE.contains(&format!("id=\"{name}\"")), "{name}");
        }
    }
}
