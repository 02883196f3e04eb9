//! The listening socket: plain HTTP or TLS, and an orderly end.
//!
//! Plain HTTP is for loopback, or for behind a proxy that speaks TLS
//! (`Config::check` refuses anything else).

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};

use super::limit::{Door, HANDSHAKE};
use crate::config::{Config, Limits};

/// How long requests that run may still take when the server is told to end.
const DRAIN: Duration = Duration::from_secs(30);

/// A server that listens.
#[derive(Debug)]
pub struct Listening {
    /// Where, with the port that was really taken.
    pub address: SocketAddr,
    handle: Handle<SocketAddr>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

/// Takes the socket; requests wait in its backlog until [`Bound::serve`].
pub fn bind(address: SocketAddr) -> std::io::Result<Bound> {
    let socket = std::net::TcpListener::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(Bound { address: socket.local_addr()?, socket })
}

/// A socket that is taken.
#[derive(Debug)]
pub struct Bound {
    /// Where, with the port that was really taken.
    pub address: SocketAddr,
    socket: std::net::TcpListener,
}

impl Bound {
    /// Serves `router`, within the limits of [`super::limit`].
    pub async fn serve(self, router: Router, config: &Config) -> std::io::Result<Listening> {
        let handle = Handle::new();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let door = Door::new(config.limits, config.tls.is_some());
        let task = match &config.tls {
            Some(tls) => {
                // Ignored if another part of the process installed it already.
                let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
                let files = RustlsConfig::from_pem_file(&tls.certificate, &tls.key).await?;
                let acceptor = RustlsAcceptor::new(files).handshake_timeout(HANDSHAKE).acceptor(door);
                let server = listener(self.socket, config.limits, &handle)?.acceptor(acceptor);
                tokio::spawn(async move { server.serve(service).await })
            }
            None => {
                let server = listener(self.socket, config.limits, &handle)?.acceptor(door);
                tokio::spawn(async move { server.serve(service).await })
            }
        };
        Ok(Listening { address: self.address, handle, task })
    }
}

/// A server on this socket that waits for nobody for ever.
fn listener(
    socket: std::net::TcpListener,
    limits: Limits,
    handle: &Handle<SocketAddr>,
) -> std::io::Result<axum_server::Server<SocketAddr>> {
    // Before the first request it is not known which HTTP is spoken.
    let mut server = axum_server::from_tcp(socket)?.handle(handle.clone()).first_request_timeout(limits.header);
    server.http_builder().http1().header_read_timeout(limits.header);
    // Whoever does not answer a ping is gone.
    server.http_builder().http2().keep_alive_interval(limits.header).keep_alive_timeout(limits.header);
    Ok(server)
}

impl Listening {
    /// Takes no more connections, lets running requests end, and returns.
    pub async fn end(self) {
        self.handle.graceful_shutdown(Some(DRAIN));
        if let Ok(Err(error)) = self.task.await {
            tracing::error!(%error, "the listener failed");
        }
    }

    /// Serves until `stop` is done.
    pub async fn until(self, stop: impl Future<Output = ()>) {
        stop.await;
        self.end().await;
    }
}

/// Done when the operator asks the process to end (Ctrl-C, SIGTERM).
pub async fn asked_to_end() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
            let _ = interrupt.await;
            return;
        };
        tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = interrupt.await;
}
