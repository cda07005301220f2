//! The end of a process.

use std::io;

use axum::Router;
use logto::{LogtoApp, axum::RouterExt};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

// ANCHOR: shutdown
/// Serves until the process is told to end. The open requests finish first, and then the refreshes whose requests are
/// gone: an answer on its way may hold the only copy of a refresh token.
pub async fn serve(listener: TcpListener, router: Router, logto: LogtoApp) -> io::Result<()> {
    let app = router.with_logto(logto.clone());
    axum::serve(listener, app)
        .with_graceful_shutdown(told_to_end()?)
        .await?;
    logto.client().drain().await;
    Ok(())
}

/// `SIGTERM` comes from a container's platform, and `SIGINT` from a terminal.
fn told_to_end() -> io::Result<impl Future<Output = ()> + Send> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    })
}
// ANCHOR_END: shutdown
