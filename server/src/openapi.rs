//! The OpenAPI 3.1 document, made from the endpoints' own types.
//!
//! The committed copy stands in `docs/api/openapi.json`; a test says when it is out of date. Not
//! here: any endpoint's description (those are `protocol::api`).
//! Invariant: every endpoint of `protocol::api::all()` is in it, and every JSON endpoint has shapes.

use patchward_protocol::api::endpoint::{Description, Endpoint, Method, Who};
use patchward_protocol::api::error::{ErrorCode, Problem};
use patchward_protocol::api::{
    self, consent, delta, device, draft, operator, record, repository, site, token,
};
use patchward_protocol::{act, ledger, receipt};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What goes in and what comes out of one endpoint; nothing where there is no body.
struct Shapes {
    body: Option<Schema>,
    body_bytes_max: usize,
    reply: Option<Schema>,
}

/// The document.
#[must_use]
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let shapes = shapes(&mut generator);
    statements(&mut generator);
    let problem = generator.subschema_for::<Problem>();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for endpoint in api::all() {
        let operation = operation(&endpoint, shapes.get(endpoint.name), &problem);
        let method = endpoint.method.as_str().to_ascii_lowercase();
        paths.entry(endpoint.path).or_default().insert(method, operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Patchward",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Signed updates of medical devices, approved by the hospital",
            "description": "Devices authenticate by what they sign; people and machines by API tokens. \
                A token never replaces a signature: the server is a courier. \
                Unknown object fields in requests are refused, and so are duplicate keys and floats.",
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": security_schemes(),
        },
        "x-error-codes": error_codes(),
    })
}

/// The document as it is committed and served: indented, without a newline at the end.
#[must_use]
pub fn text() -> String {
    serde_json::to_string_pretty(&document()).unwrap_or_default()
}

fn shapes(generator: &mut SchemaGenerator) -> BTreeMap<&'static str, Shapes> {
    BTreeMap::from([
        ("Enrol", shapes_of::<device::Enrol>(generator)),
        ("CheckIn", shapes_of::<device::CheckIn>(generator)),
        ("Report", shapes_of::<device::Report>(generator)),
        ("ReadInventory", shapes_of::<consent::ReadInventory>(generator)),
        ("WriteInventory", shapes_of::<consent::WriteInventory>(generator)),
        ("SetHold", shapes_of::<consent::SetHold>(generator)),
        ("ListHolds", shapes_of::<consent::ListHolds>(generator)),
        ("SetMakerHold", shapes_of::<consent::SetMakerHold>(generator)),
        ("LiftMakerHold", shapes_of::<consent::LiftMakerHold>(generator)),
        ("SetOperatorHold", shapes_of::<consent::SetOperatorHold>(generator)),
        ("LiftOperatorHold", shapes_of::<consent::LiftOperatorHold>(generator)),
        ("FileAct", shapes_of::<consent::FileAct>(generator)),
        ("ListRollouts", shapes_of::<consent::ListRollouts>(generator)),
        ("WriteCampaign", shapes_of::<consent::WriteCampaign>(generator)),
        ("ReadCampaign", shapes_of::<consent::ReadCampaign>(generator)),
        ("WhyNot", shapes_of::<consent::WhyNot>(generator)),
        ("ReadDraft", shapes_of::<draft::ReadDraft>(generator)),
        ("SignDraft", shapes_of::<draft::SignDraft>(generator)),
        ("ReadWaveProof", shapes_of::<device::ReadWaveProof>(generator)),
        ("ShowServer", shapes_of::<operator::ShowServer>(generator)),
        ("ReadRecord", shapes_of::<record::ReadRecord>(generator)),
        ("ListDeltas", shapes_of::<delta::ListDeltas>(generator)),
        ("OpenRepository", shapes_of::<repository::OpenRepository>(generator)),
        ("ShowRepository", shapes_of::<repository::ShowRepository>(generator)),
        ("Publish", shapes_of::<repository::Publish>(generator)),
        ("MakePack", shapes_of::<site::MakePack>(generator)),
        ("ListDevices", shapes_of::<site::ListDevices>(generator)),
        ("AddDevice", shapes_of::<site::AddDevice>(generator)),
        ("ReadLedger", shapes_of::<site::ReadLedger>(generator)),
        ("ClaimFirst", shapes_of::<token::ClaimFirst>(generator)),
        ("MakeToken", shapes_of::<token::MakeToken>(generator)),
        ("ListTokens", shapes_of::<token::ListTokens>(generator)),
        ("RevokeToken", shapes_of::<token::RevokeToken>(generator)),
        ("WhoAmI", shapes_of::<token::WhoAmI>(generator)),
    ])
}

fn shapes_of<E>(generator: &mut SchemaGenerator) -> Shapes
where
    E: Endpoint<Body: JsonSchema, Reply: JsonSchema>,
{
    Shapes {
        body: shape::<E::Body>(generator),
        body_bytes_max: E::BODY_BYTES_MAX,
        reply: shape::<E::Reply>(generator),
    }
}

