//! The server runs: listens, answers, and ends in order.
//!
//! On SIGTERM or SIGINT it stops taking connections and finishes the requests under way. Not here:
//! what is answered ([`crate::http`]). Invariant: plain HTTP only where the configuration allows it.

use crate::app::{App, LoadError, Parts};
use crate::clock::{self, NoChance};
use crate::delta::build::Builder;
use crate::delta::child::Program;
use crate::error::Chain;
use crate::fleet::flush;
use crate::fleet::pack::Address;
use crate::http;
use crate::http::request_id::{RequestIds, name_requests};
use crate::notify::send::{BadPost, Post};
use crate::tls::{self, TlsError};
use crate::views::Views;
use crate::worker;
use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{HttpServer, rt};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The repositories cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address.
    #[error("cannot listen on {listen}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// While running.
    #[error("the server stopped")]
    Run(#[source] io::Error),
    /// Notices.
    #[error("notices cannot be sent as configured")]
    Post(#[from] BadPost),
    /// No random bytes.
    #[error(transparent)]
    Chance(#[from] NoChance),
}

/// Runs until a signal ends it; `listening` is told the address once requests are taken.
///
/// # Errors
/// [`ServeError`].
pub fn serve(parts: Parts, listening: impl FnOnce(&str)) -> Result<(), ServeError> {
    rt::System::new().block_on(run(parts, listening))
}

async fn run(parts: Parts, listening: impl FnOnce(&str)) -> Result<(), ServeError> {
    let app = App::start(parts).await?;
    let config = app.config.clone();
    let ids = Data::new(RequestIds::new(clock::random(&*app.rng)?));
    let shared = Data::from(Arc::clone(&app));
    let factory = move || {
        actix_web::App::new()
            .app_data(shared.clone())
            .app_data(ids.clone())
            .configure(http::configure)
            .configure(http::configure_rest)
            .wrap(from_fn(name_requests))
    };
    let server = HttpServer::new(factory)
        .workers(config.workers)
        .max_connections(config.limits.connections)
        .client_request_timeout(Duration::from_secs(config.limits.request_head_s))
        .keep_alive(Duration::from_secs(config.limits.keep_alive_s))
        .client_disconnect_timeout(Duration::from_secs(5))
        .shutdown_timeout(config.limits.shutdown_s)
        .disable_signals();
    let refused = |source| ServeError::Listen { listen: config.listen, source };
    let (server, scheme) = match &config.tls {
        None => (server.bind_auto_h2c(config.listen).map_err(refused)?, "http"),
        Some(tls) => {
            let tls = tls::server_config(tls)?;
            (server.bind_rustls_0_23(config.listen, tls).map_err(refused)?, "https")
        }
    };
    let bound = server.addrs().first().copied().unwrap_or(config.listen);
    let url = format!("{scheme}://{bound}");
    tell_address(&app, &url)?;
    let server = server.run();
    rt::spawn(end_on_signal(server.handle(), Arc::clone(&app.views)));
    let workers = worker::start(&app, builder(&app)?, post(&app)?);
    listening(&url);
    let ended = server.await.map_err(ServeError::Run);
    workers.stop().await;
    if let Err(error) = flush::flush(&app).await {
        tracing::warn!(error = %Chain(&error), "Last-seen times could not be written");
    }
    ended
}

/// Who builds deltas; nobody where that is turned off.
fn builder(app: &Arc<App>) -> Result<Option<Builder>, ServeError> {
    let builder = || Builder::new(app, Program::this());
    Ok(app.config.delta.enabled.then(builder).transpose()?)
}

/// Who sends notices; nobody where that is turned off.
fn post(app: &App) -> Result<Option<Post>, ServeError> {
    let address = app.address.get().map(|address| address.url.clone()).unwrap_or_default();
    let post = || Post::of(&app.config.notify, &address, &*app.rng);
    Ok(app.config.notify.enabled.then(post).transpose()?)
}

/// What stands in enrolment packs: the public address, else the one that is listened on.
fn tell_address(app: &App, bound: &str) -> Result<(), ServeError> {
    let mut address = Address::of(&app.config);
    if app.config.public_url.is_none() {
        bound.clone_into(&mut address.url);
    }
    let authority = app.config.tls.as_ref().and_then(|tls| tls.authority_file.as_deref());
    address.tls_ca_pem = authority.map(tls::authority_pem).transpose()?;
    // They are set here only, and a server runs once.
    let _ = app.address.set(address);
    let _ = app.certificates.set(tls::expiry::of_config(&app.config));
    Ok(())
}

async fn end_on_signal(server: ServerHandle, views: Arc<Views>) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("Signals cannot be received; the server ends without finishing requests");
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("The server finishes the requests under way and ends");
    // Standing polls would keep it waiting.
    views.end();
    server.stop(true).await;
}
