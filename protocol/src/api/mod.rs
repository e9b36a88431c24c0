//! The HTTP interface, once: endpoints as types, used by the server, the agent and the command line.
//!
//! `server::mount::<E>` and a client's `call::<E>` are the only ways in and out; a wrong caller kind
//! does not compile. The list in [`all`] feeds the OpenAPI document and the test that tries every
//! endpoint with every wrong caller.

pub mod consent;
pub mod delta;
pub mod device;
#[cfg(feature = "zones")]
pub mod draft;
pub mod endpoint;
pub mod error;
pub mod files;
pub mod operator;
pub mod record;
pub mod repository;
#[cfg(feature = "schema")]
pub mod schema;
pub mod site;
pub mod token;

pub use endpoint::{Description, Endpoint, Method, Who};

/// Every endpoint.
#[must_use]
pub fn all() -> Vec<Description> {
    let mut all = Vec::new();
    all.extend(consent::endpoints());
    all.extend(delta::endpoints());
    all.extend(device::endpoints());
    #[cfg(feature = "zones")]
    all.extend(draft::endpoints());
    all.extend(files::endpoints());
    all.extend(operator::endpoints());
    all.extend(record::endpoints());
    all.extend(repository::endpoints());
    all.extend(site::endpoints());
    all.extend(token::endpoints());
    all
}
