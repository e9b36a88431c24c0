//! The console: what people see, as pages made here and as plain forms.
//!
//! A page is a file of `pages/` with a template and texts in both languages; a handler gets a
//! [`door::Visit`], which is the proof of who asks and what they may do there, and gives an
//! [`answer::Answer`]. Not here: decisions, SQL, keys; the domain knows no page.
//! Invariant: no text outside the Fluent files, no script and no style outside `assets`, and what is
//! not the visitor's is not there.

pub mod answer;
pub mod asked;
pub mod assets;
pub mod chart;
mod done;
pub mod door;
pub mod form;
pub mod frame;
pub mod invalid;
pub mod local;
pub mod pages;
pub mod route;
#[cfg(test)]
pub mod sample;
pub mod streams;
pub mod turned;
pub mod when;
pub mod words;
pub mod zone;

use actix_web::web::ServiceConfig;

/// Mounts every page, form and asset.
pub fn mount(services: &mut ServiceConfig) {
    routes().mount(services);
    assets::mount(services);
}

/// Every route of the console, for mounting and for the test of who may come in.
#[must_use]
pub fn routes() -> route::Routes {
    let mut routes = route::Routes::default();
    pages::all(&mut routes);
    routes
}
