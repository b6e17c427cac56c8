//! Ctrl-C and SIGTERM: the first asks the command to stop, the second ends the process.

use std::future::Future;
use std::ops::ControlFlow;

use tokio::sync::watch;

use super::failure::Interrupted;

/// Whether the user asked to stop. Clones see the same.
#[derive(Clone, Debug)]
pub(super) struct Interrupt {
    asked: watch::Receiver<bool>,
}

impl Interrupt {
    /// Listens to the signals from now on.
    pub(super) fn install() -> anyhow::Result<Self> {
        let (sender, asked) = watch::channel(false);
        #[cfg(unix)]
        let mut terminate = {
            use tokio::signal::unix::{SignalKind, signal};
            signal(SignalKind::terminate())?
        };
        tokio::spawn(async move {
            loop {
                #[cfg(unix)]
                let received = tokio::select! {
                    result = tokio::signal::ctrl_c() => result.is_ok(),
                    _ = terminate.recv() => true,
                };
                #[cfg(not(unix))]
                let received = tokio::signal::ctrl_c().await.is_ok();
                if !received {
                    break;
                }
                if sender.send_replace(true) {
                    std::process::exit(130);
                }
            }
            // The receivers must not take a lost sender for a signal.
            std::future::pending::<()>().await;
        });
        Ok(Self { asked })
    }

    /// Whether the user asked to stop; for work on a thread of its own.
    pub(super) fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// `Break` once the user asked to stop.
    pub(super) fn flow(&self) -> ControlFlow<()> {
        if self.is_asked() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Returns when the user asks to stop.
    pub(super) async fn asked(&self) {
        let mut asked = self.asked.clone();
        if asked.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The work's result, or [`Interrupted`] as soon as the user asks to stop; the work is dropped.
    pub(super) async fn stops<T>(
        &self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        tokio::select! {
            biased;
            () = self.asked() => Err(Interrupted::default().into()),
            result = work => result,
        }
    }
}