fn shape<T: JsonSchema>(generator: &mut SchemaGenerator) -> Option<Schema> {
    let schema = generator.subschema_for::<T>();
    let is_unit = schema.get("type").and_then(Value::as_str) == Some("null");
    (!is_unit).then_some(schema)
}

/// What travels inside envelopes, and so in no body of its own.
fn statements(generator: &mut SchemaGenerator) {
    generator.subschema_for::<device::Enrolment>();
    generator.subschema_for::<device::LinkCertificate>();
    generator.subschema_for::<device::Poll>();
    generator.subschema_for::<act::Act>();
    generator.subschema_for::<ledger::Entry>();
    generator.subschema_for::<receipt::Receipt>();
    generator.subschema_for::<receipt::TimeAnswer>();
}

fn operation(endpoint: &Description, shapes: Option<&Shapes>, problem: &Schema) -> Value {
    let parameters: Vec<Value> = path_parameters(endpoint.path).map(parameter).collect();
    let mut operation = json!({
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": parameters,
        "security": security(endpoint.who),
        "x-who": who(endpoint.who),
        "responses": responses(shapes, problem),
    });
    let body = match shapes {
        Some(shapes) => shapes.body.as_ref().map(|schema| {
            json!({
                "required": true,
                "content": { "application/json": { "schema": schema } },
                "description": format!("At most {} bytes", shapes.body_bytes_max),
            })
        }),
        None => (endpoint.method == Method::Put)
            .then(|| json!({ "required": true, "content": { "application/octet-stream": {} } })),
    };
    if let (Some(body), Some(fields)) = (body, operation.as_object_mut()) {
        fields.insert("requestBody".into(), body);
    }
    operation
}

fn responses(shapes: Option<&Shapes>, problem: &Schema) -> Value {
    let failure = json!({
        "description": "A refusal or failure, with a code of x-error-codes and a request id",
        "content": { "application/problem+json": { "schema": problem } },
    });
    match shapes.map(|shapes| shapes.reply.as_ref()) {
        Some(Some(reply)) => json!({
            "200": {
                "description": "Done",
                "content": { "application/json": { "schema": reply } },
            },
            "default": failure,
        }),
        Some(None) => json!({ "204": { "description": "Done" }, "default": failure }),
        None => json!({ "2XX": { "description": "Done" }, "default": failure }),
    }
}

/// The names in braces.
fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn parameter(name: &str) -> Value {
    let schema = match name {
        "after_seq" => json!({ "type": "integer", "minimum": 0 }),
        "kind" => json!({ "type": "string", "enum": ["family", "site"] }),
        _ => json!({ "type": "string" }),
    };
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

fn security(who: Who) -> Value {
    match who {
        Who::Anyone | Who::Enrolling | Who::Device => json!([]),
        Who::Reader => json!([{}, { "deviceToken": [] }, { "apiToken": [] }]),
        Who::Publisher | Who::Site | Who::Administrator | Who::TokenHolder => {
            json!([{ "apiToken": [] }])
        }
        Who::FirstAdministrator => json!([{ "claimToken": [] }]),
    }
}

const fn who(who: Who) -> &'static str {
    match who {
        Who::Anyone => "anyone",
        Who::Enrolling => "a device with an enrolment token inside what it signs",
        Who::Device => "an enrolled device, by what it signs",
        Who::Reader => "anyone for public families, otherwise a device token or API token",
        Who::Publisher => "an API token that covers the repository",
        Who::Site => "an API token of the site",
        Who::Administrator => "an administrator's API token",
        Who::TokenHolder => "any API token",
        Who::FirstAdministrator => "the one-time token that init printed",
    }
}

fn security_schemes() -> Value {
    let bearer = |what: &str| json!({ "type": "http", "scheme": "bearer", "description": what });
    json!({
        "apiToken": bearer("pw_ and 64 hexadecimal digits, made by an administrator"),
        "deviceToken": bearer("pd_…, from a check-in; good for ten minutes"),
        "claimToken": bearer("The one-time token that `patchward-server init` printed"),
    })
}

fn error_codes() -> Value {
    let row = |code: &ErrorCode| {
        json!({
            "code": code.code(), "status": code.status(), "retry": code.retry(),
            "en": code.en(), "ja": code.ja(),
        })
    };
    ErrorCode::ALL.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_json_endpoint_has_its_shapes() {
        let mut generator = SchemaSettings::draft2020_12().into_generator();
        let shapes = shapes(&mut generator);
        let files =
            ["Metadata", "Target", "Upload", "Live", "Ready", "OpenApi", "Checkpoint", "Tile"];
        for endpoint in api::all() {
            let expected = !files.contains(&endpoint.name);
            assert_eq!(shapes.contains_key(endpoint.name), expected, "{}", endpoint.name);
        }
    }

    #[test]
    fn every_reference_in_the_document_leads_somewhere() {
        let document = document();
        let mut references = Vec::new();
        collect(&document, &mut references);
        assert!(references.len() > 40);
        for reference in references {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    found.push(reference.clone());
                }
                fields.values().for_each(|value| collect(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn the_committed_document_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api/openapi.json");
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(
            committed == text() + "\n",
            "write it anew: patchward-server openapi > docs/api/openapi.json"
        );
    }
}
