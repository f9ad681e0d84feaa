//! Where alerts go once they are stored: to the log, and to the host's own function. That one runs beside the driver, one
//! call after the other: it may take its time, and its panic is its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::alert::{Alert, Severity};

/// What a host does with an alert.
pub(crate) type OnAlert = Arc<dyn Fn(&Alert) + Send + Sync>;

/// So many alerts wait for the host's function at most. Those beyond are in the log and in the store.
const WAITING: usize = 1024;

/// Tells alerts.
pub(crate) struct Bell {
    host: Option<mpsc::Sender<Alert>>,
}

impl Bell {
    /// Tells the log, and this function of the host if there is one. It is called until this is dropped and all is told.
    pub(crate) fn new(on_alert: Option<OnAlert>, tasks: &TaskTracker) -> Self {
        let host = on_alert.map(|on_alert| {
            let (sender, waiting) = mpsc::channel(WAITING);
            tasks.spawn(relay(waiting, on_alert));
            sender
        });
        Bell { host }
    }

    pub(crate) fn ring(&self, alert: Alert) {
        log(&alert);
        let Some(host) = &self.host else { return };
        if host.try_send(alert).is_err() {
            warn!(
                "the function that takes alerts does not keep up with them; this one is only in the log and in the store"
            );
        }
    }
}

fn log(alert: &Alert) {
    let Alert { number, kind, subject, text, .. } = alert;
    let kind = kind.name();
    match alert.severity {
        Severity::Critical => error!(target: "outlast::alert", number, kind, %subject, "{text}"),
        Severity::Warning => warn!(target: "outlast::alert", number, kind, %subject, "{text}"),
        Severity::Info => info!(target: "outlast::alert", number, kind, %subject, "{text}"),
    }
}

async fn relay(mut waiting: mpsc::Receiver<Alert>, on_alert: OnAlert) {
    while let Some(alert) = waiting.recv().await {
        let on_alert = Arc::clone(&on_alert);
        let told = tokio::task::spawn_blocking(move || catch_unwind(AssertUnwindSafe(|| on_alert(&alert))).is_ok());
        if !told.await.unwrap_or(false) {
            error!(
                "the function that takes alerts panicked; this is a bug in it, and the next one is told all the same"
            );
        }
    }
}
